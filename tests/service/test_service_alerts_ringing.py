"""Alerts with their thread and real servers: they arrive by themselves, and keep nobody waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from hubsync.service.alerts import Alerts
from hubsync.service.audience import Audience, Letter, try_ways
from hubsync.service.health import Health
from hubsync.service.mail import Mailbox, server_of
from tests.service.doorbells import MailServer, Webhook, listening
from tests.service.waiting import eventually
from tests.sync.desk import NOW


@pytest.fixture
def ringing() -> Iterator[tuple[Alerts, Webhook]]:
    with listening(Webhook()) as webhook:
        alerts = Alerts(lambda: datetime.now(UTC))
        alerts.use(Audience(webhook.url), "hubsync, portal 62515")
        alerts.start()
        yield alerts, webhook
        webhook.silent.set()
        alerts.stop()


def test_a_problem_reaches_the_webhook_by_itself(ringing: tuple[Alerts, Webhook]) -> None:
    alerts, webhook = ringing
    health = Health(alerts.on_change)
    health.say("token", "HubSpot refused the token.")
    assert eventually(lambda: len(webhook.texts) == 1)
    health.clear("token")
    assert eventually(lambda: len(webhook.texts) == 2)
    assert webhook.texts[0] == "hubsync, portal 62515: HubSpot refused the token."


def test_a_webhook_that_does_not_answer_makes_nobody_wait(ringing: tuple[Alerts, Webhook]) -> None:
    alerts, webhook = ringing
    webhook.silent.clear()
    alerts.say("a", "One.")
    assert eventually(lambda: len(webhook.paths) == 1)

    def say_more() -> None:
        for number in range(50):
            alerts.say(f"b{number}", "More.")

    said = threading.Thread(target=say_more)
    said.start()
    said.join(5.0)
    assert not said.is_alive()
    webhook.silent.set()
    assert eventually(lambda: len(webhook.texts) == 51)


def test_a_failure_of_its_own_making_does_not_end_it(
    ringing: tuple[Alerts, Webhook], monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts, webhook = ringing
    alerts.on_outcome = _raises
    with capture_logs() as logs:
        alerts.say("a", "One.")
        assert eventually(lambda: any(line["event"] == "alerts.failed" for line in logs))
    alerts.on_outcome = lambda _outcome: None
    alerts.say("b", "Two.")
    assert eventually(lambda: "hubsync, portal 62515: Two." in webhook.texts)


def test_both_ways_are_used() -> None:
    with listening(Webhook()) as webhook, listening(MailServer()) as server:
        mailbox = Mailbox(server_of(f"smtp://127.0.0.1:{server.port}"), "h@example.com", ("ops@example.com",))
        letter = Letter("hubsync: test", "A test.")
        outcomes = try_ways(Audience(webhook.url, mailbox).ways(letter, NOW), lambda _seconds: False)
        assert outcomes == {"webhook": None, "e-mail": None}
        assert (webhook.texts, [m["Subject"] for m in server.messages]) == (["A test."], ["hubsync: test"])


def _raises(_outcome: str) -> None:
    raise RuntimeError("metrics are broken")
