"""One seed played twice, in a storm and in peace, and what was wrong afterwards. Test and benchmark share it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.arena import Arena, Defect, Played
from tests.chaos.runner import Runner
from tests.chaos.script import write_script
from tests.chaos.verdict import breaches, ended_otherwise


@dataclass(frozen=True, slots=True)
class Trial:
    """What a seed came to. `wrong` is empty where all is well; each line names the seed."""

    wrong: tuple[str, ...]
    played: Played
    told: Counter[str]


def play_both(seed: int, runner: Runner, folder: Path, *, contacts: int = 200, rounds: int = 14) -> Trial:
    """Play the seed's script in a storm and in peace, each in a folder of its own under `folder`, and compare."""
    script = write_script(seed, contacts, rounds)
    stormy, calm = (Arena(script, runner, folder / name) for name in ("storm", "calm"))
    wrong: list[str] = []
    for arena, in_storm in ((stormy, True), (calm, False)):
        arena.folder.mkdir()
        with arena:
            try:
                arena.play(stormy=in_storm)
                wrong += [f"{arena.folder.name}: {line}" for line in breaches(arena)]
            except Defect as defect:
                return Trial((f"{arena.folder.name}: {defect}",), stormy.played, stormy.storm.told)
    wrong += ended_otherwise(stormy, calm)
    return Trial(tuple(f"seed {seed}: {line}" for line in wrong), stormy.played, stormy.storm.told)
