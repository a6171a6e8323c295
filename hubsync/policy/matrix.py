"""The matrix of Lead status and Lifecycle stage (playbook C1–C4): each cell that doesn't fit becomes a rule.

A cell that writes the status has the stage's entry (or the deal's opening, if later) as its cause, one that writes
the stage the status's entry, so that a person's later choice wins (C2). That no cell is forgotten is checked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hubsync.policy import causes
from hubsync.policy.actions import KEYED, ActionCompiler, lacks_a_key
from hubsync.policy.causes import Source
from hubsync.policy.rules import AUTO, PROPOSE, REPORT, Action, FindingAction, Rule, SetAction
from hubsync.policy.sentences import (
    MISFIT,
    MISFIT_OPEN,
    MISFIT_WITHOUT,
    NO_STAGE,
    NO_STATUS,
    SHOULD_BE_SET,
    SHOULD_BE_STAGE,
    SHOULD_BE_STATUS,
)
from hubsync.policy.spec import CellSpec, Language, MatrixRowSpec, MatrixSpec
from hubsync.policy.texts import Texts
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.policy.wording import Wording
from hubsync.policy.words import did_you_mean

if TYPE_CHECKING:
    from hubsync.policy.compile import KeyPath, _Compiler

MATRIX = "matrix.yaml"
NONE = "none"
DEALS_OPEN = {"open_deals": {"is_more_than": "0"}}
ASK_DEAL: tuple[tuple[str, dict[str, Any], str, dict[str, Any]], ...] = (
    ("open", DEALS_OPEN, AUTO, {"lifecycle_stage": "opportunity"}),
    (
        "lost",
        {
            "open_deals": {"is": "0"},
            "won_deals": {"is": "0"},
            "lost_deals": {"is_more_than": "0"},
            "loss_category": {"is_none_of": ["competitor", "wrong_fit"]},
        },
        AUTO,
        {"lead_status": "bad_timing", "hubsync_review_date": {"after_cause": "3 months"}},
    ),
    (
        "unfit",
        {
            "open_deals": {"is": "0"},
            "won_deals": {"is": "0"},
            "lost_deals": {"is_more_than": "0"},
            "loss_category": {"is_any_of": ["competitor", "wrong_fit"]},
        },
        AUTO,
        {"lead_status": "disqualified", "hubsync_reason": {"fact": "loss_category"}},
    ),
    (
        "won",
        {"open_deals": {"is": "0"}, "won_deals": {"is_more_than": "0"}},
        PROPOSE,
        {"lifecycle_stage": "customer"},
    ),
    (
        "none",
        {"open_deals": {"is": "0"}, "won_deals": {"is": "0"}, "lost_deals": {"is": "0"}},
        PROPOSE,
        {"lead_status": "working"},
    ),
)
"""What `ask_deal` answers (C3): by what the contact's deals say, the mode and the value.

A portal without one of these statuses says under `names:` which of its own stands in.
"""


def compile_matrix(owner: _Compiler, spec: MatrixSpec, quiet: timedelta) -> list[Rule]:
    """The rules of all cells that don't fit; a cell that is missing or stands twice is a fault."""
    return list(_Matrix(owner, quiet).rules(spec))


