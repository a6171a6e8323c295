"""Conditions in the words of HubSpot's list filters, compiled once to closures.

A test answers an int: 1 holds, 0 does not, negative = not known until the facts in the mask `-answer` are read.
Negative operators hold for empty values, as in HubSpot's lists (design 6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from hubsync.policy import facts
from hubsync.policy.condition import Condition, Fault, Flip, Holds, Test, Value, test_of
from hubsync.policy.facts import MOMENT, STAGE_KEYS, STATUS_KEYS, Fact
from hubsync.policy.time_conditions import TIME_OPERATORS, compile_time, moment
from hubsync.policy.view import Missing, View
from hubsync.policy.vocabulary import Terms

__all__ = ["ALL_OPERATORS", "OPERATORS", "Condition", "Fault", "Test", "Words", "compile_condition", "for_team"]


class Words(Protocol):
    """What conditions need to know of the policy while they are compiled."""

    @property
    def statuses(self) -> Terms:
        """The statuses that policy and portal know."""

    @property
    def stages(self) -> Terms:
        """The stages that policy and portal know."""

    @property
    def lists(self) -> Mapping[str, tuple[str, ...]]:
        """Named lists of portal.yaml."""

    @property
    def names(self) -> Mapping[str, str]:
        """Named statuses and stages of portal.yaml."""


def _presence(fact: Fact, holds: Holds) -> Test:
    """The same for operators that ask no more of a value than whether there is one."""
    get, name, (there, nothing) = fact.get, fact.text_of, (int(holds("")), int(holds(None)))

    def of_text(view: View) -> int:
        return there if view.properties.get(name) else nothing

    def test(view: View) -> int:
        value = get(view)
        if value is None:
            return nothing
        return -int(value.mask) if value.__class__ is Missing else there

    return of_text if name else test


def _number(operand: Any) -> float:
    try:
        return float(operand)
    except (TypeError, ValueError):
        raise Fault(f'"{operand}" is not a number') from None


def _as_number(value: Value) -> float | None:
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _texts(operand: Any, words: Words) -> list[str]:
    if isinstance(operand, str):
        if operand in words.lists:
            return list(words.lists[operand])
        raise Fault(f'"{operand}" is not a list; write [{operand}], or the name of a list from portal.yaml')
    if not isinstance(operand, Sequence) or not operand or not all(isinstance(o, str) for o in operand):
        raise Fault("a list of values is needed, such as [a, b]")
    return list(operand)


def _keys(fact: Fact, names: Sequence[str], words: Words) -> frozenset[str | None]:
    """Policy keys, with those that behave like them; `none` stands for empty."""
    terms = words.statuses if fact.kind == STATUS_KEYS else words.stages
    keys = [words.names.get(n, n) for n in names]
    found: set[str | None] = set(terms.alike(k for k in keys if k != "none"))
    if "none" in keys:
        found.add(None)
    return frozenset(found)


def _is_any_of(fact: Fact, operand: Any, words: Words) -> Holds:
    names = [operand] if isinstance(operand, str) and operand not in words.lists else _texts(operand, words)
    if fact.kind in {STATUS_KEYS, STAGE_KEYS}:
        keys = _keys(fact, names, words)
        return keys.__contains__
    if fact.kind == facts.NUMBER:
        numbers = {_number(n) for n in names}
        return lambda value: _as_number(value) in numbers
    wanted = frozenset(n.casefold() for n in names)
    if "none" in wanted:
        return lambda value: value is None or str(value).casefold() in wanted
    return lambda value: value is not None and str(value).casefold() in wanted


def _not(holds: Holds) -> Holds:
    return lambda value: not holds(value)


def _compare(fact: Fact, operand: Any, words: Words, meets: Callable[[Any, Any], bool]) -> Holds:
    if fact.kind == STAGE_KEYS:
        order = words.stages.order(words.names.get(operand, operand))
        if order is None:
            return lambda _value: False
        position = words.stages.order
        return lambda value: (mine := position(value)) is not None and meets(mine, order)
    limit = _number(operand)
    return lambda value: (mine := _as_number(value)) is not None and meets(mine, limit)


def _between(fact: Fact, operand: Any, _words: Words) -> Holds:
    if not isinstance(operand, Sequence) or isinstance(operand, str) or len(operand) != 2:
        raise Fault("is_between takes two values, such as [1, 10]; both ends count")
    if fact.kind == MOMENT:
        first, last = moment(operand[0]), moment(operand[1])
        return lambda value: value is not None and first <= value <= last
    low, high = _number(operand[0]), _number(operand[1])
    return lambda value: (mine := _as_number(value)) is not None and low <= mine <= high


def _contains(_fact: Fact, operand: Any, words: Words) -> Holds:
    needles = [t.casefold() for t in ([operand] if isinstance(operand, str) else _texts(operand, words))]
    return lambda value: value is not None and any(n in str(value).casefold() for n in needles)


def _known(_fact: Fact, operand: Any, _words: Words) -> Holds:
    if operand not in {"true", "false"}:
        raise Fault('is_known and is_unknown take "true"')
    wanted = operand == "true"
    return lambda value: (value is not None) == wanted


Build = Callable[[Fact, Any, Words], Holds]

OPERATORS: dict[str, tuple[Build, str]] = {
    "is": (_is_any_of, "has this value (text without regard to case)"),
    "is_not": (lambda f, o, w: _not(_is_any_of(f, o, w)), "has another value, or none"),
    "is_any_of": (_is_any_of, "has one of these values; `none` stands for empty"),
    "is_none_of": (lambda f, o, w: _not(_is_any_of(f, o, w)), "has none of these values; empty holds"),
    "is_known": (_known, "has a value"),
    "is_unknown": (lambda f, o, w: _not(_known(f, o, w)), "has no value"),
    "is_more_than": (lambda f, o, w: _compare(f, o, w, lambda a, b: a > b), "is a greater number"),
    "is_less_than": (lambda f, o, w: _compare(f, o, w, lambda a, b: a < b), "is a smaller number"),
    "is_at_least": (lambda f, o, w: _compare(f, o, w, lambda a, b: a >= b), "is this number or stage, or beyond"),
    "is_at_most": (lambda f, o, w: _compare(f, o, w, lambda a, b: a <= b), "is this number or stage, or before"),
    "is_below": (lambda f, o, w: _compare(f, o, w, lambda a, b: a < b), "is an earlier stage"),
    "is_above": (lambda f, o, w: _compare(f, o, w, lambda a, b: a > b), "is a later stage"),
    "is_between": (_between, "lies between two numbers or dates, ends included"),
    "contains_any_of": (_contains, "contains one of these texts"),
    "contains_none_of": (lambda f, o, w: _not(_contains(f, o, w)), "contains none of these texts; empty holds"),
}
"""Operators whose answer stays until a value changes."""

PRESENCE = frozenset({"is_known", "is_unknown"})

ALL_OPERATORS: dict[str, str] = {name: says for name, (_, says) in OPERATORS.items()} | TIME_OPERATORS


def compile_condition(name: str, operator: str, operand: Any, words: Words) -> Condition:
    """Compile `name: {operator: operand}`. Raises Fault, without position, for an operand that can't be used."""
    if operator in TIME_OPERATORS:
        return compile_time(facts.moment_fact(facts.fact(name)), operator, operand)
    fact = facts.fact(name)
    build, _ = OPERATORS[operator]
    if operator == "is_between" and isinstance(operand, Sequence) and operand and not _is_numeric(operand[0]):
        fact = facts.moment_fact(fact)
    holds = build(fact, operand, words)
    test = _presence(fact, holds) if operator in PRESENCE else test_of(fact, holds)
    if fact.kind == facts.NUMBER and fact.bound is not None and operator in {"is_more_than", "is_at_least"}:
        test = _only_if_within(fact.bound, holds, test)
    if fact.name == "lifecycle_stage_before" and operator in {"is_above", "is_at_least"}:
        test = _only_if_ever_in(test, operator, operand, words)
    if fact.changes is not None:
        test = _changing(fact.changes, test)
    return Condition(fact, operator, operand, test, fact.changes)


