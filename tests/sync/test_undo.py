"""Taking runs back: what returns, what stays and who is named for it, and that nothing writes it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hubsync.errors import SettingsError, UnsafePlan
from hubsync.sandbox import acts
from hubsync.sync.guard import Limits
from hubsync.sync.undo import plan_undo
from tests.sync.desk import MQL, SQL, STAGE, STATUS, Desk, acted, ago
from tests.sync.undoing import LAST_ACTION, history, said, undo


@pytest.fixture
def worked(desk: Desk) -> tuple[str, int]:
    """A New lead whom a rep mailed a day ago, made Attempting by a run; its number."""
    contact = desk.lead("NEW")
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(days=1))
    run = desk.sync().run
    assert desk.status(contact) == "ATTEMPTED_TO_CONTACT"
    assert run is not None
    return contact, run


def test_an_undo_puts_every_value_back_and_the_history_shows_it(desk: Desk, worked: tuple[str, int]) -> None:
    contact, run = worked
    desk.later(hours=1)
    undone = undo(desk, run)
    assert desk.status(contact) == "NEW"
    assert history(desk, contact) == [
        ("NEW", "CRM_UI"),
        ("ATTEMPTED_TO_CONTACT", "INTEGRATION"),
        ("NEW", "INTEGRATION"),
    ]
    assert said(undone) == [(STATUS, "applied", "put back")]
    assert undone.whole
    assert desk.value(contact, LAST_ACTION) == (
        f"Undone: run {run} (A3): Lead Status Attempted to Contact → New (2 March 2026)"
    )


def test_the_ledger_keeps_what_was_undone_and_the_undoing(desk: Desk, worked: tuple[str, int]) -> None:
    contact, run = worked
    undone = undo(desk, run)
    first, second = [w for w in desk.ledger(contact) if w.target == STATUS and w.kind in {"set", "undo"}]
    assert (first.run, first.kind, first.state) == (run, "set", "undone")
    assert (second.run, second.kind, second.state) == (undone.run, "undo", "applied")
    assert second.cause_key == f"undo:{first.id}"
    assert (second.before, second.after) == (first.after, first.before)
    recorded = desk.store.run(desk.portal.portal_id, undone.run or 0)
    assert recorded is not None
    assert (recorded.kind, recorded.state, dict(recorded.args)) == ("undo", "done", {"undoes": run})
    assert recorded.counts["changes_applied"] == 1


def test_a_preview_says_what_would_happen_and_writes_nothing(desk: Desk, worked: tuple[str, int]) -> None:
    contact, run = worked
    before = len(desk.written())
    seen = plan_undo(desk.session(), desk.store, run)
    assert [c.row() for c in seen.changes] == [
        {
            "contact": contact,
            "property": STATUS,
            "from": "ATTEMPTED_TO_CONTACT",
            "to": "NEW",
            "state": "planned",
            "why": "put back",
        }
    ]
    assert seen.run is None
    assert len(desk.written()) == before
    assert desk.status(contact) == "ATTEMPTED_TO_CONTACT"
    assert [r.kind for r in desk.store.runs(desk.portal.portal_id)] == ["sync"]


def test_after_an_undo_the_same_cause_is_not_written_again(desk: Desk, worked: tuple[str, int]) -> None:
    contact, run = worked
    undo(desk, run)
    desk.later(days=1)
    assert acted(desk.plan()) == []
    assert acted(desk.sync()) == []
    assert desk.status(contact) == "NEW"


def test_an_undone_value_is_not_written_by_another_rule_of_the_same_past(desk: Desk) -> None:
    """A2 makes an MQL New; the matrix asks for the same. Undone, neither may."""
    contact = desk.lead("", MQL)
    run = desk.sync().run
    assert desk.status(contact) == "NEW"
    undo(desk, run)
    assert desk.status(contact) in {None, ""}
    desk.later(days=1)
    assert acted(desk.plan()) == []


def test_a_newer_cause_fires_after_an_undo(desk: Desk, worked: tuple[str, int]) -> None:
    contact, run = worked
    undo(desk, run)
    desk.later(days=1)
    desk.sets(contact, STAGE, SQL)
    desk.later(days=1)
    desk.sync()
    assert desk.status(contact) == "IN_PROGRESS"


def test_undoing_twice_does_nothing_the_second_time(desk: Desk, worked: tuple[str, int]) -> None:
    _, run = worked
    undo(desk, run)
    writes = len(desk.written())
    again = undo(desk, run)
    assert (again.run, again.changes, again.tasks) == (None, [], [])
    assert again.before >= 1
    assert again.whole
    assert len(desk.written()) == writes


def test_what_a_person_changed_since_is_left_and_the_person_named(desk: Desk, worked: tuple[str, int]) -> None:
    contact, run = worked
    desk.later(hours=3)
    desk.sets(contact, STATUS, "CONNECTED")
    undone = undo(desk, run)
    assert said(undone) == [(STATUS, "skipped", "changed since by Rita Rep on 2 March 2026 13:00")]
    assert not undone.whole
    assert desk.status(contact) == "CONNECTED"


def test_what_a_person_set_to_the_same_value_since_is_left_too(desk: Desk, worked: tuple[str, int]) -> None:
    """Position decides: the value looks like ours, but it is the person's."""
    contact, run = worked
    desk.later(hours=3)
    desk.sets(contact, STATUS, "CONNECTED")
    desk.later(hours=1)
    desk.sets(contact, STATUS, "ATTEMPTED_TO_CONTACT")
    assert said(undo(desk, run)) == [(STATUS, "skipped", "changed since by Rita Rep on 2 March 2026 14:00")]


