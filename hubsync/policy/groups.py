"""Groups of conditions as rule files write them, compiled with every fault reported at its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from hubsync.policy.conditions import ALL_OPERATORS, Condition, Fault, Words, compile_condition
from hubsync.policy.facts import FACTS, STAGE_KEYS, STATUS_KEYS
from hubsync.policy.ruleset import RuleSet
from hubsync.policy.spec import Conditions
from hubsync.policy.words import did_you_mean

KeyPath = tuple[str | int, ...]
Report = Callable[[str, KeyPath, str], None]
"""Takes a fault: the file it is in, the path inside the file, the message."""

KEYED_FACTS = {STATUS_KEYS: "Lead status", STAGE_KEYS: "Lifecycle stage"}
_NEEDS_ONE = frozenset({"is", "is_any_of", "is_below", "is_above", "is_at_least", "is_at_most"})
"""Operators that can't hold where the portal has none of the statuses or stages they name."""


class Keys(Words, Protocol):
    """What groups need to know besides words: the files, and the keys for which the portal has no option."""

    files: RuleSet
    absent: dict[str, frozenset[str]]


def compile_group(
    group: Conditions, keys: Keys, report: Report, source: str, path: KeyPath
) -> tuple[list[Condition], set[str]]:
    """The conditions, all of which must hold, and the contact properties they ask. Faults go to `report`."""
    found: list[Condition] = []
    asked: set[str] = set()
    for name, operators in group.items():
        if name not in FACTS:
            near = _near_a_fact(name)
            if near or not name.replace("_", "").isalnum() or name != name.lower():
                report(source, (*path, name), f'"{name}" is no fact and no property name{near}')
                continue
            asked.add(name)
        else:
            asked.update(FACTS[name].reads)
        for operator, operand in operators.items():
            where = (*path, name, operator)
            if operator not in ALL_OPERATORS:
                report(source, where, f'"{operator}" is not an operator{did_you_mean(operator, ALL_OPERATORS)}')
                continue
            if not _known_keys(name, operator, operand, keys, lambda p, m: report(source, p, m), where):
                continue
            try:
                found.append(compile_condition(name, operator, operand, keys))
            except Fault as fault:
                report(source, where, str(fault))
    return found, asked


@lru_cache(maxsize=4096)
def _near_a_fact(name: str) -> str:
    """The fact that a name may be a slip of, as a question; property names come again and again."""
    return did_you_mean(name, FACTS, cutoff=0.8)


def _known_keys(
    name: str, operator: str, operand: Any, keys: Keys, report: Callable[[KeyPath, str], None], where: KeyPath
) -> bool:
    """Whether every status or stage the operand names stands in portal.yaml; faults are reported."""
    kind = FACTS[name].kind if name in FACTS else ""
    if kind not in KEYED_FACTS or operator in {"is_known", "is_unknown"}:
        return True
    portal = keys.files.portal
    table: Mapping[str, Any] = portal.statuses if kind == STATUS_KEYS else portal.stages
    values = keys.lists.get(operand, (operand,)) if isinstance(operand, str) else operand
    if not isinstance(values, Sequence):
        report(where, "a key or a list of keys is needed")
        return False
    fine = True
    for index, value in enumerate(values):
        if value == "none" or value in table or keys.names.get(str(value)) in table:
            continue
        spot = where if isinstance(operand, str) else (*where, index)
        near = did_you_mean(str(value), [*table, *keys.names])
        report(spot, f'"{value}" is no {KEYED_FACTS[kind]} of portal.yaml{near}')
        fine = False
    return fine


def impossible(group: Sequence[Condition], keys: Keys) -> list[str]:
    """Names of the statuses and stages that the portal lacks and without which the group can never hold."""
    needs: list[str] = []
    for condition in group:
        absent = keys.absent.get(condition.fact.kind)
        if not absent or condition.operator not in _NEEDS_ONE:
            continue
        operand = condition.operand
        values = keys.lists.get(operand, (operand,)) if isinstance(operand, str) else operand
        named = [keys.names.get(v, v) for v in values]
        if named and all(k in absent for k in named):
            needs += [f'{KEYED_FACTS[condition.fact.kind]} "{k}"' for k in named]
    return needs
