"""Objects, properties and people over HTTP: creating, archiving, merging, options, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests

from hubsync.sandbox import Portal, Sandbox, SandboxClock, acts
from hubsync.sandbox.schema import ConditionalRule

Call = Callable[..., requests.Response]
CONTACTS = "/crm/v3/objects/contacts"
PROPERTIES = "/crm/v3/properties/contacts"


def test_creating_a_contact_answers_201_and_says_who_made_it(call: Call, portal: Portal) -> None:
    answer = call("POST", CONTACTS, {"properties": {"email": "eve@example.com", "hs_lead_status": "NEW"}})
    assert answer.status_code == 201
    made = answer.json()["id"]
    assert portal.values("contacts", made, "hs_object_source", "hs_object_source_id") == {
        "hs_object_source": "INTEGRATION",
        "hs_object_source_id": "54321",
    }


def test_an_email_address_belongs_to_one_contact(call: Call, contact: str) -> None:
    answer = call("POST", CONTACTS, {"properties": {"email": "ADA@example.com"}})
    assert (answer.status_code, answer.json()["category"]) == (409, "CONFLICT")
    assert answer.json()["message"] == f"Contact already exists. Existing ID: {contact}"
    inputs = [
        {"properties": {"email": "ada@example.com"}, "objectWriteTraceId": "t1"},
        {"properties": {"email": "new@example.com"}, "objectWriteTraceId": "t2"},
    ]
    answer = call("POST", CONTACTS + "/batch/create", {"inputs": inputs})
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"] == {"existingId": [contact], "objectWriteTraceId": ["t1"]}
    assert [each["properties"]["email"] for each in answer.json()["results"]] == ["new@example.com"]


def test_ids_ascend_and_the_cursor_is_the_next_id(call: Call, portal: Portal) -> None:
    made = [portal.create("contacts", {}) for _ in range(7)]
    assert made == sorted(made, key=int)
    seen, after = [], ""
    while True:
        page = call("GET", CONTACTS, limit=3, after=after).json()
        seen += [each["id"] for each in page["results"]]
        if "paging" not in page:
            break
        after = page["paging"]["next"]["after"]
        assert after == made[len(seen)]
    assert seen == made


def test_cursors_may_be_opaque(call: Call, portal: Portal) -> None:
    portal.switches.opaque_cursors = True
    made = [portal.create("contacts", {}) for _ in range(3)]
    first = call("GET", CONTACTS, limit=2).json()
    after = first["paging"]["next"]["after"]
    assert not after.isdigit()
    assert [each["id"] for each in call("GET", CONTACTS, limit=2, after=after).json()["results"]] == made[2:]
    assert call("GET", CONTACTS, after="garbage").status_code == 400


def test_lists_have_caps(call: Call) -> None:
    assert call("GET", CONTACTS, limit=101).status_code == 400
    assert call("GET", CONTACTS, limit=51, propertiesWithHistory="city").status_code == 400
    assert call("GET", CONTACTS, limit=100).status_code == 200


def test_archived_contacts_are_listed_apart(call: Call, contact: str) -> None:
    assert call("DELETE", f"{CONTACTS}/{contact}").status_code == 204
    assert call("GET", f"{CONTACTS}/{contact}").status_code == 404
    assert call("GET", CONTACTS, archived="False").json()["results"] == []
    gone = call("GET", CONTACTS, archived="True").json()["results"][0]
    assert (gone["id"], gone["archived"]) == (contact, True)
    assert gone["archivedAt"] == "2026-03-02T12:00:00.000Z"


def test_comma_lists_and_repeated_keys_come_to_the_same(call: Call, contact: str) -> None:
    comma = call("GET", f"{CONTACTS}/{contact}", properties="city,phone").json()
    repeated = call("GET", f"{CONTACTS}/{contact}", properties=["city", "phone"]).json()
    assert comma["properties"] == repeated["properties"]
    assert "phone" in comma["properties"]


def test_associations_may_come_with_a_read(call: Call, portal: Portal, contact: str) -> None:
    deal = acts.create_deal(portal, contact)
    body = call("GET", f"{CONTACTS}/{contact}", associations="deals,companies").json()
    assert body["associations"] == {"deals": {"results": [{"id": deal, "type": "contact_to_deal"}]}}


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("closedate", "soon", "INVALID_LONG"),
        ("num_notes", "3", "READ_ONLY_VALUE"),
        ("hubspot_owner_id", "999", "INVALID_OWNER_ID"),
        ("lifecyclestage", "MQL", "INVALID_OPTION"),
    ],
)
def test_values_are_checked_by_type(call: Call, contact: str, name: str, value: str, code: str) -> None:
    answer = call("PATCH", f"{CONTACTS}/{contact}", {"properties": {name: value}})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"props": {}}', b'{"properties": {"city": {"a": 1}}}'])
def test_bodies_that_cannot_be_read_are_a_400(call: Call, box: Sandbox, contact: str, body: bytes) -> None:
    answer = requests.patch(
        f"{box.url}{CONTACTS}/{contact}", data=body, headers={"Authorization": f"Bearer {box.token}"}, timeout=5
    )
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Invalid input JSON")


def test_validation_rules_hold_on_dated_paths_and_not_on_v3(call: Call, portal: Portal, contact: str) -> None:
    portal.schemas.rules["contacts"].append(ConditionalRule("hs_lead_status", ("BAD_TIMING",), "city"))
    wanted = {"hs_lead_status": "BAD_TIMING"}
    dated = "/crm/objects/2026-09/contacts"
    refused = call("PATCH", f"{dated}/{contact}", {"properties": wanted})
    assert refused.status_code == 400
    assert refused.json()["errors"] == [
        {
            "message": 'Property "city" is required by a conditional rule',
            "code": "MISSING_CONDITIONAL_REQUIRED_PROPERTY",
            "context": {"propertyName": ["city"]},
        }
    ]
    inputs = [{"id": contact, "properties": wanted, "objectWriteTraceId": "t1"}]
    batch = call("POST", dated + "/batch/update", {"inputs": inputs})
    assert (batch.status_code, batch.json()["errors"][0]["context"]["objectWriteTraceId"]) == (207, ["t1"])
    assert call("POST", dated, {"properties": wanted}).status_code == 400
    assert call("PATCH", f"{dated}/{contact}", {"properties": {**wanted, "city": "Ulm"}}).status_code == 200
    other = portal.create("contacts", {})
    assert call("PATCH", f"{CONTACTS}/{other}", {"properties": wanted}).status_code == 200


def test_many_clients_at_once_lose_nothing(box: Sandbox, portal: Portal) -> None:
    contacts = [portal.create("contacts", {}) for _ in range(8)]

    def write(contact: str) -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Authorization"] = f"Bearer {box.token}"
            for city in ("Ulm", "Bonn", "Rom"):
                url = f"{box.url}{CONTACTS}/{contact}"
                assert session.patch(url, json={"properties": {"city": city}}, timeout=10).status_code == 200

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, contacts))
    assert [portal.values("contacts", each, "city")["city"] for each in contacts] == ["Rom"] * 8
    assert portal.journal.request_count == 24
    assert sorted(each.number for each in portal.journal.requests) == list(range(1, 25))


def test_a_task_needs_its_due_date_and_other_inputs_survive_by_trace_id(call: Call) -> None:
    inputs = [
        {"properties": {"hs_task_subject": "no due date"}},
        {"properties": {"hs_task_subject": "due", "hs_timestamp": "2026-03-04T09:00:00Z"}},
    ]
    path = "/crm/v3/objects/tasks/batch/create"
    refused = call("POST", path, {"inputs": inputs})
    assert (refused.status_code, refused.json()["context"]) == (400, {"properties": ["hs_timestamp"]})
    assert call("GET", "/crm/v3/objects/tasks").json()["results"] == []
    traced = [{**item, "objectWriteTraceId": f"t{place}"} for place, item in enumerate(inputs)]
    partial = call("POST", path, {"inputs": traced}).json()
    assert [each["objectWriteTraceId"] for each in partial["results"]] == ["t1"]
    assert partial["errors"][0]["context"]["objectWriteTraceId"] == ["t0"]


def test_deleting_an_email_is_permanent_and_moves_the_contact(
    call: Call, portal: Portal, contact: str, owner: str
) -> None:
    email = acts.rep_sends_email(portal, contact, owner)
    assert portal.values("contacts", contact, "num_contacted_notes") == {"num_contacted_notes": "1"}
    assert call("POST", "/crm/v3/objects/emails/batch/archive", {"inputs": [{"id": email}]}).status_code == 204
    assert call("GET", f"/crm/v3/objects/emails/{email}", archived="true").status_code == 404
    assert portal.values("contacts", contact, "num_contacted_notes") == {"num_contacted_notes": None}


def test_an_archived_engagement_no_longer_counts(call: Call, portal: Portal, contact: str, owner: str) -> None:
    logged = acts.rep_calls(portal, contact, owner)
    assert portal.values("contacts", contact, "num_notes") == {"num_notes": "1"}
    assert call("DELETE", f"/crm/v3/objects/calls/{logged}").status_code == 204
    assert portal.values("contacts", contact, "num_notes") == {"num_notes": None}


def test_a_merge_moves_the_modification_date(portal: Portal, clock: SandboxClock, contact: str) -> None:
    other = portal.create("contacts", {})
    clock.advance(timedelta(minutes=1))
    acts.merge_contacts(portal, contact, other)
    assert portal.values("contacts", contact, "lastmodifieddate") == {"lastmodifieddate": "2026-03-02T12:01:00.000Z"}


def test_merging_over_http_keeps_both_ids_alive(call: Call, portal: Portal, contact: str) -> None:
    other = portal.create("contacts", {"email": "a2@example.com", "lifecyclestage": "opportunity"})
    body = {"primaryObjectId": contact, "objectIdToMerge": other}
    assert call("POST", CONTACTS + "/merge", body).json()["id"] == contact
    found = call("GET", f"{CONTACTS}/{other}", properties="lifecyclestage,hs_merged_object_ids").json()
    assert (found["id"], found["properties"]["lifecyclestage"]) == (contact, "opportunity")
    assert found["properties"]["hs_merged_object_ids"] == other


def test_options_are_replaced_whole(call: Call, portal: Portal, contact: str) -> None:
    portal.update("contacts", contact, {"hs_lead_status": "OPEN"})
    options = [{"label": "Neu", "value": "NEW", "displayOrder": 0}, {"label": "Qualified", "value": "QUALIFIED"}]
    assert call("PATCH", PROPERTIES + "/hs_lead_status", {"options": options}).status_code == 200
    shown = call("GET", PROPERTIES + "/hs_lead_status").json()["options"]
    assert [(each["label"], each["value"], each["displayOrder"]) for each in shown] == [
        ("Neu", "NEW", 0),
        ("Qualified", "QUALIFIED", 1),
    ]
    kept = call("GET", f"{CONTACTS}/{contact}", properties="hs_lead_status").json()
    assert kept["properties"]["hs_lead_status"] == "OPEN"
    assert call("PATCH", f"{CONTACTS}/{contact}", {"properties": {"hs_lead_status": "OPEN"}}).status_code == 400


def test_properties_and_groups_are_created_once(call: Call) -> None:
    prop = {
        "name": "hubsync_last_action",
        "label": "Last action",
        "type": "string",
        "fieldType": "text",
        "groupName": "hubsync",
    }
    assert call("POST", PROPERTIES, prop).status_code == 400  # the group is missing
    assert call("POST", PROPERTIES + "/groups", {"name": "hubsync", "label": "hubsync"}).status_code == 201
    assert call("POST", PROPERTIES + "/groups", {"name": "hubsync", "label": "hubsync"}).status_code == 409
    assert call("POST", PROPERTIES + "/batch/create", {"inputs": [prop]}).status_code == 201
    assert call("POST", PROPERTIES, prop).status_code == 409
    assert call("GET", PROPERTIES + "/hubsync_last_action").json()["hubspotDefined"] is False
    assert call("DELETE", PROPERTIES + "/hubsync_last_action").status_code == 204
    missing = call("GET", PROPERTIES + "/hubsync_last_action")
    assert (missing.status_code, missing.json()["category"]) == (404, "OBJECT_NOT_FOUND")


def test_the_owner_property_has_no_options_of_its_own(call: Call) -> None:
    body = call("GET", PROPERTIES + "/hubspot_owner_id").json()
    assert (body["options"], body["referencedObjectType"], body["externalOptions"]) == ([], "OWNER", True)


def test_deactivated_owners_are_listed_apart_and_lose_their_user_id(call: Call, portal: Portal, owner: str) -> None:
    user = portal.directory.deactivate(owner, portal.now_ms()).user_id
    assert call("GET", "/crm/v3/owners").json()["results"] == []
    shown = call("GET", "/crm/v3/owners", archived="true").json()["results"][0]
    assert (shown["userId"], shown["userIdIncludingInactive"]) == (None, user)


def test_the_account_says_which_portal_it_is(call: Call) -> None:
    body = call("GET", "/account-info/v3/details").json()
    assert (body["portalId"], body["timeZone"], body["utcOffset"]) == (62515, "US/Eastern", "-05:00")
    assert body["utcOffsetMilliseconds"] == -18_000_000


def test_labels_of_associations_are_shown(call: Call, portal: Portal, contact: str) -> None:
    portal.links.define_label("deals", "contacts", 41, "Champion")
    deal = acts.create_deal(portal, contact, label=41)
    side = call("GET", f"/crm/v4/objects/contacts/{contact}/associations/deals").json()["results"]
    assert side == [
        {
            "toObjectId": int(deal),
            "associationTypes": [
                {"category": "HUBSPOT_DEFINED", "typeId": 4, "label": None},
                {"category": "USER_DEFINED", "typeId": 41, "label": "Champion"},
            ],
        }
    ]


def test_associations_are_created_and_taken_away(call: Call, portal: Portal, contact: str) -> None:
    company = acts.create_company(portal, "Acme")
    primary = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}
    item = {"from": {"id": contact}, "to": {"id": company}, "types": [primary]}
    path = "/crm/v4/associations/contacts/companies/batch"
    assert call("POST", path + "/create", {"inputs": [item]}).status_code == 201
    assert portal.values("contacts", contact, "associatedcompanyid") == {"associatedcompanyid": company}
    gone = call("DELETE", f"/crm/v4/objects/contacts/{contact}/associations/companies/{company}")
    assert gone.status_code == 204
    assert call("POST", path + "/read", {"inputs": [{"id": contact}]}).json()["results"] == []
