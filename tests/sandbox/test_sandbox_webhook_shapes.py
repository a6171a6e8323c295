"""Events as HubSpot shapes them (hubspot-api.md 7): every act, legacy and generic, through the app's sender."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
import requests

from hubsync.sandbox import Portal, Sandbox, SandboxClock, acts
from tests.sandbox.conftest import NOON
from tests.sandbox.receiver import Receiver

Call = Callable[..., requests.Response]
Event = dict[str, Any]
MS = int(NOON.timestamp() * 1000)
PERSON = {"changeSource": "CRM_UI", "sourceId": "userId:9000001"}
NUMBERS = ("eventId", "subscriptionId")


@pytest.fixture
def heard(box: Sandbox, receiver: Receiver) -> Callable[..., list[Event]]:
    """`heard(act, form="legacy")` → the events that the act made, without the numbers that tell nothing."""

    def listen(act: Callable[[], Any], **how: Any) -> list[Event]:
        sender = box.subscribe(receiver.url, linger=0.0, **how)
        act()
        assert box.drain(5)
        assert sender.tally.refused == 0
        return sorted(map(plain, receiver.events), key=lambda event: (kind_of(event), str(event)))

    return listen


def plain(event: Event) -> Event:
    assert all(isinstance(event[name], int) for name in NUMBERS)
    return {name: value for name, value in event.items() if name not in NUMBERS}


def kind_of(event: Event) -> str:
    return str(event.get("subscriptionType") or event["eventType"])


def kinds(events: Iterable[Event]) -> list[str]:
    return sorted(map(kind_of, events))


def common(name: str, **more: Any) -> Event:
    base = {"portalId": 62515, "appId": 54321, "occurredAt": MS, "subscriptionType": name, "attemptNumber": 0}
    return {**base, **more}


def test_a_change_tells_property_value_and_who(portal: Portal, contact: str, owner: str, heard: Any) -> None:
    who = portal.directory.owners[owner].user_id
    (event,) = heard(lambda: acts.person_sets(portal, contact, "hs_lead_status", "OPEN", owner))
    assert event == common(
        "contact.propertyChange",
        objectId=int(contact),
        propertyName="hs_lead_status",
        propertyValue="OPEN",
        changeSource="CRM_UI",
        sourceId=f"userId:{who}",
    )


def test_the_generic_shape_adds_the_object_type_and_says_what_is_sensitive(
    portal: Portal, contact: str, heard: Any
) -> None:
    (event,) = heard(lambda: acts.person_sets(portal, contact, "hs_lead_status", "OPEN"), form="generic")
    assert event == common(
        "object.propertyChange",
        objectId=int(contact),
        objectTypeId="0-1",
        propertyName="hs_lead_status",
        propertyValue="OPEN",
        isSensitive=False,
        **PERSON,
    )


def test_both_forms_make_two_events_of_one_change(portal: Portal, contact: str, heard: Any) -> None:
    events = heard(lambda: acts.person_sets(portal, contact, "hs_lead_status", "OPEN"), form="both")
    assert kinds(events) == ["contact.propertyChange", "object.propertyChange"]


def test_the_type_stands_under_either_key(portal: Portal, contact: str, heard: Any) -> None:
    (event,) = heard(lambda: acts.person_sets(portal, contact, "hs_lead_status", "OPEN"), type_key="eventType")
    assert event["eventType"] == "contact.propertyChange"
    assert "subscriptionType" not in event


def test_a_cleared_value_is_empty_and_numbers_are_text(portal: Portal, contact: str, heard: Any) -> None:
    def act() -> None:
        acts.person_sets(portal, contact, "annualrevenue", "5000")
        acts.person_sets(portal, contact, "lifecyclestage", "")

    events = heard(act, properties=["annualrevenue", "lifecyclestage"])
    assert {event["propertyName"]: event["propertyValue"] for event in events} == {
        "annualrevenue": "5000",
        "lifecyclestage": "",
    }


def test_writes_through_the_api_carry_the_apps_own_id(box: Sandbox, call: Call, contact: str, heard: Any) -> None:
    body = {"inputs": [{"id": contact, "properties": {"hs_lead_status": "OPEN"}}]}
    (event,) = heard(lambda: call("POST", "/crm/v3/objects/contacts/batch/update", body))
    assert (event["changeSource"], event["sourceId"]) == ("INTEGRATION", box.portal.app_id)


def test_another_app_a_workflow_and_an_import_are_told_apart(portal: Portal, contact: str, heard: Any) -> None:
    def act() -> None:
        acts.integration_sets(portal, contact, "hs_lead_status", "OPEN", app_id="77700")
        acts.workflow_sets(portal, contact, "hs_lead_status", "NEW", workflow_id="12")
        acts.import_sets(portal, contact, "hs_lead_status", "CONNECTED", import_id="5")

    assert {event["propertyValue"]: (event["changeSource"], event["sourceId"]) for event in heard(act)} == {
        "OPEN": ("INTEGRATION", "77700"),
        "NEW": ("AUTOMATION_PLATFORM", "enrollmentId:12;actionExecutionIndex:0"),
        "CONNECTED": ("IMPORT", "5"),
    }


def test_a_write_that_changes_nothing_is_no_event(portal: Portal, contact: str, heard: Any) -> None:
    def act() -> None:
        acts.person_sets(portal, contact, "lifecyclestage", "lead")
        acts.integration_sets(portal, contact, "lifecyclestage", "subscriber")  # backward: silently kept

    assert heard(act) == []


def test_only_properties_asked_for_are_told_unless_all_are(portal: Portal, contact: str, heard: Any) -> None:
    assert heard(lambda: acts.person_sets(portal, contact, "firstname", "Ida")) == []
    (event,) = heard(lambda: acts.person_sets(portal, contact, "firstname", "Eda"), every_property=True)
    assert event["propertyName"] == "firstname"


def test_a_creation_tells_of_the_record_and_of_its_first_values(portal: Portal, heard: Any) -> None:
    events = heard(lambda: acts.create_contact(portal, email="b@example.com", hs_lead_status="NEW"))
    (contact,) = portal.contacts()[-1:]
    assert events == [
        common("contact.creation", objectId=int(contact), changeFlag="CREATED", **PERSON),
        common(
            "contact.propertyChange",
            objectId=int(contact),
            propertyName="hs_lead_status",
            propertyValue="NEW",
            **PERSON,
        ),
    ]


@pytest.mark.parametrize("form", ["legacy", "generic"])
def test_deletion_restoring_and_erasure(portal: Portal, contact: str, heard: Any, form: str) -> None:
    def act() -> None:
        acts.delete_contact(portal, contact)
        acts.restore_contact(portal, contact)
        acts.privacy_delete(portal, contact)

    prefix, generic = ("contact", {}) if form == "legacy" else ("object", {"objectTypeId": "0-1"})
    record = {"objectId": int(contact), **PERSON}
    gone = common(f"{prefix}.deletion", **record, **generic, changeFlag="DELETED")
    erased = common("contact.privacyDeletion", **record)
    restored = common(f"{prefix}.restore", **record, **generic)
    events = heard(act, form=form)
    assert len(events) == 4
    assert [event for event in events if event == gone] == [gone, gone]
    assert erased in events
    assert restored in events


@pytest.mark.parametrize("new_id", [False, True])
def test_a_merge_names_both_contacts_and_the_one_that_stays(
    portal: Portal, contact: str, heard: Any, new_id: bool
) -> None:
    other = portal.create("contacts", {"email": "b@example.com", "phone": "1"})
    merged: list[str] = []
    events = heard(lambda: merged.append(acts.merge_contacts(portal, contact, other, new_id=new_id)))
    assert events == [
        common(
            "contact.merge",
            primaryObjectId=int(contact),
            mergedObjectIds=[int(other)],
            newObjectId=int(merged[0]),
            numberOfPropertiesMoved=1,
            **PERSON,
        )
    ]
    assert (merged[0] == contact) is not new_id


def test_a_deal_is_created_moved_and_associated_from_both_sides(
    portal: Portal, contact: str, owner: str, heard: Any
) -> None:
    deals: list[str] = []

    def act() -> None:
        deals.append(acts.create_deal(portal, contact, owner=owner))
        acts.move_deal(portal, deals[0], "qualifiedtobuy", owner)

    events = heard(act)
    assert kinds(events) == [
        *("contact.associationChange", "contact.propertyChange", "deal.associationChange", "deal.creation"),
        *["deal.propertyChange"] * 3,
    ]
    link = {"associationRemoved": False, "isPrimaryAssociation": False}
    shown = (*link, "associationType", "fromObjectId", "toObjectId")
    links = [event for event in events if kind_of(event).endswith("associationChange")]
    assert [{name: event[name] for name in shown} for event in links] == [
        {**link, "associationType": "CONTACT_TO_DEAL", "fromObjectId": int(contact), "toObjectId": int(deals[0])},
        {**link, "associationType": "DEAL_TO_CONTACT", "fromObjectId": int(deals[0]), "toObjectId": int(contact)},
    ]
    stage = next(event for event in events if kind_of(event) == "contact.propertyChange")
    assert (stage["propertyValue"], stage["changeSource"], stage["sourceId"]) == ("opportunity", "DEALS", deals[0])


def test_a_primary_company_makes_the_plain_association_too_and_leaving_it_says_so(
    portal: Portal, contact: str, heard: Any
) -> None:
    company = portal.create("companies", {"name": "Acme"})

    def act() -> None:
        portal.links.add("contacts", contact, "companies", company)
        portal.links.remove("contacts", contact, "companies", company)

    assert sorted(
        (event["associationRemoved"], event["isPrimaryAssociation"], event["associationType"]) for event in heard(act)
    ) == [
        (False, False, "CONTACT_TO_COMPANY"),
        (False, True, "CONTACT_TO_COMPANY"),
        (True, False, "CONTACT_TO_COMPANY"),
        (True, True, "CONTACT_TO_COMPANY"),
    ]


def test_associating_again_what_is_associated_is_no_event(portal: Portal, contact: str, heard: Any) -> None:
    company = portal.create("companies", {"name": "Acme"})
    portal.links.add("contacts", contact, "companies", company)
    assert heard(lambda: portal.links.add("contacts", contact, "companies", company)) == []


ENGAGEMENTS: list[tuple[str, str, int, int, Callable[[Portal, str, str], str]]] = [
    ("0-49", "EMAIL", 197, 198, lambda p, c, o: acts.rep_sends_email(p, c, o)),
    ("0-48", "CALL", 193, 194, lambda p, c, o: acts.rep_calls(p, c, o)),
    ("0-47", "MEETING", 199, 200, lambda p, c, o: acts.book_meeting(p, c, o, NOON + timedelta(days=1))),
    ("0-18", "COMMUNICATION", 82, 81, lambda p, c, o: acts.rep_messages(p, c, o)),
]


@pytest.mark.parametrize(("type_id", "name", "there", "back", "act"), ENGAGEMENTS, ids=[e[1] for e in ENGAGEMENTS])
def test_an_engagement_is_told_in_the_generic_form_with_its_associations(
    portal: Portal, contact: str, owner: str, heard: Any, type_id: str, name: str, there: int, back: int, act: Any
) -> None:
    made: list[str] = []
    events = heard(lambda: made.append(act(portal, contact, owner)), form="generic")
    created = [event for event in events if kind_of(event) == "object.creation"]
    assert [(event["objectTypeId"], event["objectId"]) for event in created] == [(type_id, int(made[0]))]
    links = [event for event in events if kind_of(event) == "object.associationChange"]
    shown = ("fromObjectTypeId", "fromObjectId", "toObjectTypeId", "toObjectId", "associationTypeId", "associationType")
    assert {tuple(event[each] for each in shown) for event in links} == {
        ("0-1", int(contact), type_id, int(made[0]), there, f"CONTACT_TO_{name}"),
        (type_id, int(made[0]), "0-1", int(contact), back, f"{name}_TO_CONTACT"),
    }
    assert len(links) == 2
    assert all(event["associationCategory"] == "HUBSPOT_DEFINED" for event in links)


def test_the_legacy_form_knows_no_engagements(portal: Portal, contact: str, owner: str, heard: Any) -> None:
    assert heard(lambda: acts.rep_sends_email(portal, contact, owner)) == []


def test_texts_of_mails_are_never_told(portal: Portal, contact: str, owner: str, heard: Any) -> None:
    how = {"form": "generic", "every_property": True}
    events = heard(lambda: acts.rep_sends_email(portal, contact, owner, subject="Hi"), **how)
    told = {event["propertyName"] for event in events if "propertyName" in event}
    assert "hs_email_status" in told
    assert "hs_email_subject" not in told


@pytest.mark.parametrize("calculated", [False, True])
def test_derived_values_are_told_only_when_asked_for(
    portal: Portal, contact: str, owner: str, heard: Any, calculated: bool
) -> None:
    asked = {"properties": ["num_contacted_notes"], "calculated": calculated}
    events = heard(lambda: acts.rep_calls(portal, contact, owner), **asked)
    assert [(event["propertyValue"], event["changeSource"]) for event in events] == [("1", "CALCULATED")] * calculated


def test_events_happen_by_the_portals_clock(portal: Portal, clock: SandboxClock, contact: str, heard: Any) -> None:
    clock.advance(timedelta(days=400))
    (event,) = heard(lambda: acts.person_sets(portal, contact, "hs_lead_status", "OPEN"))
    assert event["occurredAt"] == MS + 400 * 86_400_000


def test_seeding_with_the_journal_paused_tells_nobody(portal: Portal, contact: str, owner: str, heard: Any) -> None:
    def act() -> None:
        with portal.journal.paused():
            acts.person_sets(portal, contact, "hs_lead_status", "OPEN")
            acts.create_deal(portal, contact)

    assert heard(act, form="both", every_property=True, calculated=True) == []


@pytest.mark.parametrize("how", [{"form": "modern"}, {"type_key": "kind"}])
def test_unknown_shapes_are_refused(box: Sandbox, receiver: Receiver, how: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(how.values()))):
        box.subscribe(receiver.url, **how)
