"""The simulator checklist of the HubSpot facts, line by line; details have tests of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from hubsync.sandbox import Portal, Sandbox, SandboxClock, acts

Call = Callable[..., requests.Response]
CONTACTS = "/crm/v3/objects/contacts"


@pytest.mark.parametrize(
    "path",
    [
        "/crm/v3/objects/contacts",
        "/crm/v3/objects/contacts/",
        "/crm/v3/objects/0-1",
        "/crm/objects/2026-03/contacts",
        "/crm/objects/2026-09/0-1",
        "/crm/objects/2026-09/0-1/",
    ],
)
def test_line_1_every_spelling_of_a_path_leads_to_the_same_contacts(call: Call, contact: str, path: str) -> None:
    assert [each["id"] for each in call("GET", path).json()["results"]] == [contact]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/crm/v3/owners/", "results"),
        ("/crm/owners/2026-09", "results"),
        ("/crm/v3/properties/contacts", "results"),
        ("/crm/properties/2026-09/0-1", "results"),
        ("/crm/v3/pipelines/deals", "results"),
        ("/settings/v3/users/", "results"),
        ("/settings/v3/users/teams", "results"),
        ("/account-info/v3/details", "portalId"),
        ("/account-info/v3/api-usage/daily/private-apps", "results"),
    ],
)
def test_line_1_the_other_routes_are_served(call: Call, owner: str, path: str, key: str) -> None:
    answer = call("GET", path)
    assert answer.status_code == 200
    assert answer.json()[key]


def test_line_1_any_other_path_is_a_404_and_is_journalled(call: Call, portal: Portal) -> None:
    answer = call("GET", "/crm/v3/lists/1")
    assert answer.status_code == 404
    last = portal.journal.requests[-1]
    assert (last.method, last.path, last.status) == ("GET", "/crm/v3/lists/1", 404)


def test_line_2_no_token_is_invalid_authentication(box: Sandbox, session: requests.Session) -> None:
    answer = session.get(box.url + CONTACTS, timeout=5)
    assert answer.status_code == 401
    assert answer.json()["category"] == "INVALID_AUTHENTICATION"
    assert answer.json()["message"].startswith("Authentication credentials not found")


def test_line_2_a_wrong_token_looks_like_one_that_expired_in_1970(call: Call) -> None:
    answer = call("GET", CONTACTS, token="pat-na1-wrong")
    assert answer.status_code == 401
    assert answer.json()["category"] == "EXPIRED_AUTHENTICATION"
    assert "20514 day(s) ago" in answer.json()["message"]
    assert answer.json()["context"] == {"expire time": ["1970-01-01T00:00:00Z"]}


def test_line_2_a_missing_scope_is_named_in_a_403(call: Call, box: Sandbox) -> None:
    token = box.add_token("reader", scopes={"crm.objects.contacts.read"})
    assert call("GET", CONTACTS, token=token).status_code == 200
    answer = call("GET", "/crm/v3/objects/deals", token=token)
    assert answer.status_code == 403
    assert answer.json()["category"] == "MISSING_SCOPES"
    assert answer.json()["errors"][0]["context"]["requiredGranularScopes"] == ["crm.objects.deals.read"]
    assert call("POST", CONTACTS + "/batch/update", {"inputs": []}, token=token).status_code == 403
    assert call("GET", "/crm/v3/objects/tasks", token=token).status_code == 200


def test_line_2_an_unknown_object_type_is_a_400_without_category(call: Call) -> None:
    answer = call("GET", "/crm/v3/objects/butterflies")
    assert answer.status_code == 400
    assert answer.json()["message"] == "Unable to infer object type from: butterflies"
    assert "category" not in answer.json()


def test_line_3_reads_add_three_properties_drop_unknown_names_and_show_null(call: Call, contact: str) -> None:
    body = call("GET", f"{CONTACTS}/{contact}", properties="phone,no_such_property").json()
    assert set(body["properties"]) == {"phone", "createdate", "hs_object_id", "lastmodifieddate"}
    assert body["properties"]["phone"] is None
    assert body["properties"]["hs_object_id"] == contact
    assert body["properties"]["createdate"] == "2026-03-02T12:00:00.000Z"
    assert body["url"] == f"https://app.hubspot.com/contacts/62515/record/0-1/{contact}"


def test_line_3_a_bad_option_refuses_the_whole_batch_and_writes_nothing(call: Call, portal: Portal) -> None:
    one, two = (portal.create("contacts", {"email": f"{n}@example.com"}) for n in "ab")
    inputs = [
        {"id": one, "properties": {"hs_lead_status": "NEW"}},
        {"id": two, "properties": {"hs_lead_status": "SECOND_BREAKFAST"}},
    ]
    answer = call("POST", CONTACTS + "/batch/update", {"inputs": inputs})
    assert answer.status_code == 400
    start = "Property values were not valid: "
    message = answer.json()["message"]
    assert message.startswith(start)
    fault = json.loads(message.removeprefix(start))[0]
    assert (fault["error"], fault["name"]) == ("INVALID_OPTION", "hs_lead_status")
    assert fault["message"].startswith("SECOND_BREAKFAST was not one of the allowed options: [")
    assert answer.json()["errors"][0]["code"] == "INVALID_OPTION"
    assert portal.values("contacts", one, "hs_lead_status") == {"hs_lead_status": None}


def test_line_3_an_unknown_property_is_named(call: Call, contact: str) -> None:
    answer = call("PATCH", f"{CONTACTS}/{contact}", {"properties": {"no_such_property": "1"}})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "PROPERTY_DOESNT_EXIST"
    assert answer.json()["errors"][0]["context"] == {"propertyName": ["no_such_property"]}


def test_line_3_unique_trace_ids_turn_the_400_into_a_207_per_record(call: Call, portal: Portal) -> None:
    one, two = (portal.create("contacts", {"email": f"{n}@example.com"}) for n in "ab")
    inputs = [
        {"id": one, "properties": {"hs_lead_status": "NEW"}, "objectWriteTraceId": "t1"},
        {"id": two, "properties": {"hs_lead_status": "nonsense"}, "objectWriteTraceId": "t2"},
    ]
    answer = call("POST", CONTACTS + "/batch/update", {"inputs": inputs})
    assert answer.status_code == 207
    body = answer.json()
    assert [(each["id"], each["objectWriteTraceId"]) for each in body["results"]] == [(one, "t1")]
    assert body["numErrors"] == 1
    assert body["errors"][0]["context"]["objectWriteTraceId"] == ["t2"]


@pytest.mark.parametrize("action", ["read", "update"])
def test_line_3_missing_ids_make_a_207(call: Call, contact: str, action: str) -> None:
    item: dict[str, Any] = {} if action == "read" else {"properties": {"city": "Ulm"}}
    inputs = [{"id": each, **item} for each in (contact, "999")]
    answer = call("POST", f"{CONTACTS}/batch/{action}", {"inputs": inputs})
    assert answer.status_code == 207
    body = answer.json()
    assert [each["id"] for each in body["results"]] == [contact]
    assert body["errors"] == [
        {
            "status": "error",
            "category": "OBJECT_NOT_FOUND",
            "message": "Could not get some CONTACT objects, they may be deleted or not exist. "
            "Check that ids are valid.",
            "context": {"ids": ["999"]},
        }
    ]


def test_line_3_the_same_id_twice_refuses_the_batch_trace_ids_or_not(call: Call, contact: str) -> None:
    inputs = [{"id": contact, "properties": {"city": "Ulm"}, "objectWriteTraceId": trace} for trace in "ab"]
    answer = call("POST", CONTACTS + "/batch/update", {"inputs": inputs})
    assert answer.status_code == 400
    assert answer.json()["message"] == f"Duplicate IDs found in batch input: [{contact}]. IDs must be unique"
    assert answer.json()["context"] == {"ids": [contact]}


def test_line_3_batches_have_caps(call: Call) -> None:
    hundred_one = {"inputs": [{"id": str(n)} for n in range(101)]}
    answer = call("POST", CONTACTS + "/batch/read", hundred_one)
    assert answer.json()["message"] == (
        "The maximum number of inputs supported in a batch is 100. Please reduce the number of items and try again"
    )
    fifty_one = {"inputs": [{"id": str(n)} for n in range(51)], "propertiesWithHistory": ["city"]}
    answer = call("POST", CONTACTS + "/batch/read", fifty_one)
    assert answer.json()["message"] == (
        "The maximum number of inputs supported in a batch request for property histories is 50"
    )
    thousand_one = {"inputs": [{"id": str(n)} for n in range(1001)]}
    assert call("POST", "/crm/v4/associations/contacts/emails/batch/read", thousand_one).status_code == 400


def test_line_4_a_backward_stage_is_kept_and_the_answer_says_so(
    call: Call, portal: Portal, clock: SandboxClock, contact: str
) -> None:
    portal.update("contacts", contact, {"lifecyclestage": "opportunity"})
    clock.advance(timedelta(minutes=1))
    answer = call("PATCH", f"{CONTACTS}/{contact}", {"properties": {"lifecyclestage": "lead"}})
    assert answer.status_code == 200
    assert answer.json()["properties"]["lifecyclestage"] == "opportunity"
    assert answer.json()["updatedAt"] == "2026-03-02T12:01:00.000Z"
    assert len(portal.get("contacts", contact).entries("lifecyclestage")) == 2


def test_line_4_clearing_first_allows_to_go_back(call: Call, portal: Portal, clock: SandboxClock, contact: str) -> None:
    portal.update("contacts", contact, {"lifecyclestage": "opportunity"})
    clock.advance(timedelta(minutes=1))
    became = "hs_lifecyclestage_opportunity_date"
    assert portal.values("contacts", contact, became) == {became: "2026-03-02T12:00:00.000Z"}
    for stage in ("", "marketingqualifiedlead"):
        call("PATCH", f"{CONTACTS}/{contact}", {"properties": {"lifecyclestage": stage}})
    found = call(
        "GET",
        f"{CONTACTS}/{contact}",
        properties="lifecyclestage,hs_lifecyclestage_opportunity_date,hs_v2_date_entered_marketingqualifiedlead",
        propertiesWithHistory="lifecyclestage",
    ).json()
    assert found["properties"]["lifecyclestage"] == "marketingqualifiedlead"
    assert found["properties"][became] is None
    assert found["properties"]["hs_v2_date_entered_marketingqualifiedlead"].startswith("2026-03-02T12:01:00.")
    values = [each["value"] for each in found["propertiesWithHistory"]["lifecyclestage"]]
    assert values == ["marketingqualifiedlead", "", "opportunity", "lead"]


def test_line_4_the_order_of_stages_is_that_of_the_options(call: Call, portal: Portal, contact: str) -> None:
    portal.schemas.add_stage("1077045801", "Sales Accepted Lead", after="marketingqualifiedlead")
    path = f"{CONTACTS}/{contact}"
    stages = ["1077045801", "marketingqualifiedlead", "salesqualifiedlead"]
    shown = [
        call("PATCH", path, {"properties": {"lifecyclestage": stage}}).json()["properties"]["lifecyclestage"]
        for stage in stages
    ]
    assert shown == ["1077045801", "1077045801", "salesqualifiedlead"]
    assert portal.value(portal.get("contacts", contact), "hs_v2_date_entered_1077045801")


def test_line_4_null_does_nothing(call: Call, portal: Portal, contact: str) -> None:
    answer = call("PATCH", f"{CONTACTS}/{contact}", {"properties": {"firstname": None}})
    assert answer.status_code == 200
    assert portal.values("contacts", contact, "firstname") == {"firstname": "Ada"}


def test_line_4_the_portal_moves_the_stage_with_deals_and_companies_where_switched_on(
    portal: Portal, contact: str
) -> None:
    company = acts.create_company(portal, "Acme", properties={"lifecyclestage": "marketingqualifiedlead"})
    portal.links.add("contacts", contact, "companies", company)
    assert portal.values("contacts", contact, "lifecyclestage")["lifecyclestage"] == "marketingqualifiedlead"
    deal = acts.create_deal(portal, contact)
    assert portal.values("contacts", contact, "lifecyclestage")["lifecyclestage"] == "opportunity"
    portal.switches.deal_won_sets_customer = False
    acts.win_deal(portal, deal)
    assert portal.values("contacts", contact, "lifecyclestage")["lifecyclestage"] == "opportunity"


def test_line_5_history_is_newest_first_and_names_the_app(
    call: Call, portal: Portal, clock: SandboxClock, contact: str, owner: str
) -> None:
    acts.person_sets(portal, contact, "hs_lead_status", "NEW", owner)
    clock.advance(timedelta(minutes=5))
    call("PATCH", f"{CONTACTS}/{contact}", {"properties": {"hs_lead_status": "OPEN"}})
    found = call("GET", f"{CONTACTS}/{contact}", propertiesWithHistory="hs_lead_status").json()
    user = portal.directory.owners[owner].user_id
    assert found["propertiesWithHistory"]["hs_lead_status"] == [
        {
            "value": "OPEN",
            "timestamp": "2026-03-02T12:05:00.000Z",
            "sourceType": "INTEGRATION",
            "sourceId": "54321",
            "sourceLabel": "hubsync",
        },
        {
            "value": "NEW",
            "timestamp": "2026-03-02T12:00:00.000Z",
            "sourceType": "CRM_UI",
            "sourceId": f"userId:{user}",
            "sourceLabel": "Rita Rep",
            "updatedByUserId": user,
        },
    ]


def test_line_5_a_merged_id_answers_with_the_survivor_but_not_in_batch_updates(
    call: Call, portal: Portal, contact: str
) -> None:
    old = portal.create("contacts", {"email": "ada2@example.com", "city": "Ulm"})
    assert acts.merge_contacts(portal, contact, old) == contact
    assert call("GET", f"{CONTACTS}/{old}", properties="city").json()["properties"]["city"] == "Ulm"
    assert call("PATCH", f"{CONTACTS}/{old}", {"properties": {"city": "Bonn"}}).json()["id"] == contact
    read = call("POST", CONTACTS + "/batch/read", {"inputs": [{"id": old}]})
    assert (read.status_code, [each["id"] for each in read.json()["results"]]) == (200, [contact])
    refused = call("POST", CONTACTS + "/batch/update", {"inputs": [{"id": old, "properties": {"city": "Rom"}}]})
    assert refused.status_code == 207
    assert refused.json()["errors"][0]["context"] == {"ids": [old]}
    assert portal.values("contacts", contact, "city") == {"city": "Bonn"}


def test_line_8_a_logged_mail_moves_the_contact(
    call: Call, portal: Portal, clock: SandboxClock, contact: str, owner: str
) -> None:
    clock.advance(timedelta(hours=1))
    acts.rep_sends_email(portal, contact, owner)
    names = ("notes_last_contacted", "num_contacted_notes", "hs_first_outreach_date", "notes_last_updated", "num_notes")
    at = "2026-03-02T13:00:00.000Z"
    assert portal.values("contacts", contact, *names, "lastmodifieddate") == {
        "notes_last_contacted": at,
        "num_contacted_notes": "1",
        "hs_first_outreach_date": at,
        "notes_last_updated": at,
        "num_notes": "1",
        "lastmodifieddate": at,
    }


def test_line_8_a_task_counts_as_activity_but_not_as_contact(
    call: Call, portal: Portal, clock: SandboxClock, contact: str, owner: str
) -> None:
    clock.advance(timedelta(hours=1))
    body = {
        "properties": {"hs_timestamp": "2026-03-04T09:00:00Z", "hs_task_subject": "Call", "hubspot_owner_id": owner},
        "associations": [
            {
                "to": {"id": contact},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 204}],
            }
        ],
    }
    assert call("POST", "/crm/v3/objects/tasks", body).status_code == 201
    names = ("num_notes", "notes_last_updated", "notes_next_activity_date", "num_contacted_notes", "lastmodifieddate")
    assert portal.values("contacts", contact, *names) == {
        "num_notes": "1",
        "notes_last_updated": "2026-03-02T13:00:00.000Z",
        "notes_next_activity_date": "2026-03-04T09:00:00.000Z",
        "num_contacted_notes": None,
        "lastmodifieddate": "2026-03-02T13:00:00.000Z",
    }


def test_line_10_a_record_without_associations_makes_a_207(
    call: Call, portal: Portal, contact: str, owner: str
) -> None:
    other = portal.create("contacts", {"email": "bob@example.com"})
    email = acts.rep_sends_email(portal, contact, owner)
    path = "/crm/v4/associations/contacts/emails/batch/read"
    answer = call("POST", path, {"inputs": [{"id": contact}, {"id": other}]})
    assert answer.status_code == 207
    kinds = [{"category": "HUBSPOT_DEFINED", "typeId": 197, "label": None}]
    found = [{"from": {"id": contact}, "to": [{"toObjectId": int(email), "associationTypes": kinds}]}]
    assert answer.json()["results"] == found
    error = answer.json()["errors"][0]
    assert error["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
    assert error["context"] == {
        "fromObjectId": [other],
        "fromObjectType": ["contact"],
        "toObjectType": ["email"],
    }
    dated = call("POST", "/crm/associations/2026-09/0-1/0-49/batch/read", {"inputs": [{"id": contact}]})
    assert (dated.status_code, dated.json()["results"]) == (200, found)


def test_line_10_associations_come_in_pages_of_500(call: Call, portal: Portal, contact: str) -> None:
    notes = [acts.log_note(portal, contact, "hm") for _ in range(501)]
    path = "/crm/v4/associations/contacts/notes/batch/read"
    first = call("POST", path, {"inputs": [{"id": contact}]}).json()["results"][0]
    after = first["paging"]["next"]["after"]
    second = call("POST", path, {"inputs": [{"id": contact, "after": after}]}).json()["results"][0]
    assert "paging" not in second
    assert [str(each["toObjectId"]) for each in first["to"] + second["to"]] == notes
    side = f"/crm/v4/objects/contacts/{contact}/associations/notes"
    assert len(call("GET", side, limit=500).json()["results"]) == 500
    assert len(call("GET", side, limit=500, after=after).json()["results"]) == 1


def test_line_10_type_ids_have_a_direction(call: Call, contact: str) -> None:
    body = {
        "properties": {"hs_timestamp": "2026-03-04T09:00:00Z"},
        "associations": [
            {"to": {"id": contact}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 203}]}
        ],
    }
    answer = call("POST", "/crm/v3/objects/tasks", body)
    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"
