"""`hubsync demo`, as a person on a fresh machine runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = "from hubsync.cli import main; main()"


def _hubsync(*arguments: str) -> list[str]:
    return [sys.executable, "-u", "-c", PROGRAM, *arguments]


def test_the_demo_audits_plans_writes_explains_finds_nothing_more_and_undoes(isolated: Path) -> None:
    """With --keep, so that one demo shows both: what it tells, and a portal that answers until it is interrupted."""
    before = set(isolated.iterdir())
    with subprocess.Popen(
        _hubsync("demo", "--keep"), cwd=isolated, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        lines: list[str] = []
        for line in demo.stdout:
            lines.append(line)
            if line.startswith("hubsync audit;"):
                break
        out = "".join(lines)
        settings = dict(re.findall(r"(HUBSYNC_\w+)=(\S+)", out))
        audit = subprocess.run(
            _hubsync("audit", "--format", "csv"),
            cwd=isolated,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=20) == 0
        assert demo.stderr.read() == ""
    _shows_hubsyncs_main_job(out)
    assert audit.returncode == 1
    assert audit.stdout.startswith("contact,rule,playbook,kind,backlog")
    assert set(isolated.iterdir()) == before, "the demo leaves something behind"


def _shows_hubsyncs_main_job(out: str) -> None:
    found = re.search(r"(\d+) findings in 500 contacts", out)
    assert found is not None
    assert int(found[1]) > 100
    trial = re.search(r"Run 1: changes: (\d+) applied", out)
    assert trial is not None
    assert int(trial[1]) >= 10  # ten contacts, some with more than one change
    assert re.search(r"Run 2: changes: \d+ applied", out)
    assert len(re.findall(r"^Contact \d+: ", out, re.MULTILINE)) == 3
    assert "Nothing was left to do." in out
    parts = re.split(r"^\d\. ", out, flags=re.MULTILINE)
    waits = [re.findall(r"^\d+ tasks? waits?: .+$", part, re.MULTILINE) for part in parts]
    assert waits[6] == waits[4]  # what a run let wait is what waits for the next one, and for the same reasons
    assert waits[1] == waits[3] == waits[5] == []
    assert "would do 0 of it again: what was undone stays undone." in out
