"""Mistakes that one could make in a rule, made on purpose, one at a time: mutants, for `hubsync rules test --mutants`.

A mutation changes the text of one rule, or of one cell of the matrix, as somebody might have mistyped or misjudged it.
Whether the cases notice is mutants.py's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hubsync.policy.facts import FACTS, NUMBER, STAGE_KEYS, STATUS_KEYS
from hubsync.policy.instants import parse_instant
from hubsync.policy.portal_spec import PortalSpec
from hubsync.policy.spec import ActionSpec, AfterCause, CellSpec, Conditions, DigestSpec, MatrixRowSpec, RuleSpec
from hubsync.policy.worktime import parse_duration
from hubsync.rulefiles.lines import KeyPath

NONE = "none"
SOMETHING_ELSE = "something else altogether"

_OPPOSITES = (
    ("is", "is_not"),
    ("is_any_of", "is_none_of"),
    ("is_known", "is_unknown"),
    ("is_more_than", "is_at_most"),
    ("is_less_than", "is_at_least"),
    ("is_below", "is_at_least"),
    ("is_above", "is_at_most"),
    ("contains_any_of", "contains_none_of"),
    ("is_before", "is_after"),
    ("is_more_than_ago", "is_less_than_ago"),
    ("is_more_than_from_now", "is_less_than_from_now"),
)
OPPOSITE = {b: a for a, b in reversed(_OPPOSITES)} | dict(_OPPOSITES)
"""By operator: the one that holds where it doesn't."""
_BY_TIME = frozenset({"is_more_than_ago", "is_less_than_ago", "is_more_than_from_now", "is_less_than_from_now"})


