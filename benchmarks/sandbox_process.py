"""A sandbox portal in a process of its own, so that a benchmark measures hubsync and not the portal's threads."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Box:
    """Where the portal listens and with which token."""

    url: str
    token: str

    def stats(self) -> Any:
        """What the portal counted (its own control route)."""
        with urllib.request.urlopen(f"{self.url}/_sandbox/stats") as answer:  # noqa: S310  # loopback
            return json.load(answer)


@contextmanager
def a_sandbox(*arguments: str) -> Iterator[Box]:
    """Start `python -m hubsync.sandbox` with `arguments`, wait until it listens, end it afterwards."""
    command = [sys.executable, "-m", "hubsync.sandbox", "--while-stdin", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        try:
            yield Box(line["url"], line["token"])
        finally:
            process.stdin.close()
