"""D7: what has just changed is left alone for a while, counted, and judged once the time has passed."""

from __future__ import annotations

from datetime import timedelta

from hubsync.sandbox import acts
from hubsync.sync.scope import Scope
from tests.sync.desk import MQL, SQL, STAGE, STATUS, Desk, acted, ago, states


def test_a_change_of_a_minute_ago_waits_and_is_written_once_it_has_settled(desk: Desk) -> None:
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED", at=ago(minutes=1))
    first = desk.sync(contact)
    assert (acted(first), first.tally.waiting) == ([], 1)
    assert desk.stage(contact) == "lead"
    desk.later(minutes=2)
    second = desk.sync(contact)
    assert states(second) == [("qualified_moves_the_stage", SQL, "applied")]
    assert second.tally.waiting == 0


def test_a_plan_counts_what_is_settling(desk: Desk) -> None:
    for _ in range(3):
        desk.sets(desk.lead("CONNECTED"), STATUS, "QUALIFIED", at=ago(seconds=30))
    outcome = desk.plan()
    assert (outcome.tally.waiting, outcome.tally.changes) == (3, [])


def test_a_bare_run_comes_back_to_what_was_settling_although_nothing_changed_since(desk: Desk) -> None:
    contact = desk.lead("CONNECTED")
    desk.sync(scope=Scope())
    desk.later(days=1)
    desk.sets(contact, STATUS, "QUALIFIED")
    desk.later(minutes=1)
    assert desk.sync(scope=Scope()).tally.waiting == 1
    desk.later(hours=5)
    assert states(desk.sync(scope=Scope())) == [("qualified_moves_the_stage", SQL, "applied")]


def test_combinations_settle_longer_than_what_happened(desk: Desk) -> None:
    contact = desk.lead("IN_PROGRESS", SQL)
    desk.sets(contact, STATUS, "NEW", at=ago(minutes=10))
    waiting = desk.sync(contact)
    assert (desk.status(contact), waiting.tally.waiting) == ("NEW", 1)
    desk.later(minutes=6)
    desk.sync(contact)
    assert desk.status(contact) == "IN_PROGRESS"


def test_settle_seconds_zero_judges_at_once(desk: Desk) -> None:
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED", at=ago(seconds=1))
    desk.rebind(settle=timedelta(0))
    outcome = desk.sync(contact)
    assert (desk.stage(contact), outcome.tally.waiting) == (SQL, 0)


def test_clearing_and_setting_within_the_quiet_time_is_one_change(desk: Desk) -> None:
    """An app that moves a stage back by clearing it first must not look like a lead who came anew."""
    contact = desk.lead("CONNECTED", SQL)
    acts.clear_then_set(desk.portal, contact, STAGE, MQL, at=ago(hours=1))
    desk.sync(contact)
    assert desk.status(contact) == "NURTURE"


def test_what_hubsync_itself_wrote_needs_no_quiet_time(desk: Desk) -> None:
    """A2's New and T1's task in one run: the status that the task hangs on was written a moment ago."""
    contact = desk.lead(at=ago(hours=1))
    outcome = desk.sync(contact)
    assert desk.status(contact) == "NEW"
    assert [t["state"] for t in outcome.tally.tasks] == ["applied"]
    assert outcome.tally.waiting == 0