def _changing(changes: Flip, test: Test) -> Test:
    """Note when the answer changes by itself."""

    def noting(view: View) -> int:
        at = changes(view)
        if at is not None:
            view.turns.append((at, at, None))
        return test(view)

    return noting


def _only_if_within(bound: facts.Getter, holds: Holds, test: Test) -> Test:
    """Ask the dear fact only if even the greatest number it can be would do."""

    def cheap_first(view: View) -> int:
        greatest = bound(view)
        return test(view) if greatest is None or holds(greatest) else 0

    return cheap_first


def for_team(team: str) -> Condition:
    """`only_for`: the contact's owner is in this team, as main team or not, without regard to case."""
    wanted = team.casefold()

    def test(view: View) -> int:
        teams = view.policy.owner_teams.get(view.properties.get("hubspot_owner_id") or "", ())
        return int(any(name.casefold() == wanted for name in teams))

    return Condition(facts.FACTS["owner_team"], "is", team, test)


def _is_numeric(text: Any) -> bool:
    return _as_number(text) is not None


def _only_if_ever_in(test: Test, operator: str, operand: Any, words: Words) -> Test:
    """Ask history only if HubSpot's stage dates say the contact ever was in such a stage (hubspot-api 3.2).

    The dates are a cheap necessary condition, never the answer.
    """
    least = words.stages.order(words.names.get(operand, operand))
    if least is None:
        return test
    later = [
        t.value
        for t in words.stages.terms
        if t.order is not None and (t.order > least or (t.order == least and operator == "is_at_least"))
    ]
    dates = [f"hs_v2_date_entered_{v}" for v in later] + [f"hs_lifecyclestage_{v}_date" for v in later]

    def cheap_first(view: View) -> int:
        get = view.properties.get
        if view.policy.dates_stages and not any(map(get, dates)):
            return 0
        return test(view)

    return cheap_first
