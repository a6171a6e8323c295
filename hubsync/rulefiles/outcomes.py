"""What a case expects against what was decided, in one form, so that both can be compared and told in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import ALERT, CORRECT, DIGEST, PROPOSE, Decision
from hubsync.policy.conditions import Condition
from hubsync.policy.gates import overruled
from hubsync.policy.policy import Horizon, Policy
from hubsync.policy.rules import Rule
from hubsync.policy.view import Missing, View
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.rulefiles.case_spec import Expectation

KEYS = {STATUS: "lead_status", STAGE: "lifecycle_stage"}
"""The two properties that cases name by their fact."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that is done or expected. None in an expectation stands for whichever.

    `about` is a property (Lead status and Lifecycle stage by their fact's name), a task's template, a rule's id, or
    whom a digest or an alert tells.
    """

    kind: str
    about: str
    value: str | None = None
    rule: str | None = None
    owner: str | None = None
    due: datetime | None = None

    def meets(self, wanted: Outcome) -> bool:
        """Whether this, which was done, is what was wanted."""
        return (self.kind, self.about) == (wanted.kind, wanted.about) and all(
            asked is None or asked == given
            for asked, given in (
                (wanted.value, self.value),
                (wanted.rule, self.rule),
                (wanted.owner, self.owner),
                (wanted.due, self.due),
            )
        )

    def __str__(self) -> str:
        text = f"{self.kind} {self.about}" + (f": {self.value}" if self.value is not None else "")
        if self.owner is not None:
            text += f" for owner {self.owner}"
        if self.due is not None:
            text += f" due {moment(self.due)}"
        return f"{text} ({self.rule})" if self.rule is not None and self.rule != self.about else text


def wanted(expectations: Sequence[Expectation]) -> Iterator[Outcome]:
    """What a case expects."""
    for one in expectations:
        for kind in ("set", "propose", "backlog"):
            for name, value in (getattr(one, kind) or {}).items():
                yield Outcome(kind, name, value, one.rule)
        for kind, notice in ((DIGEST, one.digest), (ALERT, one.alert)):
            if notice is not None:
                yield Outcome(kind, notice.to, notice.text, one.rule, notice.recipient)
        if one.withdrawn is not None:
            yield Outcome("withdrawn", one.withdrawn)
        if one.finding is not None:
            yield Outcome("finding", one.finding)
        if one.conflict is not None:
            yield Outcome("conflict", one.conflict)
        if one.task is not None:
            yield Outcome("task", one.task.template, None, one.rule, one.task.owner, one.task.due)


def done(decision: Decision, policy: Policy) -> Iterator[Outcome]:
    """What was decided."""
    for change in decision.changes:
        yield _value("set", change.property, change.new, change.rule, policy)
    for finding in decision.findings:
        if finding.fix is not None and finding.kind == PROPOSE:
            yield _value("propose", finding.fix[0], finding.fix[2], finding.rule, policy)
        elif finding.fix is not None and finding.kind == CORRECT:
            yield _value("backlog", finding.fix[0], finding.fix[2], finding.rule, policy)
        else:
            yield Outcome("finding", finding.rule, rule=finding.rule)
    for task in decision.tasks:
        yield Outcome("task", task.template, None, task.rule, task.owner, task.due)
    for told in decision.notices:
        yield Outcome(told.kind, told.to, told.text, told.rule, told.recipient or "none")
    for gone in decision.withdrawn:
        yield Outcome("withdrawn", gone.task.template, rule=gone.task.rule)
    for conflict in decision.conflicts:
        yield Outcome("conflict", KEYS.get(conflict.property, conflict.property))


def compare(expected: Sequence[Outcome], came: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """What was expected and didn't come, and what came without being expected."""
    left = list(came)
    missing: list[Outcome] = []
    for want in sorted(expected, key=lambda o: o.rule is None):
        found = next((o for o in left if o.meets(want)), None)
        if found is None:
            missing.append(want)
        else:
            left.remove(found)
    return missing, left


def failing(rule: Rule, view: View) -> tuple[Condition, ...]:
    """The conditions that keep a rule from holding, of the group that is nearest to holding; empty where it holds."""
    groups = [tuple(c for c in group if c.test(view) <= 0) for group in rule.groups]
    return min(groups, key=len, default=())


def why_not(rule: Rule, view: View, horizon: Horizon) -> str:
    """Why a rule didn't act, in words that follow its id."""
    stops = failing(rule, view)
    if stops:
        return "doesn't hold: " + "; ".join(f"{c.text}, but it is {_shown(c, view)}" for c in stops)
    cause = rule.cause(view)
    if cause is None or isinstance(cause, Missing):
        return "holds, but there is no cause"
    if cause.at > view.now:
        return f"holds, but its cause is still to come, at {moment(cause.at)}"
    if horizon.is_backlog(rule.id, cause.at):
        return f"holds, but its cause of {moment(cause.at)} is backlog"
    quiet = view.settled_at(rule.watches, rule.quiet)
    if isinstance(quiet, datetime):
        return f"holds, but what it looks at just changed; it waits until {moment(quiet)}"
    if any(view.contact.has_fired(ledger_key(rule.id, cause, target)) for target in rule.targets):
        return f"holds, but it has fired before for its cause of {moment(cause.at)}"
    for action in rule.sets:
        later = overruled(view, rule, action.property, cause)
        if later is not None and not isinstance(later, Missing):
            return (
                f"holds, but it is overruled: {later.how} on {moment(later.at)}, after its cause of {moment(cause.at)}"
            )
    return "holds, but another rule with a later cause won, or there is nothing to change"


def moment(at: datetime | None) -> str:
    """A moment as a case writes it."""
    return at.isoformat().replace("+00:00", "Z") if at is not None else "no moment"


def _value(kind: str, name: str, value: str, rule: str, policy: Policy) -> Outcome:
    terms = {STATUS: policy.statuses, STAGE: policy.stages}.get(name)
    key = terms.key(value) if terms is not None else value
    return Outcome(kind, KEYS.get(name, name), key or "none", rule)


def _shown(condition: Condition, view: View) -> str:
    value = condition.fact.get(view)
    if value is None or isinstance(value, Missing):
        return "empty"
    return moment(value) if isinstance(value, datetime) else str(value)
