"""What the events of an app ask to be looked at."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubsync.web.events import ECHO, Expected, Parsed, parse_events

PORTAL, APP = 247279312, 51879189
EXPECTED = Expected(PORTAL, str(APP))


def an_event(kind: str = "contact.propertyChange", **fields: Any) -> dict[str, Any]:
    """As HubSpot sends it; a field given as None is left out."""
    event = {
        "eventId": 1765889350,
        "subscriptionId": 7662269,
        "portalId": PORTAL,
        "appId": APP,
        "occurredAt": 1788597072520,
        "subscriptionType": kind,
        "attemptNumber": 0,
        "objectId": 4211,
        "propertyName": "hs_lead_status",
        "propertyValue": "NEW",
        "changeSource": "CRM_UI",
        "sourceId": "userId:98499705",
    }
    return {name: value for name, value in {**event, **fields}.items() if value is not None}


def parsed(*events: Any, expected: Expected = EXPECTED) -> Parsed:
    return parse_events(orjson.dumps(list(events)), expected)


def items(*events: Any) -> list[str]:
    return named(parsed(*events))


def named(found: Parsed) -> list[str]:
    return [item for hint in found.hints for item in hint.items]


@pytest.mark.parametrize("action", ["creation", "propertyChange", "restore", "deletion", "somethingNew"])
def test_whatever_happens_to_a_contact_is_a_reason_to_look_at_it(action: str) -> None:
    assert items(an_event(f"contact.{action}")) == ["4211"]


@pytest.mark.parametrize(
    ("type_id", "item"),
    [
        ("0-1", "4211"),
        ("0-3", "deals:4211"),
        ("0-49", "emails:4211"),
        ("0-48", "calls:4211"),
        ("0-47", "meetings:4211"),
        ("0-18", "communications:4211"),
    ],
)
@pytest.mark.parametrize("action", ["creation", "propertyChange", "restore", "deletion"])
def test_the_generic_form_names_its_kind_of_object(action: str, type_id: str, item: str) -> None:
    assert items(an_event(f"object.{action}", objectTypeId=type_id)) == [item]


def test_a_deal_of_the_legacy_form_is_looked_at_through_its_contacts() -> None:
    assert items(an_event("deal.propertyChange")) == ["deals:4211"]


def test_both_names_of_the_type_are_read_and_ids_as_numbers_or_text() -> None:
    event = an_event(subscriptionType=None, eventType="contact.creation", objectId="4212", portalId=str(PORTAL))
    assert items(an_event(), event) == ["4211", "4212"]


def test_an_event_without_a_list_around_it_counts_too() -> None:
    assert named(parse_events(orjson.dumps(an_event()), EXPECTED)) == ["4211"]


@pytest.mark.parametrize("form", ["contact.merge", "object.merge"])
def test_a_merge_concerns_everyone_in_it(form: str) -> None:
    merge = an_event(
        form,
        objectTypeId="0-1",
        objectId=10,
        primaryObjectId=10,
        mergedObjectIds=[11, "12"],
        newObjectId=13,
        numberOfPropertiesMoved=4,
    )
    assert sorted(items(merge)) == ["10", "11", "12", "13"]


def test_a_merge_of_deals_concerns_their_contacts() -> None:
    merge = an_event("deal.merge", objectId=None, primaryObjectId=10, mergedObjectIds=[11], newObjectId=10)
    assert sorted(items(merge)) == ["deals:10", "deals:11"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"associationType": "CONTACT_TO_COMPANY"}, ["1"]),
        ({"associationType": "DEAL_TO_CONTACT"}, ["2"]),
        ({"associationType": "CONTACT_TO_CONTACT"}, ["1", "2"]),
        ({"fromObjectTypeId": "0-3", "toObjectTypeId": "0-1"}, ["2"]),
        ({"fromObjectTypeId": "0-1", "toObjectTypeId": "0-3", "associationType": "DEAL_TO_CONTACT"}, ["1"]),
        ({"fromObjectTypeId": "0-1", "toObjectTypeId": "0-1"}, ["1", "2"]),
        ({}, ["1"]),
    ],
)
def test_a_link_concerns_the_contacts_at_its_ends(fields: dict[str, str], expected: list[str]) -> None:
    link = an_event("contact.associationChange", objectId=None, fromObjectId=1, toObjectId=2, **fields)
    assert items(link) == expected


@pytest.mark.parametrize(
    "fields", [{"associationType": "DEAL_TO_COMPANY"}, {"fromObjectTypeId": "0-3", "toObjectTypeId": "0-2"}]
)
def test_a_link_without_a_contact_is_left_out(fields: dict[str, str]) -> None:
    link = an_event("deal.associationChange", fromObjectId=1, toObjectId=2, **fields)
    assert parsed(link) == Parsed(ignored=(("a link without a contact", 1),))


def test_a_privacy_deletion_erases_and_what_else_is_said_of_the_contact_is_no_reason_to_look() -> None:
    found = parsed(an_event("contact.deletion"), an_event("contact.privacyDeletion"), an_event(objectId=7))
    assert found.erased == ("4211",)
    assert named(found) == ["7"]


def test_events_of_another_portal_are_left_out() -> None:
    assert parsed(an_event(portalId=1), an_event(portalId="1"), an_event(objectId=7)).ignored == (
        ("of another portal", 2),
    )


def test_our_own_write_is_looked_at_later_and_not_at_all_later_if_anything_else_happened() -> None:
    echo = an_event(changeSource="INTEGRATION", sourceId=str(APP))
    (hint,) = parsed(echo).hints
    assert (hint.delay, hint.why) == (ECHO, "webhook: own write")
    for order in ([echo, an_event()], [an_event(), echo]):
        (hint,) = parsed(*order).hints
        assert (hint.delay, hint.why) == (timedelta(0), "webhook: propertyChange")


@pytest.mark.parametrize(
    "fields", [{"sourceId": "1"}, {"changeSource": "CRM_UI", "sourceId": str(APP)}, {"sourceId": None}]
)
def test_another_integrations_write_is_looked_at_at_once(fields: dict[str, Any]) -> None:
    (hint,) = parsed(an_event(**{"changeSource": "INTEGRATION", **fields})).hints
    assert hint.delay == timedelta(0)


def test_where_our_app_is_not_known_nothing_counts_as_our_own() -> None:
    echo = an_event(changeSource="INTEGRATION", sourceId=str(APP))
    (hint,) = parsed(echo, expected=Expected(PORTAL)).hints
    assert hint.delay == timedelta(0)


def test_a_hundred_events_about_one_contact_are_one_hint() -> None:
    found = parsed(*[an_event(occurredAt=n) for n in range(100)])
    assert (named(found), found.used) == (["4211"], 100)


@pytest.mark.parametrize(
    "id_", [0, -1, 1.5, True, "", "0", "007", "-1", "1.0", "1e3", " 1", "1\n", "٣", "9" * 21, None, [], {}, 10**25]
)
def test_only_a_decimal_number_of_at_most_twenty_digits_is_an_id(id_: object) -> None:
    body = json.dumps([{**an_event(), "objectId": id_}]).encode()
    assert parse_events(body, EXPECTED) == Parsed(ignored=(("without a usable id", 1),))


def test_an_id_of_twenty_digits_is_one() -> None:
    assert items(an_event(objectId="9" * 20), an_event(objectId=2**64 - 1)) == ["9" * 20, str(2**64 - 1)]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (an_event("company.creation"), "about another kind of object"),
        (an_event("object.creation", objectTypeId="0-2"), "about another kind of object"),
        (an_event("object.creation"), "about another kind of object"),
        (an_event("company.privacyDeletion"), "about another kind of object"),
        (an_event(subscriptionType=None), "without a type"),
        (an_event(subscriptionType=7), "without a type"),
        (an_event("contact.merge", objectId=None), "without a usable id"),
        (an_event("contact.merge", objectId=None, mergedObjectIds="11"), "without a usable id"),
        (an_event("contact.associationChange"), "without a usable id"),
        ("contact.creation", "not an event"),
        (None, "not an event"),
        ([an_event()], "not an event"),
    ],
)
def test_what_can_not_be_used_is_counted_under_its_reason(event: object, reason: str) -> None:
    assert parsed(event, event, an_event()).ignored == ((reason, 2),)
    assert items(event, an_event()) == ["4211"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"7",
        b'"text"',
        b"{}",
        b'{"vid":7}',
        b"[" + b'{"objectId":',
        b"\xff\xfe",
        b'[{"objectId":"\xc3\x28"}]',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"subscriptionType":' * 5_000,
        b"[NaN]",
        b"[1e999]",
        b"\x00",
    ],
)
def test_a_body_that_is_no_list_of_events_asks_for_nothing(body: bytes) -> None:
    assert parse_events(body, EXPECTED) == Parsed(ignored=(("not a list of events", 1),))


@pytest.mark.parametrize("field", ["portalId", "objectId", "objectTypeId", "sourceId", "changeSource"])
def test_a_deeply_nested_value_in_the_place_of_a_plain_one_is_survived(field: str) -> None:
    body = b'[{"subscriptionType":"object.creation","changeSource":"INTEGRATION","objectTypeId":"0-1",'
    body += b'"objectId":7,"' + field.encode() + b'":' + b"[" * 1_000 + b"]" * 1_000 + b"}]"
    found = parse_events(body, EXPECTED)
    assert len(found.hints) + sum(count for _, count in found.ignored) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
types = st.sampled_from(
    [f"{noun}.{action}" for noun in ("contact", "deal", "object", "company") for action in ("creation", "merge")]
    + ["contact.associationChange", "contact.privacyDeletion", "object.associationChange", "contact", "", "."]
)
odd_events = st.builds(
    lambda kind, odd: {**an_event(kind), **odd},
    types,
    st.dictionaries(
        st.sampled_from(
            [
                *an_event(),
                "objectTypeId",
                "primaryObjectId",
                "mergedObjectIds",
                "newObjectId",
                "associationType",
                "fromObjectId",
                "toObjectId",
                "fromObjectTypeId",
                "toObjectTypeId",
            ]
        ),
        json_values,
        max_size=4,
    ),
)


@given(st.lists(odd_events | json_values, max_size=5))
def test_every_event_is_either_used_or_counted_whatever_it_holds(events: list[Any]) -> None:
    for event in events:
        found = parsed(event)
        assert bool(found.hints or found.erased) != bool(found.ignored)
    together = parsed(*events)
    assert sum(count for _, count in together.ignored) == sum(bool(parsed(event).ignored) for event in events)
    assert len(set(named(together))) == len(named(together))


@given(st.binary(max_size=300))
def test_no_body_makes_it_fail(body: bytes) -> None:
    assert isinstance(parse_events(body, EXPECTED), Parsed)


@given(st.lists(st.fixed_dictionaries({"event": odd_events, "copies": st.integers(1, 3)}), max_size=6))
def test_events_read_together_ask_for_what_each_asks_for_alone(groups: list[dict[str, Any]]) -> None:
    events = [group["event"] for group in groups for _ in range(group["copies"])]
    alone = [parsed(event) for event in events]
    together = parsed(*events)
    erased = {id_ for one in alone for id_ in one.erased}
    soonest: dict[str, timedelta] = {}
    for hint in (hint for one in alone for hint in one.hints):
        soonest.update({item: min(hint.delay, soonest.get(item, hint.delay)) for item in hint.items})
    assert {item: hint.delay for hint in together.hints for item in hint.items} == {
        i: d for i, d in soonest.items() if i not in erased
    }
    assert set(together.erased) == erased
    assert together.used == sum(one.used for one in alone)
