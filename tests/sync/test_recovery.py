"""Tasks that HubSpot may or may not have created: settled by what the contact's tasks show, never by a guess."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hubsync.sandbox import acts
from hubsync.store.values import NewWrite, Write
from hubsync.sync.recovery import APART, ASKED_AGAIN, RESTORABLE, UNDER_WAY, recover
from tests.sync.desk import Desk, ago

CREATE = r"/tasks/batch/create"


def unanswered(desk: Desk, kind: str = "drop_after") -> str:
    """A new lead whose task was sent and never answered for."""
    contact = desk.lead("NEW", at=ago(hours=1))
    desk.box.fail(kind, path=CREATE, times=1)
    desk.sync()
    desk.box.service.faults.clear()
    return contact


def settle(desk: Desk) -> int:
    """Settle what dead runs left open, as of now."""
    return recover(desk.gateway, desk.store, desk.portal.portal_id, desk.clock.now())


def row(desk: Desk, contact: str) -> Write:
    """The one row of the contact's task."""
    [found] = [r for r in desk.ledger(contact) if r.kind == "task"]
    return found


def test_a_task_that_is_there_is_found_at_once(desk: Desk) -> None:
    contact = unanswered(desk)
    assert settle(desk) == 1
    [task] = desk.tasks(contact)
    assert (row(desk, contact).state, row(desk, contact).object_id) == ("applied", task.id)


def test_nothing_is_given_up_while_hubspot_may_still_be_at_it(desk: Desk) -> None:
    contact = unanswered(desk, "drop_before")
    desk.clock.advance(UNDER_WAY - timedelta(seconds=1))
    assert settle(desk) == 0
    assert (row(desk, contact).state, row(desk, contact).note) == ("sent", None)


def test_a_task_is_given_up_after_two_reads_half_a_minute_apart(desk: Desk) -> None:
    contact = unanswered(desk, "drop_before")
    desk.clock.advance(UNDER_WAY)
    assert settle(desk) == 0
    assert (row(desk, contact).note or "").startswith("not there at 2026-03-02T15:02:30")
    desk.clock.advance(APART - timedelta(seconds=1))
    assert settle(desk) == 0
    desk.clock.advance(timedelta(seconds=1))
    assert settle(desk) == 1
    assert row(desk, contact).state == "not_applied"


def test_a_task_that_shows_only_at_the_second_read_is_not_created_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = unanswered(desk)
    desk.clock.advance(UNDER_WAY)
    with monkeypatch.context() as blind:
        blind.setattr(desk.gateway, "tasks_of", lambda ids: dict.fromkeys(ids, ()))
        assert settle(desk) == 0
    desk.clock.advance(APART)
    assert settle(desk) == 1
    assert row(desk, contact).state == "applied"
    desk.sync()
    assert len(desk.tasks(contact)) == 1


def test_of_a_deleted_contact_nothing_is_known_until_it_comes_back(desk: Desk) -> None:
    contact = unanswered(desk)
    acts.delete_contact(desk.portal, contact)
    desk.clock.advance(UNDER_WAY)
    for _ in range(3):
        assert settle(desk) == 0
        desk.clock.advance(APART)
    assert row(desk, contact).state == "sent"
    assert desk.sync().tally.uncertain == 0  # nobody waits for it
    acts.restore_contact(desk.portal, contact)
    desk.clock.advance(ASKED_AGAIN)
    desk.sync()
    [task] = desk.tasks(contact)
    assert (row(desk, contact).state, row(desk, contact).object_id) == ("applied", task.id)


