"""Explaining a contact: it says what a decision did, rule by rule, and why the others did not."""

from __future__ import annotations

import pytest

from hubsync.errors import ContactGone
from hubsync.policy.why import why
from hubsync.sandbox import acts
from hubsync.sync.bulk import write_bulk
from hubsync.sync.explain import Explained, explain, story
from hubsync.sync.scope import horizon_for
from hubsync.sync.undo import write_undo
from tests.sync.bulk_desk import asked, write
from tests.sync.desk import GENEROUS, MQL, SQL, STAGE, STATUS, Desk, ago
from tests.sync.meanwhile import around_the_write

A3 = "attempting_on_first_rep_outreach"


def hindrance(told: Explained, rule: str) -> str:
    return next(r.hindered for r in told.rules if r.rule == rule)


@pytest.fixture
def mailed(desk: Desk) -> str:
    """A New lead whom a rep mailed yesterday."""
    contact = desk.lead("NEW")
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(days=1))
    return contact


def test_every_rule_is_told_as_why_tells_it(desk: Desk, mailed: str) -> None:
    session = desk.session()
    told = explain(session, mailed)
    horizon = horizon_for(desk.store, session.portal, desk.effective_since, told.at)
    whys = why(session.portal.policy, told.contact, told.at, horizon)
    assert [(r.rule, r.holds, r.groups, r.cause) for r in told.rules] == [
        (r.rule, r.holds, r.groups, r.cause) for r in whys
    ]
    assert len(told.held) + len(told.hindered) + len(told.not_held) == len(session.portal.policy.rules)


def test_what_it_says_would_be_done_is_what_the_plan_says(desk: Desk, mailed: str) -> None:
    told = explain(desk.session(), mailed)
    planned = [(c["rule"], c["property"], c["to"]) for c in desk.plan().tally.changes if c["state"] == "planned"]
    assert [(c.rule, c.property, c.new) for c in told.decision.changes] == planned
    assert A3 in {r.rule for r in told.held}
    assert hindrance(told, A3) == ""


def test_a_cause_that_has_fired_hinders_its_rule(desk: Desk, mailed: str) -> None:
    desk.sync()
    desk.later(hours=1)
    desk.sets(mailed, STATUS, "")
    desk.later(days=1)
    told = explain(desk.session(), mailed)
    assert hindrance(told, A3) == "this cause has already fired"
    assert told.decision.changes == ()


def test_a_persons_later_choice_hinders_a_rule(desk: Desk) -> None:
    contact = desk.lead("CONNECTED")
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(days=3))
    desk.sets(contact, STATUS, "NEW", at=ago(days=2))
    desk.sets(contact, STATUS, "", at=ago(days=1))
    told = explain(desk.session(), contact)
    rules = {r.rule: r.hindered for r in told.hindered}
    assert "a person chose it" in rules["new_on_entering_lead"].lower()


def test_an_undo_hinders_the_rule_it_undid(desk: Desk, mailed: str) -> None:
    run = desk.sync().run
    desk.later(hours=1)
    write_undo(desk.session(), desk.store, run or 0, GENEROUS)
    desk.later(days=1)
    told = explain(desk.session(), mailed)
    assert hindrance(told, A3) == "this cause has already fired"
    assert [(w.kind, w.state) for w in told.done if w.target == STATUS] == [("set", "undone"), ("undo", "applied")]


def test_backlog_is_named_as_such(desk: Desk, mailed: str) -> None:
    desk.effective_since = ago(hours=1)
    assert "backlog" in hindrance(explain(desk.session(), mailed), A3)


def test_since_when_and_by_whom(desk: Desk) -> None:
    contact = desk.lead("NEW")
    acts.workflow_sets(desk.portal, contact, STATUS, "CONNECTED", at=ago(days=2))
    told = explain(desk.session(), contact)
    assert (told.status.key, told.status.since, told.status.by) == (
        "connected",
        ago(days=2),
        "an automation (Workflow)",
    )
    assert (told.stage.key, told.stage.since, told.stage.by) == ("lead", ago(days=10), "Rita Rep")
    assert told.cycle_since == ago(days=10)


def test_deals_and_outreach_are_facts(desk: Desk, mailed: str) -> None:
    deal = acts.create_deal(desk.portal, mailed, owner=desk.rep, at=ago(hours=20))
    assert deal
    facts = dict(explain(desk.session(), mailed).facts)
    assert (facts["open_deals"], facts["deal_opened"]) == (1, ago(hours=20))
    assert facts["first_rep_outreach"] == ago(days=1)


