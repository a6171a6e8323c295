"""`hubsync serve --write` in a process of its own, which is killed and started again on the same folder and port.

The real command on real time; only one thing is changed: no rule is dropped to propose because people edit too often
what it wrote, since the storm's edits of a few contacts would end what a rule does to all.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.runner import ROOT

COMMAND = "from hubsync.policy import tuning; tuning.TOO_MANY = 1.0; from hubsync.cli import main; main()"
STOPS_WITHIN = 15.0


class Serving:
    """The service of a folder. `start` it, `end` it; it may be dead in between."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "serve.log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HUBSYNC_")},
            "PYTHONPATH": str(ROOT),
            "HUBSYNC_PUBLIC_URL": self.url,
            "HUBSYNC_DATABASE_URL": "sqlite:///hubsync.db",
            "HUBSYNC_PROOF_SECONDS": "0",
            "HUBSYNC_LOG_LEVEL": "warning",
            "HUBSYNC_LOG_FORMAT": "json",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start it; its process id. It isn't up yet."""
        command = [sys.executable, "-c", COMMAND, "serve", "--write", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self._process.pid

    @property
    def pid(self) -> int:
        """The process id. Only while it runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def code(self) -> int | None:
        """How it ended (negative: the signal that killed it); None while it runs."""
        return None if self._process is None else self._process.poll()

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5):  # noqa: S310  # loopback
                return True
        except (urllib.error.URLError, OSError):
            return False

    def metrics(self) -> dict[str, float]:
        """What it counts, by name and labels as /metrics writes them; empty while it doesn't answer."""
        try:
            with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:  # noqa: S310  # loopback
                lines = answer.read().decode().splitlines()
        except (urllib.error.URLError, OSError):
            return {}
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if name[:1] != "#"}

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()

    def end(self) -> tuple[int, float]:
        """Tell it to end: its exit code, and how many seconds it took. It is killed where it takes too long."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return code, time.monotonic() - began

    def bury(self) -> None:
        """Whatever state it is in: nothing of it is left."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
