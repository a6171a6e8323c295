"""What the cases leave untried: a rule that never fires in them or never nearly fires, an unvisited cell of the matrix.

A rule nearly fires in a case where at most one of its conditions fails, or where it holds and something else stops it:
only such a case shows where the rule ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hubsync.policy.compile import MATRIX
from hubsync.policy.spec import MatrixRowSpec
from hubsync.policy.view import Missing, View
from hubsync.rulefiles.load import LoadedRules
from hubsync.rulefiles.outcomes import done, failing
from hubsync.rulefiles.playing import Look

NONE = "none"
Cell = tuple[str, str, bool]
"""Lifecycle stage and Lead status as keys of rows and columns, and whether a deal is open."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something no case tries: where it stands, what it is called, and what is missing."""

    file: str
    line: int
    name: str
    message: str


def gaps(rules: LoadedRules, looks: Sequence[Look]) -> Iterator[Gap]:
    """Everything that the cases leave untried, in the order of the files."""
    fired, nearly, visited = tried(looks)
    for file, content in rules.files.rules.items():
        for number, spec in enumerate(content.rules):
            document = rules.documents[file]
            line = document.where(("rules", number, "id"))[0]
            if spec.id not in fired:
                yield Gap(document.file, line, spec.id, "no case in which it fires")
            if spec.id not in nearly:
                yield Gap(
                    document.file,
                    line,
                    spec.id,
                    "no case in which it nearly fires: one of its conditions fails, or something else stops it",
                )
    for number, row in enumerate(rules.files.matrix.matrix):
        missing = sorted(
            {f"{stage} × {status}" for stage, status in cells_of(row) if not was_at(row, stage, status, visited)}
        )
        if missing:
            document = rules.documents[MATRIX]
            line = document.where(("matrix", number))[0]
            yield Gap(document.file, line, f"row {number + 1}", f"no case for {', '.join(missing)}")


def tried(looks: Sequence[Look]) -> tuple[set[str], set[str], set[Cell]]:
    """The rules and cells that acted, the rules that nearly did, and the cells that contacts stood on."""
    fired: set[str] = set()
    nearly: set[str] = set()
    visited: set[Cell] = set()
    for look in looks:
        policy = look.situation.policy
        view = View(policy, look.situation.contact, look.situation.now)
        acted = {o.rule for o in done(look.decision, policy) if o.rule is not None and o.kind != "withdrawn"}
        fired |= acted
        left = (r for r in policy.rules if not r.matrix and r.id not in acted and r.id not in nearly)
        nearly |= {r.id for r in left if len(failing(r, view)) <= 1}
        deals = view.deals()
        visited.add(
            (
                policy.stages.like(policy.stages.key(view.stage)) or NONE,
                policy.statuses.like(policy.statuses.key(view.status)) or NONE,
                not isinstance(deals, Missing) and deals.open > 0,
            )
        )
    return fired, nearly, visited


def cells_of(row: MatrixRowSpec, names: str | None = None) -> Iterator[tuple[str, str]]:
    """Stage and status of every cell of a row, or of those whose statuses stand before one colon."""
    named = row.row.lifecycle_stage
    for stage in [named] if isinstance(named, str) else named:
        for together in row.cells if names is None else (names,):
            for status in together.split(","):
                yield stage, status.strip()


def was_at(row: MatrixRowSpec, stage: str, status: str, visited: set[Cell]) -> bool:
    """Whether a contact stood on this cell of the row."""
    deals = row.row.open_deals
    sides = (True, False) if deals is None else ("is_more_than" in deals,)
    return any((stage, status, side) in visited for side in sides)
