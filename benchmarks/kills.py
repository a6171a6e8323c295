"""Many runs killed in the middle of writing, over contacts with work to do: how much was lost, how much done twice."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.chaos.killing import work_under_kills
from tests.chaos.runner import Runner


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=1_000, help="half to be corrected, half to get a task (1,000)")
    parser.add_argument("--kills", type=int, default=10, help="runs to kill, as long as work is left (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="of when each dies (default: 1)")
    given = parser.parse_args()
    with Runner() as runner, tempfile.TemporaryDirectory() as folder:
        worked = work_under_kills(given.seed, runner, Path(folder), contacts=given.contacts, kills=given.kills)
    print(*worked.wrong, sep="\n", end="\n" if worked.wrong else "", file=sys.stderr)
    print(json.dumps({"contacts": given.contacts, **asdict(worked), "wrong": len(worked.wrong)}))
    return 1 if worked.lost or worked.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
