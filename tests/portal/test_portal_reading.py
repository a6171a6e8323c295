"""Reads by id, by association and by search, where answers come in parts or are not what they should be."""

from __future__ import annotations

from bisect import bisect_left
from datetime import timedelta
from typing import Any

import orjson
import pytest
import requests
import responses

from hubsync.errors import PortalPermanentError, PortalTemporaryError
from hubsync.portal.gateway import Gateway
from tests.portal.conftest import START, URL

LINKS = f"{URL}/crm/v4/associations/contacts/deals/batch/read"
OWNERS = f"{URL}/crm/v3/owners"


def body(request: requests.PreparedRequest) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(request.body or b"")
    return found


def iso(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def links(from_id: str, *to: int, after: str | None = None, label: str | None = None) -> dict[str, Any]:
    types = [{"category": "HUBSPOT_DEFINED", "typeId": 4, "label": label}]
    item: dict[str, Any] = {
        "from": {"id": from_id},
        "to": [{"toObjectId": id_, "associationTypes": types} for id_ in to],
    }
    return item | ({"paging": {"next": {"after": after}}} if after else {})


def a_deal(id_: str) -> dict[str, Any]:
    history = {"dealstage": [{"value": "closedwon", "timestamp": iso(9)}, {"value": "open", "timestamp": iso(0)}]}
    return {"id": id_, "properties": {"pipeline": "default"}, "propertiesWithHistory": history}


def test_contacts_without_deals_are_the_normal_case(wire: responses.RequestsMock, gateway: Gateway) -> None:
    none = {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "context": {"fromObjectId": ["2"], "fromObjectType": ["contact"], "toObjectType": ["deal"]},
    }
    wire.post(LINKS, status=207, json={"results": [links("1", 70, label="Primary")], "numErrors": 36, "errors": [none]})
    wire.post(f"{URL}/crm/v3/objects/deals/batch/read", json={"results": [a_deal("70")]})
    found = gateway.deals_of(["1", "2"])
    assert found["2"] == ()
    [deal] = found["1"]
    assert (deal.id, deal.primary, deal.labels) == ("70", True, frozenset({"Primary"}))
    assert [visit.stage for visit in deal.stage_history] == ["closedwon", "open"]


def test_a_record_with_more_associations_than_a_page_is_asked_for_again_by_its_own_cursor(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    wire.post(LINKS, json={"results": [links("1", 70, after="500"), links("2", 71)]})
    wire.post(LINKS, json={"results": [links("1", 72)]})
    wire.post(f"{URL}/crm/v3/objects/deals/batch/read", json={"results": [a_deal(i) for i in ("70", "71", "72")]})
    assert [deal.id for deal in gateway.deals_of(["1", "2"])["1"]] == ["70", "72"]
    assert body(wire.calls[1].request) == {"inputs": [{"id": "1", "after": "500"}]}


def test_associations_that_could_not_be_read_are_not_taken_for_none(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    error = {"category": "VALIDATION_ERROR", "message": "unknown pair"}
    wire.post(LINKS, status=207, json={"results": [], "errors": [error]})
    with pytest.raises(PortalPermanentError, match="unknown pair"):
        gateway.deals_of(["1"])


PART = {"status": "error", "category": "INTERNAL_ERROR", "message": "There was an internal error", "context": {}}


def test_associations_of_which_hubspot_read_only_a_part_are_asked_for_again(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    wire.post(LINKS, status=207, json={"results": [links("1")], "numErrors": 1, "errors": [PART]})
    wire.post(LINKS, json={"results": [links("1"), links("2", 70)]})
    wire.post(f"{URL}/crm/v3/objects/deals/batch/read", json={"results": [a_deal("70")]})
    assert [deal.id for deal in gateway.deals_of(["1", "2"])["2"]] == ["70"]


def test_a_deal_that_hubspot_failed_to_read_is_not_taken_for_deleted(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    wire.post(LINKS, json={"results": [links("1", 70, 71)]})
    deals = f"{URL}/crm/v3/objects/deals/batch/read"
    wire.post(deals, status=207, json={"results": [a_deal("70")], "numErrors": 1, "errors": [PART]})
    wire.post(deals, json={"results": [a_deal("70"), a_deal("71")]})
    assert [deal.id for deal in gateway.deals_of(["1"])["1"]] == ["70", "71"]


def test_a_task_that_hubspot_fails_to_read_however_often_is_not_taken_for_deleted(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    wire.post(f"{URL}/crm/v3/objects/tasks/batch/read", status=207, json={"results": [], "errors": [PART]})
    with pytest.raises(PortalTemporaryError, match="could not read tasks: There was an internal error"):
        gateway.read_tasks(["7"])


def test_a_deal_that_is_gone_is_left_out(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.post(LINKS, json={"results": [links("1", 70, 71)]})
    gone = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "deleted", "context": {"ids": ["71"]}}
    answer = {"results": [a_deal("70")], "numErrors": 1, "errors": [gone]}
    wire.post(f"{URL}/crm/v3/objects/deals/batch/read", status=207, json=answer)
    assert [deal.id for deal in gateway.deals_of(["1"])["1"]] == ["70"]


@pytest.mark.parametrize(
    "item",
    [{"from": {}, "to": []}, {"from": {"id": "1"}}, {"from": {"id": "1"}, "to": [{}]}, {"to": []}, []],
)
def test_associations_of_another_shape_never_become_data(
    wire: responses.RequestsMock, gateway: Gateway, item: object
) -> None:
    wire.post(LINKS, json={"results": [item]})
    with pytest.raises(PortalTemporaryError, match="no answer"):
        gateway.deals_of(["1"])


def test_a_deal_without_the_history_of_its_stage_never_becomes_data(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    wire.post(LINKS, json={"results": [links("1", 70)]})
    wire.post(f"{URL}/crm/v3/objects/deals/batch/read", json={"results": [{"id": "70", "properties": {}}]})
    with pytest.raises(PortalTemporaryError, match="no answer"):
        gateway.deals_of(["1"])


def test_nobody_is_asked_for_nothing(gateway: Gateway) -> None:
    assert gateway.read_contacts([], ["lifecyclestage"]).found == {}
    assert gateway.deals_of([]) == {}
    assert gateway.tasks_of([]) == {}
    assert gateway.update_contacts([]) == []
    assert gateway.create_tasks([]) == []
    assert gateway.calls == 0


def test_results_in_any_order_are_known_by_their_id(wire: responses.RequestsMock, gateway: Gateway) -> None:
    items = [{"id": i, "properties": {"lifecyclestage": f"s{i}"}} for i in ("3", "1", "2")]
    wire.post(f"{URL}/crm/v3/objects/contacts/batch/read", json={"results": items})
    found = gateway.read_contacts(["1", "2", "3"], ["lifecyclestage"]).found
    assert {id_: contact.properties["lifecyclestage"] for id_, contact in found.items()} == {
        "1": "s1",
        "2": "s2",
        "3": "s3",
    }


@pytest.mark.parametrize("answer", [{"category": "OBJECT_NOT_FOUND"}, {"message": "resource not found"}])
def test_a_contact_that_no_answer_mentions_is_asked_for_alone_and_may_be_missing(
    wire: responses.RequestsMock, gateway: Gateway, answer: dict[str, str]
) -> None:
    wire.post(f"{URL}/crm/v3/objects/contacts/batch/read", json={"results": [{"id": "1", "properties": {}}]})
    wire.get(f"{URL}/crm/v3/objects/contacts/2", status=404, json=answer)
    read = gateway.read_contacts(["1", "2"], ["lifecyclestage"])
    assert (list(read.found), read.missing) == (["1"], ("2",))


def test_owners_are_read_page_by_page(wire: responses.RequestsMock, gateway: Gateway) -> None:
    more = {"paging": {"next": {"after": "100"}}}
    wire.get(OWNERS, json={"results": [{"id": "1", "userId": 11}], **more})
    wire.get(OWNERS, json={"results": [{"id": "2", "userId": 12}]})
    gone = {"id": "3", "userId": None, "userIdIncludingInactive": 13, "archived": True}
    wire.get(OWNERS, json={"results": [gone]})
    assert [(o.id, o.user_id, o.archived) for o in gateway.owners()] == [
        ("1", "11", False),
        ("2", "12", False),
        ("3", "13", True),
    ]
    assert "after=100" in (wire.calls[1].request.url or "")


class Index:
    """A search index of contacts by when they changed, as the filters of the poll ask for it."""

    def __init__(self, changed: dict[int, float]) -> None:
        self.changed = changed
        self.before_page: dict[int, dict[int, float]] = {}
        self.pages = 0
        self.sorted: list[tuple[int, int]] = []

    def search(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        if self.pages in self.before_page or not self.sorted:
            self.changed.update(self.before_page.get(self.pages, {}))
            first = round(START.timestamp() * 1000)
            self.sorted = sorted((first + round(at * 1000), id_) for id_, at in self.changed.items())
        self.pages += 1
        asked = body(request)
        limits = {(f["propertyName"], f["operator"]): int(f["value"]) for f in asked["filterGroups"][0]["filters"]}
        found = self.sorted[bisect_left(self.sorted, (limits["lastmodifieddate", "GTE"], 0)) :]
        if asked["sorts"] == [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]:
            before, above = limits["lastmodifieddate", "LT"], limits["hs_object_id", "GT"]
            found = sorted(((at, i) for at, i in found if at < before and i > above), key=lambda each: each[1])
        results = [{"id": str(i), "properties": {"lastmodifieddate": str(at)}} for at, i in found[: asked["limit"]]]
        return 200, {}, orjson.dumps({"total": len(found), "results": results})


def poll(wire: responses.RequestsMock, gateway: Gateway, index: Index) -> list[int]:
    wire.add_callback("POST", f"{URL}/crm/v3/objects/contacts/search", index.search)
    return [int(id_) for page in gateway.modified_since(START) for id_ in page]


def test_more_changes_than_search_pages_through_are_all_told(wire: responses.RequestsMock, gateway: Gateway) -> None:
    index = Index({n: n / 10 for n in range(12_000)})
    assert poll(wire, gateway, index) == list(range(12_000))


def test_more_changes_in_one_moment_than_a_page_are_all_told_once(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    index = Index({n: 0.0 if n < 150 else 5.0 if n < 1150 else n / 10 for n in range(1400)})
    told = poll(wire, gateway, index)
    assert sorted(told) == list(range(1400))
    assert len(told) == 1400


def test_contacts_that_change_while_they_are_told_push_none_out(wire: responses.RequestsMock, gateway: Gateway) -> None:
    index = Index({n: n / 10 for n in range(1000)})
    index.before_page = {page: {page * 150 + n: 500.0 + page for n in range(100)} for page in range(1, 4)}
    told = poll(wire, gateway, index)
    assert set(told) == set(range(1000))


@pytest.mark.parametrize("answer", [{}, {"total": -1}, {"total": "5"}, {"total": True}, {"total": None}])
def test_a_search_without_a_total_counts_nothing(
    wire: responses.RequestsMock, gateway: Gateway, answer: dict[str, Any]
) -> None:
    wire.post(f"{URL}/crm/v3/objects/contacts/search", json={"results": [], **answer})
    with pytest.raises(PortalTemporaryError, match="no total"):
        gateway.count_contacts()
