"""The words of a bulk change: which status, and for which contacts, in the words of the rule files (playbook G4).

`lead_status is_any_of new, attempting` is compiled to the same closures as a rule's `when`. What a typo would quietly
turn into "everybody" or "nobody" is a fault here: unknown facts, properties the portal lacks, options it doesn't have.
Every fault is collected, none stops the rest; nothing is read or written.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hubsync.errors import SettingsError
from hubsync.policy.conditions import ALL_OPERATORS, Condition, Fault, compile_condition
from hubsync.policy.facts import FACTS, STAGE_KEYS, STATUS_KEYS
from hubsync.policy.groups import compile_group, impossible
from hubsync.policy.portal_spec import PortalSpec
from hubsync.policy.ruleset import RuleSet
from hubsync.policy.vocabulary import STATUS, Terms
from hubsync.policy.words import did_you_mean
from hubsync.sync.binding import BoundPortal

NONE = "none"
LISTS = frozenset({"is_any_of", "is_none_of", "is_between", "contains_any_of", "contains_none_of"})
"""Operators whose operand is a list, written with commas."""
NO_OPERAND = frozenset({"is_known", "is_unknown"})
EQUALS = frozenset({"is", "is_not", "is_any_of", "is_none_of"})
EXAMPLE = 'write a fact, an operator and a value, such as "lead_status is_any_of new, attempting"'


@dataclass(slots=True)
class _Words:
    """What conditions lean on (policy/groups.py `Keys`), for a portal as it is."""

    files: RuleSet
    statuses: Terms
    stages: Terms
    absent: dict[str, frozenset[str]] = field(init=False)

    def __post_init__(self) -> None:
        spec = self.files.portal
        self.absent = {
            STATUS_KEYS: frozenset(spec.statuses) - set(self.statuses.by_key),
            STAGE_KEYS: frozenset(spec.stages) - set(self.stages.by_key),
        }

    @property
    def lists(self) -> Mapping[str, tuple[str, ...]]:
        return {name: tuple(values) for name, values in self.files.portal.lists.items()}

    @property
    def names(self) -> Mapping[str, str]:
        return self.files.portal.names


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions, all of which must hold, and the contact properties they ask."""

    conditions: tuple[Condition, ...]
    asks: frozenset[str]


def compile_where(texts: Sequence[str], files: RuleSet, portal: BoundPortal) -> tuple[Where, list[str]]:
    """Compile conditions such as "owner is 123"; with every fault found, each led by the condition it is in."""
    words = _Words(files, portal.policy.statuses, portal.policy.stages)
    found: list[Condition] = []
    asks: set[str] = set()
    faults: list[str] = []
    for text in texts:
        conditions, asked, wrong = _compile(text, words, portal)
        found += conditions
        asks |= asked
        faults += [f'--where "{text}": {fault}' for fault in wrong]
    return Where(tuple(found), frozenset(asks)), faults


def where_of(texts: Sequence[str], files: RuleSet, portal: BoundPortal) -> Where:
    """The same. Raises SettingsError with every fault."""
    where, faults = compile_where(texts, files, portal)
    if faults:
        raise SettingsError("\n".join([*faults, "Nothing was done."]))
    return where


def _compile(text: str, words: _Words, portal: BoundPortal) -> tuple[list[Condition], set[str], list[str]]:
    name, operator, operand = _split(text)
    if not operator:
        return [], set(), [EXAMPLE]
    faults: list[str] = []
    value: str | list[str] = operand
    if operator in NO_OPERAND:
        value = operand or "true"
    elif operator in ALL_OPERATORS and not operand:
        faults.append(f"{operator} needs a value")
    elif operator in LISTS:
        value = _listed(operand, words)
    if faults:
        return [], set(), faults
    if name in portal.definitions and name not in FACTS and operator in ALL_OPERATORS:
        # The portal's own word is never a slip of a fact's: hs_lead_status chooses by HubSpot's value, mapped or not.
        conditions, asked = _of_property(name, operator, value, words, faults), {name}
    else:
        group = {name: {operator: value}}
        conditions, asked = compile_group(group, words, lambda _s, _p, message: faults.append(message), "--where", ())
    faults += _lacking(conditions, asked, words, portal)
    return conditions, asked, faults


