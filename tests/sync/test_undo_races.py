"""Undo while others write too: what somebody sets in the very moment is neither lost nor passed over in silence."""

from __future__ import annotations

import pytest

from hubsync.sandbox import acts
from hubsync.sync.reconcile import Session
from hubsync.sync.taking_back import Undoing
from hubsync.sync.undo import write_undo
from tests.sync.desk import GENEROUS, MQL, STAGE, STATUS, Desk, acted, ago
from tests.sync.meanwhile import around_the_write, overrides, values
from tests.sync.undoing import said, undo


def attempting(desk: Desk) -> tuple[str, int]:
    """A lead that a run made attempting."""
    contact = desk.lead("NEW", at=ago(days=2))
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(hours=1))
    run = desk.sync().run
    assert run is not None
    assert desk.status(contact) == "ATTEMPTED_TO_CONTACT"
    desk.later(hours=1)
    return contact, run


def qualified(desk: Desk) -> tuple[str, int]:
    """A lead whose stage a run moved from lead to SQL."""
    contact = desk.lead("QUALIFIED", "lead")
    run = desk.sync().run
    assert run is not None
    desk.later(hours=1)
    return contact, run


def taken_back(desk: Desk, session: Session, run: int, *, backward: bool = False) -> Undoing:
    return write_undo(session, desk.store, run, GENEROUS, allow_backward=backward)


def test_what_a_person_sets_between_read_and_undo_is_put_back_once_and_logged(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact, run = attempting(desk)
    session = desk.session()
    around_the_write(desk, session, monkeypatch, before=lambda: desk.sets(contact, STATUS, "CONNECTED"))
    undone = taken_back(desk, session, run)
    assert values(desk, contact) == ["NEW", "ATTEMPTED_TO_CONTACT", "CONNECTED", "NEW", "CONNECTED"]
    assert said(undone) == [(STATUS, "overridden", "Rita Rep had just set another value: put back")]
    assert not undone.whole
    assert overrides(desk) == [(contact, "undo", "NEW", "CONNECTED")]


def test_what_was_put_back_over_an_undo_is_the_persons_and_stays(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    contact, run = attempting(desk)
    session = desk.session()
    around_the_write(desk, session, monkeypatch, before=lambda: desk.sets(contact, STATUS, "CONNECTED"))
    taken_back(desk, session, run)
    monkeypatch.undo()
    for _ in range(2):
        desk.later(days=1)
        assert acted(desk.sync()) == []
    assert undo(desk, run).changes == []
    assert desk.status(contact) == "CONNECTED"
    assert len(overrides(desk)) == 1


def test_an_automations_value_under_an_undo_stays_under_it_and_is_named(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact, run = attempting(desk)
    session = desk.session()
    around_the_write(
        desk, session, monkeypatch, before=lambda: acts.workflow_sets(desk.portal, contact, STATUS, "CONNECTED")
    )
    undone = taken_back(desk, session, run)
    assert desk.status(contact) == "NEW"
    [(_, state, why)] = said(undone)
    assert state == "applied"
    assert why.endswith('wrote "NEW" over it unseen; what was asked for stays.')
    assert (undone.overwrote, undone.whole, overrides(desk)) == (1, False, [])


def test_what_a_person_sets_after_the_undo_stays_and_counts_against_no_rule(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact, run = attempting(desk)
    session = desk.session()
    around_the_write(desk, session, monkeypatch, after=lambda: desk.sets(contact, STATUS, "CONNECTED"))
    undone = taken_back(desk, session, run)
    assert values(desk, contact)[-2:] == ["NEW", "CONNECTED"]
    assert (said(undone), undone.whole) == ([(STATUS, "applied", "put back")], True)
    assert overrides(desk) == [(contact, "undo", "NEW", "CONNECTED")]


def test_a_stage_set_just_before_an_undo_clears_it_is_put_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    contact, run = qualified(desk)
    session = desk.session()
    around_the_write(desk, session, monkeypatch, before=lambda: desk.sets(contact, STAGE, "customer"))
    undone = taken_back(desk, session, run, backward=True)
    assert values(desk, contact, STAGE)[-3:] == ["customer", "", "customer"]
    assert said(undone) == [(STAGE, "overridden", "Rita Rep had just set another value: put back")]


def test_a_stage_set_between_an_undos_two_steps_is_not_lost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    contact, run = qualified(desk)
    session = desk.session()
    around_the_write(desk, session, monkeypatch, after=lambda: desk.sets(contact, STAGE, MQL))
    undone = taken_back(desk, session, run, backward=True)
    assert values(desk, contact, STAGE)[-2:] == ["", MQL]
    [(_, state, why)] = said(undone)
    assert state == "skipped"
    assert why.startswith("changed since by Rita Rep")


def test_an_undo_killed_before_its_look_is_looked_after_by_the_next_sync(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact, run = attempting(desk)
    session = desk.session()

    def killed() -> None:
        raise Killed

    around_the_write(desk, session, monkeypatch, lambda: desk.sets(contact, STATUS, "CONNECTED"), killed)
    with pytest.raises(Killed):
        taken_back(desk, session, run)
    monkeypatch.undo()
    assert desk.status(contact) == "NEW"
    desk.later(hours=1)
    desk.sync()
    assert desk.status(contact) == "CONNECTED"
    assert overrides(desk) == [(contact, "undo", "NEW", "CONNECTED")]


def test_an_undo_without_an_answer_is_found_out_and_looked_after(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    contact, run = attempting(desk)
    desk.box.fail("drop_after", path=r"/contacts/batch/update", times=6)
    undone = undo(desk, run)
    assert said(undone) == [(STATUS, "applied", "put back")]
    assert [w.state for w in desk.ledger(contact)] == ["undone", "applied"]


class Killed(BaseException):
    """The process is gone; nothing of ours catches it."""
