"""What strangers may cost: refusals by address, and bodies all together."""

from __future__ import annotations

import asyncio

import pytest

from hubsync.web.bodies import Bodies, BodyRefused
from hubsync.web.refusals import FORGET_BEYOND, Refusals
from tests.web.asking import EVENTS, V1, WORKFLOW, Web, in_pieces, refused, v2


@pytest.fixture
def web() -> Web:
    return Web()


def test_after_sixty_refusals_in_a_minute_an_address_is_not_heard_any_more(web: Web) -> None:
    assert all(refused(web, []) for _ in range(60))
    answer = web.ask("POST", EVENTS, b"[]", web.v3("POST", EVENTS, b"[]"))
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    workflow = web.ask("POST", WORKFLOW, V1, v2("POST", WORKFLOW, V1))
    assert (workflow.status, workflow.headers["retry-after"]) == (429, "1000")
    assert web.post(b"[]", client="198.51.100.8").status == 200
    web.pass_time(seconds=1)
    assert web.post(b"[]").status == 200


def test_forwarded_addresses_are_not_believed(web: Web) -> None:
    for n in range(60):
        refused(web, [(b"x-forwarded-for", f"203.0.113.{n}".encode()), (b"forwarded", b"for=203.0.113.1")])
    assert web.ask("POST", EVENTS, b"", [(b"x-forwarded-for", b"203.0.113.99")]).status == 429


def test_strangers_behind_the_same_proxy_do_not_lock_hubspot_out(web: Web) -> None:
    assert web.post(b"[]", client="127.0.0.1").status == 200
    for _ in range(1_000):
        web.ask("POST", EVENTS, b"[]", [], client="127.0.0.1")
    assert web.post(b"[]", client="127.0.0.1").status == 200


def test_addresses_of_one_ipv6_network_count_as_one(web: Web) -> None:
    for n in range(60):
        web.ask("POST", EVENTS, b"", [], client=f"2001:db8::{n:x}")
    assert web.ask("POST", EVENTS, b"", [], client="2001:db8::ffff").status == 429
    assert web.ask("POST", EVENTS, b"", [], client="2001:db8:0:1::1").status == 401


def test_addresses_remembered_are_bounded_and_the_oldest_is_forgotten_first() -> None:
    refusals = Refusals(1, lambda: 0.0)
    for n in range(FORGET_BEYOND + 1):
        refusals.refused(f"address {n}")
    assert refusals.wait("address 0") == 0
    assert refusals.wait("address 1") == 60
    assert refusals.wait(f"address {FORGET_BEYOND}") == 60


def test_trust_in_an_address_ends_after_an_hour() -> None:
    now = 0.0
    refusals = Refusals(2, lambda: now, trusted_factor=10)
    refusals.authentic("proxy")
    for _ in range(19):
        refusals.refused("proxy")
    assert refusals.wait("proxy") == 0
    now = 3_600.0
    for _ in range(2):
        assert refusals.wait("proxy") == 0
        refusals.refused("proxy")
    assert refusals.wait("proxy") == 30


def test_bodies_all_together_have_a_limit_and_give_their_room_back() -> None:
    bodies = Bodies(largest=100, together=150)

    async def read(size: int, room: list[int]) -> bytes:
        return await bodies.read([], in_pieces(then={"type": "http.request", "body": b"x" * size}), room)

    with bodies.room() as first:
        assert asyncio.run(read(100, first)) == b"x" * 100
        with bodies.room() as second, pytest.raises(BodyRefused, match="Too much") as refusal:
            asyncio.run(read(51, second))
        assert refusal.value.status == 503
        with bodies.room() as third:
            assert asyncio.run(read(50, third)) == b"x" * 50
    assert bodies.held == 0
