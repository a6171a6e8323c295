"""Whether two versions of a rule decide the same by construction, as far as that can be told without running them.

At every cell of Lead status and Lifecycle stage where a rule is asked, what is left of each group of its conditions is
written down as the values that each fact may have; rules with the same table ask the same. A condition that another one
of its group implies, or that the rule's cause implies, changes no table. What depends on two facts at once, on time, or
on what the rest of the rules leave isn't seen here: such a mutant counts, and has to be caught.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hubsync.policy.cells import lay_out
from hubsync.policy.conditions import OPERATORS, Condition
from hubsync.policy.contact import Contact
from hubsync.policy.facts import MOMENT, NUMBER, STAGE_KEYS, STATUS_KEYS, TEXT, Fact
from hubsync.policy.gates import moves_backward
from hubsync.policy.instants import EPOCH
from hubsync.policy.policy import Policy
from hubsync.policy.portal_spec import PortalSpec
from hubsync.policy.rules import AUTO, Rule
from hubsync.policy.view import View
from hubsync.policy.vocabulary import STAGE, STATUS, Terms

IN_THE_CELL = frozenset({"lead_status", "lifecycle_stage"})
BEFORE = {"lead_status_before": STATUS, "lifecycle_stage_before": STAGE}
COUNTS = frozenset({"open_deals", "won_deals", "lost_deals", "attempts"})
TRUTHS = frozenset({"deal_covers_contact", "churned"})
"""Facts that are `true` or `false`, never empty."""
AT_LEAST_ONE = {"deal_opened": "open_deals", "last_deal_won": "won_deals", "last_deal_lost": "lost_deals"}
"""Causes that don't come about while one of these counts is 0."""

