"""The next action of a lead: what is planned besides hubsync's own tasks (T10, D9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from hubsync.policy.changes import OpenTask
from hubsync.policy.contact import Contact, Engagement
from hubsync.policy.planned import next_action, next_action_ends
from hubsync.policy.view import TASKS, Missing, View
from tests.builders import NOW, a_contact, ago, policy, stamp

TOMORROW, IN_TWO_DAYS = ago(-1), ago(-2)


def planned(contact: Contact) -> datetime | Missing | None:
    return next_action(View(policy(), contact, NOW))


def ours(due: datetime, *, untouched: bool = True) -> OpenTask:
    return OpenTask(1, "900", "first_contact_task", "first_contact", "k", untouched, due=due.isoformat())


def with_our_task(nearest: datetime, *tasks: Engagement, task: OpenTask | None = None, **properties: str) -> Contact:
    """A lead with a task of hubsync's due tomorrow, and what else its timeline holds (None: not read)."""
    contact = a_contact("working", notes_next_activity_date=stamp(nearest))
    contact = replace(contact, properties={**contact.properties, **properties})
    return replace(contact, open_tasks=(task or ours(TOMORROW),), others_tasks=tasks or None)


def a_task(due: datetime) -> Engagement:
    return Engagement("tasks", "901", due, {})


def test_without_a_task_of_ours_hubspots_date_tells() -> None:
    unread = replace(a_contact("working", notes_next_activity_date=stamp(TOMORROW)), others_tasks=None)
    assert planned(unread) == TOMORROW
    assert planned(replace(a_contact("working"), others_tasks=None)) is None


def test_what_lies_behind_is_no_next_action() -> None:
    assert planned(a_contact("working", notes_next_activity_date=stamp(ago(1)))) is None


def test_a_date_that_is_not_our_tasks_needs_no_reading() -> None:
    assert planned(with_our_task(IN_TWO_DAYS)) == IN_TWO_DAYS


def test_our_own_task_is_none_and_may_hide_another() -> None:
    assert planned(with_our_task(TOMORROW)) == Missing(TASKS)
    assert planned(with_our_task(TOMORROW, a_task(IN_TWO_DAYS))) == IN_TWO_DAYS
    assert planned(with_our_task(TOMORROW, a_task(ago(1)))) is None


def test_a_task_of_ours_that_somebody_moved_is_still_ours() -> None:
    moved = ours(TOMORROW, untouched=False)
    assert planned(with_our_task(IN_TWO_DAYS, task=moved)) == Missing(TASKS)


def test_a_digest_that_hangs_on_the_lead_is_none_and_may_hide_another() -> None:
    """It names the leads that wait for their owner's next day (B4)."""
    contact = replace(a_contact("working", notes_next_activity_date=stamp(TOMORROW)), digests={"900": TOMORROW})
    assert planned(replace(contact, others_tasks=None)) == Missing(TASKS)
    assert planned(replace(contact, others_tasks=(a_task(IN_TWO_DAYS),))) == IN_TWO_DAYS
    assert planned(replace(contact, others_tasks=())) is None


def test_a_meeting_ahead_is_a_next_action_even_behind_our_task() -> None:
    assert planned(with_our_task(TOMORROW, hs_latest_meeting_activity=stamp(IN_TWO_DAYS))) == IN_TWO_DAYS


def test_it_ends_when_its_time_comes() -> None:
    contact = a_contact("working", notes_next_activity_date=stamp(TOMORROW))
    assert next_action_ends(View(policy(), contact, NOW)) == TOMORROW
    assert next_action_ends(View(policy(), with_our_task(TOMORROW), NOW)) is None
