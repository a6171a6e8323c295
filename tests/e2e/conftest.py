"""The command line as a person types it, against a sandbox portal over real HTTP, in a folder of its own."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hubsync.cli import build
from hubsync.cli.main import run
from hubsync.portal.gateway import Gateway
from hubsync.store import Store
from hubsync.store.database import open_store
from tests.sync.desk import Desk, Patience

ROOT = Path(__file__).parents[2]
PROGRAM = "from hubsync.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output, as `--format json` writes it."""
        return json.loads(self.out)


Hubsync = Callable[..., Ran]


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[Desk], None]:
    """`point_at(desk)`: the environment of a person whose portal that is; causes count from 2020."""

    def point(desk: Desk) -> None:
        monkeypatch.setenv("HUBSYNC_API_URL", desk.box.url)
        monkeypatch.setenv("HUBSYNC_ACCESS_TOKEN", desk.box.token)
        monkeypatch.setenv("HUBSYNC_EFFECTIVE_SINCE", "2020-01-01")

    return point


@pytest.fixture
def desk(make_desk: Callable[..., Desk], point_at: Callable[[Desk], None]) -> Desk:
    """A portal with every status and property of the shipped rules, to which the environment points."""
    made = make_desk()
    point_at(made)
    return made


@pytest.fixture
def hubsync(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Hubsync:
    """`hubsync("sync", "--write")`: one command in this process; its waits cost no time."""

    def type_it(*arguments: str) -> Ran:
        patience = Patience()
        monkeypatch.setattr(build, "Gateway", functools.partial(Gateway, clock=patience.clock, sleep=patience.sleep))
        capsys.readouterr()
        code = run(arguments)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return type_it


@pytest.fixture
def start(isolated: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`start("sync", "--write")`: one command in a process of its own, killed at the end if it still runs."""
    with ExitStack() as stack:

        def begin(*arguments: str, **environment: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *arguments],
                cwd=isolated,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        yield begin


@pytest.fixture
def database(isolated: Path) -> Iterator[Callable[[], Store]]:
    """The database that commands have made, opened beside them."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(open_store("sqlite:///hubsync.db", base=isolated))
