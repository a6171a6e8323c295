"""Digests and alerts, from the rule to the ledger, against the sandbox portal (playbook T2, B4)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hubsync.sandbox import acts
from hubsync.store.values import NOTICES, Write
from hubsync.sync.plan import Row
from tests.sync.desk import NOW, Desk, ago, all_rules
from tests.sync.undoing import undo


def told(desk: Desk, contact: str) -> list[Write]:
    return [row for row in desk.ledger(contact) if row.kind in NOTICES]


@pytest.fixture
def silent(desk: Desk) -> str:
    """A lead in Attempting since Monday a week ago, five business days, with a call planned (T10)."""
    desk.rebind(loaded=all_rules())
    lead = desk.lead("ATTEMPTED_TO_CONTACT", at=ago(days=7, hours=1), firstname="Sil")
    acts.create_task(desk.portal, lead, desk.rep, "Call again", due=NOW + timedelta(days=5))
    return lead


def row_of(contact: str, state: str) -> Row:
    return {
        "contact": contact,
        "rule": "attempting_for_five_days",
        "playbook": "T2",
        "kind": "digest",
        "to": "manager",
        "recipient": None,
        "text": "In Attempted to Contact since 23 February: 5 business days without a connection.",
        "state": state,
    }


def test_a_plan_shows_what_would_be_told_and_records_nothing(desk: Desk, silent: str) -> None:
    assert desk.plan(silent).tally.told == [row_of(silent, "planned")]
    assert told(desk, silent) == []


def test_it_is_recorded_once_and_neither_counts_as_a_change_nor_comes_again(desk: Desk, silent: str) -> None:
    outcome = desk.sync()
    assert outcome.tally.told == [row_of(silent, "recorded")]
    assert outcome.tally.changed_contacts() == 0
    (row,) = told(desk, silent)
    assert (row.kind, row.target, row.state, row.facts) == (
        "digest",
        "digest:manager",
        "applied",
        {"to": "manager", "recipient": None},
    )
    assert (row.answered_at, row.closed_at) == (desk.clock.now(), None)
    assert desk.sync().tally.told == []
    assert len(told(desk, silent)) == 1


def test_two_business_days_later_the_alert_follows(desk: Desk, silent: str) -> None:
    desk.sync()
    desk.later(days=2)
    assert [(r["kind"], r["rule"]) for r in desk.sync().tally.told] == [("alert", "attempting_for_seven_days")]


def test_an_undo_drops_what_nobody_was_told_yet_and_it_does_not_come_again(desk: Desk, silent: str) -> None:
    run = desk.sync().run
    undone = undo(desk, run)
    assert [row.contact for row in undone.told] == [silent]
    assert [row.state for row in told(desk, silent)] == ["undone"]
    assert desk.store.notices.listed(desk.portal.portal_id) == ()
    assert desk.sync().tally.told == []


def test_what_was_told_to_a_lead_that_is_merged_away_counts_for_the_survivor(desk: Desk, silent: str) -> None:
    desk.sync()
    survivor = desk.lead("ATTEMPTED_TO_CONTACT", at=ago(days=1))
    desk.store.merge(desk.portal.portal_id, silent, survivor)
    assert [row.target for row in told(desk, survivor)] == ["digest:manager"]


def test_an_erased_contact_leaves_nothing_to_tell(desk: Desk, silent: str) -> None:
    desk.sync()
    desk.store.erase(desk.portal.portal_id, [silent], until=desk.later(days=30))
    assert desk.store.notices.listed(desk.portal.portal_id) == ()