def test_a_deleted_contact_is_asked_for_once_an_hour_and_given_up_when_nobody_can_restore_it(desk: Desk) -> None:
    contact = unanswered(desk)
    acts.delete_contact(desk.portal, contact)
    desk.clock.advance(UNDER_WAY)
    assert settle(desk) == 0
    assert (row(desk, contact).note or "").startswith("its contact was gone at 2026-03-02T15:02:30")
    calls = desk.portal.journal.request_count
    desk.clock.advance(ASKED_AGAIN - timedelta(seconds=1))
    assert settle(desk) == 0
    assert desk.portal.journal.request_count == calls
    desk.clock.advance(RESTORABLE)
    assert settle(desk) == 1
    assert row(desk, contact).state == "not_applied"


def test_a_task_of_a_lead_that_was_merged_meanwhile_is_found_on_the_one_it_became(desk: Desk) -> None:
    contact, into = unanswered(desk), desk.lead("CONNECTED")
    acts.merge_contacts(desk.portal, into, contact)
    desk.clock.advance(UNDER_WAY)
    assert settle(desk) == 1
    assert row(desk, contact).state == "applied"


@pytest.mark.parametrize("prop", ["hs_task_body", "hs_task_priority", "hs_task_status"])
def test_a_task_that_a_person_edited_before_it_was_found_is_still_ours(desk: Desk, prop: str) -> None:
    contact = unanswered(desk)
    [task] = desk.tasks(contact)
    value = {"hs_task_body": "Call before noon", "hs_task_priority": "HIGH", "hs_task_status": "IN_PROGRESS"}[prop]
    acts.edit_task(desk.portal, task.id, prop, value)
    assert settle(desk) == 1
    assert row(desk, contact).object_id == task.id


def test_a_task_of_somebody_else_with_the_same_subject_is_not_taken_for_ours(desk: Desk) -> None:
    contact = unanswered(desk, "drop_before")
    subject = row(desk, contact).after or ""
    acts.create_task(desk.portal, contact, desk.rep, subject, ago(hours=-2))
    desk.clock.advance(UNDER_WAY)
    assert settle(desk) == 0
    assert row(desk, contact).state == "sent"


def test_a_row_with_a_task_is_never_created_again_whatever_became_of_the_task(desk: Desk) -> None:
    contact = desk.lead("NEW", at=ago(hours=1))
    desk.sync()
    [task] = desk.tasks(contact)
    acts.edit_task(desk.portal, task.id, "hs_task_body", "Something else")
    desk.portal.archive("tasks", task.id)
    for _ in range(3):
        desk.later(hours=1)
        desk.sync()
    assert desk.tasks(contact) == []
    assert [r.object_id for r in desk.ledger(contact)] == [task.id]


def test_rows_of_a_run_that_holds_its_lease_are_left_alone(desk: Desk) -> None:
    contact = desk.lead("NEW", at=ago(hours=1))
    portal = desk.portal.portal_id
    desk.store.remember_portal(portal, at=desk.clock.now())
    epoch = desk.store.acquire_lease(portal, "another", 60)
    run = desk.store.start_run(portal, "sync", {}, "digest", desk.clock.now(), epoch=epoch)
    new = NewWrite(contact=contact, rule="r", cause_key="k", target="t", kind="task", after="Call", ref="ABCDEFGHIJ")
    [planned] = desk.store.plan_writes(portal, run, [new])
    desk.store.mark_sent(portal, [planned.id], desk.clock.now())
    desk.later(hours=1)
    assert settle(desk) == 0
    assert row(desk, contact).state == "sent"


def test_the_output_names_what_is_uncertain(desk: Desk) -> None:
    contact = desk.lead("NEW", at=ago(hours=1))
    desk.box.fail("drop_before", path=CREATE, times=1)
    assert desk.sync().tally.uncertain == 1
    desk.later(seconds=100)
    assert desk.sync().tally.uncertain == 1
    desk.later(minutes=5)
    assert desk.sync().tally.uncertain == 1
    desk.later(minutes=5)
    outcome = desk.sync()
    assert (outcome.tally.uncertain, [t["state"] for t in outcome.tally.tasks]) == (0, ["applied"])
    assert len(desk.tasks(contact)) == 1
