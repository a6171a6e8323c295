"""Taking a run back: previewed, then written through the same outbox as every other write (design 5, playbook G2).

An undo is a run of its own; what it undoes keeps its cause spent. Every row is in the ledger before its call; a stage
that must go backward is cleared and then set, each step a row of its own, so that the next undo of the run can go on
where a killed one stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from hubsync.portal.values import Outcome, Update
from hubsync.store.store import Store
from hubsync.store.values import NewWrite, Run, RunState, Settlement, Write
from hubsync.sync.aftermath import Aftermath
from hubsync.sync.book import UNDO
from hubsync.sync.guard import Limits
from hubsync.sync.lease import PortalLease
from hubsync.sync.pacing import refuse_frozen
from hubsync.sync.pen import Pen
from hubsync.sync.plan import Tally
from hubsync.sync.reconcile import Session
from hubsync.sync.recovery import known_app, recover, settle_values
from hubsync.sync.signing import LAST_ACTION, of_undo
from hubsync.sync.standing import CLEARS, is_clearing, undo_key, undone_by
from hubsync.sync.taking_back import (
    ChangeState,
    Judged,
    Undoing,
    by_contact,
    change_of,
    judge_all,
    of_run,
    tasks_of,
)

Advance = Callable[[int], None]


def plan_undo(session: Session, store: Store, number: int, *, allow_backward: bool = False) -> Undoing:
    """What undoing a run would do; nothing is written. Raises SettingsError for a run that can't be undone."""
    undoing, rows, tasks = of_run(store, session.portal.id, number)
    for batch in by_contact(rows):
        judged = judge_all(session, store, batch, allow_backward)
        undoing.changes += [change_of(j, session.portal) for j in judged]
    undoing.tasks += tasks_of(session, tasks)
    return undoing


def write_undo(
    session: Session,
    store: Store,
    number: int,
    limits: Limits,
    *,
    allow_backward: bool = False,
    advance: Advance = lambda _n: None,
) -> Undoing:
    """Undo a run. Raises SettingsError for one that can't be, UnsafePlan before the first write where it is too
    large or portal.yaml freezes all writes.

    Raises StoreError where another run is writing to the portal. Nothing to do makes no run.
    A KeyboardInterrupt passes through with a text that says how far it came; the next undo of the run goes on there.
    """
    portal = session.portal.id
    with PortalLease(store, portal, "hubsync undo --write") as lease:
        started = session.portal_now()
        refuse_frozen(session.pace, started)
        store.close_dead_runs(portal, started)
        recover(session.gateway, store, portal, started, fence=lease.transaction)
        plan = plan_undo(session, store, number, allow_backward=allow_backward)
        if not plan.has_work:
            return plan
        contacts = {c.write.contact for c in plan.changes if c.state == "planned"}
        limits.refuse_too_much(len(contacts), _in_scope(store, portal, plan.undoes), 0)
        digest = session.portal.policy.digest
        run = store.start_run(portal, "undo", {"undoes": number}, digest, started, epoch=lease.epoch)
        undone = Undoing(plan.undoes, run, before=plan.before)
        state: RunState = "failed"
        try:
            pen = Pen(session.gateway, store, session.portal, lease, run, session.portal_now)
            _Undoer(session, pen, undone, started, allow_backward).run(advance)
            state = "done"
        except KeyboardInterrupt as stop:
            state = "interrupted"
            raise KeyboardInterrupt(_how_far(undone)) from stop
        finally:
            with lease.transaction():
                store.finish_run(portal, run, state, _counts(undone), session.portal_now())
    return undone