def _of_property(name: str, operator: str, value: str | list[str], words: _Words, faults: list[str]) -> list[Condition]:
    try:
        return [compile_condition(name, operator, value, words)]
    except Fault as fault:
        faults.append(str(fault))
        return []


def _split(text: str) -> tuple[str, str, str]:
    """Fact, operator and operand; the operator with underscores, or in words as `hubsync explain` shows it."""
    parts = text.split()
    if len(parts) < 2:
        return text.strip(), "", ""
    for count in range(len(parts) - 1, 0, -1):
        operator = "_".join(parts[1 : 1 + count])
        if operator in ALL_OPERATORS:
            break
    else:
        count, operator = 1, parts[1]
    rest = text.split(None, 1 + count)
    return parts[0], operator, _unquoted(rest[1 + count].strip()) if len(rest) > 1 + count else ""


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    return inner if len(text) > 1 and text[0] == text[-1] == '"' and '"' not in inner else text


def _listed(operand: str, words: _Words) -> str | list[str]:
    """Values between commas, quoted where one holds a comma; or the name of a list of portal.yaml."""
    if operand in words.lists:
        return operand
    inner = operand[1:-1] if operand.startswith("[") and operand.endswith("]") else operand
    return [value.strip() for row in csv.reader([inner], skipinitialspace=True) for value in row if value.strip()]


def _lacking(conditions: Sequence[Condition], asked: set[str], words: _Words, portal: BoundPortal) -> list[str]:
    """What the portal doesn't have: properties, statuses, stages, options."""
    faults = [
        f'the portal has no contact property "{name}"{did_you_mean(name, portal.definitions)}'
        for name in sorted(asked - set(portal.definitions))
    ]
    faults += [
        f"the portal has no option for {need}; hubsync check tells what it lacks"
        for need in impossible(conditions, words)
    ]
    for condition in conditions:
        definition = portal.definitions.get(condition.fact.name)
        if definition is None or not definition.options or condition.operator not in EQUALS:
            continue
        options = {o.value.casefold() for o in definition.options} | {NONE}
        for value in _values(condition, words):
            if value.casefold() not in options:
                near = did_you_mean(value, [o.value for o in definition.options])
                faults.append(f'"{value}" is no option of {definition.name}{near}')
    return faults


def _values(condition: Condition, words: _Words) -> Sequence[str]:
    operand = condition.operand
    return words.lists.get(operand, (operand,)) if isinstance(operand, str) else operand


class Statuses:
    """Finds a Lead status by its policy key, its internal value or its label; `none` stands for empty."""

    def __init__(self, spec: PortalSpec, portal: BoundPortal) -> None:
        self.terms = portal.policy.statuses
        self.names = spec.names
        self.options = portal.definitions[STATUS].options
        self.lacking = frozenset(spec.statuses) - set(self.terms.by_key)
        self._labels: dict[str, set[str]] = {}
        for option in self.options:
            self._labels.setdefault(option.label.casefold().strip(), set()).add(option.value)
        for term in self.terms.terms:
            for label in spec.statuses[term.key].labels.values():
                self._labels.setdefault(label.casefold(), {term.value})

    def value(self, text: str) -> str:
        """HubSpot's internal value, "" for none. Raises ValueError, with what was meant, for what the portal lacks."""
        word = text.strip()
        key = self.names.get(word, word)
        for candidate in (key, key.casefold()):
            if candidate in self.terms.by_key:
                return self.terms.value(candidate)
        if key.casefold() == NONE:
            return ""
        exact = next((o.value for o in self.options if o.value == word), None)
        if exact is not None:
            return exact
        alike = {o.value for o in self.options if o.value.casefold() == word.casefold()}
        found = alike or self._labels.get(word.casefold(), set())
        if len(found) > 1:
            raise ValueError(f'"{word}" is the label of several options; write one of {", ".join(sorted(found))}')
        if found:
            return next(iter(found))
        if key in self.lacking:
            raise ValueError(f'the portal has no option for Lead status "{key}"; hubsync setup adds it')
        near = did_you_mean(word, [*self.terms.by_key, *(o.value for o in self.options), *self._labels])
        raise ValueError(f'"{word}" is no Lead status of the portal{near or f"; there are {self._known()}"}')

    def _known(self) -> str:
        return ", ".join(self.terms.by_key)
