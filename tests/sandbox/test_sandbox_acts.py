"""Invariants of the portal under any sequence of acts, and what single acts leave behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubsync.sandbox import Portal, SandboxClock, acts
from hubsync.sandbox.http.call import Call
from hubsync.sandbox.http.search import search
from hubsync.sandbox.http.wire import Shape
from hubsync.sandbox.object_properties import ENGAGEMENTS
from hubsync.sandbox.records import Record
from hubsync.sandbox.times import from_ms, iso, parse_ms

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
STAGES = ("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "other")
STATUSES = ("", "NEW", "OPEN", "CONNECTED", "BAD_TIMING")


class World:
    """A portal with a clock that stands still, two reps, and the acts that hypothesis chooses from."""

    def __init__(self) -> None:
        self.clock = SandboxClock(START, frozen=True)
        self.portal = Portal(clock=self.clock)
        add = self.portal.directory.add_owner
        self.owners = [add("r@example.com", "R", "One").id, add("s@example.com", "S", "Two").id]
        self.contacts = [acts.create_contact(self.portal, email=f"c{n}@example.com") for n in range(3)]
        self.deals: list[str] = []
        self.meetings: list[str] = []
        self.tasks: list[str] = []
        self.ids = {kind: [0] for kind in self.portal.tables}

    def perform(self, name: str, which: int, choice: int, pause: int) -> None:
        """One act, `pause` minutes after the one before."""
        self.clock.advance(timedelta(minutes=pause))
        contact = self.contacts[which % len(self.contacts)]
        owner = self.owners[choice % 2]
        soon = self.clock.now() + timedelta(hours=choice)
        p = self.portal
        match name:
            case "stage":
                acts.integration_sets(p, contact, "lifecyclestage", STAGES[choice % len(STAGES)])
            case "back":
                acts.clear_then_set(p, contact, "lifecyclestage", STAGES[choice % len(STAGES)], gap=0)
            case "status":
                acts.person_sets(p, contact, "hs_lead_status", STATUSES[choice % len(STATUSES)], owner)
            case "owner":
                acts.assign_owner(p, contact, owner if choice % 3 else "")
            case "mail":
                acts.rep_sends_email(p, contact, owner, status=("SENT", "SCHEDULED", "FAILED", None)[choice % 4])
            case "reply":
                acts.lead_replies(p, contact)
            case "call":
                acts.rep_calls(p, contact, owner, direction=("OUTBOUND", "INBOUND")[choice % 2])
            case "note":
                acts.log_note(p, contact, "hm", owner)
            case "message":
                acts.rep_messages(p, contact, owner)
            case "meeting":
                self.meetings.append(acts.book_meeting(p, contact, owner, soon, through_tool=bool(choice % 2)))
            case "miss" if self.meetings:
                acts.miss_meeting(p, self.meetings[which % len(self.meetings)], at=self.clock.now())
            case "task":
                self.tasks.append(acts.create_task(p, contact, owner, "Call", soon))
            case "done" if self.tasks:
                acts.complete_task(p, self.tasks[which % len(self.tasks)])
            case "deal":
                self.deals.append(acts.create_deal(p, contact, amount=choice))
            case "won" if self.deals:
                acts.win_deal(p, self.deals[which % len(self.deals)])
            case "lost" if self.deals:
                acts.lose_deal(p, self.deals[which % len(self.deals)], "too dear")
            case "form":
                acts.submit_form(p, contact)
            case "new":
                self.contacts.append(acts.create_contact(p, source="form"))
            case "merge" if len(self.contacts) > 2:
                other = self.contacts.pop()
                acts.merge_contacts(p, self.contacts[0], other, new_id=bool(choice % 2))
                self.contacts[0] = p.survivor(self.contacts[0])
            case "delete" if len(self.contacts) > 2:
                acts.delete_contact(p, self.contacts.pop())
            case "privacy" if len(self.contacts) > 2:
                acts.privacy_delete(p, self.contacts.pop())

    def check(self) -> None:
        """Every invariant that holds at every moment."""
        self.portal.catch_up()
        for contact in self.contacts:
            record = self.portal.get("contacts", contact)
            _check_history(self.portal, record)
            _check_activity(self.portal, record)
        for table in self.portal.tables.values():
            assert table.ids == sorted(table.ids)
            assert {str(each) for each in table.ids} == set(table.records)


def _check_history(portal: Portal, record: Record) -> None:
    shown = Shape(portal, "contacts", ["hs_lead_status"], ["hs_lead_status", "lifecyclestage", "hubspot_owner_id"])
    body = shown.show(record)
    for name, entries in body["propertiesWithHistory"].items():
        value = portal.value(record, name)
        assert (entries[0]["value"] if entries else "") == (value or "")
        moments = [parse_ms(entry["timestamp"]) for entry in entries]
        assert moments == sorted(moments, reverse=True)
        assert all(moment <= record.updated for moment in moments)
        values = [entry["value"] for entry in entries]
        assert all(one != other for one, other in pairwise(values))


def _check_activity(portal: Portal, record: Record) -> None:
    """The derived properties, worked out once more and in another way."""
    now = portal.clock.now()
    found: list[Any] = [portal.tables[kind].records[each] for kind in ENGAGEMENTS for each in record.linked(kind)]
    values = record.values

    def moment(each: Any) -> datetime:
        return from_ms(parse_ms(each.values["hs_timestamp"]))

    def made(each: Any) -> bool:
        if each.kind == "emails":
            sent = each.values.get("hs_email_status", "SENT") in ("SENT", "BOUNCED")
            return bool(sent and each.values["hs_email_direction"] == "EMAIL")
        if each.kind == "meetings":
            return moment(each) <= now
        return each.kind in ("calls", "communications")

    assert int(values.get("num_notes", "0")) == len(found)
    contacted = [moment(each) for each in found if made(each)]
    assert int(values.get("num_contacted_notes", "0")) == len(contacted)
    last = values.get("notes_last_contacted")
    assert (from_ms(parse_ms(last)) if last else None) == max(contacted, default=None)
    outreach = [moment(each) for each in found if made(each) and each.values.get("hs_call_direction") != "INBOUND"]
    first = values.get("hs_first_outreach_date")
    assert (from_ms(parse_ms(first)) if first else None) == min(outreach, default=None)
    open_tasks = [
        moment(each) for each in found if each.kind == "tasks" and each.values["hs_task_status"] != "COMPLETED"
    ]
    meetings = [moment(each) for each in found if each.kind == "meetings"]
    upcoming = [each for each in open_tasks if each >= now] + [each for each in meetings if each > now]
    following = values.get("notes_next_activity_date")
    assert (from_ms(parse_ms(following)) if following else None) == min(upcoming, default=None)
    assert int(values.get("num_associated_deals", "0")) == len(record.linked("deals"))


ACT_NAMES = [
    "stage",
    "back",
    "status",
    "owner",
    "mail",
    "reply",
    "call",
    "note",
    "message",
    "meeting",
    "miss",
    "task",
    "done",
    "deal",
    "won",
    "lost",
    "form",
    "new",
    "merge",
    "delete",
    "privacy",
]
STEPS = st.lists(
    st.tuples(st.sampled_from(ACT_NAMES), st.integers(0, 5), st.integers(0, 12), st.integers(0, 90)), max_size=25
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_line_8_histories_and_derived_properties_hold_after_any_acts(steps: list[tuple[str, int, int, int]]) -> None:
    world = World()
    for step in steps:
        world.perform(*step)
        world.check()
    world.clock.advance(timedelta(days=3))
    world.check()


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_line_6_the_index_catches_up_after_any_acts(steps: list[tuple[str, int, int, int]]) -> None:
    world = World()
    for step in steps:
        world.perform(*step)
    world.clock.advance(timedelta(days=3))
    world.portal.catch_up()
    world.clock.advance(timedelta(seconds=3))
    call = Call(world.portal, "POST", "/crm/v3/objects/contacts/search", "", b'{"limit":200}')
    body = search(call, "contacts")
    shape = Shape(world.portal, "contacts")
    expected = [shape.show(world.portal.get("contacts", each)) for each in world.portal.contacts()]
    by_id = {each["id"]: each for each in expected}
    assert {each["id"]: each for each in orjson.loads(body.body)["results"]} == by_id


@settings(max_examples=30, deadline=None)
@given(STEPS)
def test_equal_acts_make_equal_portals(steps: list[tuple[str, int, int, int]]) -> None:
    one, two = World(), World()
    for step in steps:
        one.perform(*step)
        two.perform(*step)
    shown = [
        [Shape(each.portal, "contacts", (), ["lifecyclestage"]).show(record) for record in records]
        for each in (one, two)
        for records in [each.portal.tables["contacts"].records.values()]
    ]
    assert shown[0] == shown[1]


def test_acts_in_the_past_keep_their_order(portal: Portal, contact: str) -> None:
    past = portal.clock.now() + timedelta(days=1)
    acts.workflow_sets(portal, contact, "hs_lead_status", "NEW", at=past)
    with pytest.raises(ValueError, match="order of time"):
        acts.workflow_sets(portal, contact, "hs_lead_status", "OPEN", at=past - timedelta(hours=1))
    assert portal.values("contacts", contact, "hs_lead_status") == {"hs_lead_status": "NEW"}


def test_a_person_may_move_a_stage_backward_in_hubspot_itself(portal: Portal, contact: str, owner: str) -> None:
    acts.person_sets(portal, contact, "lifecyclestage", "customer", owner)
    acts.workflow_sets(portal, contact, "lifecyclestage", "lead")
    assert portal.values("contacts", contact, "lifecyclestage") == {"lifecyclestage": "customer"}
    acts.person_sets(portal, contact, "lifecyclestage", "lead", owner)
    assert portal.values("contacts", contact, "lifecyclestage") == {"lifecyclestage": "lead"}


def test_mails_tell_who_wrote_and_how(portal: Portal, contact: str, owner: str) -> None:
    sequence = acts.rep_sends_email(portal, contact, owner, by_sequence=True)
    assert portal.values("emails", sequence, "hs_sequence_id", "hs_object_source", "hubspot_owner_id") == {
        "hs_sequence_id": "9001",
        "hs_object_source": "SEQUENCES",
        "hubspot_owner_id": owner,
    }
    auto = acts.lead_auto_replies(portal, contact)
    assert "auto-replied" in str(portal.value(portal.get("emails", auto), "hs_email_headers"))
    bounce = acts.email_bounces(portal, contact, sequence)
    assert bounce is not None
    assert portal.values("emails", sequence, "hs_email_status") == {"hs_email_status": "BOUNCED"}
    assert portal.values("emails", bounce, "hs_email_from_email") == {
        "hs_email_from_email": "mailer-daemon@googlemail.com"
    }


def test_the_current_owners_first_engagement_starts_anew_with_a_new_owner(
    portal: Portal, clock: SandboxClock, contact: str, owner: str
) -> None:
    acts.assign_owner(portal, contact, owner)
    clock.advance(timedelta(hours=2))
    call = acts.rep_calls(portal, contact, owner)
    names = ("hs_time_to_first_engagement", "hs_first_engagement_object_id", "hs_is_unworked")
    assert portal.values("contacts", contact, *names) == {
        "hs_time_to_first_engagement": "7200000",
        "hs_first_engagement_object_id": call,
        "hs_is_unworked": "false",
    }
    other = portal.directory.add_owner("o@example.com", "O", "Ther").id
    acts.assign_owner(portal, contact, other)
    assert portal.values("contacts", contact, *names) == {
        "hs_time_to_first_engagement": None,
        "hs_first_engagement_object_id": None,
        "hs_is_unworked": "true",
    }


def test_deals_keep_the_history_of_their_stage(portal: Portal, clock: SandboxClock, contact: str) -> None:
    deal = acts.create_deal(portal, contact)
    clock.advance(timedelta(days=1))
    acts.move_deal(portal, deal, "contractsent")
    clock.advance(timedelta(days=1))
    acts.lose_deal(portal, deal, "went with a competitor")
    body = Shape(portal, "deals", ["hs_is_closed", "hs_is_closed_won", "closed_lost_reason"], ["dealstage"]).show(
        portal.get("deals", deal)
    )
    assert [(each["value"], each["timestamp"]) for each in body["propertiesWithHistory"]["dealstage"]] == [
        ("closedlost", "2026-03-04T12:00:00.000Z"),
        ("contractsent", "2026-03-03T12:00:00.000Z"),
        ("appointmentscheduled", "2026-03-02T12:00:00.000Z"),
    ]
    assert body["properties"]["hs_is_closed"] == "true"
    assert body["properties"]["hs_is_closed_won"] == "false"
    assert portal.values("contacts", contact, "recent_deal_close_date") == {
        "recent_deal_close_date": iso(parse_ms("2026-03-04T12:00:00Z"))
    }


def test_a_privacy_deletion_leaves_nothing(portal: Portal, contact: str, owner: str) -> None:
    acts.rep_sends_email(portal, contact, owner)
    acts.privacy_delete(portal, contact)
    for archived in (False, True):
        with pytest.raises(KeyError):
            portal.get("contacts", contact, archived=archived)
    assert portal.create("contacts", {"email": "ada@example.com"}) != contact
