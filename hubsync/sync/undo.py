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

from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.portal.values import Outcome, Update
from hubsync.store.store import Store
from hubsync.store.values import NewWrite, Run, RunState, Settlement, Write
from hubsync.sync.guard import Limits
from hubsync.sync.lease import PortalLease
from hubsync.sync.reconcile import Session
from hubsync.sync.recovery import recover
from hubsync.sync.standing import CLEARS, undo_key
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
from hubsync.sync.writing import LAST_ACTION

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
    """Undo a run. Raises SettingsError for one that can't be, UnsafePlan before the first write where it is too large.

    Raises StoreError where another run is writing to the portal. Nothing to do makes no run.
    A KeyboardInterrupt passes through with a text that says how far it came; the next undo of the run goes on there.
    """
    portal = session.portal.id
    with PortalLease(store, portal, "hubsync undo --write") as lease:
        started = session.portal_now()
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
            _Undoer(session, store, lease, undone, started, allow_backward).run(advance)
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
        self._first: dict[int, Judged] = {}
        """What was cleared in this batch, as it was before that."""

    def run(self, advance: Advance) -> None:
        """Take everything back, 100 contacts at a time; tasks last."""
        _, rows, tasks = of_run(self.store, self.portal.id, self.undone.undoes.id)
        for batch in by_contact(rows):
            self._batch(batch)
            advance(len({r.contact for r in batch}))
        self._take_back(tasks)

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
        return judge_all(self.session, self.store, rows, self.allow_backward)

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
        self._note(landed, f"undone by run {self.run_id}")

    def _send(self, judged: Sequence[Judged], step: str) -> list[tuple[Judged, Outcome | None]]:
        """Record, send, settle: one update per contact. An outcome of None: another row holds the undo."""
        portal = self.portal.id
        with self.lease.transaction():
            entries = self.store.plan_writes(portal, self.run_id, [self._new_write(j, step) for j in judged])
            ids = {j.row.id: e.id for j, e in zip(judged, entries, strict=True) if e.fresh}
            self.store.mark_sent(portal, list(ids.values()), self.session.portal_now())
        grouped: dict[str, list[Judged]] = {}
        for item in judged:
            if item.row.id in ids:
                grouped.setdefault(item.row.contact, []).append(item)
        updates = [
            Update(contact, self._values(some, step), trace=f"{self.run_id}-{ids[some[0].row.id]}")
            for contact, some in grouped.items()
        ]
        # Without the order of the stages: a later stage than the one asked for is no success here.
        outcomes = {o.id: o for o in self.session.gateway.update_contacts(updates)}
        now = self.session.portal_now()
        with self.lease.transaction():
            self.store.settle(
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

    def _values(self, judged: Sequence[Judged], step: str) -> dict[str, str]:
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
        what = f"{definition.label} put back"
        if row.target in {STATUS, STAGE}:
            terms = policy.statuses if row.target == STATUS else policy.stages
            what = f"{definition.label} {terms.label(terms.key(row.after))} → {terms.label(terms.key(row.before))}"
        day = self.started.astimezone(policy.zone)
        return f"Undone: run {row.run} ({row.playbook}): {what} ({day.day} {day:%B %Y})"

    def _note(self, rows: Sequence[Write], note: str) -> None:
        """What was put back is undone; its cause stays spent."""
        now = self.session.portal_now()
        with self.lease.transaction():
            self.store.settle(self.portal.id, [Settlement(r.id, "undone", now, note=note) for r in rows])

    def _tell(self, item: Judged, state: ChangeState | None = None, why: str = "") -> None:
        self.undone.changes.append(change_of(item, self.portal, state, why))

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
