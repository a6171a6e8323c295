"""The dispatch table: for every combination of Lead status and Lifecycle stage, the rules that can matter there.

Conditions on the two fields are answered once, here; at run time a contact asks only what is left. Most contacts have
no deal, so that conditions on deals are answered here for them as well. An unmapped option has no cell: such contacts
are left alone (D4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from hubsync.policy.conditions import Condition
from hubsync.policy.deals import DealSummary
from hubsync.policy.portal_spec import PortalSpec
from hubsync.policy.rules import AUTO, Cell, Residual, Rule, all_of, any_of
from hubsync.policy.view import DEALS, View
from hubsync.policy.vocabulary import Terms

Place = tuple[str, str]
"""Lead status and Lifecycle stage, as HubSpot's values; "" for none."""


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
    rules: Sequence[Rule], statuses: Terms, stages: Terms, portal: PortalSpec, at: Place | None = None
) -> Mapping[Place, Cell]:
    """Every combination, empty values included, with the rules that can hold there; or one of them alone (`at`)."""
    lines = ("", *(t.value for t in statuses.terms)) if at is None else at[:1]
    columns = ("", *(t.value for t in stages.terms)) if at is None else at[1:]
    probes = {status: _Probe(statuses, stages, status, "") for status in lines}
    sifted = {rule: _Sifted.of(rule, probes) for rule in rules}
    table: dict[Place, Cell] = {}
    for stage in columns:
        probe = _Probe(statuses, stages, "", stage)
        inside = _rules_at(rules, stages.key(stage), stages, portal)
        here = [(sifted[rule], held) for rule in inside if (held := _open(rule, _of_stage, probe))]
        for status in lines:
            left = [one.left(both) for one, held in here if (both := held & one.open_at[status])]
            dealless = _cell([without for _, without in left if without is not None])
            table[status, stage] = _cell([with_deals for with_deals, _ in left], dealless)
    return table


def _cell(left: Sequence[Residual], dealless: Cell | None = None) -> Cell:
    """The cell of what is left of the rules; without `dealless`, the one for contacts that have no deals."""
    autos = [r for r in left if r.rule.mode == AUTO]
    corrects = [r for r in autos if r.rule.sets]
    tasks = [r for r in autos if r.rule.errands and not r.rule.sets]
    notes = [r for r in left if r.rule.mode != AUTO or not (r.rule.sets or (r.rule.errands and not r.rule.findings))]
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


def _of_status(condition: Condition) -> bool:
    return condition.fact.name == "lead_status"


def _of_stage(condition: Condition) -> bool:
    return condition.fact.name == "lifecycle_stage"


def _of_deals(condition: Condition) -> bool:
    return condition.fact.mask == DEALS


def _open(rule: Rule, asked: Callable[[Condition], bool], probe: View) -> int:
    """The groups of a rule that some of its conditions leave open: bit n for group n."""
    bits = 0
    for number, group in enumerate(rule.groups):
        if all(c.test(probe) != 0 for c in group if asked(c)):
            bits |= 1 << number
    return bits


@dataclass(frozen=True, slots=True)
class _Sifted:
    """A rule whose conditions on the two fields are answered: once for a value of a field, not once for a cell."""

    rule: Rule
    open_at: Mapping[str, int]
    """The groups open at each value of Lead status, as of `_open`."""
    dealless: int
    """Those open to a contact without deals."""
    residuals: dict[int, tuple[Residual, Residual | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, rule: Rule, probes: Mapping[str, View]) -> Self:
        open_at = {value: _open(rule, _of_status, probe) for value, probe in probes.items()}
        return cls(rule, open_at, _open(rule, _of_deals, next(iter(probes.values()))))

    def left(self, bits: int) -> tuple[Residual, Residual | None]:
        """What is left to ask where these groups are open, and of a contact without deals, if it can hold for one."""
        if bits not in self.residuals:
            without = bits & self.dealless
            self.residuals[bits] = (
                self._residual(bits, has_deals=True),
                self._residual(without, has_deals=False) if without else None,
            )
        return self.residuals[bits]

    def _residual(self, bits: int, *, has_deals: bool) -> Residual:
        groups = [
            [c for c in group if not (_of_status(c) or _of_stage(c) or (_of_deals(c) and not has_deals))]
            for number, group in enumerate(self.rule.groups)
            if bits >> number & 1
        ]
        return Residual(self.rule, any_of([all_of(g) for g in groups]))