@dataclass(frozen=True, slots=True)
class Words:
    """What a mutation needs to know of portal.yaml and the other files: which other words it could have been."""

    portal: PortalSpec
    templates: Sequence[str]

    def others(self, fact: str, value: str) -> list[str]:
        """Keys that could stand in a key's place: the next ones of portal.yaml, then those before it."""
        kind = FACTS[fact].kind if fact in FACTS else ""
        table = self.keys(kind)
        if table is None:
            return [SOMETHING_ELSE]
        key = self.portal.names.get(value, value)
        at = table.index(key) if key in table else 0
        return [*table[at + 1 :], *reversed(table[:at])]

    def keys(self, kind: str) -> list[str] | None:
        """The statuses or stages with a meaning of their own, in order; None for facts without keys."""
        if kind == STATUS_KEYS:
            return [k for k, s in self.portal.statuses.items() if s.like is None]
        if kind == STAGE_KEYS:
            return [k for k, s in self.portal.stages.items() if s.like is None and not s.aside]
        return None


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mistake: the path of what it changes inside its rule or row, what it does in words, and the doing."""

    path: KeyPath
    says: str
    change: Callable[[Any], Any]
    """From a RuleSpec to another one, or None for no rule at all; from a MatrixRowSpec to another one."""
    asks: bool = False
    """Whether it changes conditions alone."""
    also: str = ""
    """The other rule that it is about (`outranks`)."""
    status: str = ""
    """The Lead status whose answer in a row of the matrix it changes."""


def of_rule(spec: RuleSpec, words: Words) -> Iterator[Mutation]:
    """Every mutation of a rule, in the order of its keys."""
    yield Mutation((), "the rule is left out", lambda _rule: None)
    listed = isinstance(spec.when, list)
    groups = spec.when if isinstance(spec.when, list) else [spec.when]
    for number, group in enumerate(groups):
        path: KeyPath = ("when", number) if listed else ("when",)
        if len(groups) > 1:
            yield Mutation(path, f"group {number + 1} is left out", _when(number, None), asks=True)
        for inner, says, changed in of_group(group, words):
            yield Mutation((*path, *inner), says, _when(number, changed), asks=True)
    for number, action in enumerate(spec.then):
        if len(spec.then) > 1:
            yield Mutation(("then", number), f"action {number + 1} is left out", _then(number, None))
        for inner, says, other in of_action(action, words):
            yield Mutation(("then", number, *inner), says, _then(number, other))
    yield from _of_keys(spec)


def _of_keys(spec: RuleSpec) -> Iterator[Mutation]:
    shown = all(a.finding is not None for a in spec.then)
    other = {"auto": "report", "propose": "auto", "report": "auto"}[spec.mode]
    if not shown:
        yield Mutation(("mode",), f"mode is {other}, not {spec.mode}", _with(mode=other))
    if spec.hard:
        yield Mutation(("hard",), "hard is left out", _with(hard=False))
    if spec.settle is not None:
        yield Mutation(("settle",), "settle is left out", _with(settle=None))
    if spec.once_per != "cause":
        yield Mutation(("once_per",), "once_per is left out", _with(once_per="cause"))
    if spec.only_for is not None:
        yield Mutation(("only_for",), "only_for is left out", _with(only_for=None))
    if spec.after is not None:
        yield Mutation(("after",), "after is left out", _with(after=None))
        for duration in _durations(spec.after):
            yield Mutation(("after",), f"after is {duration}, not {spec.after}", _with(after=duration))
    for number, name in enumerate(spec.outranks):
        rest = [r for r in spec.outranks if r != name]
        yield Mutation(("outranks", number), f"outranks without {name}", _with(outranks=rest), also=name)


def _with(**changes: Any) -> Callable[[RuleSpec], RuleSpec]:
    return lambda rule: rule.model_copy(update=changes)


def _when(number: int, group: Conditions | None) -> Callable[[RuleSpec], RuleSpec]:
    """The rule with one of its groups replaced, or left out."""

    def change(rule: RuleSpec) -> RuleSpec:
        groups = list(rule.when) if isinstance(rule.when, list) else [rule.when]
        groups[number : number + 1] = [group] if group is not None else []
        return rule.model_copy(update={"when": groups})

    return change


def _then(number: int, action: ActionSpec | None) -> Callable[[RuleSpec], RuleSpec]:
    def change(rule: RuleSpec) -> RuleSpec:
        actions = list(rule.then)
        actions[number : number + 1] = [action] if action is not None else []
        return rule.model_copy(update={"then": actions})

    return change


def of_group(group: Conditions, words: Words) -> Iterator[tuple[KeyPath, str, Conditions]]:
    """Every mutation of a group of conditions: path, words, and the group that comes of it."""
    for fact, asked in group.items():
        for operator, operand in asked.items():
            path: KeyPath = (fact, operator)
            name = f"{fact} {operator}"
            rest = {o: v for o, v in asked.items() if o != operator}
            without = {f: (rest if f == fact else o) for f, o in group.items() if f != fact or rest}
            yield path, f"{name} is left out", without
            opposite = OPPOSITE.get(operator)
            if opposite is not None and opposite not in asked:
                flipped = {(opposite if o == operator else o): v for o, v in asked.items()}
                yield path, f"{name} becomes {opposite}", {**group, fact: flipped}
            for says, other in _operands(fact, operator, operand, words):
                yield path, f"{name} {says}", {**group, fact: {**asked, operator: other}}


def _operands(fact: str, operator: str, operand: Any, words: Words) -> Iterator[tuple[str, Any]]:
    """What else could stand after an operator, with words for it."""
    if operator in {"is_known", "is_unknown"}:
        return
    if operator in _BY_TIME:
        yield from ((f"{other}, not {operand}", other) for other in _durations(str(operand)))
    elif operator in {"is_before", "is_after"}:
        yield from ((f"{other}, not {operand}", other) for other in _days(str(operand)))
    elif isinstance(operand, list) and operator == "is_between":
        for end in (0, 1):
            for other in _numbers(operand[end]):
                yield f"{other} instead of {operand[end]}", [other if n == end else v for n, v in enumerate(operand)]
    elif isinstance(operand, list) or operand in words.portal.lists:
        yield from _lists(fact, operand, words)
    elif numbers := list(_numbers(operand)) if (FACTS[fact].kind if fact in FACTS else NUMBER) == NUMBER else []:
        yield from ((f"{other}, not {operand}", other) for other in numbers)
    elif operand not in {"true", "false"}:
        yield from ((f"{other}, not {operand}", other) for other in words.others(fact, operand)[:1])


def _lists(fact: str, operand: Any, words: Words) -> Iterator[tuple[str, Any]]:
    """A list without each of its values, and with one more."""
    values: list[str] = list(operand) if isinstance(operand, list) else list(words.portal.lists[operand])
    if len(values) > 1:
        for value in values:
            yield f"without {value}", [v for v in values if v != value]
    more = [w for w in words.others(fact, values[-1]) if w not in values and w != SOMETHING_ELSE]
    if more:
        yield f"with {more[0]} too", [*values, more[0]]


def of_action(action: ActionSpec, words: Words) -> Iterator[tuple[KeyPath, str, ActionSpec]]:
    """Every mutation of an action: path, words, and the action that comes of it."""
    for key in ("set", "propose"):
        values: Mapping[str, Any] | None = getattr(action, key)
        for path, says, other in of_values(values or {}, words):
            yield (key, *path), says, action.model_copy(update={key: other})
    for key, tos in (("digest", ("owner", "manager", "ops")), ("alert", ("manager", "ops"))):
        notice: DigestSpec | None = getattr(action, key)
        if notice is not None:
            to = next(t for t in tos if t != notice.to)
            elsewhere = action.model_copy(update={key: notice.model_copy(update={"to": to})})
            yield (key, "to"), f"{key} to {to}, not to {notice.to}", elsewhere
    task = action.create_task
    if task is not None and isinstance(task.due, AfterCause):
        for duration in _durations(task.due.after_cause):
            due = task.due.model_copy(update={"after_cause": duration})
            changed = action.model_copy(update={"create_task": task.model_copy(update={"due": due})})
            yield ("create_task", "due"), f"due {duration} after the cause, not {task.due.after_cause}", changed
    if task is not None:
        for name in [t for t in words.templates if t != task.template][:1]:
            changed = action.model_copy(update={"create_task": task.model_copy(update={"template": name})})
            yield ("create_task", "template"), f"template {name}, not {task.template}", changed


def of_values(values: Mapping[str, Any], words: Words) -> Iterator[tuple[KeyPath, str, dict[str, Any]]]:
    """Every mutation of what a rule or a cell sets."""
    for name, value in values.items():
        if len(values) > 1:
            yield (name,), f"{name} isn't set", {n: v for n, v in values.items() if n != name}
        if isinstance(value, dict) and "after_cause" in value:
            for duration in _durations(value["after_cause"]):
                says = f"{name} {duration} after the cause, not {value['after_cause']}"
                yield (name,), says, {**values, name: {"after_cause": duration}}
        elif isinstance(value, str):
            shape = words.portal.properties.get(name)
            others = [o for o in shape.options if o != value] if shape is not None else []
            if value == NONE:
                others = words.others(name, value)
            for other in (others or words.others(name, value))[:1]:
                yield (name,), f"{name} is set to {other}, not {value}", {**values, name: other}


def of_row(row: MatrixRowSpec, words: Words) -> Iterator[Mutation]:
    """Every mutation of a row of the matrix: of each answer, for each Lead status by itself."""
    for names, cell in row.cells.items():
        path: KeyPath = ("cells", names)
        for status in (n.strip() for n in names.split(",")):
            for says, other, asks in _answers(cell, words):
                yield Mutation(path, f"{status}: {says}", _answer(names, status, other), asks, status=status)


def _answers(cell: Any, words: Words) -> Iterator[tuple[str, Any, bool]]:
    """Every other answer: words, the answer, and whether only its conditions are others."""
    if not isinstance(cell, CellSpec):
        yield "reported, not fits", CellSpec(report="A combination to look at."), False
        return
    yield "fits, whatever it says", "fits", False
    for key in ("set", "propose"):
        values = getattr(cell, key) or {}
        for _, says, other in of_values(values, words):
            yield says, cell.model_copy(update={key: other}), False
    if cell.set is not None:
        yield "proposed, not set", cell.model_copy(update={"set": None, "propose": cell.set, "hard": False}), False
    if cell.propose is not None:
        yield "set, not proposed", cell.model_copy(update={"propose": None, "set": cell.propose}), False
    if cell.hard:
        yield "hard is left out", cell.model_copy(update={"hard": False}), False
    if cell.for_ is not None:
        yield "for is left out", cell.model_copy(update={"for_": None}), False
        for duration in _durations(cell.for_):
            yield f"for {duration}, not {cell.for_}", cell.model_copy(update={"for_": duration}), False
    if cell.when is not None:
        for _, says, group in of_group(cell.when, words):
            yield says, cell.model_copy(update={"when": group}), True


def _answer(names: str, status: str, cell: Any) -> Callable[[MatrixRowSpec], MatrixRowSpec]:
    """The row with another answer for one status."""

    def change(row: MatrixRowSpec) -> MatrixRowSpec:
        others = [n.strip() for n in names.split(",") if n.strip() != status]
        kept = {n: c for n, c in row.cells.items() if n != names}
        if others:
            kept[", ".join(others)] = row.cells[names]
        return row.model_copy(update={"cells": {**kept, status: cell}})

    return change


def alone(row: MatrixRowSpec, status: str) -> MatrixRowSpec:
    """The row with the answer for one status; to every other one it says `fits`."""
    others = [s for names in row.cells for n in names.split(",") if (s := n.strip()) != status]
    answer = next(cell for names, cell in row.cells.items() if status in (n.strip() for n in names.split(",")))
    return row.model_copy(update={"cells": {status: answer, **({", ".join(others): "fits"} if others else {})}})


def _durations(text: str) -> Iterator[str]:
    """One unit less, if something is left, and one more."""
    length = parse_duration(text)
    unit = f"{'business ' if length.business else ''}{length.unit}"
    for amount in (length.amount - 1, length.amount + 1):
        if amount > 0:
            yield f"{amount} {unit}{'' if amount == 1 else 's'}"


def _days(text: str) -> Iterator[str]:
    at = parse_instant(text)
    for days in (-1, 1):
        yield (at + timedelta(days=days)).isoformat()


def _numbers(text: Any) -> Iterator[str]:
    """One less and one more; nothing for what is no number."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        return
    for other in (number - 1, number + 1):
        yield f"{other:g}"
