"""The only code that reaches the database: SQLite beside the settings, or PostgreSQL by URL.

The rest of hubsync opens a `Store` and hands plain values in and out; SQLAlchemy and Alembic don't leave this package.
"""

from hubsync.store.database import open_store, upgrade
from hubsync.store.leases import LeaseLost
from hubsync.store.store import Store
from hubsync.store.values import (
    FREE_STATES,
    OPEN_STATES,
    Holder,
    Look,
    NewWrite,
    Override,
    PlanCount,
    PlanEntry,
    Planned,
    Portal,
    Run,
    RunState,
    Settlement,
    StatusChange,
    Stint,
    WorkItem,
    Write,
    WriteKind,
    WriteState,
)

__all__ = [
    "FREE_STATES",
    "OPEN_STATES",
    "Holder",
    "LeaseLost",
    "Look",
    "NewWrite",
    "Override",
    "PlanCount",
    "PlanEntry",
    "Planned",
    "Portal",
    "Run",
    "RunState",
    "Settlement",
    "StatusChange",
    "Stint",
    "Store",
    "WorkItem",
    "Write",
    "WriteKind",
    "WriteState",
    "open_store",
    "upgrade",
]
