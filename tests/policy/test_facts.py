"""The facts a rule may ask, cheap and dear (design 4 "Facts", playbook D6, D9, A3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from hubsync.policy.changes import CompletedTask
from hubsync.policy.contact import Contact, Engagement, StageVisit
from hubsync.policy.engagements import is_rep_outreach
from hubsync.policy.facts import FACTS, documented, fact
from hubsync.policy.view import DEALS, ENGAGEMENTS, HISTORY, MEETINGS, TASKS, Missing, View
from tests.builders import NOW, a_call, a_contact, a_deal, a_mail, ago, entry, policy


def value(name: str, contact: Contact) -> Any:
    return fact(name).get(View(policy(), contact, NOW))


@pytest.mark.parametrize(
    ("mark", "counts"),
    [
        (a_mail(), True),
        (a_mail(hs_email_status=None), True),
        (a_mail(hs_email_direction="INCOMING_EMAIL"), False),
        (a_mail(hs_email_direction="FORWARDED_EMAIL"), False),
        (a_mail(hs_email_status="BOUNCED"), False),
        (a_mail(hs_email_status="SCHEDULED"), False),
        (a_mail(hubspot_owner_id=None), False),
        (a_mail(hubspot_owner_id=None, hs_created_by_user_id="5"), True),
        (a_mail(hubspot_owner_id=None, hs_email_from_email="Rep@Example.org"), True),
        (a_call(), True),
        (a_call(hs_call_direction=None, hs_call_status=None), True),
        (a_call(hs_call_direction="INBOUND"), False),
        (a_call(hs_call_status="CANCELED"), False),
        (Engagement("communications", "1", NOW, {"hubspot_owner_id": "11"}), True),
        (Engagement("meetings", "1", NOW, {"hubspot_owner_id": "11"}), False),
    ],
)
def test_what_counts_as_a_rep_reaching_out(mark: Engagement, counts: bool) -> None:
    assert is_rep_outreach(mark, frozenset({"rep@example.org"}), policy().engagements) is counts


def test_outreach_counts_within_the_cycle_and_up_to_now() -> None:
    contact = a_contact(
        [("working", ago(9)), ("recycled", ago(4))],
        engagements=[a_mail(ago(5)), a_mail(ago(3), id="a"), a_call(ago(2)), a_mail(ago(-1), id="later")],
    )
    assert (value("first_rep_outreach", contact), value("last_rep_outreach", contact)) == (ago(3), ago(2))
    assert value("attempts", contact) == 2


@pytest.mark.parametrize(
    ("statuses", "stages", "begins"),
    [
        ([("new", ago(9))], [("lead", ago(9))], ago(9)),
        ([("new", ago(9)), ("working", ago(7)), ("recycled", ago(3))], [("lead", ago(9))], ago(3)),
        ([("working", ago(9))], [("lead", ago(9)), ("mql", ago(4))], ago(4)),
        ([("working", ago(9))], [("lead", ago(9))], ago(100)),
        ([("new", ago(5))], [("mql", ago(9))], ago(5)),
    ],
)
def test_a_cycle_begins_with_new_recycled_or_mql_else_with_the_contact(
    statuses: list[tuple[str, datetime]], stages: list[tuple[str, datetime]], begins: datetime
) -> None:
    assert value("cycle_started", a_contact(statuses, stages)) == begins


def test_a_value_was_entered_when_history_says_or_else_when_the_contact_was_created() -> None:
    contact = a_contact([("new", ago(9)), ("working", ago(4), "person")], "none")
    assert (value("lead_status_entered", contact), value("lifecycle_stage_entered", contact)) == (ago(4), ago(100))
    assert (value("lead_status_by", contact), value("lifecycle_stage_by", contact)) == ("person", None)
    assert (value("lead_status_before", contact), value("lifecycle_stage_before", contact)) == ("new", None)


def test_a_fact_that_was_not_read_says_what_to_read() -> None:
    unread = replace(
        a_contact("new", num_associated_deals="1", num_contacted_notes="1"), history=None, deals=None, engagements=None
    )
    expected = {"lead_status_entered": HISTORY, "cycle_started": HISTORY, "open_deals": DEALS, "attempts": ENGAGEMENTS}
    for name, mask in expected.items():
        assert value(name, unread) == Missing(mask)


@pytest.mark.parametrize("name", [f.name for f in documented() if f.mask])
def test_every_dear_fact_declares_what_reading_it_may_cost(name: str) -> None:
    contact = a_contact("new", num_associated_deals="1", num_contacted_notes="1", engagements=[a_mail()])
    for bare in (
        replace(contact, history=None, deals=None, engagements=None),
        replace(contact, history=None, deals=None),
    ):
        found = value(name, bare)
        if isinstance(found, Missing):
            assert found.mask & FACTS[name].mask == found.mask


def test_cheap_counters_save_the_reading() -> None:
    unread = replace(a_contact("new"), deals=None, engagements=None)
    assert (value("open_deals", unread), value("deal_covers_contact", unread)) == (0, "false")
    assert (value("attempts", unread), value("first_rep_outreach", unread)) == (0, None)
    odd = replace(a_contact("new", num_associated_deals="a few"), deals=None)
    assert value("open_deals", odd) == 0


def test_deals_as_facts() -> None:
    lost = a_contact("new", deals=[a_deal("lost", ago(2), reason="no budget"), a_deal("open", ago(1), id="8")])
    names = ("open_deals", "lost_deals", "won_deals", "loss_category", "deal_opened", "last_deal_lost", "last_deal_won")
    assert [value(n, lost) for n in names] == [1, 1, 0, "budget", ago(1), ago(2), None]


def test_open_deals_tell_the_first_close_date_and_the_longest_stay_in_a_step() -> None:
    moved = replace(a_deal(id="1", closes=ago(-9)), stage_history=(StageVisit("b", ago(3)), StageVisit("a", ago(40))))
    same = replace(a_deal(id="2", closes=ago(2)), stage_history=(StageVisit("b", ago(1)), StageVisit("b", ago(5))))
    won = replace(a_deal("won", ago(60), id="3", closes=ago(60)))
    contact = a_contact("converted", deals=[moved, same, won])
    assert (value("deal_close_date", contact), value("deal_step_entered", contact)) == (ago(2), ago(5))
    assert value("deal_close_date", a_contact("converted", deals=[a_deal()])) is None


def test_a_completed_task_counts_until_the_lead_status_changes() -> None:
    done = (
        CompletedTask(4, "r", "first_contact", ago(4), ago(3)),
        CompletedTask(5, "r", "stale_review", ago(3), ago(2)),
    )
    still = replace(a_contact("new", since=ago(5)), completed_tasks=done)
    assert (value("task_completed", still), value("completed_task", still)) == (ago(2), "stale_review")
    moved = replace(a_contact([("new", ago(4)), ("attempting", ago(1))]), completed_tasks=done)
    assert (value("task_completed", moved), value("completed_task", moved)) == (None, None)
    just_before = replace(a_contact([("new", ago(4)), ("attempting", ago(2.5))]), completed_tasks=done)
    assert value("task_completed", just_before) is None


@pytest.mark.parametrize(
    ("properties", "stages", "expected"),
    [
        ({"hs_object_source": "FORM"}, [("lead", ago(9))], "form"),
        ({"hs_object_source": "IMPORT"}, [("lead", ago(9))], "import"),
        ({}, [("lead", ago(9), "person"), ("mql", ago(4), "automation")], "person"),
        ({}, "none", None),
    ],
)
def test_who_created_a_contact(properties: dict[str, str], stages: Any, expected: str | None) -> None:
    assert value("created_by", a_contact("none", stages, **properties)) == expected  # type: ignore[arg-type]


def test_any_other_name_is_a_property_and_empty_is_none() -> None:
    contact = a_contact("new", jobtitle="", city="Lyon", email="Ada@Example.ORG")
    assert (value("jobtitle", contact), value("city", contact), value("nowhere", contact)) == (None, "Lyon", None)
    assert (value("email_domain", contact), value("owner", contact)) == ("example.org", "11")


@pytest.mark.parametrize(
    ("properties", "read"),
    [
        ({}, False),
        ({"num_contacted_notes": "3"}, False),
        ({"hs_latest_meeting_activity": "2026-03-01T09:00:00Z"}, True),
        ({"engagements_last_meeting_booked": "2026-03-01T09:00:00Z"}, True),
    ],
)
def test_meetings_are_read_where_hubspot_knows_of_one(properties: dict[str, str], read: bool) -> None:
    view = View(policy(), replace(a_contact("new", **properties), meetings=None), NOW)  # type: ignore[arg-type]
    assert view.meetings() == (Missing(MEETINGS) if read else ())


def test_a_portal_without_dates_of_meetings_has_them_read_where_a_contact_was_logged() -> None:
    unread = replace(a_contact("new"), meetings=None)
    contacted = replace(unread, properties={**unread.properties, "num_contacted_notes": "3"})
    without = replace(policy(), counts_meetings=False)
    assert [View(without, c, NOW).meetings() for c in (unread, contacted)] == [(), Missing(MEETINGS)]


def test_open_tasks_of_others_are_dear_always() -> None:
    contact = a_contact("new")
    assert View(policy(), contact, NOW).others_tasks() == ()
    assert View(policy(), replace(contact, others_tasks=None), NOW).others_tasks() == Missing(TASKS)


def test_a_lead_was_reviewed_when_its_review_date_was_set_or_its_status_entered_if_later() -> None:
    dated = {"hubsync_review_date": [entry("2026-06-01", ago(3)), entry("2026-03-01", ago(40))]}
    before = a_contact([("new", ago(50)), ("nurture", ago(9))], history=dated)
    after = a_contact([("new", ago(50)), ("nurture", ago(2))], history=dated)
    assert (value("last_reviewed", before), value("last_reviewed", after)) == (ago(3), ago(2))
    assert value("last_reviewed", a_contact("nurture", since=ago(9))) == ago(9)
