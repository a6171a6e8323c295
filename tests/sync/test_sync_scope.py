"""Which contacts a run looks at: all, some, what changed since the last completed run, and what has fallen due."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hubsync.errors import UnsafePlan
from hubsync.sandbox import acts
from hubsync.sync.guard import Limits
from hubsync.sync.scope import CURSOR, Scope
from tests.sync.desk import MQL, NOW, SQL, STAGE, STATUS, Desk, ago, states

BARE = Scope()
NOTHING_ALLOWED = Limits(share=0.0, at_least=0, tasks=0)


def cursor(desk: Desk) -> str | None:
    return desk.store.cursor(desk.portal.portal_id, CURSOR)


def test_the_first_bare_run_looks_at_everything_and_the_next_at_nothing(desk: Desk) -> None:
    for _ in range(3):
        desk.lead("CONNECTED")
    assert desk.sync(scope=BARE).tally.contacts == 3
    desk.later(days=1)
    assert desk.sync(scope=BARE).tally.contacts == 0


def test_a_bare_run_looks_at_what_changed_since_the_last_completed_one(desk: Desk) -> None:
    contacts = [desk.lead("CONNECTED") for _ in range(5)]
    desk.sync(scope=BARE)
    desk.later(days=1)
    desk.sets(contacts[2], STATUS, "QUALIFIED")
    desk.later(hours=1)
    outcome = desk.sync(scope=BARE)
    assert [(c["contact"], c["to"]) for c in outcome.tally.changes] == [(contacts[2], SQL)]
    assert outcome.tally.contacts == 1


def test_a_plan_moves_no_cursor_and_takes_no_timer_off(desk: Desk) -> None:
    contact = desk.lead("CONNECTED")
    desk.sync(scope=BARE)
    before = cursor(desk)
    assert before == NOW.isoformat()
    desk.later(days=1)
    desk.sets(contact, STATUS, "QUALIFIED")
    desk.later(hours=1)
    for _ in range(2):
        assert states(desk.plan(scope=BARE)) == [("qualified_moves_the_stage", SQL, "planned")]
    assert cursor(desk) == before
    assert states(desk.sync(scope=BARE)) == [("qualified_moves_the_stage", SQL, "applied")]
    assert cursor(desk) == desk.clock.now().isoformat()


@pytest.mark.parametrize("scope", [Scope(contacts=("1003",)), Scope(since=ago(days=1))], ids=["--contact", "--since"])
def test_a_run_over_a_part_moves_no_cursor(desk: Desk, scope: Scope) -> None:
    desk.lead("CONNECTED")
    desk.sync(scope=BARE)
    before = cursor(desk)
    desk.later(hours=1)
    desk.sync(scope=scope)
    assert cursor(desk) == before


def test_a_run_that_the_guard_stopped_moves_no_cursor_and_forgets_no_timer(desk: Desk) -> None:
    contact = desk.lead("CONNECTED")
    acts.create_deal(desk.portal, contact, owner=desk.rep, at=ago(hours=5))
    desk.sync(scope=BARE)
    desk.later(days=1)
    desk.sets(contact, STATUS, "IN_PROGRESS")
    desk.later(minutes=10)
    assert desk.sync(scope=BARE).tally.waiting == 1  # from here on a timer alone knows of it
    before = cursor(desk)
    desk.later(hours=3)
    for _ in range(2):
        with pytest.raises(UnsafePlan):
            desk.sync(scope=BARE, limits=NOTHING_ALLOWED)
    assert cursor(desk) == before
    assert [(c["to"], c["state"]) for c in desk.sync(scope=BARE).tally.changes] == [("OPEN_DEAL", "applied")]


def test_a_change_that_hubspot_refused_is_tried_again_by_a_later_bare_run(desk: Desk) -> None:
    contact = desk.lead("CONNECTED")
    desk.sync(scope=BARE)
    desk.later(days=1)
    desk.sets(contact, STATUS, "QUALIFIED")
    desk.later(hours=1)
    options = desk.portal.schemas.properties["contacts"][STAGE].options
    desk.portal.schemas.set_options("contacts", STAGE, [o for o in options if o.value != SQL])
    assert states(desk.sync(scope=BARE)) == [("qualified_moves_the_stage", SQL, "refused")]
    desk.portal.schemas.set_options("contacts", STAGE, options)
    desk.later(minutes=5)
    assert desk.sync(scope=BARE).tally.contacts == 0  # not at once: HubSpot has just said no
    desk.later(hours=5)
    assert states(desk.sync(scope=BARE)) == [("qualified_moves_the_stage", SQL, "applied")]


def test_since_looks_at_what_changed_since_then_alone(desk: Desk) -> None:
    old, fresh = desk.lead("CONNECTED", at=ago(days=9)), desk.lead("CONNECTED", at=ago(days=9))
    desk.sets(old, STATUS, "QUALIFIED", at=ago(days=5))
    desk.sets(fresh, STATUS, "QUALIFIED", at=ago(days=1))
    desk.sync(scope=Scope(since=ago(days=2)))
    assert (desk.stage(old), desk.stage(fresh)) == ("lead", SQL)


def test_contacts_are_looked_at_by_id_once_each_and_unknown_ids_are_passed_over(desk: Desk) -> None:
    one, two = desk.lead("CONNECTED"), desk.lead("CONNECTED")
    for contact in (one, two):
        desk.sets(contact, STATUS, "QUALIFIED", at=ago(hours=1))
    outcome = desk.sync(scope=Scope(contacts=(one, "999999", one)))
    assert outcome.tally.contacts == 1
    assert (desk.stage(one), desk.stage(two)) == (SQL, "lead")


def test_a_mail_brings_its_contact_although_the_contact_itself_is_not_in_the_index(desk: Desk) -> None:
    contact = desk.lead("NEW")
    desk.sync(scope=BARE)
    desk.later(days=1)
    mail = acts.rep_sends_email(desk.portal, contact, desk.rep)
    desk.later(hours=1)
    record = desk.portal.get("contacts", contact)
    record.updated = int(ago(days=2).timestamp() * 1000)  # as if HubSpot had not bumped the contact
    outcome = desk.sync(scope=BARE)
    assert [(c["to"], c["cause"]["id"]) for c in outcome.tally.changes] == [("ATTEMPTED_TO_CONTACT", mail)]


def test_a_deal_that_moves_brings_its_contact(desk: Desk) -> None:
    contact = desk.lead("CONNECTED")
    deal = acts.create_deal(desk.portal, contact, owner=desk.rep, at=ago(hours=5))
    desk.sync(scope=BARE)
    desk.later(days=1)
    acts.lose_deal(desk.portal, deal, "budget")
    desk.later(hours=1)
    assert ("all_deals_lost", "BAD_TIMING", "applied") in states(desk.sync(scope=BARE))
    assert desk.status(contact) == "BAD_TIMING"


def test_a_contact_that_changed_and_was_mailed_is_looked_at_once(desk: Desk) -> None:
    contact = desk.lead("NEW")
    desk.sync(scope=BARE)
    desk.later(days=1)
    acts.rep_sends_email(desk.portal, contact, desk.rep)
    acts.rep_calls(desk.portal, contact, desk.rep)
    desk.later(hours=1)
    assert desk.sync(scope=BARE).tally.contacts == 1


def test_what_the_search_index_did_not_show_yet_is_found_by_the_next_run(desk: Desk) -> None:
    desk.portal.switches.search_lag = 30.0
    contact = desk.lead("CONNECTED")
    desk.sync(scope=BARE)
    desk.later(days=1)
    desk.sets(contact, STATUS, "QUALIFIED")
    desk.later(seconds=10)
    assert desk.sync(scope=BARE).tally.contacts == 0
    desk.later(minutes=10)
    assert states(desk.sync(scope=BARE)) == [("qualified_moves_the_stage", SQL, "applied")]


def test_without_overlap_it_would_be_lost(desk: Desk) -> None:
    """The same without the overlap: shows that the test above fails where the overlap is missing."""
    desk.portal.switches.search_lag = 30.0
    contact = desk.lead("CONNECTED")
    desk.sync(scope=BARE)
    desk.later(days=1)
    desk.sets(contact, STATUS, "QUALIFIED")
    desk.later(seconds=10)
    desk.sync(scope=Scope(overlap=timedelta(0)))
    desk.later(minutes=10)
    assert desk.sync(scope=Scope(overlap=timedelta(0))).tally.contacts == 0


def test_a_due_contact_that_was_deleted_is_not_asked_for_for_ever(desk: Desk) -> None:
    contact = desk.lead("CONNECTED")
    desk.sync(scope=BARE)
    desk.later(days=1)
    desk.sets(contact, STATUS, "QUALIFIED")
    desk.later(minutes=1)
    desk.sync(scope=BARE)
    acts.delete_contact(desk.portal, contact)
    desk.later(hours=1)
    assert desk.sync(scope=BARE).tally.contacts == 0
    assert desk.store.due(desk.portal.portal_id, desk.later(days=1), 10) == ()


def test_contacts_out_of_scope_are_left_alone(desk: Desk) -> None:
    nobodys = acts.create_contact(desk.portal, {STAGE: "lead", STATUS: "QUALIFIED"}, source="import", at=ago(days=1))
    held = desk.lead("QUALIFIED", hubsync_hold="true")
    partner = desk.lead("QUALIFIED", email="ada@example.invalid")
    subscriber = desk.lead("QUALIFIED", "subscriber")
    managed = desk.lead("QUALIFIED")
    outcome = desk.sync()
    assert {c["contact"] for c in outcome.tally.changes if c["state"] == "applied"} == {managed}
    assert [desk.stage(c) for c in (nobodys, held, partner, subscriber)] == ["lead", "lead", "lead", "subscriber"]
    assert outcome.tally.in_scope == 1


def test_a_hand_raised_brings_a_contact_without_owner_into_scope(desk: Desk) -> None:
    contact = acts.create_contact(desk.portal, {STAGE: MQL}, source="form", at=ago(days=1))
    desk.sync()
    assert desk.status(contact) == "NEW"
