"""Setting a portal up: only ever adding, whoever else is at the definitions meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hubsync.errors import PortalError, StoreError, TokenRefused
from hubsync.sandbox.http.limits import ALL_SCOPES
from hubsync.sandbox.schema import Option
from hubsync.sync.lease import PortalLease
from hubsync.sync.setting_up import Addition
from tests.sync.desk import STATUS, Desk
from tests.sync.setups import (
    ADDED,
    OURS,
    Meddler,
    definition_calls,
    of,
    options,
    plan,
    states,
    taken_back,
    undo,
    values,
    write,
)


def test_a_preview_names_what_is_lacking_and_writes_nothing(bare: Desk) -> None:
    found = plan(bare)
    assert [a.value for a in found.additions if a.what == "option"] == ADDED
    assert [a.target for a in found.additions if a.what == "property"] == OURS
    assert {a.state for a in found.additions} == {"planned"}
    assert of(found, "CUSTOMER").label == "Current customer"
    assert found.additions[0] == Addition("group", "hubsync", "", "hubsync")
    assert (found.run, found.whole) == (None, True)
    assert definition_calls(bare) == [("POST", "/batch/create")]  # the question whether it may
    assert values(bare) == [v for v in values(bare) if v not in ADDED]


def test_what_is_lacking_is_added_behind_the_portals_own(bare: Desk) -> None:
    before = options(bare)
    found = write(bare)
    assert {a.state for a in found.additions} == {"added"}
    after = options(bare)
    assert after[: len(before)] == before
    assert [o.value for o in after[len(before) :]] == ADDED
    assert [o.order for o in after[len(before) :]] == [8, 9, 10, 11, 12]
    made = bare.portal.schemas.properties["contacts"]
    assert {made[name].group for name in OURS} == {"hubsync"}
    kinds = {name: (made[name].type, made[name].field_type) for name in OURS}
    assert kinds.items() >= {
        ("hubsync_last_action", ("string", "text")),
        ("hubsync_hold", ("bool", "booleancheckbox")),
        ("hubsync_proposal", ("string", "text")),
        ("hubsync_proposal_answer", ("enumeration", "select")),
        ("hubsync_review_date", ("date", "date")),
        ("hubsync_stale", ("bool", "booleancheckbox")),
        ("hubsync_reason", ("enumeration", "select")),
    }
    assert [(o.value, o.label) for o in options(bare, "hubsync_reason")][:2] == [
        ("budget", "Budget"),
        ("no_authority", "No authority"),
    ]
    assert [g for g in bare.bound().policy.gaps if g.needs.startswith(("Lead status", "property"))] != []
    bare.rebind()
    assert [g for g in bare.bound().policy.gaps if g.needs.startswith(("Lead status", "property"))] == []


def test_a_second_setup_changes_nothing_and_makes_no_run(bare: Desk) -> None:
    write(bare)
    calls = len(definition_calls(bare))
    again = write(bare)
    assert (again.additions, again.run) == ([], None)
    assert len(definition_calls(bare)) == calls
    assert len(bare.store.runs(bare.portal.portal_id)) == 1


def test_a_setup_is_a_run_with_what_it_added(bare: Desk) -> None:
    found = write(bare)
    assert found.run is not None
    run = bare.store.run(bare.portal.portal_id, found.run)
    assert run is not None
    assert (run.kind, run.state, run.counts) == ("setup", "done", {"changes_added": 1 + len(ADDED) + len(OURS)})
    assert run.args["adds"][:2] == ["group hubsync", "option hs_lead_status QUALIFIED"]


def test_a_setup_does_not_start_the_count_of_causes(bare: Desk) -> None:
    write(bare)
    assert bare.store.effective_since(bare.portal.portal_id) is None


def test_options_that_are_not_ours_are_sent_as_they_were_read(bare: Desk) -> None:
    odd = Option("old one", "Old, one", 40, hidden=True, description="Kept for 2019")
    bare.portal.schemas.set_options("contacts", STATUS, (*options(bare), odd))
    write(bare)
    assert odd in options(bare)
    assert next(o.order for o in options(bare) if o.value == "QUALIFIED") == 41


def test_a_hidden_option_stays_hidden_and_is_named(bare: Desk) -> None:
    hidden = tuple(replace(o, hidden=o.value == "CONNECTED") for o in options(bare))
    bare.portal.schemas.set_options("contacts", STATUS, hidden)
    found = write(bare)
    assert [o.value for o in options(bare) if o.hidden] == ["CONNECTED"]
    assert [n for n in found.notes if "Connected (CONNECTED) is hidden" in n] == found.notes


def test_a_stage_that_is_missing_is_left_to_people(bare: Desk) -> None:
    kept = tuple(o for o in options(bare, "lifecyclestage") if o.value != "evangelist")
    bare.portal.schemas.set_options("contacts", "lifecyclestage", kept)
    found = write(bare)
    assert ['"evangelist" is missing' in note for note in found.notes] == [True]
    assert options(bare, "lifecyclestage") == kept


def test_an_option_of_our_own_property_that_is_missing_is_added(desk: Desk) -> None:
    kept = tuple(o for o in options(desk, "hubsync_reason") if o.value not in {"spam", "timing"})
    desk.portal.schemas.set_options("contacts", "hubsync_reason", kept)
    assert states(write(desk)) == {
        "option hubsync_reason spam": ("added", ""),
        "option hubsync_reason timing": ("added", ""),
    }
    assert options(desk, "hubsync_reason")[: len(kept)] == kept


# What can't be added ----------------------------------------------------------------------------------------------


def test_a_definition_that_hubspot_fixes_is_refused_by_name_and_the_rest_is_added(bare: Desk) -> None:
    fixed = replace(bare.portal.schemas.properties["contacts"][STATUS], read_only=True)
    bare.portal.schemas.add_property("contacts", fixed)
    found = write(bare)
    assert not found.whole
    assert of(found, "QUALIFIED").state == "refused"
    assert of(found, "QUALIFIED").why == "HubSpot lets nobody change the options of Lead Status"
    assert [a.state for a in found.additions if a.what == "property"] == ["added"] * len(OURS)


def test_a_value_that_differs_in_case_alone_is_refused(bare: Desk) -> None:
    bare.portal.schemas.add_option("contacts", STATUS, "nurture", "Warm later")
    why = of(plan(bare), "NURTURE").why
    assert why.startswith('the portal has "nurture"')


def test_a_label_that_another_option_has_is_refused(bare: Desk) -> None:
    renamed = tuple(replace(o, label="Qualified") if o.value == "IN_PROGRESS" else o for o in options(bare))
    bare.portal.schemas.set_options("contacts", STATUS, renamed)
    found = write(bare)
    assert of(found, "QUALIFIED").state == "refused"
    assert "that of option IN_PROGRESS" in of(found, "QUALIFIED").why
    assert of(found, "NURTURE").state == "added"


def test_a_property_of_another_type_is_refused_and_left(desk: Desk) -> None:
    text = replace(desk.portal.schemas.properties["contacts"]["hubsync_review_date"], type="string", field_type="text")
    desk.portal.schemas.add_property("contacts", text)
    assert states(write(desk)) == {
        "property hubsync_review_date": (
            "refused",
            "the portal has one of that name, of type string instead of date; rename one of them",
        )
    }
    assert desk.portal.schemas.properties["contacts"]["hubsync_review_date"] == text


def test_without_the_scope_nothing_is_written_and_it_is_named(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(
        added_statuses=False, own_properties=False, scopes=set(ALL_SCOPES) - {"crm.schemas.contacts.write"}
    )
    assert plan(desk).missing_scopes == ("crm.schemas.contacts.write",)
    assert not plan(desk).whole
    with pytest.raises(TokenRefused, match=r"lacks crm\.schemas\.contacts\.write\. Nothing was written"):
        write(desk)
    assert desk.store.runs(desk.portal.portal_id) == ()


def test_the_scope_does_not_matter_where_nothing_is_lacking(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(scopes=set(ALL_SCOPES) - {"crm.schemas.contacts.write"})
    found = plan(desk)
    assert (found.additions, found.missing_scopes, found.whole) == ([], (), True)


# Two admins, lost answers ------------------------------------------------------------------------------------------


def test_ours_go_on_top_of_a_list_that_somebody_saved_over_them(bare: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = options(bare)
    theirs = Option("THEIRS", "Theirs", 8)
    meddler = Meddler(bare, lambda: bare.portal.schemas.set_options("contacts", STATUS, (*before, theirs)))
    monkeypatch.setattr(bare.gateway, "replace_options", meddler)
    found = write(bare)
    assert {a.state for a in found.additions} == {"added"}
    assert values(bare) == [*(o.value for o in before), "THEIRS", *ADDED]
    assert len(meddler.sent) == 2


def test_an_option_somebody_added_after_the_preview_is_kept(bare: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    read = bare.gateway.create_property

    def meanwhile(*given: Any) -> bool:
        bare.portal.schemas.add_option("contacts", STATUS, "THEIRS", "Theirs")
        return read(*given)

    monkeypatch.setattr(bare.gateway, "create_property", meanwhile)
    write(bare)
    assert values(bare)[8:] == ["THEIRS", *ADDED]


def test_an_option_somebody_deleted_meanwhile_does_not_come_back(bare: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tuple(o for o in options(bare) if o.value != "OPEN")
    meddler = Meddler(bare, lambda: bare.portal.schemas.set_options("contacts", STATUS, kept))
    monkeypatch.setattr(bare.gateway, "replace_options", meddler)
    write(bare)
    assert "OPEN" not in values(bare)
    assert values(bare)[-5:] == ADDED


def test_one_that_somebody_else_adds_first_is_theirs(bare: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    read = bare.gateway.create_property

    def meanwhile(*given: Any) -> bool:
        if "NURTURE" not in values(bare):
            bare.portal.schemas.add_option("contacts", STATUS, "NURTURE", "Nurture")
        return read(*given)

    monkeypatch.setattr(bare.gateway, "create_property", meanwhile)
    found = write(bare)
    assert of(found, "NURTURE").state == "present"
    assert of(found, "QUALIFIED").state == "added"
    assert "NURTURE" not in taken_back(undo(bare, found.run))
    assert "NURTURE" in values(bare)


def test_who_keeps_saving_an_older_list_wins_and_is_told_of(bare: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = options(bare)
    meddler = Meddler(bare, lambda: bare.portal.schemas.set_options("contacts", STATUS, before), times=99)
    monkeypatch.setattr(bare.gateway, "replace_options", meddler)
    found = write(bare)
    assert not found.whole
    assert "somebody saves another list" in of(found, "QUALIFIED").why
    assert len(meddler.sent) == 4
    assert options(bare) == before


@pytest.mark.parametrize(
    ("method", "path", "fault"),
    [
        ("PATCH", "hs_lead_status", "drop_after"),
        ("PATCH", "hs_lead_status", "truncated"),
        ("PATCH", "hs_lead_status", "error_html"),
        ("POST", "contacts$", "drop_after"),
        ("POST", "contacts$", "drop_before"),
        ("POST", "groups", "error_after"),
        ("POST", "groups", "drop_before"),
    ],
)
def test_a_lost_answer_adds_nothing_twice_and_loses_nothing(bare: Desk, method: str, path: str, fault: str) -> None:
    bare.box.fail(fault, method=method, path=path, times=1)
    found = write(bare)
    assert {a.state for a in found.additions} == {"added"}
    assert values(bare)[-5:] == ADDED
    assert plan(bare).additions == []


def test_a_property_somebody_made_while_our_answer_was_lost_is_theirs(bare: Desk) -> None:
    theirs = replace(bare.portal.schemas.properties["contacts"]["jobtitle"], name="hubsync_proposal", label="Mine")
    bare.box.fail("drop_before", method="POST", path="contacts$", times=1, skip=2)
    make = bare.gateway.create_property

    def meanwhile(new: Any, kind: str = "contacts") -> bool:
        try:
            return make(new, kind)
        except PortalError:
            bare.portal.schemas.add_property("contacts", theirs)
            raise

    bare.gateway.create_property = meanwhile  # type: ignore[method-assign]
    assert states(write(bare))["property hubsync_proposal"] == ("present", "")


def test_hubspot_that_never_answers_is_told_of_and_the_rest_goes_on(bare: Desk) -> None:
    bare.box.fail("drop_before", method="PATCH", path="hs_lead_status")
    found = write(bare)
    assert of(found, "QUALIFIED").state == "refused"
    assert [a.state for a in found.additions if a.what == "property"] == ["added"] * len(OURS)
    bare.box.service.faults.clear()
    assert {a.state for a in write(bare).additions} == {"added"}


def test_two_setups_at_once_take_turns(bare: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PortalLease.__init__.__kwdefaults__ or {}, "patience", 0.0)
    assert bare.store.acquire_lease(bare.portal.portal_id, "another setup", 60) is not None
    with pytest.raises(StoreError, match="another setup is writing"):
        write(bare)
    assert values(bare)[-5:] != ADDED
