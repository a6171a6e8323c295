"""What the cases touch: `hubsync rules test --coverage`. Every rule, condition, action, operator and cell, one by one.

A rule is touched where it fires in one case and nearly fires in another; a condition where the rule holds in one case
and it alone keeps a group of the rule from holding in another; an action where it is carried out, proposed or reported;
a cell that fits where a case stands on it, any other where its answer comes; an operator where a condition with it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hubsync.policy.compile import MATRIX
from hubsync.policy.rules import REPORT, Rule
from hubsync.policy.spec import ActionSpec, CellSpec, RuleSpec
from hubsync.policy.view import View
from hubsync.rulefiles.coverage import cells_of, tried, was_at
from hubsync.rulefiles.load import LoadedRules
from hubsync.rulefiles.outcomes import KEYS, done
from hubsync.rulefiles.playing import Look
from hubsync.rulefiles.situations import Situation, after

KINDS = ("rule", "condition", "action", "operator", "cell")
"""What is counted, in the order in which it is shown."""

SIDES = {"": "", "is": "_without_deal", "is_more_than": "_open_deal"}
"""What the ids of a row's cells say of its deals, by the operator on `open_deals`."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that cases can touch: where it stands, and, where none does, what is missing ("" where one does)."""

    kind: str
    name: str
    file: str
    line: int
    missing: str = ""


@dataclass(slots=True)
class _Seen:
    """What came up in the looks of all cases."""

    holds: set[tuple[str, str]] = field(default_factory=set)
    """Rule and condition, where the rule held."""
    stops: set[tuple[str, str]] = field(default_factory=set)
    """Rule and condition, where it alone kept a group from holding."""
    acted: set[tuple[str, str, str]] = field(default_factory=set)
    """Rule, and what it did to what: `set lead_status`, `task first_contact`."""


def measure(rules: LoadedRules, looks: Sequence[Look]) -> list[Item]:
    """Everything that cases can touch, in the order of the files; operators last."""
    seen = _Seen()
    for look in looks:
        _note(look, seen)
    fired, nearly, visited = tried(looks)
    items: list[Item] = []
    operators: dict[str, bool] = {}
    for file, content in rules.files.rules.items():
        document = rules.documents[file]
        for number, spec in enumerate(content.rules):
            lacks = [w for w, known in (("it fires", fired), ("it nearly fires", nearly)) if spec.id not in known]
            here = document.where(("rules", number, "id"))[0]
            items.append(Item("rule", spec.id, document.file, here, _never(lacks)))
            for path, text, operator in _conditions(spec):
                lacks = [
                    what
                    for what, known in (("the rule holds", seen.holds), ("it alone stops the rule", seen.stops))
                    if (spec.id, text) not in known
                ]
                line = document.where(("rules", number, *path))[0]
                items.append(Item("condition", f"{spec.id}: {text}", document.file, line, _never(lacks)))
                operators[operator] = operators.get(operator, False) or not lacks
            for index, action in enumerate(spec.then):
                line = document.where(("rules", number, "then", index))[0]
                for kind, about in _deeds(action):
                    came = (spec.id, kind, about) in seen.acted
                    name = f"{spec.id}: {kind} {about}".rstrip()
                    items.append(
                        Item("action", name, document.file, line, "" if came else "no case in which it is done")
                    )
    items += _cells(rules, visited, fired)
    where = rules.documents[MATRIX].file.removesuffix(MATRIX) or "."
    items += [
        Item("operator", name, where, 1, "" if touched else "no condition with it is touched")
        for name, touched in sorted(operators.items())
    ]
    return items


def share(items: Sequence[Item]) -> float:
    """How many of 100 are touched; 100 of nothing."""
    return 100 * sum(not i.missing for i in items) / len(items) if items else 100.0


def _never(lacks: Sequence[str]) -> str:
    return f"no case in which {' and none in which '.join(lacks)}" if lacks else ""


def _note(look: Look, seen: _Seen) -> None:
    policy = look.situation.policy
    for outcome in done(look.decision, policy):
        kind = "set" if outcome.kind in {"propose", "backlog"} else outcome.kind
        rule = policy.rule(outcome.rule) if outcome.rule is not None else None
        if rule is None or kind == "withdrawn":
            continue
        seen.acted.add((rule.id, kind, "" if kind == "finding" else outcome.about))
        if rule.mode == REPORT and kind == "finding":
            seen.acted |= {(rule.id, "set", KEYS.get(a.property, a.property)) for a in rule.sets}
            seen.acted |= {(rule.id, "task", a.template) for a in rule.tasks}
    for situation in (look.situation, after(look.situation, look.decision)):
        _note_conditions(policy.rules, situation, seen)


def _note_conditions(rules: Sequence[Rule], situation: Situation, seen: _Seen) -> None:
    view = View(situation.policy, situation.contact, situation.now)
    for rule in rules:
        for group in () if rule.matrix else rule.groups:
            failing = [c for c in group if c.test(view) <= 0]
            if not failing:
                seen.holds |= {(rule.id, c.text) for c in group}
            elif len(failing) == 1:
                seen.stops.add((rule.id, failing[0].text))


def _conditions(spec: RuleSpec) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Every condition of a rule: the path to it, its text as `Condition.text` gives it, its operator."""
    listed = isinstance(spec.when, list)
    for number, group in enumerate(spec.when if isinstance(spec.when, list) else [spec.when]):
        for fact, asked in group.items():
            for operator, operand in asked.items():
                path = ("when", *((number,) if listed else ()), fact, operator)
                yield path, _text(fact, operator, operand), operator


def _text(fact: str, operator: str, operand: object) -> str:
    words = operator.replace("_", " ")
    if operator in {"is_known", "is_unknown"}:
        return f"{fact} {words}"
    shown = ", ".join(map(str, operand)) if isinstance(operand, list) else str(operand)
    return f"{fact} {words} {shown}".rstrip()


def _deeds(action: ActionSpec) -> Iterator[tuple[str, str]]:
    for name in (*(action.set or {}), *(action.propose or {})):
        yield "set", name
    if action.create_task is not None:
        yield "task", action.create_task.template
    if action.finding is not None:
        yield "finding", ""
    for kind, notice in (("digest", action.digest), ("alert", action.alert)):
        if notice is not None:
            yield kind, notice.to


def _cells(rules: LoadedRules, visited: set[tuple[str, str, bool]], fired: set[str]) -> Iterator[Item]:
    document = rules.documents[MATRIX]
    answers = {r.id for r in rules.compile(rolled_out=True).rules if r.matrix}
    for number, row in enumerate(rules.files.matrix.matrix):
        side = {None: "", "is": "_without_deal", "is_more_than": "_open_deal"}[
            next(iter(row.row.open_deals or ()), None)
        ]
        for names, cell in row.cells.items():
            line = document.where(("matrix", number, "cells", names), key=True)[0]
            for stage, status in cells_of(row, names):
                own = f"cell_{stage}{side}_{status}"
                ids = sorted(a for a in answers if isinstance(cell, CellSpec) and _belongs(a, own, cell))
                for name in ids or [f"{stage}{side.replace('_', ' ')} × {status}"]:
                    reached = name in fired if ids else was_at(row, stage, status, visited)
                    yield Item("cell", name, document.file, line, "" if reached else "no case that gets there")


def _belongs(answer: str, own: str, cell: CellSpec) -> bool:
    return answer == own if cell.ask_deal is None else answer.startswith(f"{own}_")
