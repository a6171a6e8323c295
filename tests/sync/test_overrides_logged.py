"""A18: who changes back what hubsync wrote is logged once; a rule that is overruled too often only proposes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hubsync.sandbox import acts
from hubsync.store.values import Override
from hubsync.sync.overrides import records, to_be_tuned
from tests.sync.desk import MQL, NOW, SQL, STAGE, STATUS, Desk, acted, ago, states

RULE = "nurture_on_moving_back_to_mql"


def set_aside(desk: Desk, *, count: int = 1) -> list[str]:
    """Contacts that hubsync made Nurture since somebody moved them back to MQL an hour ago."""
    contacts = [desk.lead("CONNECTED", SQL, email=f"{n}@example.com") for n in range(count)]
    for contact in contacts:
        desk.sets(contact, STAGE, MQL, at=ago(hours=1))
    desk.sync()
    assert {desk.status(contact) for contact in contacts} == {"NURTURE"}
    return contacts


def logged(desk: Desk) -> tuple[Override, ...]:
    return desk.store.overrides(desk.portal.portal_id)


def rows_of(desk: Desk, contact: str) -> list[tuple[str, str | None]]:
    return [(r.state, r.note) for r in desk.ledger(contact) if r.rule == RULE and r.target == STATUS]


def test_a_change_back_is_logged_once_with_who_when_rule_from_and_to(desk: Desk) -> None:
    [contact] = set_aside(desk)
    then = desk.later(hours=2)
    desk.sets(contact, STATUS, "CONNECTED")
    desk.later(hours=1)
    assert desk.sync().tally.overridden == 1
    user = desk.portal.directory.owners[desk.rep].user_id
    [override] = logged(desk)
    assert (override.contact, override.rule, override.property) == (contact, RULE, STATUS)
    assert (override.before, override.after, override.at) == ("NURTURE", "CONNECTED", then)
    assert override.by == f"CRM_UI:userId:{user}"
    [(state, note)] = rows_of(desk, contact)
    assert state == "overridden"
    assert (note or "").startswith("changed back by Rita Rep on 2 March 2026")
    for _ in range(2):
        desk.later(days=1)
        assert desk.sync().tally.overridden == 0
    assert len(logged(desk)) == 1
    assert desk.status(contact) == "CONNECTED"


def test_a_plan_logs_nothing(desk: Desk) -> None:
    [contact] = set_aside(desk)
    desk.later(hours=2)
    desk.sets(contact, STATUS, "CONNECTED")
    desk.later(hours=1)
    desk.plan()
    assert logged(desk) == ()


def test_a_lead_that_goes_on_is_no_override(desk: Desk) -> None:
    [contact] = set_aside(desk)
    desk.later(days=3)
    desk.sets(contact, STATUS, "IN_PROGRESS")
    desk.later(hours=1)
    desk.sync()
    assert logged(desk) == ()


def test_a_workflow_that_changes_back_is_no_override_but_noted_with_the_write(desk: Desk) -> None:
    [contact] = set_aside(desk)
    desk.later(hours=2)
    acts.workflow_sets(desk.portal, contact, STATUS, "CONNECTED")
    desk.later(hours=1)
    desk.sync()
    assert logged(desk) == ()
    [(state, note)] = rows_of(desk, contact)
    assert (state, "changed back by an automation" in (note or "")) == ("applied", True)


@pytest.mark.parametrize(("days", "count"), [(30, 1), (32, 0)])
def test_a_former_value_chosen_a_month_later_has_new_reasons(desk: Desk, days: int, count: int) -> None:
    [contact] = set_aside(desk)
    desk.later(days=days - 1)
    desk.sets(contact, STATUS, "CONNECTED")
    desk.sync()
    assert len(logged(desk)) == count


def test_nobody_who_changed_nothing_back_costs_a_call(desk: Desk) -> None:
    set_aside(desk, count=3)
    desk.later(hours=1)
    before = len(desk.requests("/contacts/batch/read"))
    desk.sync()
    assert len(desk.requests("/contacts/batch/read")) == before


def overruled(desk: Desk, *, of: int, back: int) -> list[str]:
    """So many contacts made Nurture, of which a rep changed so many back, as two syncs saw."""
    contacts = set_aside(desk, count=of)
    desk.later(hours=2)
    for contact in contacts[:back]:
        desk.sets(contact, STATUS, "CONNECTED")
    desk.later(hours=1)
    desk.sync()
    return contacts


@pytest.mark.parametrize(
    ("of", "back", "tuning"), [(20, 3, True), (20, 2, False), (19, 10, False)], ids=["over", "a tenth", "too few"]
)
def test_over_a_tenth_of_at_least_twenty_writes_changed_back_is_too_many(
    desk: Desk, of: int, back: int, tuning: bool
) -> None:
    overruled(desk, of=of, back=back)
    portal = desk.portal.portal_id
    [record] = [r.record for r in records(desk.store, portal) if r.record.rule == RULE]
    assert (record.writes, record.overridden) == (of, back)
    assert set(to_be_tuned(desk.store, portal)) == ({RULE} if tuning else set())


def test_a_rule_that_is_overruled_too_often_only_proposes_from_the_next_sync_on(desk: Desk) -> None:
    overruled(desk, of=20, back=3)
    late = desk.lead("CONNECTED", SQL, email="late@example.com", at=NOW - timedelta(days=9))
    desk.sets(late, STAGE, MQL)
    desk.later(hours=1)
    for outcome in (desk.plan(), desk.sync()):
        assert (RULE, "NURTURE", "proposed") in states(outcome)
        assert acted(outcome) == []
        [notice] = outcome.notices
        assert f"Rule {RULE} only proposes: people changed back 3 of its 20 writes (15%)" in notice
        assert "hubsync report overrides" in notice
    assert desk.status(late) == "CONNECTED"


def test_a_rule_that_was_changed_counts_anew(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk()
    overruled(desk, of=20, back=3)
    files = desk.loaded.files
    rules = {
        name: content.model_copy(
            update={"rules": [r.model_copy(update={"settle": "1 hour"}) if r.id == RULE else r for r in content.rules]}
        )
        for name, content in files.rules.items()
    }
    desk.rebind(
        loaded=type(desk.loaded)(
            desk.loaded.folder, type(files)(files.portal, files.matrix, rules, "tuned"), desk.loaded.documents
        )
    )
    desk.later(hours=1)
    desk.sync()
    assert to_be_tuned(desk.store, desk.portal.portal_id) == {}
    assert desk.sync().notices == ()
