"""What a killed run left behind: rows planned or sent whose outcome nobody recorded. HubSpot itself tells.

A planned row was never sent. A sent value shows in the property's history, above the entry we had read. A sent task
shows on the contact by its reference; HubSpot has no idempotency key, so that it counts as not created only once it
can't be under way any more and two reads, some time apart, did not show it. A deleted contact shows nothing: its task
may come back with it. Never sleeps: time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta

import structlog

from hubsync.portal.gateway import Gateway
from hubsync.portal.values import Task
from hubsync.portal.writing import same_value
from hubsync.store.store import Store
from hubsync.store.values import Settlement, Write
from hubsync.sync.position import INTEGRATION, find, lies_where_meant, value
from hubsync.sync.withdrawing import settle_withdrawals

log = structlog.get_logger()

UNDER_WAY = timedelta(seconds=150)
"""HubSpot may still be executing a request that long after it was sent (524 comes after 100 s, hubspot-api 9)."""
APART = timedelta(seconds=30)
"""Between the two reads that must both not show a task before it counts as not created."""
SKEW = timedelta(seconds=60)
"""By which HubSpot's time stamps may lie before our note of having sent."""
MISSED = "not there at "
"""Begins the note of a task that one read did not show; the moment follows."""
GONE = "its contact was gone at "
"""Begins the note of a task whose contact was deleted; the moment of the last look follows."""
ASKED_AGAIN = timedelta(hours=1)
"""Between two looks for a contact that was gone."""
RESTORABLE = timedelta(days=90)
"""So long HubSpot can restore a deleted contact (knowledge base, "Restore deleted records")."""

Fence = Callable[[], AbstractContextManager[None]]


def recover(gateway: Gateway, store: Store, portal: int, now: datetime, *, fence: Fence = nullcontext) -> int:
    """Settle what dead runs left open; returns how many rows were settled.

    Tasks sent less than 150 s ago, and those missed only once so far, stay open for a later call. `fence` makes the
    transaction that everything is recorded in.
    """
    rows = store.unsettled(portal)
    if not rows:
        return 0
    never = [
        Settlement(r.id, "not_applied", now, note="never sent: the run ended first")
        for r in rows
        if r.state == "planned"
    ]
    sent = [r for r in rows if r.state == "sent"]
    values = list(settle_values(gateway, [r for r in sent if r.kind in {"set", "undo"}], now, known_app(store, portal)))
    tasks, missed = _settle_tasks(gateway, store, portal, [r for r in sent if r.kind == "task"], now)
    withdrawn, gone = settle_withdrawals(gateway, [r for r in sent if r.kind == "withdraw"], now)
    with fence():
        store.settle(portal, [*never, *values, *tasks, *withdrawn])
        store.close_tasks(portal, dict.fromkeys(gone, now))
        store.annotate(portal, missed)
    log.info("run.recovered", never_sent=len(never), values=len(values), tasks=len(tasks), missed=len(missed))
    return len(never) + len(values) + len(tasks) + len(withdrawn)


def uncertain_tasks(store: Store, portal: int) -> int:
    """How many tasks of ended runs HubSpot may or may not have created; a deleted contact needs none."""
    return sum(row.kind == "task" and _noted_at(row, GONE) is None for row in store.unsettled(portal))


def known_app(store: Store, portal: int) -> str | None:
    """The number of our own app as learned from history, None until something was."""
    return next((p.app_id for p in store.portals() if p.id == portal), None)


def settle_values(
    gateway: Gateway, rows: Sequence[Write], now: datetime, app_id: str | None = None
) -> Iterable[Settlement]:
    """What became of values sent without an answer: applied if history shows them above what we had read."""
    if not rows:
        return
    names = sorted({r.target for r in rows})
    read = gateway.read_contacts({r.contact for r in rows}, names, names)
    for row in rows:
        contact = read.found.get(row.contact)
        entries = (contact.history or {}).get(row.target, ()) if contact is not None else ()
        exact = any(
            same_value(row.after or "", value(entry)) and lies_where_meant(entries, index, row)
            for index, entry in enumerate(entries)
        )
        landed = exact or find(entries, row, app_id) is not None
        note = "found in the history" if landed else "not found in the history"
        yield Settlement(row.id, "applied" if landed else "not_applied", now, note=note)


