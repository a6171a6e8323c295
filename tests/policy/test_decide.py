"""Deciding with the shipped rules: who wins, what is left alone, what comes later (design 1, playbook D4–D7, B1)."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from hubsync.policy import settlement
from hubsync.policy.changes import NOTHING
from hubsync.policy.contact import Contact
from hubsync.policy.decide import decide
from hubsync.policy.policy import Horizon
from hubsync.policy.view import DEALS, ENGAGEMENTS, HISTORY
from hubsync.policy.vocabulary import STAGE, STATUS
from tests.builders import (
    EVER,
    NOW,
    a_contact,
    a_deal,
    a_mail,
    ago,
    done,
    entry,
    found,
    looked_at,
    policy,
    policy_with,
    rules_of,
    sets,
    undone,
)

ATTEMPTING = {STATUS: "attempting"}
CONVERTED = {STATUS: "converted", STAGE: "opportunity"}


# ---- freshness ----


def test_a_rule_does_not_write_over_what_a_person_chose_after_its_cause() -> None:
    chosen = a_contact([("attempting", ago(9)), ("none", ago(1), "person")], engagements=[a_mail(ago(2))], stage="lead")
    assert sets(looked_at(chosen)) == {}


def test_a_cause_newer_than_the_persons_choice_fires() -> None:
    chosen = a_contact([("attempting", ago(9)), ("none", ago(2), "person")], engagements=[a_mail(ago(1))])
    assert sets(looked_at(chosen)) == ATTEMPTING


def test_a_cause_at_the_moment_of_the_persons_choice_fires() -> None:
    chosen = a_contact([("attempting", ago(9)), ("none", ago(2), "person")], engagements=[a_mail(ago(2))])
    assert sets(looked_at(chosen)) == ATTEMPTING


@pytest.mark.parametrize("by", ["automation", "import", "integration", "form"])
def test_only_persons_overrule_a_rule(by: str) -> None:
    changed = a_contact([("attempting", ago(9)), ("none", ago(1), by)], engagements=[a_mail(ago(2))])
    assert sets(looked_at(changed)) == ATTEMPTING


def test_a_writer_nobody_has_heard_of_counts_as_a_person() -> None:
    changed = a_contact([("attempting", ago(9)), ("none", ago(1))], engagements=[a_mail(ago(2))])
    entries = [dict(e) for e in (changed.history or {})[STATUS]]
    entries[0]["sourceType"] = "SOMETHING_NEW"
    assert sets(looked_at(replace(changed, history={**(changed.history or {}), STATUS: entries}))) == {}


@pytest.mark.parametrize("by", ["person", "automation"])
def test_a_stage_moved_back_by_anyone_is_not_moved_forward_for_an_older_cause(by: str) -> None:
    stages = [("lead", ago(30)), ("sql", ago(8)), ("lead", ago(2), by)]
    assert sets(looked_at(a_contact([("qualified", ago(9))], stages))) == {}


def test_the_lock_of_converted_writes_over_a_persons_choice_once_per_deal() -> None:
    statuses = [("converted", ago(5)), ("working", ago(1), "person")]
    contact = a_contact(statuses, "opportunity", since=ago(9), deals=[a_deal(at=ago(6))])
    decision = looked_at(contact)
    assert rules_of(decision) == {STATUS: "converted_is_locked"}
    after = done(contact, decision)
    entries = [entry("IN_PROGRESS", NOW + timedelta(days=8), "person"), *(after.history or {})[STATUS]]
    again = replace(
        after,
        properties={**after.properties, STATUS: "IN_PROGRESS"},
        history={**(after.history or {}), STATUS: entries},
    )
    assert sets(looked_at(again, NOW + timedelta(days=9))) == {}
    other = replace(again, deals=(*(again.deals or ()), a_deal(at=ago(1), id="8")))
    assert rules_of(looked_at(other, NOW + timedelta(days=9))) == {}, "to and fro with a person: 7 days of rest (A18)"
    assert rules_of(looked_at(other, NOW + timedelta(days=15))) == {STATUS: "converted_is_locked"}


# ---- ledger ----


def test_a_spent_cause_does_not_fire_again_whatever_became_of_the_value() -> None:
    contact = a_contact("new", engagements=[a_mail(ago(1))])
    after = done(contact, looked_at(contact))
    reset = replace(
        after,
        properties={**after.properties, STATUS: "NEW"},
        history={**(after.history or {}), STATUS: (contact.history or {})[STATUS]},
        ours=(),
    )
    assert sets(looked_at(reset)) == {}


def test_a_second_mail_in_the_same_cycle_is_no_new_cause_and_one_in_the_next_is() -> None:
    contact = a_contact("new", engagements=[a_mail(ago(1))])
    after = done(contact, looked_at(contact))
    back = [entry("NEW", NOW + timedelta(days=1)), *(after.history or {})[STATUS]]
    recycled = replace(
        after, properties={**after.properties, STATUS: "NEW"}, history={**(after.history or {}), STATUS: back}
    )
    assert sets(looked_at(recycled, NOW + timedelta(days=2))) == {}
    mailed = replace(recycled, engagements=(*(after.engagements or ()), a_mail(NOW + timedelta(days=2), id="m2")))
    assert sets(looked_at(mailed, NOW + timedelta(days=2))) == {}, "once in seven days (A18)"
    assert sets(looked_at(mailed, NOW + timedelta(days=7))) == ATTEMPTING


def test_an_undo_stops_every_older_cause_from_writing_the_property_again() -> None:
    contact = a_contact("new", "mql", deals=[a_deal(at=ago(2))], engagements=[a_mail(ago(1))])
    after = done(contact, looked_at(contact))
    back = undone(undone(after, STATUS, NOW + timedelta(minutes=5)), STAGE, NOW + timedelta(minutes=5))
    free = replace(back, spent=frozenset())
    assert sets(looked_at(free, NOW + timedelta(days=1))) == {}
    dealt = replace(free, deals=(a_deal(at=NOW + timedelta(hours=1), id="9"),))
    assert sets(looked_at(dealt, NOW + timedelta(days=7))) == CONVERTED


# ---- several causes ----


def test_the_latest_of_several_causes_wins_and_the_others_are_spent() -> None:
    contact = a_contact("new", "lead", deals=[a_deal(at=ago(1))], engagements=[a_mail(ago(2))])
    decision = looked_at(contact)
    assert sets(decision) == CONVERTED
    assert [(s.rule, s.by) for s in decision.superseded] == [
        ("attempting_on_first_rep_outreach", "converted_on_open_deal")
    ]
    assert decision.tasks == ()


def test_a_later_cause_does_not_undo_what_the_earlier_one_would_have_kept_from_happening() -> None:
    """A deal on Saturday, a mail on Sunday: had we looked in time, the mail would have met a converted lead."""
    contact = a_contact("new", "lead", deals=[a_deal(at=ago(2))], engagements=[a_mail(ago(1))])
    decision = looked_at(contact)
    assert sets(decision) == CONVERTED
    assert [s.rule for s in decision.superseded] == ["attempting_on_first_rep_outreach"]


def test_a_mail_after_the_deal_was_won_leaves_a_customer() -> None:
    contact = a_contact("new", "lead", deals=[a_deal("won", ago(2))], engagements=[a_mail(ago(1))])
    assert sets(looked_at(contact)) == {STATUS: "customer", STAGE: "customer"}


def test_looking_in_time_and_looking_late_come_to_the_same() -> None:
    mail, deal, lost = a_mail(ago(6)), a_deal(at=ago(4)), a_deal("lost", ago(2), opened=ago(4))
    early = a_contact("new", "lead", engagements=[mail], num_contacted_notes="1")
    early = done(early, looked_at(early, ago(5)), ago(5))
    early = replace(early, deals=(deal,))
    early = done(early, looked_at(early, ago(3)), ago(3))
    early = replace(early, deals=(lost,))
    early = done(early, looked_at(early, ago(1)), ago(1))
    late = a_contact("new", "lead", engagements=[mail], deals=[lost])
    late = done(late, looked_at(late))
    assert early.properties[STATUS] == late.properties[STATUS] == "BAD_TIMING"
    assert early.properties["hubsync_review_date"] == late.properties["hubsync_review_date"]


def test_one_sync_goes_through_to_the_task() -> None:
    decision = looked_at(a_contact("none", "mql", since=ago(1)))
    assert sets(decision) == {STATUS: "new"}
    assert [(t.template, t.owner, t.cause.at) for t in decision.tasks] == [("first_contact", "11", ago(1))]


AWAY_AND_BACK = """
- id: away
  playbook: X
  says: Away.
  when: {lead_status: {is: new}}
  cause: lifecycle_stage_entered
  then: [{set: {lead_status: working}}]
