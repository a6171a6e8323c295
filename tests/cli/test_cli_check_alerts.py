"""`hubsync check` on alerts: whom they reach, what is missing, and a test alert on request."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.settings import default_rules
from tests.service.doorbells import MailServer, Webhook, listening
from tests.sync.desk import Desk

Json = Callable[..., tuple[int, Any]]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with listening(Webhook()) as server:
        yield server


@pytest.fixture
def told(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`told("{to: [ops@example.com]}")`: the shipped rules with that under `alerts:`."""

    def say(alerts: str) -> None:
        folder = isolated / "alerting"
        shutil.copytree(default_rules(), folder)
        portal = folder / "portal.yaml"
        text = portal.read_text(encoding="utf-8")
        assert "alerts: {to: [], teams: {}}" in text
        portal.write_text(text.replace("alerts: {to: [], teams: {}}", f"alerts: {alerts}"), encoding="utf-8")
        monkeypatch.setenv("HUBSYNC_RULES", str(folder))

    return say


def test_check_says_whom_alerts_reach_and_sends_none(
    cli_desk: Desk, webhook: Webhook, told: Callable[[str], None], hubsync_json: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("{to: [a@example.com, b@example.com], from: h@example.com, teams: {Paris: {webhook_from: PARIS_URL}}}")
    monkeypatch.setenv("HUBSYNC_ALERT_WEBHOOK_URL", webhook.url)
    monkeypatch.setenv("HUBSYNC_SMTP_URL", "smtps://u:s3cret@mail.example.com")
    monkeypatch.setenv("PARIS_URL", "https://hooks.example.com/s3cret")
    code, document = hubsync_json("check")
    assert code == 0
    assert document["alerts"] == {
        "ways": ["webhook", "e-mail to 2 by mail.example.com", "webhook of team Paris"],
        "faults": [],
    }
    assert webhook.texts == []


def test_check_says_that_nobody_is_told(cli_desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check"]) == 0
    assert "nobody is told: set HUBSYNC_ALERT_WEBHOOK_URL" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("alerts", "environment", "fault"),
    [
        ("{to: [ops@example.com]}", {}, "HUBSYNC_SMTP_URL is not set"),
        ("{}", {"HUBSYNC_SMTP_URL": "smtp://h"}, "names nobody"),
        ("{to: [ops@example.com]}", {"HUBSYNC_SMTP_URL": "smtp://u:s3cret@h"}, "`alerts: {from: …}`"),
        ("{to: [ops@example.com]}", {"HUBSYNC_SMTP_URL": "smtp://u:s3cret@h:0"}, "HUBSYNC_SMTP_URL can't be used"),
        (
            "{teams: {Paris: {webhook_from: PARIS_URL}}}",
            {},
            "team Paris: the environment variable PARIS_URL is not set",
        ),
        ("{teams: {Paris: {webhook_from: PARIS_URL}}}", {"PARIS_URL": "s3cret"}, "PARIS_URL must be an address"),
    ],
)
def test_what_is_missing_is_said_without_any_secret_and_ends_with_1(
    cli_desk: Desk,
    told: Callable[[str], None],
    hubsync_json: Json,
    monkeypatch: pytest.MonkeyPatch,
    alerts: str,
    environment: dict[str, str],
    fault: str,
) -> None:
    told(alerts)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, document = hubsync_json("check")
    (said,) = document["alerts"]["faults"]
    assert code == 1
    assert fault in said
    assert "s3cret" not in said


def test_a_test_alert_goes_to_everybody_without_asking_hubspot(
    webhook: Webhook, told: Callable[[str], None], hubsync_json: Json, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("{to: [ops@example.com], from: h@example.com, teams: {Paris: {webhook_from: PARIS_URL}}}")
    with listening(MailServer()) as server:
        (isolated / ".env").write_text(f"PARIS_URL={webhook.url}/paris\n", encoding="utf-8")
        monkeypatch.setenv("HUBSYNC_ALERT_WEBHOOK_URL", webhook.url)
        monkeypatch.setenv("HUBSYNC_SMTP_URL", f"smtp://127.0.0.1:{server.port}")
        code, document = hubsync_json("check", "--send-alert")
    assert (code, document) == (
        0,
        {"sent": ["webhook", "e-mail", "webhook of team Paris"], "failed": {}, "faults": []},
    )
    assert webhook.paths == ["/hooks/s3cret", "/hooks/s3cret/paris"]
    assert [m["Subject"] for m in server.messages] == ["hubsync: test"]


def test_a_test_alert_that_does_not_arrive_is_said(
    webhook: Webhook, hubsync_json: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook.answers = [404]
    monkeypatch.setenv("HUBSYNC_ALERT_WEBHOOK_URL", webhook.url)
    assert hubsync_json("check", "--send-alert") == (
        1,
        {"sent": [], "failed": {"webhook": "The webhook answered 404."}, "faults": []},
    )


def test_with_nobody_to_send_it_to_a_test_alert_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--send-alert"]) == 1
    assert "nobody is told" in capsys.readouterr().out
