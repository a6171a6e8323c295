"""From the text of rule files to a policy: every fault at its place, gaps named (design 6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import compile_text, policy, shipped

RULE = """
- id: {id}
  playbook: X
  says: Something.
  when: {when}
  cause: {cause}
  then: {then}
"""


def faults_of(
    *,
    when: str = "{lead_status: {is: new}}",
    cause: str = "lead_status_entered",
    then: str = "[{set: {lead_status: working}}]",
    more: str = "",
    **portal: Any,
) -> list[str]:
    faults: list[str] = []
    compile_text(RULE.format(id="mine", when=when, cause=cause, then=then) + more, faults, instead=True, **portal)
    return faults


def test_the_shipped_rules_have_no_fault_and_only_what_is_left_to_choose_is_off() -> None:
    assert [(g.rule, g.off) for g in policy().gaps if not g.opt_in] == []
    assert "churned_customer" in {g.rule for g in policy().gaps}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (
            {"when": "{lead_statsu: {is: new}}"},
            'when.lead_statsu: "lead_statsu" is no fact and no property name; did you',
        ),
        ({"when": "{lead_status: {is_an_of: [new]}}"}, '"is_an_of" is not an operator; did you mean "is_any_of"?'),
        ({"when": "{lead_status: {is: newt}}"}, '"newt" is no Lead status of portal.yaml; did you mean "new"?'),
        ({"when": "{lead_status: {is_any_of: [new, wrking]}}"}, 'when.lead_status.is_any_of.1: "wrking" is no Lead'),
        ({"when": "{lifecycle_stage: {is_below: qualified_stge}}"}, 'did you mean "qualified_stage"?'),
        ({"when": "{attempts: {is_more_than: many}}"}, 'when.attempts.is_more_than: "many" is not a number'),
        ({"when": "[{lead_status: {is: new}}, {attempts: {is: x}}]"}, 'when.1.attempts.is: "x" is not a number'),
        ({"when": "[]"}, "rules.0.when: a rule needs at least one condition"),
        ({"cause": "lead_status_enterd"}, 'is not a cause; did you mean "lead_status_entered"?'),
        ({"then": "[]"}, "rules.0.then: a rule needs at least one action"),
        ({"then": "[{set: {lead_status: wrking}}]"}, 'then.0.set.lead_status: "wrking" is no Lead status'),
        ({"then": "[{set: {open_deals: 1}}]"}, '"open_deals" is a fact, not a property that can be set'),
        ({"then": "[{set: {hubsync_reason: boredom}}]"}, '"boredom" is not an option of hubsync_reason'),
        ({"then": "[{set: {}}]"}, "then.0.set: names nothing to set"),
        ({"then": "[{set: {hubsync_review_date: {after_cause: soon}}}]"}, '"soon" is not a duration'),
        ({"then": "[{set: {hubsync_reason: {fact: loss_categry}}}]"}, 'did you mean "loss_category"?'),
        ({"then": "[{set: {lead_status: new}, finding: both}]"}, "then.0: an action is exactly one of"),
        (
            {"then": "[{create_task: {template: nowhere, due: {after_cause: 1 day}}}]"},
            'then.0.create_task.template: "nowhere" is no template of `templates:`',
        ),
        ({"more": "  outranks: [yours]"}, 'rules.0.outranks.0: "yours" is no rule'),
        ({"more": "  settle: 2 business hours"}, "a quiet time is calendar time"),
        ({"names": {"goal": "nowhere"}}, 'names.goal: "nowhere" is no status or stage'),
        ({"settling": {"status": "a while"}}, 'settling.status: "a while" is not a duration'),
    ],
)
def test_a_fault_is_told_with_its_place_and_what_to_write(changed: dict[str, Any], fault: str) -> None:
    told = faults_of(**changed)
    assert any(fault in line for line in told), told


def test_all_faults_are_told_at_once() -> None:
    told = faults_of(when="{lead_status: {iz: new}}", cause="nothing", then="[{set: {lead_status: wrking}}]")
    assert len(told) == 2
    assert {line.partition(": ")[0] for line in told} == {
        "added.yaml:rules.0.when.lead_status.iz",
        "added.yaml:rules.0.cause",
    }


def test_a_rule_without_a_cause_and_a_second_rule_of_one_id_are_faults() -> None:
    faults: list[str] = []
    twice = RULE.format(id="mine", when="{lead_status: {is: new}}", cause="lead_status_entered", then="[{finding: F}]")
    compile_text(twice + twice.replace("  cause: lead_status_entered\n", ""), faults, instead=True)
    assert any('"mine" is already the id of a rule' in f for f in faults)
    assert any("rule mine names no cause" in f for f in faults)


def test_statuses_that_are_like_nothing_or_like_a_likeness_are_faults() -> None:
    statuses = {k: s.model_dump(exclude_unset=True) for k, s in shipped().files.portal.statuses.items()}

    def own(like: str) -> dict[str, Any]:
        return {"labels": {"en": like}, "like": like, "meaning": "", "use_when": ""}

    told = faults_of(statuses={**statuses, "a": own("conected"), "b": own("connected"), "c": own("b")})
    assert 'portal.yaml:statuses.a.like: "conected" is not one of the statuses; did you mean "connected"?' in told
    assert 'portal.yaml:statuses.c.like: "b" is itself like "connected"; write connected here' in told


def test_a_key_called_none_is_a_fault() -> None:
    statuses = {k: s.model_dump(exclude_unset=True) for k, s in shipped().files.portal.statuses.items()}
    told = faults_of(statuses={**statuses, "none": statuses["new"]})
    assert any("statuses.none" in line and "stands for an empty property" in line for line in told)


def test_the_policy_reads_what_its_rules_ask_and_keeps_no_personal_data() -> None:
    assert {"hs_lead_status", "lifecyclestage", "hubsync_hold", "num_conversion_events", "email"} <= set(
        policy().properties
    )
    assert "email" not in policy().mirrored
    assert "hubsync_notes" not in policy().mirrored
    assert {"hs_lead_status", "lifecyclestage", "hubsync_review_date", "hubsync_reason"} <= set(policy().history)
    assert {"email", "hubsync_notes"} & set(policy().history) == set()
