"""What the transport makes of everything that can happen on the way to HubSpot and back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import responses
from structlog.testing import capture_logs

from hubsync.errors import PortalPermanentError, PortalTemporaryError, RateLimited, TokenRefused
from hubsync.portal.gateway import Gateway
from hubsync.portal.transport import Transport
from hubsync.portal.values import Call
from tests.portal.conftest import TOKEN, URL, FakeTime

ACCOUNT = f"{URL}/account-info/v3/details"
SEARCH = f"{URL}/crm/v3/objects/contacts/search"
DETAILS = {"portalId": 4211, "timeZone": "Europe/Paris", "uiDomain": "app.hubspot.com", "companyCurrency": "EUR"}
TEN_SECONDLY = {
    "status": "error",
    "message": "You have reached your ten_secondly_rolling limit.",
    "errorType": "RATE_LIMIT",
    "correlationId": "c-1",
    "policyName": "TEN_SECONDLY_ROLLING",
}


def test_a_time_out_is_tried_again(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.get(ACCOUNT, body=requests.ReadTimeout("slow"))
    wire.get(ACCOUNT, json=DETAILS)
    assert gateway.account().portal_id == 4211
    assert gateway.calls == 2


def test_tries_end_and_the_last_error_is_raised(
    wire: responses.RequestsMock, gateway: Gateway, fake_time: FakeTime
) -> None:
    wire.get(ACCOUNT, body=requests.ReadTimeout("slow"))
    with pytest.raises(PortalTemporaryError, match="did not answer GET /account-info/v3/details in time"):
        gateway.account()
    assert gateway.calls == 6
    assert sum(fake_time.slept) < 60


def test_a_refused_connection_says_what_to_check(make_gateway: Callable[..., Gateway]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(PortalTemporaryError, match=r"could not be reached .* HUBSYNC_API_URL"):
        make_gateway(f"http://127.0.0.1:{port}").account()


def test_a_429_with_retry_after_pauses_as_long_as_it_says(
    wire: responses.RequestsMock, gateway: Gateway, fake_time: FakeTime
) -> None:
    wire.get(ACCOUNT, status=429, json=TEN_SECONDLY, headers={"Retry-After": "3"})
    wire.get(ACCOUNT, json=DETAILS)
    assert gateway.account().portal_id == 4211
    assert sum(fake_time.slept) == pytest.approx(3.0)


def test_a_429_without_retry_after_pauses_one_interval(
    wire: responses.RequestsMock, gateway: Gateway, fake_time: FakeTime
) -> None:
    wire.get(ACCOUNT, status=429, json=TEN_SECONDLY)
    wire.get(ACCOUNT, json=DETAILS)
    gateway.account()
    assert sum(fake_time.slept) == pytest.approx(10.0)


def test_many_429s_do_not_use_up_the_tries(wire: responses.RequestsMock, gateway: Gateway) -> None:
    for _ in range(20):
        wire.get(ACCOUNT, status=429, json=TEN_SECONDLY)
    wire.get(ACCOUNT, json=DETAILS)
    assert gateway.account().portal_id == 4211


def test_a_search_429_pauses_searches_for_a_second(
    wire: responses.RequestsMock, gateway: Gateway, fake_time: FakeTime
) -> None:
    body = {"status": "error", "message": "You have reached your secondly limit.", "category": "RATE_LIMITS"}
    wire.post(SEARCH, status=429, json=body)
    wire.post(SEARCH, json={"total": 12, "results": []})
    assert gateway.count_contacts() == 12
    assert sum(fake_time.slept) == pytest.approx(1.0)


def test_a_daily_429_is_raised_at_once_and_nothing_more_is_sent(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.get(ACCOUNT, status=429, json={"message": "You have reached your daily limit.", "policyName": "DAILY"})
    for _ in range(3):
        with pytest.raises(RateLimited) as caught:
            gateway.account()
        assert caught.value.daily
    assert gateway.calls == 1


@pytest.mark.parametrize(("now", "hours"), [("2026-03-01T22:30:00+00:00", 0.5), ("2026-03-28T23:30:00+00:00", 22.5)])
def test_a_spent_day_ends_at_the_accounts_midnight(
    wire: responses.RequestsMock, make_gateway: Callable[..., Gateway], now: str, hours: float
) -> None:
    gateway = make_gateway(now=lambda: datetime.fromisoformat(now))
    wire.get(ACCOUNT, json=DETAILS)
    gateway.account()
    wire.get(f"{URL}/crm/v3/pipelines/deals", status=429, json={"policyName": "DAILY"})
    with pytest.raises(RateLimited):
        gateway.deal_pipelines()
    with pytest.raises(RateLimited) as caught:
        gateway.deal_pipelines()
    assert caught.value.retry_after == pytest.approx(hours * 3600)  # the second one is a day of 23 hours


def test_closing_ends_the_waits_of_others(wire: responses.RequestsMock, make_gateway: Callable[..., Gateway]) -> None:
    wire.get(ACCOUNT, status=429, json=TEN_SECONDLY, headers={"Retry-After": "300"})
    gateway = make_gateway(clock=time.monotonic, sleep=None)
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            gateway.account()
        except PortalPermanentError as error:
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    while not gateway.calls:
        time.sleep(0.01)
    gateway.close()
    thread.join(10)
    assert [str(error) for error in ended] == [
        "The connection to HubSpot was closed while a call waited; it was not sent."
    ]


def test_bulk_work_leaves_the_reserve_of_the_day_and_urgent_work_may_use_it(
    wire: responses.RequestsMock, make_gateway: Callable[..., Gateway]
) -> None:
    headers = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "50"}
    wire.get(ACCOUNT, json=DETAILS, headers=headers)
    bulk, urgent = make_gateway(bulk=True), make_gateway()
    for gateway in (bulk, urgent):
        gateway.account()
    with pytest.raises(RateLimited, match=r"(49|50) of the 1000 calls") as caught:
        bulk.account()
    assert caught.value.daily
    assert urgent.account().portal_id == 4211


@pytest.mark.parametrize("status", [423, 500, 502, 503, 504, 521, 523, 524])
def test_a_server_error_in_json_is_tried_again(wire: responses.RequestsMock, gateway: Gateway, status: int) -> None:
    wire.get(ACCOUNT, status=status, json={"status": "error", "message": "internal error", "correlationId": "c"})
    wire.get(ACCOUNT, json=DETAILS)
    assert gateway.account().portal_id == 4211


def test_a_server_error_in_html_is_tried_again_and_never_quoted(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.get(ACCOUNT, status=502, body="<html><h1>Bad gateway</h1></html>", content_type="text/html")
    with pytest.raises(PortalTemporaryError) as caught:
        gateway.account()
    assert str(caught.value) == "HubSpot could not answer GET /account-info/v3/details (502)."


def test_a_locked_portal_is_left_alone_for_two_seconds(
    wire: responses.RequestsMock, gateway: Gateway, fake_time: FakeTime
) -> None:
    wire.get(ACCOUNT, status=423, json={"message": "locked"})
    wire.get(ACCOUNT, json=DETAILS)
    gateway.account()
    assert sum(fake_time.slept) == pytest.approx(2.0)


def test_an_overloaded_portal_is_left_alone_as_long_as_it_says(
    wire: responses.RequestsMock, gateway: Gateway, fake_time: FakeTime
) -> None:
    wire.get(ACCOUNT, status=503, json={}, headers={"Retry-After": "40"})
    wire.get(ACCOUNT, json=DETAILS)
    gateway.account()
    assert sum(fake_time.slept) == pytest.approx(40)


def test_a_migration_of_hours_is_not_waited_for(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.get(ACCOUNT, status=477, json={"message": "migrating"}, headers={"Retry-After": "7200"})
    with pytest.raises(PortalTemporaryError, match="HubSpot asks to wait 7"):
        gateway.account()
    assert gateway.calls == 1


@pytest.mark.parametrize(
    "body",
    ["<html>maintenance</html>", '{"portalId": 42', "[]", '"text"', "", "null", '{"portalId": null}', "{}"],
)
def test_a_200_that_is_no_answer_is_tried_again_and_never_used(
    wire: responses.RequestsMock, gateway: Gateway, body: str
) -> None:
    wire.get(ACCOUNT, body=body)
    wire.get(ACCOUNT, json=DETAILS)
    assert gateway.account().portal_id == 4211
    assert gateway.calls == 2


def test_unknown_fields_are_passed_over(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.get(ACCOUNT, json={**DETAILS, "somethingNew": {"a": [1]}})
    assert gateway.account().currency == "EUR"


def test_a_redirect_is_not_followed(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.get(ACCOUNT, status=302, headers={"Location": "https://elsewhere.test/"})
    with pytest.raises(PortalPermanentError, match="redirect"):
        gateway.account()
    assert len(wire.calls) == 1


def test_a_call_to_another_address_is_refused() -> None:
    transport = Transport(URL, lambda: TOKEN)
    with pytest.raises(PortalPermanentError, match="another address"):
        transport.request("GET", "https://elsewhere.test/x")
    with pytest.raises(PortalPermanentError, match="another address"):
        transport.request("GET", URL + ".evil.test/x")


@contextmanager
def a_server(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server on loopback that answers every connection with the same bytes and hangs up; with what it was sent."""
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    got.append(connection.recv(65536))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", got
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "connection to HubSpot was lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{", "was cut off|was lost"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", "was cut off|was lost"),
        (b"no HTTP at all\r\n\r\n", "connection to HubSpot was lost"),
    ],
    ids=["nothing", "too short", "half a chunk", "not HTTP"],
)
def test_a_broken_answer_is_a_temporary_error(
    make_gateway: Callable[..., Gateway], answer: bytes, message: str
) -> None:
    with a_server(answer) as (url, got), pytest.raises(PortalTemporaryError, match=message):
        make_gateway(url).account()
    assert len(got) == 6


