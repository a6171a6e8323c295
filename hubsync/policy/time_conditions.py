"""Conditions on time: operators that compare moments, with one another or with now.

Those with a duration change by themselves; asked, they note in the view when (`View.turns`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hubsync.policy.condition import Condition, Fault, test_of
from hubsync.policy.deadlines import Deadline
from hubsync.policy.fact import Fact
from hubsync.policy.instants import parse_instant
from hubsync.policy.view import Missing, View
from hubsync.policy.worktime import Duration, parse_duration

TIME_OPERATORS: dict[str, str] = {
    "is_before": "is an earlier moment",
    "is_after": "is a later moment",
    "is_more_than_ago": "lies further back than a duration, calendar or business",
    "is_less_than_ago": "lies back, but not so far",
    "is_more_than_from_now": "lies further ahead than a duration",
    "is_less_than_from_now": "lies ahead, but not so far",
}
"""Operators on moments; those with a duration change by themselves as time passes."""


def moment(operand: Any) -> datetime:
    """A moment as rule files write it. Raises Fault."""
    try:
        return parse_instant(str(operand))
    except ValueError:
        raise Fault(f'"{operand}" is not a date; write it as 2026-03-31 or 2026-03-31T09:00:00Z') from None


def _duration(operand: Any) -> Duration:
    try:
        return parse_duration(str(operand))
    except ValueError as error:
        raise Fault(str(error)) from None


def compile_time(fact: Fact, operator: str, operand: Any) -> Condition:
    """One of `TIME_OPERATORS` on a moment. Raises Fault for an operand that can't be used."""
    if operator in {"is_before", "is_after"}:
        limit = moment(operand)
        before = operator == "is_before"
        return Condition(
            fact,
            operator,
            operand,
            test_of(fact, lambda value: value is not None and (value < limit if before else value > limit)),
        )
    compiled = _from_now if operator.endswith("from_now") else _ago
    return compiled(fact, operator, operand, _duration(operand))


def passed(fact: Fact, duration: Duration) -> Condition:
    """So much time has passed since the fact's moment (`after:` of a rule)."""
    return _ago(fact, "is_more_than_ago", str(duration), duration)


def _ago(fact: Fact, operator: str, operand: Any, duration: Duration) -> Condition:
    bound = fact.bound if operator == "is_more_than_ago" else None
    get, has_passed, least = fact.get, Deadline(duration).has_passed, duration.at_least
    over_means, running_means = (1, 0) if operator == "is_more_than_ago" else (0, 1)

    def over(view: View, value: datetime) -> bool:
        """Whether the moment has come at which the answer changes by itself."""
        return has_passed(value, view.now, view.calendar, view.policy.zone)

    def note(view: View, value: datetime) -> None:
        """Look again at that moment, unless something else changes sooner."""
        view.turns.append((value, value, None) if value > view.now else (value + least, value, duration))

    def test(view: View) -> int:
        value = get(view)
        if value.__class__ is Missing:
            if bound is None or over(view, bound(view)):
                return -int(value.mask)
            note(view, bound(view))
            return 0
        if value is None:
            return 0
        if has_passed(value, view.now, view.calendar, view.policy.zone):
            return over_means
        note(view, value)
        return running_means if value <= view.now else 0

    def flip(view: View) -> datetime | None:
        value = get(view)
        if value.__class__ is Missing and bound is not None:
            value = bound(view)
        if value is None or value.__class__ is Missing or over(view, value):
            return None
        return value if value > view.now else duration.after(value, view.calendar, view.policy.zone)

    return Condition(fact, operator, operand, test, flip)


def _from_now(fact: Fact, operator: str, operand: Any, duration: Duration) -> Condition:
    more = operator.startswith("is_more")

    def near(view: View, value: datetime) -> datetime:
        """The moment from which on the value is no further ahead than that."""
        return duration.before(value, view.calendar, view.policy.zone)

    def test(view: View) -> int:
        value = fact.get(view)
        if value.__class__ is Missing:
            return -int(value.mask)
        if value is None:
            return 0
        turn = flip(view)
        if turn is not None:
            view.turns.append((turn, turn, None))
        is_near = near(view, value) <= view.now
        return int(not is_near if more else is_near and value > view.now)

    def flip(view: View) -> datetime | None:
        value = fact.get(view)
        if value is None or value.__class__ is Missing:
            return None
        return min((m for m in (near(view, value), value) if m > view.now), default=None)

    return Condition(fact, operator, operand, test, flip)
