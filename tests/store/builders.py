"""Values for store tests: a test sets only what matters to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hubsync.store import Look, NewWrite, Store

PORTAL = 4211
NOW = datetime(2026, 3, 2, 9, 30, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def a_write(contact: str = "101", **changes: Any) -> NewWrite:
    """A property write for the ledger, not recorded yet."""
    fields: dict[str, Any] = {
        "rule": "attempting_on_first_rep_outreach",
        "cause_key": "first_rep_outreach:900",
        "target": "hs_lead_status",
        "kind": "set",
        "after": "ATTEMPTED_TO_CONTACT",
    }
    return NewWrite(contact=contact, **{**fields, **changes})


def a_look(contact: str = "101", **changes: Any) -> Look:
    """A row of the mirror."""
    fields: dict[str, Any] = {
        "properties": {"hs_lead_status": "NEW"},
        "lastmodified": NOW,
        "digest": "d1",
        "read_at": NOW,
    }
    return Look(contact=contact, **{**fields, **changes})


def a_run(store: Store, *, epoch: int | None = None, portal: int = PORTAL) -> int:
    """A run that has just started."""
    return store.start_run(portal, "sync", {}, "rules-1", NOW, epoch=epoch)
