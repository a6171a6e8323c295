"""One sync settles everything and a second plans nothing: in portals full of stories, in every cell of the matrix."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from hubsync.sandbox import acts
from hubsync.sandbox.population import populate
from tests.sync.desk import STAGE, STATUS, Desk, acted, ago


def assert_settles(desk: Desk) -> None:
    first = desk.sync()
    assert {*acted(first)} <= {"applied"}
    assert first.tally.conflicts == []
    assert {*Counter((w.id, w.property) for w in desk.written()).values()} <= {1}
    journal = len(desk.written())
    again = desk.plan()
    assert acted(again) == []
    assert acted(desk.sync()) == []
    assert len(desk.written()) == journal
    ours = [r for r in desk.portal.tables["tasks"].records.values() if r.source == desk.portal.app_source]
    assert {*Counter(next(iter(task.linked("contacts"))) for task in ours).values()} <= {1}


@pytest.mark.parametrize(("contacts", "seed"), [(500, 1), (200, 2)])
def test_leads_with_ninety_days_of_history_settle_at_once(desk: Desk, contacts: int, seed: int) -> None:
    population = populate(desk.portal, contacts=contacts, days=90, seed=seed)
    assert len(population.contacts) == contacts
    assert_settles(desk)
    assert len(desk.written(STATUS)) > contacts // 20


@pytest.mark.parametrize("deal", [None, "open", "lost", "won"])
def test_every_combination_of_stage_and_status_settles_at_once(desk: Desk, deal: str | None) -> None:
    properties = desk.portal.schemas.properties["contacts"]
    stages = ["", *(o.value for o in properties[STAGE].options)]
    statuses = ["", *(o.value for o in properties[STATUS].options)]
    desk.portal.switches.deal_created_sets_opportunity = False
    desk.portal.switches.deal_won_sets_customer = False
    for stage, status in itertools.product(stages, statuses):
        contact = desk.lead(status, stage, at=ago(days=20))
        if deal is not None:
            made = acts.create_deal(desk.portal, contact, owner=desk.rep, at=ago(days=10))
            if deal == "lost":
                acts.lose_deal(desk.portal, made, "budget", at=ago(days=5))
            elif deal == "won":
                acts.win_deal(desk.portal, made, at=ago(days=5))
    assert len(desk.portal.contacts()) == len(stages) * len(statuses) >= 100
    assert_settles(desk)


def test_what_people_do_between_the_runs_of_a_fortnight_settles_every_time(desk: Desk) -> None:
    population = populate(desk.portal, contacts=120, days=80, seed=3)
    desk.sync()
    leads = population.contacts
    for day in range(5):
        desk.later(days=1)
        for place, contact in enumerate(leads[day::9]):
            match (day + place) % 4:
                case 0:
                    acts.rep_sends_email(desk.portal, contact, desk.rep)
                case 1:
                    acts.person_sets(desk.portal, contact, STATUS, "QUALIFIED", desk.rep)
                case 2:
                    acts.create_deal(desk.portal, contact, owner=desk.rep)
                case _:
                    acts.workflow_sets(desk.portal, contact, STATUS, "")
        desk.later(hours=1)
        assert {*acted(desk.sync())} <= {"applied", "withdrawn"}
        assert acted(desk.sync()) == []


def test_the_portals_of_these_tests_have_every_status_of_the_policy(desk: Desk) -> None:
    """Guards the tests above against a portal where most rules are off."""
    assert [gap for gap in desk.bound().policy.gaps if gap.off and gap.playbook != "C6"] == []
