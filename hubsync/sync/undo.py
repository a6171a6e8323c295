"""Taking a run back: what it would come to, and doing it through the same outbox as every other write (playbook G2).

Position decides, not clocks (standing.py): a value is put back only where ours is still the newest. An undo is a run of
its own; what it undoes keeps its cause spent. Killed at any line, the next undo of the same run ends right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from hubsync.errors import SettingsError
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.portal.values import Outcome, Update
from hubsync.store.store import Store
from hubsync.store.values import NewWrite, Run, RunState, Settlement, Write
from hubsync.sync.binding import BoundPortal
from hubsync.sync.book import COMPLETED, is_untouched
from hubsync.sync.guard import Limits
from hubsync.sync.lease import PortalLease
from hubsync.sync.plan import Row
from hubsync.sync.reconcile import Session
from hubsync.sync.recovery import recover
from hubsync.sync.standing import CLEARS, Verdict, judge, moves_backward, undo_key
from hubsync.sync.writing import BATCH, LAST_ACTION

Advance = Callable[[int], None]
ChangeState = Literal["planned", "applied", "not_applied", "refused", "skipped", "uncertain"]
TaskState = Literal["planned", "taken_back", "left", "gone", "refused"]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the run, and what undoing it comes to or came to. `backward`: a stage is moved backward."""

    write: Write
    now: str | None
    state: ChangeState
    why: str
    backward: bool = False

    def row(self) -> Row:
        """As JSON has it; null stands for empty."""
        return {
            "contact": self.write.contact,
            "property": self.write.target,
            "from": self.now or None,
            "to": self.write.before or None,
            "state": self.state,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class TaskBack:
    """One task of the run, and what becomes or became of it."""

    write: Write
    state: TaskState
    why: str

    def row(self) -> Row:
        """As JSON has it."""
        return {
            "contact": self.write.contact,
            "task": self.write.object_id,
            "subject": self.write.after,
            "state": self.state,
            "why": self.why,
        }


@dataclass(slots=True)
class Undoing:
    """What undoing a run comes to, or came to. `run` is the undo's own number, None where nothing was written."""

    undoes: Run
    run: int | None = None
    changes: list[Change] = field(default_factory=list)
    tasks: list[TaskBack] = field(default_factory=list)
    before: int = 0
    """Changes of the run that were undone already."""

    @property
    def whole(self) -> bool:
        """Whether nothing was refused, skipped or left."""
        return all(c.state in {"planned", "applied"} for c in self.changes) and all(
            t.state in {"planned", "taken_back", "gone"} for t in self.tasks
        )

    @property
    def has_work(self) -> bool:
        """Whether writing would do anything."""
        return any(c.state == "planned" for c in self.changes) or any(
            t.state in {"planned", "gone"} for t in self.tasks
        )


@dataclass(frozen=True, slots=True)
class _Judged:
    """A change of the run with its verdict as of the newest read, and what the contact was then."""

    row: Write
    verdict: Verdict
    facts: dict[str, str | None]


def preview(session: Session, store: Store, number: int, *, allow_backward: bool = False) -> Undoing:
    """What undoing a run would do; nothing is written. Raises SettingsError for a run that can't be undone."""
    undoing, rows, tasks = _of_run(store, session.portal.id, number)
    for batch in _by_contact(rows):
        judged = _judge(session, store, batch, allow_backward)
        undoing.changes += [_change(j, session.portal) for j in judged]
    undoing.tasks += _tasks(session, tasks)
    return undoing


def write(
    session: Session,
    store: Store,
    number: int,
    limits: Limits,
    *,
    allow_backward: bool = False,
    advance: Advance = lambda _n: None,
) -> Undoing:
    """Undo a run. Raises SettingsError for one that can't be, UnsafePlan before the first write where it is too large.

    Raises StoreError where another run is writing to the portal. Nothing to do makes no run.
    """
    portal = session.portal.id
    with PortalLease(store, portal, "hubsync undo --write") as lease:
        started = session.portal_now()
        store.close_dead_runs(portal, started)
        recover(session.gateway, store, portal, started)
        plan = preview(session, store, number, allow_backward=allow_backward)
        if not plan.has_work:
            return plan
        contacts = {c.write.contact for c in plan.changes if c.state == "planned"}
        limits.refuse_too_much(len(contacts), _in_scope(store, portal, plan.undoes), 0)
        digest = session.portal.policy.digest
        run = store.start_run(portal, "undo", {"undoes": number}, digest, started, epoch=lease.epoch)
        undone = Undoing(plan.undoes, run, before=plan.before)
        state: RunState = "failed"
        try:
            _Undoer(session, store, lease, undone, started, allow_backward).run(advance)
            state = "done"
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            with lease.transaction():
                store.finish_run(portal, run, state, _counts(undone), session.portal_now())
    return undone


def _of_run(store: Store, portal: int, number: int) -> tuple[Undoing, list[Write], list[Write]]:
    """The run with what may be undone of it: changes that landed, tasks that were created."""
    run = store.run(portal, number)
    if run is None:
        raise SettingsError(f"There is no run {number} on portal {portal}; hubsync runs lists them.")
    if run.kind == "undo":
        raise SettingsError(
            f"Run {number} is itself an undo, of run {run.args.get('undoes')}; an undo isn't undone. Set the values by "
            "hand, or let the rules act on what happens next."
        )
    rows = store.writes_of_run(portal, number)
    undoing = Undoing(run, before=sum(r.state == "undone" for r in rows))
    changes = [r for r in rows if r.kind == "set" and r.state == "applied"]
    return undoing, changes, [r for r in rows if r.kind == "task" and r.state == "applied" and r.object_id]


def _by_contact(rows: Iterable[Write]) -> Iterator[list[Write]]:
    """Rows in batches of at most 100 contacts, a contact's rows together."""
    contacts: dict[str, list[Write]] = {}
    for row in rows:
        contacts.setdefault(row.contact, []).append(row)
    groups = list(contacts.values())
    for start in range(0, len(groups), BATCH):
        yield [row for group in groups[start : start + BATCH] for row in group]


def _judge(session: Session, store: Store, rows: Sequence[Write], allow_backward: bool) -> list[_Judged]:
    """Verdicts on `rows`, on the contacts as they are now: ⌈contacts/50⌉ calls."""
    portal = session.portal
    names = sorted({r.target for r in rows if r.target in portal.definitions} | {STATUS, STAGE})
    contacts = list(dict.fromkeys(r.contact for r in rows))
    found = session.gateway.read_contacts(contacts, names, names).found
    ledger = store.ledger_of(portal.id, contacts)
    judged = []
    for row in rows:
        contact = found.get(row.contact)
        verdict = judge(row, contact, ledger.get(row.contact, ()), portal, allow_backward=allow_backward)
        get = contact.properties.get if contact is not None else {}.get
        judged.append(_Judged(row, verdict, {STATUS: get(STATUS), STAGE: get(STAGE)}))
    return judged


def _change(judged: _Judged, portal: BoundPortal, state: ChangeState | None = None, why: str = "") -> Change:
    verdict = judged.verdict
    shown: ChangeState = "planned" if verdict.state == "done" else verdict.state
    return Change(
        judged.row, verdict.now, state or shown, why or verdict.why, backward=moves_backward(judged.row, portal)
    )


def _tasks(session: Session, rows: Sequence[Write]) -> list[TaskBack]:
    """What becomes of the run's tasks: an untouched one goes, one that a person touched stays."""
    present = session.gateway.read_tasks([r.object_id for r in rows if r.object_id]) if rows else {}
    found = []
    for row in rows:
        task = present.get(row.object_id or "")
        if task is None:
            found.append(TaskBack(row, "gone", "task gone already"))
        elif task.status == COMPLETED:
            found.append(TaskBack(row, "left", "task left: completed"))
        elif not is_untouched(task, row):
            found.append(TaskBack(row, "left", "task left: edited or started"))
        else:
            found.append(TaskBack(row, "planned", "task taken back"))
    return found


def _in_scope(store: Store, portal: int, undoes: Run) -> int:
    """Contacts in scope for the guard: as the run counted them, or the last run that looked at all of them."""
    known = next((r.counts.get("in_scope", 0) for r in store.runs(portal, 200) if r.counts.get("all")), 0)
    return max(known, undoes.counts.get("in_scope", 0))


def _counts(undone: Undoing) -> dict[str, int]:
    states = [c.state for c in undone.changes]
    return {
        "contacts": len({c.write.contact for c in undone.changes} | {t.write.contact for t in undone.tasks}),
        "withdrawn": sum(t.state == "taken_back" for t in undone.tasks),
        **{f"changes_{state}": states.count(state) for state in dict.fromkeys(states)},
    }


class _Undoer:
    """Writes one undo. Used once."""

    def __init__(
        self,
        session: Session,
        store: Store,
        lease: PortalLease,
        undone: Undoing,
        started: datetime,
        allow_backward: bool,
    ) -> None:
        self.session = session
        self.portal = session.portal
        self.store = store
        self.lease = lease
        self.undone = undone
        self.run_id = undone.run or 0
        self.started = started
        self.allow_backward = allow_backward

    def run(self, advance: Advance) -> None:
        """Take everything back, 100 contacts at a time; tasks last."""
        _, rows, tasks = _of_run(self.store, self.portal.id, self.undone.undoes.id)
        for batch in _by_contact(rows):
            self._batch(batch)
            advance(len({r.contact for r in batch}))
        self._take_back(tasks)

    def _batch(self, rows: Sequence[Write]) -> None:
        judged = self._judge(rows)
        clearing = [j for j in judged if j.verdict.clears]
        if clearing:
            failed = self._clear(clearing)
            judged = self._judge([r for r in rows if r.id not in failed])
        planned = [j for j in judged if j.verdict.state == "planned"]
        for item in judged:
            if item.verdict.state == "done":
                self._note([item.row], "found put back")
                self._tell(item, "applied")
            elif item.verdict.state != "planned":
                self._tell(item)
        if planned:
            self._put_back(planned)

    def _judge(self, rows: Sequence[Write]) -> list[_Judged]:
        return _judge(self.session, self.store, rows, self.allow_backward)

    def _clear(self, judged: Sequence[_Judged]) -> set[int]:
        """The first step of a move backward; the ids of rows where it failed."""
        failed: set[int] = set()
        for item, outcome in self._send(judged, CLEARS):
            if outcome is None or outcome.state != "applied":
                failed.add(item.row.id)
                self._tell_outcome(item, outcome)
        return failed

    def _put_back(self, judged: Sequence[_Judged]) -> None:
        landed = []
        for item, outcome in self._send(judged, ""):
            self._tell_outcome(item, outcome)
            if outcome is not None and outcome.state == "applied":
                landed.append(item.row)
        self._note(landed, f"undone by run {self.run_id}")

    def _send(self, judged: Sequence[_Judged], step: str) -> list[tuple[_Judged, Outcome | None]]:
        """Record, send, settle: one update per contact. An outcome of None: another row holds the undo."""
        portal = self.portal.id
        with self.lease.transaction():
            entries = self.store.plan_writes(portal, self.run_id, [self._new_write(j, step) for j in judged])
            ids = {j.row.id: e.id for j, e in zip(judged, entries, strict=True) if e.fresh}
            self.store.mark_sent(portal, list(ids.values()), self.session.portal_now())
        by_contact: dict[str, list[_Judged]] = {}
        for item in judged:
            if item.row.id in ids:
                by_contact.setdefault(item.row.contact, []).append(item)
        updates = [
            Update(contact, self._values(some, step), trace=f"{self.run_id}-{ids[some[0].row.id]}")
            for contact, some in by_contact.items()
        ]
        outcomes = {o.id: o for o in self.session.gateway.update_contacts(updates, self._stages(step))}
        now = self.session.portal_now()
        with self.lease.transaction():
            self.store.settle(
                portal,
                [
                    Settlement(ids[item.row.id], state, now, answer=outcomes[contact].answer or None)
                    for contact, some in by_contact.items()
                    if (state := _settled(outcomes[contact])) is not None
                    for item in some
                ],
            )
        return [(j, outcomes[j.row.contact] if j.row.id in ids else None) for j in judged]

    def _stages(self, step: str) -> Sequence[str]:
        """The order by which a later stage counts as landed: never in an undo, where an earlier one is asked for."""
        del step
        return ()

    def _new_write(self, judged: _Judged, step: str) -> NewWrite:
        row = judged.row
        return NewWrite(
            contact=row.contact,
            kind="undo",
            rule=row.rule,
            playbook=row.playbook,
            cause_key=undo_key(row) + step,
            cause_kind="undo",
            cause_at=self.started,
            cause_id=str(row.id),
            target=row.target,
            before=judged.verdict.now or None,
            after=None if step else row.before,
            below=judged.verdict.below,
            facts=judged.facts,
            rules_digest=self.portal.policy.digest,
        )

    def _values(self, judged: Sequence[_Judged], step: str) -> dict[str, str]:
        if step:
            return {j.row.target: "" for j in judged}
        values = {j.row.target: j.row.before or "" for j in judged}
        if LAST_ACTION in self.portal.definitions:
            values[LAST_ACTION] = self._last_action([j.row for j in judged])
        return values

    def _last_action(self, rows: Sequence[Write]) -> str:
        """The line on the record itself (G2)."""
        row = min(rows, key=lambda r: (r.target != STATUS, r.target != STAGE))
        policy = self.portal.policy
        definition = self.portal.definitions[row.target]
        if row.target in {STATUS, STAGE}:
            terms = policy.statuses if row.target == STATUS else policy.stages
            what = f"back from {terms.label(terms.key(row.after))} to {terms.label(terms.key(row.before))}"
        else:
            what = f"{definition.label} put back"
        day = self.started.astimezone(policy.zone)
        return f"Undone: run {row.run} ({row.playbook}), {what} ({day.day} {day:%B %Y})"

    def _note(self, rows: Sequence[Write], note: str) -> None:
        """What was put back is undone; its cause stays spent."""
        now = self.session.portal_now()
        with self.lease.transaction():
            self.store.settle(self.portal.id, [Settlement(r.id, "undone", now, note=note) for r in rows])

    def _tell(self, item: _Judged, state: ChangeState | None = None, why: str = "") -> None:
        self.undone.changes.append(_change(item, self.portal, state, why))

    def _tell_outcome(self, item: _Judged, outcome: Outcome | None) -> None:
        if outcome is None:
            self._tell(item, "skipped", "another undo of it is under way")
            return
        state: ChangeState = "refused" if outcome.state == "gone" else outcome.state
        self._tell(item, state, "" if state == "applied" else outcome.answer)

    def _take_back(self, rows: Sequence[Write]) -> None:
        """Delete the run's untouched tasks."""
        found = _tasks(self.session, rows)
        going = {t.write.object_id or "": t for t in found if t.state == "planned"}
        answers = self.session.gateway.delete_tasks(list(going)) if going else {}
        gone: list[Write] = []
        for task in found:
            answer = answers.get(task.write.object_id or "")
            if task.state == "gone" or answer == "deleted":
                gone.append(task.write)
            if task.state == "planned":
                deleted = answer == "deleted"
                why = task.why if deleted else f"task left: {answer}"
                task = replace(task, state="taken_back" if deleted else "refused", why=why)
            self.undone.tasks.append(task)
        now = self.session.portal_now()
        with self.lease.transaction():
            self.store.close_tasks(self.portal.id, [w.id for w in gone], now)
            self.store.settle(
                self.portal.id, [Settlement(w.id, "undone", now, note=f"undone by run {self.run_id}") for w in gone]
            )


def _settled(outcome: Outcome) -> Literal["applied", "not_applied", "refused"] | None:
    """The ledger's state for an outcome; None where the next run must find out."""
    match outcome.state:
        case "applied" | "not_applied" | "refused":
            return outcome.state
        case "gone":
            return "refused"
        case "uncertain":
            return None
