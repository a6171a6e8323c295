"""Whether every rule can hold and be heard, and every status can be reached (playbook C2).

A rule of which something comes in a case beside it is neither dead nor shadowed. For any other, the conditions of each
of its groups are met by construction: one option for each subject that it asks. If none of its groups then holds at
any combination it is dead; if it holds and never has any effect it is shadowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice, product

from hubsync.policy.changes import CORRECT, Decision
from hubsync.policy.conditions import Condition
from hubsync.policy.policy import Horizon
from hubsync.policy.rules import Rule
from hubsync.policy.timeline import AUTOMATION, PERSON
from hubsync.policy.view import View
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.proving.checks import COVERAGE, EVER, NOTE, Fault
from hubsync.proving.course import follow
from hubsync.proving.ground import NONE, Alive, Ground, Place, constant
from hubsync.proving.options import NOW, Option
from hubsync.proving.starts import STAGE_ENTRY, STATUS_ENTRY, Entry, Start, laid
from hubsync.proving.subjects import subject_of
from hubsync.rulefiles.cases import load_cases
from hubsync.rulefiles.playing import play

_LATELY = ((0, 0), (None, None), (0, None), (None, 0))
"""Which of status and stage were entered lately: both, none, or one of them; the other has stood for long."""
MOST_TRIES = 1_250
"""So many contacts are tried for a rule before it is called dead."""
MOST_BESIDE = 4_000
"""So many more, twice, before it is called shadowed: something else is so as well that rules ask there."""


def uncovered(ground: Ground, heard: set[str]) -> Iterator[Fault]:
    """Rules that are dead or shadowed, and statuses to which nothing leads; of those `heard` something comes."""
    unstated = {name for rules in ground.unstated.values() for name in rules}
    for rule in ground.policy.rules:
        if rule.id not in heard | unstated:
            yield from _heard(ground, rule)
    yield from _unreachable(ground)


def in_cases(ground: Ground) -> set[str]:
    """The rules of which something comes in the cases beside them, for the portal that the files describe."""
    found: set[str] = set()
    for case in load_cases(ground.loaded.folder, ground.loaded):
        if case.situation.policy.deals == ground.policy.deals:
            found |= {rule for look in play(case).looks for rule in _heard_of(look.decision)}
    return found


def _heard(ground: Ground, rule: Rule) -> Iterator[Fault]:
    held, heard = _tried(ground, rule, islice(_tries(ground, rule), MOST_TRIES))
    if held is None:
        kind = NOTE if rule.matrix else COVERAGE
        yield Fault(kind, f"{rule.id} is dead: no contact meets its conditions", (rule.id,), _nearest(ground, rule))
    elif not (heard or rule.matrix or _heard_beside(ground, rule)):
        start, winner = held
        by = f" by {winner}" if winner else ""
        message = f"{rule.id} is shadowed{by}: wherever it holds, it has no effect"
        yield Fault(COVERAGE, message, (rule.id, *filter(None, [winner])), start)


def _heard_beside(ground: Ground, rule: Rule) -> bool:
    """Whether anything comes of it where something else is so as well, or where older causes are backlog."""
    horizons = (EVER, Horizon(NOW - timedelta(days=1)))
    tries = (islice(_tries(ground, rule, beside=True), MOST_BESIDE) for _ in horizons)
    return any(_tried(ground, rule, some, horizon)[1] for some, horizon in zip(tries, horizons, strict=True))


def _tried(
    ground: Ground, rule: Rule, starts: Iterable[Start], horizon: Horizon = EVER
) -> tuple[tuple[Start, str] | None, bool]:
    """The first of the contacts for whom the rule held, with who won there, and whether anything ever came of it."""
    held: tuple[Start, str] | None = None
    alone = replace(ground.policy, foreign=())
    for start in starts:
        situation = start.situation(ground.policy)
        if situation is None:
            continue
        for look in follow(replace(situation, policy=alone), horizon).looks:
            view = View(ground.policy, look.situation.contact, look.situation.now)
            if rule.test(view) <= 0:
                continue
            if rule.id in _heard_of(look.decision):
                return held, True
            winner = next((s.by for s in look.decision.superseded if s.rule == rule.id), "")
            held = held or (start, winner)
    return held, False


def _heard_of(decision: Decision) -> set[str]:
    """The rules of which something comes; what they would write for older causes comes to nothing."""
    shown = {f.rule for f in decision.findings if f.kind != CORRECT}
    found = {c.rule for c in decision.changes} | {t.rule for t in decision.tasks} | shown
    return found | {n.rule for n in decision.notices}


def _nearest(ground: Ground, rule: Rule) -> Start | None:
    """A contact that comes near, for the story."""
    return next(_tries(ground, rule), None) or next((laid(ground, place, [], []) for place in ground.places), None)


def _tries(ground: Ground, rule: Rule, *, beside: bool = False) -> Iterator[Start]:
    """Contacts that meet the rule's conditions as far as one can tell beforehand, newest causes first.

    With `beside` each comes with something more: it may keep one that would win from holding, or from wanting anything.
    """
    for place in ground.where(rule):
        alive = ground.at(rule, place)
        others = [*_beside(ground, rule, place)] if beside else [()]
        for group in alive.groups:
            for things, more in product(_met(ground, group, [*_causing(alive)], {}), others):
                if not {option.subject for option in more} & {option.subject for option in things}:
                    yield from _laid(ground, alive, place, [*things, *more])


def _beside(ground: Ground, rule: Rule, place: Place) -> Iterator[tuple[Option, ...]]:
    """Nothing, something that other rules ask there, what they would write where this rule does, or both."""
    asked, held = [*_asked_by_others(ground, place)], [*_written_by_others(ground, rule, place)]
    yield ()
    yield from ((one,) for one in (*asked, *held))
    yield from ((one, value) for one, value in product(asked, held) if one.subject != value.subject)


def _written_by_others(ground: Ground, rule: Rule, place: Place) -> Iterator[Option]:
    """The properties that the rule sets, as other rules would leave them."""
    mine = {action.property for action in rule.sets} - {STATUS, STAGE}
    for alive in ground.alive[place]:
        for action in alive.rule.sets if alive.rule is not rule else ():
            if action.property in mine and (value := constant(action)):
                yield Option(action.property, f"{action.property} is {value}", ((action.property, value),))


def _asked_by_others(ground: Ground, place: Place) -> Iterator[Option]:
    """What may be so of which the rules ask that write here."""
    names = {subject_of(fact) for alive in ground.alive[place] for fact in alive.facts}
    for name in sorted(name for name in names if name in ground.subjects):
        yield from ground.subjects[name].options


def _causing(alive: Alive) -> Iterator[str]:
    """The subject without which there is no cause."""
    name = subject_of(alive.cause) if alive.cause else ""
    if name:
        yield name


def _met(
    ground: Ground, group: Sequence[Condition], more: Sequence[str], chosen: dict[str, Option]
) -> Iterator[list[Option]]:
    names = [*dict.fromkeys(n for c in group if (n := subject_of(c.fact.name))), *more]
    name = next((n for n in names if n not in chosen), None)
    if name is None:
        yield list(chosen.values())
        return
    for option in reversed(ground.subjects[name].options):
        fails = any(ground.truth.get((id(c), option), 1) == 0 for c in group if subject_of(c.fact.name) == name)
        if not fails:
            yield from _met(ground, group, more, {**chosen, name: option})


def _laid(ground: Ground, alive: Alive, place: Place, things: list[Option]) -> Iterator[Start]:
    """The contact with these things, entered by anyone, before them or with them, after anything that the rule asks."""
    asked = {c.fact.name for group in alive.groups for c in group}
    statuses = [NONE, *(ground.policy.statuses.by_key if "lead_status_before" in asked else ())]
    stages = [NONE, *(ground.policy.stages.by_key if "lifecycle_stage_before" in asked else ())]
    for status_before, stage_before in product(statuses, stages):
        if status_before == place[0] != NONE or stage_before == place[1] != NONE:
            continue
        for latest, by, (status, stage) in product((1, None, 0), (AUTOMATION, PERSON), _LATELY):
            if (status, stage) == (None, None) and (by == PERSON or latest == 0):
                continue
            placed = [(option, latest if option.timed else None) for option in things]
            entries = [
                Entry(STATUS_ENTRY, by, None if place[0] == status_before else status, status_before),
                Entry(STAGE_ENTRY, by, None if place[1] == stage_before else stage, stage_before),
            ]
            yield laid(ground, place, entries, placed)


def _unreachable(ground: Ground) -> Iterator[Fault]:
    """Statuses that no rule sets, offers or even asks: a person may choose them, and nothing follows."""
    named: set[str] = set()
    for rule in ground.policy.rules:
        named |= {value for action in rule.sets if action.property == STATUS and (value := constant(action))}
    for place in ground.places:
        if place[0] == NONE or ground.value(STATUS, place[0]) in named:
            continue
        cell = ground.policy.cells[ground.value(STATUS, place[0]), ground.value(STAGE, place[1])]
        if any(not r.rule.matrix for r in cell.everything):
            named.add(ground.value(STATUS, place[0]))
    for term in ground.policy.statuses.terms:
        if term.value not in named and term.like == term.key:
            yield Fault(NOTE, f'only people use the Lead status "{term.key}": no rule sets, offers or asks it', ())
