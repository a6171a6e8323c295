"""What happens to a portal and when, drawn from a seed before anything happens: data, so that it can be played twice.

A script is a number of rounds; in each, time passes, people act, and hubsync is run while others go on acting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from tests.chaos.lives import Act, steady, wild
from tests.sync.desk import NOW

SECOND = timedelta(seconds=1)
PAUSES = (timedelta(minutes=3), timedelta(minutes=20), timedelta(hours=1), timedelta(hours=5))
COMMANDS = (("sync", "--write"), ("sync", "--write"), ("sync", "--write", "--full"))
FAULT_RATES = (0.02, 0.05, 0.1, 0.2)
STARTS = (
    ("form", "lead", ""), ("form", "marketingqualifiedlead", ""), ("person", "lead", "NEW"), ("import", "lead", ""),
    ("import", "marketingqualifiedlead", ""), ("form", "subscriber", ""),
)  # fmt: skip
UNTIDY = (
    ("person", "salesqualifiedlead", "NEW"), ("person", "lead", "QUALIFIED"), ("import", "opportunity", "NEW"),
    ("person", "marketingqualifiedlead", "OPEN_DEAL"), ("form", "", "CONNECTED"), ("person", "customer", "NEW"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Birth:
    """A contact that is there when the script begins."""

    source: str
    stage: str
    status: str
    owned: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Kill:
    """hubsync dies at its n-th request (of those to `path`, a regular expression): before the portal serves it, after,
    or `delay` seconds later.
    """

    at_request: int
    served: bool
    delay: float = 0.0
    path: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """Acts before a run, the run, and acts while it is under way, each at the run's n-th request."""

    before: tuple[tuple[datetime, Act], ...]
    moment: datetime
    command: tuple[str, ...]
    during: tuple[tuple[int, datetime, Act], ...]
    kill: Kill | None
    fault_rate: float
    skew: timedelta


@dataclass(frozen=True, slots=True)
class Script:
    """`births` are in order of time, which is how contacts are numbered; `steady` are the numbers of those that walk
    forward.
    """

    seed: int
    births: tuple[Birth, ...]
    steady: frozenset[int]
    rounds: tuple[Round, ...] = field(repr=False)


def write_script(seed: int, contacts: int = 200, rounds: int = 14) -> Script:
    """The script of a seed: half of the contacts are steady, half are wild; two of three runs are to be killed."""
    rng = Random(f"chaos:{seed}")
    walkers = frozenset(rng.sample(range(contacts), contacts // 2))
    others = [number for number in range(contacts) if number not in walkers]
    moments = sorted(NOW - timedelta(minutes=rng.randint(30, 30_000)) for _ in range(contacts))
    starts = [rng.choice(STARTS if number in walkers else (*STARTS, *UNTIDY)) for number in range(contacts)]
    births = tuple(_birth(rng, start, at) for start, at in zip(starts, moments, strict=True))
    agenda: list[list[Act]] = [[] for _ in range(rounds)]
    for number in sorted(walkers):
        steps = steady(number, rng)
        for place, act in zip(sorted(rng.sample(range(rounds), min(len(steps), rounds))), steps, strict=False):
            agenda[place].append(act)
    for acts in agenda:
        acts += [wild(number, rng) for number in rng.sample(others, contacts // 12)]
    moment, planned = NOW, []
    for acts in agenda:
        since, moment = moment, moment + rng.choice(PAUSES)
        planned.append(_round(rng, acts, since, moment))
    return Script(seed, births, walkers, tuple(planned))


def _birth(rng: Random, start: tuple[str, str, str], at: datetime) -> Birth:
    return Birth(*start, owned=rng.random() < 0.9, at=at)


def _round(rng: Random, acts: list[Act], since: datetime, moment: datetime) -> Round:
    """Before the run: from a minute after the last one to a second before it; during: two seconds apart."""
    rng.shuffle(acts)
    cut = len(acts) * 2 // 3
    room = moment - since - 62 * SECOND
    moments = sorted(since + 60 * SECOND + room * rng.random() for _ in acts[:cut])
    requests = sorted(rng.randint(6, 40) for _ in acts[cut:])
    during = [
        (request, moment + number * 2 * SECOND, act)
        for number, (request, act) in enumerate(zip(requests, acts[cut:], strict=True), start=1)
    ]
    return Round(
        before=tuple(zip(moments, acts[:cut], strict=True)),
        moment=moment,
        command=rng.choice(COMMANDS),
        during=tuple(during),
        kill=_kill(rng) if rng.random() < 0.65 else None,
        fault_rate=rng.choice(FAULT_RATES),
        skew=timedelta(seconds=rng.choice((0, 0, 0, -240, 240))),
    )


def _kill(rng: Random) -> Kill:
    return Kill(rng.randint(6, 45), rng.random() < 0.5, rng.choice((0.0, 0.0, rng.random() * 0.02)))
