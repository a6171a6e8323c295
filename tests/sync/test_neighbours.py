"""Contacts that are merged, deleted and restored around hubsync, and clocks that differ or jump: nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from hubsync.portal.gateway import Gateway
from hubsync.sandbox import acts
from hubsync.sync import reconcile
from hubsync.sync.reconcile import Outcome, Session
from hubsync.sync.scope import Scope
from hubsync.sync.writing import Writer
from tests.sync.desk import GENEROUS, MQL, STATUS, Desk, Patience, acted, ago, states


def a_mailed_lead(desk: Desk, email: str) -> str:
    """A lead that was New a day ago and that a rep wrote to an hour ago."""
    contact = desk.lead("NEW", at=ago(days=1, seconds=sum(email.encode())), email=email)
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(hours=1))
    return contact


# ---- merged ----


@pytest.mark.parametrize("new_id", [False, True])
def test_the_ledger_of_merged_contacts_follows_the_survivor(desk: Desk, new_id: bool) -> None:
    one, other = a_mailed_lead(desk, "one@example.com"), a_mailed_lead(desk, "other@example.com")
    desk.sync()
    before = {id_: len(desk.ledger(id_)) for id_ in (one, other)}
    assert min(before.values()) > 0
    desk.later(hours=1)
    survivor = acts.merge_contacts(desk.portal, one, other, new_id=new_id)
    desk.later(hours=1)
    desk.plan()
    assert len(desk.ledger(other)) == before[other], "a plan notes nothing"
    assert acted(desk.sync()) == []
    assert len(desk.ledger(survivor)) == before[one] + before[other]
    gone = {one, other} - {survivor}
    portal = desk.portal.portal_id
    assert desk.store.survivors(portal, gone) == dict.fromkeys(gone, survivor)
    assert desk.store.looks(portal, gone) == {}


def test_a_cause_that_fired_for_the_one_merged_away_does_not_fire_for_the_survivor(desk: Desk) -> None:
    """The mail comes along, and the survivor is still New since the same moment: the rule holds, its cause is spent."""
    kept, gone = desk.lead("NEW", at=ago(days=1)), desk.lead("NEW", at=ago(days=1), email="gone@example.com")
    acts.rep_sends_email(desk.portal, gone, desk.rep, at=ago(hours=1))
    desk.sync()
    assert (desk.status(kept), desk.status(gone)) == ("NEW", "ATTEMPTED_TO_CONTACT")
    desk.later(hours=1)
    acts.merge_contacts(desk.portal, kept, gone)
    desk.later(hours=1)
    for outcome in (desk.plan(), desk.sync(), desk.sync()):
        assert [c for c in outcome.tally.changes if c["property"] == STATUS] == []
    assert desk.status(kept) == "NEW"


def test_two_leads_with_a_task_each_have_one_open_task_when_merged_and_none_is_written_again(desk: Desk) -> None:
    one = desk.lead("NEW", at=ago(minutes=30), email="one@example.com")
    other = desk.lead("NEW", at=ago(minutes=30), email="other@example.com")
    desk.sync()
    written = [r.object_id for c in (one, other) for r in desk.ledger(c) if r.kind == "task"]
    assert len(written) == 2
    desk.later(minutes=5)
    survivor = acts.merge_contacts(desk.portal, one, other)
    for _ in range(3):
        desk.later(hours=1)
        desk.sync()
    assert [r.object_id for r in desk.ledger(survivor, other) if r.kind == "task" and r.state == "applied"] == written
    assert [t.id for t in desk.tasks(survivor)] == [written[-1]]


def test_of_two_tasks_that_a_merge_brings_together_the_one_that_a_person_edited_stays(desk: Desk) -> None:
    one = desk.lead("NEW", at=ago(minutes=30), email="one@example.com")
    other = desk.lead("NEW", at=ago(minutes=30), email="other@example.com")
    desk.sync()
    (edited,) = desk.tasks(one)
    acts.edit_task(desk.portal, edited.id, "hs_task_subject", "Call after lunch")
    survivor = acts.merge_contacts(desk.portal, one, other)
    desk.later(hours=1)
    desk.sync()
    assert [t.id for t in desk.tasks(survivor)] == [edited.id]


def test_a_timer_of_the_one_merged_away_finds_the_survivor(desk: Desk) -> None:
    one, other = desk.lead("NEW", email="one@example.com"), desk.lead("NEW", email="other@example.com")
    desk.sync()
    portal = desk.portal.portal_id
    desk.later(hours=1)
    acts.merge_contacts(desk.portal, one, other)
    desk.later(days=30)
    outcome = desk.sync(scope=Scope())
    assert outcome.tally.missing == []
    assert desk.store.due(portal, desk.clock.now(), 10) == ()
    assert desk.store.looks(portal, [other]) == {}


# ---- deleted, restored, erased ----


def test_a_deleted_contact_is_forgotten_when_its_timer_is_due_and_its_ledger_stays(desk: Desk) -> None:
    contact = a_mailed_lead(desk, "ada@example.com")
    desk.sync()
    rows = desk.ledger(contact)
    acts.delete_contact(desk.portal, contact, desk.rep)
    desk.later(days=40)
    assert acted(desk.sync(scope=Scope())) == []
    desk.later(days=40)
    assert desk.store.due(desk.portal.portal_id, desk.clock.now(), 10) == ()
    assert desk.ledger(contact) == rows


def test_a_restored_contact_gets_nothing_twice(desk: Desk) -> None:
    contact = a_mailed_lead(desk, "ada@example.com")
    desk.sync()
    written = desk.written(STATUS)
    acts.delete_contact(desk.portal, contact, desk.rep)
    desk.later(hours=1)
    assert acted(desk.sync()) == []
    acts.restore_contact(desk.portal, contact)
    desk.later(hours=1)
    assert acted(desk.sync()) == []
    assert desk.written(STATUS) == written


def test_a_contact_erased_for_privacy_is_not_written_to_and_not_made_again(desk: Desk) -> None:
    contact = a_mailed_lead(desk, "ada@example.com")
    stays = a_mailed_lead(desk, "eve@example.com")
    desk.sync(stays)
    acts.privacy_delete(desk.portal, contact)
    made = len(desk.portal.tables["contacts"].records)
    outcome = desk.sync(contact)
    assert (acted(outcome), outcome.tally.missing) == ([], [contact])
    assert acted(desk.sync()) == []
    assert len(desk.portal.tables["contacts"].records) == made
    assert desk.ledger(contact) == []


def test_a_contact_erased_between_plan_and_write_costs_only_itself(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, stays = a_mailed_lead(desk, "ada@example.com"), a_mailed_lead(desk, "eve@example.com")
    write_all = Writer.write_all

    def late(self: Writer, *given: object) -> None:
        acts.privacy_delete(desk.portal, gone)
        write_all(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Writer, "write_all", late)
    desk.sync()
    assert desk.status(stays) == "ATTEMPTED_TO_CONTACT"
    assert desk.ledger(gone) == []
    assert desk.store.looks(desk.portal.portal_id, [gone]) == {}


# ---- clocks ----


@contextmanager
def clock_off_by(desk: Desk, off: timedelta) -> Iterator[Callable[[], Outcome]]:
    """`sync()` on a machine whose clock differs from HubSpot's, in a process of its own."""
    patience = Patience()

    def local() -> object:
        return desk.clock.now() + off

    with Gateway(
        desk.box.url,
        lambda: desk.box.token,
        bulk=True,
        clock=patience.clock,
        sleep=patience.sleep,
        now=local,  # type: ignore[arg-type]
    ) as gateway:
        gateway.account()

        def sync() -> Outcome:
            session = Session(gateway, desk.bound(), desk.store, local, desk.effective_since)  # type: ignore[arg-type]
            return reconcile.write(session, desk.store, Scope(full=True), GENEROUS)

        yield sync


