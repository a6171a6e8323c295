"""A rule compiled for one portal: closures where the rule file has words (policy/compile.py makes them)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from hubsync.policy.causes import Source
from hubsync.policy.changes import Cause
from hubsync.policy.conditions import Condition, Test
from hubsync.policy.view import DEALS, ENGAGEMENTS, HISTORY, MEETINGS, TASKS, Missing, View
from hubsync.policy.wording import Wording
from hubsync.policy.worktime import Duration

AUTO, PROPOSE, REPORT = "auto", "propose", "report"

Resolve = Callable[[View, Cause], str | Missing | None]

_COST = {DEALS: 1, HISTORY: 2, MEETINGS: 3, TASKS: 3, ENGAGEMENTS: 4}
"""How dear each read is beside the others: what is asked last."""


@dataclass(frozen=True, slots=True)
class SetAction:
    """Set `property` to what `resolve` answers (HubSpot's internal value, "" clears, None leaves it)."""

    property: str
    resolve: Resolve


@dataclass(frozen=True, slots=True)
class TaskAction:
    """Create a task from a template, due so long after the cause."""

    template: str
    subject: Wording
    body: Wording
    priority: str
    due: Duration
    owner: str = "contact_owner"
    """Whose it is: contact_owner, approver (T8), or an owner's id."""


@dataclass(frozen=True, slots=True)
class FindingAction:
    """Show a finding."""

    message: Wording


@dataclass(frozen=True, slots=True)
class NoticeAction:
    """Tell somebody: `kind` is digest or alert, `to` owner, manager or ops."""

    kind: str
    to: str
    text: Wording

    @property
    def target(self) -> str:
        """What the cause is spent for."""
        return f"{self.kind}:{self.to}"


Action = SetAction | TaskAction | FindingAction | NoticeAction


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rule, or one cell of the matrix (`matrix`); equal to itself alone. `where` is its file and id.

    `mode` is auto, propose or report; `quiet` its settling time (D7); `watches` the properties whose quiet time counts.
    """

    id: str
    playbook: str
    says: str
    mode: str
    cause: Source
    groups: tuple[tuple[Condition, ...], ...]
    actions: tuple[Action, ...]
    quiet: timedelta
    watches: frozenset[str]
    hard: bool = False
    outranks: frozenset[str] = frozenset()
    matrix: bool = False
    where: str = ""
    says_cause: str = ""
    ask: str = ""
    lowered: bool = False
    """Whether the roll-out keeps the rule below its own mode (B6)."""

    sets: tuple[SetAction, ...] = field(init=False)
    """The actions that write a property."""
    tasks: tuple[TaskAction, ...] = field(init=False)
    notices: tuple[NoticeAction, ...] = field(init=False)
    findings: tuple[FindingAction, ...] = field(init=False)
    targets: tuple[str, ...] = field(init=False)
    """What a cause is spent for: properties, task templates, digests and alerts."""
    errands: tuple[str, ...] = field(init=False)
    """Of `targets`, those that come with tasks, digests and alerts."""
    test: Test = field(init=False)
    """Whether `when` holds, asked of everything; decisions ask the shorter `Residual` instead."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sets", tuple(a for a in self.actions if isinstance(a, SetAction)))
        object.__setattr__(self, "tasks", tuple(a for a in self.actions if isinstance(a, TaskAction)))
        object.__setattr__(self, "notices", tuple(a for a in self.actions if isinstance(a, NoticeAction)))
        object.__setattr__(self, "findings", tuple(a for a in self.actions if isinstance(a, FindingAction)))
        errands = (*(t.template for t in self.tasks), *(n.target for n in self.notices))
        object.__setattr__(self, "errands", errands)
        object.__setattr__(self, "targets", (*(s.property for s in self.sets), *errands))
        object.__setattr__(self, "test", any_of([all_of(g) for g in self.groups]))


@dataclass(frozen=True, slots=True, eq=False)
class Foreign:
    """A workflow of the portal's: it sets `values` (HubSpot's property → value) whenever one of its groups holds."""

    id: str
    says: str
    groups: tuple[tuple[Condition, ...], ...]
    values: Mapping[str, str]
    test: Test


@dataclass(frozen=True, slots=True)
class Residual:
    """What is left to ask of a rule once Lead status and Lifecycle stage are known."""

    rule: Rule
    test: Test


def cost(mask: int) -> int:
    """How dear it is to read all that a mask names; 0 is what costs nothing."""
    return sum(price for read, price in _COST.items() if mask & read)


def always(_view: View) -> int:
    """The test of a rule of which nothing is left to ask."""
    return 1


def all_of(conditions: Sequence[Condition]) -> Test:
    """All must hold. Cheap conditions are asked first; of the dear ones only the cheapest unknown is named."""
    if not conditions:
        return always
    ordered = sorted(conditions, key=lambda c: (cost(c.fact.mask), c.flip is not None))
    tests = tuple(c.test for c in ordered)
    first_timed = next((n for n, c in enumerate(ordered) if c.flip is not None), len(ordered))
    left = [c for c in ordered[first_timed:] if c.flip is None]
    test = _in_order(tests) if len(tests) > 1 else tests[0]
    return _never_in_vain(test, all_of(left)) if left else test


def _in_order(tests: Sequence[Test]) -> Test:
    if len(tests) == 2:
        return _both(*tests)

    def test(view: View) -> int:
        unknown = 0
        for ask in tests:
            answer = ask(view)
            if answer == 0:
                return 0
            if answer < 0 and unknown == 0:
                unknown = answer
        return unknown or 1

    return test


def _both(first: Test, second: Test) -> Test:
    """The same of two, as most groups are: without a loop."""

    def test(view: View) -> int:
        one = first(view)
        if one == 0:
            return 0
        other = second(view)
        return one if one < 0 and other != 0 else other

    return test


def _never_in_vain(test: Test, others: Test) -> Test:
    """Nobody looks again for a condition on time while another one, asked after it, keeps the group from holding."""

    def quietly(view: View) -> int:
        before = len(view.turns)
        answer = test(view)
        if answer == 0 and len(view.turns) > before and others(view) == 0:
            del view.turns[before:]
        return answer

    return quietly


def any_of(tests: Sequence[Test]) -> Test:
    """One must hold."""
    if always in tests:
        return always
    if len(tests) == 1:
        return tests[0]

    def test(view: View) -> int:
        unknown = 0
        for ask in tests:
            answer = ask(view)
            if answer > 0:
                return answer
            if answer < 0 and unknown == 0:
                unknown = answer
        return unknown

    return test


@dataclass(frozen=True, slots=True)
class Cell:
    """The rules that can matter at one combination of status and stage."""

    autos: tuple[Residual, ...] = ()
    cells: tuple[Residual, ...] = ()
    """Cells of the matrix that correct: judged once the automations rest."""
    notes: tuple[Residual, ...] = ()
    """Proposals, reports and findings: judged on the state that all corrections leave."""
    tasks: tuple[Residual, ...] = ()
    """Tasks, digests and alerts that come without a change."""
    dealless: Cell | None = None
    """What is left of the cell for contacts without deals; None where that is this very cell."""

    untasked: tuple[Residual, ...] = field(init=False)
    """Everything but tasks."""
    everything: tuple[Residual, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "untasked", self.autos + self.cells + self.notes)
        object.__setattr__(self, "everything", self.untasked + self.tasks)
