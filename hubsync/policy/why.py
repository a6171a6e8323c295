"""Why a rule held or not: the same compiled conditions as a decision, asked one by one, with the values they saw.

Costs several times a decision, so it is computed on demand only: for `explain`, for tests, for messages (design 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hubsync.policy.brake import braked
from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import Cause
from hubsync.policy.conditions import Condition
from hubsync.policy.contact import Contact
from hubsync.policy.gates import Overruled, overruled
from hubsync.policy.policy import Horizon, Policy
from hubsync.policy.rules import Rule
from hubsync.policy.view import Missing, View


@dataclass(frozen=True, slots=True)
class ConditionWhy:
    """One condition: its text, the value it saw, and its answer; None where the fact was not read.

    `until` is when the answer changes by itself, None where only the contact can change it.
    """

    text: str
    value: str
    holds: bool | None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RuleWhy:
    """One rule on one contact: whether it held, its conditions by group, its cause, and what kept it from acting."""

    rule: str
    playbook: str
    says: str
    holds: bool | None
    groups: tuple[tuple[ConditionWhy, ...], ...]
    cause: Cause | None
    hindered: str


def why(policy: Policy, contact: Contact, now: datetime, horizon: Horizon) -> tuple[RuleWhy, ...]:
    """Every rule of the policy, in the order of the files, on the contact's present state."""
    policy = policy.of(contact)
    view = View(policy, contact, now)
    managed = policy.managed(view) > 0
    return tuple(_why(rule, view, horizon, managed) for rule in policy.rules)


def _why(rule: Rule, view: View, horizon: Horizon, managed: bool) -> RuleWhy:
    groups = tuple(tuple(_condition(c, view) for c in group) for group in rule.groups)
    truth = rule.test(view)
    cause = rule.cause(view) if truth > 0 else None
    found = cause if isinstance(cause, Cause) else None
    hindered = _hindered(rule, view, horizon, managed, found) if truth > 0 else ""
    return RuleWhy(rule.id, rule.playbook, rule.says, None if truth < 0 else truth > 0, groups, found, hindered)


def _condition(condition: Condition, view: View) -> ConditionWhy:
    answer = condition.test(view)
    until = condition.flip(view) if condition.flip is not None else None
    return ConditionWhy(condition.text, shown(condition.fact.get(view)), None if answer < 0 else answer > 0, until)


def shown(value: Any) -> str:
    """A fact's value as people read it."""
    if isinstance(value, Missing):
        return "not read"
    if value is None:
        return "empty"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return str(value)


def _hindered(rule: Rule, view: View, horizon: Horizon, managed: bool, cause: Cause | None) -> str:
    """What keeps a rule that holds from acting; "" for nothing."""
    if not managed:
        return "the contact is not managed (scope in portal.yaml)"
    cell = view.policy.cells.get((view.status, view.stage))
    if cell is None:
        return "its Lead status or Lifecycle stage is an option that no key of portal.yaml maps"
    if rule not in {r.rule for r in (*cell.untasked, *cell.tasks)}:
        return "at this Lifecycle stage the rule does not apply (scope in portal.yaml)"
    if cause is None:
        return "its cause is not known"
    if cause.at > view.now:
        return f"its cause is still to come, at {shown(cause.at)}"
    if rule.targets and all(view.contact.has_fired(ledger_key(rule.id, cause, t)) for t in rule.targets):
        return "this cause has already fired"
    quiet = view.settled_at(rule.watches, rule.quiet)
    if isinstance(quiet, datetime):
        return f"a value just changed; it is judged from {shown(quiet)} on"
    if horizon.is_backlog(rule.id, cause.at):
        since = shown(horizon.since) if horizon.since else "the first write"
        return f"its cause of {shown(cause.at)} lies before {since}: backlog"
    if rule.mode != "auto":
        return f"its mode is {rule.mode}{_lowered(rule, view)}"
    return _later_choice(rule, view, cause) or _brake(rule, view, cause)


def _lowered(rule: Rule, view: View) -> str:
    if rule.id in view.policy.up_for_tuning:
        return ", since people changed back too many of its writes (hubsync report overrides)"
    return ", by the roll-out" if rule.lowered else ""


def _brake(rule: Rule, view: View, cause: Cause) -> str:
    """What keeps everything the rule would set from being written, so that hubsync doesn't fight (A18)."""
    left = [a.property for a in rule.sets if not view.contact.has_fired(ledger_key(rule.id, cause, a.property))]
    brakes = [braked(view, rule, name, cause) for name in left]
    return brakes[0].why if brakes and brakes[0] is not None and None not in brakes else ""


def _later_choice(rule: Rule, view: View, cause: Cause) -> str:
    """What was chosen after the cause, if that keeps everything the rule would set from being written."""
    choices = [overruled(view, rule, action.property, cause) for action in rule.sets]
    found = [choice for choice in choices if isinstance(choice, Overruled)]
    if not choices or len(found) < len(choices):
        return ""
    last = max(found, key=lambda choice: choice.at)
    return f"its cause of {shown(cause.at)} is older than a later choice: {last.how} at {shown(last.at)}"
