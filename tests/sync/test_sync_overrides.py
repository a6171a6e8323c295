"""A18: what a person changes back is not written again for that cause, and a newer cause still fires."""

from __future__ import annotations

from hubsync.sandbox import acts
from hubsync.store.values import FREE_STATES
from tests.sync.desk import MQL, SQL, STAGE, STATUS, Desk, acted, ago, states


def attempting(desk: Desk) -> str:
    """A lead that hubsync made attempting because a rep wrote an hour ago."""
    contact = desk.lead("NEW", at=ago(days=2))
    desk.sync(contact)
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(hours=1))
    desk.sync(contact)
    assert desk.status(contact) == "ATTEMPTED_TO_CONTACT"
    return contact


def test_what_a_person_changes_back_stays_for_as_long_as_the_cause_is_the_same(desk: Desk) -> None:
    contact = attempting(desk)
    desk.later(hours=2)
    desk.sets(contact, STATUS, "NEW")
    for _ in range(3):
        desk.later(days=1)
        assert [c for c in desk.sync(contact).tally.changes if c["property"] == STATUS] == []
    assert desk.status(contact) == "NEW"
    assert [w.after for w in desk.written(STATUS)] == ["ATTEMPTED_TO_CONTACT"]


def test_a_newer_cause_fires_after_an_override(desk: Desk) -> None:
    contact = attempting(desk)
    desk.later(hours=2)
    desk.sets(contact, STATUS, "NEW")
    desk.later(days=7)
    acts.rep_sends_email(desk.portal, contact, desk.rep)
    desk.later(minutes=5)
    assert states(desk.sync(contact)) == [("attempting_on_first_rep_outreach", "ATTEMPTED_TO_CONTACT", "applied")]
    assert len({r.cause_key for r in desk.ledger(contact) if r.rule == "attempting_on_first_rep_outreach"}) == 2


def test_a_value_that_a_workflow_changed_back_is_no_override_but_the_cause_is_spent_all_the_same(desk: Desk) -> None:
    contact = desk.lead("CONNECTED", SQL)
    desk.sets(contact, STAGE, MQL, at=ago(hours=1))
    desk.sync(contact)
    assert desk.status(contact) == "NURTURE"
    desk.later(hours=1)
    acts.workflow_sets(desk.portal, contact, STATUS, "CONNECTED")
    desk.later(hours=1)
    assert acted(desk.sync(contact)) == []
    assert desk.status(contact) == "CONNECTED"


def test_an_override_newer_than_the_cause_holds_without_any_ledger(desk: Desk) -> None:
    """After a lost database, history alone says that a person chose later than the cause (design 1)."""
    contact = desk.lead("NEW", at=ago(days=2))
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(hours=3))
    desk.sets(contact, STATUS, "CONNECTED", at=ago(hours=2))
    desk.sets(contact, STATUS, "", at=ago(hours=1))
    outcome = desk.sync(contact)
    assert acted(outcome) == []
    assert desk.status(contact) is None


def test_the_ledger_key_stays_held_after_an_override(desk: Desk) -> None:
    contact = attempting(desk)
    desk.later(hours=2)
    desk.sets(contact, STATUS, "NEW")
    desk.later(hours=2)
    desk.sync(contact)
    [row] = [r for r in desk.ledger(contact) if r.target == STATUS and r.rule == "attempting_on_first_rep_outreach"]
    assert row.state not in FREE_STATES


def test_causes_that_lost_to_a_later_one_are_spent(desk: Desk) -> None:
    contact = desk.lead("NEW", at=ago(days=5))
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(days=4))
    acts.create_deal(desk.portal, contact, owner=desk.rep, at=ago(days=2))
    outcome = desk.sync(contact)
    assert ("attempting_on_first_rep_outreach", "ATTEMPTED_TO_CONTACT", "superseded") in states(outcome)
    assert ("converted_on_open_deal", "OPEN_DEAL", "applied") in states(outcome)
    [spent] = [r for r in desk.ledger(contact) if r.rule == "attempting_on_first_rep_outreach"]
    assert (spent.state, spent.target, spent.sent_at) == ("superseded", STATUS, None)
    assert [w.after for w in desk.written(STATUS)] == ["OPEN_DEAL"]


def test_a_cause_that_an_earlier_one_would_have_forestalled_is_spent_too(desk: Desk) -> None:
    """Looked at in time, the mail would have made it Attempting, and becoming an SQL does not touch Attempting."""
    contact = desk.lead("NEW", at=ago(days=5))
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(days=4))
    acts.workflow_sets(desk.portal, contact, STAGE, SQL, at=ago(days=3))
    assert states(desk.sync(contact)) == [
        ("attempting_on_first_rep_outreach", "ATTEMPTED_TO_CONTACT", "applied"),
        ("working_on_becoming_sql", "IN_PROGRESS", "superseded"),
    ]
    assert acted(desk.sync(contact)) == []


def test_a_hard_cell_corrects_a_persons_later_choice_once_in_seven_days(desk: Desk) -> None:
    contact = desk.lead("IN_PROGRESS", SQL)
    desk.sets(contact, STATUS, "NEW", at=ago(hours=1))
    desk.sync(contact)
    assert desk.status(contact) == "IN_PROGRESS"
    desk.later(days=1)
    desk.sets(contact, STATUS, "NEW")
    desk.later(hours=1)
    desk.sync(contact)
    assert desk.status(contact) == "NEW"
    assert [w.after for w in desk.written(STATUS)] == ["IN_PROGRESS"]
