"""Every way to write a case wrongly: told with its line, and all at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hubsync.errors import RuleFileError
from hubsync.rulefiles.case_spec import ACTS
from hubsync.rulefiles.cases import load_cases

Write = Callable[..., Path]


def faults(folder: Path) -> list[str]:
    with pytest.raises(RuleFileError) as caught:
        load_cases(folder)
    return [f"{Path(p.file).name}:{p.line}: {p.message}" for p in caught.value.problems]


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
    "a rule to switch on that is none": (
        "- {name: x, enable: [no_such_rule], expect: []}",
        '4: "no_such_rule" is no rule',
    ),
    "a file of rules that is none": (
        "- {name: x, about: [automation], expect: []}",
        '4: "automation" is no file of rules',
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
        "4: an expectation is exactly one of set, propose, task, withdrawn, finding, digest, alert, backlog, conflict",
    ),
    "two acts at one moment of one entry": (
        "- {name: x, acts: [{at: 2026-03-01T09:00:00Z, rep_email: {}, rep_call: {}}], expect: []}",
        f"4: one thing happens at a time: {', '.join(ACTS)}",
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
def test_a_case_written_wrongly_is_told_with_its_line(write_cases: Write, text: str, message: str) -> None:
    assert faults(write_cases(text)) == [f"new_test.yaml:{message}"]


def test_a_portal_that_the_rules_cannot_be_used_with_is_told_once(write_cases: Write) -> None:
    cases_of_it = """
    - name: x
      portal: {settling: {status: soon}}
      each: {lead_status: [new, working]}
      expect: []
    """
    (fault,) = faults(write_cases(cases_of_it))
    assert fault.startswith('new_test.yaml:5: the rules can\'t be used with this: "soon" is not a duration')


def test_a_case_without_any_time_is_a_fault(write_cases: Write) -> None:
    found = faults(write_cases("- {name: x, expect: []}", head="contact: {}"))
    assert found == ["new_test.yaml:3: neither the case nor the file says what time it is; write now: …"]


def test_the_faults_of_all_files_of_cases_come_at_once(write_cases: Write) -> None:
    write_cases("- {name: x, contact: {lead_status: nwe}, expect: []}")
    home = write_cases("- {name: y, expected: []}", name="other")
    assert [fault.partition(":")[0] for fault in faults(home)] == [
        "new_test.yaml",
        "other_test.yaml",
        "other_test.yaml",
    ]


def test_a_file_that_is_no_yaml_is_a_fault_beside_the_others(write_cases: Write) -> None:
    write_cases("- {name: x, contact: {lead_status: nwe}, expect: []}")
    home = write_cases("- {name: y, expect: [}", name="broken")
    assert [fault.partition(":")[0] for fault in faults(home)] == ["broken_test.yaml", "new_test.yaml"]
