"""A desk (tests/sync/desk.py) that the command line works at: a sandbox portal, a database, and settings for both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hubsync.cli.main import run
from tests.sync.desk import LONG_AGO, Desk


@pytest.fixture
def cli_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A portal and a database, with the environment set so that `hubsync` works on them; causes count from 2020."""
    with Desk(tmp_path) as desk:
        monkeypatch.setenv("HUBSYNC_API_URL", desk.box.url)
        monkeypatch.setenv("HUBSYNC_ACCESS_TOKEN", desk.box.token)
        monkeypatch.setenv("HUBSYNC_DATABASE_URL", desk.url)
        monkeypatch.setenv("HUBSYNC_EFFECTIVE_SINCE", LONG_AGO.date().isoformat())
        yield desk


@pytest.fixture
def hubsync_json(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """`hubsync_json("undo", "1")`: the exit code and the document of that command with `--format json`."""

    def call(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        code = run([*arguments, "--format", "json"])
        printed = capsys.readouterr()
        return code, json.loads(printed.out) if printed.out else printed.err

    return call
