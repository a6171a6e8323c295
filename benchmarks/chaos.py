"""Storms, one seed after the other, for so many minutes: hubsync's runs are killed, calls fail, people edit meanwhile.

Each seed is played again in peace, and both ends are compared. What is wrong is told on stderr with its seed, which
HUBSYNC_CHAOS_SEED makes the test play; the script then ends with 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.chaos.runner import Runner
from tests.chaos.trial import play_both


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="start no other seed after so long (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--contacts", type=int, default=200, help="in the portal (default: 200)")
    parser.add_argument("--rounds", type=int, default=14, help="runs of hubsync in a storm (default: 14)")
    given = parser.parse_args()
    began, seeds, runs, killed, calm_runs = time.monotonic(), 0, 0, 0, 0
    told: Counter[str] = Counter()
    wrong: list[str] = []
    with Runner() as runner:
        while not seeds or time.monotonic() - began < given.minutes * 60:
            with tempfile.TemporaryDirectory() as folder:
                trial = play_both(
                    given.seed + seeds, runner, Path(folder), contacts=given.contacts, rounds=given.rounds
                )
            seeds += 1
            runs, killed = runs + len(trial.played.ended), killed + trial.played.killed
            calm_runs += trial.played.calm_runs
            told.update(trial.told)
            wrong += trial.wrong
            print(*trial.wrong, sep="\n", end="\n" if trial.wrong else "", file=sys.stderr, flush=True)
    result = {
        "seeds": seeds,
        "first_seed": given.seed,
        "contacts": given.contacts,
        "runs_in_storms": runs,
        "killed": killed,
        "edits_in_mid_write": told["meddled"],
        "faults": {k.removeprefix("fault "): n for k, n in sorted(told.items()) if k.startswith("fault ")},
        "calm_runs_to_rest": calm_runs,
        "wrong": len(wrong),
    }
    print(json.dumps(result))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
