"""What tests of edits in the instant around a write share: placing them, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from hubsync.portal.values import Outcome, Update
from hubsync.sync.reconcile import Session
from tests.sync.desk import STATUS, Desk

Act = Callable[[], object]


def nothing() -> None:
    """Nobody does anything."""


def around_the_write(
    desk: Desk,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    before: Act = nothing,
    after: Act = nothing,
    *,
    skip: int = 0,
) -> None:
    """`before` and `after` happen right before and right after the next call that writes, a minute each.

    `skip` calls go by undisturbed first.
    """
    update = session.gateway.update_contacts
    coming = [*[(nothing, nothing)] * skip, (before, after)]

    def write_among_others(updates: Sequence[Update], *more: Any) -> list[Outcome]:
        first, then = coming.pop(0) if coming else (nothing, nothing)
        desk.later(minutes=1)
        first()
        desk.later(minutes=1)
        outcomes = update(updates, *more)
        desk.later(minutes=1)
        then()
        return outcomes

    monkeypatch.setattr(session.gateway, "update_contacts", write_among_others)


def values(desk: Desk, contact: str, prop: str = STATUS) -> list[str]:
    """The history of a property, oldest first."""
    return [e.value for e in desk.portal.get("contacts", contact).entries(prop)]


def overrides(desk: Desk) -> list[tuple[str, str, str | None, str | None]]:
    """(contact, rule, ours, theirs) of each logged override."""
    return [(o.contact, o.rule, o.before, o.after) for o in desk.store.overrides(desk.portal.portal_id)]
