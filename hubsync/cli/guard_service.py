"""What the running service holds, for `hubsync guard`: rules over their limits, contacts that can't be looked at.

It stands in the database, so this works whether the service runs or not; a running one notices a release in a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hubsync.cli.build import local_now
from hubsync.cli.output import Column, Table
from hubsync.errors import SettingsError
from hubsync.service.buckets import ALL, EVERYTHING, HeldRule, parked_for, read_held, release_held
from hubsync.service.poller import CONTACTS, POLLED
from hubsync.service.worker import UNREADABLE
from hubsync.store.store import Store
from hubsync.sync.plan import instant

PARKED = "parked"
"""In a rule's place: the contacts that can't be looked at."""
SHOWN = 1_000
"""Parked contacts listed at most."""
RULES = (
    Column("rule", "Rule"),
    Column("contacts", "Contacts that wait", numeric=True),
    Column("limit", "Limit", numeric=True),
    Column("per", "Per"),
    Column("since", "Held since"),
    Column("release", "To let it go on"),
)
ITEMS = (
    Column("contact", "Contact"),
    Column("reason", "Why it can't be looked at"),
    Column("attempts", "Tries", numeric=True),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A held rule, and how many contacts wait for it."""

    held: HeldRule
    contacts: int

    @property
    def name(self) -> str:
        """What it is released by."""
        return ALL if self.held.rule == EVERYTHING else self.held.rule

    @property
    def per(self) -> str:
        """What its limit is about."""
        return "day" if self.held.rule == EVERYTHING else "hour"


@dataclass(frozen=True, slots=True)
class Parked:
    """A contact, or an object such as `deals:77`, that could not be looked at however often it was tried."""

    contact: str
    reason: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything the service holds; of the parked contacts the first thousand."""

    rules: tuple[Rule, ...]
    parked: tuple[Parked, ...]
    parked_in_all: int


def read(store: Store, portal: int) -> Standing:
    """What the service holds now. Raises StoreError."""
    parking = store.parking
    return Standing(
        tuple(Rule(h, parking.how_many(portal, why=parked_for(h.rule))) for h in read_held(store, portal)),
        tuple(
            Parked(item.contact, item.why.removeprefix(UNREADABLE), item.attempts)
            for item in parking.parked(portal, why=UNREADABLE, limit=SHOWN)
        ),
        parking.how_many(portal, why=UNREADABLE),
    )


def release(store: Store, portal: int, rule: str) -> str | None:
    """Let a rule go on (`all`: all of them, after the limit of a day); what to say, None where it isn't held."""
    freed = release_held(store, portal, rule, _portal_time(store, portal))
    if freed is None:
        return None
    what = "all rules together" if rule == ALL else rule
    return f"Released: {what}. The service decides anew on {_contacts(freed)} that waited."


def retry(store: Store, portal: int, contact: str | None) -> str:
    """Have one parked contact looked at again, or all of them; what to say. Raises SettingsError where none is."""
    freed = store.parking.unpark(portal, _portal_time(store, portal), why=UNREADABLE, contact=contact)
    if contact is not None and not freed:
        raise SettingsError(f'"{contact}" is not parked; hubsync guard lists what is.')
    return f"The service looks again at {_contacts(freed)}." if freed else "No contact is parked."


def tables(standing: Standing) -> list[Table]:
    """For people: what there is of both."""
    rules = [
        (
            rule.name,
            rule.contacts,
            rule.held.limit,
            rule.per,
            f"{rule.held.since:%Y-%m-%d %H:%M} UTC",
            f"hubsync guard release {rule.name}",
        )
        for rule in standing.rules
    ]
    items = [(item.contact, item.reason, item.attempts) for item in standing.parked]
    return [
        *([Table(RULES, rules, "Rules held by the service: over their limit")] if rules else []),
        *([Table(ITEMS, items, "Contacts that can't be looked at; hubsync guard retry [CONTACT]")] if items else []),
    ]


def document(standing: Standing) -> dict[str, Any]:
    """For programs: `rules`, `parked` and `parked_in_all`."""
    return {
        "rules": [
            {
                "rule": rule.name,
                "since": instant(rule.held.since),
                "writes": rule.held.writes,
                "limit": rule.held.limit,
                "per": rule.per,
                "contacts": rule.contacts,
            }
            for rule in standing.rules
        ],
        "parked": [{"contact": i.contact, "reason": i.reason, "attempts": i.attempts} for i in standing.parked],
        "parked_in_all": standing.parked_in_all,
    }


def _portal_time(store: Store, portal: int) -> datetime:
    """A moment of the portal's time that has passed, so that what is due then is due at once: when it was last polled.

    The local clock may be ahead of the portal's, which nobody asks here.
    """
    polled, now = store.cursor(portal, POLLED + CONTACTS), local_now()
    return min(datetime.fromisoformat(polled), now) if polled else now


def _contacts(count: int) -> str:
    return "1 contact" if count == 1 else f"{count:,} contacts"
