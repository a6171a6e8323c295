"""Webhooks first: work gives way to requests that are under way, and to nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

import pytest

from hubsync.service.intake import Hint
from hubsync.service.traffic import LONGEST, SHARE, Traffic
from hubsync.sync.lease import PortalLease
from hubsync.sync.reconcile import plan
from hubsync.sync.scope import Scope
from tests.sync.desk import MQL, Desk
from tests.web.asking import EVENT, EVENTS, Web


@pytest.mark.parametrize(
    ("under_way", "worked", "pauses"),
    [(0, 0.02, []), (3, 0.0, []), (3, 0.01, [0.01 * SHARE]), (1, 2.0, [LONGEST])],
)
def test_who_works_pauses_while_requests_are_under_way_longer_than_it_worked(
    monkeypatch: pytest.MonkeyPatch, under_way: int, worked: float, pauses: list[float]
) -> None:
    slept: list[float] = []
    spent = 5.0
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "thread_time", lambda: spent)
    on_the_road = Traffic()
    on_the_road.give_way()
    on_the_road.under_way = under_way
    spent += worked
    on_the_road.give_way()
    on_the_road.give_way()
    assert slept == pytest.approx(pauses)


def test_a_request_is_under_way_until_it_is_answered_and_also_where_it_is_refused() -> None:
    web = Web()
    counted: list[int] = []
    submit = web.intake.submit

    def noting(hints: Sequence[Hint], erased: Sequence[str] = ()) -> Future[None]:
        counted.append(web.traffic.under_way)
        return submit(hints, erased)

    web.intake.submit = noting  # type: ignore[method-assign]
    assert web.post(json.dumps([EVENT]).encode()).status == 200
    assert (counted, web.traffic.under_way) == ([1], 0)
    assert web.ask("POST", EVENTS, b"[]").status == 401
    assert web.traffic.under_way == 0


def test_every_decision_of_a_run_gives_way_first(desk: Desk) -> None:
    given: list[None] = []
    contacts = [desk.lead(stage=MQL) for _ in range(3)]
    session = replace(desk.session(), give_way=lambda: given.append(None))
    plan(session, Scope(full=True))
    assert len(given) >= len(contacts)


def test_every_transaction_of_who_holds_the_portal_has_requests_pass_before_and_after_it(desk: Desk) -> None:
    order: list[str] = []
    store, portal = desk.store, desk.portal.portal_id
    store.remember_portal(portal, at=desk.clock.now())
    with PortalLease(store, portal, "a test", give_way=lambda: order.append("way")) as lease, lease.transaction():
        order.append("within")
    assert order == ["way", "within", "way"]
