"""A new database on a portal where hubsync was at work before, and a second hubsync beside ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hubsync.errors import StoreError
from hubsync.sandbox import acts
from hubsync.store.database import open_store
from hubsync.store.store import Store
from hubsync.sync import reconcile
from hubsync.sync.reconcile import Outcome
from hubsync.sync.scope import Scope
from hubsync.sync.setting_up import write_setup
from tests.sync.bulk_desk import asked
from tests.sync.bulk_desk import write as set_status
from tests.sync.desk import GENEROUS, STATUS, Desk, acted, ago


@pytest.fixture
def lost(desk: Desk, tmp_path: Path) -> Iterator[Store]:
    """A database that knows nothing, in place of the desk's."""
    with open_store("sqlite:///new.db", base=tmp_path) as store:
        yield store


def sync(desk: Desk, store: Store, *, adopt: bool = False, app_id: str | None = None) -> Outcome:
    """`hubsync sync --write --full` with another database than the desk's."""
    session = reconcile.Session(desk.gateway, desk.bound(), store, desk.clock.now, desk.effective_since, app_id)
    return reconcile.write(session, store, Scope(full=True), GENEROUS, adopt=adopt)


def with_task(desk: Desk) -> str:
    """A new lead whose owner got a task from hubsync."""
    contact = desk.lead("NEW", at=ago(hours=1))
    desk.sync()
    assert len(desk.tasks(contact)) == 1
    desk.later(minutes=10)
    return contact


def test_a_portal_that_knows_hubsync_is_refused_by_a_database_that_knows_nothing(desk: Desk, lost: Store) -> None:
    contact = desk.lead("NEW", at=ago(days=2))
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(hours=1))
    desk.sync()
    desk.later(minutes=10)
    with pytest.raises(StoreError, match=r"1 contact with hubsync_last_action.*--adopt"):
        sync(desk, lost)
    assert lost.runs(desk.portal.portal_id) == ()
    assert lost.effective_since(desk.portal.portal_id) is None


def test_setup_asks_for_adopt_as_sync_does_before_it_adds_anything(desk: Desk, lost: Store) -> None:
    with_task(desk)
    options = desk.portal.schemas.properties["contacts"][STATUS].options
    desk.portal.schemas.set_options("contacts", STATUS, [o for o in options if o.value != "NURTURE"])
    desk.rebind()
    session = reconcile.Session(desk.gateway, desk.bound(), lost, desk.clock.now, desk.effective_since)
    with pytest.raises(StoreError, match=r"carries the reference.*hubsync sync --write --adopt"):
        write_setup(session, lost, desk.loaded.files.portal)
    assert lost.runs(desk.portal.portal_id) == ()
    sync(desk, lost, adopt=True)
    added = write_setup(session, lost, desk.loaded.files.portal)
    assert [(a.value, a.state) for a in added.additions] == [("NURTURE", "added")]


def test_a_reference_in_a_task_is_enough_to_tell(desk: Desk, lost: Store) -> None:
    contact = with_task(desk)
    with pytest.raises(StoreError, match=r"task \d+ carries the reference \[hubsync [A-Z2-7]{10}\]"):
        sync(desk, lost)
    assert len(desk.tasks(contact)) == 1


def test_an_entry_of_the_configured_app_is_enough_to_tell(desk: Desk, lost: Store) -> None:
    contact = desk.lead("NEW", at=ago(days=2))
    desk.portal.update("contacts", contact, {STATUS: "CONNECTED"})
    with pytest.raises(StoreError, match=f"app {desk.portal.app_id} has written hs_lead_status of contact {contact}"):
        sync(desk, lost, app_id=desk.portal.app_id)
    assert acted(sync(desk, lost)) == []


def test_a_portal_without_a_trace_is_written_to_at_once(desk: Desk, lost: Store) -> None:
    contact = desk.lead("NEW", at=ago(hours=1))
    acts.create_task(desk.portal, contact, desk.rep, "Call back", ago(minutes=-60), at=ago(minutes=30))
    assert acted(sync(desk, lost)) == ["applied"]


def test_adopting_takes_over_the_tasks_so_that_none_is_created_twice(desk: Desk, lost: Store) -> None:
    contact = with_task(desk)
    [task] = desk.tasks(contact)
    assert acted(sync(desk, lost, adopt=True)) == []
    assert [t.id for t in desk.tasks(contact)] == [task.id]
    rows = lost.ledger_of(desk.portal.portal_id, [contact])[contact]
    [open_row] = [r for r in rows if r.kind == "task" and r.closed_at is None]
    assert (open_row.state, open_row.object_id, open_row.rule) == ("applied", task.id, "first_contact_task")
    desk.later(days=1)
    assert acted(sync(desk, lost)) == []  # and from then on it is a database like any other
    assert len(desk.tasks(contact)) == 1


