"""Bulk changes while others write too, and runs cut short: no edit is lost unnamed, nothing is written twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from hubsync.portal.values import Outcome, Update
from hubsync.sandbox import acts
from hubsync.sync.bulk import write_bulk
from hubsync.sync.undo import write_undo
from tests.sync.bulk_desk import asked, listed, rows, told, write
from tests.sync.desk import GENEROUS, STATUS, Desk, acted
from tests.sync.meanwhile import around_the_write, overrides, values
from tests.sync.undoing import undo


def between_plan_and_write(desk: Desk, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """`act` happens after the plan is made, before the contacts are read again to be written."""
    started = desk.store.start_run

    def start(*args: Any, **more: Any) -> int:
        desk.later(minutes=1)
        act()
        return started(*args, **more)

    monkeypatch.setattr(desk.store, "start_run", start)


def test_what_a_person_writes_after_the_plan_stays_and_is_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    contact, other = desk.lead("NEW"), desk.lead("NEW")
    between_plan_and_write(desk, monkeypatch, lambda: desk.sets(contact, STATUS, "CONNECTED"))
    bulk = write(desk, asked(desk, "nurture", "owner is_known"))
    assert told(bulk) == {contact: ("NEW", "NURTURE", "skipped"), other: ("NEW", "NURTURE", "applied")}
    assert [c.warning for c in bulk.changes if c.contact == contact] == [
        "changed by Rita Rep on 2 March 2026 10:01, after the plan was made"
    ]
    assert desk.status(contact) == "CONNECTED"


def test_a_persons_change_under_an_automations_one_is_seen_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    contact = desk.lead("NEW")

    def act() -> None:
        desk.sets(contact, STATUS, "CONNECTED")
        desk.later(seconds=5)
        acts.workflow_sets(desk.portal, contact, STATUS, "NEW")

    between_plan_and_write(desk, monkeypatch, act)
    assert told(write(desk, listed(desk, ["id", contact], "nurture"))) == {contact: ("NEW", "NURTURE", "skipped")}


def test_what_a_person_writes_between_the_last_read_and_the_write_is_put_back_and_logged(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact, other = desk.lead("NEW"), desk.lead("NEW")
    wanted, session = asked(desk, "nurture", "lead_status is new"), desk.session()
    around_the_write(desk, session, monkeypatch, before=lambda: desk.sets(contact, STATUS, "CONNECTED"))
    bulk = write_bulk(session, desk.store, wanted, GENEROUS)
    assert values(desk, contact) == ["NEW", "CONNECTED", "NURTURE", "CONNECTED"]
    assert {c.contact: (c.state, c.warning) for c in bulk.changes} == {
        contact: ("overridden", "Rita Rep had just set another value: put back"),
        other: ("applied", ""),
    }
    assert [(w.kind, w.state) for w in rows(desk, contact)] == [("set", "overridden"), ("undo", "applied")]
    assert overrides(desk) == [(contact, "set_status", "NURTURE", "CONNECTED")]
    assert not bulk.whole
    desk.later(days=1)
    assert acted(desk.sync()) == []


def test_undo_of_a_bulk_change_leaves_what_was_put_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    contact, other = desk.lead("NEW"), desk.lead("NEW")
    wanted, session = asked(desk, "nurture", "lead_status is new"), desk.session()
    around_the_write(desk, session, monkeypatch, before=lambda: desk.sets(contact, STATUS, "CONNECTED"))
    run = write_bulk(session, desk.store, wanted, GENEROUS).run
    undone = undo(desk, run)
    assert [(c.write.contact, c.state) for c in undone.changes] == [(other, "applied")]
    assert (desk.status(contact), desk.status(other)) == ("CONNECTED", "NEW")


def test_an_automations_value_written_over_unseen_stays_overwritten_and_is_named(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = desk.lead("NEW")
    wanted, session = asked(desk, "nurture", "lead_status is new"), desk.session()
    sets = lambda: acts.workflow_sets(desk.portal, contact, STATUS, "CONNECTED")  # noqa: E731
    around_the_write(desk, session, monkeypatch, before=sets)
    bulk = write_bulk(session, desk.store, wanted, GENEROUS)
    assert values(desk, contact) == ["NEW", "CONNECTED", "NURTURE"]
    [change] = bulk.changes
    assert change.state == "applied"
    assert 'set hs_lead_status to "CONNECTED" on 2 March 2026' in change.warning
    assert change.warning.endswith('wrote "NURTURE" over it unseen; what was asked for stays.')
    assert (bulk.overwrote, bulk.whole, overrides(desk)) == (1, False, [])


def test_what_a_person_writes_after_the_write_stays_and_is_logged(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    contact = desk.lead("NEW")
    wanted, session = asked(desk, "nurture", "lead_status is new"), desk.session()
    around_the_write(desk, session, monkeypatch, after=lambda: desk.sets(contact, STATUS, "CONNECTED"))
    bulk = write_bulk(session, desk.store, wanted, GENEROUS)
    assert (bulk.overwrote, bulk.whole, desk.status(contact)) == (0, True, "CONNECTED")
    assert overrides(desk) == [(contact, "set_status", "NURTURE", "CONNECTED")]


def test_of_many_edits_around_a_bulk_change_and_its_undo_none_is_lost_and_nothing_else_is_touched(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contacts = [desk.lead("NEW") for _ in range(40)]
    chance = Random(11)
    before, after = chance.sample(contacts, 12), chance.sample(contacts, 12)
    session = desk.session()
    wanted = asked(desk, "nurture", "lead_status is new")

    def edit(some: Sequence[str], value: str) -> None:
        for contact in some:
            desk.sets(contact, STATUS, value)

    around_the_write(desk, session, monkeypatch, lambda: edit(before, "CONNECTED"), lambda: edit(after, "QUALIFIED"))
    run = write_bulk(session, desk.store, wanted, GENEROUS).run
    monkeypatch.undo()
    meant = dict.fromkeys(contacts, "NURTURE") | dict.fromkeys(before, "CONNECTED") | dict.fromkeys(after, "QUALIFIED")
    assert {contact: desk.status(contact) for contact in contacts} == meant
    untouched = [contact for contact in contacts if meant[contact] == "NURTURE"]
    late = chance.sample(untouched, 5)
    desk.later(hours=1)
    session = desk.session()
    around_the_write(desk, session, monkeypatch, before=lambda: edit(late, "CONNECTED"))
    write_undo(session, desk.store, run or 0, GENEROUS)
    meant |= dict.fromkeys(untouched, "NEW") | dict.fromkeys(late, "CONNECTED")
    assert {contact: desk.status(contact) for contact in contacts} == meant


def test_a_bulk_change_killed_before_its_look_is_looked_after_by_the_next_sync(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = desk.lead("NEW")
    wanted, session = asked(desk, "nurture", "lead_status is new"), desk.session()

    def killed() -> None:
        raise Killed

    around_the_write(desk, session, monkeypatch, lambda: desk.sets(contact, STATUS, "CONNECTED"), killed)
    with pytest.raises(Killed):
        write_bulk(session, desk.store, wanted, GENEROUS)
    monkeypatch.undo()
    assert desk.status(contact) == "NURTURE"
    desk.later(hours=1)
    desk.sync()
    assert desk.status(contact) == "CONNECTED"
    assert overrides(desk) == [(contact, "set_status", "NURTURE", "CONNECTED")]


def test_what_an_automation_writes_after_the_plan_is_decided_on_anew(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact, out = desk.lead("NEW"), desk.lead("NEW")

    def act() -> None:
        acts.workflow_sets(desk.portal, contact, STATUS, "ATTEMPTED_TO_CONTACT")
        acts.workflow_sets(desk.portal, out, STATUS, "CONNECTED")

    between_plan_and_write(desk, monkeypatch, act)
    bulk = write(desk, asked(desk, "nurture", "lead_status is_any_of new, attempting"))
    assert told(bulk) == {contact: ("ATTEMPTED_TO_CONTACT", "NURTURE", "applied"), out: ("NEW", "NURTURE", "skipped")}
    assert [w.before for w in rows(desk, contact)] == ["ATTEMPTED_TO_CONTACT"]
    assert desk.status(out) == "CONNECTED"


def test_contacts_deleted_or_merged_after_the_plan_are_skipped(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, merged, survivor = desk.lead("NEW"), desk.lead("NEW"), desk.lead("CONNECTED")

    def act() -> None:
        acts.delete_contact(desk.portal, gone)
        acts.merge_contacts(desk.portal, survivor, merged)

    between_plan_and_write(desk, monkeypatch, act)
    bulk = write(desk, asked(desk, "nurture", "lead_status is new"))
    assert {c.contact: c.warning for c in bulk.changes} == {
        gone: "the contact was deleted just before",
        merged: f"the contact was merged into {survivor} just before",
    }


@pytest.mark.parametrize(("arrives", "state"), [(True, "applied"), (False, "not_applied")])
def test_what_became_of_a_write_without_an_answer_is_found_out(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, arrives: bool, state: str
) -> None:
    contact = desk.lead("NEW")
    wanted, session = asked(desk, "nurture", "lead_status is new"), desk.session()
    update = session.gateway.update_contacts

    def unanswered(updates: Sequence[Update]) -> list[Outcome]:
        if arrives:
            update(updates)
        return [Outcome(u.id, u.trace, "uncertain") for u in updates]

    monkeypatch.setattr(session.gateway, "update_contacts", unanswered)
    bulk = write_bulk(session, desk.store, wanted, GENEROUS)
    assert told(bulk) == {contact: ("NEW", "NURTURE", state)}
    assert [w.state for w in rows(desk, contact)] == [state]
    assert bulk.whole is arrives


class Killed(BaseException):
    """The process is gone; nothing of ours catches it."""


@pytest.mark.parametrize("before", [True, False], ids=["call not made", "call made"])
def test_a_killed_run_is_settled_by_the_next_one_and_nothing_is_written_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    contact = desk.lead("NEW")
    wanted = asked(desk, "nurture", "lead_status is_any_of new, nurture", reason="a tidy desk")
    session = desk.session()
    update = session.gateway.update_contacts

    def dying(*args: Any) -> Any:
        if not before:
            update(*args)
        raise Killed

    monkeypatch.setattr(session.gateway, "update_contacts", dying)
    with pytest.raises(Killed):
        write_bulk(session, desk.store, wanted, GENEROUS)
    monkeypatch.undo()
    desk.later(hours=1)
    again = write(desk, wanted)
    assert desk.status(contact) == "NURTURE"
    assert [w.after for w in desk.written(STATUS)] == ["NURTURE"]
    assert [w.state for w in rows(desk, contact)] == (["not_applied", "applied"] if before else ["applied"])
    assert {w.facts["reason"] for w in rows(desk, contact)} == {"a tidy desk"}
    assert (again.run is None) is not before


def test_an_interrupted_run_says_how_far_it_came(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.lead("NEW")
    session = desk.session()

    def stopped(*_args: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(session.gateway, "update_contacts", stopped)
    with pytest.raises(KeyboardInterrupt, match="had set 0 of 1 contacts"):
        write_bulk(session, desk.store, asked(desk, "nurture", "lead_status is new"), GENEROUS)
    [run] = desk.store.runs(desk.portal.portal_id)
    assert run.state == "interrupted"
