"""Writing a plan: re-read, record, send, record (design 5 "Writing", "Exactly-once tasks").

Just before a batch its contacts are re-read with their history; who was touched since the plan is decided on anew.
Every row is in the ledger before its call is made. One contact's refusal never stops the others.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hubsync.errors import PortalPermanentError, RateLimited
from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import Cause, CreateTask, SetProperty, Superseded
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.portal.values import NewTask, TaskOutcome, Update
from hubsync.portal.values import Outcome as Written
from hubsync.store.values import NewWrite, Settlement, WriteState
from hubsync.sync.looking import Look, Looker
from hubsync.sync.mirroring import remember_failed, remember_written
from hubsync.sync.pacing import Pacer
from hubsync.sync.pen import Pen
from hubsync.sync.plan import Planned, Tally, change_row, is_as_seen, superseded_row, task_row
from hubsync.sync.proposals import OWN, is_told
from hubsync.sync.recovery import known_app, settle_values
from hubsync.sync.signing import LAST_ACTION, of_changes
from hubsync.sync.telling import record_notices
from hubsync.sync.withdrawing import withdraw

BATCH = 100
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class _Row:
    """One change on its way: the contact, the change, its row in the ledger."""

    contact: str
    change: SetProperty
    id: int


class Writer:
    """Writes one run's plan. Used once. Without `rereads` the plan was made this very moment: nothing is read again."""

    def __init__(self, pen: Pen, looker: Looker, tally: Tally, pacer: Pacer, *, rereads: bool = True) -> None:
        self.pen = pen
        self.rereads = rereads
        self.looker = looker
        self.tally = tally
        self.pacer = pacer
        self._tasks: list[tuple[Look, CreateTask]] = []
        self._uncertain: dict[int, tuple[_Row, str]] = {}

    def write_all(self, spool: Iterable[Planned], advance: Advance) -> None:
        """Write everything in the spool, 100 contacts at a time."""
        for batch in _batches(spool, BATCH):
            self._write(batch)
            advance(0)
        self._create_tasks(everything=True)
        self._find_out()

    def _write(self, batch: Sequence[Planned]) -> None:
        looks = self.pacer.paced(self._still_wanted(batch))
        taken_back = withdraw(
            self.pen.gateway,
            self.pen.store,
            self.pen.lease,
            self.pen.run,
            looks,
            self.pen.portal.policy.digest,
            self.pen.now(),
        )
        self.tally.tasks += taken_back
        self.tally.withdrawn += sum(row["state"] == "withdrawn" for row in taken_back)
        self._spend([(look, s) for look in looks for s in look.decision.superseded])
        landed = self._set(looks)
        self.tally.told += record_notices(self.pen, [look for look in looks if look.contact.id in landed])
        for look in looks:
            self.tally.acted += look.decision.acts
            if look.contact.id in landed:
                self._tasks += [(look, task) for task in look.decision.tasks]
        self._remember(looks, landed)
        self._create_tasks(everything=False)

    def _remember(self, looks: Sequence[Look], landed: set[str]) -> None:
        """A contact is looked at again when its decision says so, or soon where something of it did not land.

        One that waits for its task stays due until that is created.
        """
        now = self.pen.now()
        with self.pen.lease.transaction():
            done = [k for k in looks if k.contact.id in landed and not k.decision.tasks]
            remember_written(self.pen.store, self.pen.portal, done, now)
            remember_failed(self.pen.store, self.pen.portal, [k for k in looks if k.contact.id not in landed], now)

    def _still_wanted(self, batch: Sequence[Planned]) -> list[Look]:
        """The batch as of now: contacts with changes are re-read, those that moved on are decided on anew."""
        changing = [p for p in batch if p.look.decision.changes]
        looks = [p.look for p in batch if not p.look.decision.changes]
        if not changing:
            return looks
        if not self.rereads:
            return [p.look for p in batch]
        policy = self.pen.portal.policy
        read = self.pen.gateway.read_contacts([p.look.contact.id for p in changing], policy.properties, policy.history)
        moved, gone = [], []
        for planned in changing:
            fresh = read.found.get(planned.look.contact.id)
            if fresh is None or fresh.id != planned.look.contact.id:
                gone.append(planned.look.contact.id)  # deleted or merged away since: nothing is left to write to
                continue
            if is_as_seen(planned, fresh):
                looks.append(planned.look)
            else:
                moved.append(fresh)
        with self.pen.lease.transaction():
            self.pen.store.forget(self.pen.portal.id, gone)
        return [*looks, *(self.looker.again(moved) if moved else ())]

    def _set(self, looks: Sequence[Look]) -> set[str]:
        """Write the changes; the ids of contacts all of whose changes landed (or that had none)."""
        rows = self._record(looks)
        failed: set[str] = set()
        by_contact: dict[str, list[_Row]] = {}
        for row in rows:
            by_contact.setdefault(row.contact, []).append(row)
        updates = [
            Update(contact, self._properties(some), trace=f"{self.pen.run}-{some[0].id}")
            for contact, some in by_contact.items()
        ]
        if updates:
            with self.pen.lease.transaction():
                self.pen.store.mark_sent(self.pen.portal.id, [r.id for r in rows], self.pen.now())
            outcomes = self.pen.gateway.update_contacts(updates, self.pen.portal.stage_values)
            self._settle(outcomes, by_contact, failed)
        return {look.contact.id for look in looks} - failed

    def _record(self, looks: Sequence[Look]) -> list[_Row]:
        wanted = [(look, change) for look in looks for change in look.decision.changes]
        with self.pen.lease.transaction():
            planned = self.pen.store.plan_writes(
                self.pen.portal.id, self.pen.run, [self._new_write(look, change) for look, change in wanted]
            )
        return [
            _Row(look.contact.id, change, entry.id)
            for (look, change), entry in zip(wanted, planned, strict=True)
            if entry.fresh
        ]

    def _new_write(self, look: Look, change: SetProperty) -> NewWrite:
        entries = (look.contact.history or {}).get(change.property, ())
        return NewWrite(
            contact=look.contact.id,
            kind="set",
            target=change.property,
            before=change.old or None,
            after=change.new,
            below=str(entries[0]["timestamp"]) if entries else "",
            effective_at=change.cause.at,
            facts={STATUS: look.contact.properties.get(STATUS), STAGE: look.contact.properties.get(STAGE)},
            rules_digest=self.pen.portal.policy.digest,
            **_cause_columns(change.rule, change.playbook, change.cause),
        )

    def _properties(self, rows: Sequence[_Row]) -> dict[str, str]:
        """What goes into one contact's update: the changes, and a line for the record itself (G2)."""
        values = {row.change.property: row.change.new for row in rows}
        done = [row.change for row in rows if row.change.property not in OWN]
        if done and LAST_ACTION in self.pen.portal.definitions:
            values[LAST_ACTION] = of_changes(self.pen.portal, done)
        return values

    def _settle(self, outcomes: Iterable[Written], by_contact: dict[str, list[_Row]], failed: set[str]) -> None:
        now = self.pen.now()
        results: list[Settlement] = []
        for outcome in outcomes:
            for row in by_contact[outcome.id]:
                state = state_of(outcome)
                if state is None:
                    failed.add(row.contact)
                    self._uncertain[row.id] = (row, outcome.answer)
                    continue
                if state != "applied":
                    failed.add(row.contact)
                results.append(Settlement(row.id, state, now, answer=outcome.answer or None))
                if is_told(row.change, state):
                    self.tally.changes.append(change_row(row.contact, row.change, state))
        with self.pen.lease.transaction():
            self.pen.store.settle(self.pen.portal.id, results)

    def _find_out(self) -> None:
        """Ask HubSpot what became of writes that no answer came to: history shows them or it doesn't."""
        if not self._uncertain:
            return
        sent = [w for w in self.pen.store.writes_of_run(self.pen.portal.id, self.pen.run) if w.id in self._uncertain]
        app_id = known_app(self.pen.store, self.pen.portal.id)
        results = [
            replace(found, answer=None if found.state == "applied" else self._uncertain[found.id][1] or None)
            for found in settle_values(self.pen.gateway, sent, self.pen.now(), app_id)
        ]
        with self.pen.lease.transaction():
            self.pen.store.settle(self.pen.portal.id, results)
        for result in results:
            row, _ = self._uncertain[result.id]
            if is_told(row.change, result.state):
                self.tally.changes.append(change_row(row.contact, row.change, result.state))

    def _spend(self, lost: Sequence[tuple[Look, Superseded]]) -> None:
        """Record the causes that lost to later ones: they are spent without a write."""
        rows = [
            NewWrite(
                contact=look.contact.id,
                kind="set",
                target=s.target,
                after=s.value,
                state="superseded",
                note=f"superseded by {s.by}",
                rules_digest=self.pen.portal.policy.digest,
                **_cause_columns(s.rule, s.playbook, s.cause),
            )
            for look, s in lost
        ]
        with self.pen.lease.transaction():
            self.pen.store.plan_writes(self.pen.portal.id, self.pen.run, rows)
        self.tally.changes += [superseded_row(look.contact.id, s) for look, s in lost]

    def _create_tasks(self, *, everything: bool) -> None:
        while len(self._tasks) >= BATCH or (everything and self._tasks):
            batch, self._tasks = self._tasks[:BATCH], self._tasks[BATCH:]
            self._create(batch)

    def _create(self, waiting: Sequence[tuple[Look, CreateTask]]) -> None:
        batch = [(look.contact.id, task) for look, task in waiting]
        refs = [reference(self.pen.portal.id, contact, task) for contact, task in batch]
        tasks = [
            replace(task, body=f"{task.body} [hubsync {ref}]".strip())
            for (_, task), ref in zip(batch, refs, strict=True)
        ]
        with self.pen.lease.transaction():
            planned = self.pen.store.plan_writes(
                self.pen.portal.id,
                self.pen.run,
                [
                    self._new_task(contact, task, ref)
                    for (contact, _), task, ref in zip(batch, tasks, refs, strict=True)
                ],
            )
            fresh = [n for n, entry in enumerate(planned) if entry.fresh]
            self.pen.store.mark_sent(self.pen.portal.id, [planned[n].id for n in fresh], self.pen.now())
        outcomes = self._send_tasks(
            [planned[n].id for n in fresh],
            [
                NewTask(
                    contact_id=batch[n][0],
                    subject=tasks[n].subject,
                    body=tasks[n].body,
                    owner_id=tasks[n].owner,
                    due=tasks[n].due,
                    trace=refs[n],
                    priority=tasks[n].priority,
                )
                for n in fresh
            ],
        )
        now = self.pen.now()
        states: dict[str, WriteState | None] = {"created": "applied", "refused": "refused", "uncertain": None}
        results = []
        for n, outcome in zip(fresh, outcomes, strict=True):
            state = states[outcome.state]
            if state is not None:
                results.append(
                    Settlement(planned[n].id, state, now, answer=outcome.answer or None, object_id=outcome.task_id)
                )
            self.tally.tasks.append(task_row(batch[n][0], tasks[n], state or "uncertain"))
        failed = {waiting[n][0].contact.id for n, o in zip(fresh, outcomes, strict=True) if o.state != "created"}
        looks = [look for look, _ in waiting]
        with self.pen.lease.transaction():
            self.pen.store.settle(self.pen.portal.id, results)
            remember_written(self.pen.store, self.pen.portal, [k for k in looks if k.contact.id not in failed], now)
            remember_failed(self.pen.store, self.pen.portal, [k for k in looks if k.contact.id in failed], now)

    def _send_tasks(self, rows: Sequence[int], new: Sequence[NewTask]) -> list[TaskOutcome]:
        """Create tasks. An error that rules out that anything was created is noted before it ends the run."""
        try:
            return self.pen.gateway.create_tasks(new)
        except (PortalPermanentError, RateLimited) as error:
            now = self.pen.now()
            with self.pen.lease.transaction():
                self.pen.store.settle(
                    self.pen.portal.id,
                    [Settlement(id_, "not_applied", now, note=f"not created: {error}") for id_ in rows],
                )
            raise

    def _new_task(self, contact: str, task: CreateTask, ref: str) -> NewWrite:
        return NewWrite(
            contact=contact,
            kind="task",
            target=task.template,
            after=task.subject,
            ref=ref,
            facts={
                "subject": task.subject,
                "body": task.body,
                "owner": task.owner,
                "due": task.due.isoformat(),
                **self.pacer.facts(contact, task),
            },
            effective_at=task.cause.at,
            rules_digest=self.pen.portal.policy.digest,
            **_cause_columns(task.rule, task.playbook, task.cause),
        )


