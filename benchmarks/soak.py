"""The service left alone for an hour of a busy portal's life, in a hurry: the soak of tests/chaos at full size.

`--pace` real seconds stand for a minute of the portal. Webhooks come doubled, late, out of order, and one in twenty not
at all; one call in fifty fails; people edit into the middle of writes; the service is killed (-9) and started again.
Prints one JSON line; what was wrong is told on stderr with the seed, and the script then ends with 1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from tests.chaos.runner import Runner
from tests.chaos.soak import soak


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=10_000, help="in the portal (10,000)")
    parser.add_argument("--minutes", type=int, default=60, help="of the portal's life (60)")
    parser.add_argument("--pace", type=float, default=8.0, help="real seconds for a minute of the portal (8)")
    parser.add_argument("--kills", type=int, default=3, help="kill -9 so often (3)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--seeds", type=int, default=1, help="so many seeds, one after the other (1)")
    given = parser.parse_args()
    figures, told, wrong = [], [], list[str]()
    with Runner() as runner:
        for seed in range(given.seed, given.seed + given.seeds):
            with tempfile.TemporaryDirectory() as folder:
                soaked = soak(
                    seed,
                    runner,
                    Path(folder),
                    contacts=given.contacts,
                    minutes=given.minutes,
                    kills=given.kills,
                    pace=given.pace,
                    wrong_tokens=0.0002,
                    waits_for_lease=True,
                )
            print(*soaked.wrong, sep="\n", end="\n" if soaked.wrong else "", file=sys.stderr, flush=True)
            wrong += soaked.wrong
            told.append(soaked.told)
            figures.append(soaked.figures)
    names = sorted({name for each in figures for name in each})
    print(
        json.dumps(
            {
                "seeds": given.seeds,
                "first_seed": given.seed,
                **{name: statistics.median(each.get(name, 0) for each in figures) for name in names},
                "edits_in_mid_write": sum(each["meddled"] for each in told),
                "faults": sum(count for each in told for kind, count in each.items() if kind.startswith("fault ")),
                "wrong": len(wrong),
            }
        )
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