class _Matrix:
    def __init__(self, owner: _Compiler, quiet: timedelta) -> None:
        self.owner = owner
        self.quiet = quiet
        self.actions = ActionCompiler(owner, {})
        self.statuses = (NONE, *(k for k, s in owner.files.portal.statuses.items() if s.like is None))

    def rules(self, spec: MatrixSpec) -> Iterator[Rule]:
        covered: dict[str, list[str]] = {}
        for number, row in enumerate(spec.matrix):
            path: KeyPath = ("matrix", number)
            stages = self._stages(row, path)
            side = self._side(row, path)
            for stage in stages:
                covered.setdefault(stage, []).append(side)
            yield from self._row(row, stages, side, path)
        roots = [NONE, *(k for k, s in self.owner.files.portal.stages.items() if s.like is None and not s.aside)]
        for stage in roots:
            sides = sorted(covered.get(stage, []))
            if sides not in (["any"], ["open", "without"]):
                what = "has no row" if not sides else f"has rows that overlap or leave a gap ({', '.join(sides)})"
                self.owner.report(
                    MATRIX,
                    ("matrix",),
                    f'Lifecycle stage "{stage}" {what}; '
                    "each stage needs one row, or one with open_deals and one without",
                )

    def _stages(self, row: MatrixRowSpec, path: KeyPath) -> list[str]:
        named = row.row.lifecycle_stage
        keys = [named] if isinstance(named, str) else named
        table = self.owner.files.portal.stages
        for key in keys:
            if key != NONE and key not in table:
                self.owner.report(
                    MATRIX,
                    (*path, "row", "lifecycle_stage"),
                    f'"{key}" is no Lifecycle stage of portal.yaml{did_you_mean(key, table)}',
                )
        return [k for k in keys if k == NONE or k in table]

    def _side(self, row: MatrixRowSpec, path: KeyPath) -> str:
        if row.row.open_deals is None:
            return "any"
        if row.row.open_deals == DEALS_OPEN["open_deals"]:
            return "open"
        if row.row.open_deals == {"is": "0"}:
            return "without"
        self.owner.report(MATRIX, (*path, "row", "open_deals"), "write {is_more_than: 0} or {is: 0}")
        return "any"

    def _row(self, row: MatrixRowSpec, stages: list[str], side: str, path: KeyPath) -> Iterator[Rule]:
        seen: set[str] = set()
        for names, cell in row.cells.items():
            where = (*path, "cells", names)
            for status in (n.strip() for n in names.split(",")):
                if status not in self.statuses:
                    self.owner.report(
                        MATRIX,
                        where,
                        f'"{status}" is no Lead status of portal.yaml{did_you_mean(status, self.statuses)}',
                    )
                elif status in seen:
                    self.owner.report(MATRIX, where, f'"{status}" stands twice in this row')
                elif isinstance(cell, CellSpec):
                    for stage in stages:
                        yield from self._cell(stage, status, side, cell, where)
                seen.add(status)
        missing = [s for s in self.statuses if s not in seen]
        if missing:
            self.owner.report(
                MATRIX, (*path, "cells"), f"no answer for {', '.join(missing)} (C2: every cell has exactly one)"
            )

    def _cell(self, stage: str, status: str, side: str, cell: CellSpec, path: KeyPath) -> Iterator[Rule]:
        given = [n for n in ("set", "propose", "report", "ask_deal") if getattr(cell, n) is not None]
        if len(given) != 1:
            self.owner.report(MATRIX, path, "a cell is `fits`, or exactly one of set, propose, report, ask_deal")
            return
        name = "_".join(["cell", stage, *([f"{side}_deal"] if side != "any" else []), status])
        if cell.ask_deal is not None:
            if not (stage == "opportunity" and side == "open"):
                for suffix, when, mode, values in ASK_DEAL:
                    if side == "without" and suffix == "open":
                        continue
                    hard = cell.hard and suffix == "open"
                    yield from self._rule(
                        f"{name}_{suffix}", "C3", stage, status, side, cell, path, (mode, values, when, hard)
                    )
            return
        mode = AUTO if cell.set is not None else PROPOSE if cell.propose is not None else REPORT
        values = cell.set or cell.propose or {}
        yield from self._rule(name, "C1", stage, status, side, cell, path, (mode, values, {}, cell.hard))

    def _rule(
        self,
        name: str,
        playbook: str,
        stage: str,
        status: str,
        side: str,
        cell: CellSpec,
        path: KeyPath,
        answer: tuple[str, dict[str, Any], dict[str, Any], bool],
    ) -> Iterator[Rule]:
        mode, values, when, hard = answer
        conditions: dict[str, dict[str, Any]] = {
            "lifecycle_stage": {"is": stage} if stage != NONE else {"is_unknown": "true"},
            "lead_status": {"is": status} if status != NONE else {"is_unknown": "true"},
        }
        if side == "open":
            conditions |= DEALS_OPEN
        elif side == "without":
            conditions |= {"open_deals": {"is": "0"}}
        conditions |= when
        conditions |= cell.when or {}
        if cell.for_:
            conditions["lead_status_entered"] = {"is_more_than_ago": cell.for_}
        group = tuple(self.owner.conditions(conditions, MATRIX, path))
        actions: list[Action] = []
        words = self.owner.texts
        told = cell.report or cell.ask_deal
        says = words.sentence(told) if told else self._says(stage, status, side, values)
        if values:
            sets, lacking = self.actions.sets(values, MATRIX, (*path, "set" if cell.set is not None else "propose"))
            if lacks_a_key(lacking):
                says = f"{says} The portal has no {', no '.join(lacking)}."
            else:
                actions += sets
        if not actions:
            mode = REPORT
        if mode == REPORT:
            actions = [FindingAction(Wording(says))]
        self.owner.written.update(a.property for a in actions if isinstance(a, SetAction))
        yield Rule(
            id=name,
            playbook=playbook,
            says=says,
            mode=mode,
            cause=_cause(values if mode != REPORT else {}, side, name, hard),
            groups=(group,),
            actions=tuple(actions),
            quiet=self.quiet,
            watches=frozenset({STATUS, STAGE}),
            hard=hard,
            matrix=True,
            where=f"{MATRIX}:{name}",
            says_cause="the combination came about",
        )

    def _says(self, stage: str, status: str, side: str, values: dict[str, Any]) -> str:
        portal, words = self.owner.files.portal, self.owner.texts
        at = labelled(portal.stages[stage].labels, stage, words) if stage != NONE else words.sentence(NO_STAGE)
        has = labelled(portal.statuses[status].labels, status, words) if status != NONE else words.sentence(NO_STATUS)
        misfit = {"open": MISFIT_OPEN, "without": MISFIT_WITHOUT}.get(side, MISFIT)
        said = [words.sentence(misfit).format(stage=at, status=has)]
        return " ".join([*said, *(self._wanted(name, value) for name, value in values.items())])

    def _wanted(self, name: str, value: Any) -> str:
        portal, words = self.owner.files.portal, self.owner.texts
        key = self.owner.names.get(value, value) if isinstance(value, str) else ""
        if name == "lead_status" and key in portal.statuses:
            return words.sentence(SHOULD_BE_STATUS).format(value=labelled(portal.statuses[key].labels, key, words))
        if name == "lifecycle_stage" and key in portal.stages:
            return words.sentence(SHOULD_BE_STAGE).format(value=labelled(portal.stages[key].labels, key, words))
        return words.sentence(SHOULD_BE_SET).format(value=name)


def labelled(labels: Mapping[Language, str], key: str, texts: Texts) -> str:
    """A label of portal.yaml in the texts' language, else the English one, else the key."""
    return labels.get(texts.language) or labels.get("en", key)


def _cause(values: dict[str, Any], side: str, name: str, hard: bool) -> Source:
    """What makes a cell fire: hard ones each time the combination comes about anew, others as C2 says."""
    if hard:
        return causes.combination_entered(side == "open" or name.endswith("_open"))
    if name.endswith(("_lost", "_unfit")):
        return causes.CAUSES["last_deal_lost"][0]
    written = {KEYED.get(v, v) for v in values}
    if STATUS in written:
        return causes.stage_or_opening(side == "open")
    if STAGE in written:
        return causes.CAUSES["lead_status_entered"][0]
    return causes.combination_entered()
