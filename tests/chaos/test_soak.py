"""The service left alone in bad weather, a portal minute a second: killed once, and in the end all is as in peace.

A failure names its seed; HUBSYNC_CHAOS_SEED=N plays another, `benchmarks/soak.py` plays a longer course.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.chaos.runner import Runner
from tests.chaos.soak import soak

SEED = int(os.environ.get("HUBSYNC_CHAOS_SEED") or int.from_bytes(os.urandom(3)))
"""Read before a test begins: none of them sees the settings of the person at the keyboard."""


def test_a_service_left_alone_in_bad_weather_loses_nothing_does_nothing_twice_and_ends_as_in_peace(
    tmp_path: Path,
) -> None:
    print(f"HUBSYNC_CHAOS_SEED={SEED}")
    with Runner() as runner:
        soaked = soak(SEED, runner, tmp_path, contacts=150, minutes=12, kills=1, faults=0.08)
    print(soaked.figures, soaked.told, *soaked.wrong, sep="\n")
    assert soaked.wrong == ()
    assert soaked.figures["killed"] + soaked.figures["kills_missed"] == 1
    assert soaked.figures["lost"] > 0
    assert sum(count for kind, count in soaked.told.items() if kind.startswith("fault ")) > 0