def _how_far(undone: Undoing) -> str:
    back, run = sum(c.state == "applied" for c in undone.changes), undone.undoes.id
    return (
        f"Stopped in run {undone.run}: of run {run}, {back:,} of {len(undone.changes):,} changes looked at are back. "
        f"What was under way is in the ledger; hubsync undo {run} --write goes on."
    )


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

    def __init__(self, session: Session, pen: Pen, undone: Undoing, started: datetime, allow_backward: bool) -> None:
        self.session = session
        self.pen = pen
        self.undone = undone
        self.started = started
        self.allow_backward = allow_backward
        self._first: dict[int, Judged] = {}
        """What was cleared in this batch, as it was before that."""

    def run(self, advance: Advance) -> None:
        """Take everything back, 100 contacts at a time; tasks last."""
        undoing, rows, tasks = of_run(self.pen.store, self.pen.portal.id, self.undone.undoes.id)
        for batch in by_contact(rows):
            self._batch(batch)
            advance(len({r.contact for r in batch}))
        self._find_out()
        self._look_after()
        self._take_back(tasks)
        self._note(undoing.told, f"undone by run {self.pen.run}")
        self.undone.told = undoing.told

    def _batch(self, rows: Sequence[Write]) -> None:
        judged = self._judge(rows)
        clearing = [j for j in judged if j.verdict.clears]
        if clearing:
            self._first = {j.row.id: j for j in clearing}
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

    def _judge(self, rows: Sequence[Write]) -> list[Judged]:
        return judge_all(self.session, self.pen.store, rows, self.allow_backward)

    def _clear(self, judged: Sequence[Judged]) -> set[int]:
        """The first step of a move backward; the ids of rows where it failed."""
        failed: set[int] = set()
        for item, outcome in self._send(judged, CLEARS):
            if outcome is None or outcome.state != "applied":
                failed.add(item.row.id)
                self._tell_outcome(item, outcome)
        return failed

    def _put_back(self, judged: Sequence[Judged]) -> None:
        landed = []
        for item, outcome in self._send(judged, ""):
            self._tell_outcome(item, outcome)
            if outcome is not None and outcome.state == "applied":
                landed.append(item.row)
        self._note(landed, f"undone by run {self.pen.run}")

    def _send(self, judged: Sequence[Judged], step: str) -> list[tuple[Judged, Outcome | None]]:
        """Record, send, settle: one update per contact. An outcome of None: another row holds the undo."""
        portal = self.pen.portal.id
        with self.pen.lease.transaction():
            entries = self.pen.store.plan_writes(portal, self.pen.run, [self._new_write(j, step) for j in judged])
            ids = {j.row.id: e.id for j, e in zip(judged, entries, strict=True) if e.fresh}
            self.pen.store.mark_sent(portal, list(ids.values()), self.pen.now())
        grouped: dict[str, list[Judged]] = {}
        for item in judged:
            if item.row.id in ids:
                grouped.setdefault(item.row.contact, []).append(item)
        updates = [
            Update(contact, self._values(some, step), trace=f"{self.pen.run}-{ids[some[0].row.id]}")
            for contact, some in grouped.items()
        ]
        # Without the order of the stages: a later stage than the one asked for is no success here.
        outcomes = {o.id: o for o in self.pen.gateway.update_contacts(updates)}
        now = self.pen.now()
        with self.pen.lease.transaction():
            self.pen.store.settle(
                portal,
                [
                    Settlement(ids[item.row.id], state, now, answer=outcomes[contact].answer or None)
                    for contact, some in grouped.items()
                    if (state := _settled(outcomes[contact])) is not None
                    for item in some
                ],
            )
        return [(j, outcomes[j.row.contact] if j.row.id in ids else None) for j in judged]

    def _new_write(self, judged: Judged, step: str) -> NewWrite:
        row = judged.row
        return NewWrite(
            contact=row.contact,
            kind="undo",
            rule=row.rule,
            playbook=row.playbook,
            cause_key=undo_key(row) + step,
            cause_kind=UNDO,
            cause_at=self.started,
            cause_id=str(row.id),
            target=row.target,
            before=judged.verdict.now or None,
            after=None if step else row.before,
            below=judged.verdict.below,
            facts=judged.facts,
            rules_digest=self.pen.portal.policy.digest,
        )

    def _values(self, judged: Sequence[Judged], step: str) -> dict[str, str]:
        if step:
            return {j.row.target: "" for j in judged}
        values = {j.row.target: j.row.before or "" for j in judged}
        if LAST_ACTION in self.pen.portal.definitions:
            values[LAST_ACTION] = of_undo(self.pen.portal, [j.row for j in judged], self.started)
        return values

    def _find_out(self) -> None:
        """Ask HubSpot what became of writes that no answer came to: history shows them or it doesn't."""
        sent = {w.id: w for w in self._written() if w.state == "sent"}
        app_id = known_app(self.pen.store, self.pen.portal.id)
        found = list(settle_values(self.pen.gateway, list(sent.values()), self.pen.now(), app_id))
        with self.pen.lease.transaction():
            self.pen.store.settle(self.pen.portal.id, found)
        landed = {undone_by(sent[f.id]) for f in found if f.state == "applied" and not is_clearing(sent[f.id])}
        for number, change in enumerate(self.undone.changes):
            if change.write.id in landed:
                self.undone.changes[number] = replace(change, state="applied", why="put back")
        self._note([c.write for c in self.undone.changes if c.write.id in landed], f"undone by run {self.pen.run}")

    def _look_after(self) -> None:
        """What was set in the instant between the last read and the write: a person's is put back, all is named."""
        tally = Tally()
        Aftermath(self.pen, tally).look()
        told = {(f["contact"], f["property"]): str(f["message"]) for f in tally.findings}
        back = {undone_by(w): w.note or "" for w in self._written() if w.state == "overridden"}
        self.undone.overwrote = len(told)
        for number, change in enumerate(self.undone.changes):
            over = told.get((change.write.contact, change.write.target))
            if change.write.id in back:
                self.undone.changes[number] = replace(change, state="overridden", why=back[change.write.id])
            elif over is not None:
                self.undone.changes[number] = replace(change, why=over)

    def _written(self) -> list[Write]:
        """The undo's own rows so far, both steps, without what was put back after them."""
        rows = self.pen.store.writes_of_run(self.pen.portal.id, self.pen.run)
        return [w for w in rows if w.cause_kind == UNDO]

    def _note(self, rows: Sequence[Write], note: str) -> None:
        """What was put back is undone; its cause stays spent."""
        now = self.pen.now()
        with self.pen.lease.transaction():
            self.pen.store.settle(self.pen.portal.id, [Settlement(r.id, "undone", now, note=note) for r in rows])

    def _tell(self, item: Judged, state: ChangeState | None = None, why: str = "") -> None:
        self.undone.changes.append(change_of(item, self.pen.portal, state, why))

    def _tell_outcome(self, item: Judged, outcome: Outcome | None) -> None:
        item = self._first.get(item.row.id, item)
        if outcome is None:
            self._tell(item, "skipped", "another undo of it is under way")
            return
        state: ChangeState = "refused" if outcome.state == "gone" else outcome.state
        self._tell(item, state, "" if state == "applied" else outcome.answer)

    def _take_back(self, rows: Sequence[Write]) -> None:
        """Delete the run's untouched tasks."""
        found = tasks_of(self.session, rows)
        going = {t.write.object_id or "": t for t in found if t.state == "planned"}
        answers = self.pen.gateway.delete_tasks(list(going)) if going else {}
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
        now = self.pen.now()
        with self.pen.lease.transaction():
            self.pen.store.close_tasks(self.pen.portal.id, dict.fromkeys((w.id for w in gone), now))
            self.pen.store.settle(
                self.pen.portal.id,
                [Settlement(w.id, "undone", now, note=f"undone by run {self.pen.run}") for w in gone],
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
