"""What the running service records for people to be told: digests and alerts, once per cause (playbook T2, B4)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.sandbox import acts
from hubsync.store.values import NOTICES, Write
from tests.service.station import Station
from tests.sync.desk import NOW, Desk, ago, all_rules

TEXT = "In Attempted to Contact since 23 February: 5 business days without a connection."
Listed = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def silent(desk: Desk) -> str:
    """A lead in Attempting for five business days, with a call planned (T10), under all the shipped rules."""
    desk.rebind(loaded=all_rules())
    lead = desk.lead("ATTEMPTED_TO_CONTACT", at=ago(days=7, hours=1))
    acts.create_task(desk.portal, lead, desk.rep, "Call again", due=NOW + timedelta(days=5))
    return lead


@pytest.fixture
def listed(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Listed:
    """What `hubsync report digests` lists, from the service's database."""
    monkeypatch.setenv("HUBSYNC_DATABASE_URL", desk.url)

    def ask() -> list[dict[str, Any]]:
        capsys.readouterr()
        assert run(["report", "digests", "--format", "json"]) == 0
        rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["digests"]
        return rows

    return ask


def told(desk: Desk, contact: str) -> list[Write]:
    return [row for row in desk.ledger(contact) if row.kind in NOTICES]


def test_a_digest_of_a_rule_is_recorded_and_listed(
    desk: Desk, make_station: Callable[..., Station], silent: str, listed: Listed
) -> None:
    station = make_station()
    station.hint(silent)
    station.work()
    (row,) = told(desk, silent)
    assert (row.kind, row.target, row.state, row.rule) == (
        "digest",
        "digest:manager",
        "applied",
        "attempting_for_five_days",
    )
    assert (row.after, row.facts) == (TEXT, {"to": "manager", "recipient": None})
    assert (row.answered_at, row.closed_at) == (desk.clock.now(), None)
    (entry,) = listed()
    assert (entry["contact"], entry["kind"], entry["text"], entry["run"]) == (silent, "digest", TEXT, row.run)
    assert entry["delivered"] is None


def test_however_often_the_contact_is_looked_at_and_the_service_started_it_is_told_once(
    desk: Desk, make_station: Callable[..., Station], silent: str, listed: Listed
) -> None:
    station = make_station()
    for _ in range(2):
        station.hint(silent)
        station.work()
    station.killed()
    station.hint(silent)
    station.work()
    assert len(told(desk, silent)) == len(listed()) == 1


def test_what_falls_due_later_is_told_without_anybody_saying_so(
    desk: Desk, make_station: Callable[..., Station], silent: str, listed: Listed
) -> None:
    station = make_station()
    station.hint(silent)
    station.work()
    desk.later(days=2)
    station.work()
    assert sorted((row["kind"], row["rule"]) for row in listed()) == [
        ("alert", "attempting_for_seven_days"),
        ("digest", "attempting_for_five_days"),
    ]


def test_without_writing_nothing_is_recorded(desk: Desk, make_station: Callable[..., Station], silent: str) -> None:
    station = make_station(writes=False)
    station.hint(silent)
    station.work()
    assert told(desk, silent) == []
