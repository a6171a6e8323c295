"""Tasks: once per cause, at most one open per lead, never over a person's edits (playbook T1, T11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hubsync.policy.changes import OpenTask
from hubsync.policy.contact import Contact
from hubsync.policy.policy import Horizon
from hubsync.policy.vocabulary import STATUS
from tests.builders import (
    NOW,
    a_contact,
    a_deal,
    a_mail,
    ago,
    done,
    entry,
    looked_at,
    policy_with,
    sets,
)

CALL = "{create_task: {template: first_contact, due: {after_cause: 1 day}}}"


def a_task(number: int = 1, *, rule: str = "first_contact_task", untouched: bool = True) -> OpenTask:
    return OpenTask(number, str(number), rule, "first_contact", "lead_status_entered:1", untouched)


def having(contact: Contact, *tasks: OpenTask) -> Contact:
    return replace(contact, open_tasks=tasks)


def spent(contact: Contact) -> Contact:
    return replace(contact, spent=done(contact, looked_at(contact)).spent)


def test_the_first_contact_is_due_two_business_hours_after_the_lead_became_new() -> None:
    friday_evening = datetime(2026, 2, 27, 17, 0, tzinfo=UTC)
    (task,) = looked_at(a_contact("new", since=friday_evening)).tasks
    assert (task.owner, task.priority) == ("11", "HIGH")
    assert task.due == datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
    assert "New since 27 February" in task.body


def test_a_lead_without_an_owner_gets_a_finding_and_no_task() -> None:
    decision = looked_at(a_contact("new", owner=None, num_conversion_events="1"))
    assert decision.tasks == ()
    assert [f.rule for f in decision.findings] == ["new_lead_without_owner"]


def test_a_re_read_is_no_new_cause_and_a_re_entry_is() -> None:
    contact = a_contact("new", since=ago(3))
    after = done(contact, looked_at(contact))
    assert looked_at(after).tasks == ()
    history = {
        **(after.history or {}),
        STATUS: [
            entry("NEW", NOW + timedelta(days=2)),
            entry("CONNECTED", NOW + timedelta(days=1)),
            *(after.history or {})[STATUS],
        ],
    }
    again = replace(after, history=history, open_tasks=())
    assert len(looked_at(again, NOW + timedelta(days=3)).tasks) == 1


def test_a_new_task_replaces_an_untouched_older_one() -> None:
    decision = looked_at(having(a_contact("new"), a_task()))
    assert len(decision.tasks) == 1
    assert [(w.task.write_id, w.why) for w in decision.withdrawn] == [(1, "a newer task replaces it")]


def test_an_edited_task_is_left_and_holds_the_new_one() -> None:
    decision = looked_at(having(a_contact("new"), a_task(1), a_task(2, untouched=False)))
    assert (decision.tasks, decision.withdrawn) == ((), ())
    assert [t.template for t in decision.held] == ["first_contact"]


def test_a_task_goes_when_what_it_asks_for_was_done() -> None:
    contact = having(a_contact("new", engagements=[a_mail(ago(1))]), a_task())
    decision = looked_at(contact)
    assert sets(decision) == {STATUS: "attempting"}
    assert [w.why for w in decision.withdrawn] == ["what it asks for is no longer needed"]


def test_an_edited_task_stays_though_it_is_no_longer_needed() -> None:
    decision = looked_at(having(a_contact("working"), a_task(untouched=False)))
    assert not decision.acts


def test_a_task_is_not_taken_back_in_the_middle_of_an_edit() -> None:
    """Somebody clears the status to set it again: within the quiet time the task stays."""
    contact = having(a_contact([("new", ago(3)), ("none", ago(minutes=1), "person")], "lead"), a_task())
    decision = looked_at(contact)
    assert (decision.withdrawn, decision.waiting) == ((), ago(minutes=-1))
    assert len(looked_at(contact, NOW + timedelta(minutes=1)).withdrawn) == 1


def test_untouched_tasks_go_when_the_contact_is_no_longer_managed() -> None:
    held = having(a_contact("new", hubsync_hold="true"), a_task(1), a_task(2, untouched=False))
    decision = looked_at(held)
    assert [(w.task.write_id, w.why) for w in decision.withdrawn] == [(1, "the contact is no longer managed")]
    assert (decision.changes, decision.tasks) == ((), ())


def test_a_task_of_a_rule_that_is_gone_is_left_alone() -> None:
    assert looked_at(having(a_contact("working"), a_task(rule="long_gone"))).withdrawn == ()


def test_a_task_for_an_old_cause_is_not_written() -> None:
    assert looked_at(a_contact("new", since=ago(9)), horizon=Horizon(ago(5))).tasks == ()


def test_a_task_waits_until_the_status_has_settled() -> None:
    decision = looked_at(a_contact("new", since=ago(minutes=1)))
    assert (decision.tasks, decision.waiting) == ((), ago(minutes=-1))


def test_a_task_is_written_for_the_state_that_all_changes_leave() -> None:
    decision = looked_at(a_contact("none", "mql", deals=[a_deal(at=ago(1))]))
    assert sets(decision)[STATUS] == "converted"
    assert decision.tasks == ()


TWO = f"""
- id: greet
  playbook: X
  says: Greet.
  when: {{lead_status: {{is: connected}}}}
  cause: lifecycle_stage_entered
  then: [{CALL}]
