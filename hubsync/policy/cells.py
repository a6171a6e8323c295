"""The dispatch table: for every combination of Lead status and Lifecycle stage, the rules that can matter there.

Conditions on the two fields are answered once, here; at run time a contact asks only what is left. Most contacts have
no deal, so that conditions on deals are answered here for them as well. An unmapped option has no cell: such contacts
are left alone (D4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hubsync.policy.conditions import Condition
from hubsync.policy.deals import DealSummary
from hubsync.policy.portal_spec import PortalSpec
from hubsync.policy.rules import AUTO, Cell, Residual, Rule, all_of, any_of
from hubsync.policy.view import DEALS, View
from hubsync.policy.vocabulary import Terms

_OF_THE_CELL = frozenset({"lead_status", "lifecycle_stage"})


class _Probe(View):
    """Just enough of a view to ask a condition about one status or stage."""

    def __init__(self, statuses: Terms, stages: Terms, status: str, stage: str) -> None:
        self.policy = _Words(statuses, stages)  # type: ignore[assignment]
        self.status = status
        self.stage = stage
        self._deals = DealSummary()


class _Words:
    def __init__(self, statuses: Terms, stages: Terms) -> None:
        self.statuses = statuses
        self.stages = stages


def lay_out(
    rules: Sequence[Rule], statuses: Terms, stages: Terms, portal: PortalSpec
) -> Mapping[tuple[str, str], Cell]:
    """Every (status value, stage value), empty ones included, with the rules that can hold there."""
    table: dict[tuple[str, str], Cell] = {}
    for stage in ("", *(t.value for t in stages.terms)):
        inside = _rules_at(rules, stages.key(stage), stages, portal)
        for status in ("", *(t.value for t in statuses.terms)):
            probe = _Probe(statuses, stages, status, stage)
            table[status, stage] = _cell(inside, probe, dealless=_cell(inside, probe))
    return table


def _cell(rules: Sequence[Rule], probe: View, dealless: Cell | None = None) -> Cell:
    """The cell of a combination; without `dealless`, the one for contacts that have no deals."""
    left = [r for rule in rules if (r := _residual(rule, probe, has_deals=dealless is not None)) is not None]
    corrects = [r for r in left if r.rule.mode == AUTO and r.rule.sets]
    tasks = [r for r in left if r.rule.mode == AUTO and r.rule.errands and not r.rule.sets]
    notes = [r for r in left if r not in corrects and (r not in tasks or r.rule.findings)]
    return Cell(
        autos=tuple(r for r in corrects if not r.rule.matrix),
        cells=tuple(r for r in corrects if r.rule.matrix),
        notes=tuple(sorted(notes, key=lambda r: (r.rule.matrix, r.rule.id))),
        tasks=tuple(tasks),
        dealless=dealless,
    )


def _rules_at(rules: Sequence[Rule], stage: str | None, stages: Terms, portal: PortalSpec) -> list[Rule]:
    """The rules that see contacts at a stage (D5): all where it is managed, elsewhere the matrix and `beyond` rules."""
    like = stages.like(stage)
    spec = portal.stages.get(like) if like else None
    if spec is not None and spec.managed:
        return list(rules)
    if spec is not None and spec.aside:
        return []
    last = max((t.order for t in stages.terms if t.order is not None and portal.stages[t.key].managed), default=-1)
    order = stages.order(stage)
    customer = order is not None and order > last
    return [r for r in rules if r.matrix or (customer and r.playbook in portal.scope.beyond)]


def _residual(rule: Rule, probe: View, *, has_deals: bool) -> Residual | None:
    groups: list[list[Condition]] = []
    for group in rule.groups:
        left: list[Condition] = []
        for condition in group:
            if condition.fact.name in _OF_THE_CELL or (condition.fact.mask == DEALS and not has_deals):
                if condition.test(probe) == 0:
                    break
            else:
                left.append(condition)
        else:
            groups.append(left)
    if not groups:
        return None
    return Residual(rule, any_of([all_of(g) for g in groups]))
