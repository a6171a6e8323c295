"""The heart: what follows from one contact's present state. Pure: no clock, no network, no disk, no log.

Automations are applied to a copy of the values until they rest, of several that want one property the one with the
latest cause wins, then the matrix judges what they leave, and so on until nothing moves (design 1). Applying the
result and deciding again yields nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from hubsync.policy import timeline
from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import (
    CORRECT,
    NOTHING,
    PROPOSE,
    REPORT,
    Cause,
    Conflict,
    Decision,
    Finding,
    SetProperty,
    Superseded,
)
from hubsync.policy.contact import Contact
from hubsync.policy.contest import Want, contest
from hubsync.policy.policy import Horizon, Policy
from hubsync.policy.rules import FindingAction, Residual, Rule
from hubsync.policy.tasks import TaskDecisions
from hubsync.policy.view import Missing, View
from hubsync.policy.vocabulary import STAGE, STATUS

MOST_ROUNDS = 16
ONCE_IN = timedelta(days=7)
"""A hard correction is made at most once in this time per contact (C2, A18)."""


def decide(policy: Policy, contact: Contact, now: datetime, horizon: Horizon, *, tasks: bool = True) -> Decision:
    """Decide on a contact. `tasks` False leaves tasks out, and what only they would need to read (an audit).

    Where `needs` of the answer is not 0, read those facts and decide again; the rest of the answer is then empty.
    """
    properties = contact.properties
    cell = policy.cells.get((properties.get(STATUS) or "", properties.get(STAGE) or ""))
    if cell is None:
        return NOTHING
    view = View(policy, contact, now)
    look_again: datetime | None = None
    if not contact.open_tasks:
        residuals = cell.untasked + cell.tasks if tasks else cell.untasked
        for residual in residuals:
            if residual.test(view) != 0:
                break
            if residual.timed:
                look_again = _earlier(look_again, residual.flip(view))
        else:
            return NOTHING if look_again is None else Decision(look_again=look_again)
    managed = policy.managed(view)
    if managed < 0:
        return Decision(needs=-managed)
    if managed == 0:
        return TaskDecisions(view, horizon).withdraw_all() if contact.open_tasks else NOTHING
    return _Settlement(view, horizon).decide(tasks)


class _Settlement:
    """One decision in the making."""

    def __init__(self, view: View, horizon: Horizon) -> None:
        self.view = view
        self.policy = view.policy
        self.horizon = horizon
        self.needs = 0
        self.waiting: datetime | None = None
        self.look_again: datetime | None = None
        self.backlog = False
        self.fired: set[str] = set()
        self.changes: dict[str, SetProperty] = {}
        self.superseded: list[Superseded] = []
        self.conflicts: dict[str, Conflict] = {}
        self.findings: dict[tuple[str, ...], Finding] = {}

    def decide(self, with_tasks: bool) -> Decision:
        self._rest(live=True)
        tasks = TaskDecisions(self.view, self.horizon)
        if with_tasks and not self.needs:
            tasks.decide()
            self.needs |= tasks.needs
            self.waiting = _earlier(self.waiting, tasks.waiting)
            self.look_again = _earlier(self.look_again, tasks.look_again)
        live = {name: c for name, c in self.changes.items() if c.new != c.old}
        if not self.needs and self.backlog:
            self._rest(live=False)
            self._backlog_findings(live)
        if not self.needs:
            self._notes()
        if self.needs:
            return Decision(needs=self.needs)
        return Decision(
            changes=tuple(live.values()),
            tasks=tuple(tasks.created),
            withdrawn=tuple(tasks.withdrawn),
            held=tuple(tasks.held),
            findings=tuple(self.findings.values()),
            superseded=tuple(self.superseded),
            conflicts=tuple(self.conflicts.values()),
            waiting=self.waiting,
            look_again=_earlier(self.look_again, self.waiting),
        )

    def _rest(self, live: bool) -> None:
        """Apply what holds until nothing moves: automations first, then the cells of the matrix, then again."""
        for _ in range(MOST_ROUNDS):
            cell = self.policy.cells.get((self.view.status, self.view.stage))
            if cell is None:
                return
            if self._round(cell.autos, live):
                continue
            if self.needs or not self._round(cell.cells, live):
                return
        self.conflicts[STATUS] = Conflict(STATUS, (("the rules do not settle", self.view.status),), self.view.now)

    def _round(self, residuals: Iterable[Residual], live: bool) -> bool:
        """Ask each rule once and apply the winners; True if something was applied."""
        wants: list[Want] = []
        for residual in residuals:
            cause = self._cause(residual)
            if cause is not None:
                wants += self._wants(residual.rule, cause, live)
        if self.needs or not wants:
            return False
        verdict = contest(wants, self.changes)
        for conflict in verdict.conflicts:
            self.conflicts[conflict.property] = conflict
        if live:
            self.superseded += verdict.superseded
        self.fired |= {ledger_key(s.rule, s.cause, s.target) for s in verdict.superseded}
        for want in verdict.winners:
            self._apply(want, live)
        return bool(verdict.winners)

    def _cause(self, residual: Residual) -> Cause | None:
        """The cause of a rule that holds and may be judged now; None otherwise."""
        view, rule = self.view, residual.rule
        truth = residual.test(view)
        if truth < 0:
            self.needs |= -truth
            return None
        if residual.timed:
            self.look_again = _earlier(self.look_again, residual.flip(view))
        if truth == 0:
            return None
        cause = rule.cause(view)
        if isinstance(cause, Missing):
            self.needs |= cause.mask
            return None
        quiet = view.settled_at(rule.watches, rule.quiet)
        if isinstance(quiet, Missing):
            self.needs |= quiet.mask
            return None
        if quiet is not None:
            self.waiting = _earlier(self.waiting, quiet)
            return None
        return cause

    def _wants(self, rule: Rule, cause: Cause, live: bool) -> list[Want]:
        """What the rule wants to write: nothing that is spent, backlog, overruled, backward or already so."""
        wants: list[Want] = []
        for action in rule.sets:
            key = ledger_key(rule.id, cause, action.property)
            if key in self.fired or key in self.view.contact.spent:
                continue
            value = action.resolve(self.view, cause)
            if isinstance(value, Missing):
                self.needs |= value.mask
                continue
            old = self.view.properties.get(action.property) or ""
            if value is None or value == old or self._backward(action.property, old, value):
                continue
            if live and self.horizon.is_backlog(rule.id, cause.at):
                self.backlog = True
                continue
            chosen = self._chosen_later(rule, action.property, cause)
            if chosen is not None:
                if rule.matrix:
                    self._overruled(rule, cause, chosen)
                continue
            if rule.hard and self._corrected_lately(rule):
                self._note(rule, cause, REPORT, f"{rule.says} Corrected once in the last 7 days; changed again since.")
                continue
            wants.append(Want(rule, cause, action.property, old, value))
        main = [w for w in wants if w.property in {STATUS, STAGE}]
        has_main = any(a.property in {STATUS, STAGE} for a in rule.sets)
        return wants if main or not has_main else []

    def _backward(self, name: str, old: str, new: str) -> bool:
        """A stage is never moved backward (C4), nor out of one that stands aside."""
        if name != STAGE or not old:
            return False
        order = self.policy.stage_order
        return old not in order or new not in order or order[new] < order[old]

    def _chosen_later(self, rule: Rule, name: str, cause: Cause) -> datetime | None:
        """The freshness gate: when a person changed the property after the cause, or anyone moved the stage backward."""
        if rule.hard:
            return None
        line = self.view.line(name)
        if isinstance(line, Missing):
            self.needs |= line.mask
            return None
        moments = [timeline.last_by_person(line)]
        if name == STAGE:
            moments.append(timeline.last_backward(line, self.policy.stage_order))
        return max((m for m in moments if m is not None and m > cause.at), default=None)

    def _corrected_lately(self, rule: Rule) -> bool:
        return any(
            o.rule == rule.id and not o.restores and self.view.now - o.written_at < ONCE_IN
            for o in self.view.contact.ours
        )

    def _apply(self, want: Want, live: bool) -> None:
        earlier = self.changes.get(want.property)
        if earlier is not None and live:
            self.superseded.append(
                Superseded(
                    earlier.rule, earlier.playbook, earlier.cause, earlier.property, earlier.new, by=want.rule.id
                )
            )
        self.changes[want.property] = SetProperty(
            want.property,
            earlier.old if earlier is not None else want.old,
            want.value,
            want.rule.id,
            want.rule.playbook,
            want.cause,
            want.rule.says,
        )
        self.fired.add(ledger_key(want.rule.id, want.cause, want.property))
        self.view.write(want.property, want.value, want.cause.at)

    def _backlog_findings(self, live: dict[str, SetProperty]) -> None:
        for name, change in self.changes.items():
            if change.new != change.old and live.get(name) != change:
                old = live[name].new if name in live else change.old
                self.findings[name, change.new] = Finding(
                    CORRECT,
                    change.rule,
                    change.playbook,
                    change.says,
                    backlog=True,
                    fix=(name, old, change.new),
                    cause=change.cause,
                )

    def _notes(self) -> None:
        """Proposals and reports, on the state that all corrections leave.

        They overwrite nothing, so a person's later choice does not silence them (C2).
        """
        cell = self.policy.cells.get((self.view.status, self.view.stage))
        for residual in cell.notes if cell is not None else ():
            cause = self._cause(residual)
            if cause is None:
                continue
            rule = residual.rule
            for action in rule.actions:
                if isinstance(action, FindingAction):
                    self._note(rule, cause, REPORT, action.message)
            for action in rule.sets:
                value = action.resolve(self.view, cause)
                if isinstance(value, Missing):
                    self.needs |= value.mask
                    continue
                old = self.view.properties.get(action.property) or ""
                if value is None or value == old or self._backward(action.property, old, value):
                    continue
                if ledger_key(rule.id, cause, action.property) in self.view.contact.spent:
                    continue
                kind = PROPOSE if rule.mode == PROPOSE else REPORT
                message = f"{rule.says} {rule.ask}".strip()
                self._note(rule, cause, kind, message, (action.property, old, value))

    def _overruled(self, rule: Rule, cause: Cause, chosen: datetime) -> None:
        day = chosen.astimezone(self.policy.zone).date().isoformat()
        self._note(rule, cause, REPORT, f"{rule.says} A person chose it on {day}, so it stays.")

    def _note(self, rule: Rule, cause: Cause, kind: str, message: str, fix: tuple[str, str, str] | None = None) -> None:
        mark = (fix[0], fix[2]) if fix is not None else (rule.id,)
        if mark not in self.findings:
            backlog = self.horizon.is_backlog(rule.id, cause.at)
            self.findings[mark] = Finding(kind, rule.id, rule.playbook, message, backlog, fix, cause)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)
