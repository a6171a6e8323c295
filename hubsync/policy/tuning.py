"""Rules that people overrule too often: they propose from then on, until somebody has tuned them (playbook A18).

Pure: the counts come from the ledger and the log of overrides (sync/overrides.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from hubsync.policy.policy import Policy
from hubsync.policy.rules import AUTO, PROPOSE, Cell, Residual, Rule

ENOUGH = 20
"""Fewer writes than this say nothing about a rule."""
TOO_MANY = 0.10
"""The share of a rule's writes that people may change back before it only proposes."""


@dataclass(frozen=True, slots=True)
class Record:
    """How often a rule wrote to a contact for a cause, and how many of these writes a person changed back."""

    rule: str
    writes: int
    overridden: int

    @property
    def share(self) -> float:
        """The share that was changed back; 0 where nothing was written."""
        return self.overridden / self.writes if self.writes else 0.0

    @property
    def up_for_tuning(self) -> bool:
        """Whether the rule is overruled too often to write by itself."""
        return self.writes >= ENOUGH and self.share > TOO_MANY


def up_for_tuning(records: Iterable[Record]) -> dict[str, Record]:
    """The rules that may only propose, with why."""
    return {record.rule: record for record in records if record.up_for_tuning}


def proposing(policy: Policy, names: Collection[str]) -> Policy:
    """The policy with these rules lowered from auto to propose; others stay as they are."""
    lowered = {
        rule.id: replace(rule, mode=PROPOSE, lowered=True)
        for rule in policy.rules
        if rule.id in names and rule.mode == AUTO
    }
    if not lowered and not policy.by_team:
        return policy
    return replace(
        policy,
        rules=tuple(lowered.get(rule.id, rule) for rule in policy.rules),
        cells={place: _lowered(cell, lowered) for place, cell in policy.cells.items()},
        by_team={team: proposing(other, names) for team, other in policy.by_team.items()},
        up_for_tuning=policy.up_for_tuning | frozenset(lowered),
    )


def _lowered(cell: Cell, rules: Mapping[str, Rule]) -> Cell:
    """The cell with the rules moved from those that correct to those that are shown."""

    def kept(residuals: Iterable[Residual]) -> tuple[Residual, ...]:
        return tuple(r for r in residuals if r.rule.id not in rules)

    moved = [replace(r, rule=rules[r.rule.id]) for r in (*cell.autos, *cell.cells, *cell.tasks) if r.rule.id in rules]
    return Cell(
        autos=kept(cell.autos),
        cells=kept(cell.cells),
        notes=tuple(sorted((*cell.notes, *moved), key=lambda r: (r.rule.matrix, r.rule.id))),
        tasks=kept(cell.tasks),
        dealless=_lowered(cell.dealless, rules) if cell.dealless is not None else None,
    )
