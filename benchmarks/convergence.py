"""Whether one sync settles a portal: after one `sync --write`, a second plan must hold no change and no task.

Two portals: one with a contact for every cell of the matrix (each stage and status, with no deal, an open one, a lost
one, a won one, in every order of the three events, by a person and by a workflow), and one of seeded leads with their
stories. Prints one JSON line of counts; ends with 1 where something was left to do.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import permutations, product
from typing import Any

from benchmarks.sessions import NO_LIMITS, a_session
from hubsync.sandbox import Portal, Switches, acts
from hubsync.sandbox.population import STATUSES, furniture, people, populate
from hubsync.sandbox.population.story import STAGES
from hubsync.sync import reconcile
from hubsync.sync.plan import Tally
from hubsync.sync.scope import Scope

QUIET = timedelta(hours=1)
"""Longer than every settling time (D7): nothing is still being edited."""
STAGES_OF_THE_MATRIX = ("none", "subscriber", "lead", "mql", "sal", "sql", "opportunity", "customer", "evangelist")
STATUSES_OF_THE_MATRIX = tuple(key for key in STATUSES if key != "open")
DEALS = ("none", "open", "lost", "lost to a competitor", "won")
WRITERS = ("person", "workflow")
LOSSES = {"lost": "No budget this year", "lost to a competitor": "Went with a competitor"}


def main() -> int:
    """Settle both portals and count what is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=10_000, help="seeded leads")
    parser.add_argument("--days", type=int, default=90, help="length of their histories")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deals", nargs="+", choices=DEALS, default=DEALS, help="of the contacts for the matrix")
    parser.add_argument(
        "--writers", nargs="+", choices=WRITERS, default=WRITERS, help="who sets status and stage there"
    )
    args = parser.parse_args()
    result = {
        "matrix": of_the_matrix(args.deals, args.writers),
        "seeded": of_seeded(args.contacts, args.days, args.seed),
    }
    print(json.dumps(result))
    return int(any(part["left_changes"] or part["left_tasks"] for part in result.values()))


def of_the_matrix(deals: Sequence[str], writers: Sequence[str]) -> dict[str, Any]:
    """Settle a contact for every cell, with each of `deals` and `writers`."""
    portal, cells = matrix_portal(deals, writers)
    return {"cells": cells, **settle(portal)}


def of_seeded(contacts: int, days: int, seed: int) -> dict[str, Any]:
    """Settle seeded leads."""
    portal = Portal(seed=seed)
    populate(portal, contacts=contacts, days=days, seed=seed)
    return settle(portal)


def settle(portal: Portal) -> dict[str, Any]:
    """One sync that writes, then a plan, then another sync that may write: what each found.

    `left_*` is what the second plan holds, `writes_of_second_sync` what the portal saw changed by the sync after it.
    """
    portal.clock.advance(QUIET)
    with a_session(portal) as (session, store):
        first = reconcile.write(session, store, Scope(full=True), NO_LIMITS).tally
        left = reconcile.plan(session, Scope(full=True)).tally
        written = len(portal.journal.writes)
        reconcile.write(session, store, Scope(full=True), NO_LIMITS)
        return {
            "contacts": first.contacts,
            "changes": states(first.changes),
            "tasks": states(first.tasks),
            "conflicts": len(first.conflicts),
            "waiting": first.waiting,
            "left_changes": sum(row["state"] != "proposed" for row in left.changes),
            "left_tasks": len(left.tasks),
            "left_by_rule": rules_of(left),
            "left_conflicts": len(left.conflicts),
            "writes_of_second_sync": len(portal.journal.writes) - written,
        }


def states(rows: list[dict[str, Any]]) -> dict[str, int]:
    """How many rows are in each state."""
    return dict(Counter(row["state"] for row in rows))


def rules_of(tally: Tally) -> dict[str, int]:
    """Which rules still want something."""
    return dict(Counter(row["rule"] for row in (*tally.changes, *tally.tasks) if row["state"] != "proposed"))


def matrix_portal(deals: Sequence[str], writers: Sequence[str]) -> tuple[Portal, int]:
    """A portal with every combination, and how many cells of matrix.yaml its contacts fill."""
    portal = Portal(switches=Switches(False, False, False))
    start = portal.clock.now() - timedelta(days=60)
    with portal.journal.paused():
        furniture.define_stage(portal)
        furniture.define_statuses(portal)
        furniture.define_own_properties(portal)
        owner = furniture.hire(portal, people.staff(1, 8), 1, start).owners[0]
        combinations = sorted(set(all_combinations(deals, writers)))
        for combination in combinations:
            live(portal, owner, start, combination)
        portal.catch_up()
    return portal, len({cell_of(*combination[:3]) for combination in combinations})


Combination = tuple[str, str, str, str, tuple[str, ...]]
"""Stage, status, deal, who sets the two, and the events in their order."""


def all_combinations(deals: Sequence[str], writers: Sequence[str]) -> Iterator[Combination]:
    """Every stage and status with each of `deals` and `writers`, in every order of what really happens."""
    for stage, status, deal, writer in product(STAGES_OF_THE_MATRIX, STATUSES_OF_THE_MATRIX, deals, writers):
        events = [name for name, key in (("stage", stage), ("status", status), ("deal", deal)) if key != "none"]
        for order in permutations(events):
            yield stage, status, deal, writer, order


def live(portal: Portal, owner: str, start: datetime, combination: Combination) -> None:
    """A contact to whom it happens, an event a week."""
    stage, status, deal, writer, order = combination
    contact = acts.create_contact(portal, {"lastname": " ".join(combination[:3])}, hubspot_owner_id=owner, at=start)
    sets = acts.person_sets if writer == "person" else acts.workflow_sets
    for week, event in enumerate(order, 1):
        at = start + timedelta(weeks=week)
        if event == "stage":
            sets(portal, contact, "lifecyclestage", STAGES[stage], at=at)
        elif event == "status":
            sets(portal, contact, "hs_lead_status", STATUSES[status], at=at)
        else:
            opened = acts.create_deal(portal, contact, owner=owner, at=at)
            if deal == "won":
                acts.win_deal(portal, opened, at=at + timedelta(days=1))
            elif deal in LOSSES:
                acts.lose_deal(portal, opened, LOSSES[deal], at=at + timedelta(days=1))


def cell_of(stage: str, status: str, deal: str) -> tuple[str, bool, str]:
    """The cell of the playbook's matrix (C1) in which a combination stands: 8 rows of 13."""
    row = {"sal": "mql", "evangelist": "customer"}.get(stage, stage)
    return row, row == "opportunity" and deal == "open", status


if __name__ == "__main__":
    sys.exit(main())
