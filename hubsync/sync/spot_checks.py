"""A random sample of the changes of Lead status in a month, some per owner, for a manager to go through (playbook R8).

The same month gives the same sample, however often it is drawn. Reads every contact with the history of its Lead
status; writes nothing.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from hubsync.policy.timeline import HUBSYNC
from hubsync.policy.view import Missing, View
from hubsync.policy.vocabulary import STATUS
from hubsync.sync.book import Book, Dresser, NoBook
from hubsync.sync.bulk_pick import OWNER, REASON
from hubsync.sync.reconcile import Session


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One change of Lead status; `before` and `after` are HubSpot's values, `by` a kind of writer or hubsync."""

    contact: str
    owner: str
    at: datetime
    before: str
    after: str
    by: str
    rule: str
    reason: str


def sample(session: Session, start: datetime, end: datetime, per_owner: int) -> list[StatusChange]:
    """Up to `per_owner` changes from `start` until before `end` for each present owner ("" for none), by owner."""
    by_owner: defaultdict[str, list[StatusChange]] = defaultdict(list)
    for change in _changes(session):
        if start <= change.at < end:
            by_owner[change.owner].append(change)
    drawn: list[StatusChange] = []
    for owner, changes in sorted(by_owner.items()):
        changes.sort(key=lambda c: (c.at, int(c.contact)))
        dice = random.Random(f"{session.portal.id} {start:%Y-%m} {owner}")
        picked = dice.sample(changes, min(per_owner, len(changes)))
        drawn += sorted(picked, key=lambda c: (c.at, int(c.contact)))
    return drawn


def _changes(session: Session) -> Iterator[StatusChange]:
    """Every change of every contact's Lead status, oldest first of each; what hubsync put back is none."""
    policy, store, now = session.portal.policy, session.store, session.portal_now()
    dresser: Dresser = Book(store, session.portal.id, None, now=now) if store is not None else NoBook()
    names = tuple(n for n in ("createdate", OWNER, REASON, STATUS) if n in session.portal.definitions)
    for page in session.gateway.all_contacts(names, (STATUS,)):
        for contact in dresser.dress(page):
            stays = View(policy, contact, now).line(STATUS)
            rules = {(one.value, one.effective_at): one.rule for one in contact.ours if one.property == STATUS}
            before = ""
            for stay in [] if isinstance(stays, Missing) else stays:
                get = contact.properties.get
                rule = rules.get((stay.value, stay.at), "") if stay.by == HUBSYNC else ""
                yield StatusChange(
                    contact.id, get(OWNER) or "", stay.written_at, before, stay.value, stay.by, rule, get(REASON) or ""
                )
                before = stay.value
