"""`hubsync rules test`: what it tells, selects, counts and writes for continuous integration."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from hubsync.cli.main import run
from hubsync.settings import default_rules

CANCELLED = "  - name: an account that was cancelled before it was a customer's is nothing to win back\n"


@pytest.fixture
def broken(isolated: Path) -> Path:
    """The shipped rules with one that does something else than its cases say."""
    folder = isolated / "rules"
    shutil.copytree(default_rules(), folder)
    automations = folder / "automations.yaml"
    text = automations.read_text()
    automations.write_text(text.replace("- set: {lead_status: nurture}", "- set: {lead_status: unqualified}"))
    return folder


def test_what_was_expected_and_what_came_is_told_with_the_line(
    broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rules", "test", str(broken), "-k", "a hand raised is enough"]) == 1
    lines = capsys.readouterr().out.splitlines()
    place, _, message = lines[0].partition(": ")
    cases = (broken / "automations_test.yaml").read_text().splitlines()
    number = 1 + cases.index("  - name: a hand raised is enough without an owner")
    assert place == f"rules/automations_test.yaml:{number}"
    assert "expected set lead_status: nurture, which didn't come" in message
    assert lines[1] == "  didn't expect set lead_status: unqualified (nurture_on_moving_back_to_mql)"
    assert lines[-1] == "0 passed, 1 failed"


def test_cases_are_selected_by_name_and_by_the_rule_they_expect(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "test", "-k", "Stages_Moved"]) == 0
    assert capsys.readouterr().out == "0 passed, 0 failed\n"
    assert run(["rules", "test", "-k", "stage_moved_BACKWARD", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["failed"] == 0
    assert "a stage moved backward is reported and left" in {case["name"] for case in found["cases"]}
    assert found["passed"] == len(found["cases"]) < 20


def test_results_as_json_name_file_line_and_message(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "test", str(broken), "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    wrong = [case for case in found["cases"] if not case["ok"]]
    assert len(wrong) == found["failed"] > 0
    assert "rules/automations_test.yaml" in {case["file"] for case in wrong}
    assert all(case["line"] > 1 and "lead_status: nurture" in case["message"] for case in wrong)


def test_junit_holds_every_case_and_the_message_of_those_that_fail(
    broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rules", "test", str(broken), "--junit", "results.xml"]) == 1
    passed, failed = (int(word.split()[0]) for word in capsys.readouterr().out.splitlines()[-1].split(", "))
    root = ET.parse("results.xml").getroot()  # noqa: S314 (written by us, a moment ago)
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", str(passed + failed), str(failed))
    suites = {suite.get("name"): suite for suite in root}
    assert set(suites) == {f"rules/{path.name}" for path in broken.glob("*_test.yaml")}
    cases = root.findall("testsuite/testcase")
    failures = [case for case in cases if case.find("failure") is not None]
    assert (len(cases), len(failures)) == (passed + failed, failed)
    assert failures[0].get("file") == "rules/automations_test.yaml"
    told = failures[0].find("failure")
    assert told is not None
    assert told.get("message", "").startswith("expected set lead_status: nurture")
    assert str(told.text).startswith(f"rules/automations_test.yaml:{failures[0].get('line')}: ")


def test_coverage_lists_what_no_case_touches_and_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "test", "--coverage", "--format", "json"]) == 0
    coverage = json.loads(capsys.readouterr().out)["coverage"]
    kinds = {item["kind"] for item in coverage["items"]}
    assert kinds == {"rule", "condition", "action", "operator", "cell"}
    untouched = [item["name"] for item in coverage["items"] if item["missing"]]
    assert coverage["share"] == round(100 - 100 * len(untouched) / len(coverage["items"]), 1)


def test_fewer_touched_than_asked_for_ends_with_1(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (broken / "matrix_test.yaml").unlink()
    assert run(["rules", "test", str(broken), "--coverage", "--fail-under", "100"]) == 1
    out, err = capsys.readouterr()
    assert "cell none × none: no case that gets there" in out
    assert err.rstrip().endswith("of 100 are touched, fewer than the 100 asked for.")


def test_mutants_that_no_case_notices_are_listed_with_their_line(
    isolated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = isolated / "rules"
    shutil.copytree(default_rules(), folder)
    cases = folder / "automations_test.yaml"
    before, _, rest = cases.read_text().partition(CANCELLED)
    cases.write_text(before + rest[rest.index("  - name: ") :])
    assert run(["rules", "test", str(folder), "--mutants", "-k", "churned_customer", "--jobs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    text = (folder / "automations.yaml").read_text().splitlines()
    number = 2 + next(n for n, line in enumerate(text) if line.strip() == "churned: {is: true}")
    place = f"rules/automations.yaml:{number}: churned_customer: "
    assert f"{place}lifecycle_stage is_at_least is left out: no case notices" in lines
    assert lines[-2].endswith("of 100 caught")


def test_too_few_mutants_caught_end_with_1_and_failing_cases_leave_them_out(
    broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["rules", "test", "--mutants", "-k", "churned_customer", "--jobs", "1"]
    assert run([*line, "--fail-under", "100", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["mutants"]
    assert found["share"] == 100
    assert {m["verdict"] for m in found["mutants"]} <= {"caught", "same"}
    assert run(["rules", "test", str(broken), "--mutants"]) == 1
    assert "No mutants: they are told from the rules by cases that pass." in capsys.readouterr().err
