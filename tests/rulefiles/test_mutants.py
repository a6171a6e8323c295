"""Mutants: which mistakes are made, which the cases catch, and which decide the same whatever the contact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hubsync.rulefiles.load import load_rules
from hubsync.rulefiles.mutants import CAUGHT, REFUSED, SAME, SURVIVED, Mutant, share, try_mutants
from hubsync.rulefiles.mutations import OPPOSITE, Words, of_group, of_row, of_rule

Write = Callable[..., Path]

NEW = "expect: [{set: {lead_status: new}, rule: new_on_becoming_mql}]"
FIRES = f"- {{name: fires, contact: {{lifecycle_stage: mql}}, {NEW}}}"
NEARLY = "- {name: nearly, contact: {lifecycle_stage: mql, lead_status: working}, expect: []}"
ELSEWHERE = "- {name: elsewhere, contact: {lifecycle_stage: lead}, expect: []}"


def verdicts(folder: Path, about: str = "new.yaml") -> dict[str, str]:
    return {mutant.says: mutant.verdict for mutant in try_mutants(folder, about)}


def rule_saying(folder: Path, old: str, new: str) -> None:
    path = folder / "new.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_cases_that_visit_every_side_of_a_rule_catch_every_mutant_of_it(write_cases: Write) -> None:
    found = verdicts(write_cases(f"{FIRES}\n{NEARLY}\n{ELSEWHERE}"))
    assert set(found.values()) == {CAUGHT}
    assert "lead_status is_unknown becomes is_known" in found
    assert "lifecycle_stage is sal, not mql" in found
    assert "lead_status is set to attempting, not new" in found


def test_what_no_case_notices_survives(write_cases: Write) -> None:
    found = verdicts(write_cases(FIRES))
    assert {says for says, verdict in found.items() if verdict == SURVIVED} == {
        "lifecycle_stage is is left out",
        "lead_status is_unknown is left out",
    }


def test_a_condition_that_another_one_implies_is_not_counted(write_cases: Write) -> None:
    folder = write_cases(f"{FIRES}\n{NEARLY}\n{ELSEWHERE}")
    rule_saying(folder, "lead_status: {is_unknown: true}", "lead_status: {is_unknown: true, is_not: customer}")
    found = verdicts(folder)
    assert found["lead_status is_not is left out"] == SAME
    assert found["lead_status is_unknown is left out"] == CAUGHT


def test_a_condition_that_the_cause_implies_is_not_counted(write_cases: Write) -> None:
    folder = write_cases(FIRES)
    rule_saying(folder, "{is: mql}, lead_status", "{is: mql}, open_deals: {is_more_than: 0}, lead_status")
    rule_saying(folder, "cause: lifecycle_stage_entered", "cause: deal_opened")
    (folder / "new_test.yaml").write_text(
        'now: 2026-03-03T10:00:00Z\ncontact: {owner: "11"}\ncases:\n'
        f'- {{name: x, contact: {{lifecycle_stage: mql, open_deals: "1"}}, {NEW}}}\n',
        encoding="utf-8",
    )
    found = verdicts(folder)
    assert found["open_deals is_more_than is left out"] == SAME
    assert found["open_deals is_more_than 1, not 0"] == CAUGHT


def test_that_the_cause_is_known_is_not_counted_however_long_the_rule_waits(write_cases: Write) -> None:
    folder = write_cases(ELSEWHERE)
    rule_saying(folder, "{is: mql}, lead_status", "{is: mql}, lifecycle_stage_entered: {is_known: true}, lead_status")
    rule_saying(folder, "cause: lifecycle_stage_entered", "cause: lifecycle_stage_entered\n    after: 2 days")
    found = verdicts(folder)
    assert found["lifecycle_stage_entered is_known is left out"] == SAME
    assert found["lifecycle_stage_entered is_known becomes is_unknown"] == SURVIVED


def test_a_stage_where_the_rule_is_never_asked_makes_no_difference(write_cases: Write) -> None:
    folder = write_cases(FIRES)
    rule_saying(folder, "{is: mql}", "{is_at_least: mql, is_below: customer}")
    assert verdicts(folder)["lifecycle_stage is_below is left out"] == SAME


TWO = """
rules:
  - id: one
    playbook: A2
    says: One.
    when: {lifecycle_stage: {is: mql}, lead_status: {is: %s}}
    cause: lifecycle_stage_entered
    outranks: [two]
    then: [{set: {lead_status: new}}]
  - id: two
    playbook: A2
    says: Two.
    when: {lifecycle_stage: {is: mql}, lead_status: {is: working}}
    cause: lifecycle_stage_entered
    then: [{set: {lead_status: nurture}}]