Table = frozenset[frozenset[tuple[str, Any]]]
"""What a rule asks at one cell: its groups, each the values that facts may have where not every value will do."""


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of a policy, for compiling conditions to questions about values (conditions.Words)."""

    statuses: Terms
    stages: Terms
    lists: Mapping[str, tuple[str, ...]]
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asking:
    """A policy, and the portal.yaml and causes of the rules that are compared."""

    policy: Policy
    portal: PortalSpec
    fixed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By rule: the Lead status and Lifecycle stage it sets whatever the contact, as HubSpot's values."""

    def same(self, one: Sequence[tuple[Rule, str]], other: Sequence[tuple[Rule, str]]) -> bool:
        """Whether both lists of rules, each with the name of its cause, ask the same at every cell."""
        candidates = self._candidates([c for rule, _ in (*one, *other) for group in rule.groups for c in group])
        return self._tables(one, candidates) == self._tables(other, candidates)

    def meet(self, one: Rule, other: Rule, causes: tuple[str, str]) -> bool:
        """Whether there is a cell, and values of all facts, where both rules hold and both write at once."""
        if AUTO not in {one.mode} & {other.mode}:
            return False
        candidates = self._candidates([c for rule in (one, other) for group in rule.groups for c in group])
        mine = self._tables([(one, causes[0])], candidates)
        theirs = self._tables([(other, causes[1])], candidates)
        return any(_compatible(a, b) for cell in mine.keys() & theirs.keys() for a in mine[cell] for b in theirs[cell])

    def _tables(
        self, rules: Iterable[tuple[Rule, str]], candidates: Mapping[str, Sequence[Any]]
    ) -> dict[tuple[str, str, int], Table]:
        tables: dict[tuple[str, str, int], Table] = {}
        for number, (rule, cause) in enumerate(rules):
            asked = lay_out([rule], self.policy.statuses, self.policy.stages, self.portal)
            for (status, stage), cell in asked.items():
                if cell.everything:
                    groups = (self._group(g, status, stage, cause, candidates) for g in rule.groups)
                    found = _widest([g for g in groups if g is not None])
                    if found and not self._idle(rule, status, stage):
                        tables[status, stage, number] = found
        return tables

    def _idle(self, rule: Rule, status: str, stage: str) -> bool:
        """Whether the rule has nothing to change at a cell: Lead status and stage are so, or the stage is beyond."""
        fixed = self.fixed.get(rule.id, {})
        main = [a.property for a in rule.sets if a.property in {STATUS, STAGE}]
        if not main or not fixed.keys() >= set(main) or (rule.mode != AUTO and len(main) < len(rule.actions)):
            return False
        old = {STATUS: status, STAGE: stage}
        return all(fixed[n] == old[n] or moves_backward(self.policy, n, old[n], fixed[n]) for n in main)

    def _group(
        self, group: Sequence[Condition], status: str, stage: str, cause: str, candidates: Mapping[str, Sequence[Any]]
    ) -> frozenset[tuple[str, Any]] | None:
        """What a group asks at a cell; None where it can't hold there."""
        view = View(self.policy, Contact("", {STATUS: status, STAGE: stage}), EPOCH)
        left: dict[str, list[Condition]] = {}
        asked: set[tuple[str, Any]] = set()
        for condition in group:
            if condition.fact.name in IN_THE_CELL:
                if condition.test(view) <= 0:
                    return None
            elif condition.fact.name in candidates:
                left.setdefault(condition.fact.name, []).append(condition)
            elif (condition.fact.name, condition.operator) != (cause, "is_known"):
                asked.add((condition.fact.name, condition.text))
        for name, conditions in left.items():
            possible = [v for v in candidates[name] if self._possible(name, v, status, stage, cause)]
            tests = [self._holds(c) for c in conditions]
            allowed = frozenset(v for v in possible if all(holds(v) for holds in tests))
            if not allowed:
                return None
            if len(allowed) < len(set(possible)):
                asked.add((name, allowed))
        return frozenset(asked)

    def _possible(self, name: str, value: Any, status: str, stage: str, cause: str) -> bool:
        """Whether the fact can have this value where the rule has a cause: what is ruled out for certain."""
        if name in BEFORE:
            here, terms = (status, self.policy.statuses) if BEFORE[name] == STATUS else (stage, self.policy.stages)
            return bool(value is None or value != terms.key(here))
        if value is None and (name == cause or (name in COUNTS or name in TRUTHS)):
            return False
        if name == AT_LEAST_ONE.get(cause) or (cause == "first_rep_outreach" and name == "attempts"):
            return bool(value >= 1)
        return True

    def _candidates(self, conditions: Sequence[Condition]) -> dict[str, list[Any]]:
        """For each fact whose values can be gone through: every value that makes a difference to any condition."""
        by_fact: dict[str, list[Condition]] = {}
        for condition in conditions:
            by_fact.setdefault(condition.fact.name, []).append(condition)
        found = {name: self._values(same[0].fact, same) for name, same in by_fact.items() if name not in IN_THE_CELL}
        return {name: values for name, values in found.items() if values is not None}

    def _values(self, fact: Fact, conditions: Sequence[Condition]) -> list[Any] | None:
        if any(c.operator not in OPERATORS or c.operator.startswith("contains") for c in conditions):
            return None
        if fact.kind in {STATUS_KEYS, STAGE_KEYS}:
            terms = self.policy.statuses if fact.kind == STATUS_KEYS else self.policy.stages
            return [None, *terms.by_key, "an option that no key maps"]
        if fact.name in TRUTHS:
            return ["true", "false"]
        if fact.kind == MOMENT:
            return [None, "some moment"] if all(c.operator in {"is_known", "is_unknown"} for c in conditions) else None
        named = set(self._named(conditions))
        if fact.kind == NUMBER or all(c.operator in _NUMERIC for c in conditions):
            known = [float(text) for text in named if _is_number(text)]
            near = {0.0, *(number + step for number in known for step in (-1, -0.5, 0, 0.5, 1))}
            return [None, *sorted(v for v in near if fact.name not in COUNTS or (v >= 0 and v == int(v)))]
        if fact.kind == TEXT and not any(c.operator in _NUMERIC for c in conditions):
            return [None, *sorted({t.casefold() for t in named}), "something that no condition names"]
        return None

    def _named(self, conditions: Iterable[Condition]) -> Iterator[str]:
        lists = self.portal.lists
        for condition in conditions:
            operand = condition.operand
            yield from lists.get(operand, [operand]) if isinstance(operand, str) else map(str, operand)

    def _holds(self, condition: Condition) -> Callable[[Any], bool]:
        lists = {name: tuple(values) for name, values in self.portal.lists.items()}
        words = _Words(self.policy.statuses, self.policy.stages, lists, self.portal.names)
        return OPERATORS[condition.operator][0](condition.fact, condition.operand, words)


_NUMERIC = frozenset(
    {"is_more_than", "is_less_than", "is_at_least", "is_at_most", "is_above", "is_below", "is_between"}
)


def _widest(groups: Iterable[frozenset[tuple[str, Any]]]) -> Table:
    """The groups without those that hold only where another one does."""
    distinct = set(groups)
    return frozenset(g for g in distinct if not any(g != other and _within(g, other) for other in distinct))


def _within(group: frozenset[tuple[str, Any]], other: frozenset[tuple[str, Any]]) -> bool:
    """Whether a group holds only where the other one does: it asks all of that, and no less strictly."""
    values = {name: allowed for name, allowed in group if isinstance(allowed, frozenset)}
    return all(
        values[name] <= allowed if isinstance(allowed, frozenset) and name in values else (name, allowed) in group
        for name, allowed in other
    )


def _compatible(one: frozenset[tuple[str, Any]], other: frozenset[tuple[str, Any]]) -> bool:
    """Whether some contact can meet both groups: on no fact do they leave nothing in common."""
    mine = {name: allowed for name, allowed in one if isinstance(allowed, frozenset)}
    theirs = {name: allowed for name, allowed in other if isinstance(allowed, frozenset)}
    return all(mine[name] & theirs[name] for name in mine.keys() & theirs.keys())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
