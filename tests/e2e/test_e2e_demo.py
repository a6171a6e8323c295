"""`hubsync demo`, as a person on a fresh machine runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = "from hubsync.cli import main; main()"


def _run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def test_the_demo_audits_plans_writes_explains_finds_nothing_more_and_undoes(isolated: Path) -> None:
    before = set(isolated.iterdir())
    done = _run("demo", cwd=isolated)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    out = done.stdout
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
    assert set(isolated.iterdir()) == before, "the demo leaves something behind"


def test_a_kept_portal_answers_until_it_is_interrupted(isolated: Path) -> None:
    command = [sys.executable, "-u", "-c", PROGRAM, "demo", "--keep"]
    with subprocess.Popen(command, cwd=isolated, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        settings: dict[str, str] = {}
        for line in demo.stdout:
            settings.update(re.findall(r"(HUBSYNC_\w+)=(\S+)", line))
            if line.startswith("hubsync audit;"):
                break
        audit = subprocess.run(
            [sys.executable, "-c", PROGRAM, "audit", "--format", "csv"],
            cwd=isolated,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        time.sleep(0.2)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=20) == 0
    assert audit.returncode == 1
    assert audit.stdout.startswith("contact,rule,playbook,kind,backlog")
