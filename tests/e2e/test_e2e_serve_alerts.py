"""A running `hubsync serve`: it tells people what is wrong and when that is over, and a release reaches it at once."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from hubsync.settings import default_rules
from tests.e2e.conftest import Hubsync
from tests.service.doorbells import Webhook, listening
from tests.service.waiting import eventually
from tests.sync.desk import SQL, Desk, ago

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with listening(Webhook()) as server:
        yield server


@pytest.fixture
def limited(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped rules, with two changes an hour for each rule."""
    folder = isolated / "limited"
    shutil.copytree(default_rules(), folder)
    portal = folder / "portal.yaml"
    text = portal.read_text(encoding="utf-8")
    portal.write_text(text.replace("guard: {share: 10%", "guard: {rule_an_hour: 2, share: 10%"), encoding="utf-8")
    monkeypatch.setenv("HUBSYNC_RULES", str(folder))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def ready(port: int) -> dict[str, Any]:
    """What /readyz says of problems."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            text = answer.read()
    except HTTPError as refused:
        text = refused.read()
    problems: dict[str, Any] = json.loads(text)["problems"]
    return problems


def serving(process: subprocess.Popen[str]) -> None:
    """Wait until it serves."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("hubsync serves portal"):
            return
    raise AssertionError(f"it ended with {process.wait()}")


def test_a_token_refused_at_noon_is_told_and_told_to_be_over_once_it_was_replaced(
    desk: Desk, start: Start, webhook: Webhook, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = isolated / "token"
    token.write_text(desk.box.token, encoding="utf-8")
    monkeypatch.delenv("HUBSYNC_ACCESS_TOKEN")
    port = free_port()
    process = start(
        "serve",
        "--port",
        str(port),
        HUBSYNC_ACCESS_TOKEN_FILE=str(token),
        HUBSYNC_ALERT_WEBHOOK_URL=webhook.url,
        HUBSYNC_POLL_SECONDS="5",
        HUBSYNC_INDEX_LAG_SECONDS="0",
        HUBSYNC_LOG_LEVEL="error",
    )
    serving(process)
    desk.box.rotate_token()
    assert eventually(lambda: len(webhook.texts) == 1)
    assert "refused the token" in webhook.texts[0]
    assert list(ready(port)) == ["token"]
    token.write_text(desk.box.token, encoding="utf-8")
    assert eventually(lambda: len(webhook.texts) == 2)
    assert "It is well again: token." in webhook.texts[1]
    assert ready(port) == {}
    process.terminate()
    assert process.wait(10) == 0


@pytest.mark.usefixtures("limited")
def test_a_held_rule_is_told_and_goes_on_within_a_second_of_its_release(
    desk: Desk, start: Start, webhook: Webhook, hubsync: Hubsync
) -> None:
    leads = [desk.lead("QUALIFIED", at=ago(days=1)) for _ in range(3)]
    process = start(
        "serve",
        "--write",
        "--port",
        "0",
        HUBSYNC_ALERT_WEBHOOK_URL=webhook.url,
        HUBSYNC_LOG_LEVEL="error",
    )
    serving(process)
    assert eventually(lambda: len(webhook.texts) == 1)
    assert "hubsync guard release qualified_moves_the_stage" in webhook.texts[0]
    assert sum(desk.stage(lead) == SQL for lead in leads) == 2
    (rule,) = hubsync("guard", "--format", "json").json["rules"]
    assert (rule["rule"], rule["contacts"], rule["limit"]) == ("qualified_moves_the_stage", 1, 2)
    assert hubsync("guard", "release", "qualified_moves_the_stage").code == 0
    assert eventually(lambda: [desk.stage(lead) for lead in leads] == [SQL] * 3)
    assert eventually(lambda: len(webhook.texts) == 2)
    assert "It is well again: held qualified_moves_the_stage." in webhook.texts[1]
