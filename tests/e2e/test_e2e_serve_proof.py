"""A running `hubsync serve --write` on rules that aren't proved: it says so loudly, and works all the same."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.test_e2e_serve_alerts import free_port, ready
from tests.proving.minis import SETTLING, broken, mini, written
from tests.service.doorbells import Webhook, listening
from tests.service.waiting import eventually

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with listening(Webhook()) as server:
        yield server


def metric(port: int, name: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text: str = answer.read().decode()
    return next(line.partition(" ")[2] for line in text.splitlines() if line.startswith(name))


@pytest.mark.usefixtures("desk")
def test_rules_that_fight_are_told_once_and_told_to_be_well_once_they_are_mended(
    start: Start, webhook: Webhook, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, port = isolated / "rules", free_port()
    written(mini(broken("two_rules_undo_one_another")), folder)
    monkeypatch.setenv("HUBSYNC_RULES", str(folder))
    monkeypatch.setenv("HUBSYNC_PROOF_SECONDS", "120")
    options = {"HUBSYNC_ALERT_WEBHOOK_URL": webhook.url, "HUBSYNC_LOG_LEVEL": "warning", "HUBSYNC_LOG_FORMAT": "json"}
    process = start("serve", "--write", "--port", str(port), **options)
    assert eventually(lambda: len(webhook.texts) == 1)
    assert "The rules in force are not proved to settle: 1 fault. rules.yaml:" in webhook.texts[0]
    assert (ready(port), metric(port, "hubsync_rules_unproved")) == ({}, "1.0")

    written(mini(SETTLING), folder)
    assert eventually(lambda: len(webhook.texts) == 2)
    assert "It is well again: unproved." in webhook.texts[1]
    assert metric(port, "hubsync_rules_unproved") == "0.0"
    process.terminate()
    assert process.wait(10) == 0
    assert process.stderr is not None
    logged = [json.loads(line) for line in process.stderr if line.startswith("{")]
    assert [entry["says"] in webhook.texts[0] for entry in logged if entry["event"] == "rules.unproved"] == [True]
