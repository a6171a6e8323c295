"""Rules that change while the service runs: good ones take over, broken ones change nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hubsync.errors import PortalTemporaryError, Problem, RuleFileError, StoreError
from hubsync.service.reload import Reload
from tests.service.station import Station
from tests.sync.desk import Desk

MakeReload = Callable[..., Reload]


class Renewing:
    """Makes sessions, or raises what it is told to."""

    def __init__(self, station: Station) -> None:
        self.session = station.session
        self.times = 0
        self.error: Exception | None = None

    def __call__(self) -> object:
        self.times += 1
        if self.error is not None:
            raise self.error
        self.session = replace(self.session)
        return self.session


@pytest.fixture
def renewing(station: Station) -> Renewing:
    return Renewing(station)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "rules"
    made.mkdir()
    (made / "portal.yaml").write_text("a: 1\n")
    return made


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def reload(station: Station, renewing: Renewing, folder: Path, told: list[str]) -> Reload:
    made = Reload(folder, renewing, station.health, station.session)  # type: ignore[arg-type]
    made.on_new_rules = lambda: told.append("new rules")
    return made


def edit(folder: Path, name: str = "portal.yaml") -> None:
    """Somebody saves a file; its time stamp moves on however coarse the file system's clock is."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("a: 2\n")
    at = path.stat().st_mtime_ns + 1_000_000
    os.utime(path, ns=(at, at))


def test_nothing_is_read_while_nothing_changes(reload: Reload, renewing: Renewing) -> None:
    reload.look()
    reload.look()
    assert renewing.times == 0


@pytest.mark.parametrize(
    "name", ["portal.yaml", "rollout.yaml", "texts/fr.yaml"], ids=["a file changed", "a file came", "a text came"]
)
def test_changed_rules_take_over_and_are_told_of_once(
    reload: Reload, renewing: Renewing, folder: Path, told: list[str], name: str
) -> None:
    before = reload.session
    edit(folder, name)
    reload.look()
    reload.look()
    assert reload.session is renewing.session
    assert reload.session is not before
    assert told == ["new rules"]


def test_rules_with_faults_change_nothing_and_are_said_until_they_are_mended(
    reload: Reload, renewing: Renewing, folder: Path, station: Station, told: list[str]
) -> None:
    before = reload.session
    renewing.error = RuleFileError([Problem("portal.yaml", 3, 7, "no such status")])
    edit(folder)
    reload.look()
    reload.look()
    assert renewing.times == 1
    assert reload.session is before
    assert "portal.yaml:3:7: no such status" in station.health.problems()["rules"]
    renewing.error = None
    edit(folder)
    reload.look()
    assert station.health.problems() == {}
    assert told == ["new rules"]


def test_a_file_that_cannot_be_read_at_all_is_said_too(
    reload: Reload, renewing: Renewing, folder: Path, station: Station
) -> None:
    renewing.error = PermissionError("portal.yaml")
    edit(folder)
    reload.look()
    assert "portal.yaml" in station.health.problems()["rules"]


@pytest.mark.parametrize("error", [PortalTemporaryError("no answer"), StoreError("locked")])
def test_where_hubspot_or_the_database_is_away_the_rules_are_tried_again_and_not_blamed(
    desk: Desk,
    reload: Reload,
    renewing: Renewing,
    folder: Path,
    station: Station,
    told: list[str],
    error: Exception,
) -> None:
    renewing.error = error
    edit(folder)
    reload.look()
    reload.look()
    assert renewing.times == 1
    assert station.health.problems() == {}
    renewing.error = None
    desk.later(seconds=31)
    reload.look()
    assert told == ["new rules"]
    assert reload.session is renewing.session


def test_it_is_told_again_where_that_failed(reload: Reload, folder: Path, told: list[str]) -> None:
    def fails() -> None:
        told.append("tried")
        if len(told) == 1:
            raise StoreError("locked")

    reload.on_new_rules = fails
    edit(folder)
    with pytest.raises(StoreError):
        reload.look()
    reload.look()
    reload.look()
    assert told == ["tried", "tried"]


def test_the_portal_is_read_anew_every_hour_without_looking_at_everyone_again(
    desk: Desk, reload: Reload, renewing: Renewing, told: list[str]
) -> None:
    before = reload.session
    desk.later(minutes=61)
    reload.look()
    assert renewing.times == 1
    assert reload.session is not before
    assert told == []


def test_who_asks_for_it_gets_it(reload: Reload, renewing: Renewing) -> None:
    reload.ask()
    reload.look()
    reload.look()
    assert renewing.times == 1


def test_the_worker_begins_a_new_shift_with_the_rules_in_force(station: Station) -> None:
    station.work()
    station.session = replace(station.session)
    station.work()
    assert [(r.kind, r.state) for r in station.store.runs(station.portal, 9)] == [
        ("serve", "running"),
        ("serve", "done"),
    ]
