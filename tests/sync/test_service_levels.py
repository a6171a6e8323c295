"""Service levels and reminders, from the rule to the ledger, against the sandbox portal (playbook L1, L3, T16)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hubsync.policy.levels import BREACHED, MET, RUNNING
from hubsync.sandbox import acts
from hubsync.sync.explain import document, explain
from hubsync.sync.plan import instant
from tests.sync.desk import NOW, Desk, all_rules

FIRST_CONTACT = {"first_contact_warning", "first_contact_breach"}


@pytest.fixture
def late(desk: Desk) -> str:
    """A lead that is New since ten o'clock on Monday, and now it is five past."""
    desk.rebind(loaded=all_rules())
    lead = desk.lead("NEW", at=NOW)
    desk.later(minutes=5)
    return lead


def told(desk: Desk, *rules: str) -> list[tuple[str, str | None, str]]:
    """What a run tells of these rules: to whom, that owner's id, and the rule."""
    return [(row["to"], row["recipient"], row["rule"]) for row in desk.sync().tally.told if row["rule"] in rules]


def states(desk: Desk, lead: str) -> dict[str, str]:
    return {clock.level.id: clock.state for clock in explain(desk.session(), lead).clocks}


def test_a_new_lead_that_nobody_contacts_warns_its_owner_and_is_breached_once_each(desk: Desk, late: str) -> None:
    assert told(desk, *FIRST_CONTACT) == []
    assert states(desk, late)["first_contact"] == RUNNING
    desk.later(minutes=91)
    assert told(desk, *FIRST_CONTACT) == [("owner", desk.rep, "first_contact_warning")]
    assert told(desk, *FIRST_CONTACT) == []
    desk.later(minutes=24)
    assert told(desk, *FIRST_CONTACT) == [("manager", None, "first_contact_breach")]
    desk.later(hours=3)
    assert told(desk, *FIRST_CONTACT) == []
    assert states(desk, late)["first_contact"] == BREACHED
    clock = document(desk.bound(), explain(desk.session(), late))["clocks"][0]
    due = instant(NOW + timedelta(hours=2))
    assert (clock["level"], clock["due"], clock["breached"]) == ("first_contact", due, due)


def test_a_reps_e_mail_meets_it(desk: Desk, late: str) -> None:
    desk.sync()
    desk.later(hours=1)
    acts.rep_sends_email(desk.portal, late, desk.rep)
    desk.later(hours=3)
    assert told(desk, *FIRST_CONTACT) == []
    assert desk.status(late) == "ATTEMPTED_TO_CONTACT"
    assert states(desk, late)["first_contact"] == MET


def test_who_completes_a_task_and_leaves_the_status_is_reminded_once(desk: Desk, late: str) -> None:
    desk.sync()
    [task] = desk.tasks(late)
    acts.complete_task(desk.portal, task.id, desk.rep)
    reminder = "task_seen_and_nothing_changed"
    assert told(desk, reminder) == []
    desk.later(minutes=59)
    assert told(desk, reminder) == []
    desk.later(minutes=1)
    assert told(desk, reminder) == [("owner", desk.rep, reminder)]
    desk.later(days=1)
    assert told(desk, reminder) == []


def test_who_sets_the_status_and_then_completes_the_task_is_not_reminded(desk: Desk, late: str) -> None:
    desk.sync()
    [task] = desk.tasks(late)
    desk.later(minutes=30)
    desk.sets(late, "hs_lead_status", "CONNECTED")
    acts.complete_task(desk.portal, task.id, desk.rep)
    desk.later(hours=3)
    assert told(desk, "task_seen_and_nothing_changed") == []
