"""Replies, meetings and activity as facts: what counts, in which cycle, and what is read (playbook A4 to A6, A14)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hubsync.policy.contact import Contact, Engagement
from hubsync.policy.facts import fact
from hubsync.policy.policy import Policy
from hubsync.policy.view import ENGAGEMENTS, HISTORY, MEETINGS, Missing, View
from tests.builders import NOW, a_call, a_contact, a_mail, a_meeting, a_reply, ago, policy, policy_with, stamp

CONNECTED = "f240bbac-87c9-4f6e-bf70-924b57d47db7"


def value(name: str, contact: Contact, of: Policy | None = None) -> Any:
    return fact(name).get(View(of or policy(), contact, NOW))


def talked(*marks: Engagement, **more: Any) -> Contact:
    """A contact in Attempting since four days, in the cycle that New began nine days ago."""
    return a_contact([("new", ago(9)), ("attempting", ago(4))], engagements=marks, **more)


@pytest.mark.parametrize(
    ("mark", "counts"),
    [
        (a_reply(), True),
        (a_reply(hs_email_direction="FORWARDED_EMAIL"), False),
        (a_reply(hs_email_text="Please unsubscribe me."), False),
        (a_reply(hs_email_headers='{"Auto-Submitted": "auto-replied"}'), False),
        (a_reply(hs_email_from_email="mailer-daemon@example.org"), False),
        (a_reply(hs_email_from_email="ADA@example.org", hs_email_to_email="rita@example.com"), True),
        (a_reply(hs_email_from_email="ada@home.example", hs_email_to_email="rita@example.com"), True),
        (a_reply(hs_email_from_email="bob@example.org", hs_email_to_email="rita@x.example;ada@example.org"), False),
        (a_reply(hs_email_from_email="bob@example.org", hs_email_cc_email="ada@example.org"), False),
        (a_call(hs_call_disposition=CONNECTED), True),
        (a_call(hs_call_disposition=CONNECTED, hs_call_direction="INBOUND"), True),
        (a_call(hs_call_direction="INBOUND"), False),
        (a_call(hs_call_disposition="73a0d17f-1163-4015-bdd5-ec830791da20"), False),
        (Engagement("communications", "w1", ago(1), {"hubspot_owner_id": "11"}), False),
        (a_mail(), False),
    ],
)
def test_what_counts_as_the_lead_answering(mark: Engagement, counts: bool) -> None:
    contact = talked(mark, email="ada@example.org")
    assert value("first_reply", contact) == (mark.at if counts else None)


def test_a_colleagues_mail_is_no_reply_of_the_lead() -> None:
    ours = replace(policy(), owner_emails=frozenset({"rita@example.com"}))
    contact = talked(a_reply(hs_email_from_email="Rita@example.com"))
    assert (value("first_reply", contact, ours), value("last_reply_kind", contact, ours)) == (None, None)


def test_messages_count_as_incoming_where_a_property_says_so() -> None:
    told = policy_with(engagements={"incoming_messages": {"property": "direction", "values": ["Incoming"]}})
    theirs = Engagement("communications", "w1", ago(2), {"hubspot_owner_id": "11", "direction": "incoming"})
    mine = Engagement("communications", "w2", ago(3), {"hubspot_owner_id": "11", "direction": "outgoing"})
    contact = talked(theirs, mine)
    assert (value("first_reply", contact, told), value("first_rep_outreach", contact, told)) == (ago(2), ago(3))
    assert value("attempts", contact, told) == 1


def test_replies_count_within_the_cycle_and_their_kind_whenever() -> None:
    contact = a_contact(
        [("connected", ago(9)), ("recycled", ago(4))],
        engagements=[a_reply(ago(6)), a_reply(ago(3), id="a"), a_reply(ago(2), id="b", hs_email_text="STOP")],
    )
    assert (value("first_reply", contact), value("last_reply", contact)) == (ago(3), ago(3))
    assert value("last_reply_kind", contact) == "opt_out"
    assert value("last_reply_kind", a_contact(engagements=[a_mail()])) is None


@pytest.mark.parametrize(
    ("properties", "needs"),
    [
        ({}, None),
        ({"num_contacted_notes": "1", "hs_sa_first_engagement_object_type": "EMAIL"}, None),
        ({"num_contacted_notes": "1", "hs_sa_first_engagement_object_type": "CALL"}, ENGAGEMENTS),
        ({"num_contacted_notes": "2", "hs_sa_first_engagement_object_type": "EMAIL"}, ENGAGEMENTS),
        ({"num_contacted_notes": "2", "notes_last_contacted": stamp(ago(10))}, None),
        ({"num_contacted_notes": "2", "notes_last_contacted": stamp(ago(8))}, ENGAGEMENTS),
        ({"hs_sales_email_last_replied": stamp(ago(10))}, None),
        ({"hs_sales_email_last_replied": stamp(ago(8))}, ENGAGEMENTS),
    ],
)
def test_a_reply_is_looked_for_only_where_there_may_be_one_in_the_cycle(
    properties: dict[str, str], needs: int | None
) -> None:
    unread = replace(talked(**properties), engagements=None)
    found = value("first_reply", unread)
    assert found == (Missing(needs) if needs else None)
    before = value("first_reply", replace(unread, history=None))
    assert before is None or before == Missing(HISTORY)


def test_a_meeting_counts_as_booked_when_it_was_and_as_held_when_it_ended() -> None:
    contact = talked(meetings=[a_meeting(ago(2), booked=ago(3), outcome="COMPLETED"), a_meeting(ago(-2), id="t2")])
    assert value("first_meeting_booked", contact) == ago(3)
    assert value("first_meeting_held", contact) == ago(2) + timedelta(minutes=30)
    assert value("meeting_without_outcome", contact) == ago(-2) + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("meeting", "booked", "held"),
    [
        (a_meeting(ago(2), outcome="CANCELED"), None, None),
        (a_meeting(ago(2), outcome="NO_SHOW"), ago(3), None),
        (a_meeting(ago(2), booked=ago(1), outcome="COMPLETED"), ago(2), ago(2) + timedelta(minutes=30)),
        (a_meeting(ago(2), booked=ago(20)), ago(9), None),
        (a_meeting(ago(12), booked=ago(13), outcome="COMPLETED"), None, None),
        (a_meeting(ago(-2), booked=ago(1), outcome="COMPLETED"), ago(1), None),
    ],
)
def test_which_meetings_count_and_from_when(
    meeting: Engagement, booked: datetime | None, held: datetime | None
) -> None:
    contact = talked(meetings=[meeting])
    assert (value("first_meeting_booked", contact), value("first_meeting_held", contact)) == (booked, held)


def test_of_meetings_without_outcome_the_one_that_ended_last_is_asked_about() -> None:
    meetings = [a_meeting(ago(3)), a_meeting(ago(2), id="t2", outcome=None), a_meeting(ago(-1), id="t3")]
    assert value("meeting_without_outcome", talked(meetings=meetings)) == ago(2) + timedelta(minutes=30)


@pytest.mark.parametrize(("latest", "needs"), [(None, None), (ago(10), None), (ago(8), MEETINGS), (ago(-3), MEETINGS)])
def test_meetings_are_read_only_where_one_may_lie_in_the_cycle(latest: datetime | None, needs: int | None) -> None:
    known = {"hs_latest_meeting_activity": stamp(latest)} if latest else {}
    unread = replace(talked(**known), meetings=None)
    for name in ("first_meeting_booked", "first_meeting_held", "meeting_without_outcome"):
        assert value(name, unread) == (Missing(needs) if needs else None)


def test_the_last_activity_is_whatever_came_last_and_a_meeting_ahead_is_none_yet() -> None:
    contact = talked(
        notes_last_contacted=stamp(ago(5)),
        hs_sales_email_last_replied=stamp(ago(3)),
        recent_conversion_date=stamp(ago(8)),
        hs_latest_meeting_activity=stamp(ago(-2)),
    )
    assert (value("last_activity", contact), value("last_form", contact)) == (ago(3), ago(8))
    assert value("last_activity", talked()) is None


def test_a_lead_is_idle_since_the_last_activity_or_its_status_and_with_a_meeting_ahead_it_is_not() -> None:
    assert value("idle_since", talked(notes_last_contacted=stamp(ago(3)))) == ago(3)
    assert value("idle_since", talked(notes_last_contacted=stamp(ago(5)))) == ago(4)
    assert value("idle_since", talked(hs_latest_meeting_activity=stamp(ago(-2)))) == NOW


@pytest.mark.parametrize(
    ("properties", "meetings", "marks", "expected"),
    [
        ({}, [], [], None),
        ({"recent_conversion_date": stamp(ago(2))}, [], [], (ago(2), "form")),
        ({"recent_conversion_date": stamp(ago(5))}, [], [], None),
        ({"recent_conversion_date": stamp(ago(1))}, [], [a_reply(ago(2))], (ago(2), "reply")),
        ({}, [], [a_call(ago(3), hs_call_disposition=CONNECTED)], (ago(3), "reply")),
        ({}, [], [a_reply(ago(2), hs_email_text="Unsubscribe")], None),
        ({}, [a_meeting(ago(-1), booked=ago(1))], [], (ago(1), "meeting")),
        ({}, [a_meeting(ago(-1), booked=ago(6))], [], None),
        ({}, [a_meeting(ago(-1), booked=ago(1), outcome="CANCELED")], [], None),
    ],
)
def test_what_brings_a_lead_back(properties: dict[str, str], meetings: Any, marks: Any, expected: Any) -> None:
    contact = a_contact([("working", ago(9)), ("nurture", ago(4))], engagements=marks, meetings=meetings, **properties)  # type: ignore[arg-type]
    found = (value("reengaged", contact), value("reengaged_by", contact))
    assert found == (expected or (None, None))


def test_nothing_is_read_of_a_lead_that_nothing_can_have_brought_back() -> None:
    quiet = replace(a_contact("nurture"), history=None, engagements=None, meetings=None)
    assert value("reengaged", quiet) is None
    sent = replace(quiet, properties={**quiet.properties, "recent_conversion_date": stamp(ago(2))})
    assert value("reengaged", sent) == Missing(HISTORY)


def test_a_click_counts_since_the_present_status() -> None:
    assert value("marketing_click", talked(hs_email_last_click_date=stamp(ago(3)))) == ago(3)
    assert value("marketing_click", talked(hs_email_last_click_date=stamp(ago(5)))) is None


def test_the_review_day_begins_where_the_portal_is() -> None:
    contact = a_contact("bad_timing", hubsync_review_date="2026-03-10")
    assert value("review_date", contact) == datetime.fromisoformat("2026-03-10T00:00:00+00:00")
    in_paris = replace(policy(), zone=ZoneInfo("Europe/Paris"))
    assert value("review_date", contact, in_paris) == datetime.fromisoformat("2026-03-09T23:00:00+00:00")


def test_long_idleness_is_asked_of_history_only_where_cheap_dates_leave_it_open() -> None:
    rule = """
    - {id: idle, playbook: T7, says: Idle., when: {lead_status: {is: working}, idle_since: {is_more_than_ago: 14 days}},
       cause: idle_since, then: [{finding: Idle.}]}
    """
    asked = policy_with(rule, instead=True)
    condition = asked.rules[0].groups[0][1]
    lately = replace(a_contact("working", notes_last_contacted=stamp(ago(3))), history=None)
    assert condition.test(View(asked, lately, NOW)) == 0
    assert condition.flip is not None
    assert condition.flip(View(asked, lately, NOW)) == ago(-11)
    long_ago = replace(a_contact("working", notes_last_contacted=stamp(ago(20))), history=None)
    assert condition.test(View(asked, long_ago, NOW)) == -HISTORY


def test_attempts_are_counted_only_where_enough_contacts_were_logged() -> None:
    rule = """
    - {id: tired, playbook: T14, says: Tired., when: {attempts: {is_at_least: 8}},
       cause: last_rep_outreach, then: [{finding: Tired.}]}
    """
    condition = policy_with(rule, instead=True).rules[0].groups[0][0]
    for contacts, answer in (("7", 0), ("8", -ENGAGEMENTS)):
        unread = replace(a_contact("attempting", num_contacted_notes=contacts), engagements=None)
        assert condition.test(View(policy(), unread, NOW)) == answer
