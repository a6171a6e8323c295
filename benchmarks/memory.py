"""How much memory `hubsync audit` takes on a large portal: the command itself, in a process of its own.

The portal is in another process. While the audit runs, its resident memory is noted beside the calls that the portal
has answered; printed are the values at a quarter, half, three quarters and all of the calls, and the peak as the
kernel counted it. One JSON line, sizes in MiB. Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.sandbox_process import ROOT, Box, a_sandbox

LOOK_EVERY = 0.1
FINDINGS = 1
"""Exit code of an audit that found something; 0 is one that found nothing."""


def main() -> None:
    """Audit and watch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=200_000)
    parser.add_argument("--format", choices=("json", "csv", "html", "table"), default="json")
    args = parser.parse_args()
    options = ("--flat", "--contacts", str(args.contacts), "--allowance", "1000000000", "--daily", "1000000000")
    with a_sandbox(*options) as box, tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"audit.{args.format}"
        started = time.perf_counter()
        seen, peak = watch_audit(box, out, args.format)
        seconds = time.perf_counter() - started
        size = out.stat().st_size
    calls = seen[-1][0]
    print(
        json.dumps(
            {
                "contacts": args.contacts,
                "calls": calls,
                "seconds": round(seconds, 1),
                "rss_at": {f"{share}%": rss_at(seen, calls * share / 100) for share in (25, 50, 75, 100)},
                "rss_peak": round(peak, 1),
                "report": round(size / 1024**2, 1),
            }
        )
    )


Seen = tuple[int, float]
"""Calls that the portal had answered, and MiB that hubsync then held."""


def watch_audit(box: Box, out: Path, form: str) -> tuple[list[Seen], float]:
    """Run the command to its end: what was seen meanwhile, and the peak in MiB."""
    settings = {
        "HUBSYNC_API_URL": box.url,
        "HUBSYNC_ACCESS_TOKEN": box.token,
        "HUBSYNC_EFFECTIVE_SINCE": "2000-01-01",
        "HUBSYNC_RULES": str(ROOT / "rules"),
    }
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HUBSYNC_")} | settings
    command = [str(Path(sys.executable).parent / "hubsync"), "audit", "--format", form, "--out", str(out)]
    process = subprocess.Popen(command, cwd=out.parent, env=environment)
    seen: list[Seen] = [(0, 0.0)]
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        seen.append((answered(box), resident(process.pid)))
        time.sleep(LOOK_EVERY)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (0, FINDINGS), f"hubsync audit ended with {process.returncode}"
    return seen, usage.ru_maxrss / 1024


def answered(box: Box) -> int:
    """How many calls the portal has answered."""
    return int(box.stats()["result"]["requests"])


def resident(pid: int) -> float:
    """What a process holds in memory, in MiB; 0 for one that has just ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


def rss_at(seen: list[Seen], calls: float) -> float:
    """The most that was held up to the first look by which so many calls were answered."""
    first = next(n for n, (answered, _) in enumerate(seen) if answered >= calls)
    return round(max(held for _, held in seen[: first + 1]), 1)


if __name__ == "__main__":
    main()
