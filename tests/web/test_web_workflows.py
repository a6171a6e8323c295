"""What a workflow's webhook action asks to be looked at, in whatever shape it comes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubsync.service.intake import Hint
from hubsync.web.events import Expected, Parsed
from hubsync.web.workflows import parse_workflow

EXPECTED = Expected(62515)
V1 = {
    "vid": 4210,
    "canonical-vid": 4211,
    "merged-vids": [],
    "portal-id": 62515,
    "is-contact": True,
    "properties": {"lifecyclestage": {"value": "lead", "versions": [{"value": "lead"}]}},
    "form-submissions": [],
}


def item(record: Any = None, query: bytes = b"", id_field: str | None = None) -> str | None:
    body = b"" if record is None else orjson.dumps(record)
    found = parse_workflow(body, query, EXPECTED, id_field)
    assert len(found.hints) + len(found.ignored) == 1
    return found.hints[0].items[0] if found.hints else None


def test_a_contact_in_the_old_shape_is_known_by_its_canonical_id() -> None:
    assert parse_workflow(orjson.dumps(V1), b"", EXPECTED) == Parsed((Hint(("4211",), "workflow"),), used=1)
    assert item({**V1, "canonical-vid": None}) == "4210"


@pytest.mark.parametrize(
    "record",
    [
        {"hs_object_id": "4211"},
        {"objectId": 4211},
        {"contactId": "4211", "email": "x@example.com"},
        {"vid": 4211},
        {"id": 4211},
        {"properties": {"hs_object_id": {"value": "4211"}}},
        {"properties": {"hs_object_id": "4211"}},
        {"hs_object_id": {"value": "4211"}},
        {"hs_object_id": "", "id": "4211"},
        {"objectId": 4211, "objectTypeId": "0-1"},
        [{"vid": 4211}],
    ],
)
def test_a_free_shape_names_the_contact_in_one_of_the_usual_fields(record: Any) -> None:
    assert item(record) == "4211"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"portalId": 62515, "dealId": 77, "properties": {"hs_object_id": {"value": "77"}}}, "deals:77"),
        ({"objectId": 77, "objectTypeId": "0-3"}, "deals:77"),
        ({"objectId": 77, "objectTypeId": "0-49"}, "emails:77"),
        ({"dealId": 77, "contactId": 4211}, "4211"),
        ({"objectId": 77, "objectTypeId": "0-2"}, None),
    ],
)
def test_another_object_is_looked_at_through_its_contacts(record: Any, expected: str | None) -> None:
    assert item(record) == expected


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"lead": "4211", "id": "1"}, "lead"),
        ({"record": {"key": 4211}, "id": "1"}, "record.key"),
        ({"record.key": 4211, "record": {"key": 1}}, "record.key"),
        ({"properties": {"crm_id": {"value": "4211"}}, "vid": 1}, "properties.crm_id"),
    ],
)
def test_the_configured_field_alone_names_the_contact(record: Any, field: str) -> None:
    assert item(record, id_field=field) == "4211"


def test_without_the_configured_field_nothing_else_is_taken_for_it() -> None:
    assert item(V1, id_field="lead") is None


@pytest.mark.parametrize(
    "query", [b"hs_object_id=4211", b"email=x%40example.com&vid=4211", b"contactId=4211&contactId=4211"]
)
def test_a_get_names_the_contact_in_its_query(query: bytes) -> None:
    assert item(query=query) == "4211"


def test_a_body_goes_before_the_query() -> None:
    assert item({"id": 1}, b"id=2") == "1"
    assert item({"name": "x"}, b"id=2") == "2"


@pytest.mark.parametrize("record", [{**V1, "portal-id": 1}, {"portalId": "1", "id": 1}])
def test_a_record_of_another_portal_is_left_out(record: Any) -> None:
    assert parse_workflow(orjson.dumps(record), b"id=7", EXPECTED).ignored == (("of another portal", 1),)


@pytest.mark.parametrize(
    ("body", "query", "reason"),
    [
        (b"", b"", "not a record"),
        (b"[]", b"", "not a record"),
        (b"7", b"", "not a record"),
        (b"\xff", b"\xff=1", "not a record"),
        (b"{" * 100_000, b"", "not a record"),
        (b"", b"a=1&" * 5_000, "not a record"),
        (b"{}", b"", "without a usable id"),
        (b'{"id":"abc"}', b"", "without a usable id"),
        (b'{"properties":[1]}', b"", "without a usable id"),
        (b'{"portal-id":' + b"[" * 1000 + b"]" * 1000 + b"}", b"", "of another portal"),
    ],
)
def test_what_can_not_be_used_is_counted_under_its_reason(body: bytes, query: bytes, reason: str) -> None:
    assert parse_workflow(body, query, EXPECTED) == Parsed(ignored=((reason, 1),))


@given(st.binary(max_size=200), st.binary(max_size=60), st.sampled_from([None, "id", "a.b", ".", ""]))
def test_no_request_makes_it_fail(body: bytes, query: bytes, id_field: str | None) -> None:
    found = parse_workflow(body, query, EXPECTED, id_field)
    assert found.used + sum(count for _, count in found.ignored) == 1
