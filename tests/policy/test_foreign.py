"""Workflows of the portal's own, as rule files declare them: compiled, but never acted on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hubsync.policy.contact import OurWrite
from hubsync.policy.ruleset import RuleSet
from hubsync.policy.spec import RulesSpec
from hubsync.policy.view import View
from hubsync.rulefiles.load import LoadedRules
from tests.builders import NOW, a_contact, ago, looked_at, policy, policy_with, shipped

FLOW: dict[str, object] = {
    "id": "back_to_new",
    "says": "Whoever asks for a demo is New.",
    "when": {"lead_status": {"is": "working"}, "demo_wanted": {"is_known": "true"}},
    "set": {"lead_status": "new", "demo_wanted": "none"},
}


def with_foreign(*flows: dict[str, object]) -> LoadedRules:
    """The shipped rules beside such workflows."""
    files = shipped().files
    rules = {**files.rules, "foreign.yaml": RulesSpec.model_validate({"foreign": flows})}
    documents = {**shipped().documents, "foreign.yaml": shipped().documents["automations.yaml"]}
    return LoadedRules(shipped().folder, RuleSet(files.portal, files.matrix, rules, "foreign"), documents)


def test_a_declared_workflow_says_when_it_acts_and_what_it_sets_in_hubspots_values() -> None:
    [flow] = with_foreign(FLOW).compile().foreign
    assert (flow.id, flow.values) == ("back_to_new", {"hs_lead_status": "NEW", "demo_wanted": ""})
    working = a_contact([("working", ago(9))], [("mql", ago(9))], demo_wanted="yes")
    assert [flow.test(View(policy(), c, NOW)) for c in (working, a_contact([("new", ago(9))], []))] == [1, 0]


def test_what_only_a_workflow_asks_is_not_read_from_the_portal() -> None:
    assert "demo_wanted" not in with_foreign(FLOW).compile().properties


HARD = """
- id: never_attempting
  playbook: X1
  hard: true
  when: {lead_status: {is: attempting}}
  cause: lead_status_entered
  then: [{set: {lead_status: working}}]
"""


def test_without_its_brakes_a_policy_writes_as_often_as_causes_come() -> None:
    """As only a proof has it: rules must come to rest by themselves."""
    braked = policy_with(HARD)
    loose = replace(braked, brakes=False)
    first = a_contact([("attempting", ago(1))], [("lead", ago(9))])
    [change] = looked_at(first, of=loose).changes
    ours = (change.rule, change.new, change.cause.at)
    assert change.new == "IN_PROGRESS"
    assert ours[0] == "never_attempting"
    written = NOW - timedelta(hours=2)
    again = replace(
        a_contact([("working", written), ("attempting", ago(hours=1))], [("lead", ago(9))]),
        ours=(OurWrite("hs_lead_status", "IN_PROGRESS", "", ago(1), "never_attempting", written),),
    )
    assert [c.new for c in looked_at(again, of=loose).changes] == ["IN_PROGRESS"]
    assert looked_at(again, of=braked).changes == ()
