"""Full reads: every contact once, by one chain or several, and proof that none was missed."""

from __future__ import annotations

import random
import re
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import requests
import responses
from structlog.testing import capture_logs

from hubsync.errors import PortalTemporaryError
from hubsync.policy.contact import Contact
from hubsync.portal.chains import Chains, Page
from hubsync.portal.gateway import Gateway
from hubsync.sandbox import Portal, Sandbox, acts
from hubsync.sandbox.population import populate_flat
from tests.portal.conftest import URL, FakeTime

OLD = "2020-01-01T00:00:00.000Z"


@dataclass
class Pace:
    in_flight: int = 4


class FakeList:
    """A list of contact ids as HubSpot pages it: ascending, the cursor being the id of the next contact."""

    def __init__(self, ids: list[int], limit: int, wait: float = 0.0) -> None:
        self.ids = sorted(ids)
        self.limit = limit
        self.wait = wait
        self.asked: Counter[str] = Counter()

    def fetch(self, after: str) -> Page:
        time.sleep(self.wait)
        self.asked[threading.current_thread().name] += 1
        start = bisect_left(self.ids, int(after))
        own = self.ids[start : start + self.limit]
        rest = self.ids[start + self.limit : start + self.limit + 1]
        return Page([Contact(str(i), {}) for i in own], str(rest[0]) if rest else None, own, by_id=True)

    def read(self, chains: Chains) -> list[int]:
        start, highest = self.ids[0], self.ids[-1]
        middle = start + (highest - start) // 2
        pages = chains.read(start, middle, self.fetch(str(middle)), highest)
        return [int(contact.id) for page in pages for contact in page.contacts]


def spread(seed: int, shape: str) -> list[int]:
    dice = random.Random(seed)
    if shape == "even":
        return list(range(1000, 9000))
    if shape == "gaps":
        return sorted({dice.randrange(10**12) for _ in range(8000)})
    if shape == "one cluster at the end":
        return [7, *range(10**11, 10**11 + 8000)]
    return [*range(500, 4500), *range(10**11, 10**11 + 4000)]


@pytest.mark.parametrize("shape", ["even", "gaps", "one cluster at the end", "two clusters"])
def test_however_the_ids_lie_each_contact_comes_once_and_few_calls_are_wasted(shape: str) -> None:
    ids = spread(3, shape)
    listed = FakeList(ids, 100)
    assert sorted(listed.read(Chains(Pace(), listed.fetch, 100))) == ids
    assert sum(listed.asked.values()) <= len(ids) / 100 + 45


@pytest.mark.parametrize("shape", ["even", "one cluster at the end", "two clusters"])
def test_however_the_ids_lie_all_chains_have_work(shape: str) -> None:
    listed = FakeList(spread(5, shape), 25, wait=0.002)
    listed.read(Chains(Pace(4), listed.fetch, 25))
    shares = [n / sum(listed.asked.values()) for name, n in listed.asked.items() if name.startswith("hubsync")]
    assert len(listed.asked) == 5  # four chains, and the page at the middle
    assert min(shares) > 0.1


def test_an_error_in_one_chain_ends_the_reading() -> None:
    listed = FakeList(list(range(10_000)), 100)

    def fetch(after: str) -> Page:
        if int(after) > 7000:
            raise PortalTemporaryError("gone")
        return listed.fetch(after)

    pages = Chains(Pace(), fetch, 100).read(0, 3000, listed.fetch("3000"), 9999)
    with pytest.raises(PortalTemporaryError, match="gone"):
        list(pages)


def test_a_list_that_stops_going_by_id_ends_the_reading() -> None:
    listed = FakeList(list(range(10_000)), 100)
    pages = Chains(Pace(), lambda _: listed.fetch("0"), 100).read(100, 5000, listed.fetch("5000"), 9999)
    with pytest.raises(PortalTemporaryError, match="stopped going by id"):
        list(pages)