GOOD = b'{"portalId": 4211, "timeZone": "UTC"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"


def test_a_netrc_file_does_not_replace_the_token(make_gateway: Callable[..., Gateway], isolated: Path) -> None:
    (isolated / "home" / ".netrc").write_text("default login someone password secret\n")
    with a_server(OK % (len(GOOD), GOOD)) as (url, got):
        assert make_gateway(url).account().portal_id == 4211
    assert f"Authorization: Bearer {TOKEN}\r\n".encode() in got[0]


def test_proxy_variables_are_ignored_and_a_given_proxy_is_used(
    make_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_server(OK % (len(GOOD), GOOD)) as (url, got), a_server(OK % (len(GOOD), GOOD)) as (proxy, at_proxy):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        make_gateway(url).account()
        assert (len(got), len(at_proxy)) == (1, 0)
        make_gateway(url, proxies={"http": proxy}).account()
        assert (len(got), len(at_proxy)) == (1, 1)


def test_the_token_is_in_no_repr_error_or_log(
    wire: responses.RequestsMock, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    wire.get(ACCOUNT, status=500, json={"message": f"{TOKEN} jane@example.com"})
    wire.get(f"{URL}/crm/v3/properties/contacts", status=400, json={"message": f"{TOKEN} jane@example.com"})
    wire.get(f"{URL}/crm/v3/pipelines/deals", body=requests.ConnectionError(f"{TOKEN} jane@example.com"))
    told = [repr(gateway), str(gateway)]
    with capture_logs() as logs:
        for call in (gateway.account, gateway.properties, gateway.deal_pipelines):
            with pytest.raises((PortalTemporaryError, PortalPermanentError)) as caught:
                call()
            told.append(repr(caught.value))
    told.extend([str(logs), caplog.text])
    assert not [text for text in told if TOKEN in text or "jane" in text]
    assert [entry["event"] for entry in logs][:1] == ["portal.retry_scheduled"]


def test_a_token_with_a_line_break_is_refused_without_being_shown(make_gateway: Callable[..., Gateway]) -> None:
    with pytest.raises(TokenRefused, match="characters that no token has") as caught:
        make_gateway(token=lambda: "pat-secret\nX-Evil: 1").account()
    assert "secret" not in repr(caught.value)


def test_calls_are_counted_by_route_and_status(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.get(ACCOUNT, status=500, json={})
    wire.get(ACCOUNT, json=DETAILS)
    gateway.account()
    gateway.account()
    route = "/account-info/v3/details"
    assert gateway.calls_by_route == (Call("GET", route, 200, 2), Call("GET", route, 500, 1))


def test_the_dated_version_is_spoken_where_it_is_asked_for(
    wire: responses.RequestsMock, make_gateway: Callable[..., Gateway]
) -> None:
    wire.post(f"{URL}/crm/objects/2026-09/contacts/search", json={"total": 3, "results": []})
    assert make_gateway(api_version="2026-09").count_contacts() == 3


def test_the_portals_clock_is_learned_from_its_answers(
    wire: responses.RequestsMock, make_gateway: Callable[..., Gateway]
) -> None:
    local = datetime(2026, 3, 1, 12, 0, 0, 400_000, UTC)
    gateway = make_gateway(now=lambda: local)
    assert gateway.clock_offset == timedelta(0)
    wire.get(ACCOUNT, json=DETAILS, headers={"Date": "Sun, 01 Mar 2026 12:05:00 GMT"})
    gateway.account()
    assert abs(gateway.clock_offset - timedelta(minutes=5)) <= timedelta(seconds=0.5)


def test_a_clock_that_agrees_within_the_headers_second_is_left_alone(
    wire: responses.RequestsMock, make_gateway: Callable[..., Gateway]
) -> None:
    gateway = make_gateway(now=lambda: datetime(2026, 3, 1, 12, 0, 0, 400_000, UTC))
    wire.get(ACCOUNT, json=DETAILS, headers={"Date": "Sun, 01 Mar 2026 12:00:00 GMT"})
    gateway.account()
    assert gateway.clock_offset == timedelta(0)
