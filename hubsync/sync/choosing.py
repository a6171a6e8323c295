"""Choosing managed contacts by conditions, with facts of each to show: for one-off lists of whom to look at.

Only reads. Contacts stream through; only those that the conditions may mean wait, a few hundred at a time, for the
dear facts that a condition, or a fact to be shown, hangs on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hubsync.policy.conditions import Test
from hubsync.policy.contact import Contact
from hubsync.policy.facts import FACTS
from hubsync.policy.rules import all_of
from hubsync.policy.view import HISTORY, Missing, View
from hubsync.sync.book import Book, Dresser, NoBook
from hubsync.sync.bulk_where import Where
from hubsync.sync.dear import fetch
from hubsync.sync.looking import WAITING_ROOM
from hubsync.sync.reconcile import Session


@dataclass(frozen=True, slots=True)
class Chosen:
    """A contact of which the conditions hold; `facts` are those asked for, None for empty."""

    contact: Contact
    facts: dict[str, Any]


def choose(session: Session, where: Where, shown: Sequence[str] = ()) -> Iterator[Chosen]:
    """Every managed contact (D5) of which all conditions hold. `shown` are facts or contact properties, by name."""
    policy = session.portal.policy
    asked = {name for name in shown if name not in FACTS}
    names = tuple(sorted({*policy.properties, *((where.asks | asked) & set(session.portal.definitions))}))
    store, now = session.store, session.portal_now()
    dresser: Dresser = Book(store, session.portal.id, None, now=now) if store is not None else NoBook()
    test = all_of([*where.conditions])
    waiting: list[Contact] = []
    for page in session.gateway.all_contacts(names):
        for contact in dresser.dress([c for c in page if policy.in_scope(c)]):
            found = _look(session, contact, test, shown)
            if isinstance(found, Chosen):
                yield found
            elif found is not None:
                waiting.append(contact)
        while len(waiting) >= WAITING_ROOM:
            yield from _complete(session, waiting[:WAITING_ROOM], test, shown, names, dresser)
            del waiting[:WAITING_ROOM]
    yield from _complete(session, waiting, test, shown, names, dresser)


def _look(session: Session, contact: Contact, test: Test, shown: Sequence[str]) -> Chosen | Missing | None:
    """The contact with its facts, what must be read first, or None where a condition fails."""
    view = View(session.portal.policy, contact, session.portal_now())
    truth = test(view)
    if truth == 0:
        return None
    facts = {name: FACTS[name].get(view) if name in FACTS else view.properties.get(name) or None for name in shown}
    missing = -truth if truth < 0 else 0
    for value in facts.values():
        missing |= value.mask if isinstance(value, Missing) else 0
    return Missing(missing) if missing else Chosen(contact, facts)


def _complete(
    session: Session,
    contacts: Sequence[Contact],
    test: Test,
    shown: Sequence[str],
    names: Sequence[str],
    dresser: Dresser,
) -> Iterator[Chosen]:
    """Fetch what is missing and look again, until nothing is."""
    policy = session.portal.policy
    waiting = list(contacts)
    while waiting:
        needs: dict[str, int] = {}
        for contact in waiting:
            found = _look(session, contact, test, shown)
            if isinstance(found, Chosen):
                yield found
            elif found is not None:
                needs[contact.id] = found.mask
        lacking = [c for c in waiting if c.id in needs]
        fresh = fetch(session.gateway, lacking, needs, names, policy.history) if lacking else []
        known = dresser.dress([c for c in fresh if needs[c.id] & HISTORY])
        waiting = [*known, *(c for c in fresh if not needs[c.id] & HISTORY)]