@pytest.mark.parametrize(
    ("act", "name"),
    [
        (acts.workflow_sets, "an automation (Workflow)"),
        (acts.import_sets, "an import (Import)"),
        (acts.integration_sets, "another app (Another app)"),
    ],
)
def test_automations_imports_and_apps_are_named_as_such(
    desk: Desk, worked: tuple[str, int], act: Callable[..., Any], name: str
) -> None:
    contact, run = worked
    desk.later(hours=3)
    act(desk.portal, contact, STATUS, "CONNECTED")
    assert said(undo(desk, run)) == [(STATUS, "skipped", f"changed since by {name} on 2 March 2026 13:00")]


def test_what_a_later_run_changed_is_left_and_that_run_named(desk: Desk, worked: tuple[str, int]) -> None:
    contact, first = worked
    desk.later(days=1)
    deal = acts.create_deal(desk.portal, contact, owner=desk.rep)
    desk.later(hours=1)
    second = desk.sync().run
    assert deal
    assert desk.status(contact) == "OPEN_DEAL"
    assert (STATUS, "skipped", f"run {second} changed it later") in said(undo(desk, first))
    assert desk.status(contact) == "OPEN_DEAL"


def test_runs_can_be_undone_one_after_the_other_latest_first(desk: Desk, worked: tuple[str, int]) -> None:
    contact, first = worked
    desk.later(days=1)
    acts.create_deal(desk.portal, contact, owner=desk.rep)
    desk.later(hours=1)
    second = desk.sync().run
    desk.later(hours=1)
    undo(desk, second, allow_backward=True)
    assert desk.status(contact) == "ATTEMPTED_TO_CONTACT"
    desk.later(hours=1)
    assert (STATUS, "applied", "put back") in said(undo(desk, first))
    assert desk.status(contact) == "NEW"
    desk.later(days=1)
    assert acted(desk.plan()) == []


@pytest.fixture
def tasked(desk: Desk) -> tuple[str, int]:
    """An MQL made New by a run, with the task to make the first contact."""
    contact = desk.lead("", MQL)
    run = desk.sync().run
    assert len(desk.tasks(contact)) == 1
    assert run is not None
    return contact, run


def test_an_untouched_task_is_taken_back(desk: Desk, tasked: tuple[str, int]) -> None:
    contact, run = tasked
    undone = undo(desk, run)
    assert [(t.state, t.why) for t in undone.tasks] == [("taken_back", "task taken back")]
    assert desk.tasks(contact) == []
    [row] = [w for w in desk.ledger(contact) if w.kind == "task"]
    assert row.state == "undone"
    assert row.closed_at is not None
    desk.later(days=1)
    assert acted(desk.plan()) == []


