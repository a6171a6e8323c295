"""Tasks on a network that drops connections: how many are missing, and how many exist twice.

Each of so many new leads is to get one task. A share of the calls that create them loses its connection, half of these
before HubSpot did anything and half after it had created the tasks. Runs follow one another, three minutes apart on the
portal's clock, until one has nothing left to do. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

from benchmarks.calls import UNTOUCHED, a_portal
from benchmarks.sandbox_process import ROOT
from benchmarks.sessions import BEFORE_EVERYTHING, NO_LIMITS, UNLIMITED
from hubsync.logs import configure_logging
from hubsync.portal import tasks as task_calls
from hubsync.portal.gateway import Gateway
from hubsync.rulefiles.load import load_rules
from hubsync.sandbox import Portal, Sandbox
from hubsync.store.database import open_store
from hubsync.store.store import Store
from hubsync.sync import reconcile
from hubsync.sync.binding import bind
from hubsync.sync.reconcile import Session
from hubsync.sync.scope import Scope

CREATE = "/tasks/batch/create"
MOST_RUNS = 12
BETWEEN_RUNS = timedelta(minutes=3)
"""Longer than a create may be under way (recovery.UNDER_WAY)."""


def main() -> None:
    """Create the tasks and count them in the portal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2_000, help="leads that are to get one")
    parser.add_argument("--dropped", type=float, default=0.05, help="share of creating calls whose connection is lost")
    parser.add_argument("--batch", type=int, default=10, help="tasks a call, so that there are calls enough to lose")
    args = parser.parse_args()
    task_calls.BATCH = args.batch
    configure_logging("warning")  # what a run logs goes to stderr, and stdout holds the one line
    print(json.dumps(create(args.tasks, args.dropped)))


def create(wanted: int, dropped: float) -> dict[str, float]:
    """Run until nothing is left to do."""
    portal = a_portal(wanted, UNTOUCHED)
    with a_session_on_the_portals_clock(portal) as (session, store, box):
        for seed, kind in enumerate(("drop_before", "drop_after")):
            box.fail(kind, path=CREATE, method="POST", probability=dropped / 2, seed=seed + 1)
        for _ in range(MOST_RUNS):
            outcome = reconcile.write(session, store, Scope(full=True), NO_LIMITS)
            if not outcome.tally.tasks and not outcome.tally.uncertain:
                break
            portal.clock.advance(BETWEEN_RUNS)
        runs = len(store.runs(session.portal.id, 50))
        rows = [w for r in store.runs(session.portal.id, 50) for w in store.writes_of_run(session.portal.id, r.id)]
        requests = [r for r in portal.journal.requests if r.path.endswith(CREATE)]
    living = Counter(contact for contact in portal.contacts() for _ in portal.get("contacts", contact).linked("tasks"))
    landed = {w.object_id for w in rows if w.kind == "task" and w.state == "applied"}
    return {
        "tasks_wanted": wanted,
        "runs": runs,
        "creating_calls": len(requests),
        "calls_lost": sum(r.fault is not None for r in requests),
        "missing": sum(living[contact] == 0 for contact in portal.contacts()),
        "double": sum(count - 1 for count in living.values() if count > 1),
        "in_the_ledger": len(landed),
    }


@contextmanager
def a_session_on_the_portals_clock(portal: Portal) -> Iterator[tuple[Session, Store, Sandbox]]:
    """As benchmarks.sessions.a_session, with the portal's time for hubsync, and the sandbox to set faults in."""
    with ExitStack() as stack:
        box = stack.enter_context(Sandbox(portal, allowance=UNLIMITED, daily=UNLIMITED))
        gateway = stack.enter_context(Gateway(box.url, lambda: box.token, bulk=True, now=portal.clock.now))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(open_store("sqlite:///benchmark.db", base=folder))
        bound = bind(gateway, load_rules(ROOT / "rules"))
        yield Session(gateway, bound, store, portal.clock.now, BEFORE_EVERYTHING), store, box


if __name__ == "__main__":
    main()
