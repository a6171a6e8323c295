"""Causes and their keys: the same however often a contact is read, new when something new happened (design 1, 4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hubsync.policy.causes import CAUSES, combination_entered, ledger_key, once_per_deal, stage_or_opening
from hubsync.policy.changes import Cause, CompletedTask
from hubsync.policy.contact import Contact
from hubsync.policy.facts import FACTS, MOMENT
from hubsync.policy.view import DEALS, HISTORY, Missing, View, once
from tests.builders import (
    NOW,
    a_contact,
    a_deal,
    a_mail,
    a_meeting,
    a_reply,
    ago,
    done,
    looked_at,
    policy,
    stamp,
)

EVERYTHING = replace(
    a_contact(
        [("new", ago(9)), ("working", ago(4))],
        [("lead", ago(9)), ("mql", ago(6))],
        deals=[
            a_deal("open", ago(3), id="1", closes=ago(-2)),
            a_deal("won", ago(2), id="2"),
            a_deal("lost", ago(1), id="3"),
        ],
        engagements=[a_mail(ago(5)), a_reply(ago(2.8))],
        meetings=[a_meeting(ago(2), booked=ago(3), outcome="COMPLETED"), a_meeting(ago(1), id="t2")],
        hs_email_last_click_date=stamp(ago(2)),
        hubsync_review_date="2026-03-01",
        hs_latest_meeting_activity=stamp(ago(1)),
    ),
    completed_tasks=(CompletedTask(5, "first_contact_task", "first_contact", ago(4), ago(3.5)),),
)


def cause(kind: str, contact: Contact) -> Any:
    return CAUSES[kind][0](View(policy(), contact, NOW))


@pytest.mark.parametrize(
    ("kind", "at", "id_"),
    [
        ("lead_status_entered", ago(4), None),
        ("lifecycle_stage_entered", ago(6), None),
        ("first_rep_outreach", ago(5), "m1"),
        ("last_rep_outreach", ago(5), "m1"),
        ("first_reply", ago(2.8), "r1"),
        ("first_meeting_booked", ago(3), "t1"),
        ("first_meeting_held", ago(2) + timedelta(minutes=30), "t1"),
        ("meeting_without_outcome", ago(1) + timedelta(minutes=30), "t2"),
        ("reengaged", ago(3), "t1"),
        ("idle_since", ago(1), None),
        ("review_date", datetime(2026, 3, 1, tzinfo=UTC), None),
        ("marketing_click", ago(2), None),
        ("deal_opened", ago(3), "1"),
        ("last_deal_won", ago(2), "2"),
        ("last_deal_lost", ago(1), "3"),
        ("deal_close_date", ago(-2), "1"),
        ("deal_step_entered", ago(3), "1"),
        ("task_completed", ago(3.5), "5"),
    ],
)
def test_a_cause_has_its_moment_its_object_and_a_key_that_stays(kind: str, at: object, id_: str | None) -> None:
    found = cause(kind, EVERYTHING)
    assert (found.kind, found.at, found.id) == (kind, at, id_)
    assert found.key.startswith(f"{kind}:")
    assert cause(kind, replace(EVERYTHING)) == found


ALWAYS = {"lead_status_entered", "lifecycle_stage_entered", "idle_since", "last_reviewed"}
"""What every contact has."""


@pytest.mark.parametrize("kind", sorted(set(CAUSES) - ALWAYS))
def test_what_never_happened_is_no_cause(kind: str) -> None:
    assert cause(kind, a_contact("new")) is None


@pytest.mark.parametrize("kind", sorted(set(CAUSES) - {"churn", "review_date"}))
def test_a_cause_that_hangs_on_what_was_not_read_says_so(kind: str) -> None:
    known = {"hubsync_score": "5", "hubsync_webinar_attended": stamp(ago(1)), "hubspotscore": "30"}
    known |= dict.fromkeys(("hubsync_project", "hubsync_budget", "hubsync_timeline", "hubsync_authority"), "known")
    contact = replace(EVERYTHING, properties={**EVERYTHING.properties, **known})
    assert isinstance(cause(kind, replace(contact, history=None, deals=None, engagements=None, meetings=None)), Missing)


def test_what_hubsync_wrote_has_the_moment_and_key_of_its_cause_in_the_next_look_too() -> None:
    contact = a_contact("none", "mql", since=ago(3))
    decision = looked_at(contact)
    assert cause("lead_status_entered", done(contact, decision)) == decision.tasks[0].cause


def test_an_older_mail_that_is_logged_later_is_no_new_cause() -> None:
    late = replace(EVERYTHING, engagements=(*(EVERYTHING.engagements or ()), a_mail(ago(5.5), id="m0")))
    assert cause("first_rep_outreach", late).id == "m0"
    assert cause("first_rep_outreach", late).key == cause("first_rep_outreach", EVERYTHING).key


def test_a_deal_opened_again_is_a_new_cause() -> None:
    again = replace(EVERYTHING, deals=(a_deal("open", ago(0.5), id="1"),))
    assert cause("deal_opened", again).key != cause("deal_opened", EVERYTHING).key


def test_a_cell_fires_for_the_stages_entry_or_the_deals_opening_if_that_is_later() -> None:
    view = View(policy(), EVERYTHING, NOW)
    assert [_at(stage_or_opening(opened)(view)) for opened in (False, True)] == [ago(6), ago(3)]
    assert [_at(combination_entered(opened)(view)) for opened in (False, True)] == [ago(4), ago(3)]


def test_once_per_deal_remembers_the_deal_and_not_the_moment() -> None:
    source = once_per_deal(CAUSES["lead_status_entered"][0])
    found = source(View(policy(), EVERYTHING, NOW))
    assert isinstance(found, Cause)
    assert (found.at, found.key) == (ago(4), "deal:1")
    unread = replace(EVERYTHING, deals=None)
    assert source(View(policy(), unread, NOW)) == Missing(DEALS)
    assert source(View(policy(), replace(EVERYTHING, history=None), NOW)) == Missing(HISTORY)


def test_the_ledger_knows_rule_cause_and_target() -> None:
    assert ledger_key("r", Cause("k", NOW, "k:1"), "hs_lead_status") == "r|k:1|hs_lead_status"


def _at(found: Cause | Missing | None) -> object:
    assert isinstance(found, Cause)
    return found.at


def test_what_is_worked_out_once_a_view_is_worked_out_anew_once_a_change_is_decided() -> None:
    asked: list[str] = []

    @once
    def status(view: View) -> str:
        asked.append(view.status)
        return view.status

    view = View(policy(), EVERYTHING, NOW)
    before = view.status
    assert [status(view), status(view)] == [before, before]
    view.write("hs_lead_status", "UNQUALIFIED", NOW)
    assert status(view) == "UNQUALIFIED"
    assert asked == [before, "UNQUALIFIED"]
    assert status(View(policy(), EVERYTHING, NOW)) == before


@pytest.mark.parametrize("kind", sorted(n for n in CAUSES if n in FACTS and FACTS[n].kind == MOMENT))
def test_a_cause_and_the_fact_of_its_name_are_the_same_moment(kind: str) -> None:
    """Rules that wait ask the fact for the cause's moment."""
    for contact in (EVERYTHING, replace(EVERYTHING, history=None), a_contact("new", "mql")):
        view = View(policy(), contact, NOW)
        found, known = CAUSES[kind][0](view), FACTS[kind].get(view)
        assert (found.at if isinstance(found, Cause) else found) == known