def test_a_reader_that_stops_ends_the_chains_and_few_pages_wait_for_it() -> None:
    listed = FakeList(list(range(100_000)), 100)
    chains = Chains(Pace(4), listed.fetch, 100)
    pages = chains.read(0, 50_000, listed.fetch("50000"), 99_999)
    for _ in range(3):
        next(pages)
    time.sleep(0.2)
    assert sum(listed.asked.values()) <= 3 + 2 * 4 + 4 + 1
    pages.close()  # type: ignore[attr-defined]
    for thread in chains._threads:
        thread.join(5)
        assert not thread.is_alive()


@dataclass
class FakePortal:
    """List and search of contacts on mocked HTTP."""

    ids: list[int]
    cursors: str = "id"
    counted: int | None = None
    lost: frozenset[int] = frozenset()

    def listed(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        query = parse_qs(urlsplit(request.url or "").query)
        limit, after = int(query["limit"][0]), query.get("after", [None])[0]
        start = 0 if after is None else self._place(after)
        own = [i for i in self.ids[start : start + limit] if i not in self.lost]
        body: dict[str, Any] = {"results": [{"id": str(i), "properties": {"createdate": OLD}} for i in own]}
        if start + limit < len(self.ids):
            body["paging"] = {"next": {"after": self._cursor(start + limit)}}
        return 200, {}, orjson.dumps(body)

    def searched(self, _: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        total = len(self.ids) if self.counted is None else self.counted
        return 200, {}, orjson.dumps({"total": total, "results": [{"id": str(self.ids[-1]), "properties": {}}]})

    def _cursor(self, place: int) -> str:
        return {"id": str(self.ids[place]), "opaque": f"c{place}x", "offset": str(place)}.get(self.cursors, "")

    def _place(self, after: str) -> int:
        if self.cursors == "id":
            return bisect_left(self.ids, int(after))
        return int(after.strip("cx"))

    def serve(self, wire: responses.RequestsMock) -> None:
        wire.add_callback("GET", f"{URL}/crm/v3/objects/contacts", self.listed)
        wire.add_callback("POST", f"{URL}/crm/v3/objects/contacts/search", self.searched)


def read_all(gateway: Gateway) -> list[int]:
    return sorted(int(c.id) for page in gateway.all_contacts(["lifecyclestage"]) for c in page)


def test_several_chains_cost_few_calls_more_than_the_pages(wire: responses.RequestsMock, gateway: Gateway) -> None:
    ids = list(range(501, 60_501, 2))
    FakePortal(ids).serve(wire)
    assert read_all(gateway) == ids
    assert gateway.calls <= 300 + 25


@pytest.mark.parametrize("cursors", ["opaque", "offset"])
def test_cursors_that_are_no_ids_are_followed_by_one_chain_which_says_so(
    wire: responses.RequestsMock, gateway: Gateway, cursors: str
) -> None:
    ids = list(range(5001, 8001))
    FakePortal(ids, cursors).serve(wire)
    with capture_logs() as logs:
        assert read_all(gateway) == ids
    assert [entry["event"] for entry in logs] == ["listing.one_chain_used"]
    assert gateway.calls == 30 + 1


def test_one_request_in_flight_means_one_chain(
    wire: responses.RequestsMock, make_gateway: Callable[..., Gateway]
) -> None:
    ids = list(range(1, 2001))
    FakePortal(ids).serve(wire)
    gateway = make_gateway(in_flight=1)
    assert read_all(gateway) == ids
    assert gateway.calls == 20 + 1


def test_contacts_that_the_list_leaves_out_are_missed(
    wire: responses.RequestsMock, gateway: Gateway, fake_time: FakeTime
) -> None:
    FakePortal(list(range(1, 2001)), lost=frozenset({777})).serve(wire)
    with pytest.raises(PortalTemporaryError, match="1999 read, HubSpot counts 2000"):
        read_all(gateway)
    assert sum(fake_time.slept) >= 127  # an index that lags had its time


def test_contacts_deleted_meanwhile_are_not_missed(wire: responses.RequestsMock, gateway: Gateway) -> None:
    portal = FakePortal(list(range(1, 301)), lost=frozenset({250}))
    portal.serve(wire)
    pages = gateway.all_contacts(["lifecyclestage"])
    read = len(next(pages)) + len(next(pages))
    portal.counted = 299
    assert read + sum(map(len, pages)) == 299


def test_contacts_created_meanwhile_do_no_harm(wire: responses.RequestsMock, gateway: Gateway) -> None:
    portal = FakePortal(list(range(1, 301)), counted=300)
    portal.serve(wire)
    pages = gateway.all_contacts(["lifecyclestage"])
    next(pages)
    portal.ids.append(301)
    assert sum(map(len, pages)) == 201


def test_a_page_that_names_itself_as_the_next_one_is_an_error(wire: responses.RequestsMock, gateway: Gateway) -> None:
    body = {"results": [{"id": "5", "properties": {}}], "paging": {"next": {"after": "9"}}}
    wire.get(f"{URL}/crm/v3/objects/contacts", json=body)
    wire.add_callback("POST", f"{URL}/crm/v3/objects/contacts/search", FakePortal([5]).searched)
    with pytest.raises(PortalTemporaryError, match="does not move on"):
        read_all(gateway)


@pytest.mark.parametrize(
    "item",
    [
        {"properties": {}},
        {"id": "", "properties": {}},
        {"id": "1"},
        {"id": "1", "properties": []},
        {"id": "1", "properties": None},
        "text",
    ],
)
def test_a_contact_of_another_shape_never_becomes_data(
    wire: responses.RequestsMock, gateway: Gateway, item: object
) -> None:
    wire.get(f"{URL}/crm/v3/objects/contacts", json={"results": [item]})
    with pytest.raises(PortalTemporaryError, match="no answer"):
        read_all(gateway)


def test_a_page_without_the_history_that_was_asked_for_never_becomes_data(
    wire: responses.RequestsMock, gateway: Gateway
) -> None:
    wire.get(re.compile(f"{URL}/crm/v3/objects/contacts.*"), json={"results": [{"id": "1", "properties": {}}]})
    with pytest.raises(PortalTemporaryError, match="without the history"):
        list(gateway.all_contacts(["lifecyclestage"], ["lifecyclestage"]))


@pytest.fixture(scope="module")
def crowded() -> Iterator[Sandbox]:
    portal = Portal()
    populate_flat(portal, contacts=3000, seed=1)
    with Sandbox(portal, allowance=100_000, searches=1000, latency=0.005) as running:
        yield running


@pytest.mark.parametrize("history", [(), ("hs_lead_status", "lifecyclestage")])
def test_the_whole_sandbox_is_read_by_several_chains(
    crowded: Sandbox, make_gateway: Callable[..., Gateway], history: tuple[str, ...]
) -> None:
    gateway = make_gateway(crowded.url, lambda: crowded.token)
    ids = [c.id for page in gateway.all_contacts(["lifecyclestage"], history) for c in page]
    assert len(ids) == 3000
    assert set(ids) == set(crowded.portal.contacts())
    assert gateway.calls <= 3000 / (50 if history else 100) + 20


def test_the_sandbox_changes_while_it_is_read(make_gateway: Callable[..., Gateway], fake_time: FakeTime) -> None:
    portal = Portal()

    def sleep(seconds: float) -> None:
        fake_time.sleep(seconds)
        portal.clock.advance(timedelta(seconds=seconds))  # so that the index catches up

    populate_flat(portal, contacts=2500, seed=2)
    before = set(portal.contacts())
    with Sandbox(portal, allowance=100_000, searches=1000) as box:
        pages = make_gateway(box.url, lambda: box.token, sleep=sleep).all_contacts(["lifecyclestage"])
        read = [c.id for page in islice(pages, 5) for c in page]
        doomed = sorted(before - set(read), key=int)[-3:]
        for id_ in doomed:
            acts.delete_contact(portal, id_)
        acts.create_contact(portal, {"email": "new@example.com"})
        read.extend(c.id for page in pages for c in page)
    assert len(set(read)) == len(read)
    assert before - set(doomed) <= set(read)
