"""Rules that could want the same property at the same moment, with no order declared between them (design 1).

At run time that is a conflict: shown, never written. Here it is told beforehand, from the rules alone: two automations
of the same cause, whose conditions don't contradict one another, that set different constants. Told is whatever can't
be ruled out with certainty; facts about time, and texts that are searched, rule nothing out. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from hubsync.policy.actions import KEYED
from hubsync.policy.conditions import OPERATORS, Condition
from hubsync.policy.facts import NUMBER, STAGE_KEYS, STATUS_KEYS, TEXT
from hubsync.policy.policy import Policy
from hubsync.policy.rules import AUTO, Rule
from hubsync.policy.spec import RuleSpec
from hubsync.policy.vocabulary import Terms

_COMPARED = {
    TEXT: frozenset({"is", "is_not", "is_any_of", "is_none_of", "is_known", "is_unknown"}),
    NUMBER: frozenset(
        {"is", "is_not", "is_any_of", "is_none_of", "is_known", "is_unknown"}
        | {"is_more_than", "is_less_than", "is_at_least", "is_at_most", "is_between"}
    ),
}
"""Operators whose edges are all there is to try."""
_SEVERAL_AT_ONCE = frozenset({"owner_team"})
"""Facts of which one contact can have two values (`only_for`: an owner may be in two teams)."""


@dataclass(frozen=True, slots=True)
class Unordered:
    """Two rules, by id, that can want different values for a property at the same moment."""

    one: str
    other: str
    property: str
    values: tuple[str, str]


def unordered(
    policy: Policy, specs: Mapping[str, RuleSpec], lists: Mapping[str, Sequence[str]], names: Mapping[str, str]
) -> list[Unordered]:
    """The pairs of automations that lack an order.

    `specs` are the written rules by id, `lists` and `names` those of portal.yaml.
    """
    rules = [r for r in policy.rules if r.mode == AUTO and not r.matrix and r.sets and r.id in specs]
    words = _Contradictions(policy.statuses, policy.stages, {n: tuple(v) for n, v in lists.items()}, names)
    return list(_unordered(rules, specs, words))


def _unordered(
    rules: Sequence[Rule], specs: Mapping[str, RuleSpec], contradictions: _Contradictions
) -> Iterator[Unordered]:
    constants = {rule.id: _constants(specs[rule.id], contradictions) for rule in rules}
    for one, other in combinations(rules, 2):
        if specs[one.id].cause != specs[other.id].cause or other.id in one.outranks or one.id in other.outranks:
            continue
        mine, theirs = constants[one.id], constants[other.id]
        disputed = next((name for name in mine if name in theirs and mine[name] != theirs[name]), None)
        if disputed is None:
            continue
        if any(not contradictions.between((*a, *b)) for a in one.groups for b in other.groups):
            yield Unordered(one.id, other.id, disputed, (mine[disputed], theirs[disputed]))


def _constants(spec: RuleSpec, words: _Contradictions) -> dict[str, str]:
    """What a rule sets to the same value whatever the contact: property → value, names of portal.yaml resolved."""
    return {
        KEYED.get(name, name): words.names.get(value, value) if name in KEYED else value
        for action in spec.then
        for name, value in (action.set or {}).items()
        if isinstance(value, str)
    }


@dataclass(frozen=True, slots=True)
class _Contradictions:
    """Tells whether conditions can all hold for one contact. Also the words of the policy (conditions.Words)."""

    statuses: Terms
    stages: Terms
    lists: Mapping[str, tuple[str, ...]]
    names: Mapping[str, str]

    def between(self, conditions: Iterable[Condition]) -> bool:
        """Whether no contact can meet them all: on some fact no value does."""
        by_fact: dict[str, list[Condition]] = {}
        for condition in conditions:
            by_fact.setdefault(condition.fact.name, []).append(condition)
        return any(self._impossible(same) for same in by_fact.values())

    def _impossible(self, conditions: Sequence[Condition]) -> bool:
        fact = conditions[0].fact
        if fact.kind in {STATUS_KEYS, STAGE_KEYS}:
            terms = self.statuses if fact.kind == STATUS_KEYS else self.stages
            candidates: list[Any] = [None, *terms.by_key, "an option that no key maps"]
        elif fact.name in _SEVERAL_AT_ONCE or any(
            c.fact.kind != fact.kind or c.operator not in _COMPARED.get(fact.kind, ()) for c in conditions
        ):
            return False
        else:
            candidates = self._edges(conditions, numbers=fact.kind == NUMBER)
        tests = [OPERATORS[c.operator][0](c.fact, c.operand, self) for c in conditions]
        return not any(all(holds(value) for holds in tests) for value in candidates)

    def _edges(self, conditions: Sequence[Condition], *, numbers: bool) -> list[Any]:
        """Every value that any of the conditions names, what lies just beside it, none, and something else."""
        named: set[str] = set()
        for condition in conditions:
            operand = condition.operand
            if isinstance(operand, str):
                operand = self.lists.get(operand, (operand,))
            named.update(map(str, operand))
        if not numbers:
            return [None, *sorted(named), "something else altogether"]
        known = [float(text) for text in named if text not in {"none", "true", "false"}]
        return [None, 0.0, *(number + step for number in known for step in (-1, -0.5, 0, 0.5, 1))]
