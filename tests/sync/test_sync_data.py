"""A lead's data against the sandbox: what is missing, what its engagement is worth, who must agree (A15, A16, T8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.sandbox import acts
from hubsync.settings import default_rules
from hubsync.sync.scope import Scope
from tests.sync.desk import MQL, STAGE, STATUS, Desk, acted, ago, rolled_out


def rules(**portal: Any) -> LoadedRules:
    """All shipped rules, with sections of portal.yaml replaced."""
    loaded = load_rules(default_rules())
    changed = loaded.files.portal.model_copy(update=portal)
    return rolled_out(LoadedRules(loaded.folder, replace(loaded.files, portal=changed), loaded.documents))


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Desk]:
    """A desk at which every shipped rule is at work."""
    with Desk(tmp_path, loaded=rules()) as desk:
        yield desk


def bodies(desk: Desk, contact: str) -> list[str]:
    return [task.values["hs_task_body"] for task in desk.tasks(contact)]


def test_a16_a_task_names_what_is_missing_and_goes_when_it_is_filled_in(whole: Desk) -> None:
    lead = whole.lead("UNQUALIFIED", firstname="Ada", email="ada@example.com", at=ago(days=5))
    whole.sync(lead)
    [body] = bodies(whole, lead)
    assert "its record lacks: the reason." in body
    assert acted(whole.sync(lead)) == []
    whole.sets(lead, "hubsync_reason", "budget")
    whole.later(minutes=5)
    outcome = whole.sync(lead)
    assert (whole.tasks(lead), outcome.tally.withdrawn) == ([], 1)


def test_a15_a_score_over_the_threshold_makes_an_mql_and_that_is_new(whole: Desk) -> None:
    contact = {STAGE: "lead", "hubspot_owner_id": whole.rep, "firstname": "Ada", "email": "ada@example.com"}
    lead = acts.create_contact(whole.portal, contact, source="import", at=ago(days=20))
    acts.submit_form(whole.portal, lead, "White paper: leads that last", at=ago(days=2))
    whole.sync(lead)
    assert (whole.value(lead, "hubsync_score"), whole.stage(lead), whole.status(lead)) == ("15", "lead", None)
    acts.integration_sets(whole.portal, lead, "hubsync_webinar_attended", "2026-03-02", at=ago(hours=1))
    whole.sync(lead)
    assert (whole.value(lead, "hubsync_score"), whole.stage(lead), whole.status(lead)) == ("35", MQL, "NEW")
    [stage] = [row for row in whole.ledger(lead) if row.target == STAGE]
    assert (stage.rule, stage.cause_kind) == ("mql_on_score", "score_reached")
    assert acted(whole.sync(lead)) == []


def test_p1_a_score_follows_the_clock_without_anything_happening(whole: Desk) -> None:
    lead = whole.lead("ATTEMPTED_TO_CONTACT", MQL)
    acts.submit_form(whole.portal, lead, "Newsletter", at=ago(days=2))
    whole.sync()
    assert whole.value(lead, "hubsync_score") == "5"
    whole.later(days=20)
    whole.sync(scope=Scope())
    assert whole.value(lead, "hubsync_score") == "0"


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Desk]:
    """A desk where leads of a million a year are disqualified with the boss's consent alone."""
    filters = [{"annualrevenue": {"is_at_least": "1000000"}}]
    with Desk(tmp_path, loaded=rules(high_value=filters, approvers=["boss@example.com"])) as desk:
        yield desk


def test_t8_a_disqualification_nobody_approved_goes_back_once_and_the_approver_is_asked(strict: Desk) -> None:
    boss = strict.portal.directory.add_owner("boss@example.com", "Bo", "Boss").id
    lead = strict.lead("IN_PROGRESS", annualrevenue="2000000", at=ago(hours=3))
    strict.sets(lead, STATUS, "DISQUALIFIED", at=ago(hours=1))
    strict.sync(lead)
    assert strict.status(lead) == "IN_PROGRESS"
    [task] = strict.tasks(lead)
    assert task.values["hubspot_owner_id"] == boss
    strict.sets(lead, STATUS, "DISQUALIFIED")
    strict.later(minutes=10)
    strict.sync(lead)
    assert strict.status(lead) == "DISQUALIFIED"
    assert [w.after for w in strict.written(STATUS)] == ["IN_PROGRESS"]


def test_t8_an_approved_disqualification_stays(strict: Desk) -> None:
    boss = strict.portal.directory.add_owner("boss@example.com", "Bo", "Boss").id
    lead = strict.lead("IN_PROGRESS", annualrevenue="2000000", at=ago(hours=3))
    acts.person_sets(strict.portal, lead, "hubsync_approval", "approved", boss, at=ago(hours=2))
    strict.sets(lead, STATUS, "DISQUALIFIED", at=ago(hours=1))
    strict.sync(lead)
    assert strict.status(lead) == "DISQUALIFIED"
    assert strict.written(STATUS) == []


def test_t8_the_reps_own_word_is_no_approval(strict: Desk) -> None:
    strict.portal.directory.add_owner("boss@example.com", "Bo", "Boss")
    lead = strict.lead("IN_PROGRESS", annualrevenue="2000000", at=ago(hours=3))
    acts.person_sets(strict.portal, lead, "hubsync_approval", "approved", strict.rep, at=ago(hours=2))
    strict.sets(lead, STATUS, "DISQUALIFIED", at=ago(hours=1))
    strict.sync(lead)
    assert strict.status(lead) == "IN_PROGRESS"


def test_t10_the_owner_is_asked_for_the_next_action_then_has_a_task_until_one_is_planned(whole: Desk) -> None:
    known = {"hubsync_notes": "They have a project", "hubsync_next_step": "A demo"}
    lead = whole.lead("ATTEMPTED_TO_CONTACT", MQL, at=ago(days=40), **known)
    acts.lead_replies(whole.portal, lead, at=ago(days=3, hours=1))  # Friday
    whole.sets(lead, STATUS, "CONNECTED", at=ago(days=3, hours=1))
    told = whole.sync(lead).tally.told
    assert [(row["rule"], row["to"], row["state"]) for row in told] == [("no_next_action", "owner", "recorded")]
    assert "still_no_next_action" not in {row.rule for row in whole.ledger(lead)}
    whole.later(days=3)
    whole.sync(lead)
    task = [row for row in whole.ledger(lead) if row.rule == "still_no_next_action" and row.kind == "task"]
    assert [row.state for row in task] == ["applied"]
    assert acted(whole.sync(lead)) == []
    acts.create_task(whole.portal, lead, whole.rep, "Call about the demo", due=whole.clock.now() + timedelta(days=2))
    whole.sync(lead)
    assert [t.values["hs_task_subject"] for t in whole.tasks(lead)] == ["Call about the demo"]
