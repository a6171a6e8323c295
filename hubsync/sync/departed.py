"""Contacts that a look at everything did not show: merged into others meanwhile, or deleted.

HubSpot answers for a merged contact under its old id, even after several merges nobody saw: what is known of it goes
over to the survivor before anything is written, so that a cause it has spent can't fire again there. What HubSpot
doesn't have at all is forgotten; the ledger stays, for a contact that comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from hubsync.portal.gateway import Gateway
from hubsync.store.store import Store
from hubsync.sync.lease import PortalLease

AT_ONCE = 1_000
"""Contacts that are asked for together: ten calls."""


def unseen(store: Store, portal: int, since: datetime) -> Iterator[str]:
    """The contacts of the mirror that nobody has looked at since a moment."""
    return (row.contact for row in store.mirror(portal, chunk=10_000) if row.read_at < since)


def settle_departed(gateway: Gateway, store: Store, portal: int, lease: PortalLease, ids: Iterable[str]) -> None:
    """Find out what became of contacts, and let the database follow: ⌈ids/100⌉ calls. Who is still there stays."""
    waiting: list[str] = []
    for id_ in ids:
        waiting.append(id_)
        if len(waiting) == AT_ONCE:
            _settle(gateway, store, portal, lease, waiting)
            waiting = []
    if waiting:
        _settle(gateway, store, portal, lease, waiting)


def _settle(gateway: Gateway, store: Store, portal: int, lease: PortalLease, ids: list[str]) -> None:
    read = gateway.read_contacts(ids, ("hs_object_id",))
    with lease.transaction():
        for old, contact in read.found.items():
            if contact.id != old:
                store.merge(portal, old, contact.id)
        store.forget(portal, read.missing)
