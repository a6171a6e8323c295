"""How long `hubsync --help` takes, and how many times as long as a Python that does nothing. Prints one JSON line.

The command of the virtual environment this runs in, `--runs` times each, alternating; medians of wall time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

HELP = (str(Path(sys.executable).parent / "hubsync"), "--help")
NOTHING = (sys.executable, "-c", "pass")


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    args = parser.parse_args()
    both = [(seconds(HELP), seconds(NOTHING)) for _ in range(args.runs)]
    shown, nothing = (statistics.median(column) for column in zip(*both, strict=True))
    print(
        json.dumps(
            {
                "runs": args.runs,
                "help_seconds": round(shown, 3),
                "python_seconds": round(nothing, 3),
                "ratio": round(shown / nothing, 1),
            }
        )
    )


def seconds(command: tuple[str, ...]) -> float:
    """Wall time of a command, which must succeed."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
