"""Cases beside rule files: what passes, what fails and how it is told, and every way to write a case wrongly."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from hubsync.errors import RuleFileError
from hubsync.rulefiles import cases
from hubsync.rulefiles.cases import CaseResult, load_cases, run_case, run_cases

SHIPPED = Path(__file__).parents[2] / "rules"

RULE = """
rules:
  - id: new_on_becoming_mql
    playbook: A2
    says: The contact became an MQL.
    when: {lifecycle_stage: {is: mql}, lead_status: {is_unknown: true}}
    cause: lifecycle_stage_entered
    then: [{set: {lead_status: new}}]
"""

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped portal and matrix, and one rule."""
    home = tmp_path / "rules"
    home.mkdir()
    for name in ("portal.yaml", "matrix.yaml"):
        shutil.copy(SHIPPED / name, home / name)
    (home / "new.yaml").write_text(RULE, encoding="utf-8")
    return home


@pytest.fixture
def write(folder: Path) -> Write:
    """Write cases; `head` goes before them, a `now` and an owner by default."""

    def put(text: str, head: str = 'now: 2026-03-03T10:00:00Z\ncontact: {owner: "11"}', name: str = "new") -> Path:
        (folder / f"{name}_test.yaml").write_text(f"{head}\ncases:\n{dedent(text).strip()}\n", encoding="utf-8")
        return folder

    return put


def the_only(folder: Path) -> CaseResult:
    (case,) = load_cases(folder)
    return run_case(case)


def faults(folder: Path) -> list[str]:
    with pytest.raises(RuleFileError) as caught:
        load_cases(folder)
    return [f"{Path(p.file).name}:{p.line}: {p.message}" for p in caught.value.problems]


def test_a_case_passes_where_exactly_what_it_expects_comes(write: Write) -> None:
    result = the_only(
        write("- {name: one, contact: {lifecycle_stage: mql}, expect: [{set: {lead_status: new}}]}"),
    )
    assert (result.ok, result.message, result.name, result.line) == (True, "", "one", 4)


