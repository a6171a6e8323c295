"""Runs whose tasks come at a pace: what waits is told, kept, and created when its time has come (B4, B5, B7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from hubsync.policy.instants import instant_or_none
from hubsync.policy.pacing import DIGEST
from hubsync.policy.view import TASKS
from hubsync.sandbox import acts
from hubsync.sync import reconcile
from hubsync.sync.book import Book
from hubsync.sync.dear import fetch
from hubsync.sync.guard import Limits
from hubsync.sync.holding import read_holding, release
from hubsync.sync.reconcile import Outcome
from hubsync.sync.scope import Scope
from tests.sync.desk import GENEROUS, STAGE, STATUS, Desk, ago, all_rules


def paced_session(desk: Desk) -> reconcile.Session:
    """A run's session at the pace of the shipped rules."""
    bound = desk.bound()
    return replace(desk.session(), pace=desk.loaded.pace(bound.account.time_zone, bound.policy.owner_teams))


def sync(desk: Desk, *contacts: str, limits: Limits = GENEROUS, full: bool = True) -> Outcome:
    scope = Scope(contacts=contacts) if contacts else Scope(full=full)
    return reconcile.write(paced_session(desk), desk.store, scope, limits)


def told(outcome: Outcome) -> list[tuple[str, str]]:
    """(contact, why) of what waits."""
    return sorted((row["contact"], row["why"]) for row in outcome.tally.held)


def subjects(desk: Desk, contacts: Sequence[str]) -> list[str]:
    return [t.values["hs_task_subject"] for c in contacts for t in desk.tasks(c)]


def new_leads(desk: Desk, count: int) -> list[str]:
    """Leads that became New one after the other, an hour apart, the first one longest ago."""
    return [desk.lead("NEW", at=ago(hours=count - n + 1)) for n in range(count)]


def test_an_owner_gets_fifteen_tasks_and_a_digest_and_the_rest_the_day_after(desk: Desk) -> None:
    leads = new_leads(desk, 18)
    planned = reconcile.plan(paced_session(desk), Scope(full=True))
    first = sync(desk)
    assert told(first) == told(planned) == sorted((c, "cap") for c in leads[15:])
    assert [len(desk.tasks(c)) for c in leads] == [1] * 16 + [0, 0]
    (digest,) = desk.tasks(leads[15])
    assert digest.values["hs_task_subject"] == "3 more leads wait for you"
    assert all(f"/record/0-1/{c}" in digest.values["hs_task_body"] for c in leads[15:])
    assert [r["subject"] for r in planned.tally.tasks].count("3 more leads wait for you") == 1
    assert sync(desk).tally.tasks == []  # the same day: nothing more, no second digest
    desk.later(days=1)
    assert told(sync(desk, full=False)) == []
    assert [len(desk.tasks(c)) for c in leads] == [1] * 15 + [2, 1, 1]


def test_allowing_a_run_its_tasks_lifts_the_owners_cap_as_well(desk: Desk) -> None:
    leads = new_leads(desk, 17)
    sync(desk, limits=replace(GENEROUS, allow_tasks=17))
    assert [len(desk.tasks(c)) for c in leads] == [1] * 17


def test_outside_business_hours_the_value_is_written_and_the_task_waits_for_the_opening(desk: Desk) -> None:
    desk.later(hours=10)  # eight in the evening
    lead = desk.lead("", "marketingqualifiedlead", at=desk.clock.now() - timedelta(hours=1))
    assert told(sync(desk)) == [(lead, "hours")]
    assert (desk.status(lead), desk.tasks(lead)) == ("NEW", [])
    desk.later(hours=11)
    assert told(sync(desk, full=False)) == [(lead, "hours")]
    desk.later(hours=3)
    sync(desk, full=False)
    assert len(desk.tasks(lead)) == 1


def a_burst(desk: Desk, count: int = 51) -> list[str]:
    """Leads that one workflow made New."""
    leads = [desk.lead(hubspot_owner_id=desk.rep) for _ in range(count)]
    for lead in leads:
        acts.workflow_sets(desk.portal, lead, STATUS, "NEW", at=ago(hours=1))
    return leads


def test_a_burst_waits_until_it_is_released_and_only_then_gets_its_tasks(desk: Desk) -> None:
    leads = a_burst(desk)
    other = desk.lead("NEW", at=ago(hours=2))
    outcome = sync(desk)
    assert told(outcome) == sorted((c, "burst") for c in leads)
    (finding,) = outcome.tally.findings
    (burst,) = read_holding(desk.store, desk.portal.portal_id).bursts
    assert finding["message"].endswith(f"51 tasks wait. Look at them, then: hubsync guard release {burst.id}")
    assert (len(desk.tasks(other)), subjects(desk, leads)) == (1, [])
    desk.later(minutes=5)
    assert told(sync(desk, full=False)) == []  # not due
    assert release(desk.store, desk.portal.portal_id, burst.id) == 51
    sync(desk, full=False, limits=replace(GENEROUS, allow_tasks=99))
    assert len(subjects(desk, leads)) == 51


