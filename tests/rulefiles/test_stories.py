"""Stories: cases with steps, in which time passes and the contact lives on with what was decided before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hubsync.errors import RuleFileError
from hubsync.rulefiles.cases import CaseResult, load_cases, run_case

Write = Callable[..., Path]


def the_only(folder: Path) -> CaseResult:
    (case,) = load_cases(folder)
    return run_case(case)


START = """
- name: story
  contact: {lifecycle_stage: mql}
  expect: [{set: {lead_status: new}}]
  steps:
"""


def test_a_step_sees_what_the_look_before_it_decided(write_cases: Write) -> None:
    result = the_only(write_cases(START + "    - {after: 2 days, expect: []}"))
    assert result.ok, str(result)


def test_what_a_person_takes_back_is_not_written_again(write_cases: Write) -> None:
    result = the_only(
        write_cases(
            START
            + """
    - after: 2 days
      acts: [{at: 2026-03-04T09:00:00Z, set: {lead_status: none}}]
      expect: [{finding: cell_mql_none}]
"""
        )
    )
    assert result.ok, str(result)


def test_a_step_that_comes_out_otherwise_is_told_with_its_own_line_its_number_and_its_moment(
    write_cases: Write,
) -> None:
    result = the_only(
        write_cases(
            START
            + """
    - {after: 2 days, expect: []}
    - {after: 1 business day, expect: [{set: {lead_status: working}, rule: cell_sql_new}]}
    - {after: 1 day, expect: [{finding: cell_mql_none}]}
"""
        )
    )
    assert (result.ok, result.line) == (False, 10)
    assert result.message.startswith(
        "step 2, 2026-03-06T10:00:00Z: expected set lead_status: working (cell_sql_new), which didn't come"
    )


def test_acts_of_a_step_lie_between_the_looks(write_cases: Write) -> None:
    late = START + "    - {after: 1 day, acts: [{at: 2026-03-09T09:00:00Z, rep_email: {}}], expect: []}"
    early = START + "    - {after: 1 day, acts: [{at: 2026-03-01T09:00:00Z, rep_email: {}}], expect: []}"
    assert "this is later than the case's now" in the_only(write_cases(late)).message
    told = the_only(write_cases(early)).message
    assert told == "step 1: acts.0.at: this is earlier than the act before it; acts stand in the order of time"


def test_steps_stand_in_the_order_of_time(write_cases: Write) -> None:
    result = the_only(write_cases(START + "    - {at: 2026-03-01T10:00:00Z, expect: []}"))
    assert result.message == "step 1: at: this is earlier than the look before it; steps stand in the order of time"


@pytest.mark.parametrize("moment", ["", "after: 1 day, at: 2026-03-05T10:00:00Z, "])
def test_a_step_says_once_when_hubsync_looks(write_cases: Write, moment: str) -> None:
    with pytest.raises(RuleFileError, match="a step says when hubsync looks again"):
        load_cases(write_cases(START + f"    - {{{moment}expect: []}}"))


def test_a_wait_that_is_no_duration_is_a_fault(write_cases: Write) -> None:
    with pytest.raises(RuleFileError, match='"soon" is not a duration'):
        load_cases(write_cases(START + "    - {after: soon, expect: []}"))
