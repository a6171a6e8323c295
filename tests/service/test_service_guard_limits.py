"""The guard of the service, at work: a rule over its limit is held, released while the service runs, and goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hubsync.policy.portal_spec import GuardSpec
from hubsync.service.buckets import ALL, EVERYTHING, HeldRule, hold, read_held, refill, release_held
from hubsync.service.buckets import Buckets as Guard
from tests.service.station import Station
from tests.sync.desk import SQL, Desk

RULE = "qualified_moves_the_stage"


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    with Desk(tmp_path) as desk, Station(desk) as made:
        yield made


def limit(station: Station, **guard: int) -> None:
    """Put other limits into portal.yaml, and have the rules reloaded."""
    station.session = replace(station.session, guard=GuardSpec(**guard))


def work(station: Station, *contacts: str) -> None:
    """Hint at contacts, and do all that is due."""
    station.hint(*contacts)
    station.work()


def restart(station: Station) -> None:
    """Stop the service and start it again."""
    station.worker.close()
    station.new_worker()


def moved(station: Station, contacts: Sequence[str]) -> int:
    """How many of them the rule has moved on."""
    return sum(station.desk.stage(c) == SQL for c in contacts)


def waiting(station: Station) -> list[str]:
    """Contacts that are parked."""
    return [contact for contact, _ in station.parked()]


def qualified(station: Station, count: int) -> list[str]:
    """Leads that the rule wants to move."""
    return [station.desk.lead("QUALIFIED") for _ in range(count)]


def test_a_rule_over_its_limit_of_an_hour_is_held_and_goes_on_once_it_is_released(station: Station) -> None:
    limit(station, rule_an_hour=3)
    leads = qualified(station, 5)
    work(station, *leads)
    assert (moved(station, leads), waiting(station)) == (3, leads[3:])
    assert list(station.health.problems()) == [f"held {RULE}"]
    assert release_held(station.desk.store, station.portal, RULE, station.desk.clock.now()) == 2
    station.work()
    assert (moved(station, leads), waiting(station)) == (5, [])
    assert station.health.problems() == {}


def test_the_limit_of_a_day_is_about_all_rules_together(station: Station) -> None:
    limit(station, rule_an_hour=100, all_a_day=2)
    leads = qualified(station, 3)
    work(station, *leads)
    assert (moved(station, leads), [h.rule for h in read_held(station.desk.store, station.portal)]) == (2, [EVERYTHING])
    assert release_held(station.desk.store, station.portal, ALL, station.desk.clock.now()) == 1
    station.work()
    assert moved(station, leads) == 3


def test_a_changed_limit_holds_from_the_next_stretch_on(station: Station) -> None:
    limit(station, rule_an_hour=2)
    first = qualified(station, 2)
    work(station, *first)
    limit(station, rule_an_hour=4)
    more = qualified(station, 3)
    work(station, *more)
    assert (moved(station, [*first, *more]), len(waiting(station))) == (4, 1)


def test_after_a_restart_a_release_still_counts(station: Station) -> None:
    limit(station, rule_an_hour=2)
    leads = qualified(station, 3)
    work(station, *leads)
    station.worker.close()
    station.desk.later(minutes=1)
    release_held(station.desk.store, station.portal, RULE, station.desk.clock.now())
    station.new_worker()
    station.work()
    assert (moved(station, leads), waiting(station)) == (3, [])


def test_after_a_restart_a_rule_that_was_held_still_is_and_what_it_wrote_still_counts(station: Station) -> None:
    limit(station, rule_an_hour=2)
    leads = qualified(station, 3)
    work(station, *leads)
    restart(station)
    work(station, *qualified(station, 1))
    assert len(waiting(station)) == 2
    assert list(station.health.problems()) == [f"held {RULE}"]
    fresh = Guard(100)
    refill(station.desk.store, station.portal, fresh, station.desk.clock.now())
    assert sum(count for _, rule, count in fresh._written if rule == RULE) == 2


def test_a_rule_newly_held_does_not_bring_back_one_that_was_released_meanwhile(station: Station) -> None:
    store, portal, now = station.desk.store, station.portal, station.desk.clock.now()
    hold(store, portal, [HeldRule("a", now, 50, 50)])
    release_held(store, portal, "a", now)
    hold(store, portal, [HeldRule("b", now, 50, 50)])
    assert [h.rule for h in read_held(store, portal)] == ["b"]


@pytest.mark.parametrize(
    ("contacts", "given", "limits"),
    [
        (100, {}, (50, 50)),
        (100_000, {}, (1_000, 5_000)),
        (100_000, {"rule_an_hour": 10}, (10, 5_000)),
        (100_000, {"all_a_day": 7}, (1_000, 7)),
        (100, {"rule_an_hour": 500}, (500, 500)),
    ],
)
def test_limits_follow_from_the_size_of_the_portal_unless_they_are_given(
    contacts: int, given: dict[str, int], limits: tuple[int, int]
) -> None:
    guard = Guard(contacts, given.get("rule_an_hour"), given.get("all_a_day"))
    assert (guard.hourly, guard.daily) == limits