def warned(desk: Desk, leads: Sequence[str]) -> list[str]:
    """Of whom the owner was warned that the first contact is due soon (L1)."""
    return [c for c in leads for row in desk.ledger(c) if row.rule == "first_contact_warning"]


def test_of_a_burst_that_is_held_nobody_is_told_until_it_is_released(desk: Desk) -> None:
    desk.rebind(loaded=all_rules())
    leads = a_burst(desk)
    other = desk.lead("NEW", at=ago(hours=1))
    sync(desk)
    desk.later(minutes=40)  # four fifths of two business hours
    outcome = sync(desk)
    assert warned(desk, [*leads, other]) == [other]
    assert [row["contact"] for row in outcome.tally.told] == [other]
    waits = [row for row in outcome.tally.held if "text" in row]
    assert sorted(row["contact"] for row in waits) == sorted(leads)
    assert {(row["state"], row["kind"], row["why"]) for row in waits} == {("held", "digest", "burst")}
    (burst,) = read_holding(desk.store, desk.portal.portal_id).bursts
    [message] = [f["message"] for f in outcome.tally.findings if burst.id in f["message"]]
    assert "51 tasks wait, and 51 entries of digests and alerts. Look at them" in message
    assert release(desk.store, desk.portal.portal_id, burst.id) == 102
    desk.later(minutes=5)
    sync(desk, full=False, limits=replace(GENEROUS, allow_tasks=99))
    assert warned(desk, leads) == leads


def test_a_plan_shows_what_would_not_be_told_for_a_burst(desk: Desk) -> None:
    desk.rebind(loaded=all_rules())
    leads = a_burst(desk)
    desk.later(minutes=40)
    planned = reconcile.plan(paced_session(desk), Scope(full=True))
    assert planned.tally.told == []
    assert sorted(row["contact"] for row in planned.tally.held if "text" in row) == sorted(leads)


def test_a_released_rule_passes_the_cap_of_the_next_run_only(desk: Desk) -> None:
    leads = new_leads(desk, 17)
    sync(desk)
    portal = desk.portal.portal_id
    assert release(desk.store, portal, "first_contact_task") == 2
    desk.later(minutes=1)
    sync(desk, full=False)
    assert len(subjects(desk, leads)) == 18  # with the digest
    more = new_leads(desk, 1)
    assert told(sync(desk, *more)) == [(more[0], "cap")]
    assert release(desk.store, portal, "no_such_rule") is None


def test_a_digest_is_none_of_its_leads_own_tasks(desk: Desk) -> None:
    leads = new_leads(desk, 16)
    sync(desk)
    desk.later(days=1)
    sync(desk, full=False)
    rules = [(r.rule, r.state, r.closed_at) for r in desk.ledger(leads[15])]
    assert rules == [(DIGEST, "applied", None), ("first_contact_task", "applied", None)]


def test_a_digest_is_no_next_action_of_the_lead_that_it_hangs_on(desk: Desk) -> None:
    leads = new_leads(desk, 16)
    sync(desk)
    (digest,) = desk.tasks(leads[15])
    read = desk.gateway.read_contacts(leads[15:], ["notes_next_activity_date"]).found[leads[15]]
    book = Book(desk.store, desk.portal.portal_id, desk.gateway, now=desk.clock.now())
    (known,) = fetch(desk.gateway, book.dress([read]), {read.id: TASKS}, (), ())
    assert known.digests == {digest.id: instant_or_none(read.properties["notes_next_activity_date"])}
    assert known.others_tasks == ()


def test_without_a_pace_every_task_is_created_at_once(desk: Desk) -> None:
    desk.later(hours=10)
    leads = new_leads(desk, 20)
    assert desk.sync().tally.held == []
    assert len(subjects(desk, leads)) == 20


def test_the_guard_counts_what_an_owners_cap_holds_but_no_burst(desk: Desk) -> None:
    a_burst(desk)
    new_leads(desk, 17)
    sync(desk, limits=replace(GENEROUS, tasks=17))
    with pytest.raises(Exception, match="18 tasks would be created"):
        sync(desk, *new_leads(desk, 18), limits=replace(GENEROUS, tasks=17))


def test_hands_off_means_that_nothing_is_written_and_untouched_tasks_go(desk: Desk) -> None:
    lead = desk.lead("NEW", at=ago(hours=2))
    sync(desk)
    assert len(desk.tasks(lead)) == 1
    desk.sets(lead, "hubsync_hold", "true")
    desk.sets(lead, STAGE, "salesqualifiedlead", at=desk.clock.now())
    desk.later(hours=1)
    before = len(desk.written())
    sync(desk)
    assert (desk.status(lead), desk.tasks(lead), len(desk.written())) == ("NEW", [], before)
    desk.sets(lead, "hubsync_hold", "false")
    sync(desk)
    assert desk.status(lead) == "IN_PROGRESS"