@pytest.mark.parametrize("completed", [False, True])
def test_an_adopted_task_for_a_status_that_hubsync_set_is_not_created_anew(
    desk: Desk, lost: Store, completed: bool
) -> None:
    contact = desk.lead(stage="marketingqualifiedlead", at=ago(hours=1))
    desk.sync()
    [task] = desk.tasks(contact)
    if completed:
        acts.complete_task(desk.portal, task.id, desk.rep)
    desk.later(minutes=10)
    assert acted(sync(desk, lost, adopt=True)) == []
    assert [t.id for t in desk.tasks(contact)] == [task.id]
    desk.later(days=1)
    assert acted(sync(desk, lost)) == []
    desk.sets(contact, STATUS, "CONNECTED")
    desk.sets(contact, STATUS, "NEW")
    desk.later(days=1)
    assert acted(sync(desk, lost))[-1] == "applied"  # the same status again is another cause


def test_an_adopted_task_whose_reason_is_gone_is_taken_back(desk: Desk, lost: Store) -> None:
    contact = with_task(desk)
    sync(desk, lost, adopt=True)
    desk.sets(contact, STATUS, "CONNECTED")
    desk.later(days=1)
    sync(desk, lost)
    assert desk.tasks(contact) == []


def test_an_adopted_task_that_a_person_edited_stays(desk: Desk, lost: Store) -> None:
    contact = with_task(desk)
    [task] = desk.tasks(contact)
    acts.edit_task(desk.portal, task.id, "hs_task_subject", "New lead: make the first contact, today")
    sync(desk, lost, adopt=True)
    desk.sets(contact, STATUS, "CONNECTED")
    desk.later(days=1)
    sync(desk, lost)
    assert len(desk.tasks(contact)) == 1


def test_a_second_hubsync_is_found_by_its_entries_and_refused(desk: Desk, lost: Store) -> None:
    first, second = desk.lead("CONNECTED"), desk.lead("CONNECTED")
    desk.sets(first, STATUS, "QUALIFIED", at=ago(hours=1))
    desk.sync()
    desk.later(hours=1)
    acts.person_sets(desk.portal, second, STATUS, "QUALIFIED", desk.rep)
    desk.later(hours=1)
    sync(desk, lost, adopt=True)  # the other one, with a database of its own
    desk.later(hours=1)
    acts.create_deal(desk.portal, second, owner=desk.rep)
    desk.later(hours=1)
    with pytest.raises(StoreError, match=rf"app {desk.portal.app_id}.*of contact {second}.*a second hubsync"):
        desk.sync()
    assert desk.status(second) == "QUALIFIED"
    assert [r.state for r in desk.store.runs(desk.portal.portal_id)] == ["done"], "refused before a run began"


def test_a_command_after_the_run_that_met_a_second_hubsync_writes_nothing_either(desk: Desk, lost: Store) -> None:
    desk.lead("QUALIFIED")
    desk.sync()  # from what it wrote hubsync knows its own app
    desk.later(minutes=5)
    desk.sync()
    sync(desk, lost, adopt=True)  # the other one, with a database of its own
    contact = desk.lead(stage="marketingqualifiedlead", at=desk.later(minutes=5))
    desk.later(minutes=5)
    assert acted(sync(desk, lost)) == ["applied", "applied"]
    desk.later(minutes=5)
    with pytest.raises(StoreError, match=rf"of contact {contact}.*a second hubsync"):
        desk.sync()
    desk.later(minutes=5)
    with pytest.raises(StoreError, match=rf"of contact {contact}.*a second hubsync"):
        set_status(desk, asked(desk, "nurture", "lead_status is new"))
    assert desk.status(contact) == "NEW"


def test_without_the_signature_a_second_hubsync_is_found_where_histories_are_read_anyway(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(own_properties=False)
    contact = desk.lead("QUALIFIED", "lead", at=ago(hours=1))
    desk.sync()
    desk.sync()
    desk.later(hours=1)
    desk.portal.update("contacts", contact, {STATUS: "CONNECTED"})
    acts.create_deal(desk.portal, contact, owner=desk.rep)
    desk.later(hours=1)
    with pytest.raises(StoreError, match=rf"app {desk.portal.app_id}.*of contact {contact}.*a second hubsync"):
        desk.sync()
    assert desk.store.runs(desk.portal.portal_id, 1)[0].state == "failed"


def test_adopting_settles_who_wrote_what(desk: Desk, lost: Store) -> None:
    second = desk.lead("CONNECTED")
    desk.sync()
    desk.later(hours=1)
    acts.person_sets(desk.portal, second, STATUS, "QUALIFIED", desk.rep)
    desk.later(hours=1)
    sync(desk, lost)
    desk.later(hours=1)
    outcome = reconcile.write(desk.session(), desk.store, Scope(full=True), GENEROUS, adopt=True)
    assert acted(outcome) == []


def test_what_a_merge_brought_along_is_no_second_hubsync(desk: Desk) -> None:
    survivor, gone = desk.lead("NURTURE"), desk.lead("CONNECTED")
    acts.person_sets(desk.portal, gone, STATUS, "QUALIFIED", desk.rep, at=ago(hours=1))
    desk.sync()
    desk.later(hours=1)
    acts.merge_contacts(desk.portal, survivor, gone)
    desk.later(hours=1)
    acts.create_deal(desk.portal, survivor, owner=desk.rep)
    desk.later(hours=1)
    desk.sync()
    assert desk.status(survivor) == "OPEN_DEAL"
