"""Each rule from an act in the portal to a write in the portal: what it writes, what it records, and that it rests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from hubsync.sandbox import acts
from hubsync.sync.reconcile import Outcome
from tests.sync.desk import MQL, NOW, SQL, STAGE, STATUS, Desk, acted, ago, states

HOUR_AGO = ago(hours=1)


def settled(desk: Desk, contact: str) -> Outcome:
    """One sync of the contact; a second one, over all contacts, has nothing left to do."""
    outcome = desk.sync(contact)
    assert acted(desk.sync()) == []
    return outcome


def assert_written(desk: Desk, contact: str, prop: str, value: str, rule: str) -> None:
    """The portal shows it, history says it was us, the ledger knows which rule did it."""
    assert desk.value(contact, prop) == value
    newest = desk.newest(contact, prop)
    assert (newest.value, newest.source.type, newest.source.id) == (value, "INTEGRATION", desk.portal.app_id)
    [row] = [r for r in desk.ledger(contact) if r.target == prop and r.state == "applied" and r.after == value]
    assert (row.rule, row.kind) == (rule, "set")
    assert [w.after for w in desk.written(prop) if w.id == contact].count(value) == 1


def assert_last_action(desk: Desk, contact: str, playbook: str, label: str) -> None:
    text = desk.value(contact, "hubsync_last_action") or ""
    assert text.startswith(f"{label}: ")
    assert text.endswith(f", {playbook})")


def test_a1_a_lead_from_a_form_becomes_new(desk: Desk) -> None:
    contact = acts.create_contact(
        desk.portal, {STAGE: "lead", "hubspot_owner_id": desk.rep}, source="form", at=HOUR_AGO
    )
    assert states(settled(desk, contact)) == [("new_on_entering_lead", "NEW", "applied")]
    assert_written(desk, contact, STATUS, "NEW", "new_on_entering_lead")
    assert_last_action(desk, contact, "A1", "New")


def test_a1_a_lead_made_by_a_rep_becomes_new_and_an_imported_one_stays(desk: Desk) -> None:
    by_rep = desk.lead(at=HOUR_AGO)
    imported = acts.create_contact(
        desk.portal, {STAGE: "lead", "hubspot_owner_id": desk.rep}, source="import", at=HOUR_AGO
    )
    desk.sync()
    assert desk.status(by_rep) == "NEW"
    assert desk.status(imported) is None


def test_a2_becoming_an_mql_without_a_status_makes_it_new(desk: Desk) -> None:
    contact = acts.create_contact(
        desk.portal, {STAGE: "subscriber", "hubspot_owner_id": desk.rep}, source="import", at=ago(days=20)
    )
    acts.workflow_sets(desk.portal, contact, STAGE, MQL, at=HOUR_AGO)
    outcome = settled(desk, contact)
    assert ("new_on_becoming_mql", "NEW", "applied") in states(outcome)
    assert_written(desk, contact, STATUS, "NEW", "new_on_becoming_mql")
    [row] = [r for r in desk.ledger(contact) if r.target == STATUS and r.state == "applied"]
    assert (row.cause_kind, row.cause_at, row.effective_at) == ("lifecycle_stage_entered", HOUR_AGO, HOUR_AGO)


def test_a3_a_reps_first_mail_makes_a_new_lead_attempting_and_takes_the_task_back(desk: Desk) -> None:
    contact = desk.lead("NEW", at=HOUR_AGO)
    desk.sync(contact)
    assert len(desk.tasks(contact)) == 1
    mail = acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(minutes=10))
    outcome = settled(desk, contact)
    [change] = outcome.tally.changes
    assert (change["rule"], change["from"], change["to"], change["state"]) == (
        "attempting_on_first_rep_outreach",
        "NEW",
        "ATTEMPTED_TO_CONTACT",
        "applied",
    )
    assert change["cause"] == {"kind": "first_rep_outreach", "at": "2026-03-02T14:50:00.000Z", "id": mail}
    assert_written(desk, contact, STATUS, "ATTEMPTED_TO_CONTACT", "attempting_on_first_rep_outreach")
    assert desk.tasks(contact) == []
    assert outcome.tally.withdrawn == 1


@pytest.mark.parametrize(
    "reach_out",
    [
        lambda d, c: acts.rep_calls(d.portal, c, d.rep, at=HOUR_AGO),
        lambda d, c: acts.rep_messages(d.portal, c, d.rep, "WHATS_APP", at=HOUR_AGO),
        lambda d, c: acts.rep_sends_email(d.portal, c, d.rep, by_sequence=True, at=HOUR_AGO),
    ],
    ids=["a call", "a WhatsApp message", "a mail of a sequence"],
)
def test_a3_calls_messages_and_sequences_are_outreach_too(desk: Desk, reach_out: Callable[[Desk, str], str]) -> None:
    contact = desk.lead("NEW")
    reach_out(desk, contact)
    settled(desk, contact)
    assert desk.status(contact) == "ATTEMPTED_TO_CONTACT"


def test_a3_an_incoming_mail_is_no_outreach(desk: Desk) -> None:
    contact = desk.lead("NEW")
    acts.lead_replies(desk.portal, contact, at=HOUR_AGO)
    desk.sync(contact)
    assert desk.status(contact) == "NEW"


def test_a7_an_open_deal_converts_the_lead_and_makes_it_an_opportunity(desk: Desk) -> None:
    desk.portal.switches.deal_created_sets_opportunity = False
    contact = desk.lead("CONNECTED")
    deal = acts.create_deal(desk.portal, contact, owner=desk.rep, at=HOUR_AGO)
    assert states(settled(desk, contact)) == [
        ("converted_on_open_deal", "OPEN_DEAL", "applied"),
        ("converted_on_open_deal", "opportunity", "applied"),
    ]
    assert_written(desk, contact, STATUS, "OPEN_DEAL", "converted_on_open_deal")
    assert_written(desk, contact, STAGE, "opportunity", "converted_on_open_deal")
    assert {r.cause_id for r in desk.ledger(contact)} == {deal}
    assert_last_action(desk, contact, "A7", "Open Deal")
    # Both properties and the line for the record travel in one update.
    assert len([w for w in desk.written("hubsync_last_action") if w.id == contact]) == 1


def test_a7_where_hubspot_has_moved_the_stage_itself_only_the_status_is_written(desk: Desk) -> None:
    contact = desk.lead("CONNECTED")
    acts.create_deal(desk.portal, contact, owner=desk.rep, at=HOUR_AGO)
    assert desk.stage(contact) == "opportunity"
    settled(desk, contact)
    assert desk.status(contact) == "OPEN_DEAL"
    assert [w.property for w in desk.written() if w.property == STAGE] == []


def test_a7_a_contact_without_a_status_is_not_spoken_for_by_a_deal(desk: Desk) -> None:
    contact = acts.create_contact(
        desk.portal, {STAGE: "opportunity", "hubspot_owner_id": desk.rep}, source="import", at=ago(days=9)
    )
    acts.create_deal(desk.portal, contact, owner=desk.rep, at=HOUR_AGO)
    settled(desk, contact)
    assert desk.status(contact) is None


def test_a9_qualified_moves_the_stage_to_sql(desk: Desk) -> None:
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED", at=HOUR_AGO)
    assert states(settled(desk, contact)) == [("qualified_moves_the_stage", SQL, "applied")]
    assert_written(desk, contact, STAGE, SQL, "qualified_moves_the_stage")
    assert desk.status(contact) == "QUALIFIED"


def test_a10_becoming_an_sql_makes_a_new_lead_working(desk: Desk) -> None:
    contact = desk.lead("NEW")
    acts.workflow_sets(desk.portal, contact, STAGE, SQL, at=HOUR_AGO)
    settled(desk, contact)
    assert_written(desk, contact, STATUS, "IN_PROGRESS", "working_on_becoming_sql")


def test_a11_moving_back_to_mql_makes_it_nurture_and_not_new(desk: Desk) -> None:
    contact = desk.lead("CONNECTED", SQL)
    desk.sets(contact, STAGE, MQL, at=HOUR_AGO)
    settled(desk, contact)
    assert_written(desk, contact, STATUS, "NURTURE", "nurture_on_moving_back_to_mql")
    assert desk.stage(contact) == MQL


def converted(desk: Desk) -> tuple[str, str]:
    """A contact with a deal that was opened three days ago, and the deal."""
    contact = desk.lead("CONNECTED")
    deal = acts.create_deal(desk.portal, contact, owner=desk.rep, at=ago(days=3))
    desk.sync(contact)
    assert (desk.status(contact), desk.stage(contact)) == ("OPEN_DEAL", "opportunity")
    return contact, deal


def test_a12_a_deal_lost_over_the_budget_is_bad_timing_with_a_review_date(desk: Desk) -> None:
    contact, deal = converted(desk)
    acts.lose_deal(desk.portal, deal, "No budget this year", at=HOUR_AGO)
    outcome = settled(desk, contact)
    assert_written(desk, contact, STATUS, "BAD_TIMING", "all_deals_lost")
    assert_written(desk, contact, "hubsync_review_date", "2026-06-02", "all_deals_lost")
    assert {c["state"] for c in outcome.tally.changes} == {"applied"}


def test_a12_a_deal_lost_to_a_competitor_disqualifies_with_the_reason(desk: Desk) -> None:
    contact, deal = converted(desk)
    acts.lose_deal(desk.portal, deal, "Went with a competitor", at=HOUR_AGO)
    settled(desk, contact)
    assert_written(desk, contact, STATUS, "DISQUALIFIED", "all_deals_lost_for_good")
    assert_written(desk, contact, "hubsync_reason", "competitor", "all_deals_lost_for_good")


def test_a12_while_another_deal_is_open_nothing_is_lost(desk: Desk) -> None:
    contact, deal = converted(desk)
    acts.create_deal(desk.portal, contact, owner=desk.rep, at=ago(days=2))
    acts.lose_deal(desk.portal, deal, "budget", at=HOUR_AGO)
    settled(desk, contact)
    assert desk.status(contact) == "OPEN_DEAL"


def test_a13_a_won_deal_makes_a_customer_of_both_fields(desk: Desk) -> None:
    desk.portal.switches.deal_won_sets_customer = False
    contact, deal = converted(desk)
    acts.win_deal(desk.portal, deal, at=HOUR_AGO)
    settled(desk, contact)
    assert_written(desk, contact, STAGE, "customer", "customer_on_deal_won")
    assert_written(desk, contact, STATUS, "CUSTOMER", "customer_on_deal_won")


def test_a13_where_hubspot_has_moved_the_stage_itself_the_status_follows(desk: Desk) -> None:
    contact, deal = converted(desk)
    acts.win_deal(desk.portal, deal, at=HOUR_AGO)
    assert desk.stage(contact) == "customer"
    settled(desk, contact)
    assert_written(desk, contact, STATUS, "CUSTOMER", "customer_on_deal_won")


def test_a17_converted_is_locked_while_a_deal_is_open_and_put_back_once_per_deal(desk: Desk) -> None:
    contact, _ = converted(desk)
    desk.later(days=1)
    desk.sets(contact, STATUS, "IN_PROGRESS")
    desk.later(minutes=20)
    settled(desk, contact)
    assert desk.status(contact) == "OPEN_DEAL"
    [lock] = [r for r in desk.ledger(contact) if r.rule == "converted_is_locked"]
    assert (lock.before, lock.after, lock.state) == ("IN_PROGRESS", "OPEN_DEAL", "applied")
    desk.later(days=1)
    desk.sets(contact, STATUS, "IN_PROGRESS")
    desk.later(minutes=20)
    assert [r["rule"] for r in desk.sync(contact).tally.changes if r["rule"] == "converted_is_locked"] == []


def test_a17_set_aside_while_a_deal_is_open_is_asked_about_and_not_written(desk: Desk) -> None:
    contact, _ = converted(desk)
    desk.later(days=1)
    desk.sets(contact, STATUS, "NURTURE")
    desk.later(minutes=20)
    before = len(desk.written(STATUS))
    outcome = desk.sync(contact)
    [proposal] = outcome.tally.changes
    assert (proposal["rule"], proposal["playbook"], proposal["from"], proposal["to"], proposal["state"]) == (
        "converted_set_aside",
        "A17",
        "NURTURE",
        "OPEN_DEAL",
        "proposed",
    )
    assert desk.status(contact) == "NURTURE"
    assert len(desk.written(STATUS)) == before
    assert "(converted_set_aside, A17)" in (desk.value(contact, "hubsync_proposal") or "")


def test_t1_a_new_lead_gets_one_task_due_in_two_business_hours(desk: Desk) -> None:
    contact = desk.lead("NEW", at=datetime(2026, 2, 27, 21, 30, tzinfo=UTC))  # Friday, 16:30 in the portal's zone
    outcome = settled(desk, contact)
    [task] = desk.tasks(contact)
    assert task.values["hs_task_subject"] == "New lead: make the first contact"
    assert task.values["hs_timestamp"] == "2026-03-02T15:00:00.000Z"  # Monday, an hour after opening
    assert task.values["hubspot_owner_id"] == desk.rep
    assert task.values["hs_task_status"] == "NOT_STARTED"
    [row] = [r for r in desk.ledger(contact) if r.kind == "task"]
    assert (row.rule, row.target, row.state, row.object_id) == (
        "first_contact_task",
        "first_contact",
        "applied",
        task.id,
    )
    assert row.ref in task.values["hs_task_body"]
    assert outcome.tally.tasks == [
        {
            "contact": contact,
            "rule": "first_contact_task",
            "subject": "New lead: make the first contact",
            "owner": desk.rep,
            "due": "2026-03-02T15:00:00.000Z",
            "state": "applied",
        }
    ]


def test_t1_the_task_of_a_lead_that_becomes_new_in_this_run_is_written_in_the_same_run(desk: Desk) -> None:
    contact = desk.lead(at=HOUR_AGO)
    outcome = settled(desk, contact)
    assert desk.status(contact) == "NEW"
    [task] = desk.tasks(contact)
    assert [t["state"] for t in outcome.tally.tasks] == ["applied"]
    assert task.values["hs_timestamp"] == "2026-03-02T16:00:00.000Z"  # two business hours after the lead came, not now


def test_t1_without_an_owner_there_is_no_task(desk: Desk) -> None:
    contact = acts.create_contact(desk.portal, {STAGE: "lead", STATUS: "NEW"}, source="form", at=HOUR_AGO)
    settled(desk, contact)
    assert desk.tasks(contact) == []


def test_t11_entering_new_again_is_a_new_cause_and_replaces_the_untouched_task(desk: Desk) -> None:
    contact = desk.lead("NEW", at=HOUR_AGO)
    desk.sync(contact)
    [first] = desk.tasks(contact)
    desk.sets(contact, STATUS, "CONNECTED", at=ago(minutes=30))
    desk.sets(contact, STATUS, "NEW", at=ago(minutes=20))
    settled(desk, contact)
    [second] = desk.tasks(contact)
    assert second.id != first.id
    assert len([r for r in desk.ledger(contact) if r.kind == "task" and r.state == "applied"]) == 2


def test_t11_a_task_that_a_person_edited_stays_and_holds_the_next_one_back(desk: Desk) -> None:
    contact = desk.lead("NEW", at=HOUR_AGO)
    desk.sync(contact)
    [first] = desk.tasks(contact)
    acts.edit_task(desk.portal, first.id, "hs_task_body", "Called the front desk, try again on Tuesday")
    desk.sets(contact, STATUS, "CONNECTED", at=ago(minutes=30))
    desk.sets(contact, STATUS, "NEW", at=ago(minutes=20))
    outcome = desk.sync(contact)
    assert [t.id for t in desk.tasks(contact)] == [first.id]
    assert [t["state"] for t in outcome.tally.held] == ["held"]


def test_t11_a_completed_task_is_not_written_again(desk: Desk) -> None:
    contact = desk.lead("NEW", at=HOUR_AGO)
    desk.sync(contact)
    [task] = desk.tasks(contact)
    acts.complete_task(desk.portal, task.id)
    settled(desk, contact)
    assert [t.id for t in desk.tasks(contact)] == [task.id]


def test_without_the_property_hubsync_last_action_the_change_is_written_alone(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(own_properties=False)
    contact = desk.lead(at=HOUR_AGO)
    settled(desk, contact)
    assert desk.status(contact) == "NEW"
    assert {w.property for w in desk.written()} == {STATUS}


def test_without_its_other_property_a12_still_sets_the_status(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(own_properties=False)
    contact, deal = converted(desk)
    acts.lose_deal(desk.portal, deal, "No budget this year", at=HOUR_AGO)
    settled(desk, contact)
    assert desk.status(contact) == "BAD_TIMING"


def test_several_causes_at_once_end_in_what_the_latest_asks_for_and_spend_the_others(desk: Desk) -> None:
    contact = desk.lead("NEW", at=ago(days=5))
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(days=4))
    acts.workflow_sets(desk.portal, contact, STAGE, SQL, at=ago(days=3))
    deal = acts.create_deal(desk.portal, contact, owner=desk.rep, at=ago(days=2))
    outcome = settled(desk, contact)
    assert (desk.status(contact), desk.stage(contact)) == ("OPEN_DEAL", "opportunity")
    assert ("converted_on_open_deal", "OPEN_DEAL", "applied") in states(outcome)
    assert ("attempting_on_first_rep_outreach", "ATTEMPTED_TO_CONTACT", "superseded") in states(outcome)
    assert [w.after for w in desk.written(STATUS)] == ["OPEN_DEAL"]
    # Once the deal is lost, the older mail must not come back to life.
    acts.lose_deal(desk.portal, deal, "timing", at=NOW - timedelta(hours=2))
    settled(desk, contact)
    assert desk.status(contact) == "BAD_TIMING"
