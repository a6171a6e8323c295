"""What tests of undo share: undoing at a desk, and saying what came of it."""

from __future__ import annotations

from hubsync.sync.guard import Limits
from hubsync.sync.taking_back import Undoing
from hubsync.sync.undo import write_undo
from tests.sync.desk import GENEROUS, SQL, STATUS, Desk

LAST_ACTION = "hubsync_last_action"


def undo(desk: Desk, run: int | None, *, allow_backward: bool = False, limits: Limits = GENEROUS) -> Undoing:
    assert run is not None
    return write_undo(desk.session(), desk.store, run, limits, allow_backward=allow_backward)


def said(undoing: Undoing) -> list[tuple[str, str, str]]:
    """(property, state, why) of each change."""
    return [(c.write.target, c.state, c.why) for c in undoing.changes]


def history(desk: Desk, contact: str, prop: str = STATUS) -> list[tuple[str, str]]:
    """(value, source) of a property, oldest first."""
    return [(e.value, e.source.type) for e in desk.portal.get("contacts", contact).entries(prop)]


def qualified(desk: Desk) -> tuple[str, int]:
    """A qualified lead whose stage a run moved to SQL."""
    contact = desk.lead("QUALIFIED", "lead")
    run = desk.sync().run
    assert desk.stage(contact) == SQL
    assert run is not None
    return contact, run