"""


@pytest.mark.parametrize(("status", "verdict"), [("working", SURVIVED), ("attempting", SAME)])
def test_an_order_between_rules_counts_where_both_can_hold_at_once(
    write_cases: Write, status: str, verdict: str
) -> None:
    folder = write_cases("- {name: x, contact: {lifecycle_stage: lead}, expect: []}")
    (folder / "new.yaml").write_text(TWO % status, encoding="utf-8")
    assert verdicts(folder)["outranks without two"] == verdict


def test_an_order_between_rules_is_caught_where_a_case_has_both_at_once(write_cases: Write) -> None:
    expect = "expect: [{set: {lead_status: new}, rule: one}]"
    folder = write_cases(
        f"- {{name: tie, contact: {{lifecycle_stage: mql, lead_status: working}}, {expect}}}\n{ELSEWHERE}"
    )
    (folder / "new.yaml").write_text(TWO % "working", encoding="utf-8")
    assert verdicts(folder)["outranks without two"] == CAUGHT


def test_a_cell_of_the_matrix_is_changed_for_each_lead_status_by_itself(write_cases: Write) -> None:
    folder = write_cases(
        "- {name: x, contact: {lifecycle_stage: customer, lead_status: new}, expect: [{finding: cell_customer_new}]}"
    )
    found = {(m.about, m.says): m.verdict for m in try_mutants(folder, "matrix")}
    assert found["row 8", "new: fits, whatever it says"] == CAUGHT
    assert found["row 8", "attempting: fits, whatever it says"] == SURVIVED


def test_several_processes_come_to_the_same_verdicts(write_cases: Write) -> None:
    folder = write_cases(FIRES)
    assert try_mutants(folder, "new.yaml", jobs=2) == try_mutants(folder, "new.yaml")


def test_briefly_nothing_is_caught_that_all_cases_let_pass(write_cases: Write) -> None:
    folder = write_cases(f"{FIRES}\n{NEARLY}")
    briefly = try_mutants(folder, briefly=True)
    thoroughly = try_mutants(folder)
    assert [(m.about, m.says) for m in briefly] == [(m.about, m.says) for m in thoroughly]
    pairs = {(b.verdict, t.verdict) for b, t in zip(briefly, thoroughly, strict=True)}
    assert {(CAUGHT, CAUGHT), (SURVIVED, SURVIVED)} <= pairs
    assert pairs <= {(CAUGHT, CAUGHT), (SURVIVED, SURVIVED), (SURVIVED, CAUGHT), (SAME, SAME)}


def test_the_share_counts_neither_what_decides_the_same_nor_what_is_no_rule() -> None:
    mutants = [Mutant("f", 1, "r", "s", verdict) for verdict in (CAUGHT, CAUGHT, CAUGHT, SURVIVED, SAME, REFUSED)]
    assert share(mutants) == 75


def test_a_survivor_is_told_with_its_line_in_the_file(write_cases: Write) -> None:
    (survivor, *_) = [m for m in try_mutants(write_cases(FIRES), "new.yaml") if m.verdict == SURVIVED]
    assert str(survivor).endswith("/new.yaml:6: new_on_becoming_mql: lifecycle_stage is is left out: no case notices")


def words(folder: Path) -> Words:
    return Words(load_rules(folder).files.portal, ["first_contact", "second_contact"])


def test_every_operator_has_an_opposite_but_the_one_without() -> None:
    from hubsync.policy.conditions import ALL_OPERATORS

    assert set(ALL_OPERATORS) - set(OPPOSITE) == {"is_between"}


def test_operands_move_by_one_and_lists_lose_and_win_a_value(rules_folder: Path) -> None:
    group: dict[str, dict[str, Any]] = {
        "attempts": {"is_between": ["8", "10"]},
        "lead_status_entered": {"is_more_than_ago": "1 business day"},
        "lead_status": {"is_any_of": ["none", "new"]},
        "createdate": {"is_before": "2026-01-01"},
    }
    said = [says for _, says, _ in of_group(group, words(rules_folder))]
    assert [s for s in said if s.startswith("attempts")] == [
        "attempts is_between is left out",
        "attempts is_between 7 instead of 8",
        "attempts is_between 9 instead of 8",
        "attempts is_between 9 instead of 10",
        "attempts is_between 11 instead of 10",
    ]
    assert "lead_status_entered is_more_than_ago 2 business days, not 1 business day" in said
    assert not any(" 0 business days" in s for s in said)
    assert [s for s in said if s.startswith("lead_status is_any_of ")][1:] == [
        "lead_status is_any_of becomes is_none_of",
        "lead_status is_any_of without none",
        "lead_status is_any_of without new",
        "lead_status is_any_of with attempting too",
    ]
    assert "createdate is_before 2025-12-31T00:00:00+00:00, not 2026-01-01" in said


def test_everything_a_rule_declares_is_left_out_once(rules_folder: Path) -> None:
    (rules_folder / "all.yaml").write_text(
        """
rules:
  - id: all_keys
    playbook: A17
    says: All.
    when: {lead_status: {is: new}}
    cause: lead_status_entered
    after: 2 days
    hard: true
    settle: 1 hour
    once_per: deal
    only_for: Paris
    outranks: [new_on_becoming_mql]
    then:
      - set: {lead_status: working, hubsync_review_date: {after_cause: 3 months}}
      - create_task: {template: first_contact, due: {after_cause: 2 business hours}}
templates: {first_contact: {subject: x}}
""",
        encoding="utf-8",
    )
    (spec,) = load_rules(rules_folder).files.rules["all.yaml"].rules
    said = [mutation.says for mutation in of_rule(spec, words(rules_folder))]
    for left_out in ("the rule", "hard", "settle", "once_per", "only_for", "after", "action 1", "action 2"):
        assert f"{left_out} is left out" in said
    assert {"outranks without new_on_becoming_mql", "mode is report, not auto", "after is 3 days, not 2 days"} <= set(
        said
    )
    assert "hubsync_review_date 2 months after the cause, not 3 months" in said
    assert "due 3 business hours after the cause, not 2 business hours" in said
    assert "template second_contact, not first_contact" in said


def test_every_answer_of_the_matrix_has_another_one(rules_folder: Path) -> None:
    matrix = load_rules(rules_folder).files.matrix
    for row in matrix.matrix:
        statuses = {status.strip() for names in row.cells for status in names.split(",")}
        assert {m.says.partition(":")[0] for m in of_row(row, words(rules_folder))} == statuses