- id: call
  playbook: X
  says: Call.
  when: {{lead_status: {{is: connected}}}}
  cause: lead_status_entered
  then: [{CALL}]
"""


def test_of_two_new_tasks_the_one_with_the_latest_cause_is_created_and_the_other_is_spent() -> None:
    both = policy_with(TWO)
    decision = looked_at(a_contact([("connected", ago(1))], [("lead", ago(4))]), of=both)
    assert [t.rule for t in decision.tasks] == ["call"]
    assert [(s.rule, s.target, s.by) for s in decision.superseded] == [("greet", "first_contact", "call")]


WITH_CHANGE = f"""
- id: stale
  playbook: A6
  says: Nothing moved.
  when: {{lead_status: {{is: working}}}}
  cause: lead_status_entered
  then: [{{set: {{lead_status: nurture}}}}, {CALL}, {{finding: Look at it.}}]
"""


def test_a_rule_may_change_a_value_create_a_task_and_show_a_finding() -> None:
    stale = policy_with(WITH_CHANGE)
    contact = a_contact("working", of=stale)
    decision = looked_at(contact, of=stale)
    assert sets(decision, stale) == {STATUS: "nurture"}
    assert [t.rule for t in decision.tasks] == ["stale"]
    assert [f.message for f in decision.findings] == ["Look at it."]
    after = done(contact, decision)
    assert not looked_at(after, NOW + timedelta(seconds=1), of=stale).acts


def test_the_task_of_a_change_goes_when_nothing_of_the_change_stands() -> None:
    stale = policy_with(WITH_CHANGE)
    contact = a_contact("working", of=stale)
    after = done(contact, looked_at(contact, of=stale))
    entries = [entry("CONNECTED", NOW + timedelta(hours=1), "person"), *(after.history or {})[STATUS]]
    history = {**(after.history or {}), STATUS: entries}
    moved = replace(after, properties={**after.properties, STATUS: "CONNECTED"}, history=history)
    assert [w.task.rule for w in looked_at(moved, NOW + timedelta(hours=2), of=stale).withdrawn] == ["stale"]


def test_a_rule_that_is_superseded_loses_its_task_with_its_change() -> None:
    stale = policy_with(WITH_CHANGE)
    contact = a_contact("working", since=ago(4), deals=[a_deal(at=ago(1))], of=stale)
    decision = looked_at(contact, of=stale)
    assert sets(decision, stale)[STATUS] == "converted"
    assert decision.tasks == ()
    assert {(s.rule, s.target) for s in decision.superseded} == {("stale", STATUS), ("stale", "first_contact")}


@pytest.mark.parametrize("mode", ["propose", "report"])
def test_rules_that_only_propose_or_report_create_no_task(mode: str) -> None:
    mild = policy_with(TWO.replace("  cause:", f"  mode: {mode}\n  cause:"))
    assert looked_at(a_contact("connected", of=mild), of=mild).tasks == ()
