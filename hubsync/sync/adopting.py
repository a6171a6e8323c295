"""Coming to a portal where hubsync was at work before, with a database that knows nothing of it (design 5, `--adopt`).

The database was lost, or another hubsync with a database of its own serves the portal. Neither may go unnoticed: tasks
would be created twice, and two hubsyncs would write over one another. Adopting reads the references of our tasks back.
Only reads the portal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from hubsync.errors import StoreError
from hubsync.policy.changes import CreateTask
from hubsync.policy.instants import parse_instant
from hubsync.policy.policy import Policy
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.portal.gateway import Gateway
from hubsync.portal.values import Task
from hubsync.store.ledger import COMPLETED
from hubsync.store.store import Store
from hubsync.store.values import NewWrite, Settlement, Write
from hubsync.sync.binding import BoundPortal
from hubsync.sync.book import TASK_COMPLETED
from hubsync.sync.lease import PortalLease
from hubsync.sync.looking import Look
from hubsync.sync.plan import instant
from hubsync.sync.position import INTEGRATION, value
from hubsync.sync.recovery import known_app
from hubsync.sync.signing import LAST_ACTION
from hubsync.sync.writing import reference

REFERENCE = re.compile(r"\[hubsync ([A-Z2-7]{10})\]")
ADOPTED = "sync.adopted"
"""Cursor: when a new database took over the tasks of an earlier one."""
TASKS_SINCE = timedelta(days=90)
SAMPLE_PAGES = 5
MERGED = "hs_merged_object_ids"
CONTACTS_AT_ONCE = 1_000
UNEDITED = timedelta(seconds=5)
"""A task changed no later than that after it was created is as we wrote it."""


def admit(
    gateway: Gateway, store: Store, portal: BoundPortal, configured: str | None, now: datetime, *, adopt: bool
) -> str | None:
    """Let a run write, and give the number of our app where it is known (as learned, else as `configured`).

    Raises StoreError where the database has seen no run but the portal shows traces of a hubsync, unless `adopt`.
    """
    app_id = known_app(store, portal.id) or configured
    if adopt or store.effective_since(portal.id) is not None or store.runs(portal.id, 1):
        return app_id
    trace = next(_traces(gateway, portal, app_id, now), None)
    if trace is None:
        return app_id
    raise StoreError(
        f"hubsync has been at work on portal {portal.id} before ({trace}), but this database knows nothing of it. "
        "Nothing was written. If the database was lost, run `hubsync sync --write --adopt` once: it takes over the "
        "tasks that are there. If another hubsync serves the portal, use its database, or stop it first."
    )


def _traces(gateway: Gateway, portal: BoundPortal, app_id: str | None, now: datetime) -> Iterator[str]:
    """What says that a hubsync was here, the cheapest to find first."""
    if LAST_ACTION in portal.definitions:
        count = gateway.count_having(LAST_ACTION)
        if count:
            yield f"{count:,} contact{'' if count == 1 else 's'} with {LAST_ACTION}"
    for page in islice(gateway.modified_since(now - TASKS_SINCE, "tasks"), SAMPLE_PAGES):
        for task in gateway.read_tasks(page).values():
            found = REFERENCE.search(task.body)
            if found is not None:
                yield f"task {task.id} carries the reference {found[0]}"
    if app_id is None:
        return
    for contacts in islice(gateway.all_contacts((STATUS, STAGE), (STATUS, STAGE)), SAMPLE_PAGES):
        for contact in contacts:
            for name in (STATUS, STAGE):
                if any(_is_by(app_id, entry) for entry in (contact.history or {}).get(name, ())):
                    yield f"app {app_id} has written {name} of contact {contact.id}"


def _is_by(app_id: str, entry: Mapping[str, object]) -> bool:
    return entry.get("sourceType") == INTEGRATION and str(entry.get("sourceId")) == app_id


def adopt(
    gateway: Gateway, store: Store, portal: BoundPortal, lease: PortalLease, run: int, app_id: str | None, now: datetime
) -> int:
    """Take over the tasks that carry our references: each gets a row in the ledger. Returns how many.

    Reads every contact's tasks: ⌈contacts/100⌉ + ⌈contacts/1,000⌉ + ⌈tasks/100⌉ calls, once.
    """
    adopted = 0
    for ids in _thousands(contact.id for page in gateway.all_contacts(("hs_object_id",)) for contact in page):
        rows: list[NewWrite] = []
        tasks: list[Task] = []
        for contact, found in gateway.tasks_of(ids).items():
            for task in found:
                mark = REFERENCE.search(task.body)
                if mark is not None:
                    tasks.append(task)
                    rows.append(_row(portal.policy, contact, task, mark[1]))
        with lease.transaction():
            planned = store.plan_writes(portal.id, run, rows)
            fresh = [(entry.id, task) for entry, task in zip(planned, tasks, strict=True) if entry.fresh]
            store.settle(
                portal.id,
                [Settlement(id_, "applied", task.created_at or now, object_id=task.id) for id_, task in fresh],
            )
            done = {id_: task.completed_at or now for id_, task in fresh if task.status == TASK_COMPLETED}
            store.close_tasks(portal.id, done, COMPLETED)
        adopted += len(fresh)
    with lease.transaction():
        store.set_cursor(portal.id, ADOPTED, now.isoformat())
        store.remember_portal(portal.id, at=now, app_id=app_id)
    return adopted


def _row(policy: Policy, contact: str, task: Task, ref: str) -> NewWrite:
    """A task found, as a row of the ledger. Its reference does not tell its cause, so it gets one of its own."""
    rule, template = next(
        ((r.id, a.template) for r in policy.rules for a in r.tasks if _begins(a.subject.text, task.subject)), ("", "")
    )
    unedited = task.created_at is not None and (task.modified_at or task.created_at) - task.created_at <= UNEDITED
    wrote = {
        "subject": task.subject,
        "body": task.body,
        "owner": task.owner_id,
        "due": task.due.isoformat() if task.due else None,
    }
    return NewWrite(
        contact=contact,
        kind="task",
        rule=rule,
        cause_key=f"adopted:{ref}",
        cause_kind="adopted",
        cause_at=task.created_at,
        target=template,
        after=task.subject,
        ref=ref,
        facts=wrote if unedited else {},
        note="adopted: it was there when this database was new",
    )


def _begins(pattern: str, subject: str) -> bool:
    """Whether a subject may come from a template's, whose first word to be filled in stands in braces."""
    fixed, filled, _ = pattern.partition("{")
    return subject.startswith(fixed) if filled else subject == fixed


