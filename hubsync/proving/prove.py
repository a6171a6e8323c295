"""The proof of a rule set: it settles, its outcome is determined, no cell, status or rule is forgotten, nothing unsafe.

Exhaustive, not symbolic: the real decider runs on one representative of every class of contacts that the rules can tell
apart (starts.py), and each is followed until it rests (course.py). What that leaves out is said in rules/PROVING.md.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from time import perf_counter

from hubsync.proving.checks import NOTE, Fault
from hubsync.proving.coverage import in_cases, uncovered
from hubsync.proving.ground import Ground, Place
from hubsync.proving.places import Tally, shortest, tally
from hubsync.rulefiles.load import LoadedRules

CASES: Place = ("", "")
"""In the place of a combination: the cases beside the rules."""
ALONE = 0.5
"""So many seconds one process proves by itself: what is done by then isn't worth another one."""


@dataclass(slots=True)
class Verdict:
    """What was found, and how much was looked at. Proved if there is no fault and nothing was left unproved."""

    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    unproved: list[str] = field(default_factory=list)
    cells: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    decisions: int = 0
    steps: int = 0
    """The most writes that any contact took to come to rest."""
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether the rules are proved."""
        return not self.faults and not self.unproved


def proved(ground: Ground, jobs: int = 1) -> Verdict:
    """The proof itself, by so many processes; the verdict is the same by any number."""
    began = perf_counter()
    told = Tally()
    tallies = _tallies(ground, jobs)
    for part in (*ground.places, CASES):
        told.add(tallies[part])
    found = shortest([*told.faults, *uncovered(ground, told.heard)])
    return Verdict(
        faults=[fault for fault in found if fault.kind != NOTE],
        notes=[fault for fault in found if fault.kind == NOTE],
        unproved=list(_unstated(ground)),
        cells=told.cells,
        classes=told.classes,
        decisions=told.decisions,
        steps=told.steps,
        seconds=perf_counter() - began,
    )


def _tallies(ground: Ground, jobs: int) -> dict[Place, Tally]:
    """What is found at each combination, and in the cases."""
    began = perf_counter()
    parts = sorted(ground.places, key=lambda place: _asked(ground, place))
    found: dict[Place, Tally] = {}
    while parts and (jobs <= 1 or perf_counter() - began < ALONE):
        part = parts.pop(0)
        found[part] = tally(ground, part)
    return found | (_shared(ground, [*parts, CASES], jobs) if parts else {CASES: _part(ground, CASES)})


def _asked(ground: Ground, place: Place) -> int:
    """How much rules ask there and where they lead: about how long it takes."""
    return len({fact for there in ground.reached(place) for alive in ground.alive[there] for fact in alive.facts})


def _shared(ground: Ground, parts: list[Place], jobs: int) -> dict[Place, Tally]:
    """The same by several processes, of which this is one: it takes the short ones, the others begin with the long."""
    global _ground
    _ground = ground  # a process that is forked has it; one that is spawned begins anew
    with ProcessPoolExecutor(jobs - 1, get_context(_way()), _begin, (ground.loaded,)) as pool:
        theirs = {part: pool.submit(_tally, part) for part in reversed(parts)}
        mine: dict[Place, Tally] = {}
        for part in parts:
            if not theirs[part].cancel():  # begun, as are all longer ones
                break
            mine[part] = _part(ground, part)
        return mine | {part: future.result() for part, future in theirs.items() if part not in mine}


def _part(ground: Ground, part: Place) -> Tally:
    return Tally(heard=in_cases(ground)) if part == CASES else tally(ground, part)


_ground: Ground | None = None


def _way() -> str:
    """Forking is quicker, and safe where nothing else runs in this process."""
    return "fork" if sys.platform == "linux" and threading.active_count() == 1 else "spawn"


def _begin(loaded: LoadedRules) -> None:
    """What each process of the pool begins with. It ends with the one that began it, also where that was killed."""
    global _ground
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _ground = _ground or Ground.of(loaded)


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        signal.raise_signal(signal.SIGTERM)


def _tally(part: Place) -> Tally:
    assert _ground is not None  # noqa: S101  (what `_begin` is for)
    return _part(_ground, part)


def _unstated(ground: Ground) -> Iterator[str]:
    for fact, rules in ground.unstated.items():
        yield f"{', '.join(rules)}: no case can state the fact {fact}"
