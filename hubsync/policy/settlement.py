"""One decision in the making: rules asked, contested and applied to the view until nothing moves; then what to show.

First live, then, where causes were too old to act on, once more for what the backlog would change (B1).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hubsync.policy.brake import braked
from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import CORRECT, PROPOSE, REPORT, Cause, Conflict, Finding, SetProperty, Superseded
from hubsync.policy.contest import MAIN, Want, conflict, contest
from hubsync.policy.gates import STAYS, Overruled, moves_backward, overruled
from hubsync.policy.instants import earlier
from hubsync.policy.policy import Horizon
from hubsync.policy.rules import AUTO, Cell, Residual, Rule, SetAction
from hubsync.policy.sentences import CORRECTED_ONCE, TASK_WOULD_COME
from hubsync.policy.view import Missing, View
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.policy.wording import Wording

MOST_ROUNDS = 48
"""Far more than rules that settle ever take: past it they are said not to settle, and nothing is written (C5)."""

_ENTERED = {STATUS: "lead_status_entered", STAGE: "lifecycle_stage_entered"}
"""Causes that a write of the property itself brings about."""


class Settlement:
    """The changes, findings and records of one decision. Where `needs` is not 0, nothing else can be trusted."""

    def __init__(self, view: View, horizon: Horizon) -> None:
        self.view = view
        self.policy = view.policy
        self.horizon = horizon
        self.needs = 0
        self.waiting: datetime | None = None
        self.look_again: datetime | None = None
        self.backlog = False
        self.rests = True
        self.live_changes: tuple[SetProperty, ...] = ()
        self.superseded: list[Superseded] = []
        self.conflicts: dict[str, Conflict] = {}
        self.findings: dict[tuple[str, ...], Finding] = {}
        self._changes: dict[str, SetProperty] = {}
        self._fired: set[str] = set()
        self._wanted: dict[str, Want] = {}
        self._disputed: dict[str, list[Want]] = {}
        self._braked: set[str] = set()
        self._proposed: set[str] = set()
        self._tasked: dict[str, tuple[Rule, Cause]] = {}

    def settle(self, *, live: bool) -> None:
        """Apply what holds until nothing moves; `live` False goes on with causes that are backlog, as findings only."""
        rests = self._rest(live)
        if not live:
            self._backlog_findings()
            return
        self.rests = rests
        if self._changes:
            self._in_circles()
            self._overtaken()
            self.live_changes = tuple(c for c in self._changes.values() if c.new != c.old)
        self._spend_tasks()

    def fired_with_errands(self) -> list[tuple[Rule, Cause]]:
        """The rules whose changes stand and that bring tasks or notices as well, with their causes."""
        standing = {change.rule for change in self.live_changes}
        return [pair for rule, pair in self._tasked.items() if rule in standing]

    def _rest(self, live: bool) -> bool:
        """Automations first, then the cells of the matrix, then again; False if they never rest."""
        for _ in range(MOST_ROUNDS):
            cell = self.view.cell()
            if cell is None:
                return True
            if self._round(cell.autos, live):
                continue
            if self.policy.up_for_tuning:
                self._leave_to_people(cell, live)
            if self.needs or not self._round(cell.cells, live):
                return True
        self.conflicts[STATUS] = Conflict(STATUS, (("the rules do not settle", self.view.status),), self.view.now)
        return False

    def _leave_to_people(self, cell: Cell, live: bool) -> None:
        """Note what rules that were lowered to propose ask for now (A18): no cell of the matrix writes it instead."""
        self._proposed = set()
        for residual in cell.notes:
            rule = residual.rule
            cause = self._cause(rule, residual.test(self.view)) if rule.lowered and not rule.matrix else None
            if cause is not None and not (live and self.horizon.is_backlog(rule.id, cause.at)):
                self._proposed |= {action.property for action in rule.sets if self._asks(rule, cause, action)}

    def _asks(self, rule: Rule, cause: Cause, action: SetAction) -> bool:
        """Whether the rule would write this property if it were allowed to."""
        name = action.property
        value = action.resolve(self.view, cause)
        if isinstance(value, Missing):
            self.needs |= value.mask
            return False
        old = self.view.properties.get(name) or ""
        if value is None or value == old or moves_backward(self.policy, name, old, value):
            return False
        return self._may_fire(rule, cause, name, ledger_key(rule.id, cause, name))

    def _round(self, residuals: Iterable[Residual], live: bool) -> bool:
        """Ask each rule once and apply what the earliest cause brings; True if something moved."""
        wants: list[Want] = []
        view = self.view
        for residual in residuals:
            truth = residual.test(view)
            if truth == 0:
                continue
            cause = self._cause(residual.rule, truth)
            if cause is not None:
                wants += self._wants(residual.rule, cause, live)
        if self.needs or not wants:
            return False
        wants = self._not_too_late(wants, live)
        if not wants:
            return False
        if live:
            for want in wants:
                self._wanted.setdefault(want.key, want)
        verdict = contest(wants)
        for want, winner in verdict.lost:
            self._spend(want, winner, live)
        for rivals in verdict.disputed:
            self._fired |= {w.key for w in rivals}
            self._disputed[rivals[0].target] = rivals
            self.conflicts[rivals[0].target] = conflict(rivals)
        for want in verdict.winners:
            self._apply(want, live)
        return True

    def _cause(self, rule: Rule, truth: int) -> Cause | None:
        """The cause of a rule that holds, has come and may be judged now; None otherwise."""
        view = self.view
        if truth < 0:
            self.needs |= -truth
            return None
        if truth == 0:
            return None
        cause = rule.cause(view)
        if isinstance(cause, Missing):
            self.needs |= cause.mask
            return None
        if cause is not None and cause.at > view.now:
            self.look_again = earlier(self.look_again, cause.at)
            return None
        quiet = view.settled_at(rule.watches, rule.quiet)
        if isinstance(quiet, Missing):
            self.needs |= quiet.mask
            return None
        if quiet is not None:
            self.waiting = earlier(self.waiting, quiet)
            return None
        return cause

    def _wants(self, rule: Rule, cause: Cause, live: bool) -> list[Want]:
        """What the rule wants to write: nothing that is spent, backlog, overruled, backward or already so."""
        wants: list[Want] = []
        for action in rule.sets:
            key = ledger_key(rule.id, cause, action.property)
            if key in self._fired or (
                rule.matrix and action.property in {*self.conflicts, *self._braked, *self._proposed}
            ):
                continue
            value = action.resolve(self.view, cause)
            if isinstance(value, Missing):
                self.needs |= value.mask
                continue
            old = self.view.properties.get(action.property) or ""
            if value is None or value == old or moves_backward(self.policy, action.property, old, value):
                continue
            if live and self.horizon.is_backlog(rule.id, cause.at):
                self.backlog = True
            elif self._may_fire(rule, cause, action.property, key):
                wants.append(Want(rule, cause, action.property, old, value))
        has_main = any(a.property in MAIN for a in rule.sets)
        return wants if not has_main or any(w.target in MAIN for w in wants) else []

    def _may_fire(self, rule: Rule, cause: Cause, name: str, key: str) -> bool:
        """The two gates, ledger and freshness, and the brake; a cell of the matrix that they stop is a finding (C2)."""
        choice = overruled(self.view, rule, name, cause)
        if isinstance(choice, Missing):
            self.needs |= choice.mask
            return False
        if choice is not None or self.view.contact.has_fired(key):
            if rule.matrix:
                self._stays(rule, cause, choice)
            return False
        brake = braked(self.view, rule, name, cause)
        if brake is not None:
            self._braked.add(name)  # no cell of the matrix writes it in the rule's place
            self.look_again = earlier(self.look_again, brake.until)
            self._note(rule, cause, REPORT, f"{rule.says} {brake.why}", braked=name)
        return brake is None

    def _not_too_late(self, wants: list[Want], live: bool) -> list[Want]:
        """Without rules whose cause lies before that of a status already decided: it would have been overwritten.

        They are spent as a whole. Hard rules are exempt, and so are cells, which judge the state as it is (C2).
        """
        done = self._changes.get(STATUS)
        if done is None:
            return wants
        late = {
            w.firing
            for w in wants
            if w.target == STATUS and w.cause.at < done.cause.at and not (w.rule.hard or w.rule.matrix)
        }
        for want in wants:
            if want.firing in late:
                self._spend(want, done.rule, live)
        return [w for w in wants if w.firing not in late]

    def _apply(self, want: Want, live: bool) -> None:
        rule, name = want.rule, want.target
        done = self._changes.get(name)
        if done is not None and live:
            self.superseded.append(
                Superseded(done.rule, done.playbook, done.cause, done.property, done.new, by=rule.id)
            )
        old = done.old if done is not None else want.old
        self._changes[name] = SetProperty(name, old, want.value, rule.id, rule.playbook, want.cause, rule.says)
        self._fired.add(want.key)
        if name in self._disputed:
            del self.conflicts[name]
            for rival in self._disputed.pop(name):
                self._spend(rival, rule.id, live)
        self.view.write(name, want.value, want.cause.at)
        if not live:
            return
        if rule.errands:
            self._tasked[rule.id] = (rule, want.cause)
        self._show_findings(rule, want.cause)

    def _spend(self, want: Want, winner: str, live: bool) -> None:
        """The want lost: its cause is spent without a write."""
        self._fired.add(want.key)
        if live:
            self.superseded.append(want.spent_by(winner))
            if want.rule.errands:
                self._tasked.setdefault(want.rule.id, (want.rule, want.cause))

    def _in_circles(self) -> None:
        """Rules of which one undoes what the other just wrote, for that very reason: a conflict, shown each time.

        Otherwise both causes would be spent quietly, and nobody told.
        """
        for name, change in self._changes.items():
            lost = [s for s in self.superseded if s.target == name and s.value != change.new]
            undone = [s for s in lost if s.cause.at == change.cause.at]
            if change.new == change.old and undone and change.cause.kind == _ENTERED.get(name):
                wants = (*((s.rule, s.value) for s in undone), (change.rule, change.new))
                self.conflicts[name] = Conflict(name, tuple(dict.fromkeys(wants)), change.cause.at)
                self.superseded = [s for s in self.superseded if s not in undone]

    def _overtaken(self) -> None:
        """Rules that wanted a property but no longer hold once earlier causes had their say: superseded as well."""
        settled = {(s.rule, s.target) for s in self.superseded} | {(c.rule, n) for n, c in self._changes.items()}
        for key, want in self._wanted.items():
            done = self._changes.get(want.target)
            if done is not None and key not in self._fired and (want.rule.id, want.target) not in settled:
                self._spend(want, done.rule, live=True)

    def _spend_tasks(self) -> None:
        """With a rule of which nothing stands, the tasks and notices that would have come with it are spent."""
        if not self._tasked:
            return
        lost = {s.rule: s for s in self.superseded}
        standing = {change.rule for change in self.live_changes}
        for rule, cause in self._tasked.values():
            if rule.id in lost and rule.id not in standing:
                by = lost[rule.id].by
                self.superseded += [
                    Superseded(rule.id, rule.playbook, cause, target, "", by) for target in rule.errands
                ]

    def _backlog_findings(self) -> None:
        live = {change.property: change for change in self.live_changes}
        for name, change in self._changes.items():
            if change.new != change.old and live.get(name) != change:
                fix = (name, live[name].new if name in live else change.old, change.new)
                self.findings[name, change.new] = Finding(
                    CORRECT, change.rule, change.playbook, change.says, backlog=True, fix=fix, cause=change.cause
                )

    def notes(self) -> None:
        """Proposals and reports, on the state that all corrections leave.

        They overwrite nothing, so a person's later choice does not silence them (C2).
        """
        cell = self.view.cell()
        for residual in cell.notes if cell is not None else ():
            truth = residual.test(self.view)
            cause = self._cause(residual.rule, truth) if truth else None
            if cause is not None and (residual.rule.matrix or not self._is_backlog_alone(cause)):
                self._show(residual.rule, cause)

    def _is_backlog_alone(self, cause: Cause) -> bool:
        """Whether it is the entry of a value that only the backlog would have: nobody writes it, so nothing begins."""
        fixes = [f.fix for f in self.findings.values() if f.kind == CORRECT and f.fix is not None]
        return any(_ENTERED.get(name) == cause.kind for name, _, _ in fixes)

    def _show(self, rule: Rule, cause: Cause) -> None:
        self._show_findings(rule, cause)
        if rule.mode != AUTO and not rule.sets:
            self._show_errands(rule, cause)
        for action in rule.sets:
            value = action.resolve(self.view, cause)
            if isinstance(value, Missing):
                self.needs |= value.mask
                continue
            old = self.view.properties.get(action.property) or ""
            if value is None or value == old or moves_backward(self.policy, action.property, old, value):
                continue
            key = ledger_key(rule.id, cause, action.property)
            if self.view.contact.has_fired(key):
                continue
            if rule.lowered and not self._may_fire(rule, cause, action.property, key):
                continue
            kind = PROPOSE if rule.mode == PROPOSE else REPORT
            self._note(rule, cause, kind, f"{rule.says} {rule.ask}".strip(), (action.property, old, value))

    def _show_findings(self, rule: Rule, cause: Cause) -> None:
        for action in rule.findings:
            if (rule.id,) in self.findings:
                return  # one a rule: the first that was told
            message = self._filled(action.message, cause)
            if message is not None:
                self._note(rule, cause, REPORT, message)

    def _show_errands(self, rule: Rule, cause: Cause) -> None:
        """The tasks, digests and alerts of a rule that is held below auto, as a finding."""
        fired = self.view.contact.has_fired
        said: list[str | None] = []
        for task in rule.tasks:
            if not fired(ledger_key(rule.id, cause, task.template)):
                subject = self._filled(task.subject, cause)
                said.append(subject and f"{rule.says} {self.policy.say(TASK_WOULD_COME, subject=subject)}")
        notices = [n for n in rule.notices if not fired(ledger_key(rule.id, cause, n.target))]
        said += [self._filled(notice.text, cause) for notice in notices]
        for message in [text for text in said if text][:1]:
            self._note(rule, cause, REPORT, message)

    def _filled(self, wording: Wording, cause: Cause) -> str | None:
        """A text with its facts; None where they must be read first."""
        text = wording.fill(self.view, cause)
        if isinstance(text, Missing):
            self.needs |= text.mask
            return None
        return text

    def _stays(self, rule: Rule, cause: Cause, choice: Overruled | None) -> None:
        """A finding for a combination that doesn't fit and is left as it is."""
        if choice is None:
            reason = self.policy.say(CORRECTED_ONCE)
        else:
            day = choice.at.astimezone(self.policy.zone).date().isoformat()
            reason = self.policy.say(STAYS[choice.how], day=day)
        self._note(rule, cause, REPORT, f"{rule.says} {reason}")

    def _note(
        self,
        rule: Rule,
        cause: Cause,
        kind: str,
        message: str,
        fix: tuple[str, str, str] | None = None,
        *,
        braked: str = "",
    ) -> None:
        mark = (fix[0], fix[2]) if fix is not None else (rule.id,)
        if mark not in self.findings:
            backlog = self.horizon.is_backlog(rule.id, cause.at)
            self.findings[mark] = Finding(kind, rule.id, rule.playbook, message, backlog, fix, cause, braked)
