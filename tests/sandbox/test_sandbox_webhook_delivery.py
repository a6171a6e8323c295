"""How an app's webhooks come: signed, in batches, again after a failure, with mischief; and how the sending ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest

from hubsync.sandbox import Mischief, Portal, Sandbox, acts
from hubsync.sandbox.webhooks import AppSender, as_hubspot, briskly
from hubsync.sandbox.webhooks.signing import sign_v1, sign_v3
from tests.sandbox.receiver import Received, Receiver, Reply

STATUSES = ("NEW", "OPEN", "CONNECTED")
AT_ONCE: dict[str, Any] = {"retry_after": lambda _: 0.0}


def quiet(portal: Portal, act: Callable[[], Any]) -> Any:
    """An act that no webhook tells of."""
    with portal.journal.paused():
        return act()


@pytest.fixture
def contacts(portal: Portal) -> list[str]:
    """Forty contacts without a status."""
    return [portal.create("contacts", {}) for _ in range(40)]


def set_all(portal: Portal, contacts: list[str], value: str = "OPEN") -> None:
    with portal.lock:  # none leaves before the last is there
        for each in contacts:
            acts.person_sets(portal, each, "hs_lead_status", value)


def until(held: Callable[[], bool]) -> None:
    """Wait, five seconds at most, for what other threads do."""
    deadline = time.monotonic() + 5
    while not held():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.005)


def sent_more_than(sender: AppSender, count: int) -> bool:
    return sender.tally.sent > count


def ids(receiver: Receiver) -> list[int]:
    return [event["objectId"] for event in receiver.events]


def attempts(sender: AppSender) -> list[tuple[int, int | None, float | None]]:
    return [(each.attempt, each.answer.status, each.again_in) for each in sender.sendings]


def test_a_request_carries_what_hubspot_sends_and_two_good_signatures(
    box: Sandbox, portal: Portal, contact: str, receiver: Receiver
) -> None:
    box.subscribe(f"{receiver.url}?next=%2Fa", now=lambda: 1_800_000_000.25)
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    (request,) = receiver.received
    assert (request.method, request.target) == ("POST", "/webhooks/hubspot?next=%2Fa")
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith("HubSpot Connect 2.0 (http://dev.hubspot.com/)")
    assert request.headers["X-HubSpot-Timeout-Millis"] == "10000"
    assert request.headers["X-HubSpot-Signature-Version"] == "v1"
    assert request.headers["X-HubSpot-Signature"] == sign_v1(box.client_secret, request.body)
    assert request.headers["X-HubSpot-Request-Timestamp"] == "1800000000250"
    uri = f"{receiver.url}?next=%2Fa"
    signed = sign_v3(box.client_secret, "POST", uri, request.body, 1_800_000_000_250)
    assert request.headers["X-HubSpot-Signature-v3"] == signed


def test_signatures_use_the_local_clock_wherever_the_portals_clock_stands(
    box: Sandbox, portal: Portal, contact: str, receiver: Receiver
) -> None:
    before = time.time()
    box.subscribe(receiver.url)
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    stamp = int(receiver.received[0].headers["X-HubSpot-Request-Timestamp"]) / 1000
    assert before - 0.01 <= stamp <= time.time()


def test_behind_a_proxy_the_public_address_is_signed(
    box: Sandbox, portal: Portal, contact: str, receiver: Receiver
) -> None:
    public = "https://hubsync.example.com/webhooks/hubspot"
    box.subscribe(receiver.url, signed_as=public, signatures=("v3",), now=lambda: 1_800_000_000.0)
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    (request,) = receiver.received
    assert "X-HubSpot-Signature" not in request.headers
    expected = sign_v3(box.client_secret, "POST", public, request.body, 1_800_000_000_000)
    assert request.headers["X-HubSpot-Signature-v3"] == expected


def test_a_new_client_secret_signs_from_the_next_request_on(
    box: Sandbox, portal: Portal, contact: str, receiver: Receiver
) -> None:
    box.subscribe(receiver.url)
    old, new = box.client_secret, box.rotate_secret()
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    (request,) = receiver.received
    assert old != new == box.client_secret
    assert request.headers["X-HubSpot-Signature"] == sign_v1(new, request.body)


def test_events_come_in_arrays_of_a_hundred_at_most_in_mixed_order(
    box: Sandbox, portal: Portal, receiver: Receiver
) -> None:
    contacts = quiet(portal, lambda: [portal.create("contacts", {}) for _ in range(250)])
    sender = box.subscribe(receiver.url)
    set_all(portal, contacts)
    assert box.drain(5)
    assert sorted(len(each.json) for each in receiver.received) == [50, 100, 100]
    assert sorted(ids(receiver)) == [int(each) for each in contacts]
    first = [event["objectId"] for event in receiver.received[0].json]
    assert first != sorted(first)
    assert (sender.tally.put, sender.tally.sent, sender.tally.accepted) == (250, 3, 3)


def test_event_ids_are_not_unique(box: Sandbox, portal: Portal, contacts: list[str], receiver: Receiver) -> None:
    box.subscribe(receiver.url)
    set_all(portal, contacts)
    assert box.drain(5)
    numbers = [event["eventId"] for event in receiver.events]
    assert len(numbers) == 40
    assert 1 < len(set(numbers)) < 40


@pytest.mark.parametrize("status", [401, 410, 429, 500, 503])
def test_any_failure_is_tried_again_with_the_attempt_in_every_event(
    box: Sandbox, portal: Portal, contact: str, receiver: Receiver, status: int
) -> None:
    receiver.replies(status, status, 204)
    sender = box.subscribe(receiver.url, **AT_ONCE)
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    assert [event["attemptNumber"] for event in receiver.events] == [0, 1, 2]
    assert len({event["eventId"] for event in receiver.events}) == 1
    assert attempts(sender) == [(0, status, 0.0), (1, status, 0.0), (2, 204, None)]
    assert (sender.tally.refused, sender.tally.accepted, sender.tally.given_up) == (2, 1, 0)


def test_after_ten_retries_it_gives_up(box: Sandbox, portal: Portal, contact: str, receiver: Receiver) -> None:
    receiver.replies(500)
    sender = box.subscribe(receiver.url, **AT_ONCE)
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    assert [event["attemptNumber"] for event in receiver.events] == list(range(11))
    assert sender.tally.given_up == 1
    assert sender.sendings[-1].given_up
    assert not sender.sendings[-2].given_up


def test_a_retry_waits_as_long_as_it_is_told_to_spread_by_half(
    box: Sandbox, portal: Portal, contacts: list[str], receiver: Receiver
) -> None:
    receiver.replies(500)
    sender = box.subscribe(receiver.url, retry_after=lambda attempt: 1000.0 * (attempt + 1), linger=0.0)
    for each in contacts[:8]:
        before = sender.tally.sent
        acts.person_sets(portal, each, "hs_lead_status", "OPEN")
        until(partial(sent_more_than, sender, before))
    assert not box.drain(0.0)  # every batch waits for its retry
    waits = [each.again_in or 0.0 for each in sender.sendings]
    assert len(waits) == 8
    assert all(500 <= each <= 1500 for each in waits)
    assert len(set(waits)) == 8
    receiver.replies(200)
    assert box.drain(5, hurry=True)
    assert sender.tally.accepted == 8


def test_the_documented_pace_takes_most_of_a_day_and_the_brisk_one_minutes() -> None:
    assert [as_hubspot(attempt) for attempt in (0, 1, 9)] == [60.0, 120.0, 30_720.0]
    assert [briskly(attempt) for attempt in (0, 1, 5, 6, 9)] == [1.0, 2.0, 32.0, 60.0, 60.0]


def test_no_answer_in_time_and_a_hung_up_connection_are_failures(
    box: Sandbox, portal: Portal, contact: str, receiver: Receiver
) -> None:
    receiver.hanging = True
    sender = box.subscribe(receiver.url, timeout=0.15, retry_after=lambda _: 1000.0)
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    until(lambda: len(sender.sendings) == 1)
    receiver.hanging = False
    receiver.replies(0, 200)
    assert not box.drain(0.0, hurry=True)
    until(lambda: len(sender.sendings) == 2)
    assert box.drain(5, hurry=True)
    assert [(each.answer.error, each.answer.status) for each in sender.sendings] == [
        ("TimeoutError", None),
        ("RemoteDisconnected", None),
        (None, 200),
    ]


def test_nobody_listening_is_a_failure_too(box: Sandbox, portal: Portal, contact: str, receiver: Receiver) -> None:
    receiver.stop()
    sender = box.subscribe(receiver.url, **AT_ONCE)
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    assert {each.answer.error for each in sender.sendings} == {"ConnectionRefusedError"}
    assert sender.tally.given_up == 1


def test_at_most_ten_requests_are_in_flight_and_the_portal_answers_meanwhile(
    box: Sandbox, portal: Portal, call: Callable[..., Any], receiver: Receiver
) -> None:
    contacts = quiet(portal, lambda: [portal.create("contacts", {}) for _ in range(1500)])
    receiver.hanging = True
    box.subscribe(receiver.url, linger=0.0)
    set_all(portal, contacts)
    until(lambda: len(receiver.received) == 10)
    assert call("GET", "/crm/v3/owners").status_code == 200
    assert len(receiver.received) == 10


def test_connections_are_kept_alive(box: Sandbox, portal: Portal, contacts: list[str], receiver: Receiver) -> None:
    box.subscribe(receiver.url, concurrency=1, linger=0.0)
    for each in contacts[:5]:
        acts.person_sets(portal, each, "hs_lead_status", "OPEN")
        assert box.drain(5)
    assert len(receiver.received) == 5
    assert len({each.client for each in receiver.received}) == 1


def test_a_connection_that_the_receiver_closed_while_idle_is_no_failed_attempt(
    box: Sandbox, portal: Portal, contacts: list[str], receiver: Receiver
) -> None:
    receiver.answer = lambda _: (200, {})
    sender = box.subscribe(receiver.url, concurrency=1, linger=0.0)
    acts.person_sets(portal, contacts[0], "hs_lead_status", "OPEN")
    assert box.drain(5)
    receiver.hang_up()
    acts.person_sets(portal, contacts[1], "hs_lead_status", "OPEN")
    assert box.drain(5)
    assert attempts(sender) == [(0, 200, None), (0, 200, None)]
    assert ids(receiver) == [int(each) for each in contacts[:2]]


def test_doubled_events_come_twice_with_the_same_id(
    box: Sandbox, portal: Portal, contacts: list[str], receiver: Receiver
) -> None:
    box.subscribe(receiver.url, mischief=Mischief(doubled=1.0, delay=(0.0, 0.05)))
    set_all(portal, contacts)
    assert box.drain(5)
    assert sorted(ids(receiver)) == sorted(int(each) for each in contacts * 2)
    seen = [(event["objectId"], event["eventId"], event["occurredAt"]) for event in receiver.events]
    assert len(set(seen)) == 40


def test_doubled_batches_are_sent_again_although_they_were_accepted(
    box: Sandbox, portal: Portal, contacts: list[str], receiver: Receiver
) -> None:
    box.subscribe(receiver.url, mischief=Mischief(doubled_batches=1.0))
    set_all(portal, contacts)
    assert box.drain(5)
    assert [len(each.json) for each in receiver.received] == [40, 40]
    assert {event["attemptNumber"] for event in receiver.events} == {0}


def test_lost_events_never_come_and_are_on_record(portal: Portal, contacts: list[str], receiver: Receiver) -> None:
    lost: list[set[int]] = []
    for _ in range(2):
        before = len(receiver.events)
        with Sandbox(portal) as box:
            sender = box.subscribe(receiver.url, mischief=Mischief(seed=3, lost=0.25))
            set_all(portal, contacts, STATUSES[len(lost) + 1])
            assert box.drain(5)
            came = {event["objectId"] for event in receiver.events[before:]}
            gone = {event["objectId"] for event in sender.lost}
        assert came | gone == {int(each) for each in contacts}
        assert not came & gone
        assert sender.tally.lost == len(gone)
        lost.append(gone)
    assert 2 < len(lost[0]) < 20
    assert lost[0] == lost[1]  # equal seeds, equal losses


def test_delayed_events_are_overtaken(box: Sandbox, portal: Portal, contacts: list[str], receiver: Receiver) -> None:
    box.subscribe(receiver.url, linger=0.0, mischief=Mischief(seed=1, delayed=0.5, delay=(0.01, 0.15), mixed=False))
    set_all(portal, contacts)
    assert box.drain(5)
    assert ids(receiver) != [int(each) for each in contacts]
    assert sorted(ids(receiver)) == [int(each) for each in contacts]


def test_events_held_for_minutes_wait_unless_hurried(
    box: Sandbox, portal: Portal, contacts: list[str], receiver: Receiver
) -> None:
    box.subscribe(receiver.url, mischief=Mischief(held=0.5))
    set_all(portal, contacts)
    until(lambda: len(receiver.events) > 0)
    assert not box.drain(0.05)
    assert len(receiver.events) < 40
    assert box.drain(5, hurry=True)
    assert sorted(ids(receiver)) == [int(each) for each in contacts]


@pytest.mark.parametrize("wrong", [{"lost": 1.5}, {"doubled": -0.1}, {"delay": (2.0, 1.0)}])
def test_mischief_in_impossible_measure_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Mischief(**wrong)


@pytest.mark.parametrize("seed", [1, 2])
def test_with_all_mischief_and_failures_at_once_only_what_is_on_record_as_lost_is_missing(
    box: Sandbox, portal: Portal, receiver: Receiver, seed: int
) -> None:
    contacts = quiet(portal, lambda: [portal.create("contacts", {}) for _ in range(400)])
    chance = Random(seed)
    accepted: list[list[dict[str, Any]]] = []

    def answer(request: Received) -> Reply:
        status = chance.choice((*[200] * 8, 500, 0))
        if status == 200:
            accepted.append(request.json)
        return status, {}

    receiver.answer = answer
    mischief = Mischief(seed, lost=0.05, doubled=0.1, delayed=0.3, delay=(0.0, 0.1), held=0.05, doubled_batches=0.2)
    sender = box.subscribe(receiver.url, linger=0.0, mischief=mischief, **AT_ONCE)
    for each in contacts:
        acts.person_sets(portal, each, "hs_lead_status", "OPEN")
    while not box.drain(0.2, hurry=True):
        assert sender.tally.sent < 10_000
    came = {event["objectId"] for batch in accepted for event in batch}
    lost = {event["objectId"] for event in sender.lost}
    assert came | lost == {int(each) for each in contacts}
    assert not came & lost
    assert sender.tally.given_up == 0
    assert len(accepted) == sender.tally.accepted


def test_stopping_while_the_receiver_hangs_takes_no_time_and_leaves_no_thread(
    portal: Portal, contact: str, receiver: Receiver
) -> None:
    receiver.hanging = True
    with Sandbox(portal) as box:
        box.subscribe(receiver.url)
        acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
        assert receiver.arrived.wait(5)
        started = time.monotonic()
    assert time.monotonic() - started < 1.5
    assert not [each.name for each in threading.enumerate() if each.name.startswith("webhooks-")]
    acts.person_sets(portal, contact, "hs_lead_status", "NEW")
    assert portal.journal.listeners == ()


def test_a_sandbox_sends_where_it_is_told_to_from_the_start(portal: Portal, contact: str, receiver: Receiver) -> None:
    with Sandbox(portal, webhooks=receiver.url) as box:
        acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
        assert box.drain(5)
    assert ids(receiver) == [int(contact)]


@pytest.mark.parametrize("address", ["localhost:8000/hook", "ftp://127.0.0.1/x", "http://", "http://a/b#c"])
def test_an_address_that_cannot_be_called_is_refused(box: Sandbox, address: str) -> None:
    with pytest.raises(ValueError, match="full address"):
        box.subscribe(address)
    with pytest.raises(ValueError, match="full address"):
        Sandbox(webhooks=address)


def test_two_receivers_each_get_everything(box: Sandbox, portal: Portal, contact: str, receiver: Receiver) -> None:
    box.subscribe(f"{receiver.base}/one")
    box.subscribe(f"{receiver.base}/two")
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    assert sorted(each.target for each in receiver.received) == ["/one", "/two"]
