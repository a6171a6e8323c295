"""What machines that watch hubsync are told."""

from __future__ import annotations

import pytest

from tests.web.asking import Web, events


@pytest.fixture
def web() -> Web:
    return Web(password=None)


def test_alive_is_alive_whatever_else_is_wrong(web: Web) -> None:
    web.health.say("token", "HubSpot refused the token.")
    assert (web.ask("GET", "/healthz").status, web.ask("GET", "/healthz").json) == (200, {"status": "ok"})


def test_ready_names_every_problem(web: Web) -> None:
    assert (web.ask("GET", "/readyz").status, web.ask("GET", "/readyz").json) == (
        200,
        {"status": "ready", "problems": {}},
    )
    web.health.say("token", "HubSpot refused the token.")
    web.health.say("lease", "Another hubsync writes to the portal.")
    answer = web.ask("GET", "/readyz")
    assert answer.status == 503
    assert answer.json == {
        "status": "degraded",
        "problems": {"token": "HubSpot refused the token.", "lease": "Another hubsync writes to the portal."},
    }
    web.health.clear("token")
    web.health.clear("lease")
    assert web.ask("GET", "/readyz").status == 200


def test_load_balancers_may_ask_for_heads_only(web: Web) -> None:
    assert [web.ask("HEAD", path).status for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 200]


def test_metrics_are_prometheus_text_with_what_webhooks_counted(web: Web) -> None:
    web.post(events(7, 8))
    web.ask("POST", "/webhooks/hubspot", b"[]")
    answer = web.ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    for line in (
        'hubsync_webhooks_total{answer="accepted"} 1.0',
        'hubsync_webhooks_total{answer="refused"} 1.0',
        'hubsync_events_total{use="used"} 2.0',
        'hubsync_hints_total{source="webhook"} 2.0',
    ):
        assert line in lines
