"""Rules on which Lead status and stage don't hang are followed apart, and several processes prove what one does."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import islice

import pytest

from hubsync.policy.decide import decide
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.proving import prove
from hubsync.proving.checks import EVER
from hubsync.proving.ground import Ground
from hubsync.proving.options import NOW
from hubsync.proving.prove import proved
from hubsync.proving.report import as_data
from hubsync.proving.starts import Classes
from hubsync.rulefiles.load import load_rules
from hubsync.rulefiles.records import entry
from hubsync.settings import default_rules
from tests.proving.minis import mini


@cache
def shipped() -> Ground:
    return Ground.of(load_rules(default_rules()))


def written_by(ground: Ground, team: frozenset[str]) -> set[str]:
    return {action.property for rule in ground.policy.rules if rule.id in team for action in rule.sets}


def test_the_score_and_the_signals_for_lists_are_apart_from_what_moves_a_lead() -> None:
    core, *teams = shipped().teams
    assert "mql_on_score" in core
    assert "converted_on_open_deal" in core
    assert frozenset({"score_is_kept"}) in teams
    assert frozenset({"nurture_signal", "nurture_signal_ends"}) in teams
    assert {STATUS, STAGE} <= written_by(shipped(), core)
    for team in teams:
        others = frozenset().union(core, *(t for t in teams if t is not team))
        assert not written_by(shipped(), team) & written_by(shipped(), others)


def test_what_other_teams_write_changes_nothing_that_the_core_decides() -> None:
    """Whatever stands in their properties: no rule of the core asks it, by whatever fact."""
    ground = shipped()
    core, *teams = ground.teams
    hidden = {name for team in teams for name in written_by(ground, team)}
    assert len(hidden) >= 4
    decided = 0
    for place in list(ground.places)[::3]:
        classes = Classes(ground, place, core)
        for start in [*islice(classes.alone(), 0, 120, 9), *islice(classes.together(), 0, 60, 9)]:
            situation = start.situation(ground.writing(core))
            if situation is None:
                continue
            contact = situation.contact
            other = replace(
                contact,
                properties={**contact.properties, **dict.fromkeys(hidden, "2026-03-03")},
                history={**(contact.history or {}), **{n: [entry("2026-03-03", NOW, "CRM_UI")] for n in hidden}},
            )
            decision = decide(situation.policy, contact, NOW, EVER)
            assert decide(situation.policy, other, NOW, EVER) == decision, start
            decided += bool(decision.changes)
    assert decided > 50


SIGNALS = """
rules:
  - id: reached_is_attempting
    playbook: X1
    when: {lead_status: {is: new}, first_rep_outreach: {is_known: true}}
    cause: first_rep_outreach
    then: [{set: {lead_status: attempting}}]
  - id: says_yes
    playbook: X2
    when: {first_rep_outreach: {is_known: true}}
    cause: first_rep_outreach
    then: [{set: {asked: yes}}]
  - id: says_no
    playbook: X3
    when: {first_rep_outreach: {is_known: true}}
    cause: first_rep_outreach
    then: [{set: {asked: no}}]
"""


def test_rules_that_are_apart_are_held_against_one_another_all_the_same() -> None:
    ground = Ground.of(mini(SIGNALS))
    assert ground.teams == (frozenset({"reached_is_attempting"}), frozenset({"says_yes", "says_no"}))
    [fault] = proved(ground).faults
    assert (fault.kind, fault.rules) == ("determinism", ("says_no", "says_yes"))


def test_several_processes_find_what_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    ground = Ground.of(mini(SIGNALS))
    alone = {**as_data(ground, proved(ground)), "seconds": 0}
    monkeypatch.setattr(prove, "ALONE", 0)
    assert {**as_data(ground, proved(ground, jobs=3)), "seconds": 0} == alone