@pytest.mark.parametrize(
    ("prop", "value", "why"),
    [
        ("hs_task_status", "IN_PROGRESS", "task left: edited or started"),
        ("hs_task_subject", "Call Ada", "task left: edited or started"),
        ("hs_task_status", "COMPLETED", "task left: completed"),
    ],
)
def test_a_task_that_a_person_touched_is_left(
    desk: Desk, tasked: tuple[str, int], prop: str, value: str, why: str
) -> None:
    contact, run = tasked
    [task] = desk.tasks(contact)
    desk.later(hours=1)
    acts.edit_task(desk.portal, task.id, prop, value)
    undone = undo(desk, run)
    assert [(t.write.object_id, t.state, t.why) for t in undone.tasks] == [(task.id, "left", why)]
    assert not undone.whole
    assert [t.id for t in desk.tasks(contact)] == [task.id]
    assert desk.status(contact) in {None, ""}


def test_a_deleted_contact_is_skipped_and_the_rest_goes_back(desk: Desk) -> None:
    one, other = desk.lead("", MQL), desk.lead("", MQL)
    run = desk.sync().run
    acts.delete_contact(desk.portal, one)
    undone = undo(desk, run)
    assert {(c.write.contact, c.state, c.why) for c in undone.changes} == {
        (one, "skipped", "the contact was deleted"),
        (other, "applied", "put back"),
    }
    assert desk.status(other) in {None, ""}


def test_a_merged_contact_is_skipped_with_the_survivor_named(desk: Desk, worked: tuple[str, int]) -> None:
    contact, run = worked
    survivor = desk.lead("CONNECTED")
    acts.merge_contacts(desk.portal, survivor, contact)
    assert said(undo(desk, run)) == [(STATUS, "skipped", f"the contact was merged into {survivor}")]


def test_an_unknown_run_is_a_wrong_argument(desk: Desk, worked: tuple[str, int]) -> None:
    with pytest.raises(SettingsError, match="There is no run 99 on portal"):
        plan_undo(desk.session(), desk.store, 99)


def test_an_undo_is_not_undone(desk: Desk, worked: tuple[str, int]) -> None:
    _, run = worked
    second = undo(desk, run).run
    with pytest.raises(SettingsError, match=f"Run {second} is itself an undo, of run {run}"):
        undo(desk, second)


def test_the_guard_stops_an_undo_before_its_first_write(desk: Desk) -> None:
    contacts = [desk.lead("", MQL) for _ in range(3)]
    run = desk.sync().run
    with pytest.raises(UnsafePlan, match="--allow-changes 3"):
        undo(desk, run, limits=Limits(share=0.1, at_least=2, tasks=0))
    assert {desk.status(c) for c in contacts} == {"NEW"}
    undo(desk, run, limits=Limits(share=0.1, at_least=2, tasks=0, allow_changes=3))
    assert not any(desk.status(c) for c in contacts)


def test_several_values_of_one_contact_go_back_in_one_update(desk: Desk) -> None:
    """A12 sets the status and a review date."""
    contact = desk.lead("IN_PROGRESS", SQL, at=ago(days=60))
    deal = acts.create_deal(desk.portal, contact, owner=desk.rep, at=ago(days=30))
    acts.lose_deal(desk.portal, deal, at=ago(days=2))
    run = desk.sync().run
    assert desk.status(contact) == "BAD_TIMING"
    assert desk.value(contact, "hubsync_review_date")
    asked = len(desk.requests("/contacts/batch/update"))
    desk.later(hours=1)
    undone = undo(desk, run, allow_backward=True)
    assert {(c.write.target, c.state) for c in undone.changes} >= {
        (STATUS, "applied"),
        ("hubsync_review_date", "applied"),
    }
    assert desk.status(contact) == "IN_PROGRESS"
    assert not desk.value(contact, "hubsync_review_date")
    assert len(desk.requests("/contacts/batch/update")) == asked + 1
    desk.later(days=1)
    assert acted(desk.plan()) == []


def test_without_the_property_for_the_last_action_only_the_values_are_written(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(own_properties=False)
    contact = desk.lead("", MQL)
    run = desk.sync().run
    assert [c.state for c in undo(desk, run).changes] == ["applied"]
    assert not desk.status(contact)
