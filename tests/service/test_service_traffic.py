"""Webhooks first: work gives way to requests that are under way, and to nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

import pytest

from hubsync.service.intake import Hint
from hubsync.service.traffic import PAUSE, Traffic
from hubsync.sync.reconcile import plan
from hubsync.sync.scope import Scope
from tests.sync.desk import MQL, Desk
from tests.web.asking import EVENT, EVENTS, Web


def test_who_works_pauses_only_while_a_request_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    on_the_road = Traffic()
    on_the_road.give_way()
    on_the_road.under_way = 3
    on_the_road.give_way()
    on_the_road.under_way = 0
    on_the_road.give_way()
    assert slept == [PAUSE]


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
