"""`hubsync serve` in a process of its own, beside a sandbox portal of this one: the real command is measured."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sandbox_process import ROOT
from hubsync.sandbox import Sandbox

GUARD = "guard: {"
WIDE_OPEN = "guard: {rule_an_hour: 1000000, all_a_day: 1000000, "
STARTED_WITHIN = 30.0


@dataclass(frozen=True)
class Served:
    """A running service: where it listens, and its process."""

    url: str
    process: subprocess.Popen[bytes]
    folder: Path

    def metric(self, name: str) -> float:
        """The sum of a metric's samples whose line begins with `name`."""
        with urllib.request.urlopen(f"{self.url}/metrics") as answer:  # noqa: S310  # loopback
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def cpu_seconds(self) -> float:
        """CPU time the process has used, in user and system mode (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Resident memory in bytes (Linux)."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def a_service(
    box: Sandbox, folder: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Serve `box`'s portal with the shipped rules until the context ends: nothing held back, no proof beside it."""
    rules = folder / "rules"
    if not rules.exists():
        shutil.copytree(ROOT / "rules", rules)
        file = rules / "portal.yaml"
        file.write_text(file.read_text().replace(GUARD, WIDE_OPEN).replace("burst: 50", "burst: 100000"))
    port = port or free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HUBSYNC_")},
        "HUBSYNC_ACCESS_TOKEN": box.token,
        "HUBSYNC_CLIENT_SECRET": box.client_secret,
        "HUBSYNC_API_URL": box.url,
        "HUBSYNC_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "HUBSYNC_DATABASE_URL": f"sqlite:///{folder}/hubsync.db",
        "HUBSYNC_RULES": str(rules),
        "HUBSYNC_EFFECTIVE_SINCE": "2000-01-01",
        "HUBSYNC_SETTLE_SECONDS": "0",
        "HUBSYNC_PROOF_SECONDS": "0",
        "HUBSYNC_LOG_LEVEL": "warning",
        **(settings or {}),
    }
    command = [str(Path(sys.executable).with_name("hubsync")), "serve", "--write", "--port", str(port)]
    log = (folder / "serve.log").open("ab")
    with log, subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process:
        served = Served(f"http://127.0.0.1:{port}", process, folder)
        try:
            _wait_for(served)
            yield served
        finally:
            process.terminate()
            process.wait(15)


def _wait_for(served: Served) -> None:
    end = time.monotonic() + STARTED_WITHIN
    while time.monotonic() < end and served.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{served.url}/healthz"):  # noqa: S310  # loopback
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError("hubsync serve did not start: " + (served.folder / "serve.log").read_text()[-2_000:])
