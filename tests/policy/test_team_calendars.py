"""Business time is that of the contact owner's team, wherever a rule counts it (playbook L2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time

import pytest

from hubsync.policy.decide import decide
from hubsync.policy.instants import parse_instant
from hubsync.policy.policy import Policy
from hubsync.policy.worktime import Calendar, Calendars
from tests.builders import EVER, a_contact, policy, policy_with

OFFICE = {day: [(time(9), time(17))] for day in range(5)}
WAIT = """
- id: too_long_new
  playbook: L1
  says: A lead is new for three business days.
  when: {lead_status: {is: new}, lead_status_entered: {is_more_than_ago: 3 business days}}
  cause: lead_status_entered
  mode: report
  then: [{finding: Too long.}]
"""


def of_teams(rules: Policy) -> Policy:
    """The rules where New York's owner 11 keeps the portal's hours, 22 those of Paris."""
    return replace(
        rules,
        calendars=Calendars(Calendar("America/New_York", OFFICE), {"Paris": Calendar("Europe/Paris", OFFICE)}),
        owner_teams={"11": ("New York",), "22": ("Sales", "paris")},
    )


def due(owner: str, entered: datetime) -> datetime:
    contact = a_contact([("new", entered)], "lead", owner=owner)
    [task] = decide(of_teams(policy()), contact, entered.replace(hour=23), EVER).tasks
    return task.due


@pytest.mark.parametrize(
    ("owner", "wanted"),
    [("11", "2026-03-09T15:00:00Z"), ("22", "2026-03-09T10:00:00Z"), ("33", "2026-03-09T15:00:00Z")],
)
def test_a_due_date_counts_the_hours_of_the_owners_team_and_else_those_of_the_portal(owner: str, wanted: str) -> None:
    """On Saturday, 7 March; the clocks of New York go forward on the 8th, those of Paris three weeks later."""
    assert due(owner, parse_instant("2026-03-07T18:00:00Z")) == parse_instant(wanted)


def test_a_condition_turns_in_the_hours_of_the_owners_team() -> None:
    """Three business days from Thursday noon UTC, over the weekend on which Europe's clocks go forward (29 March)."""
    entered = parse_instant("2026-03-26T14:00:00Z")
    waits = of_teams(policy_with(WAIT, instead=True))

    def turns(owner: str) -> datetime | None:
        return decide(waits, a_contact([("new", entered)], "lead", owner=owner), entered, EVER).look_again

    assert (turns("11"), turns("22")) == (parse_instant("2026-03-31T14:00:00Z"), parse_instant("2026-03-31T13:00:00Z"))
