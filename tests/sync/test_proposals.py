"""Proposals on the record (A19): written once, accepted by an answer or by the value, declined for good, cleared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from hubsync.rulefiles.load import load_rules
from hubsync.settings import default_rules
from hubsync.sync import reconcile
from hubsync.sync.reconcile import Outcome
from hubsync.sync.scope import Scope
from tests.sync.desk import GENEROUS, STATUS, Desk, ago

PROPOSAL, ANSWER = "hubsync_proposal", "hubsync_proposal_answer"


@pytest.fixture
def asking(desk: Desk) -> Desk:
    """A portal with both properties by which people are asked."""
    if ANSWER not in desk.portal.schemas.properties["contacts"]:
        known = desk.portal.schemas.properties["contacts"][PROPOSAL]
        desk.portal.schemas.properties["contacts"][ANSWER] = replace(known, name=ANSWER, label="Answer")
    return desk


def sync(desk: Desk) -> Outcome:
    return reconcile.write(desk.session(), desk.store, Scope(full=True), GENEROUS)


def proposed(desk: Desk) -> str:
    """A Converted lead without any deal, for which Working is proposed (C3), once that was written."""
    lead = desk.lead("OPEN_DEAL", at=ago(days=3))
    sync(desk)
    return lead


def test_a_proposal_is_written_once_with_what_why_and_by_which_rule(asking: Desk) -> None:
    lead = proposed(asking)
    text = asking.value(lead, PROPOSAL)
    assert text is not None
    assert text.startswith("Open Deal → In Progress: ")
    assert text.endswith("(cell_lead_converted_none, C3)")
    (row,) = asking.ledger(lead)
    assert (row.target, row.after, row.state) == (PROPOSAL, text, "applied")
    assert asking.value(lead, "hubsync_last_action") is None
    assert asking.status(lead) == "OPEN_DEAL"
    before = len(asking.written())
    sync(asking)
    assert len(asking.written()) == before


def test_accept_writes_the_value_for_the_rule_and_clears_both(asking: Desk) -> None:
    lead = proposed(asking)
    asking.sets(lead, ANSWER, "accept")
    sync(asking)
    assert (asking.status(lead), asking.value(lead, PROPOSAL), asking.value(lead, ANSWER)) == (
        "IN_PROGRESS",
        None,
        None,
    )
    assert [(r.rule, r.state) for r in asking.ledger(lead) if r.target == STATUS] == [
        ("cell_lead_converted_none", "applied")
    ]


def test_decline_spends_the_cause_and_the_proposal_does_not_come_back(asking: Desk) -> None:
    lead = proposed(asking)
    asking.sets(lead, ANSWER, "decline")
    sync(asking)
    assert (asking.status(lead), asking.value(lead, PROPOSAL), asking.value(lead, ANSWER)) == ("OPEN_DEAL", None, None)
    assert [r.state for r in asking.ledger(lead) if r.target == STATUS] == ["superseded"]
    before = len(asking.written())
    sync(asking)
    assert len(asking.written()) == before


def test_setting_the_value_oneself_clears_the_proposal(asking: Desk) -> None:
    lead = proposed(asking)
    asking.later(hours=1)
    asking.sets(lead, STATUS, "IN_PROGRESS", at=asking.clock.now())
    asking.later(hours=1)
    sync(asking)
    assert (asking.status(lead), asking.value(lead, PROPOSAL)) == ("IN_PROGRESS", None)


def test_an_answer_to_another_text_is_not_an_answer(asking: Desk) -> None:
    lead = asking.lead("OPEN_DEAL", at=ago(days=3), **{ANSWER: "accept"})
    sync(asking)
    assert (asking.status(lead), asking.value(lead, ANSWER)) == ("OPEN_DEAL", None)
    assert asking.value(lead, PROPOSAL) is not None


def test_hands_off_leaves_a_proposal_as_it_is(asking: Desk) -> None:
    lead = proposed(asking)
    asking.sets(lead, "hubsync_hold", "true")
    asking.sets(lead, ANSWER, "accept")
    before = len(asking.written())
    sync(asking)
    assert len(asking.written()) == before


def test_backlog_is_not_proposed(asking: Desk) -> None:
    asking.effective_since = None
    lead = proposed(asking)
    assert asking.value(lead, PROPOSAL) is None


def test_a_plan_shows_the_proposal_and_writes_nothing(asking: Desk) -> None:
    lead = asking.lead("OPEN_DEAL", at=ago(days=3))
    outcome = reconcile.plan(asking.session(), Scope(full=True))
    states = {(c["property"], c["state"]) for c in outcome.tally.changes}
    assert states == {(STATUS, "proposed")}
    assert asking.value(lead, PROPOSAL) is None


def test_without_a_rollout_file_proposals_stand_on_the_record_just_as_well(make_desk: Callable[..., Desk]) -> None:
    plain = make_desk(loaded=load_rules(default_rules()))
    assert plain.loaded.files.rollout is None
    lead = proposed(plain)
    assert "(cell_lead_converted_none, C3)" in (plain.value(lead, PROPOSAL) or "")


def test_where_the_portal_lacks_the_property_a_proposal_is_told_and_nothing_is_written(bare: Desk) -> None:
    bare.lead("OPEN_DEAL", at=ago(days=3))
    outcome = sync(bare)
    assert {(c["property"], c["state"]) for c in outcome.tally.changes} == {(STATUS, "proposed")}
    assert bare.written() == []
