"""The roll-out (B6): caps lower what rules do, for all, by rule and by team, and never raise it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hubsync.errors import RuleFileError
from hubsync.policy.changes import PROPOSE, REPORT
from hubsync.policy.contact import Contact
from hubsync.policy.decide import decide
from hubsync.policy.policy import Policy
from hubsync.policy.rollout import Caps, capped, caps_of, lower, next_step, standings
from hubsync.policy.ruleset import ideal_schema
from hubsync.policy.spec import RolloutSpec
from hubsync.policy.why import why
from hubsync.rulefiles.load import LoadedRules
from tests.builders import EVER, NOW, a_contact, ago, policy, shipped

TEAMS = {"7": ("Paris",), "8": ("Berlin", "Paris")}


def rolled(**caps: object) -> Policy:
    """The shipped rules under a roll-out, in a portal where owner 7 is in Paris and 8 in Berlin, and Paris too."""
    loaded = shipped()
    files = replace(loaded.files, rollout=RolloutSpec.model_validate(caps))
    documents = {**loaded.documents, "rollout.yaml": loaded.documents["portal.yaml"]}
    schema = replace(ideal_schema(files.portal), owner_teams=TEAMS)
    return LoadedRules(loaded.folder, files, documents).compile(schema)


def an_mql(owner: str = "11") -> Contact:
    """An MQL without Lead status, which A2 makes New."""
    return a_contact(stage="mql", owner=owner)


@pytest.mark.parametrize(
    ("mode", "cap", "now"),
    [
        ("auto", "report", "report"),
        ("auto", "propose", "propose"),
        ("auto", "auto", "auto"),
        ("propose", "auto", "propose"),
        ("report", "propose", "report"),
    ],
)
def test_a_cap_lowers_and_never_raises(mode: str, cap: str, now: str) -> None:
    assert lower(mode, cap) == now


def test_a_rules_own_cap_stands_before_its_playbooks_and_that_before_all() -> None:
    rules = {r.id: r for r in policy().rules}
    caps = Caps("report", {"A2": "propose", "new_on_becoming_mql": "auto"})
    assert [caps.of(rules[n]) for n in ("new_on_becoming_mql", "attempting_on_first_rep_outreach")] == [
        "auto",
        "report",
    ]
    assert replace(caps, rules={"A2": "propose"}).of(rules["new_on_becoming_mql"]) == "propose"


@pytest.mark.parametrize(
    ("caps", "written", "shown"),
    [
        ({"default": "report"}, [], [(REPORT, "NEW")]),
        ({"default": "propose"}, [], [(PROPOSE, "NEW")]),
        ({"default": "report", "rules": {"A2": "auto"}}, ["NEW"], []),
        ({}, ["NEW"], []),
    ],
    ids=["report", "propose", "auto by its playbook id", "an empty file"],
)
def test_under_a_cap_a_rule_shows_what_it_would_write(
    caps: dict[str, object], written: list[str], shown: list[tuple[str, str]]
) -> None:
    under = rolled(**caps, **({"rules": {"C1": "report"}} if caps == {} else {}))
    decision = decide(under, an_mql(), NOW, EVER, tasks=False)
    assert [c.new for c in decision.changes] == written
    assert [(f.kind, f.fix[2]) for f in decision.findings if f.fix and f.rule == "new_on_becoming_mql"] == shown


def test_a_task_under_a_cap_is_reported_and_not_created() -> None:
    contact = a_contact("new", "lead")
    decision = decide(rolled(default="propose"), contact, NOW, EVER)
    assert decision.tasks == ()
    assert [f.message for f in decision.findings] == [
        'A new lead is contacted within two business hours. A task "New lead: make the first contact" would be written.'
    ]


@pytest.mark.parametrize(("owner", "writes"), [("7", True), ("8", True), ("11", False)])
def test_a_team_may_be_further_than_the_others(owner: str, writes: bool) -> None:
    under = rolled(default="report", teams={"paris": {"rules": {"A2": "auto"}}})
    assert bool(decide(under, an_mql(owner), NOW, EVER, tasks=False).changes) is writes


def test_of_several_teams_with_caps_the_owners_main_one_counts() -> None:
    under = rolled(default="report", teams={"Paris": {"default": "report"}, "Berlin": {"default": "auto"}})
    assert decide(under, an_mql("8"), NOW, EVER, tasks=False).changes
    assert not decide(under, an_mql("7"), NOW, EVER, tasks=False).changes


def test_a_teams_default_leaves_what_all_say_of_single_rules_behind() -> None:
    spec = RolloutSpec.model_validate(
        {"default": "report", "rules": {"A2": "auto"}, "teams": {"Paris": {"default": "propose"}, "Rome": {}}}
    )
    assert caps_of(spec, "Paris") == Caps("propose", {})
    assert caps_of(spec, "Rome") == Caps("report", {"A2": "auto"})


def test_why_says_that_the_roll_out_keeps_a_rule_back() -> None:
    found = {w.rule: w.hindered for w in why(rolled(default="report"), an_mql(), NOW, EVER)}
    assert found["new_on_becoming_mql"] == "its mode is report, by the roll-out"


def test_a_capped_rule_does_not_show_what_it_would_not_write() -> None:
    emptied = a_contact([("new", ago(3)), ("none", ago(2), "person")], "mql")
    assert decide(policy(), emptied, NOW, EVER, tasks=False).changes == ()
    assert [f for f in decide(rolled(default="report"), emptied, NOW, EVER, tasks=False).findings if f.fix] == []


def test_unknown_names_are_faults_with_a_suggestion() -> None:
    with pytest.raises(RuleFileError, match='"new_on_becoming_mq" is neither a rule nor a playbook id of one'):
        rolled(rules={"new_on_becoming_mq": "auto"})


def test_the_suggested_path_leads_from_report_to_auto() -> None:
    rules = policy().rules
    assert next_step(rules, Caps("report")) == ("--all propose",)
    assert next_step(rules, Caps("propose")) == ("A2 auto", "A3 auto", "A7 auto", "A9 auto")
    first = dict.fromkeys(("A2", "A3", "A7", "A9"), "auto")
    assert next_step(rules, Caps("propose", first)) == ("--all auto",)
    assert next_step(rules, Caps("auto", first)) == ()


def test_where_a_rule_stands_says_what_comes_next_for_it() -> None:
    found = {s.rule: s for s in standings(policy().rules, Caps("propose", {"A2": "auto"}))}
    assert (found["new_on_becoming_mql"].mode, found["new_on_becoming_mql"].next) == ("auto", "")
    assert found["attempting_on_first_rep_outreach"].next == "auto"
    assert found["all_deals_lost"].next == "auto, after A2, A3, A4, A7, A9"


def test_capping_leaves_what_is_low_enough_alone() -> None:
    rules = policy().rules
    assert capped(rules, Caps("auto")) == tuple(rules)
    assert {r.mode for r in capped(rules, Caps("report"))} == {"report"}
