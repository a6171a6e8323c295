"""Edits by people in the middle of a run: how many are lost, and how many repairs nobody needed.

So many contacts are corrected by one `sync --write`. On some, a person sets the Lead status between hubsync's last read
and its write; on others between its write and the look after it; the rest nobody touches. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from benchmarks.calls import PROMOTED, Lead, a_portal
from benchmarks.sessions import NO_LIMITS, a_session
from hubsync.portal.values import Outcome, Update
from hubsync.sandbox import Portal, acts
from hubsync.sync import reconcile
from hubsync.sync.scope import Scope

STATUS = "hs_lead_status"
CHOSEN = "NURTURE"
"""What people choose: no rule would choose it, and none corrects it."""
MOMENT = timedelta(milliseconds=5)


def main() -> None:
    """Place the edits and count what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=int, default=500, help="edits between read and write")
    parser.add_argument("--after", type=int, default=500, help="edits between write and look")
    parser.add_argument("--untouched", type=int, default=500, help="contacts that nobody edits")
    args = parser.parse_args()
    print(json.dumps(edits(args.before, args.after, args.untouched)))


def edits(before: int, after: int, untouched: int) -> dict[str, int]:
    """Run it. `lost`: a person's value that doesn't stand; `false_repairs`: a value put back that nobody had set."""
    portal = a_portal(before + after + untouched, Lead(PROMOTED.stage, "RECYCLED"))
    contacts = sorted(portal.contacts(), key=int)
    early, late = set(contacts[:before]), set(contacts[before : before + after])
    with a_session(portal) as (session, store):
        people = People(portal, early, late)
        people.sit_beside(session.gateway)
        outcome = reconcile.write(session, store, Scope(full=True), NO_LIMITS)
        logged = {o.contact for o in store.overrides(session.portal.id)}
    states = {contact: portal.values("contacts", contact, STATUS)[STATUS] for contact in contacts}
    changes = Counter(c["contact"] for c in outcome.tally.changes if c["state"] == "applied")
    repaired = {contact for contact, count in changes.items() if count > 1}
    return {
        "contacts": len(contacts),
        "edits_between_read_and_write": len(early & people.acted),
        "edits_between_write_and_look": len(late & people.acted),
        "lost": sum(states[contact] != CHOSEN for contact in early | late),
        "false_repairs": len(repaired - early),
        "put_back": len(repaired & early),
        "overrides_logged": len(logged & (early | late)),
        "overrides_logged_falsely": len(logged - early - late),
    }


class People:
    """Sit beside the gateway and edit contacts right before or right after each write to them, once each."""

    def __init__(self, portal: Portal, early: set[str], late: set[str]) -> None:
        self.portal = portal
        self.early = early
        self.late = late
        self.acted: set[str] = set()

    def sit_beside(self, gateway: Any) -> None:
        """Stand between hubsync and its gateway's writes."""
        update = gateway.update_contacts

        def write(updates: Sequence[Update], stage_order: Sequence[str] = ()) -> list[Outcome]:
            self._edit(self.early & {u.id for u in updates})
            outcomes: list[Outcome] = update(updates, stage_order)
            self._edit(self.late & {u.id for u in updates})
            return outcomes

        gateway.update_contacts = write

    def _edit(self, contacts: set[str]) -> None:
        self.portal.clock.advance(MOMENT)
        for contact in sorted(contacts - self.acted):
            acts.person_sets(self.portal, contact, STATUS, CHOSEN)
            self.acted.add(contact)
        self.portal.clock.advance(MOMENT)


if __name__ == "__main__":
    main()