- id: back
  playbook: X
  says: Back.
  when: {lead_status: {is: working}}
  cause: lead_status_entered
  then: [{set: {lead_status: new}}]
"""


def test_a_property_that_ends_where_it_began_is_no_change() -> None:
    two = policy_with(AWAY_AND_BACK, instead=True)
    assert looked_at(a_contact("new", "mql", of=two), of=two).changes == ()


def test_rules_that_do_not_settle_write_nothing_and_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement, "MOST_ROUNDS", 1)
    decision = looked_at(a_contact("none", "mql"))
    assert not decision.acts
    assert [c.wants[0][0] for c in decision.conflicts] == ["the rules do not settle"]


# ---- settling (D7) ----


def test_a_status_that_just_changed_waits_two_minutes() -> None:
    contact = a_contact("qualified", "lead", since=ago(minutes=1))
    contact = replace(contact, history={**(contact.history or {}), STAGE: [entry("lead", ago(9))]})
    decision = looked_at(contact)
    assert (decision.changes, decision.waiting) == ((), ago(minutes=-1))
    assert decision.look_again == decision.waiting
    assert sets(looked_at(contact, NOW + timedelta(minutes=1))) == {STAGE: "sql"}


def test_a_combination_waits_fifteen_minutes() -> None:
    statuses = [("working", ago(9)), ("new", ago(minutes=5))]
    decision = looked_at(a_contact(statuses, [("mql", ago(20)), ("sql", ago(8))]))
    assert (sets(decision), decision.waiting) == ({STATUS: "working"}, None)
    spent = done(a_contact(statuses, [("mql", ago(20)), ("sql", ago(8))]), decision).spent
    waiting = looked_at(replace(a_contact(statuses, [("mql", ago(20)), ("sql", ago(8))]), spent=spent))
    assert (waiting.changes, waiting.waiting) == ((), ago(minutes=-10))


def test_what_hubsync_wrote_needs_no_quiet_time() -> None:
    contact = a_contact("none", "mql")
    after = done(contact, looked_at(contact))
    free = replace(after, spent=frozenset(), open_tasks=())
    assert [t.template for t in looked_at(free, NOW + timedelta(seconds=1)).tasks] == ["first_contact"]


def test_a_stage_that_was_cleared_and_set_is_judged_as_uninterrupted() -> None:
    stages = [("mql", ago(9)), ("none", ago(minutes=40), "person"), ("mql", ago(minutes=39), "person")]
    decision = looked_at(a_contact("none", stages))
    assert [c.cause.at for c in decision.changes] == [ago(9)]


# ---- B1 ----


def test_older_causes_are_backlog_shown_and_never_written() -> None:
    contact = a_contact("none", "mql", since=ago(10))
    decision = looked_at(contact, horizon=Horizon(ago(5)))
    assert not decision.acts
    assert [(f.rule, f.backlog, f.fix) for f in decision.findings] == [
        ("new_on_becoming_mql", True, (STATUS, "", "NEW")),
    ]


def test_before_the_first_write_everything_is_backlog() -> None:
    decision = looked_at(a_contact("none", "mql", since=ago(minutes=20)), horizon=Horizon())
    assert not decision.acts
    assert [f.backlog for f in decision.findings] == [True]


def test_a_rule_may_count_from_later_than_the_others() -> None:
    contact = a_contact("none", "sql", since=ago(10))
    later = Horizon(ago(20), {"working_on_becoming_sql": ago(5)})
    assert rules_of(looked_at(contact, horizon=later)) == {STATUS: "cell_sql_none"}


def test_live_and_backlog_are_told_apart_on_one_contact() -> None:
    contact = a_contact([("qualified", ago(1))], "lead", since=ago(30), deals=[a_deal(at=ago(20))])
    decision = looked_at(contact, horizon=Horizon(ago(5)))
    assert sets(decision) == {STAGE: "sql"}
    backlog = {f.rule: f.fix for f in decision.findings if f.backlog}
    assert backlog["converted_on_open_deal"] is not None


# ---- D4, modes, conflicts ----


def test_an_option_that_no_key_maps_is_left_alone() -> None:
    assert looked_at(a_contact("OPEN", "mql", deals=[a_deal()])) is NOTHING


def test_a_proposal_is_a_finding_and_never_a_change() -> None:
    decision = looked_at(a_contact("new", "subscriber"))
    assert (decision.changes, found(decision)) == ((), {"cell_subscriber_new": "propose"})
    assert decision.findings[0].fix == (STAGE, "subscriber", "lead")


def test_a_report_says_what_could_be_set() -> None:
    decision = looked_at(a_contact("none", "lead", hs_object_source="IMPORT"))
    assert decision.changes == ()
    assert found(decision) == {"imported_lead_without_status": "report"}


PAIR = """
- id: one
  playbook: X
  says: One.
  when: {lead_status: {is: new}}
  cause: lead_status_entered
  then: [{set: {lead_status: working}}]
