"""The workflow's action "Send a webhook" (hubspot-api.md 7.3), and driving webhooks from outside."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests

from hubsync.sandbox import Mischief, Portal, Sandbox, acts
from hubsync.sandbox.webhooks import as_workflow
from hubsync.sandbox.webhooks.signing import sign_v1, sign_v2, sign_v3
from tests.sandbox.conftest import NOON
from tests.sandbox.receiver import Receiver

ROOT = Path(__file__).parents[2]
MS = int(NOON.timestamp() * 1000)


def test_a_contact_comes_as_one_object_in_the_old_shape_signed_v2(
    box: Sandbox, portal: Portal, contact: str, owner: str, receiver: Receiver
) -> None:
    box.subscribe_workflow(receiver.url)
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN", owner)
    assert box.drain(5)
    (request,) = receiver.received
    sent = request.json
    who = portal.directory.owners[owner]
    assert (sent["vid"], sent["canonical-vid"]) == (int(contact), int(contact))
    assert (sent["portal-id"], sent["is-contact"], sent["form-submissions"]) == (62515, True, [])
    assert sent["properties"]["lifecyclestage"]["value"] == "lead"
    assert sent["properties"]["hs_lead_status"] == {
        "value": "OPEN",
        "versions": [
            {
                "value": "OPEN",
                "source-type": "CRM_UI",
                "source-id": f"userId:{who.user_id}",
                "source-label": who.name,
                "updated-by-user-id": who.user_id,
                "timestamp": MS,
                "selected": False,
            }
        ],
    }
    assert request.headers["X-HubSpot-Signature-Version"] == "v2"
    assert request.headers["X-HubSpot-Signature"] == sign_v2(box.client_secret, "POST", receiver.url, request.body)
    assert "X-HubSpot-Signature-v3" not in request.headers


def test_moments_are_milliseconds_and_versions_newest_first_in_the_old_shape(
    box: Sandbox, portal: Portal, contact: str, receiver: Receiver
) -> None:
    acts.submit_form(portal, contact)
    acts.person_sets(portal, contact, "hs_lead_status", "NEW")
    box.subscribe_workflow(receiver.url)
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    held = receiver.received[0].json["properties"]
    assert held["recent_conversion_date"]["value"] == str(MS)
    assert [version["value"] for version in held["hs_lead_status"]["versions"]] == ["OPEN", "NEW"]


def test_a_merged_contact_names_the_ids_it_took_over(
    box: Sandbox, portal: Portal, contact: str, receiver: Receiver
) -> None:
    other = portal.create("contacts", {"email": "b@example.com"})
    acts.merge_contacts(portal, contact, other)
    sender = box.subscribe_workflow(receiver.url)
    sender.enrol(other)
    assert box.drain(5)
    sent = receiver.received[0].json
    assert (sent["vid"], sent["merged-vids"]) == (int(contact), [int(other)])


def test_a_free_shape_has_its_own_id_field(box: Sandbox, portal: Portal, contact: str, receiver: Receiver) -> None:
    box.subscribe_workflow(receiver.url, shape="free", id_field="lead", properties=("lifecyclestage", "phone"))
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    assert receiver.received[0].json == {"lead": int(contact), "lifecyclestage": "lead", "phone": None}


def test_a_get_carries_the_values_in_the_query_and_signs_it_as_it_is(
    box: Sandbox, portal: Portal, receiver: Receiver
) -> None:
    contact = portal.create("contacts", {"hs_lead_status": "OPEN", "firstname": "Zoë & Co: 1/2"})
    sender = box.subscribe_workflow(
        f"{receiver.url}?key=1",
        method="GET",
        properties=("firstname", "phone"),
        signatures=("v2", "v3"),
        now=lambda: 1_800_000_000.0,
    )
    sender.enrol(contact)
    assert box.drain(5)
    (request,) = receiver.received
    assert (request.method, request.body) == ("GET", b"")
    query = parse_qs(request.target.partition("?")[2], keep_blank_values=True)
    assert query == {"key": ["1"], "hs_object_id": [contact], "firstname": ["Zoë & Co: 1/2"], "phone": [""]}
    uri = receiver.base + request.target
    assert request.headers["X-HubSpot-Signature"] == sign_v2(box.client_secret, "GET", uri, b"")
    expected = sign_v3(box.client_secret, "GET", uri, b"", 1_800_000_000_000)
    assert request.headers["X-HubSpot-Signature-v3"] == expected


def test_it_starts_on_its_properties_alone_and_on_a_creation_that_has_them(
    box: Sandbox, portal: Portal, contact: str, receiver: Receiver
) -> None:
    box.subscribe_workflow(receiver.url, shape="free", starts_on=("lifecyclestage",))
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    acts.create_contact(portal, email="none@example.com")
    acts.create_deal(portal, None)
    created = acts.create_contact(portal, email="new@example.com", lifecyclestage="lead")
    acts.person_sets(portal, contact, "lifecyclestage", "customer")
    assert box.drain(5)
    assert sorted(each.json["hs_object_id"] for each in receiver.received) == sorted((int(contact), int(created)))


def test_a_cleared_value_starts_nothing(box: Sandbox, portal: Portal, contact: str, receiver: Receiver) -> None:
    box.subscribe_workflow(receiver.url, starts_on=("lifecyclestage",))
    acts.person_sets(portal, contact, "lifecyclestage", "")
    assert box.drain(5)
    assert receiver.received == []


def test_a_contact_that_is_gone_before_it_is_sent_is_not_sent(
    box: Sandbox, portal: Portal, contact: str, receiver: Receiver
) -> None:
    sender = box.subscribe_workflow(receiver.url)
    with portal.lock:
        acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
        acts.privacy_delete(portal, contact)
    assert box.drain(5)
    assert receiver.received == []
    assert (sender.tally.put, sender.tally.sent) == (1, 0)


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_a_refusal_is_not_tried_again(
    box: Sandbox, portal: Portal, contact: str, receiver: Receiver, status: int
) -> None:
    receiver.replies(status)
    sender = box.subscribe_workflow(receiver.url, retry_after=lambda _: 0.0)
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    assert len(receiver.received) == 1
    assert sender.tally.given_up == 1


def test_too_many_requests_wait_as_many_milliseconds_as_the_answer_says(
    box: Sandbox, portal: Portal, contact: str, receiver: Receiver
) -> None:
    receiver.replies((429, {"Retry-After": "40"}), (429, {}), (429, {"Retry-After": "soon"}), 200)
    sender = box.subscribe_workflow(receiver.url, retry_after=lambda attempt: attempt / 100)
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    assert [each.again_in for each in sender.sendings] == [0.04, 0.01, 0.02, None]
    assert sender.tally.accepted == 1


def test_a_servers_failure_is_tried_again_with_the_same_body_until_patience_ends(
    box: Sandbox, portal: Portal, contact: str, receiver: Receiver
) -> None:
    receiver.replies(503, 0, 200)
    sender = box.subscribe_workflow(receiver.url, retry_after=lambda _: 0.0)
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    assert [each.answer.status for each in sender.sendings] == [503, None, 200]
    assert len({each.body for each in receiver.received}) == 1

    receiver.replies(503)
    impatient = box.subscribe_workflow(f"{receiver.base}/other", retry_after=lambda _: 0.0, patience=0.0)
    impatient.enrol(contact)
    assert box.drain(5)
    assert impatient.tally.given_up == 1


def test_the_documented_pace_starts_with_a_minute_and_never_passes_eight_hours() -> None:
    assert [as_workflow(attempt) for attempt in (0, 1, 8, 9, 20)] == [60.0, 120.0, 15_360.0, 28_800.0, 28_800.0]


def test_it_sends_no_more_a_second_than_it_may(box: Sandbox, portal: Portal, contact: str, receiver: Receiver) -> None:
    sender = box.subscribe_workflow(receiver.url, per_second=50)
    for _ in range(10):
        sender.enrol(contact)
    assert box.drain(5)
    moments = [each.at for each in sender.sendings]
    assert max(moments) - min(moments) > 0.15


def test_mischief_befalls_workflows_too(box: Sandbox, portal: Portal, contact: str, receiver: Receiver) -> None:
    box.subscribe_workflow(receiver.url, mischief=Mischief(doubled=1.0, delay=(0.0, 0.02)))
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert box.drain(5)
    assert [each.json["vid"] for each in receiver.received] == [int(contact)] * 2


@pytest.mark.parametrize("how", [{"method": "PUT"}, {"shape": "square"}])
def test_what_no_workflow_can_do_is_refused(box: Sandbox, receiver: Receiver, how: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(how.values()))):
        box.subscribe_workflow(receiver.url, **how)


@pytest.fixture
def steer(box: Sandbox, session: requests.Session) -> Callable[..., Any]:
    """`steer("drain", {...})` posts to the control surface, without body it gets; answers the result."""

    def send(name: str, body: Any = None) -> Any:
        url = f"{box.url}/_sandbox/{name}"
        answer = session.get(url, timeout=10) if body is None else session.post(url, json=body, timeout=10)
        return answer.json()["result"] if answer.ok else answer.json()["message"]

    return send


def test_webhooks_are_driven_from_outside(
    steer: Callable[..., Any], box: Sandbox, portal: Portal, contact: str, receiver: Receiver
) -> None:
    mischief = {"doubled": 1.0, "delay": [0.0, 0.01]}
    assert steer("subscribe", {"url": receiver.url, "mischief": mischief, "retry_seconds": 0}) == receiver.url
    assert steer("workflow", {"url": f"{receiver.base}/workflow", "starts_on": [], "shape": "free"})
    secret = steer("rotate-secret", {})
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    assert steer("enrol", {"contact": contact}) == 1
    assert steer("drain", {"timeout": 5, "hurry": True}) is True
    shown = {each["kind"]: (each["put"], each["accepted"] > 0) for each in steer("webhooks")}
    assert shown == {"AppSender": (1, True), "WorkflowSender": (1, True)}
    first = next(each for each in receiver.received if each.target == "/webhooks/hubspot")
    assert first.headers["X-HubSpot-Signature"] == sign_v1(secret, first.body)
    assert {each["status"] for each in steer("sendings")} == {200}
    assert steer("unsubscribe", {}) is None
    assert box.webhooks.senders == []


def test_what_was_lost_on_purpose_is_told_from_outside(
    steer: Callable[..., Any], portal: Portal, contact: str, receiver: Receiver
) -> None:
    steer("subscribe", {"url": receiver.url, "mischief": {"lost": 1.0}})
    steer("workflow", {"url": receiver.url, "mischief": {"lost": 1.0}})
    acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
    event, enrolled = steer("lost")
    assert (event["objectId"], event["propertyValue"], enrolled) == (int(contact), "OPEN", contact)
    assert steer("drain", {}) is True
    assert receiver.received == []


def test_wrong_orders_from_outside_are_answered_with_the_reason(steer: Callable[..., Any]) -> None:
    assert "full address" in steer("subscribe", {"url": "nowhere"})
    assert "lost is a share" in steer("subscribe", {"url": "http://127.0.0.1:9/", "mischief": {"lost": 7}})
    assert "TypeError" in steer("subscribe", {"url": "http://127.0.0.1:9/", "colour": "red"})
    assert steer("webhooks") == []


def test_the_portal_as_a_process_sends_webhooks_where_it_is_told_to(
    receiver: Receiver, session: requests.Session
) -> None:
    command = [sys.executable, "-m", "hubsync.sandbox", "--contacts", "3", "--flat", "--while-stdin"]
    with subprocess.Popen(
        [*command, "--webhooks", receiver.url, "--webhooks-form", "generic"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["webhooks"] == receiver.url
        act = {"name": "create_contact", "arguments": {"email": "new@example.com"}}
        created = session.post(f"{told['url']}/_sandbox/act", json=act, timeout=10).json()["result"]
        assert session.post(f"{told['url']}/_sandbox/drain", json={"timeout": 5}, timeout=10).json()["result"] is True
        process.stdin.close()
        assert process.wait(10) == 0
    (event,) = receiver.events
    assert (event["subscriptionType"], event["objectId"]) == ("object.creation", int(created))
    signed = receiver.received[0]
    assert signed.headers["X-HubSpot-Signature"] == sign_v1(told["client_secret"], signed.body)
    occurred = datetime.fromtimestamp(event["occurredAt"] / 1000, UTC)
    assert abs(occurred.timestamp() - time.time()) < 60
