"""What people do with tasks, hubsync's among them."""

from __future__ import annotations

from datetime import datetime

from hubsync.sandbox.acts import sources
from hubsync.sandbox.state import Portal
from hubsync.sandbox.times import iso


def create_task(
    portal: Portal,
    contact: str,
    owner: str | None,
    subject: str,
    due: datetime,
    *,
    body: str = "",
    status: str = "NOT_STARTED",
    at: datetime | None = None,
) -> str:
    """A rep writes a task for a contact, due at `due`."""
    values = {
        "hs_timestamp": iso(portal.moment(due)),
        "hs_task_subject": subject,
        "hs_task_body": body,
        "hs_task_status": status,
        "hs_task_type": "TODO",
        "hubspot_owner_id": owner,
    }
    return portal.create("tasks", values, source=sources.person(portal, owner), at=at, to=[("contacts", contact)])


def complete_task(portal: Portal, task: str, user: str | None = None, *, at: datetime | None = None) -> None:
    """A person completes a task (default: its owner)."""
    edit_task(portal, task, "hs_task_status", "COMPLETED", user, at=at)


def edit_task(
    portal: Portal, task: str, prop: str, value: str, user: str | None = None, *, at: datetime | None = None
) -> None:
    """A person edits one property of a task. Raises UnknownPropertyError, InvalidValueError, KeyError."""
    actor = sources.person(portal, user or portal.get("tasks", task).values.get("hubspot_owner_id"))
    portal.update("tasks", task, portal.schemas.checked("tasks", {prop: value}), source=actor, at=at)
