"""Each script under benchmarks/ runs, on a tiny portal, and prints one line of JSON that says what it should.

What is counted is asserted; what is timed is not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.programs import code_of

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"

IN_PROCESSES_OF_THEIR_OWN = {"memory", "receiver"}
"""Scripts that measure their own process, or start others from what they are. The rest shares what is imported here."""

Run = Callable[..., Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """`run("pull", "--contacts", 300)`: the JSON that a script prints as its only line."""

    def run(name: str, *options: object) -> Any:
        command = [str(BENCHMARKS / f"{name}.py"), *map(str, options)]
        if name in IN_PROCESSES_OF_THEIR_OWN:
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            code = subprocess.run([sys.executable, *command], env=environment, timeout=120, check=False).returncode
        else:
            monkeypatch.setattr(sys, "argv", command)
            code = code_of(command[0])
        said = capfd.readouterr()
        assert code == 0, said.out + said.err
        (line,) = said.out.splitlines()
        return json.loads(line)

    return run


def test_one_sync_settles_seeded_leads_and_every_cell_of_the_matrix(run: Run) -> None:
    result = run("convergence", "--contacts", 120, "--deals", "none", "open", "--writers", "person")
    assert result["matrix"]["cells"] == 8 * 13
    for part in result.values():
        assert part["changes"]["applied"] > 0
        assert {name: part[name] for name in part if name.startswith("left_")} == {
            "left_changes": 0,
            "left_tasks": 0,
            "left_by_rule": {},
            "left_conflicts": 0,
        }
        assert part["writes_of_second_sync"] == 0


def test_calls_are_those_of_the_formulae(run: Run) -> None:
    result = run("calls", "--contacts", 150, 420, "--each", 130, "--seeded", 1000, "--latency", 0)
    assert [part["pages"] for part in result["audit"]] == [2, 5]
    assert [part["constant"] for part in result["audit"]] == [6, 6]
    assert [part["history_over"] for part in result["dear_facts"].values()] == [0, 0, 0]
    assert result["dear_facts"]["deals"]["calls"]["/deals/batch/read"] == 3
    assert result["dear_facts"]["engagements"]["calls"]["/emails/batch/read"] == 2
    assert (result["corrections"]["rereads"], result["corrections"]["writes"]) == (6, 2)
    assert (result["tasks"]["tasks"], result["tasks"]["creates"]) == (130, 2)
    for name in ("corrections", "tasks", "seeded"):
        over = {key: value for key, value in result[name].items() if key.endswith("_over")}
        assert over == {"rereads_over": 0, "writes_over": 0, "creates_over": 0}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the script reads /proc")
def test_memory_is_noted_at_every_quarter_of_an_audit(run: Run) -> None:
    result = run("memory", "--contacts", 300)
    assert result["contacts"] == 300
    assert result["calls"] >= 3
    assert list(result["rss_at"]) == ["25%", "50%", "75%", "100%"]
    assert 10 < result["rss_peak"] < 300


def test_what_rules_cost_is_counted(run: Run) -> None:
    rules = ("new_on_becoming_mql", "attempting_on_first_rep_outreach", "imported_lead_without_status")
    result = run("rule_costs", "--contacts", 100, "--rules", *rules)
    assert result["contacts"] == 100
    assert result["rules"] == {
        "new_on_becoming_mql": [4.0, 6.0],
        "attempting_on_first_rep_outreach": [8.0, 6.0],  # its status asks for a follow-up: A16 creates a task
        "imported_lead_without_status": [4.0, 0.0],
    }


def test_help_is_held_against_a_python_that_does_nothing(run: Run) -> None:
    result = run("help", "--runs", 2)
    assert result["runs"] == 2
    assert result["ratio"] > 1


def test_a_pull_counts_contacts_and_history_entries(run: Run) -> None:
    result = run("pull", "--contacts", 300, "--times", 1)
    assert result["contacts"] == 300
    assert result["history_entries"] > 2 * 300


def test_the_allowance_is_used_without_a_refusal(run: Run) -> None:
    result = run("allowance", "--contacts", 300, "--latency", 0)
    assert (result["contacts"], result["calls_needed"], result["received_429"]) == (300, 3, 0)


def test_decisions_are_counted(run: Run) -> None:
    result = run("decide", "--contacts", 300, "--times", 1)
    assert result["contacts"] == 300
    assert result["decisions"] >= 300


def test_no_edit_of_a_person_in_the_middle_of_a_run_is_lost(run: Run) -> None:
    result = run("edits", "--before", 30, "--after", 30, "--untouched", 30)
    assert (result["edits_between_read_and_write"], result["edits_between_write_and_look"]) == (30, 30)
    assert (result["lost"], result["false_repairs"], result["overrides_logged_falsely"]) == (0, 0, 0)
    assert (result["put_back"], result["overrides_logged"]) == (30, 60)


def test_no_task_is_missing_or_double_after_lost_connections(run: Run) -> None:
    result = run("tasks", "--tasks", 150, "--batch", 5, "--dropped", 0.4)
    assert result["calls_lost"] > 2
    assert (result["missing"], result["double"], result["in_the_ledger"]) == (0, 0, 150)


def test_storms_are_counted_and_nothing_is_wrong_after_one(run: Run) -> None:
    result = run("chaos", "--minutes", 0, "--contacts", 20, "--rounds", 2, "--seed", 3)
    assert (result["seeds"], result["first_seed"], result["runs_in_storms"]) == (1, 3, 2)
    assert result["wrong"] == 0
    assert result["calm_runs_to_rest"] >= 1


def test_killed_runs_lose_no_work_and_do_none_twice(run: Run) -> None:
    result = run("kills", "--contacts", 200, "--kills", 2)
    assert (result["kills"], result["changes"], result["tasks"]) == (2, 100, 100)
    assert (result["lost"], result["wrong"]) == (0, 0)


def test_the_lag_of_the_service_is_measured_and_nobody_is_left_out(run: Run) -> None:
    result = run("lag", "--rate", 20, "--seconds", 3, "--latency", 0, "--after", 0, "--mix", "qualified")["qualified"]
    assert (result["contacts"], result["corrected"], result["refused_429"]) == (60, 60, 0)


def test_signed_requests_are_taken_and_what_was_acknowledged_outlives_a_kill(run: Run) -> None:
    result = run("receiver", "--contacts", 150, "--seconds", 2, "--connections", 4, "--rate", 60)
    assert result["requests"] > 20
    assert (result["not_2xx"], result["left_after_kill"]) == (0, 0)
    assert result["calls_after_kill"] > 0


def test_a_life_of_the_service_in_bad_weather_is_counted_and_nothing_is_wrong_after_it(run: Run) -> None:
    result = run("soak", "--contacts", 20, "--minutes", 1, "--pace", 1, "--kills", 0)
    assert result["wrong"] == 0
    assert result["written"] > 0


def test_an_idle_service_is_measured(run: Run) -> None:
    result = run("idle", "--contacts", 500, "--seconds", 2, "--warm-up", 1)
    assert result["contacts"] == 500
    assert result["rss_mib"] > 20


def test_every_script_is_tested_here_and_named_in_the_readme() -> None:
    scripts = {path.stem for path in BENCHMARKS.glob("*.py") if "__main__" in path.read_text()}
    told = (BENCHMARKS / "README.md").read_text()
    tested = Path(__file__).read_text()
    assert sorted(name for name in scripts if f"`{name}.py" not in told) == []
    assert sorted(name for name in scripts if f'run("{name}"' not in tested) == []
