"""The receiver: proven, written down, then answered; and what comes from anyone else costs little."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from hubsync.errors import StoreError
from hubsync.service.intake import Hint
from tests.web.asking import (
    APP,
    EVENTS,
    NOW,
    PORTAL,
    PUBLIC,
    V1,
    WORKFLOW,
    Answer,
    Web,
    events,
    in_pieces,
    refused,
    v2,
)


@pytest.fixture
def web() -> Web:
    return Web()


def counted(web: Web, answer: str) -> float:
    return web.metrics.registry.get_sample_value("hubsync_webhooks_total", {"answer": answer}) or 0.0


# What is taken


def test_proven_events_are_written_down_and_acknowledged(web: Web) -> None:
    answer = web.post(events(123, 124, 123))
    assert (answer.status, answer.json) == (200, {"used": 3, "ignored": 0})
    assert web.intake.hints == [Hint(("123", "124"), "webhook: creation")]
    assert counted(web, "accepted") == 1


def test_an_erasure_is_handed_on_as_one(web: Web) -> None:
    assert web.post(events(7, subscriptionType="contact.privacyDeletion")).status == 200
    assert (web.intake.erased, web.intake.hints) == (["7"], [])


def test_an_echo_of_our_own_write_comes_after_our_own_look(web: Web) -> None:
    web.post(events(7, changeSource="INTEGRATION", sourceId=str(APP)))
    assert web.intake.hints == [Hint(("7",), "webhook: own write", timedelta(seconds=15))]


@pytest.mark.parametrize("path", [EVENTS, f"{EVENTS}/crm", f"{EVENTS}?next=1&k=a%20b"])
def test_every_path_below_which_an_app_may_send_is_heard(web: Web, path: str) -> None:
    assert web.post(events(7), path).status == 200
    assert web.intake.items == ["7"]


def test_a_workflow_sends_one_record_signed_the_old_way(web: Web) -> None:
    assert web.ask("POST", WORKFLOW, V1, v2("POST", WORKFLOW, V1)).status == 200
    target = f"{WORKFLOW}?email=x%40example.com&hs_object_id=4212"
    assert web.ask("GET", target, b"", v2("GET", target, b"")).status == 200
    assert web.post(b'{"contactId":"4213"}', WORKFLOW).status == 200
    assert web.intake.hints == [Hint((id_,), "workflow") for id_ in ("4211", "4212", "4213")]


def test_a_workflow_may_name_the_contact_in_a_field_of_its_own() -> None:
    web = Web(workflow_id_field="lead.key")
    assert web.post(b'{"vid":1,"lead":{"key":"4211"}}', WORKFLOW).json == {"used": 1, "ignored": 0}
    assert web.intake.items == ["4211"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not a list of events"),
        (b"{", "not a list of events"),
        (b"\xff\xfe\x00", "not a list of events"),
        (b"[" * 200_000, "not a list of events"),
        (events(1, portalId=PORTAL + 1), "of another portal"),
        (events(1, subscriptionType="company.creation"), "about another kind of object"),
    ],
)
def test_what_is_authentic_but_of_no_use_is_acknowledged_and_logged(web: Web, body: bytes, reason: str) -> None:
    with capture_logs() as logs:
        answer = web.post(body)
    assert (answer.status, answer.json) == (200, {"used": 0, "ignored": 1})
    (line,) = logs
    assert (line["event"], line["reasons"]) == ("webhook.ignored", {reason: 1})
    assert web.intake.futures == []
    assert web.metrics.registry.get_sample_value("hubsync_events_total", {"use": reason}) == 1


def test_nothing_of_a_body_is_logged(web: Web) -> None:
    with capture_logs() as logs:
        web.post(b'["x@example.com"]')
        web.ask("POST", EVENTS, b'["y@example.com"]', web.v3("POST", EVENTS, b""))
    assert len(logs) == 2
    assert "example.com" not in str(logs)


# When it is acknowledged


def test_the_answer_waits_for_the_commit(web: Web) -> None:
    web.intake.holding = True
    body = events(7)

    async def run() -> Answer:
        asking = asyncio.ensure_future(
            web.asking("POST", EVENTS, in_pieces(then=_last(body)), web.v3("POST", EVENTS, body))
        )
        while not web.intake.futures:
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        assert not asking.done()
        web.intake.futures[0].set_result(None)
        return await asking

    assert asyncio.run(run()).status == 200


def test_a_commit_that_fails_has_hubspot_try_again(web: Web) -> None:
    web.intake.error = StoreError("The disk is full.")
    answer = web.post(events(7))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "disk" not in answer.text
    assert counted(web, "uncommitted") == 1
    web.intake.error = None
    assert web.post(events(7)).status == 200


def test_a_commit_that_takes_too_long_is_left_to_end_by_itself() -> None:
    web = Web(commit_seconds=0.01)
    web.intake.holding = True
    assert web.post(events(7)).status == 503
    (future,) = web.intake.futures
    assert not future.cancelled()
    future.set_result(None)


# Who is turned away


def test_without_a_signature_there_is_no_entry(web: Web) -> None:
    assert refused(web, [])
    assert refused(web, [], target=WORKFLOW, body=V1)
    assert refused(web, [], target=f"{WORKFLOW}?vid=1", body=b"", method="GET")


def test_a_forged_or_truncated_or_replayed_request_is_refused(web: Web) -> None:
    body = events(7)
    good = web.v3("POST", EVENTS, body)
    assert refused(web, web.v3("POST", EVENTS, body, secret="guessed"), body)
    assert refused(web, good, body[:-1])
    assert refused(web, good, body + b" ")
    assert refused(web, good, body, f"{EVENTS}?a=1")
    web.pass_time(minutes=5, seconds=1)
    assert refused(web, good, body)


def test_a_time_stamp_of_the_future_is_refused(web: Web) -> None:
    ahead = web.v3("POST", EVENTS, b"[]", at=NOW + timedelta(minutes=5, seconds=1))
    assert refused(web, ahead)


@pytest.mark.parametrize("odd", [b"\xff\xfe", "ünïcode ✓".encode(), b"", b"\x00" * 44, b"A" * 100_000])
@pytest.mark.parametrize("name", [b"X-HubSpot-Signature-v3", b"X-HubSpot-Request-Timestamp", b"X-HubSpot-Signature"])
def test_odd_headers_are_refused_like_any_other(web: Web, name: bytes, odd: bytes) -> None:
    good = dict(web.v3("POST", EVENTS, b"[]"))
    assert refused(web, [(name, odd), (b"X-HubSpot-Signature-Version", odd)])
    assert refused(web, [(name, odd), (b"X-HubSpot-Signature-Version", b"v1")])
    if name in good:
        assert refused(web, list({**good, name: odd}.items()))


def test_forwarding_headers_change_nothing_of_the_signed_address(web: Web) -> None:
    body = b"[]"
    elsewhere = [(b"host", b"evil.example"), (b"x-forwarded-host", b"evil.example"), (b"x-forwarded-proto", b"http")]
    assert web.ask("POST", EVENTS, body, [*web.v3("POST", EVENTS, body), *elsewhere]).status == 200


def test_versions_can_be_switched_off() -> None:
    web = Web(accept=frozenset({"v3"}))
    assert refused(web, v2("POST", WORKFLOW, V1), V1, WORKFLOW)
    with pytest.raises(ValueError, match="v1, v2, v3"):
        Web(accept=frozenset({"v4"}))


def test_the_reason_is_logged_and_not_told(web: Web) -> None:
    with capture_logs() as logs:
        assert refused(web, [])
    (line,) = logs
    assert (line["event"], line["address"]) == ("webhook.refused", "198.51.100.7")
    assert "no signature" in line["reason"]


# Bodies


def _last(body: bytes) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": False}


def sent(web: Web, *pieces: bytes, then: dict[str, Any] | None = None, length: bytes | None = None) -> Answer:
    """A request with plausible headers, whose body comes as said."""
    headers = web.v3("POST", EVENTS, b"[]") + ([(b"content-length", length)] if length is not None else [])
    return asyncio.run(web.asking("POST", EVENTS, in_pieces(*pieces, then=then), headers))


def test_a_gigantic_body_is_refused_unread(web: Web) -> None:
    for length in (b"2097153", b"9" * 30, b"-1", b"abc", "٣".encode()):
        assert sent(web, length=length).status == 413
    assert sent(web, then=_last(b"[]"), length=b"2097152").status == 200


def test_a_gigantic_body_of_no_said_length_is_refused_as_soon_as_it_is_too_large(web: Web) -> None:
    assert sent(web, *[b"x" * 65_536] * 33).status == 413
    assert counted(web, "unread") == 1


def test_a_body_in_many_pieces_is_put_together(web: Web) -> None:
    assert sent(web, b"[", then=_last(b"]")).status == 200


def test_a_body_that_comes_too_slowly_is_given_up() -> None:
    web = Web(body_seconds=0.01)
    assert sent(web, b"[").status == 408


def test_a_body_cut_short_is_not_taken_for_whole(web: Web) -> None:
    assert sent(web, b"[]", then={"type": "http.disconnect"}).status == 400
    assert web.intake.futures == []


def test_without_a_plausible_signature_no_body_is_waited_for(web: Web) -> None:
    assert asyncio.run(web.asking("POST", EVENTS, in_pieces(), [])).status == 401


def test_no_more_requests_than_allowed_are_under_way_at_once() -> None:
    web = Web(in_flight=2, body_seconds=5)

    async def run() -> list[int]:
        good = web.v3("POST", EVENTS, b"[]")
        slow = [asyncio.ensure_future(web.asking("POST", EVENTS, in_pieces(b"["), good)) for _ in range(2)]
        await asyncio.sleep(0)
        third = await web.asking("POST", EVENTS, in_pieces(then=_last(b"[]")), good)
        for request in slow:
            request.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        after = await web.asking("POST", EVENTS, in_pieces(then=_last(b"[]")), good)
        return [third.status, after.status]

    assert asyncio.run(run()) == [503, 200]


# Behind a proxy


@pytest.mark.parametrize("left_on", [True, False])
def test_a_path_before_ours_is_part_of_the_signed_address_whether_the_proxy_takes_it_off(left_on: bool) -> None:
    web = Web(public_url=f"{PUBLIC}/crm")
    headers = web.v3("POST", f"/crm{EVENTS}", b"[]")
    assert web.ask("POST", f"/crm{EVENTS}" if left_on else EVENTS, b"[]", headers).status == 200


def test_other_methods_are_none_of_the_receivers(web: Web) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert web.ask(method, EVENTS).status == 405
    assert web.ask("PUT", WORKFLOW).status == 405
