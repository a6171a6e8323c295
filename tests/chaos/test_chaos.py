"""hubsync in a storm: faults in 2 to 20 of 100 calls, people who edit in the middle of a write, kill -9 at any request.

A failure names its seed; HUBSYNC_CHAOS_SEED=N plays another, `benchmarks/chaos.py --minutes N` plays many.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.killing import work_under_kills
from tests.chaos.runner import Runner
from tests.chaos.trial import play_both

SEED = int(os.environ.get("HUBSYNC_CHAOS_SEED", "2026"))
"""Read before a test begins: none of them sees the settings of the person at the keyboard."""


@pytest.fixture
def runner() -> Iterator[Runner]:
    with Runner() as warm:
        yield warm


def test_after_a_storm_all_was_written_once_nobody_lost_an_edit_and_it_ends_as_in_peace(
    runner: Runner, tmp_path: Path
) -> None:
    print(f"HUBSYNC_CHAOS_SEED={SEED}")
    trial = play_both(SEED, runner, tmp_path, contacts=90, rounds=8)
    assert trial.wrong == ()
    assert trial.played.killed > 0
    assert sum(count for kind, count in trial.told.items() if kind.startswith("fault ")) > 0


def test_runs_killed_one_after_the_other_lose_nothing_and_do_nothing_twice(runner: Runner, tmp_path: Path) -> None:
    print(f"HUBSYNC_CHAOS_SEED={SEED}")
    work = work_under_kills(SEED, runner, tmp_path, contacts=600, kills=5)
    assert (work.kills, work.lost, work.wrong) == (5, 0, ())
    assert (work.changes, work.tasks) == (300, 300)