def _settle_tasks(
    gateway: Gateway, store: Store, portal: int, rows: Sequence[Write], now: datetime
) -> tuple[list[Settlement], dict[int, str]]:
    """Settlements of tasks found or given up, and notes for those missed for the first time."""
    rows = [r for r in rows if (at := _noted_at(r, GONE)) is None or now - at >= ASKED_AGAIN]
    if not rows:
        return [], {}
    app_id = known_app(store, portal)
    contacts = {r.contact for r in rows}
    present, gone = _tasks_now(gateway, contacts)
    taken = {w.object_id for found in store.ledger_of(portal, contacts).values() for w in found if w.object_id}
    settled: list[Settlement] = []
    missed: dict[int, str] = {}
    for row in rows:
        task = _created(row, present.get(row.contact, ()), taken, app_id)
        if task is not None:
            taken.add(task.id)
            settled.append(Settlement(row.id, "applied", now, object_id=task.id, note="found after the run had ended"))
        elif may_be_under_way(row, now):
            continue
        elif row.contact in gone and (row.sent_at is None or now - row.sent_at < RESTORABLE):
            missed[row.id] = GONE + now.isoformat()
        elif now - (first := _noted_at(row, MISSED) or now) >= APART or row.contact in gone:
            note = f"not created: looked for at {first.isoformat()} and {now.isoformat()}"
            settled.append(Settlement(row.id, "not_applied", now, note=note))
        elif _noted_at(row, MISSED) is None:
            missed[row.id] = MISSED + now.isoformat()
    return settled, missed


def _tasks_now(gateway: Gateway, contacts: Collection[str]) -> tuple[dict[str, tuple[Task, ...]], frozenset[str]]:
    """The tasks of contacts, where they were merged of those they became, and which contacts are gone.

    Who has no task at all is asked for: a deleted contact shows none, whatever was created.
    """
    present = gateway.tasks_of(contacts)
    without = [id_ for id_ in contacts if not present.get(id_)]
    read = gateway.read_contacts(without, ()) if without else None
    if read is None:
        return present, frozenset()
    became = {id_: contact.id for id_, contact in read.found.items() if contact.id != id_}
    theirs = gateway.tasks_of(set(became.values())) if became else {}
    return {**present, **{id_: theirs.get(other, ()) for id_, other in became.items()}}, frozenset(read.missing)


def may_be_under_way(row: Write, now: datetime) -> bool:
    """Whether HubSpot may still be executing the request."""
    return row.sent_at is not None and now - row.sent_at < UNDER_WAY


def _noted_at(row: Write, what: str) -> datetime | None:
    """When a read did not show the task, or its contact, as the row's note has it."""
    note = row.note or ""
    return datetime.fromisoformat(note.removeprefix(what)) if note.startswith(what) else None


def _created(row: Write, tasks: Sequence[Task], taken: set[str], app_id: str | None) -> Task | None:
    """The task that the row created: the one with its reference, else one that can be no other's."""
    free = [task for task in tasks if task.id not in taken]
    return next((task for task in free if row.ref in task.body), None) or next(_alike(row, free, app_id), None)


def _alike(row: Write, tasks: Iterable[Task], app_id: str | None) -> Iterator[Task]:
    """Tasks that our app created when the row was sent, with its subject and owner, and with nobody's reference."""
    if row.sent_at is None:
        return
    since, until = row.sent_at - SKEW, row.sent_at + UNDER_WAY + SKEW
    for task in tasks:
        ours = task.source == INTEGRATION and (app_id is None or task.source_id == app_id)
        when = task.created_at is not None and since <= task.created_at <= until
        same = task.subject == row.after and (task.owner_id or None) == (row.facts.get("owner") or None)
        if ours and when and same and "[hubsync " not in task.body:
            yield task