def test_what_did_not_come_is_told_with_file_line_and_the_condition_that_fails(write: Write) -> None:
    result = the_only(
        write(
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


def test_what_was_not_expected_is_told(write: Write) -> None:
    result = the_only(write("- {name: quiet, contact: {lifecycle_stage: mql}, expect: []}"))
    assert result.message == "didn't expect set lead_status: new (new_on_becoming_mql)"


def test_another_rule_than_the_one_named_is_not_what_was_expected(write: Write) -> None:
    result = the_only(
        write(
            "- {name: who, contact: {lifecycle_stage: mql}, expect: [{set: {lead_status: new}, rule: cell_mql_none}]}"
        )
    )
    assert "expected set lead_status: new (cell_mql_none), which didn't come" in result.message
    assert "didn't expect set lead_status: new (new_on_becoming_mql)" in result.message


def test_a_contact_out_of_scope_is_told_as_such(write: Write) -> None:
    result = the_only(
        write(
            "- {name: alone, contact: {lifecycle_stage: mql}, expect: [{set: {lead_status: new}}]}",
            head="now: 2026-03-03T10:00:00Z",
        )
    )
    assert result.message.endswith("which didn't come; the contact isn't managed (scope in portal.yaml)")


def test_a_rule_that_is_not_there_is_told_as_such(write: Write) -> None:
    result = the_only(
        write("- {name: gone, contact: {lifecycle_stage: mql, lead_status: new}, expect: [{finding: x}]}")
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
def test_what_stopped_a_rule_that_holds_is_told(folder: Path, write: Write, text: str, why: str) -> None:
    (folder / "answered.yaml").write_text(
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
    assert f"which didn't come; {rule} {why}" in the_only(write(text)).message


def test_a_look_at_another_time_than_expected_is_told(write: Write) -> None:
    result = the_only(
        write(
            """
            - name: soon
              contact: {lifecycle_stage: mql, lifecycle_stage_entered: 2026-03-03T09:59:00Z}
              look_again: 2026-03-03T11:00:00Z
              expect: []
            """
        )
    )
    assert result.message.endswith("expected another look at 2026-03-03T11:00:00Z, not at 2026-03-03T10:01:00Z")


def test_a_case_whose_rules_do_not_rest_fails(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    home = write("- {name: restless, contact: {lifecycle_stage: mql}, expect: [{set: {lead_status: new}}]}")
    monkeypatch.setattr(cases, "after", lambda situation, _decision: situation)
    assert the_only(home).message.endswith(
        "once that is done, the rules don't rest: set lead_status: new (new_on_becoming_mql)"
    )


def test_each_makes_a_case_of_every_combination_and_fills_what_is_expected(write: Write) -> None:
    home = write(
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


def test_acts_build_the_history_that_rules_ask(write: Write) -> None:
    result = the_only(
        write(
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


def test_a_source_in_capitals_is_read_as_the_portal_maps_it(write: Write) -> None:
    by_workflow = "- {at: 2026-02-12T09:00:00Z, set: {lead_status: none}, by: WORKFLOWS}"
    result = the_only(
        write(
            f"""
            - name: cleared by a workflow
              contact: {{lifecycle_stage: mql, lead_status: none}}
              acts: [{by_workflow[2:]}]
              expect: [{{set: {{lead_status: new}}}}]
            """
        )
    )
    assert result.ok, str(result)


def test_portal_is_laid_over_the_file_for_one_case(write: Write) -> None:
    home = write(
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


def test_a_rule_and_a_cell_that_no_case_tries_are_named(write: Write) -> None:
    home = write(
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


def test_a_case_where_one_condition_fails_shows_where_a_rule_ends(write: Write) -> None:
    home = write(
        """
        - {name: fires, contact: {lifecycle_stage: mql}, expect: [{set: {lead_status: new}}]}
        - {name: nearly, contact: {lifecycle_stage: mql, lead_status: working}, expect: []}
        """
    )
    assert [r.message for r in run_cases(home) if not r.ok and r.name == "new_on_becoming_mql"] == []


WRONG = {
    "a status that is none": (
        "- {name: x, contact: {lead_status: nwe}, expect: []}",
        '4: "nwe" is no Lead status of portal.yaml; did you mean "new"?',
    ),
    "a stage in each that is none": (
        "- {name: x, each: {lifecycle_stage: [mql, sqll]}, expect: []}",
        '4: "sqll" is no Lifecycle stage of portal.yaml; did you mean "sql"?',
    ),
    "acts out of order": (
        """
        - name: x
          acts:
            - {at: 2026-03-02T09:00:00Z, rep_email: {}}
            - {at: 2026-03-01T09:00:00Z, rep_email: {}}
          expect: []
        """,
        "7: this is earlier than the act before it; acts stand in the order of time",
    ),
    "an act before the contact was created": (
        "- {name: x, acts: [{at: 2025-03-01T09:00:00Z, rep_call: {}}], expect: []}",
        "4: this is earlier than the contact's createdate; acts stand in the order of time",
    ),
    "an act of the future": (
        "- {name: x, acts: [{at: 2026-03-04T09:00:00Z, rep_call: {}}], expect: []}",
        "4: this is later than the case's now",
    ),
    "acts that end elsewhere": (
        """
        - name: x
          contact: {lead_status: new}
          acts: [{at: 2026-03-01T09:00:00Z, set: {lead_status: working}}]
          expect: []
        """,
        "5: lead_status is new here, but the acts end elsewhere",
    ),
    "an act by nobody": (
        "- {name: x, acts: [{at: 2026-03-01T09:00:00Z, set: {lead_status: new}, by: robot}], expect: []}",
        '4: "robot" writes nothing; write person, automation, import, integration, form or a sourceType in capitals',
    ),
    "a rule that never was": (
        "- {name: x, contact: {lifecycle_stage: mql}, fired: [new_on_becoming_mqls], expect: []}",
        '4: "new_on_becoming_mqls" is no rule; did you mean "new_on_becoming_mql"?',
    ),
    "a rule that can't have fired": (
        """
        - name: x
          contact: {lifecycle_stage: lead, lead_status: converted}
          fired: [cell_lead_converted_lost]
          expect: []
        """,
        "6: cell_lead_converted_lost has no cause here, so it can't have fired",
    ),
    "a fact that only acts can make": (
        "- {name: x, contact: {attempts: '3'}, expect: []}",
        '4: "attempts" can\'t be stated; say under acts what happened',
    ),
    "a lost customer in a portal that marks none": (
        "- {name: x, contact: {churned: 'true'}, expect: []}",
        "4: portal.yaml has no churn: section that says how a lost customer is marked",
    ),
    "a loss category that is none": (
        "- {name: x, contact: {loss_category: competitors}, expect: []}",
        '4: "competitors" is no loss category; did you mean "competitor"?',
    ),
    "deals without a number": ("- {name: x, contact: {open_deals: some}, expect: []}", '4: "some" is not a number'),
    "a moment that is none": (
        "- {name: x, contact: {lead_status: new, lead_status_entered: soon}, expect: []}",
        '4: "soon" is not a moment',
    ),
    "two expectations in one": (
        "- {name: x, expect: [{finding: a, conflict: b}]}",
        "4: an expectation is exactly one of set, propose, task, finding, backlog, conflict",
    ),
    "two acts at one moment of one entry": (
        "- {name: x, acts: [{at: 2026-03-01T09:00:00Z, rep_email: {}, rep_call: {}}], expect: []}",
        "4: one thing happens at a time: set, rep_email, rep_call, rep_message, deal_opened, deal_won, deal_lost",
    ),
    "hubsync without a rule": (
        "- {name: x, acts: [{at: 2026-03-01T09:00:00Z, set: {lead_status: new}, by: hubsync}], expect: []}",
        "4: what hubsync set names its rule, and nothing else does: by: hubsync, rule: its id",
    ),
    "a portal that can't be": (
        "- {name: x, portal: {guard: {at_least: many}}, expect: []}",
        "4: the rules can't be used with this: guard.at_least can't be so",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_case_written_wrongly_is_told_with_its_line(write: Write, text: str, message: str) -> None:
    assert faults(write(text)) == [f"new_test.yaml:{message}"]


def test_a_portal_that_the_rules_cannot_be_used_with_is_told_once(write: Write) -> None:
    cases_of_it = """
    - name: x
      portal: {settling: {status: soon}}
      each: {lead_status: [new, working]}
      expect: []
    """
    (fault,) = faults(write(cases_of_it))
    assert fault.startswith('new_test.yaml:5: the rules can\'t be used with this: "soon" is not a duration')


def test_a_case_without_any_time_is_a_fault(write: Write) -> None:
    found = faults(write("- {name: x, expect: []}", head="contact: {}"))
    assert found == ["new_test.yaml:3: neither the case nor the file says what time it is; write now: …"]


def test_the_faults_of_all_files_of_cases_come_at_once(write: Write) -> None:
    write("- {name: x, contact: {lead_status: nwe}, expect: []}")
    home = write("- {name: y, expected: []}", name="other")
    assert [fault.partition(":")[0] for fault in faults(home)] == [
        "new_test.yaml",
        "other_test.yaml",
        "other_test.yaml",
    ]


def test_a_file_that_is_no_yaml_is_a_fault_beside_the_others(write: Write) -> None:
    write("- {name: x, contact: {lead_status: nwe}, expect: []}")
    home = write("- {name: y, expect: [}", name="broken")
    assert [fault.partition(":")[0] for fault in faults(home)] == ["broken_test.yaml", "new_test.yaml"]
