"""Rule sets that are wrong on purpose: what is wrong is found, told as short as can be, and shown by a case."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubsync.proving.checks import EVER, Fault, faults_of
from hubsync.proving.course import follow
from hubsync.proving.ground import Ground
from hubsync.proving.options import LONG_AGO, NOW, act
from hubsync.proving.prove import Verdict, proved
from hubsync.proving.report import as_data, lines
from hubsync.proving.starts import APART, Start
from hubsync.proving.telling import case, position, story
from hubsync.rulefiles.cases import load_cases
from hubsync.rulefiles.playing import play
from hubsync.rulefiles.situations import Situation, build
from tests.proving.minis import BROKEN, mini, text_of, written


@cache
def proof_of(path: Path) -> tuple[Ground, Verdict, list[Any]]:
    wrong = yaml.safe_load(path.read_text(encoding="utf-8"))["wrong"]
    ground = Ground.of(mini(text_of(path)))
    return ground, proved(ground), wrong


def the_fault(verdict: Verdict, expected: dict[str, Any]) -> Fault:
    same = [f for f in verdict.faults if (f.kind, sorted(f.rules)) == (expected["kind"], sorted(expected["rules"]))]
    assert len(same) == 1, [(f.kind, f.rules, f.message) for f in verdict.faults]
    return same[0]


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_what_is_wrong_with_a_rule_set_is_found_with_the_shortest_story(path: Path) -> None:
    ground, verdict, wrong = proof_of(path)
    assert not verdict.holds
    for expected in wrong:
        fault = the_fault(verdict, expected)
        assert fault.start is not None
        entries = [act for act in fault.start.acts if act.set is None]
        situation = fault.start.situation(ground.policy)
        assert situation is not None
        before = follow(situation, EVER).looks[: fault.look]
        writes = [change for look in before for change in look.decision.changes]
        assert (len(entries), len(writes)) == (expected["acts"], expected["steps"])
        for rule in fault.rules:
            line = int(position(ground.loaded, rule).removeprefix("rules.yaml:"))
            assert f"id: {rule}," in text_of(path).splitlines()[line - 1]


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_the_case_that_comes_with_a_fault_runs_and_shows_it(path: Path, tmp_path: Path) -> None:
    ground, verdict, wrong = proof_of(path)
    for expected in wrong:
        fault = the_fault(verdict, expected)
        folder = written(ground.loaded, tmp_path / "rules")
        (folder / "rules_test.yaml").write_text(case(ground, fault), encoding="utf-8")
        [loaded] = load_cases(folder)
        played = play(loaded)
        assert not played.result.ok, "the case must fail while the fault is there"
        assert "expect" in played.result.message


def test_a_story_names_the_place_of_every_rule_and_every_moment() -> None:
    ground, verdict, wrong = proof_of(BROKEN[0].with_name("workflow_writes_back.yaml"))
    told = list(story(ground, the_fault(verdict, wrong[0])))
    assert told[0].startswith("a contact created 28 January 2025: owner 11, lead_status attempting")
    assert told[1:] == [
        "2026-03-04 10:00  attempting_is_working (rules.yaml:3) sets lead_status to working",
        "2026-03-04 10:01  the workflow busy_leads_wait (rules.yaml:5): lead_status becomes attempting, by automation",
        "2026-03-04 10:01  hubsync looks and changes nothing",
        "2026-03-04 10:03  attempting_is_working (rules.yaml:3) sets lead_status to working",
    ]


def test_the_report_counts_what_was_looked_at_and_says_what_is_not_proved() -> None:
    ground, verdict, _ = proof_of(BROKEN[0].with_name("dead_rule.yaml"))
    text = list(lines(ground, verdict))
    assert text[0] == "rules.yaml:3: coverage: never is dead: no contact meets its conditions"
    assert text[-2].startswith("Not proved: ")
    assert "20 combinations" in text[-1]
    data = as_data(ground, verdict)
    assert data["proved"] is False
    assert data["combinations"] == 20
    assert [rule["where"] for rule in data["faults"][0]["rules"]] == ["rules.yaml:3"]


SOUND = """
rules:
  - id: reached_is_attempting
    playbook: X1
    when: {lead_status: {is_any_of: [none, new]}, first_rep_outreach: {is_known: true}}
    cause: first_rep_outreach
    then: [{set: {lead_status: attempting}}]
  - id: opened_is_working
    playbook: X2
    outranks: [reached_is_attempting]
    when: {lead_status: {is_any_of: [none, new, attempting, nurture]}, open_deals: {is_more_than: 0}}
    cause: deal_opened
    then: [{set: {lead_status: working, lifecycle_stage: sql}}]
  - id: idle_rests
    playbook: X3
    after: 30 days
    when: {lead_status: {is: working}, open_deals: {is: 0}}
    cause: lead_status_entered
    then: [{set: {lead_status: nurture}}]
"""


def test_a_sound_rule_set_is_proved_and_its_longest_way_to_rest_is_told() -> None:
    verdict = proved(Ground.of(mini(SOUND)))
    assert [f.message for f in verdict.faults] == []
    assert verdict.holds
    assert verdict.steps >= 1


def test_a_fact_that_no_case_can_state_is_named_as_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    from hubsync.proving import subjects

    monkeypatch.delitem(subjects._EVENTS, "first_rep_outreach")
    verdict = proved(Ground.of(mini(SOUND)))
    assert verdict.unproved == ["reached_is_attempting: no case can state the fact first_rep_outreach"]
    assert not verdict.holds


LOCK = """
rules:
  - id: lock
    playbook: X1
    hard: true
    when: {lead_status: {is: attempting}, lead_status_before: {is: working}}
    cause: lead_status_entered
    once_per: deal
    then: [{set: {lead_status: working}}]
  - id: reached_is_attempting
    playbook: X2
    when: {lead_status: {is: working}, first_rep_outreach: {is_known: true}}
    cause: first_rep_outreach
    then: [{set: {lead_status: attempting}}]
"""


def test_a_lock_that_a_rule_of_ones_own_breaks_is_unsafe() -> None:
    """The lock has had its one say for this deal before, so that it can't answer."""
    ground = Ground.of(mini(LOCK))
    opened, reached = act("deal_opened", {"id": "1"}, LONG_AGO + APART), act("rep_email", {}, NOW - APART)
    words = (
        ("owner", "11"),
        ("createdate", LONG_AGO.isoformat()),
        ("lead_status", "working"),
        ("lifecycle_stage", "lead"),
    )
    start = Start(("working", "lead"), words, (opened, reached))
    spent = "lock|deal:1|hs_lead_status"
    contact = replace(build(ground.policy, NOW, dict(words), start.acts).contact, spent=frozenset({spent}))
    course = follow(Situation(ground.policy, contact, NOW), EVER)
    [fault] = faults_of(ground, start, course, EVER)
    assert (fault.kind, fault.message) == ("safety", "reached_is_attempting breaks the lock of lock (A17)")
