"""Cases beside rule files: what passes, what fails and how it is told, and what no case tries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hubsync.rulefiles import playing
from hubsync.rulefiles.cases import CaseResult, load_cases, run_case, run_cases

Write = Callable[..., Path]


def the_only(folder: Path) -> CaseResult:
    (case,) = load_cases(folder)
    return run_case(case)


def test_a_case_passes_where_exactly_what_it_expects_comes(write_cases: Write) -> None:
    result = the_only(
        write_cases("- {name: one, contact: {lifecycle_stage: mql}, expect: [{set: {lead_status: new}}]}"),
    )
    assert (result.ok, result.message, result.name, result.line) == (True, "", "one", 4)


def test_what_did_not_come_is_told_with_file_line_and_the_condition_that_fails(write_cases: Write) -> None:
    result = the_only(
        write_cases(
            """
            - name: too late
              contact: {lifecycle_stage: mql, lead_status: working}
              expect: [{set: {lead_status: new}, rule: new_on_becoming_mql}]
            """
        )
    )
    assert not result.ok
    told, _, why = str(result).partition("; ")
    assert told.endswith(
        "/new_test.yaml:4: too late: expected set lead_status: new (new_on_becoming_mql), which didn't come"
    )
    assert why.startswith("new_on_becoming_mql doesn't hold: lead_status is unknown")
    assert why.endswith(", but it is working")


def test_what_was_not_expected_is_told(write_cases: Write) -> None:
    result = the_only(write_cases("- {name: quiet, contact: {lifecycle_stage: mql}, expect: []}"))
    assert result.message == "didn't expect set lead_status: new (new_on_becoming_mql)"


def test_another_rule_than_the_one_named_is_not_what_was_expected(write_cases: Write) -> None:
    result = the_only(
        write_cases(
            "- {name: who, contact: {lifecycle_stage: mql}, expect: [{set: {lead_status: new}, rule: cell_mql_none}]}"
        )
    )
    assert "expected set lead_status: new (cell_mql_none), which didn't come" in result.message
    assert "didn't expect set lead_status: new (new_on_becoming_mql)" in result.message


def test_a_contact_out_of_scope_is_told_as_such(write_cases: Write) -> None:
    result = the_only(
        write_cases(
            "- {name: alone, contact: {lifecycle_stage: mql}, expect: [{set: {lead_status: new}}]}",
            head="now: 2026-03-03T10:00:00Z",
        )
    )
    assert result.message.endswith("which didn't come; the contact isn't managed (scope in portal.yaml)")


def test_a_rule_that_is_not_there_is_told_as_such(write_cases: Write) -> None:
    result = the_only(
        write_cases("- {name: gone, contact: {lifecycle_stage: mql, lead_status: new}, expect: [{finding: x}]}")
    )
    assert result.message.endswith("expected finding x, which didn't come; there is no rule x, or it is off")


NEW_ANYWAY = "expect: [{set: {lead_status: new}, rule: new_on_becoming_mql}]"
STOPPED = {
    "backlog": (
        f"- {{name: x, since: 2026-03-01T00:00:00Z, contact: {{lifecycle_stage: mql}}, {NEW_ANYWAY}}}",
        "holds, but its cause of 2026-02-01T10:00:00Z is backlog",
    ),
    "settling": (
        f"""
        - name: x
          contact: {{lifecycle_stage: mql, lifecycle_stage_entered: 2026-03-03T09:59:00Z}}
          {NEW_ANYWAY}
        """,
        "holds, but what it looks at just changed; it waits until 2026-03-03T10:01:00Z",
    ),
    "spent": (
        f"- {{name: x, contact: {{lifecycle_stage: mql}}, fired: [new_on_becoming_mql], {NEW_ANYWAY}}}",
        "holds, but it has fired before for its cause of 2026-02-01T10:00:00Z",
    ),
    "overruled": (
        f"""
        - name: x
          contact: {{lifecycle_stage: mql}}
          acts:
            - {{at: 2026-02-10T09:00:00Z, set: {{lead_status: working}}}}
            - {{at: 2026-02-11T09:00:00Z, set: {{lead_status: none}}}}
          {NEW_ANYWAY}
        """,
        "holds, but it is overruled: A person chose it on 2026-02-11T09:00:00Z, after its cause",
    ),
    "without a cause": (
        """
        - name: x
          contact: {lifecycle_stage: lead, lead_status: attempting}
          expect: [{set: {lead_status: working}, rule: answered}]
        """,
        "holds, but there is no cause",
    ),
}


@pytest.mark.parametrize(("text", "why"), STOPPED.values(), ids=STOPPED)
def test_what_stopped_a_rule_that_holds_is_told(rules_folder: Path, write_cases: Write, text: str, why: str) -> None:
    (rules_folder / "answered.yaml").write_text(
        """
rules:
  - id: answered
    playbook: A4
    says: The lead answered.
    when: {lead_status: {is: attempting}}
    cause: first_rep_outreach
    then: [{set: {lead_status: working}}]
