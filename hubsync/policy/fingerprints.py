"""Fingerprints of rules: whether a rule still means what it meant when its causes were last looked at (playbook B1).

A rule whose `when` was widened would otherwise act on every old cause it did not hold for before, and so would every
rule where the scope was (D5). Lists and names of portal.yaml are part of what a condition means; words for people are
not. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hubsync.policy.conditions import Condition, Words
from hubsync.policy.portal_spec import ScopeSpec
from hubsync.policy.rules import Rule
from hubsync.policy.spec import RuleSpec

_WORDS_FOR_PEOPLE = {"playbook", "says", "ask", "was", "outranks"}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`when`: which contacts the rule fires for, and on which cause; `whole`: that, and what it does.

    `scope`: which contacts any rule sees at all; "" where that isn't known.
    """

    when: str
    whole: str
    scope: str = ""

    def fires_as(self, former: Fingerprint) -> bool:
        """Whether it fires for the contacts and causes it fired for; a scope that isn't known counts as the same."""
        return self.when == former.when and self.sees_as(former)

    def sees_as(self, former: Fingerprint) -> bool:
        """Whether the scope is what it was, as far as is known."""
        return not self.scope or not former.scope or self.scope == former.scope


def fingerprints(
    rules: Iterable[Rule],
    specs: Mapping[str, RuleSpec],
    words: Words,
    scope: str = "",
    meanings: Mapping[str, Any] | None = None,
) -> dict[str, Fingerprint]:
    """The fingerprint of every rule by its id; `specs` are the written ones, cells of the matrix have none.

    `scope` is the `scope_mark` of portal.yaml; `meanings` is what the rule files say of a fact, by its name.
    """
    found: dict[str, Fingerprint] = {}
    for rule in rules:
        spec = specs.get(rule.id)
        told = meanings or {}
        groups = sorted(sorted(_condition(c, words, told) for c in group) for group in rule.groups)
        when = [groups, rule.says_cause, spec.once_per if spec is not None else "cause"]
        does: Any = [rule.mode, sorted(action.property for action in rule.sets), rule.hard]
        if spec is not None:
            does = spec.model_dump(mode="json", exclude=_WORDS_FOR_PEOPLE)
        found[rule.id] = Fingerprint(_digest(when), _digest([when, does]), scope)
    return found


def scope_mark(scope: ScopeSpec, stages: Iterable[str], words: Words) -> str:
    """What tells one scope from another: its conditions in whatever order, and the keys of the managed stages."""

    def meant(part: Any) -> Any:
        if isinstance(part, Mapping):
            return {key: meant(value) for key, value in part.items()}
        if isinstance(part, list):
            return sorted((meant(value) for value in part), key=json.dumps)
        text = str(part)
        return sorted(words.lists[text]) if text in words.lists else words.names.get(text, text)

    return _digest([meant(scope.model_dump(mode="json")), sorted(stages)])


def _condition(condition: Condition, words: Words, meanings: Mapping[str, Any]) -> list[Any]:
    operand = condition.operand
    if isinstance(operand, str):
        operand = words.lists.get(operand, operand)
    if not isinstance(operand, str) and isinstance(operand, Sequence):
        operand = ", ".join(sorted(words.names.get(str(part), str(part)) for part in operand))
    name = condition.fact.name
    meaning = [_digest(meanings[name])] if name in meanings else []
    return [name, condition.operator, words.names.get(operand, operand), *meaning]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
