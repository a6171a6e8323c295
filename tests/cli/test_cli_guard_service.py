"""`hubsync guard` beside the service: rules over their limits, parked contacts, releasing and retrying them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.service.buckets import EVERYTHING, HeldRule, hold, parked_for, read_held
from hubsync.service.worker import UNREADABLE
from tests.sync.desk import NOW, Desk

Json = Callable[..., tuple[int, Any]]
RULE = "qualified_moves_the_stage"


@pytest.fixture
def held(cli_desk: Desk) -> Desk:
    """A portal whose service holds a rule with two contacts and all rules with one, and has parked two."""
    store, portal = cli_desk.store, cli_desk.portal.portal_id
    store.remember_portal(portal, at=NOW, time_zone="US/Eastern")
    hold(store, portal, [HeldRule(RULE, NOW, 50, 50), HeldRule(EVERYTHING, NOW, 500, 500)])
    store.parking.park(portal, [], ["101", "102"], parked_for(RULE))
    store.parking.park(portal, [], ["103"], parked_for(EVERYTHING))
    store.parking.park(portal, [], ["104", "deals:77"], f"{UNREADABLE}ValueError: 13 is no month")
    return cli_desk


def due(desk: Desk) -> list[str]:
    """What the service would look at next; the command line goes by the real clock."""
    later = NOW + timedelta(days=36_500)
    return [item.contact for item in desk.store.take_work(desk.portal.portal_id, later, 10)]


def test_what_the_service_holds_is_listed(held: Desk, hubsync_json: Json) -> None:
    code, told = hubsync_json("guard")
    since = "2026-03-02T15:00:00.000Z"
    assert code == 0
    assert told["rules"] == [
        {"rule": RULE, "since": since, "writes": 50, "limit": 50, "per": "hour", "contacts": 2},
        {"rule": "all", "since": since, "writes": 500, "limit": 500, "per": "day", "contacts": 1},
    ]
    assert told["parked"] == [
        {"contact": "104", "reason": "ValueError: 13 is no month", "attempts": 0},
        {"contact": "deals:77", "reason": "ValueError: 13 is no month", "attempts": 0},
    ]
    assert told["parked_in_all"] == 2


def test_people_read_how_to_let_it_go_on(held: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["guard"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Rules held by the service: 2" in shown
    assert "Contacts that can't be looked at: 2" in shown
    assert "13 is no month" in shown


def test_a_released_rule_has_its_own_contacts_looked_at_and_no_others(
    held: Desk, hubsync_json: Json, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["guard", "release", RULE]) == 0
    assert "2 contacts" in capsys.readouterr().err
    assert due(held) == ["101", "102"]
    assert [rule["rule"] for rule in hubsync_json("guard")[1]["rules"]] == ["all"]


def test_all_is_the_limit_of_a_day_for_all_rules_together(held: Desk) -> None:
    assert run(["guard", "release", "all"]) == 0
    assert due(held) == ["103"]
    assert [h.rule for h in read_held(held.store, held.portal.portal_id)] == [RULE]


def test_a_rule_whose_name_begins_like_another_is_not_released_with_it(cli_desk: Desk) -> None:
    store, portal = cli_desk.store, cli_desk.portal.portal_id
    store.remember_portal(portal, at=NOW, time_zone="US/Eastern")
    hold(store, portal, [HeldRule(name, NOW, 50, 50) for name in ("a_b", "a_b_c", "axb")])
    for contact, name in (("1", "a_b"), ("2", "a_b_c"), ("3", "axb")):
        store.parking.park(portal, [], [contact], parked_for(name))
    assert run(["guard", "release", "a_b"]) == 0
    assert due(cli_desk) == ["1"]


@pytest.mark.parametrize(
    ("arguments", "looked_at"),
    [
        (("retry",), ["104", "deals:77"]),
        (("release", "parked"), ["104", "deals:77"]),
        (("retry", "deals:77"), ["deals:77"]),
    ],
)
def test_parked_contacts_are_tried_again(held: Desk, arguments: tuple[str, ...], looked_at: list[str]) -> None:
    assert run(["guard", *arguments]) == 0
    assert sorted(due(held)) == looked_at


def test_a_local_clock_that_is_ahead_of_the_portals_makes_nobody_wait(held: Desk) -> None:
    held.store.set_cursor(held.portal.portal_id, "serve.polled.contacts", NOW.isoformat())
    assert run(["guard", "release", RULE]) == 0
    assert run(["guard", "retry", "104"]) == 0
    assert [item.contact for item in held.store.take_work(held.portal.portal_id, NOW, 10)] == ["101", "102", "104"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("retry", "101"), '"101" is not parked'),
        (("release", "qualified_moves_the_stag"), f'did you mean "{RULE}"?'),
        (("release",), "hubsync guard retry [CONTACT]"),
    ],
)
def test_what_is_not_held_is_said(
    held: Desk, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["guard", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert due(held) == []


def test_with_nothing_parked_a_retry_says_so(cli_desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    cli_desk.store.remember_portal(cli_desk.portal.portal_id, at=NOW, time_zone="US/Eastern")
    assert run(["guard", "retry"]) == 0
    assert "No contact is parked." in capsys.readouterr().err
