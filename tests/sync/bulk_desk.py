"""What tests of bulk changes share: asking for one, writing it, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from hubsync.store.values import Write
from hubsync.sync.bulk import Bulk, write_bulk
from hubsync.sync.bulk_list import read_list
from hubsync.sync.bulk_pick import Asked
from hubsync.sync.bulk_where import Statuses, compile_where
from hubsync.sync.guard import Limits
from tests.sync.desk import GENEROUS, STATUS, Desk


def asked(desk: Desk, status: str, *where: str, reason: str = "") -> Asked:
    """A status for the contacts of which all conditions hold."""
    portal = desk.bound()
    conditions, faults = compile_where(where, desk.loaded.files, portal)
    assert faults == []
    return Asked(Statuses(desk.loaded.files.portal, portal).value(status), reason, conditions, where)


def listed(desk: Desk, lines: Sequence[str], status: str = "", reason: str = "") -> Asked:
    """A list of these lines."""
    statuses = Statuses(desk.loaded.files.portal, desk.bound())
    file = desk.folder / "list.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    value = statuses.value(status) if status else None
    return Asked(value or "", reason, listed=read_list(file, statuses.value, value, reason))


def write(desk: Desk, wanted: Asked, limits: Limits = GENEROUS) -> Bulk:
    """`hubsync set-status … --write`."""
    return write_bulk(desk.session(), desk.store, wanted, limits)


def told(bulk: Bulk) -> dict[str, tuple[str | None, str | None, str]]:
    """Contact → (from, to, state) of its Lead status."""
    rows = [c.row() for c in bulk.changes if c.setting.property == STATUS]
    return {r["contact"]: (r["from"], r["to"], r["state"]) for r in rows}


def rows(desk: Desk, contact: str) -> list[Write]:
    """A contact's rows of the ledger that bulk changes made."""
    return [w for w in desk.ledger(contact) if w.rule == "set_status"]