""",
        encoding="utf-8",
    )
    rule = "answered" if "answered" in text else "new_on_becoming_mql"
    assert f"which didn't come; {rule} {why}" in the_only(write_cases(text)).message


def test_a_look_at_another_time_than_expected_is_told(write_cases: Write) -> None:
    result = the_only(
        write_cases(
            """
            - name: soon
              contact: {lifecycle_stage: mql, lifecycle_stage_entered: 2026-03-03T09:59:00Z}
              look_again: 2026-03-03T11:00:00Z
              expect: []
            """
        )
    )
    assert result.message.endswith("expected another look at 2026-03-03T11:00:00Z, not at 2026-03-03T10:01:00Z")


def test_a_case_whose_rules_do_not_rest_fails(write_cases: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    home = write_cases("- {name: restless, contact: {lifecycle_stage: mql}, expect: [{set: {lead_status: new}}]}")
    monkeypatch.setattr(playing, "after", lambda situation, _decision: situation)
    assert the_only(home).message.endswith(
        "once that is done, the rules don't rest: set lead_status: new (new_on_becoming_mql)"
    )


def test_each_makes_a_case_of_every_combination_and_fills_what_is_expected(write_cases: Write) -> None:
    home = write_cases(
        """
        - name: both
          each: {lifecycle_stage: [mql, sal], lead_status: [none, customer]}
          expect: [{finding: "cell_{lifecycle_stage}_{lead_status}"}]
        """
    )
    found = {case.name: run_case(case).ok for case in load_cases(home)}
    assert found == {
        "both [lifecycle_stage mql, lead_status none]": False,
        "both [lifecycle_stage mql, lead_status customer]": True,
        "both [lifecycle_stage sal, lead_status none]": False,
        "both [lifecycle_stage sal, lead_status customer]": True,
    }


def test_acts_build_the_history_that_rules_ask(write_cases: Write) -> None:
    result = the_only(
        write_cases(
            """
            - name: cleared
              contact: {lifecycle_stage: mql, lead_status: none}
              acts:
                - {at: 2026-02-10T09:00:00Z, set: {lifecycle_stage: mql}, by: automation}
                - {at: 2026-02-11T09:00:00Z, set: {lead_status: working}, by: CRM_UI}
                - {at: 2026-02-12T09:00:00Z, set: {lead_status: none}, by: CRM_UI}
              expect: [{finding: cell_mql_none}]
            """
        )
    )
    assert result.ok, str(result)


def test_a_source_in_capitals_is_read_as_the_portal_maps_it(write_cases: Write) -> None:
    by_workflow = "- {at: 2026-02-12T09:00:00Z, set: {lead_status: none}, by: WORKFLOWS}"
    result = the_only(
        write_cases(
            f"""
            - name: cleared by a workflow
              contact: {{lifecycle_stage: mql, lead_status: none}}
              acts: [{by_workflow[2:]}]
              expect: [{{set: {{lead_status: new}}}}]
            """
        )
    )
    assert result.ok, str(result)


def test_portal_is_laid_over_the_file_for_one_case(write_cases: Write) -> None:
    home = write_cases(
        """
        - name: inside
          contact: {lifecycle_stage: mql, email_domain: us.test}
          expect: [{set: {lead_status: new}}]
        - name: outside
          portal: {lists: {excluded_domains: [us.test]}}
          contact: {lifecycle_stage: mql, email_domain: us.test}
          expect: []
        """
    )
    assert [run_case(case).ok for case in load_cases(home)] == [True, True]


def test_enable_switches_a_rule_on_for_one_case(rules_folder: Path, write_cases: Write) -> None:
    written = (rules_folder / "new.yaml").read_text()
    (rules_folder / "new.yaml").write_text(written.replace("    cause:", "    enabled: false\n    cause:"))
    folder = write_cases(
        """
        - {name: off, contact: {lifecycle_stage: sql}, expect: [{set: {lead_status: working}}]}
        - name: switched on
          contact: {lifecycle_stage: mql}
          enable: [new_on_becoming_mql]
          expect: [{set: {lead_status: new}, rule: new_on_becoming_mql}]
        - name: off again
          contact: {lifecycle_stage: mql}
          expect: [{set: {lead_status: new}, rule: cell_mql_none}]
        """
    )
    assert [str(r) for r in map(run_case, load_cases(folder)) if not r.ok] == []


def test_a_rule_and_a_cell_that_no_case_tries_are_named(write_cases: Write) -> None:
    home = write_cases(
        """
        - name: far away
          contact: {lifecycle_stage: customer, lead_status: new}
          expect: [{finding: cell_customer_new}]
        """
    )
    left = [result for result in run_cases(home) if not result.ok]
    never, nearly = map(str, left[:2])
    assert never.endswith("/new.yaml:3: new_on_becoming_mql: no case in which it fires")
    assert "/new.yaml:3: new_on_becoming_mql: no case in which it nearly fires: one of its conditions" in nearly
    customers = left[-1].message
    assert "customer × attempting" in customers
    assert "customer × new" not in customers


def test_a_case_where_one_condition_fails_shows_where_a_rule_ends(write_cases: Write) -> None:
    home = write_cases(
        """
        - {name: fires, contact: {lifecycle_stage: mql}, expect: [{set: {lead_status: new}}]}
        - {name: nearly, contact: {lifecycle_stage: mql, lead_status: working}, expect: []}
        """
    )
    assert [r.message for r in run_cases(home) if not r.ok and r.name == "new_on_becoming_mql"] == []
