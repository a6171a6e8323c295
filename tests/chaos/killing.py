"""Work for many contacts, done by runs of which one after the other is killed while it writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from tests.chaos.arena import Arena
from tests.chaos.lives import STAGE
from tests.chaos.runner import Runner
from tests.chaos.script import COMMANDS, Birth, Kill, Round, Script
from tests.chaos.verdict import breaches
from tests.sync.desk import NOW, SQL

WRITING = r"/batch/(update|create)$"
BETWEEN = timedelta(minutes=4)
"""Between two runs: longer than HubSpot may still be executing what a killed one had sent."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What became of the work: changes and tasks found in the portal, contacts left out, and all that was wrong."""

    kills: int
    runs: int
    calls: int
    changes: int
    tasks: int
    lost: int
    wrong: tuple[str, ...]


def work_under_kills(seed: int, runner: Runner, folder: Path, *, contacts: int, kills: int) -> Worked:
    """Qualified leads whose stage is to move, and as many new ones that are to get a task; `kills` runs are killed.

    Each dies at its first or second writing request, so that the work lasts. Raises Defect.
    """
    rng = Random(f"kills:{seed}")
    births = tuple(
        Birth("person", "lead", "QUALIFIED" if n % 2 else "NEW", owned=True, at=NOW - timedelta(minutes=10 + n))
        for n in range(contacts)
    )
    arena = Arena(Script(seed, births, frozenset(), ()), runner, folder)
    with arena:
        while arena.played.killed < kills:
            moment = arena.clock.now() + BETWEEN
            kill = Kill(rng.choice((1, 1, 2)), rng.random() < 0.5, rng.choice((0.0, rng.random() * 0.02)), WRITING)
            arena.run(Round((), moment, COMMANDS[0], (), kill, fault_rate=0.0, skew=timedelta(0)))
            if not arena.played.ended[-1]:
                break
        arena.settle()
        wrong = breaches(arena)
    records = [arena.portal.get("contacts", contact) for contact in arena.world.contacts]
    moved = sum(record.values[STAGE] == SQL for record in records)
    with_task = sum(bool(record.linked("tasks")) for record in records)
    return Worked(
        kills=arena.played.killed,
        runs=len(arena.played.ended) + arena.played.calm_runs,
        calls=arena.portal.journal.request_count,
        changes=moved,
        tasks=with_task,
        lost=contacts - moved - with_task,
        wrong=tuple(wrong),
    )