def reference(portal: int, contact: str, task: CreateTask) -> str:
    """A task's reference, derived: the same cause always gives the same one (design 5)."""
    text = f"{portal}|{contact}|{ledger_key(task.rule, task.cause, task.template)}"
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:10]


def _cause_columns(rule: str, playbook: str, cause: Cause) -> dict[str, Any]:
    return {
        "rule": rule,
        "playbook": playbook,
        "cause_key": cause.key,
        "cause_kind": cause.kind,
        "cause_at": cause.at,
        "cause_id": cause.id,
    }


def state_of(outcome: Written) -> WriteState | None:
    """The ledger's state for an outcome; None where it is not known and the next run must find out."""
    match outcome.state:
        case "applied" | "not_applied" | "refused":
            return outcome.state
        case "gone":
            return "refused"
        case "uncertain":
            return None


def _batches(values: Iterable[Planned], size: int) -> Iterator[list[Planned]]:
    """Contacts to be changed apart from those without a change, so that the calls of the former are full."""
    waiting: dict[bool, list[Planned]] = {True: [], False: []}
    for value in values:
        batch = waiting[bool(value.look.decision.changes)]
        batch.append(value)
        if len(batch) == size:
            yield batch.copy()
            batch.clear()
    for batch in waiting.values():
        if batch:
            yield batch