@pytest.mark.parametrize("minutes", [-5, 5])
def test_quiet_times_are_kept_by_hubspots_clock(desk: Desk, minutes: int) -> None:
    """D7: a status is judged two minutes after it was set, however wrong our own clock is."""
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED", at=ago(minutes=1, seconds=50))
    with clock_off_by(desk, timedelta(minutes=minutes)) as sync:
        assert (acted(sync()), sync().tally.waiting) == ([], 1)
        desk.later(seconds=15)
        assert states(sync()) == [("qualified_moves_the_stage", "salesqualifiedlead", "applied")]
        assert acted(sync()) == []


@pytest.mark.parametrize("minutes", [-5, 5])
def test_the_first_write_counts_causes_by_hubspots_clock(make_desk: Callable[..., Desk], minutes: int) -> None:
    desk = make_desk(effective_since=None)
    old = desk.lead("CONNECTED", email="old@example.com")
    desk.sets(old, STATUS, "QUALIFIED", at=ago(minutes=3))
    with clock_off_by(desk, timedelta(minutes=minutes)) as sync:
        assert acted(sync()) == []
        desk.later(seconds=30)
        fresh = desk.lead("CONNECTED", MQL, email="fresh@example.com", at=ago(days=1))
        desk.sets(fresh, STATUS, "QUALIFIED")
        desk.later(minutes=3)
        assert states(sync()) == [("qualified_moves_the_stage", "salesqualifiedlead", "applied")]
    assert desk.stage(old) == "lead"


def test_our_clock_may_jump_back_an_hour(desk: Desk) -> None:
    contact = a_mailed_lead(desk, "ada@example.com")
    with clock_off_by(desk, timedelta()) as sync:
        assert ("attempting_on_first_rep_outreach", "ATTEMPTED_TO_CONTACT", "applied") in states(sync())
    desk.later(minutes=10)
    other = desk.lead("NEW", email="eve@example.com", at=ago(days=2))
    acts.rep_sends_email(desk.portal, other, desk.rep)
    desk.later(minutes=5)
    with clock_off_by(desk, timedelta(hours=-1)) as sync:
        assert ("attempting_on_first_rep_outreach", "ATTEMPTED_TO_CONTACT", "applied") in states(sync())
        assert acted(sync()) == []
    assert (desk.status(contact), desk.status(other)) == ("ATTEMPTED_TO_CONTACT",) * 2
    assert len(desk.written(STATUS)) == 2
    assert len({r.ref for r in desk.ledger(contact, other) if r.kind == "task"}) == len(
        [r for r in desk.ledger(contact, other) if r.kind == "task"]
    )


def test_our_clock_may_jump_while_a_process_runs(desk: Desk) -> None:
    off = timedelta()
    local = desk.clock.now
    desk.lead("NEW", at=ago(days=1))
    patience = Patience()
    with Gateway(
        desk.box.url,
        lambda: desk.box.token,
        bulk=True,
        clock=patience.clock,
        sleep=patience.sleep,
        now=lambda: local() + off,
    ) as gateway:
        gateway.account()
        session = Session(gateway, desk.bound(), desk.store, lambda: local() + off, desk.effective_since)
        reconcile.write(session, desk.store, Scope(full=True), GENEROUS)
        off = timedelta(hours=-1)
        contact = a_mailed_lead(desk, "ada@example.com")
        reconcile.write(session, desk.store, Scope(full=True), GENEROUS)
        assert desk.status(contact) == "ATTEMPTED_TO_CONTACT"
        assert acted(reconcile.write(session, desk.store, Scope(full=True), GENEROUS)) == []
