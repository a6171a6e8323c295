"""`hubsync serve` in a process of its own: killed at any moment it loses nothing, doubles nothing; told to, it ends.

The portal's clock runs in real time here. A failure names its seed; HUBSYNC_CHAOS_SEED=N plays another.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.sync.desk import SQL, STATUS, Desk

SEED = int(os.environ.get("HUBSYNC_CHAOS_SEED", "2026"))
"""Read before a test begins: none of them sees the settings of the person at the keyboard."""
ROOT = Path(__file__).parents[2]
PROGRAM = "from hubsync.cli import main; main()"
PATIENCE = 60.0
LIVES = 4


class Machine:
    """Where hubsync runs: a folder with a database, a port, and one service at a time."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HUBSYNC_API_URL": desk.box.url,
            "HUBSYNC_ACCESS_TOKEN": desk.box.token,
            "HUBSYNC_CLIENT_SECRET": desk.box.client_secret,
            "HUBSYNC_EFFECTIVE_SINCE": "2020-01-01",
            "HUBSYNC_SETTLE_SECONDS": "0",
            "HUBSYNC_POLL_SECONDS": "5",
        }
        self.service: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the service and wait until it answers."""
        with (self.folder / "serve.log").open("ab") as said:
            self.service = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "serve", "--write", "--port", str(self.port)],
                cwd=self.folder,
                env=self.environment,
                stdout=said,
                stderr=said,
            )
        until(lambda: self._answers(), self.said)

    def _answers(self) -> bool:
        assert self.service is not None
        assert self.service.poll() is None, self.said()
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:  # noqa: S310  (loopback)
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """kill -9, and the twenty seconds have passed for which a killed run keeps others out."""
        assert self.service is not None
        self.service.kill()
        self.service.wait()
        with sqlite3.connect(self.folder / "hubsync.db") as connection:
            connection.execute("UPDATE lease SET until = 0")
        connection.close()

    def off(self) -> None:
        """Whatever still runs is killed."""
        if self.service is not None:
            self.service.kill()
            self.service.wait()

    def end(self) -> tuple[int, float]:
        """SIGTERM: the exit code, and the seconds it took."""
        assert self.service is not None
        began = time.monotonic()
        self.service.send_signal(signal.SIGTERM)
        return self.service.wait(PATIENCE), time.monotonic() - began

    def sync(self) -> Any:
        """What `hubsync sync --write --full` says."""
        command = ["sync", "--write", "--full", "--format", "json"]
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, *command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert ran.returncode in (0, 1), ran.stderr
        return json.loads(ran.stdout)

    def said(self) -> str:
        """The end of what the service said."""
        return (self.folder / "serve.log").read_text(errors="replace")[-4_000:]


def until(happened: Callable[[], bool], said: Callable[[], str]) -> None:
    """Until it has happened; fails after PATIENCE."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, said()
        time.sleep(0.02)


@pytest.fixture
def machine(desk: Desk, isolated: Path) -> Iterator[Machine]:
    """A machine beside the portal, whose webhooks come to it."""
    desk.clock.thaw()
    with ExitStack() as stack:
        made = Machine(desk, isolated)
        desk.box.subscribe(f"{made.url}/webhooks/hubspot", retry_after=lambda _attempt: 0.2)
        stack.callback(made.off)
        yield made


def changed(desk: Desk) -> Counter[tuple[str, str]]:
    """How often hubsync changed each property of each contact."""
    return Counter((w.id, w.property) for w in desk.written())


def test_killed_at_any_moment_it_loses_nothing_and_does_nothing_twice(desk: Desk, machine: Machine) -> None:
    print(f"HUBSYNC_CHAOS_SEED={SEED}")
    rng = Random(f"serve:{SEED}")
    moving = [desk.lead("CONNECTED") for _ in range(40)]
    new: list[str] = []
    qualified: list[str] = []
    for life in range(LIVES):
        machine.start()
        kill_at = time.monotonic() + rng.uniform(0.05, 1.5)
        while time.monotonic() < kill_at or (life == LIVES - 1 and (len(qualified) < 40 or len(new) < 12)):
            if len(qualified) < 40:
                contact = moving[len(qualified)]
                desk.sets(contact, STATUS, "QUALIFIED")
                qualified.append(contact)
            if len(new) < 12 and rng.random() < 0.3:
                new.append(desk.lead("NEW", at=desk.clock.now()))
            time.sleep(rng.uniform(0.005, 0.08))
        if life < LIVES - 1:
            machine.kill()
    for minutes in (0, 4, 2, 2):  # what was under way when it died is settled only after some minutes
        desk.clock.advance(timedelta(minutes=minutes))
        time.sleep(3.0 if minutes else 0.0)

    until(lambda: all(desk.stage(c) == SQL for c in moving) and all(desk.tasks(c) for c in new), machine.said)
    code, seconds = machine.end()
    assert (code, seconds < 10) == (0, True), machine.said()
    said = machine.sync()
    assert [c for c in said["changes"] if c["state"] not in ("proposed", "superseded")] == []
    assert [t for t in said["tasks"] if t["state"] == "applied"] == []
    assert {len(desk.tasks(contact)) for contact in new} == {1}
    assert set(changed(desk).values()) == {1}


def test_a_sync_beside_it_writes_and_it_goes_on_afterwards(desk: Desk, machine: Machine) -> None:
    contact, other = desk.lead("CONNECTED"), desk.lead("CONNECTED")
    machine.start()
    desk.sets(contact, STATUS, "QUALIFIED")
    until(lambda: desk.stage(contact) == SQL, machine.said)
    assert machine.sync()["mode"] == "write"
    desk.sets(other, STATUS, "QUALIFIED")
    until(lambda: desk.stage(other) == SQL, machine.said)
    code, seconds = machine.end()
    assert (code, seconds < 10) == (0, True), machine.said()
    assert set(changed(desk).values()) == {1}


def test_a_second_one_on_the_same_folder_is_refused_with_the_reason(desk: Desk, machine: Machine) -> None:
    machine.start()
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, "serve", "--write", "--port", "0"],
        cwd=machine.folder,
        env=machine.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode == 3
    assert "two services can't share one" in ran.stderr
    assert str(machine.service.pid) in ran.stderr  # type: ignore[union-attr]