def test_an_open_task_that_is_no_longer_needed_would_be_taken_back(desk: Desk) -> None:
    contact = desk.lead("", MQL)
    desk.sync()
    desk.later(hours=1)
    desk.sets(contact, STATUS, "CONNECTED")
    desk.later(hours=1)
    [gone] = explain(desk.session(), contact).decision.withdrawn
    assert gone.task.task_id == desk.tasks(contact)[0].id
    [row] = [w for w in desk.ledger(contact) if w.kind == "task"]
    assert row.closed_at is None


def test_an_unknown_contact_is_gone(desk: Desk) -> None:
    with pytest.raises(ContactGone, match="has no contact 99"):
        explain(desk.session(), "99")


def test_the_story_of_a_change_that_was_made(desk: Desk) -> None:
    contact = desk.lead("NEW", "lead")
    desk.sets(contact, STAGE, SQL, at=ago(days=3))
    run = desk.sync().run
    assert story(desk.session(), contact).splitlines() == [
        f"Contact {contact}: Lead status New → In Progress (A10).",
        "  The contact became an SQL by other means than Qualified, so it is being worked.",
        "  Cause: the present Lifecycle stage was entered, on 27 February 2026 10:00.",
        "  Before: New, set by Rita Rep.",
        f"  Written by run {run} on 2 March 2026 10:00. hubsync undo {run} takes the run back.",
        "  Whoever chooses another value from now on is left alone: this cause has fired.",
    ]


def test_the_story_of_a_hard_correction_promises_nobody_to_be_left_alone(desk: Desk) -> None:
    contact = desk.lead("IN_PROGRESS", SQL, at=ago(days=20))
    desk.sets(contact, STATUS, "NEW", at=ago(days=2))
    desk.sync()
    lines = story(desk.session(), contact).splitlines()
    assert lines[0] == f"Contact {contact}: Lead status New → In Progress (C1)."
    assert lines[-1] == "  A hard correction: it is made again, once in 7 days, whoever changes it back."


def test_the_story_of_a_change_to_come(desk: Desk, mailed: str) -> None:
    lines = story(desk.session(), mailed).splitlines()
    assert lines[0] == f"Contact {mailed}: Lead status New → Attempted to Contact (A3)."
    assert lines[-1] == "  Nothing is written yet: hubsync sync --write does it."
    assert 3 <= len(lines) <= 6


def test_the_story_of_a_contact_that_is_fine(desk: Desk) -> None:
    contact = desk.lead("CONNECTED")
    assert story(desk.session(), contact).splitlines() == [
        f"Contact {contact}: nothing to change.",
        "  Lead status Connected, Lifecycle stage Lead: no rule asks for anything else.",
    ]


def test_what_set_status_wrote_is_told_as_such_with_its_run_and_reason(desk: Desk) -> None:
    contact = desk.lead("NEW")
    run = write(desk, asked(desk, "nurture", "lead_status is new", reason="quarter end")).run
    said = story(desk.session(), contact)
    assert "Set-status, run 1: quarter end." in said
    assert "Before: New, set by Rita Rep." in said
    assert "It counts as a person's choice" in said
    assert "off or gone" not in said
    told = explain(desk.session(), contact)
    assert (run, told.status.by) == (1, "set-status, run 1: quarter end")


def test_what_was_there_before_a_rule_is_told_to_be_set_status_too(desk: Desk) -> None:
    contact = desk.lead("QUALIFIED")
    write(desk, asked(desk, "new", "lead_status is qualified"))
    desk.later(hours=1)
    acts.rep_sends_email(desk.portal, contact, desk.rep)
    desk.later(minutes=10)
    desk.sync()
    assert "Before: New, set by set-status, run 1." in story(desk.session(), contact)


def test_what_was_put_back_for_a_person_is_told_to_be_theirs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    contact = desk.lead("NEW")
    session = desk.session()
    around_the_write(desk, session, monkeypatch, before=lambda: desk.sets(contact, STATUS, "CONNECTED"))
    write_bulk(session, desk.store, asked(desk, "nurture", "lead_status is new"), GENEROUS)
    assert explain(desk.session(), contact).status.by == "Rita Rep"
