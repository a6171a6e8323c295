"""One combination of Lead status and Lifecycle stage: each contact that rules can tell apart there, and its course."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from hubsync.policy.policy import Horizon, Policy
from hubsync.proving import checks
from hubsync.proving.checks import COVERAGE, DETERMINISM, EVER, NOTE, Fault, faults_of
from hubsync.proving.course import Course, follow
from hubsync.proving.ground import Ground, Place
from hubsync.proving.starts import Classes, Start


@dataclass(slots=True)
class Tally:
    """What was found at some combinations, and how much was looked at."""

    faults: list[Fault] = field(default_factory=list)
    cells: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    decisions: int = 0
    steps: int = 0
    """The most writes that any contact took to come to rest."""
    heard: set[str] = field(default_factory=set)
    """Rules of which something came in some course, or in a case."""

    def add(self, other: Tally) -> None:
        """Count another's with it."""
        self.faults += other.faults
        self.cells += other.cells
        self.classes += other.classes
        self.decisions += other.decisions
        self.steps = max(self.steps, other.steps)
        self.heard |= other.heard


def tally(ground: Ground, place: Place) -> Tally:
    """Everything followed that begins at a combination; of each fault the shortest counterexample."""
    told = Tally(cells=1)
    errands: set[Hashable] = set()
    for team in ground.teams:
        classes = Classes(ground, place, team)
        if classes.rules:
            told.faults += _team(ground, classes, team, errands, told)
    told.faults = shortest(told.faults)
    return told


def _team(
    ground: Ground, classes: Classes, team: frozenset[str], errands: set[Hashable], told: Tally
) -> Iterator[Fault]:
    writing, turned = ground.writing(team), ground.turned(team)
    compared: set[Hashable] = set()
    halves: dict[Hashable, Course] = {}
    for start, course, horizon in _followed(writing, classes.alone(), "alone", told):
        yield from faults_of(ground, start, course, horizon)
        yield from checks.with_habits(ground, start, course, horizon)
        if _first_of_its_kind(course, compared):
            yield from checks.order_of_rules(turned, start, course, horizon)
        if _first_of_its_kind(course, errands, ordered=False):
            yield from _with_errands(ground, start, horizon, told)
    for start, course, horizon in _followed(writing, classes.together(), "together", told):
        yield from faults_of(ground, start, course, horizon)
        if _first_of_its_kind(course, compared):
            yield from checks.order_of_rules(turned, start, course, horizon)
        yield from checks.with_habits(ground, start, course, horizon)
        yield from checks.one_by_one(ground, start, course, halves)
    for start, course, horizon in _followed(writing, classes.recurring(), "recurring", told):
        yield from faults_of(ground, start, course, horizon)
        yield from checks.circles(start, course, horizon)


def _with_errands(ground: Ground, start: Start, horizon: Horizon, told: Tally) -> Iterator[Fault]:
    """The same contact with everything that is asked, shown and reminded of: nothing twice, nothing for the backlog."""
    situation = start.situation(ground.policy)
    if situation is not None:
        course = follow(situation, horizon)
        told.decisions += len(course.looks)
        yield from faults_of(ground, start, course, horizon)
        yield from checks.backlog(ground, start, course)


def _first_of_its_kind(course: Course, seen: set[Hashable], *, ordered: bool = True) -> bool:
    """Whether no contact at this combination was decided by the same rules before, their causes so `ordered`."""
    decision = course.looks[0].decision
    parts = [(c.rule, c.property, c.new, c.cause.at) for c in decision.changes]
    parts += [(s.rule, s.target, s.value, s.cause.at) for s in decision.superseded]
    parts += [(t.rule, t.template, "", t.cause.at) for t in decision.tasks]
    if not parts:
        return False
    moments = sorted({at for *_, at in parts})
    kind = frozenset((*words, moments.index(at) if ordered else 0) for *words, at in parts)
    fresh = kind not in seen
    seen.add(kind)
    return fresh


def _followed(
    policy: Policy, starts: Iterable[Start], kind: str, told: Tally
) -> Iterator[tuple[Start, Course, Horizon]]:
    seen: set[Hashable] = set()
    for start in starts:
        situation = start.situation(policy) if start.key not in seen else None
        seen.add(start.key)
        if situation is None:
            continue
        horizon = EVER if start.since is None else Horizon(start.since)
        course = follow(situation, horizon)
        told.classes[kind] += 1
        told.decisions += len(course.looks)
        told.heard |= {change.rule for look in course.looks for change in look.decision.changes}
        told.steps = max(told.steps, course.steps if course.rests else 0)
        yield start, course, horizon


def shortest(faults: Iterable[Fault]) -> list[Fault]:
    """Of all that is the same fault of the same rules, the shortest counterexample."""
    best: dict[tuple[str, tuple[str, ...], str], Fault] = {}
    for fault in faults:
        key = (fault.kind, tuple(sorted(fault.rules)), "" if fault.rules else fault.message)
        if key not in best or fault.length < best[key].length:
            best[key] = fault
    told = list(best.values())
    return sorted((f for f in told if not _within(f, told)), key=lambda f: (f.kind, f.rules))


def _within(fault: Fault, told: Sequence[Fault]) -> bool:
    """Whether fewer of its rules do the same by themselves, or a rule isn't heard because of what it does wrong.

    What one rule makes hang on the moment of a look is not what it and another are at odds about.
    """
    if fault.kind == COVERAGE:
        return any(other.kind not in {COVERAGE, NOTE} and fault.rules[0] in other.rules for other in told)
    fewest = 2 if fault.kind == DETERMINISM else 1
    fewer = (set(other.rules) for other in told if other.kind == fault.kind and len(other.rules) >= fewest)
    return any(rules < set(fault.rules) for rules in fewer)
