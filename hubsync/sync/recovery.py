"""What a killed run left behind: rows planned or sent whose outcome nobody recorded. HubSpot itself tells.

A planned row was never sent. A sent value shows in the property's history, directly above the entry we had read. A
sent task shows on the contact by its reference; one that may still be under way is left for later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import structlog

from hubsync.portal.gateway import Gateway
from hubsync.store.store import Store
from hubsync.store.values import Settlement, Write

log = structlog.get_logger()

UNDER_WAY = timedelta(seconds=150)
"""HubSpot may still be executing a request that long after it was sent (524 comes after 100 s, hubspot-api 9)."""


def recover(gateway: Gateway, store: Store, portal: int, now: datetime) -> int:
    """Settle what dead runs left open; returns how many rows were settled."""
    rows = store.unsettled(portal)
    if not rows:
        return 0
    never = [
        Settlement(r.id, "not_applied", now, note="never sent: the run ended first")
        for r in rows
        if r.state == "planned"
    ]
    sent = [r for r in rows if r.state == "sent"]
    values = list(settle_values(gateway, [r for r in sent if r.kind in {"set", "undo"}], now))
    tasks = list(_tasks(gateway, [r for r in sent if r.kind == "task"], now))
    store.settle(portal, [*never, *values, *tasks])
    log.info("run.recovered", never_sent=len(never), values=len(values), tasks=len(tasks))
    return len(never) + len(values) + len(tasks)


def settle_values(gateway: Gateway, rows: Sequence[Write], now: datetime) -> Iterable[Settlement]:
    """What became of values sent without an answer: applied if history shows them above what we had read."""
    if not rows:
        return
    names = sorted({r.target for r in rows})
    read = gateway.read_contacts({r.contact for r in rows}, names, names)
    for row in rows:
        contact = read.found.get(row.contact)
        entries = (contact.history or {}).get(row.target, ()) if contact is not None else ()
        below = [*(str(e["timestamp"]) for e in entries[1:]), ""]
        landed = any(
            (e.get("value") or "") == (row.after or "") and b == row.below for e, b in zip(entries, below, strict=False)
        )
        yield Settlement(row.id, "applied" if landed else "not_applied", now, note="found in the history")


def _tasks(gateway: Gateway, rows: Sequence[Write], now: datetime) -> Iterable[Settlement]:
    if not rows:
        return
    present = gateway.tasks_of({r.contact for r in rows})
    for row in rows:
        task = next((t for t in present.get(row.contact, ()) if row.ref in t.body), None)
        if task is not None:
            yield Settlement(row.id, "applied", now, object_id=task.id, note="found after the run had ended")
        elif row.sent_at is None or now - row.sent_at >= UNDER_WAY:
            yield Settlement(row.id, "not_applied", now, note="not found after the run had ended")
