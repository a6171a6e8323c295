"""The mirror after a look: what was seen of each contact, and when to look again.

A contact with something to write stays due until that has landed, so that a run that ends early loses no timer. Names,
addresses and the like are never part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from hubsync.store.store import Store
from hubsync.store.values import Look as Row
from hubsync.sync.binding import BoundPortal
from hubsync.sync.looking import Look
from hubsync.sync.retrying import back_off, keys_of, refusals


def remember(store: Store, portal: BoundPortal, looks: Iterable[Look], now: datetime) -> None:
    """Save looks that were decided on; those with something to write are due at once, until it is written."""
    store.save_looks(
        portal.id, [_row(portal, x, now, now if x.decision.acts else x.decision.look_again) for x in looks]
    )


def remember_written(store: Store, portal: BoundPortal, looks: Iterable[Look], now: datetime) -> None:
    """Save looks whose writes have landed."""
    store.save_looks(portal.id, [_row(portal, look, now, look.decision.look_again) for look in looks])


def remember_failed(store: Store, portal: BoundPortal, looks: Sequence[Look], now: datetime) -> None:
    """Save looks of which something was not written: due again the later, the more often HubSpot said no to it.

    What else falls due on the contact is not put off.
    """
    ledger = store.ledger_of(portal.id, [look.contact.id for look in looks])
    rows = []
    for look in looks:
        times = refusals(ledger.get(look.contact.id, ()), keys_of(look.decision))
        again = look.decision.look_again
        due = now + back_off(times)
        rows.append(_row(portal, look, now, due if again is None else min(again, due)))
    store.save_looks(portal.id, rows)


def _row(portal: BoundPortal, look: Look, now: datetime, due: datetime | None) -> Row:
    return Row(
        contact=look.contact.id,
        properties={k: v for k, v in look.contact.properties.items() if k in portal.policy.mirrored},
        lastmodified=look.contact.modified_at or now,
        digest=portal.policy.digest,
        read_at=now,
        next_look_at=due,
    )