def _thousands(ids: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for id_ in ids:
        batch.append(id_)
        if len(batch) == CONTACTS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _created_for(task: CreateTask, ref: str, adopted: Iterable[Write]) -> Write | None:
    """The adopted task that stands for one a decision asks for: the same, or its rule's, created since its cause.

    What hubsync had set itself counted from its own cause; now that entry's moment is what the portal knows of it, so
    that the reference of a task that came along differs. A rule writes one task for one cause (T11).
    """
    return next(
        (
            row
            for row in adopted
            if row.ref == ref
            or ((row.rule, row.target) == (task.rule, task.template) and row.cause_at and row.cause_at >= task.cause.at)
        ),
        None,
    )


class Adopted:
    """Recognises, among the tasks that a decision asks for, those that an earlier database had created."""

    def __init__(self, store: Store, portal: BoundPortal, lease: PortalLease, run: int, now: datetime) -> None:
        self.store = store
        self.portal = portal
        self.lease = lease
        self.run = run
        self.now = now
        self._any = store.cursor(portal.id, ADOPTED) is not None

    def recognise(self, looks: Sequence[Look]) -> list[Look]:
        """The looks without tasks that are there already: these go over to their causes, which are spent."""
        asking = [k.contact.id for k in looks if k.decision.tasks or k.decision.held] if self._any else []
        ledger = self.store.ledger_of(self.portal.id, asking) if asking else {}
        return [self._without_known(look, ledger.get(look.contact.id, ())) for look in looks]

    def _without_known(self, look: Look, rows: Sequence[Write]) -> Look:
        known = [row for row in rows if row.cause_kind == "adopted"]
        if not known:
            return look
        decision, contact = look.decision, look.contact.id
        found = {
            task: row
            for task in (*decision.tasks, *decision.held)
            if (row := _created_for(task, reference(self.portal.id, contact, task), known)) is not None
        }
        for task, row in found.items():
            self._hand_over(contact, task, row)
        ids = {row.id for row in found.values()}
        return Look(
            look.contact,
            replace(
                decision,
                tasks=tuple(t for t in decision.tasks if t not in found),
                held=tuple(t for t in decision.held if t not in found),
                withdrawn=tuple(w for w in decision.withdrawn if w.task.write_id not in ids),
            ),
        )

    def _hand_over(self, contact: str, task: CreateTask, row: Write) -> None:
        cause = task.cause
        real = NewWrite(
            contact=contact,
            kind="task",
            rule=task.rule,
            playbook=task.playbook,
            cause_key=cause.key,
            cause_kind=cause.kind,
            cause_at=cause.at,
            cause_id=cause.id,
            target=task.template,
            after=row.after,
            ref=row.ref,
            facts=row.facts,
            effective_at=cause.at,
            rules_digest=self.portal.policy.digest,
            note=row.note,
        )
        portal = self.portal.id
        with self.lease.transaction():
            [entry] = self.store.plan_writes(portal, self.run, [real])
            if entry.fresh:
                done = Settlement(entry.id, "applied", row.answered_at or self.now, object_id=row.object_id)
                self.store.settle(portal, [done])
                self.store.close_tasks(portal, {entry.id: row.closed_at} if row.closed_at else {}, row.note)
                self.store.close_tasks(portal, {row.id: self.now})


class Neighbourhood:
    """Watches for a second hubsync: entries of our own app, newer than our last run, that our ledger doesn't hold."""

    def __init__(self, gateway: Gateway, store: Store, portal: int, app_id: str | None, run: int) -> None:
        self.gateway = gateway
        self.store = store
        self.portal = portal
        self.app_id = app_id
        last = next((r for r in store.runs(portal, 20) if r.id != run and r.epoch is not None), None)
        self.since = last.started_at if last is not None else None

    def watch(self, looks: Sequence[Look]) -> None:
        """Raise StoreError, naming what was found, where one of the contacts shows such an entry."""
        if self.app_id is None or self.since is None:
            return
        for look in looks:
            for name in (STATUS, STAGE):
                for entry in (look.contact.history or {}).get(name, ()):
                    at = parse_instant(str(entry["timestamp"]))
                    if at <= self.since:
                        break
                    if _is_by(self.app_id, entry) and not self._wrote(look.contact.id, name, value(entry)):
                        raise StoreError(
                            f"app {self.app_id}, which is hubsync's own, set {name} of contact {look.contact.id} to "
                            f'"{value(entry)}" at {instant(at)}, and this database knows nothing of it: a second '
                            f"hubsync is at work on portal {self.portal}. Nothing was written. Stop one of the two. If "
                            "this database was restored from a backup, run `hubsync sync --write --adopt` once."
                        )

    def _wrote(self, contact: str, name: str, written: str) -> bool:
        """Whether we may have written it: the ledger says so, or a merge brought it along."""
        rows = self.store.ledger_of(self.portal, [contact]).get(contact, ())
        if any(r.target == name and (r.after or "") == written for r in rows):
            return True
        read = self.gateway.read_contacts([contact], (MERGED,)).found.get(contact)
        return read is None or bool(read.properties.get(MERGED))
