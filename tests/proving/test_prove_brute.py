"""The proof's verdict against brute force, on rule sets drawn at random, many of them wrong.

Eight in the normal run; `PROVE_SETS=2000 pytest tests/proving/test_prove_brute.py` draws that many.
"""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hubsync.proving.checks import COVERAGE, DETERMINISM, TERMINATION
from hubsync.proving.ground import Ground
from hubsync.proving.prove import Verdict, proved
from tests.proving import brute
from tests.proving.minis import STAGES, STATUSES, mini

SETS = settings(
    max_examples=int(os.environ.get("PROVE_SETS", "8")),
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
ENTERED = "lead_status_entered"
CAUSES = (ENTERED, ENTERED, ENTERED, "lifecycle_stage_entered", "first_rep_outreach", "deal_opened")
ASKED = {
    "first_rep_outreach": {"first_rep_outreach": {"is_known": "true"}},
    "deal_opened": {"open_deals": {"is_more_than": "0"}},
}
SEVERAL = st.lists(st.sampled_from(("none", *STATUSES)), min_size=2, max_size=3)


@st.composite
def conditions(draw: st.DrawFn, cause: str) -> dict[str, Any]:
    """What a rule asks: a status most often, and now and then a stage, a property, a deal or what was before."""
    found: dict[str, Any] = dict(ASKED.get(cause, {}))
    status = draw(st.one_of(st.none(), st.sampled_from(STATUSES), SEVERAL))
    if status is not None:
        found["lead_status"] = {"is_any_of": status} if isinstance(status, list) else {"is": status}
    if draw(st.integers(0, 3)) == 0:
        operator = draw(st.sampled_from(("is", "is_below", "is_at_least")))
        found["lifecycle_stage"] = {operator: draw(st.sampled_from(STAGES))}
    if draw(st.integers(0, 4)) == 0:
        found["asked"] = {draw(st.sampled_from(("is", "is_not"))): "yes"}
    if draw(st.integers(0, 5)) == 0 and "open_deals" not in found:
        found["open_deals"] = {"is": "0"}
    if draw(st.integers(0, 6)) == 0:
        found["lead_status_before"] = {"is": draw(st.sampled_from(STATUSES))}
    return found or {"lead_status": {"is": "new"}}


@st.composite
def rules(draw: st.DrawFn, number: int) -> dict[str, Any]:
    """A rule of any kind, sound or not."""
    cause = draw(st.sampled_from(CAUSES))
    what = draw(st.integers(0, 5))
    if what == 0:
        then: dict[str, str] = {"lifecycle_stage": draw(st.sampled_from(STAGES))}
    elif what == 1:
        then = {"asked": draw(st.sampled_from(("yes", "no")))}
    else:
        then = {"lead_status": draw(st.sampled_from(STATUSES))}
    rule: dict[str, Any] = {
        "id": f"r{number}",
        "playbook": f"X{number}",
        "when": draw(conditions(cause)),
        "cause": cause,
    }
    if draw(st.integers(0, 5)) == 0:
        rule["after"] = "5 days"
    if draw(st.integers(0, 7)) == 0:
        rule["hard"] = "true"
    if draw(st.booleans()):
        rule["outranks"] = [f"r{n}" for n in range(number)]
    return {**rule, "then": [{"set": then}]}


@st.composite
def flows(draw: st.DrawFn, drawn: list[dict[str, Any]]) -> dict[str, Any]:
    """A workflow of the portal's that sets a status when there is another, most often to spite a rule."""
    one, other = draw(st.lists(st.sampled_from(STATUSES), min_size=2, max_size=2, unique=True))
    rule = draw(st.sampled_from(drawn))
    asked = rule["when"].get("lead_status", {}).get("is")
    written = rule["then"][0]["set"].get("lead_status")
    if asked and written and asked != written and draw(st.booleans()):
        one, other = written, asked
    when: dict[str, Any] = {"lead_status": {"is": one}}
    if draw(st.integers(0, 3)) == 0:
        when["asked"] = {"is": "yes"}
    return {"id": "w", "when": when, "set": {"lead_status": other}}


@st.composite
def rule_sets(draw: st.DrawFn) -> dict[str, Any]:
    """Up to four rules, and in every other set a workflow."""
    drawn = [draw(rules(n)) for n in range(draw(st.integers(1, 4)))]
    return {"rules": drawn, "foreign": [draw(flows(drawn))] if draw(st.booleans()) else []}


def told(verdict: Verdict, words: str) -> bool:
    return any(words in fault.message for fault in verdict.faults if fault.kind in {TERMINATION, DETERMINISM})


@given(rule_sets())
@SETS
def test_the_verdict_is_what_living_through_every_contact_finds(drawn: dict[str, Any]) -> None:
    """Endless lives, conflicts and rules that never write are found by both, or by neither."""
    agree(drawn)


def agree(drawn: dict[str, Any]) -> brute.Found:
    """Hold the verdict on a rule set against what living through every contact finds."""
    loaded = mini(json.dumps(drawn))
    verdict = proved(Ground.of(loaded))
    policy = loaded.compile()
    found = brute.brute(policy, drawn["rules"], drawn["foreign"])
    if told(verdict, "for ever"):
        assert found.endless
    if found.endless:  # of one fault of the same rules the shortest way to show it is told
        assert told(verdict, "for ever") or told(verdict, "for one and the same cause")
    if found.disputed:
        assert told(verdict, "at one moment") or told(verdict, "for one and the same cause")
    if told(verdict, "at one moment"):
        assert found.disputed
    if not any(fault.kind in {TERMINATION, DETERMINISM} for fault in verdict.faults):
        silent = {rule["id"] for rule in drawn["rules"]} - found.heard
        assert {fault.rules[0] for fault in verdict.faults if fault.kind == COVERAGE} == silent
    return found


def test_a_rule_that_is_heard_only_where_a_person_chose_the_stage_is_found_by_both() -> None:
    """The one that outranks it is overruled by the person, and it is hard itself. Drawn with seed 101."""
    when = {"lead_status": {"is_any_of": ["attempting", "nurture"]}, "lifecycle_stage": {"is": "lead"}}
    late = {"id": "late", "playbook": "X1", "when": when, "cause": ENTERED, "after": "5 days", "hard": "true"}
    first = {"id": "first", "playbook": "X2", "when": when, "cause": ENTERED, "outranks": ["late"]}
    rules: list[dict[str, Any]] = [
        {**late, "then": [{"set": {"lead_status": "working"}}]},
        {**first, "then": [{"set": {"lifecycle_stage": "sql"}}]},
    ]
    assert agree({"rules": rules, "foreign": []}).heard == {"late", "first"}


def test_a_rule_that_waited_too_long_and_an_entry_newer_than_that_are_followed_together() -> None:
    """What the deal's rule waited for is overdue; the stage was entered since then. Drawn with seed 301."""
    deal = {"when": {"open_deals": {"is_more_than": "0"}, "lead_status": {"is": "attempting"}}, "cause": "deal_opened"}
    stage = {"when": {"lead_status": {"is": "working"}}, "cause": "lifecycle_stage_entered"}
    back = {"when": {"lead_status": {"is": "new"}}, "cause": ENTERED}
    rules: list[dict[str, Any]] = [
        {"id": "deal", "playbook": "X0", **deal, "after": "5 days", "then": [{"set": {"lead_status": "working"}}]},
        {"id": "stage", "playbook": "X1", **stage, "then": [{"set": {"lead_status": "new"}}]},
        {"id": "back", "playbook": "X2", **back, "then": [{"set": {"lead_status": "attempting"}}]},
    ]
    assert agree({"rules": rules, "foreign": []}).disputed


def test_a_rule_that_wins_only_where_two_things_happened_at_one_moment_is_no_shadow() -> None:
    """A mail alone is the first rule's; with an entry of that very moment the second wins. Drawn with seed 501."""
    mailed = {"when": {"first_rep_outreach": {"is_known": "true"}}, "cause": "first_rep_outreach"}
    bare = {"when": {"lead_status": {"is_any_of": ["attempting", "none"]}}}
    late, stage = {"cause": ENTERED, "after": "5 days", "hard": "true"}, {"cause": "lifecycle_stage_entered"}
    rules: list[dict[str, Any]] = [
        {"id": "late", "playbook": "X0", **bare, **late, "then": [{"set": {"lead_status": "nurture"}}]},
        {
            "id": "one",
            "playbook": "X1",
            **mailed,
            "outranks": ["late"],
            "then": [{"set": {"lead_status": "attempting"}}],
        },
        {"id": "stage", "playbook": "X2", **bare, **stage, "then": [{"set": {"lead_status": "working"}}]},
        {"id": "same", "playbook": "X3", **mailed, "then": [{"set": {"lead_status": "attempting"}}]},
    ]
    rules[2]["outranks"], rules[3]["outranks"] = ["late", "one"], ["late", "one", "stage"]
    assert agree({"rules": rules, "foreign": []}).heard == {"late", "one", "stage", "same"}


def test_a_rule_that_is_only_ever_shown_for_the_backlog_is_a_shadow() -> None:
    """Another rule writes five days later, always in time to be the last. Drawn with seed 502."""
    bare = {"when": {"lead_status": {"is": "none"}}, "cause": ENTERED}
    mailed = {"when": {"first_rep_outreach": {"is_known": "true"}, "lead_status": {"is": "none"}}}
    rules: list[dict[str, Any]] = [
        {"id": "mail", "playbook": "X0", **mailed, "cause": "first_rep_outreach", "hard": "true"},
        {"id": "late", "playbook": "X2", **bare, "after": "5 days", "outranks": ["mail"]},
        {"id": "never", "playbook": "X3", **bare, "outranks": ["mail", "late"]},
    ]
    for rule, value in zip(rules, ("no", "yes", "no"), strict=True):
        rule["then"] = [{"set": {"asked": value}}]
    assert agree({"rules": rules, "foreign": []}).heard == {"mail", "late"}


def test_what_happened_is_followed_to_where_a_workflow_leads() -> None:
    """Only a deal of the very moment of the first entry stays, once the workflow answers. Drawn with seed 502."""
    deal = {"when": {"open_deals": {"is_more_than": "0"}, "lead_status": {"is": "working"}}, "cause": "deal_opened"}
    rules: list[dict[str, Any]] = [
        {"id": "new", "playbook": "X0", "when": {"lead_status": {"is": "new"}}, "cause": ENTERED},
        {"id": "deal", "playbook": "X1", **deal, "outranks": ["new"], "then": [{"set": {"lead_status": "new"}}]},
    ]
    rules[0]["then"] = [{"set": {"lead_status": "nurture"}}]
    flow = {"id": "w", "when": {"lead_status": {"is": "nurture"}}, "set": {"lead_status": "working"}}
    assert agree({"rules": rules, "foreign": [flow]}).heard == {"new", "deal"}


def test_a_rule_that_is_heard_only_where_another_finds_its_work_done_is_no_shadow() -> None:
    """It is done already, and at that very moment a mail leads the contact elsewhere. Drawn with seed 601."""
    new = {"when": {"lead_status": {"is": "new"}}, "cause": ENTERED}
    mailed = {"when": {"first_rep_outreach": {"is_known": "true"}}, "cause": "first_rep_outreach"}
    rules: list[dict[str, Any]] = [
        {"id": "yes", "playbook": "X0", **new, "then": [{"set": {"asked": "yes"}}]},
        {"id": "no", "playbook": "X1", **new, "outranks": ["yes"], "then": [{"set": {"asked": "no"}}]},
        {"id": "mail", "playbook": "X2", **mailed, "then": [{"set": {"lead_status": "attempting"}}]},
    ]
    flow = {"id": "w", "when": {"lead_status": {"is": "attempting"}}, "set": {"lead_status": "working"}}
    assert agree({"rules": rules, "foreign": [flow]}).heard == {"yes", "no", "mail"}


def test_a_rule_that_is_heard_only_where_the_stage_is_newer_than_the_status_is_no_shadow() -> None:
    """It waited for five days, and only then did a stage lead elsewhere. Drawn with seed 601."""
    new = {"when": {"lead_status": {"is": "new"}}}
    rules: list[dict[str, Any]] = [
        {"id": "stage", "playbook": "X0", **new, "cause": "lifecycle_stage_entered"},
        {"id": "late", "playbook": "X1", **new, "cause": ENTERED, "after": "5 days"},
    ]
    rules[0]["then"], rules[1]["then"] = [{"set": {"lead_status": "attempting"}}], [{"set": {"asked": "no"}}]
    flow = {"id": "w", "when": {"lead_status": {"is": "new"}}, "set": {"lead_status": "attempting"}}
    assert agree({"rules": rules, "foreign": [flow]}).heard == {"stage", "late"}


def test_two_rules_at_odds_are_told_though_one_of_them_hangs_on_the_moment_of_a_look() -> None:
    """Neither hides the other. Drawn with seed 601."""
    mailed = {"first_rep_outreach": {"is_known": "true"}, "open_deals": {"is": "0"}}
    turned = {**mailed, "lead_status": {"is_any_of": ["new", "nurture"]}, "lead_status_before": {"is": "attempting"}}
    stage = {
        "when": {"lifecycle_stage": {"is": "lead"}, "asked": {"is_not": "yes"}},
        "cause": "lifecycle_stage_entered",
    }
    rules: list[dict[str, Any]] = [
        {"id": "asks", "playbook": "X0", "when": turned, "cause": "first_rep_outreach"},
        {"id": "stage", "playbook": "X1", **stage, "outranks": ["asks"], "then": [{"set": {"lead_status": "nurture"}}]},
        {"id": "back", "playbook": "X2", "when": turned, "cause": "first_rep_outreach", "hard": "true"},
    ]
    rules[0]["then"], rules[2]["then"] = [{"set": {"asked": "yes"}}], [{"set": {"lead_status": "attempting"}}]
    assert agree({"rules": rules, "foreign": []}).disputed


def test_a_rule_that_another_keeps_from_writing_unless_something_else_is_so_is_no_shadow() -> None:
    """Where a deal is open, the one that outranks it doesn't hold, and it never asks that. Drawn with seed 302."""
    nurture = {"lead_status": {"is": "nurture"}}
    rules: list[dict[str, Any]] = [
        {"id": "flag", "playbook": "X0", "when": nurture, "cause": ENTERED, "then": [{"set": {"asked": "no"}}]},
        {
            "id": "away",
            "playbook": "X1",
            "when": {**nurture, "open_deals": {"is": "0"}},
            "cause": ENTERED,
            "outranks": ["flag"],
            "then": [{"set": {"lead_status": "new"}}],
        },
        {
            "id": "again",
            "playbook": "X2",
            "when": {"lead_status_before": {"is": "nurture"}},
            "cause": ENTERED,
            "then": [{"set": {"asked": "yes"}}],
        },
    ]
    assert agree({"rules": rules, "foreign": []}).heard == {"flag", "away", "again"}


def test_a_rule_that_writes_only_where_older_causes_are_backlog_is_no_shadow() -> None:
    """Rules of older causes would have written the same before it. Drawn with seed 302."""
    below = {"lifecycle_stage": {"is_below": "sql"}}
    deal = {
        "when": {"open_deals": {"is_more_than": "0"}, **below},
        "cause": "deal_opened",
        "after": "5 days",
        "then": [{"set": {"lead_status": "working"}}],
    }
    none = {"lead_status": {"is_any_of": ["none", "none"]}, "open_deals": {"is": "0"}}
    sql = [{"set": {"lifecycle_stage": "sql"}}]
    rules: list[dict[str, Any]] = [
        {"id": "r0", "playbook": "X0", "when": none, "cause": ENTERED, "hard": "true", "then": sql},
        {"id": "r1", "playbook": "X1", **deal, "outranks": ["r0"]},
        {"id": "r2", "playbook": "X2", "when": below, "cause": ENTERED, "outranks": ["r0", "r1"], "then": deal["then"]},
        {"id": "r3", "playbook": "X3", **deal, "outranks": ["r0", "r1", "r2"]},
    ]
    assert "r1" in agree({"rules": rules, "foreign": []}).heard


def test_what_was_before_and_two_events_at_one_moment_are_followed_together() -> None:
    """A rule of one of the events asks what the status was before. Drawn with seed 401."""
    nurture = {"lead_status": {"is_any_of": ["nurture", "attempting"]}}
    mail = {"when": {"first_rep_outreach": {"is_known": "true"}, **nurture}, "cause": "first_rep_outreach"}
    deal = {"when": {"open_deals": {"is_more_than": "0"}, "lead_status_before": {"is": "new"}}, "cause": "deal_opened"}
    rules: list[dict[str, Any]] = [
        {"id": "mail", "playbook": "X0", **mail, "then": [{"set": {"lead_status": "new"}}]},
        {"id": "deal", "playbook": "X1", **deal, "then": [{"set": {"lead_status": "attempting"}}]},
    ]
    assert agree({"rules": rules, "foreign": []}).disputed
