"""Undoing what goes against the grain: stages that must go backward, step by step, and hard corrections."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hubsync.policy.invalid import hard_cell
from hubsync.policy.rules import Rule
from hubsync.policy.view import Missing
from hubsync.sandbox import acts
from hubsync.sync.undo import write_undo
from tests.sync.desk import GENEROUS, MQL, SQL, STAGE, STATUS, Desk, acted, ago
from tests.sync.undoing import LAST_ACTION, history, qualified, said, undo


def test_a_stage_goes_back_only_where_allowed(desk: Desk) -> None:
    contact, run = qualified(desk)
    undone = undo(desk, run)
    assert said(undone) == [(STAGE, "refused", "stage: needs --allow-backward")]
    assert undone.run is None
    assert desk.stage(contact) == SQL


def test_a_stage_goes_back_in_two_recorded_steps(desk: Desk) -> None:
    contact, run = qualified(desk)
    desk.later(hours=1)
    undone = undo(desk, run, allow_backward=True)
    assert [c.row() for c in undone.changes] == [
        {
            "contact": contact,
            "property": STAGE,
            "from": SQL,
            "to": "lead",
            "state": "applied",
            "why": "put back (cleared, then set)",
        }
    ]
    assert desk.stage(contact) == "lead"
    assert [value for value, _ in history(desk, contact, STAGE)] == ["lead", SQL, "", "lead"]
    steps = [(w.before, w.after, w.state) for w in desk.ledger(contact) if w.kind == "undo"]
    assert steps == [(SQL, None, "applied"), (None, "lead", "applied")]
    assert desk.value(contact, LAST_ACTION) == (
        f"Undone: run {run} (A9): Lifecycle Stage Sales Qualified Lead → Lead (2 March 2026)"
    )
    desk.later(days=1)
    assert acted(desk.plan()) == []


class Killed(BaseException):
    """The process is gone; nothing of ours catches it."""


@pytest.mark.parametrize("call", [2, 3], ids=["between the steps", "before the answer of the second is noted"])
@pytest.mark.parametrize("before", [True, False], ids=["call not made", "call made"])
def test_a_kill_between_the_two_steps_of_a_stage_ends_right(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, call: int, before: bool
) -> None:
    contact, run = qualified(desk)
    desk.later(hours=1)
    session = desk.session()
    update, made = session.gateway.update_contacts, 0

    def dying(*args: Any) -> Any:
        nonlocal made
        made += 1
        if made == call - 1 and before:
            raise Killed
        done = update(*args)
        if made == call - 1:
            raise Killed
        return done

    monkeypatch.setattr(session.gateway, "update_contacts", dying)
    with pytest.raises(Killed):
        write_undo(session, desk.store, run, GENEROUS, allow_backward=True)
    monkeypatch.undo()
    desk.later(hours=1)
    again = undo(desk, run, allow_backward=True)
    assert [c.state for c in again.changes] == ["applied"]
    assert desk.stage(contact) == "lead"
    assert [value for value, _ in history(desk, contact, STAGE)] == ["lead", SQL, "", "lead"]
    assert {w.state for w in desk.ledger(contact) if w.kind == "set"} == {"undone"}
    assert undo(desk, run, allow_backward=True).run is None
    desk.later(days=1)
    assert acted(desk.plan()) == []


def test_a_person_who_sets_a_stage_that_was_left_cleared_is_respected(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact, run = qualified(desk)
    desk.later(hours=1)
    session = desk.session()
    update = session.gateway.update_contacts

    def dying(*args: Any) -> Any:
        update(*args)
        raise Killed

    monkeypatch.setattr(session.gateway, "update_contacts", dying)
    with pytest.raises(Killed):
        write_undo(session, desk.store, run, GENEROUS, allow_backward=True)
    monkeypatch.undo()
    desk.later(hours=1)
    desk.sets(contact, STAGE, MQL)
    undone = undo(desk, run, allow_backward=True)
    assert said(undone) == [(STAGE, "skipped", "changed since by Rita Rep on 2 March 2026 12:00")]
    assert desk.stage(contact) == MQL


def test_a_hard_correction_is_not_undone_while_its_rule_is_on(desk: Desk) -> None:
    contact = desk.lead("IN_PROGRESS", SQL, at=ago(days=20))
    desk.sets(contact, STATUS, "NEW", at=ago(days=2))
    run = desk.sync().run
    assert desk.status(contact) == "IN_PROGRESS"
    undone = undo(desk, run)
    [(prop, state, why)] = said(undone)
    assert (prop, state) == (STATUS, "refused")
    assert why.startswith("hard correction while rule ")
    assert why.endswith(" is on")
    assert desk.status(contact) == "IN_PROGRESS"


def test_what_a_hard_cell_would_change_again_is_refused(desk: Desk) -> None:
    """A10 made the SQL Working; SQL with New is corrected whoever chose it, so putting New back would not last."""
    contact = desk.lead("NEW", "lead")
    desk.sets(contact, STAGE, SQL, at=ago(days=3))
    run = desk.sync().run
    assert [w.rule for w in desk.ledger(contact) if w.kind == "set"] == ["working_on_becoming_sql"]
    why = "hard correction while rule cell_sql_new is on: it would change it again"
    assert said(undo(desk, run)) == [(STATUS, "refused", why)]
    assert desk.status(contact) == "IN_PROGRESS"
    desk.later(days=1)
    assert acted(desk.plan()) == []


def test_deals_are_read_where_a_hard_cell_hangs_on_them(desk: Desk) -> None:
    """Converted at MQL with an open deal is corrected; without one nothing is known against it."""
    contact = desk.lead("", MQL)
    run = desk.sync().run
    assert desk.status(contact) == "NEW"
    acts.create_deal(desk.portal, contact, owner=desk.rep)
    desk.later(minutes=5)
    session = desk.session()
    [row] = [w for w in desk.ledger(contact) if w.kind == "set"]
    seen = session.gateway.read_contacts([contact], session.portal.policy.properties).found[contact]
    converted = replace(seen, properties={**seen.properties, STATUS: "OPEN_DEAL", STAGE: MQL})
    assert isinstance(hard_cell(session.portal.policy, converted, session.portal_now()), Missing)
    deals = session.gateway.deals_of([contact])[contact]
    held = hard_cell(session.portal.policy, replace(converted, deals=deals), session.portal_now())
    assert isinstance(held, Rule)
    assert held.id == "cell_mql_converted_open"
    assert (row.run, row.target) == (run, STATUS)


def test_an_option_that_is_gone_is_refused_before_anything_is_cleared(desk: Desk) -> None:
    contact, run = qualified(desk)
    options = desk.portal.schemas.properties["contacts"][STAGE].options
    desk.portal.schemas.set_options("contacts", STAGE, [o for o in options if o.value != "lead"])
    desk.rebind()
    undone = undo(desk, run, allow_backward=True)
    assert said(undone) == [(STAGE, "refused", 'the portal no longer has the option "lead"')]
    assert desk.stage(contact) == SQL
