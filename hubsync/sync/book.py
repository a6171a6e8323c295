"""What our own ledger adds to a contact: causes already fired, values that are ours, tasks still open."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from hubsync.policy.changes import CompletedTask, OpenTask
from hubsync.policy.contact import Contact, OurWrite
from hubsync.policy.instants import EPOCH
from hubsync.policy.pacing import DIGEST
from hubsync.policy.timeline import HUBSYNC, PERSON
from hubsync.portal.gateway import Gateway
from hubsync.portal.values import Task
from hubsync.store.ledger import COMPLETED
from hubsync.store.store import Store
from hubsync.store.values import FREE_STATES, Write
from hubsync.sync.merges import follow, former_ids, ledger_of, with_aliases
from hubsync.sync.standing import is_restoring

_TAGS = re.compile(r"<[^>]*>|\s+")
BY_A_PERSON = "bulk"
"""The kind of cause of what an administrator decided and hubsync carried out (G4)."""
SET_STATUS = "set_status"
"""What stands for a rule where `hubsync set-status` wrote."""
UNDO = "undo"
"""The kind of cause of what takes a run back."""
REPAIR = "repair"
"""The kind of cause of what puts back a value that was written over unseen."""
NOT_STARTED = "NOT_STARTED"
TASK_COMPLETED = "COMPLETED"
"""HubSpot's status of a task that is done."""


class Dresser(Protocol):
    """Adds what is known from elsewhere to contacts as read."""

    def dress(self, contacts: Sequence[Contact]) -> list[Contact]:
        """The same contacts, with more."""


class NoBook:
    """No database: nothing is ours, nothing is spent."""

    def dress(self, contacts: Sequence[Contact]) -> list[Contact]:
        """The contacts as they are."""
        return list(contacts)


class Book:
    """The ledger of one portal. With a gateway, open tasks are looked up in HubSpot; without one they are left out.

    `notes` False, for a plan, leaves the database as it is.
    """

    def __init__(
        self, store: Store, portal: int, gateway: Gateway | None = None, *, now: datetime, notes: bool = True
    ) -> None:
        self.store = store
        self.portal = portal
        self.gateway = gateway
        self.now = now
        self.notes = notes

    def dress(self, contacts: Sequence[Contact]) -> list[Contact]:
        """Contacts with `spent`, `faded`, `ours`, `completed_tasks`, `digests` and, with a gateway, `open_tasks`.

        Tasks found closed are noted so.
        """
        former = with_aliases(self.store, self.portal, former_ids(contacts))
        if former and self.notes:
            follow(self.store, self.portal, former)
        ledger = ledger_of(self.store, self.portal, contacts, former)
        faded = self._faded(contacts, former)
        if not ledger and not faded:
            return list(contacts)
        tasks, done = self._tasks([row for c in contacts for row in ledger.get(c.id, ())])
        return [
            replace(
                contact,
                spent=frozenset(key_of(w) for w in rows if w.state not in FREE_STATES),
                faded=faded.get(contact.id, frozenset()),
                ours=tuple(ours_of(w) for w in rows if w.kind in {"set", "undo"} and w.state in _HAPPENED),
                open_tasks=tuple(tasks[w.id] for w in rows if w.id in tasks),
                digests={
                    w.object_id: datetime.fromisoformat(str(w.facts["due"]))
                    for w in rows
                    if w.object_id and is_digest(w)
                },
                completed_tasks=tuple(
                    CompletedTask(w.id, w.rule, w.target, written_at(w), at)
                    for w in rows
                    if (at := done.get(w.id)) is not None
                ),
            )
            if (rows := ledger.get(contact.id, ())) or contact.id in faded
            else contact
            for contact in contacts
        ]

    def _faded(self, contacts: Sequence[Contact], former: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
        """By contact: fired causes whose rows were purged, also those still noted under a former id."""
        asked = {contact.id for contact in contacts}.union(*former.values())
        known = self.store.purging(self.portal).faded(asked)
        whole = {c.id: [known[id_] for id_ in (c.id, *former.get(c.id, ())) if id_ in known] for c in contacts}
        return {id_: frozenset().union(*some) for id_, some in whole.items() if some} if known else {}

    def _tasks(self, rows: Sequence[Write]) -> tuple[dict[int, OpenTask], dict[int, datetime]]:
        """By row: the tasks that are open, and when those were completed that people completed.

        What is known to be completed isn't read again.
        """
        done = {w.id: w.closed_at for w in rows if w.kind == "task" and w.closed_at and w.note == COMPLETED}
        opened = [w for w in rows if w.kind == "task" and w.object_id and w.state == "applied" and w.closed_at is None]
        opened = [w for w in opened if not is_digest(w)]
        if not opened or self.gateway is None:
            return {}, done
        present = self.gateway.read_tasks([w.object_id for w in opened if w.object_id])
        gone: list[int] = []
        fresh: dict[int, datetime] = {}
        found: dict[int, OpenTask] = {}
        for row in opened:
            task = present.get(row.object_id or "")
            if task is None:
                gone.append(row.id)
            elif task.status == TASK_COMPLETED:
                fresh[row.id] = task.completed_at or task.modified_at or self.now
            else:
                found[row.id] = OpenTask(
                    row.id,
                    task.id,
                    row.rule,
                    row.target,
                    row.cause_key,
                    is_untouched(task, row),
                    subject=row.after or "",
                    owner=row.facts.get("owner"),
                    due=str(row.facts.get("due") or ""),
                    written=written_at(row),
                )
        if self.notes:
            self.store.close_tasks(self.portal, dict.fromkeys(gone, self.now))
            self.store.close_tasks(self.portal, fresh, COMPLETED)
        return found, done | fresh


_HAPPENED = frozenset({"applied", "sent", "undone", "overridden"})


def is_digest(row: Write) -> bool:
    """Whether it is a task that was created instead of many (B4): it is none of its contact's own."""
    return row.rule == DIGEST and row.kind == "task" and row.state == "applied"


def key_of(row: Write) -> str:
    """The ledger key as the policy writes it (policy/causes.py)."""
    return f"{row.rule}|{row.cause_key}|{row.target}"


def ours_of(row: Write) -> OurWrite:
    """A row of the ledger as an entry the policy can recognise in history."""
    written = row.answered_at or row.sent_at or EPOCH
    return OurWrite(
        property=row.target,
        value=row.after or "",
        below=row.below,
        effective_at=row.effective_at or row.cause_at or written,
        rule=row.rule,
        written_at=written,
        restores=is_restoring(row),
        by=PERSON if row.cause_kind == BY_A_PERSON else HUBSYNC,
        before=row.before or "",
        repairs=row.cause_kind == REPAIR,
    )


def written_at(row: Write) -> datetime:
    """When a task was created, by our clock, or its cause came about by HubSpot's, if that is later."""
    return max(row.answered_at or row.sent_at or EPOCH, row.cause_at or EPOCH)


def is_untouched(task: Task, row: Write) -> bool:
    """Whether a task is as we wrote it and not started (T11). HubSpot may wrap the body in tags."""
    wrote = row.facts
    return (
        task.status == NOT_STARTED
        and task.subject == wrote.get("subject")
        and _TAGS.sub("", task.body) == _TAGS.sub("", str(wrote.get("body") or ""))
        and (task.owner_id or None) == (wrote.get("owner") or None)
        and (task.due is None or task.due.isoformat() == wrote.get("due"))
    )
