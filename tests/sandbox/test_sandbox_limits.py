"""Line 7 of the checklist: limits with their headers and bodies, and faults on request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from hubsync.sandbox import Fault, Portal, Sandbox, SandboxClock

Call = Callable[..., requests.Response]
CONTACTS = "/crm/v3/objects/contacts"


class Timer:
    """Seconds that move by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def box(portal: Portal, timer: Timer) -> Iterator[Sandbox]:
    """Three requests in ten seconds, eight in a day."""
    with Sandbox(portal, allowance=3, daily=8, timer=timer) as running:
        yield running


def test_line_7_the_window_rolls_and_the_headers_say_so(call: Call, timer: Timer) -> None:
    left = []
    for _ in range(3):
        answer = call("GET", CONTACTS)
        left.append(answer.headers["X-HubSpot-RateLimit-Remaining"])
        timer.now += 4
    assert left == ["2", "1", "0"]
    assert answer.headers["X-HubSpot-RateLimit-Max"] == "3"
    assert answer.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert answer.headers["X-HubSpot-RateLimit-Daily"] == "8"
    assert answer.headers["X-HubSpot-RateLimit-Daily-Remaining"] == "5"
    assert call("GET", CONTACTS).status_code == 200  # the first of the three is twelve seconds old
    refused = call("GET", CONTACTS)
    assert refused.status_code == 429
    body = refused.json()
    assert body.pop("correlationId")
    assert body.pop("requestId")
    assert body == {
        "status": "error",
        "message": "You have reached your ten_secondly_rolling limit.",
        "errorType": "RATE_LIMIT",
        "policyName": "TEN_SECONDLY_ROLLING",
    }


def test_line_7_the_day_ends_at_midnight_of_the_portal(
    call: Call, portal: Portal, timer: Timer, clock: SandboxClock
) -> None:
    for _ in range(8):
        assert call("GET", CONTACTS).status_code == 200
        timer.now += 5
    refused = call("GET", CONTACTS)
    assert (refused.status_code, refused.json()["policyName"]) == (429, "DAILY")
    clock.advance(timedelta(hours=16, minutes=59))
    assert call("GET", CONTACTS).status_code == 429
    clock.advance(timedelta(minutes=1))  # 05:00 UTC is midnight in US/Eastern
    assert call("GET", CONTACTS).status_code == 200


def test_line_7_a_second_token_has_a_window_of_its_own_unless_it_shares(call: Call, box: Sandbox) -> None:
    own, shared = box.add_token("other", allowance=3), box.add_token("same", share=True)
    for _ in range(3):
        assert call("GET", CONTACTS, token=shared).status_code == 200
    assert call("GET", CONTACTS).status_code == 429
    assert call("GET", CONTACTS, token=own).status_code == 200
    assert [each.token for each in box.portal.journal.requests] == ["same"] * 3 + ["main", "other"]


def test_a_rotated_token_is_refused(call: Call, box: Sandbox) -> None:
    old = box.token
    box.rotate_token()
    assert call("GET", CONTACTS).status_code == 200
    assert call("GET", CONTACTS, token=old).status_code == 401


def test_line_7_latency_is_waited_by_every_call_at_once(portal: Portal, session: requests.Session) -> None:
    waited: list[float] = []
    with Sandbox(portal, latency=0.25, sleep=waited.append) as box:
        session.get(box.url + CONTACTS, headers={"Authorization": f"Bearer {box.token}"}, timeout=5)
    assert waited == [0.25]


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        (Fault("rate_limited"), 429, "TEN_SECONDLY_ROLLING"),
        (Fault("search_limited"), 429, "secondly limit"),
        (Fault("daily_limited"), 429, "DAILY"),
        (Fault("error_json", status=502), 502, "internal error"),
        (Fault("error_html", status=524), 524, "<html>"),
        (Fault("locked"), 423, "locked"),
        (Fault("migrating"), 477, "migrated"),
        (Fault("html_ok"), 200, "<html>"),
    ],
)
def test_line_7_faults_answer_as_asked_once(call: Call, box: Sandbox, fault: Fault, status: int, text: str) -> None:
    box.service.faults.add(replace(fault, times=1))
    answer = call("GET", CONTACTS)
    assert (answer.status_code, text in answer.text) == (status, True)
    assert call("GET", CONTACTS).json()["results"] == []
    assert [each.fault for each in box.portal.journal.requests] == [fault.kind, None]


def test_line_7_a_429_carries_retry_after_only_when_asked(call: Call, box: Sandbox) -> None:
    box.fail("rate_limited", times=1)
    assert "Retry-After" not in call("GET", CONTACTS).headers
    box.fail("rate_limited", times=1, retry_after="7")
    assert call("GET", CONTACTS).headers["Retry-After"] == "7"


@pytest.mark.parametrize(("kind", "city"), [("drop_before", None), ("drop_after", "Ulm")])
def test_line_7_a_dropped_connection_before_or_after_the_write(
    call: Call, box: Sandbox, contact: str, kind: str, city: str | None
) -> None:
    box.fail(kind, method="PATCH")
    with pytest.raises(requests.ConnectionError):
        call("PATCH", f"{CONTACTS}/{contact}", {"properties": {"city": "Ulm"}})
    assert call("GET", f"{CONTACTS}/{contact}", properties="city").json()["properties"]["city"] == city


def test_line_7_a_truncated_body_ends_before_its_length(call: Call, box: Sandbox, contact: str) -> None:
    box.fail("truncated", times=1)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        call("GET", CONTACTS)
    box.fail("shortened", times=1)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        call("GET", CONTACTS).json()


def test_line_7_a_slow_answer_comes_late(call: Call, box: Sandbox) -> None:
    box.fail("slow", seconds=0.05, times=1)
    started = time.monotonic()
    assert call("GET", CONTACTS).status_code == 200
    assert time.monotonic() - started >= 0.05


def test_line_7_an_error_after_the_write_leaves_it_written(call: Call, box: Sandbox, contact: str) -> None:
    box.fail("error_after", method="PATCH", status=504)
    assert call("PATCH", f"{CONTACTS}/{contact}", {"properties": {"city": "Ulm"}}).status_code == 504
    assert box.portal.values("contacts", contact, "city") == {"city": "Ulm"}


def test_line_7_faults_choose_by_path_skip_and_chance(call: Call, box: Sandbox, timer: Timer) -> None:
    box.fail("error_json", path="/owners", skip=1, times=1)
    statuses = [call("GET", path).status_code for path in ("/crm/v3/owners", CONTACTS, "/crm/v3/owners")]
    assert statuses == [200, 200, 503]
    box.service.faults.clear()
    box.fail("locked", probability=0.5, seed=3)
    first = [call("GET", "/nowhere").status_code == 423 for _ in range(20)]
    box.service.faults.clear()
    box.fail("locked", probability=0.5, seed=3)
    assert [call("GET", "/nowhere").status_code == 423 for _ in range(20)] == first
    assert 3 < sum(first) < 17


def test_an_unknown_fault_is_refused(box: Sandbox) -> None:
    with pytest.raises(ValueError, match="unknown fault explode"):
        box.fail("explode")


def test_a_uri_over_16000_characters_is_a_414(call: Call) -> None:
    assert call("GET", CONTACTS, properties="x" * 17_000).status_code == 414
