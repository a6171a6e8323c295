"""Line 6 of the checklist: search over an index that lags, within HubSpot's limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from hubsync.sandbox import Portal, Sandbox, SandboxClock, acts

Call = Callable[..., requests.Response]
PATH = "/crm/v3/objects/contacts/search"


@pytest.fixture
def people(portal: Portal) -> dict[str, str]:
    """Four contacts, all of them indexed: name → id."""
    portal.switches.search_lag = 0
    rows: dict[str, dict[str, str]] = {
        "Ada": {"hs_lead_status": "NEW", "num_conversion_events": "1", "city": "Ulm"},
        "Bob": {"hs_lead_status": "OPEN", "num_conversion_events": "10", "city": "Bonn"},
        "Cyd": {"num_conversion_events": "9", "city": "ulm"},
        "Dee": {"hs_lead_status": "CONNECTED"},
    }
    return {
        name: portal.create("contacts", {"firstname": name, "email": f"{name}@example.com", **row})
        for name, row in rows.items()
    }


@pytest.fixture
def box(portal: Portal) -> Any:
    """Searches without the limit of five a second."""
    with Sandbox(portal, searches=1000) as running:
        yield running


def names(call: Call, *filters: dict[str, Any], **more: Any) -> list[str]:
    body = {"filterGroups": [{"filters": list(filters)}] if filters else [], "properties": ["firstname"], **more}
    answer = call("POST", PATH, body)
    assert answer.status_code == 200, answer.text
    return [each["properties"]["firstname"] for each in answer.json()["results"]]


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ({"propertyName": "hs_lead_status", "operator": "EQ", "value": "NEW"}, ["Ada"]),
        ({"propertyName": "hs_lead_status", "operator": "EQ", "value": "new"}, []),
        ({"propertyName": "hs_lead_status", "operator": "NEQ", "value": "NEW"}, ["Bob", "Dee"]),
        ({"propertyName": "hs_lead_status", "operator": "IN", "values": ["NEW", "OPEN"]}, ["Ada", "Bob"]),
        ({"propertyName": "hs_lead_status", "operator": "NOT_IN", "values": ["NEW", "OPEN"]}, ["Dee"]),
        ({"propertyName": "hs_lead_status", "operator": "NOT_HAS_PROPERTY"}, ["Cyd"]),
        ({"propertyName": "hs_lead_status", "operator": "HAS_PROPERTY"}, ["Ada", "Bob", "Dee"]),
        ({"propertyName": "city", "operator": "EQ", "value": "ULM"}, ["Ada", "Cyd"]),
        ({"propertyName": "city", "operator": "IN", "values": ["ulm"]}, ["Ada", "Cyd"]),
        ({"propertyName": "city", "operator": "IN", "values": ["Ulm"]}, []),
        ({"propertyName": "email", "operator": "CONTAINS_TOKEN", "value": "bob*"}, ["Bob"]),
        ({"propertyName": "num_conversion_events", "operator": "GT", "value": "1"}, ["Bob", "Cyd"]),
        (
            {"propertyName": "num_conversion_events", "operator": "BETWEEN", "value": "1", "highValue": "9"},
            ["Ada", "Cyd"],
        ),
    ],
)
def test_line_6_operators(call: Call, people: dict[str, str], item: dict[str, Any], found: list[str]) -> None:
    assert names(call, item) == found


@pytest.mark.parametrize("value", ["1772452800000", "2026-03-02T12:00:00Z", "2026-03-02T14:00:00+02:00"])
def test_line_6_moments_are_epoch_milliseconds_or_iso(call: Call, people: dict[str, str], value: str) -> None:
    at_noon = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": value}
    after = {"propertyName": "lastmodifieddate", "operator": "GT", "value": value}
    assert names(call, at_noon) == ["Ada", "Bob", "Cyd", "Dee"]
    assert names(call, after) == []


def test_line_6_groups_are_or_ed_and_a_bare_list_of_filters_is_accepted(call: Call, people: dict[str, str]) -> None:
    new = {"propertyName": "hs_lead_status", "operator": "EQ", "value": "NEW"}
    none = {"propertyName": "hs_lead_status", "operator": "NOT_HAS_PROPERTY"}
    assert names(call, filterGroups=[{"filters": [new]}, {"filters": [none]}]) == ["Ada", "Cyd"]
    assert names(call, filters=[none]) == ["Cyd"]


def test_line_6_numbers_sort_as_numbers(call: Call, people: dict[str, str]) -> None:
    known = {"propertyName": "num_conversion_events", "operator": "HAS_PROPERTY"}
    sorts = [{"propertyName": "num_conversion_events", "direction": "DESCENDING"}]
    assert names(call, known, sorts=sorts) == ["Bob", "Cyd", "Ada"]


def test_line_6_pages_are_integer_offsets(call: Call, people: dict[str, str]) -> None:
    first = call("POST", PATH, {"limit": 3}).json()
    assert (first["total"], first["paging"]) == (4, {"next": {"after": "3"}})
    last = call("POST", PATH, {"limit": 3, "after": "3"}).json()
    assert [each["id"] for each in last["results"]] == [people["Dee"]]
    assert "paging" not in last


def test_line_6_filter_by_association(call: Call, portal: Portal, people: dict[str, str]) -> None:
    email = acts.rep_sends_email(portal, people["Bob"], None)
    body = {
        "filterGroups": [
            {"filters": [{"propertyName": "associations.contact", "operator": "EQ", "value": people["Bob"]}]}
        ]
    }
    found = call("POST", "/crm/v3/objects/emails/search", body).json()["results"]
    assert [each["id"] for each in found] == [email]


GROUP = {"filters": [{"propertyName": "city", "operator": "HAS_PROPERTY"}]}


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"after": "next-page"},
        {"after": "9900", "limit": 200},
        {"filterGroups": [GROUP] * 6},
        {"filterGroups": [{"filters": GROUP["filters"] * 7}]},
        {"filterGroups": [{"filters": GROUP["filters"] * 5}] * 4},
        {"sorts": [{"propertyName": "city"}, {"propertyName": "email"}]},
        {"filters": [{"propertyName": "city", "operator": "HAS_PROPERTY", "value": "Ulm"}]},
        {"filters": [{"propertyName": "no_such_property", "operator": "EQ", "value": "1"}]},
        {"filters": [{"propertyName": "lastmodifieddate", "operator": "GT", "value": "yesterday"}]},
        {"filters": [{"propertyName": "city", "operator": "LIKE", "value": "Ulm"}]},
        {"query": "x" * 3000},
        {"filter_groups": []},
    ],
)
def test_line_6_what_goes_beyond_the_limits_is_a_400(call: Call, body: dict[str, Any]) -> None:
    assert call("POST", PATH, body).status_code == 400


def test_line_6_paging_ends_at_10000_results(call: Call, portal: Portal) -> None:
    portal.switches.search_lag = 0
    for number in range(10_001):
        portal.create("contacts", {"city": str(number)})
    last = call("POST", PATH, {"limit": 200, "after": "9800"}).json()
    assert (last["total"], len(last["results"])) == (10_001, 200)
    assert "paging" not in last
    assert call("POST", PATH, {"limit": 200, "after": "9801"}).status_code == 400


def test_line_6_the_index_shows_a_change_only_after_the_lag(
    call: Call, portal: Portal, clock: SandboxClock, contact: str
) -> None:
    clock.advance(timedelta(milliseconds=2999))
    assert call("POST", PATH, {}).json()["total"] == 0
    clock.advance(timedelta(milliseconds=1))
    assert call("POST", PATH, {}).json()["total"] == 1

    portal.update("contacts", contact, {"city": "Ulm"})
    stale = call("POST", PATH, {"properties": ["city"]}).json()["results"][0]
    assert stale["properties"]["city"] is None
    assert stale["properties"]["lastmodifieddate"] == stale["updatedAt"] == "2026-03-02T12:00:00.000Z"
    clock.advance(timedelta(seconds=2))
    portal.update("contacts", contact, {"city": "Bonn"})
    clock.advance(timedelta(seconds=1))
    between = call("POST", PATH, {"properties": ["city"]}).json()["results"][0]
    assert between["properties"]["city"] == "Ulm"
    clock.advance(timedelta(seconds=2))
    assert call("POST", PATH, {"properties": ["city"]}).json()["results"][0]["properties"]["city"] == "Bonn"

    portal.archive("contacts", contact)
    assert call("POST", PATH, {}).json()["total"] == 1
    clock.advance(timedelta(seconds=3))
    assert call("POST", PATH, {}).json()["total"] == 0


def test_line_6_five_a_second_over_all_kinds_then_the_recorded_429(portal: Portal, session: requests.Session) -> None:
    seconds = [100.0]
    with Sandbox(portal, timer=lambda: seconds[0]) as box:
        session.headers["Authorization"] = f"Bearer {box.token}"

        def ask(kind: str) -> requests.Response:
            return session.post(f"{box.url}/crm/v3/objects/{kind}/search", json={}, timeout=5)

        answers = [ask(kind) for kind in ("contacts", "emails", "calls", "deals", "tasks", "contacts")]
        assert [each.status_code for each in answers] == [200] * 5 + [429]
        assert {name for name in answers[0].headers if name.startswith("X-HubSpot-RateLimit")} == set()
        refused = answers[-1].json()
        assert refused.pop("correlationId")
        assert refused == {
            "status": "error",
            "message": "You have reached your secondly limit.",
            "category": "RATE_LIMITS",
        }
        seconds[0] += 1.0
        assert ask("contacts").status_code == 200
