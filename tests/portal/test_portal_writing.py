"""Writes: every way in which HubSpot can say no, or yes without meaning it. Answers as recorded from the live API."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import requests
import responses

from hubsync.errors import RateLimited, TokenRefused
from hubsync.portal.gateway import Gateway
from hubsync.portal.values import NewTask, Update
from hubsync.portal.writing import same_value
from tests.portal.conftest import START, URL

UPDATE = f"{URL}/crm/v3/objects/contacts/batch/update"
READ = f"{URL}/crm/v3/objects/contacts/batch/read"
CREATE = f"{URL}/crm/v3/objects/tasks/batch/create"


def inputs(request: requests.PreparedRequest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(request.body or b"")["inputs"]
    return found


def result(id_: str, **properties: str | None) -> dict[str, Any]:
    return {"id": id_, "properties": properties, "updatedAt": "2026-03-02T09:00:00.000Z", "archived": False}


def option_error(value: str, name: str = "hs_lead_status") -> dict[str, Any]:
    fault = {
        "isValid": False,
        "message": f"{value} was not one of the allowed options: [label: New, value: NEW]",
        "error": "INVALID_OPTION",
        "name": name,
    }
    message = f"Property values were not valid: {orjson.dumps([fault]).decode()}"
    return {"status": "error", "message": message, "category": "VALIDATION_ERROR", "correlationId": "c"}


class Strict:
    """Refuses a whole batch for one value, as HubSpot does without trace ids; else answers what was sent."""

    def __init__(self, bad: str, error: dict[str, Any]) -> None:
        self.bad = bad
        self.error = error
        self.sizes: list[int] = []

    def __call__(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        sent = inputs(request)
        self.sizes.append(len(sent))
        if any(self.bad in item["properties"].values() for item in sent):
            return 400, {}, orjson.dumps(self.error)
        return 200, {}, orjson.dumps({"results": [result(i["id"], **i["properties"]) for i in sent]})


def a_hundred(bad: str) -> list[Update]:
    return [Update(str(n), {"hs_lead_status": bad if n in (3, 60) else "NEW"}, f"t{n}") for n in range(100)]


def test_a_batch_refused_for_an_option_lands_without_those_that_hold_it(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    strict = Strict("SNOOZED", option_error("SNOOZED"))
    wire.add_callback("POST", UPDATE, strict)
    outcomes = gateway.update_contacts(a_hundred("SNOOZED"))
    assert {o.id for o in outcomes if o.state == "refused"} == {"3", "60"}
    assert sum(o.state == "applied" for o in outcomes) == 98
    assert outcomes[3].answer.startswith("SNOOZED was not one of the allowed options")
    assert strict.sizes == [100, 98]


def test_a_property_that_does_not_exist_is_named_in_errors_and_split_off(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    error = {
        "message": 'Property "nope" does not exist',
        "category": "VALIDATION_ERROR",
        "errors": [
            {
                "message": 'Property "nope" does not exist',
                "code": "PROPERTY_DOESNT_EXIST",
                "context": {"propertyName": ["nope"]},
            }
        ],
    }
    strict = Strict("x", error)
    wire.add_callback("POST", UPDATE, strict)
    updates = [Update("1", {"nope": "x"}, "a"), Update("2", {"hs_lead_status": "NEW"}, "b")]
    assert [o.state for o in gateway.update_contacts(updates)] == ["refused", "applied"]
    assert strict.sizes == [2, 1]


def test_a_refusal_that_names_nothing_is_found_by_halves(wire: responses.RequestsMock, gateway: Gateway) -> None:
    strict = Strict("SNOOZED", {"status": "error", "message": "Invalid input"})
    wire.add_callback("POST", UPDATE, strict)
    outcomes = gateway.update_contacts([u for u in a_hundred("SNOOZED") if u.id != "60"])
    assert [o.id for o in outcomes if o.state == "refused"] == ["3"]
    assert sum(o.state == "applied" for o in outcomes) == 98
    assert len(strict.sizes) <= 15


def test_a_validation_rule_of_the_portal_is_a_refusal_of_that_contact(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    error = {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": "Property values were not valid",
        "errors": [{"message": "hubsync_reason is required", "code": "MISSING_CONDITIONAL_REQUIRED_PROPERTY"}],
        "context": {"objectWriteTraceId": ["b"]},
    }
    body = {"status": "COMPLETE", "results": [result("1", hs_lead_status="NEW")], "errors": [error], "numErrors": 1}
    wire.post(UPDATE, status=207, json=body)
    updates = [Update("1", {"hs_lead_status": "NEW"}, "a"), Update("2", {"hs_lead_status": "NEW"}, "b")]
    outcomes = gateway.update_contacts(updates)
    assert [o.state for o in outcomes] == ["applied", "refused"]


def test_a_contact_that_the_answer_does_not_mention_is_not_taken_for_written(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    wire.post(UPDATE, json={"results": [result("1", hs_lead_status="NEW"), result("9", hs_lead_status="NEW")]})
    updates = [Update("1", {"hs_lead_status": "NEW"}, "a"), Update("2", {"hs_lead_status": "NEW"}, "b")]
    outcomes = gateway.update_contacts(updates)
    assert [o.state for o in outcomes] == ["applied", "uncertain"]
    assert outcomes[1].answer == "HubSpot's answer doesn't mention the contact"


def test_a_value_that_the_answer_leaves_out_is_read(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.post(UPDATE, json={"results": [result("1", lifecyclestage="lead"), result("2", lifecyclestage="lead")]})
    wire.post(READ, json={"results": [result("1", hs_lead_status="NEW"), result("2", hs_lead_status=None)]})
    updates = [Update(i, {"hs_lead_status": "NEW", "lifecyclestage": "lead"}, i) for i in ("1", "2")]
    outcomes = gateway.update_contacts(updates)
    assert [o.state for o in outcomes] == ["applied", "not_applied"]
    assert outcomes[1].values == {"hs_lead_status": None, "lifecyclestage": "lead"}
    assert outcomes[1].answer == "HubSpot kept another value of hs_lead_status"


def test_only_documented_fields_are_sent(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.post(UPDATE, json={"results": [result("1", hs_lead_status="NEW")]})
    gateway.update_contacts([Update("1", {"hs_lead_status": "NEW"}, "t-1")])
    assert orjson.loads(wire.calls[0].request.body or b"") == {
        "inputs": [{"id": "1", "properties": {"hs_lead_status": "NEW"}, "objectWriteTraceId": "t-1"}]
    }


def test_more_than_a_hundred_go_in_several_batches(wire: responses.RequestsMock, gateway: Gateway) -> None:
    strict = Strict("-", {})
    wire.add_callback("POST", UPDATE, strict)
    updates = [Update(str(n % 200), {"hs_lead_status": f"V{n}"}, f"t{n}") for n in range(250)]
    assert {o.state for o in gateway.update_contacts(updates)} == {"applied"}
    assert sum(strict.sizes) == 250
    assert max(strict.sizes) <= 100


def test_a_refused_token_is_raised_while_nothing_is_written(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.post(UPDATE, status=401, json={"category": "INVALID_AUTHENTICATION"})
    with pytest.raises(TokenRefused):
        gateway.update_contacts([Update("1", {"hs_lead_status": "NEW"}, "t")])


def test_what_landed_before_the_token_was_refused_is_told(wire: responses.RequestsMock, gateway: Gateway) -> None:
    first = {"results": [result(str(n), hs_lead_status="NEW") for n in range(100)]}
    wire.post(UPDATE, json=first)
    wire.post(UPDATE, status=401, json={"category": "INVALID_AUTHENTICATION"})
    outcomes = gateway.update_contacts([Update(str(n), {"hs_lead_status": "NEW"}, f"t{n}") for n in range(101)])
    assert [o.state for o in outcomes] == ["applied"] * 100 + ["refused"]
    assert "refused the token" in outcomes[100].answer


def test_updates_need_traces_of_their_own(gateway: Gateway) -> None:
    with pytest.raises(ValueError, match="trace of its own"):
        gateway.update_contacts([Update("1", {"a": "b"}, "t"), Update("2", {"a": "b"}, "t")])


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("NEW", "NEW"),
        ("", None),
        ("", ""),
        ("5", "5.0"),
        ("1772442000000", "2026-03-02T09:00:00Z"),
        ("2026-03-02T09:00:00.000Z", "2026-03-02T10:00:00+01:00"),
        ("a;b", "b;a"),
        ("text ", "text"),
    ],
)
def test_the_same_value_in_hubspots_own_form_is_the_same(asked: str, shown: str | None) -> None:
    assert same_value(asked, shown)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("NEW", "new"),
        ("NEW", None),
        ("", "NEW"),
        ("9007199254740993", "9007199254740992"),
        ("1772442000000", "2026-03-02T09:00:01Z"),
        ("a;b", "a"),
    ],
)
def test_another_value_is_another(asked: str, shown: str | None) -> None:
    assert not same_value(asked, shown)


def a_task(number: int) -> NewTask:
    return NewTask(str(number), f"Call {number}", f"ref{number}", "77", START, f"t{number}", "HIGH", "CALL")


def test_a_task_is_sent_with_its_association_and_nothing_more(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.post(CREATE, status=201, json={"results": [{"id": "900", "properties": {}, "objectWriteTraceId": "t1"}]})
    [made] = gateway.create_tasks([a_task(1)])
    assert (made.state, made.task_id) == ("created", "900")
    assert inputs(wire.calls[0].request) == [
        {
            "properties": {
                "hs_timestamp": "2026-03-02T09:00:00.000Z",
                "hs_task_subject": "Call 1",
                "hs_task_body": "ref1",
                "hs_task_status": "NOT_STARTED",
                "hs_task_type": "CALL",
                "hs_task_priority": "HIGH",
                "hubspot_owner_id": "77",
            },
            "associations": [
                {"to": {"id": "1"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 204}]}
            ],
            "objectWriteTraceId": "t1",
        }
    ]


def test_tasks_whose_answer_has_no_traces_are_known_by_their_text(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    tasks = [a_task(1), a_task(2)]
    items = [
        {"id": f"90{t.contact_id}", "properties": {"hs_task_subject": t.subject, "hs_task_body": t.body}}
        for t in reversed(tasks)
    ]
    wire.post(CREATE, status=201, json={"results": items})
    assert [(m.state, m.task_id) for m in gateway.create_tasks(tasks)] == [("created", "901"), ("created", "902")]


def test_a_task_that_the_answer_does_not_mention_is_uncertain(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.post(CREATE, status=201, json={"results": [{"id": "900", "properties": {}, "objectWriteTraceId": "t1"}]})
    assert [m.state for m in gateway.create_tasks([a_task(1), a_task(2)])] == ["created", "uncertain"]


def test_a_refused_batch_of_tasks_is_halved_until_the_one_to_blame_is_found(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    def create(request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        sent = inputs(request)
        if any(item["objectWriteTraceId"] == "t5" for item in sent):
            return 400, {}, orjson.dumps({"message": "hubspot_owner_id is not an owner"})
        made = [{"id": "9", "properties": {}, "objectWriteTraceId": item["objectWriteTraceId"]} for item in sent]
        return 201, {}, orjson.dumps({"results": made})

    wire.add_callback("POST", CREATE, create)
    made = gateway.create_tasks([a_task(n) for n in range(8)])
    assert [m.state for m in made] == ["created"] * 5 + ["refused"] + ["created"] * 2
    assert "not an owner" in made[5].answer


def test_a_create_that_was_never_sent_is_refused_and_not_uncertain(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    wire.post(CREATE, body=requests.ConnectTimeout("no route"))
    [made] = gateway.create_tasks([a_task(1)])
    assert made.state == "refused"
    assert gateway.calls == 1


def test_a_create_that_timed_out_is_uncertain_and_not_sent_again(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    wire.post(CREATE, body=requests.ReadTimeout("slow"))
    [made] = gateway.create_tasks([a_task(1)])
    assert made.state == "uncertain"
    assert gateway.calls == 1


def test_a_spent_day_stops_creates_before_the_first(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.post(CREATE, status=429, json={"policyName": "DAILY"})
    with pytest.raises(RateLimited):
        gateway.create_tasks([a_task(1)])
