"""`hubsync rules check | test | show`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hubsync.cli.main import run
from hubsync.settings import default_rules


@pytest.fixture
def rules(isolated: Path) -> Path:
    """A copy of the shipped rules to break."""
    folder = isolated / "rules"
    shutil.copytree(default_rules(), folder)
    return folder


def test_the_shipped_rules_have_no_fault_and_what_is_off_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "check", "--no-proof"]) == 0
    out = capsys.readouterr().out
    assert "no fault" in out
    assert "churned_customer is off, it needs churn: in portal.yaml" in out


def test_every_fault_of_every_file_is_told_with_its_place(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    automations = rules / "automations.yaml"
    text = automations.read_text().replace("cause: first_rep_outreach", "cause: first_outreach")
    automations.write_text(text.replace("lead_status: {is: qualified}", "lead_status: {is: qualifed}"))
    matrix = rules / "matrix.yaml"
    matrix.write_text(
        matrix.read_text().replace('      customer: {report: "A subscriber', '      custmer: {report: "A')
    )
    matrix.write_text(
        matrix.read_text().replace('converted, customer: {report: "A subscriber', 'converted: {report: "A')
    )
    assert run(["rules", "check", str(rules), "--no-proof"]) == 1
    out = capsys.readouterr().out
    line = 1 + automations.read_text().splitlines().index("    cause: first_outreach")
    assert f"rules/automations.yaml:{line}:" in out
    assert '"first_outreach" is not a cause; did you mean "first_rep_outreach"?' in out
    assert '"qualifed" is no Lead status of portal.yaml; did you mean "qualified"?' in out
    assert "no answer for customer (C2: every cell has exactly one)" in out
    assert out.rstrip().endswith("3 faults.")


def test_the_cases_of_the_shipped_rules_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "test"]) == 0
    passed, failed = capsys.readouterr().out.split(" passed, ")
    assert int(passed) > 200
    assert failed == "0 failed\n"


def test_show_tells_a_rule_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "show", "qualified_moves_the_stage", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["playbook"] == "A9"
    assert (
        row["when"]
        == "lead_status is qualified; lifecycle_stage is at least lead; lifecycle_stage is below qualified_stage"
    )
    assert row["where"].startswith("automations.yaml:")


def test_show_of_an_unknown_rule_suggests_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "show", "qualified_moves_stage"]) == 2
    assert 'did you mean "qualified_moves_the_stage"?' in capsys.readouterr().err


def test_a_folder_without_rules_is_a_fault(isolated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (isolated / "empty").mkdir()
    assert run(["rules", "check", "empty", "--no-proof"]) == 1
    assert "portal.yaml:1:1: this file is missing" in capsys.readouterr().out


def test_statuses_that_people_would_mix_up_are_findings(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    portal = rules / "portal.yaml"
    text = portal.read_text()
    more = "".join(
        f"  extra_{n}:\n    value: EXTRA_{n}\n    labels: {{en: {label}}}\n    meaning: m\n    use_when: u\n"
        for n, label in ((1, "Working"), (2, "Something else"))
    )
    portal.write_text(text.replace("\nstages:\n", f"\n{more}\nstages:\n", 1))
    matrix = rules / "matrix.yaml"
    matrix.write_text(matrix.read_text().replace("none: fits", "none, extra_1, extra_2: fits", 1))
    run(["rules", "check", str(rules), "--no-proof"])
    assert "no answer for extra_1" in capsys.readouterr().out  # every row needs its answers first
    lines = matrix.read_text().splitlines()
    told = [
        line + "\n      extra_1, extra_2: fits" if line.strip() == "cells:" and n > 6 else line
        for n, line in enumerate(lines)
    ]
    matrix.write_text("\n".join(told) + "\n")
    assert run(["rules", "check", str(rules), "--no-proof"]) == 1
    out = capsys.readouterr().out
    assert '"extra_1" has the label of "working": en "Working" (S14)' in out
    assert '"extra_2" is one more than 12 main statuses' in out


def test_a_status_without_a_definition_is_a_finding(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    portal = rules / "portal.yaml"
    text = portal.read_text()
    portal.write_text(text.replace("meaning: They buy from us already.", 'meaning: ""'))
    line = 1 + text.splitlines().index("  customer:")
    assert run(["rules", "check", str(rules), "--no-proof"]) == 1
    assert f'portal.yaml:{line}:3: "customer" has no definition: meaning is empty (S14)' in capsys.readouterr().out
