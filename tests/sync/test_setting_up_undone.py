"""Taking a setup back: what nobody uses or has changed goes, the rest is named and stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hubsync.errors import SettingsError
from hubsync.sandbox import acts
from hubsync.sync.taking_setup_back import plan_setup_undo
from tests.sync.desk import STATUS, Desk
from tests.sync.setups import (
    OURS,
    Meddler,
    definition_calls,
    options,
    taken_back,
    undo,
    values,
    write,
)


def test_an_undo_takes_back_all_that_was_added_and_leaves_the_rest_as_it_was(bare: Desk) -> None:
    before = options(bare)
    found = write(bare)
    undone = undo(bare, found.run)
    assert options(bare) == before
    assert not set(OURS) & set(bare.portal.schemas.properties["contacts"])
    assert undone.whole
    assert {r.state for r in undone.removals if r.what != "group"} == {"taken_back"}
    run = bare.store.run(bare.portal.portal_id, undone.run or 0)
    assert run is not None
    assert (run.kind, run.args, run.state) == ("undo", {"undoes": found.run}, "done")


def test_a_preview_of_an_undo_writes_nothing(bare: Desk) -> None:
    found = write(bare)
    calls = len(definition_calls(bare))
    previewed = plan_setup_undo(bare.session(), bare.store, found.run or 0)
    assert {r.state for r in previewed.removals} == {"planned", "left"}
    assert len(definition_calls(bare)) == calls


def test_what_a_contact_has_is_refused_by_name(bare: Desk) -> None:
    found = write(bare)
    bare.lead("NURTURE", hubsync_reason="budget")
    bare.lead("NURTURE")
    bare.later(minutes=5)
    said = taken_back(undo(bare, found.run))
    assert said["NURTURE"] == ("refused", "in use: 2 contacts have it")
    assert said["hubsync_reason"] == ("refused", "in use: 1 contact has a value of it")
    assert said["QUALIFIED"] == ("taken_back", "")
    assert "NURTURE" in values(bare)
    assert "hubsync_reason" in bare.portal.schemas.properties["contacts"]


def test_what_somebody_changed_since_is_refused(bare: Desk) -> None:
    found = write(bare)
    renamed = tuple(replace(o, label="Warm") if o.value == "NURTURE" else o for o in options(bare))
    bare.portal.schemas.set_options("contacts", STATUS, renamed)
    mine = replace(bare.portal.schemas.properties["contacts"]["hubsync_proposal"], label="My own words")
    bare.portal.schemas.add_property("contacts", mine)
    bare.portal.schemas.add_option("contacts", "hubsync_reason", "moved", "Moved away")
    undone = undo(bare, found.run)
    said = taken_back(undone)
    assert said["NURTURE"] == ("refused", 'somebody renamed it to "Warm"')
    assert said["hubsync_proposal"] == ("refused", "its definition was changed since")
    assert said["hubsync_reason"] == ("refused", "its definition was changed since")
    assert not undone.whole


def test_what_is_gone_already_is_told_and_a_second_undo_does_nothing(bare: Desk) -> None:
    found = write(bare)
    undo(bare, found.run)
    again = undo(bare, found.run)
    assert {r.state for r in again.removals} == {"gone", "left"}
    assert (again.run, again.whole) == (None, True)


def test_an_option_somebody_added_behind_ours_survives_the_undo(bare: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    found = write(bare)
    bare.portal.schemas.add_option("contacts", STATUS, "THEIRS", "Theirs")
    late = Meddler(bare, lambda: bare.portal.schemas.add_option("contacts", STATUS, "LATE", "Late"))
    monkeypatch.setattr(bare.gateway, "replace_options", late)
    undo(bare, found.run)
    assert values(bare)[8:] == ["THEIRS", "LATE"]


@pytest.mark.parametrize(
    ("method", "fault"), [("PATCH", "drop_after"), ("DELETE", "drop_after"), ("DELETE", "error_html")]
)
def test_an_undo_survives_a_lost_answer(bare: Desk, method: str, fault: str) -> None:
    before = options(bare)
    found = write(bare)
    bare.box.fail(fault, method=method, path="/properties/", times=1)
    assert undo(bare, found.run).whole
    assert options(bare) == before
    assert not set(OURS) & set(bare.portal.schemas.properties["contacts"])


def test_what_a_killed_setup_may_have_added_can_be_taken_back(bare: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    make = bare.gateway.create_property

    def killed(new: Any, kind: str = "contacts") -> bool:
        make(new, kind)
        raise KeyboardInterrupt

    monkeypatch.setattr(bare.gateway, "create_property", killed)
    with pytest.raises(KeyboardInterrupt):
        write(bare)
    [run] = bare.store.runs(bare.portal.portal_id)
    assert run.state == "interrupted"
    assert "hubsync_last_action" in bare.portal.schemas.properties["contacts"]
    undo(bare, run.id)
    assert "hubsync_last_action" not in bare.portal.schemas.properties["contacts"]


def test_a_run_that_is_no_setup_is_not_undone_here(desk: Desk) -> None:
    contact = desk.lead("NEW")
    acts.rep_sends_email(desk.portal, contact, desk.rep)
    run = desk.sync().run
    with pytest.raises(SettingsError, match="no setup with number"):
        plan_setup_undo(desk.session(), desk.store, run or 0)
