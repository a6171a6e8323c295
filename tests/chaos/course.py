"""What happens to a portal while the service runs beside it, drawn from a seed: acts by the minute, and when it dies.

Data, as a script is. Steady contacts walk forward through the funnel, one step a stage of the course at most, so that
their end doesn't hang on when hubsync looked; to all others anything happens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from tests.chaos.lives import Act, steady, wild
from tests.chaos.script import STARTS, UNTIDY, Birth, Kill, Round, Script
from tests.sync.desk import NOW

STAGE_LASTS = timedelta(minutes=4)
WRITING = r"/batch/(update|create)$"
SYNC = ("sync", "--write")


@dataclass(frozen=True, slots=True)
class Course:
    """`births` are there at the beginning, in the order of their numbers; `agenda` is in order of time; `steady` are
    the numbers of those that walk forward, some of them born on the way.
    """

    seed: int
    births: tuple[Birth, ...]
    steady: frozenset[int]
    ends: datetime
    agenda: tuple[tuple[datetime, Act], ...] = field(repr=False)
    kills: tuple[tuple[datetime, Kill], ...]


def write_course(seed: int, contacts: int, minutes: int, kills: int) -> Course:
    """The course of a seed: half of the contacts are steady, one in twenty is born on the way."""
    rng = Random(f"soak:{seed}")
    stages = max(6, int(timedelta(minutes=minutes) / STAGE_LASTS))
    lasts = timedelta(minutes=minutes) / stages
    newborn = max(1, contacts // 20)
    walkers = frozenset(rng.sample(range(contacts + newborn), (contacts + newborn) // 2))
    starts = [rng.choice(STARTS if n in walkers else (*STARTS, *UNTIDY)) for n in range(contacts + newborn)]
    moments = sorted(NOW - timedelta(minutes=rng.randint(30, 30_000)) for _ in range(contacts))
    born = sorted(NOW + lasts * (stages - 1) * rng.random() for _ in range(newborn))
    births = [Birth(*start, owned=rng.random() < 0.9, at=at) for start, at in zip(starts, moments, strict=False)]
    agenda = [
        (at, Act(number, "born", ",".join((*starts[number], rng.choice(("yes", "yes", "yes", ""))))))
        for number, at in enumerate(born, start=contacts)
    ]
    for number in sorted(walkers):
        first = 0 if number < contacts else int((born[number - contacts] - NOW) / lasts) + 1
        steps = steady(number, rng)
        places = sorted(rng.sample(range(first, stages), min(len(steps), stages - first)))
        agenda += [(_within(rng, place, lasts), act) for place, act in zip(places, steps, strict=False)]
    others = [number for number in range(contacts) if number not in walkers]
    for place in range(stages):
        some = rng.sample(others, max(1, contacts // 12))
        agenda += [(_within(rng, place, lasts), wilder(number, rng, others)) for number in some]
    hours = [timedelta(minutes=minutes) * ((place + rng.uniform(0.2, 0.8)) / kills) for place in range(kills)]
    return Course(
        seed,
        tuple(births),
        walkers,
        NOW + timedelta(minutes=minutes),
        tuple(sorted(agenda, key=lambda each: each[0])),
        tuple((NOW + after, _kill(rng)) for after in hours),
    )


def wilder(number: int, rng: Random, others: list[int]) -> Act:
    """Anything, and what only a service is told of at once."""
    if rng.random() < 0.75:
        return wild(number, rng)
    what, value = rng.choice((
        ("reply", ""), ("reply", "auto"), ("meeting", ""), ("form", ""), ("merged", str(rng.choice(others))),
        ("erased", ""),
    ))  # fmt: skip
    return Act(number, what, value)


def as_script(course: Course, happened: list[tuple[datetime, Act]]) -> Script:
    """What happened, to be played again in peace: a sync after each stage of the course."""
    stages = max(6, int((course.ends - NOW) / STAGE_LASTS))
    lasts = (course.ends - NOW) / stages
    rounds = []
    for place in range(stages):
        since, until = NOW + lasts * place, NOW + lasts * (place + 1)
        last = place == stages - 1
        before = tuple(each for each in happened if since <= each[0] and (last or each[0] < until))
        rounds.append(Round(before, until, SYNC, (), None, fault_rate=0.0, skew=timedelta(0)))
    return Script(course.seed, course.births, course.steady, tuple(rounds))


def _within(rng: Random, place: int, lasts: timedelta) -> datetime:
    return NOW + lasts * (place + rng.random())


def _kill(rng: Random) -> Kill:
    """At one of its next requests, or while it writes."""
    path = rng.choice(("", WRITING))
    return Kill(rng.randint(1, 3 if path else 15), rng.random() < 0.5, rng.choice((0.0, rng.random() * 0.02)), path)
