"""The mirror after a look: what was seen of each contact, and when to look again.

A contact with something to write stays due until that has landed, so that a run that ends early loses no timer. Names,
addresses and the like are never part of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from hubsync.store.store import Store
from hubsync.store.values import Look as Row
from hubsync.sync.binding import BoundPortal
from hubsync.sync.looking import Look

BACK_OFF = timedelta(hours=1)
"""When to look again at a contact for which HubSpot refused something, or did not say."""


def remember(store: Store, portal: BoundPortal, looks: Iterable[Look], now: datetime) -> None:
    """Save looks that were decided on; those with something to write are due at once, until it is written."""
    store.save_looks(
        portal.id, [_row(portal, x, now, now if x.decision.acts else x.decision.look_again) for x in looks]
    )


def remember_written(store: Store, portal: BoundPortal, looks: Iterable[Look], now: datetime) -> None:
    """Save looks whose writes have landed."""
    store.save_looks(portal.id, [_row(portal, look, now, look.decision.look_again) for look in looks])


def remember_failed(store: Store, portal: BoundPortal, looks: Iterable[Look], now: datetime) -> None:
    """Save looks of which something was not written: they are due again after a while."""
    store.save_looks(portal.id, [_row(portal, look, now, now + BACK_OFF) for look in looks])


def _row(portal: BoundPortal, look: Look, now: datetime, due: datetime | None) -> Row:
    return Row(
        contact=look.contact.id,
        properties={k: v for k, v in look.contact.properties.items() if k in portal.policy.mirrored},
        lastmodified=look.contact.modified_at or now,
        digest=portal.policy.digest,
        read_at=now,
        next_look_at=due,
    )