- id: two
  playbook: X
  says: Two.
  when: {lead_status: {is: new}}
  cause: lead_status_entered
  then: [{set: {lead_status: nurture, hubsync_reason: timing}}]
"""


def test_two_rules_at_one_moment_without_an_order_conflict_and_nothing_is_written() -> None:
    unordered = policy_with(PAIR, instead=True)
    decision = looked_at(a_contact("new", "mql", of=unordered), of=unordered)
    assert not decision.acts
    assert [(c.property, dict(c.wants)) for c in decision.conflicts] == [
        (STATUS, {"one": "IN_PROGRESS", "two": "NURTURE"})
    ]
    assert decision.superseded == ()


def test_at_one_moment_the_rule_that_outranks_the_other_wins_with_all_it_sets() -> None:
    ordered = policy_with(PAIR + "  outranks: [one]", instead=True)
    decision = looked_at(a_contact("new", "mql", of=ordered), of=ordered)
    assert sets(decision, ordered) == {STATUS: "nurture", "hubsync_reason": "timing"}
    assert [(s.rule, s.by) for s in decision.superseded] == [("one", "two")]


def test_the_rule_that_is_outranked_loses_all_it_would_have_set() -> None:
    ordered = policy_with(
        PAIR.replace("{lead_status: working}}]", "{lead_status: working}}]\n  outranks: [two]"), instead=True
    )
    decision = looked_at(a_contact("new", "mql", of=ordered), of=ordered)
    assert sets(decision, ordered) == {STATUS: "working"}
    assert {(s.rule, s.target) for s in decision.superseded} == {("two", STATUS), ("two", "hubsync_reason")}


def test_rules_that_want_the_same_value_make_one_change_and_the_latest_cause_carries_it() -> None:
    same = policy_with(
        PAIR.replace("{lead_status: nurture, hubsync_reason: timing}", "{lead_status: working}").replace(
            "cause: lead_status_entered", "cause: lifecycle_stage_entered", 1
        ),
        instead=True,
    )
    contact = a_contact([("new", ago(2))], [("mql", ago(5))], of=same)
    decision = looked_at(contact, of=same)
    assert [(c.rule, c.cause.at) for c in decision.changes] == [("two", ago(2))]
    assert [s.rule for s in decision.superseded] == ["one"]


# ---- dear facts ----


def test_a_lead_without_deals_never_needs_them() -> None:
    bare = a_contact("working", "lead")
    unread = replace(bare, history=None, deals=None, engagements=None)
    assert decide(policy(), unread, NOW, EVER) is NOTHING


@pytest.mark.parametrize(
    ("status", "stage", "properties", "needs"),
    [
        ("working", "lead", {"num_associated_deals": "1"}, DEALS),
        ("none", "mql", {}, HISTORY),
        ("new", "lead", {"num_contacted_notes": "2"}, ENGAGEMENTS),
        ("qualified", "lead", {}, HISTORY),
        ("working", "sql", {"num_contacted_notes": "2"}, 0),
    ],
)
def test_only_what_a_rule_hangs_on_is_asked_for(
    status: str, stage: str, properties: dict[str, str], needs: int
) -> None:
    contact = replace(a_contact(status, stage, **properties), history=None, deals=None, engagements=None)  # type: ignore[arg-type]
    assert decide(policy(), contact, NOW, EVER, tasks=False).needs & ~HISTORY == needs & ~HISTORY
    assert bool(decide(policy(), contact, NOW, EVER, tasks=False).needs) == bool(needs)


def test_without_tasks_nothing_is_read_for_them_and_none_is_planned() -> None:
    contact = a_contact("new", "lead")
    unread = replace(contact, history=None)
    assert decide(policy(), unread, NOW, EVER).needs == HISTORY
    assert decide(policy(), unread, NOW, EVER, tasks=False) is NOTHING
    assert decide(policy(), contact, NOW, EVER, tasks=False).tasks == ()


def test_a_contact_whose_history_is_read_keeps_all_else_that_is_known_of_it() -> None:
    rest: dict[str, Any] = {f.name: object() for f in fields(Contact) if f.name not in {"id", "properties"}}
    known = Contact("1", {}, **rest)
    read = known.with_history({"email": "a@example.com"}, {STATUS: []})
    assert read == replace(known, properties={"email": "a@example.com"}, history={STATUS: []})
