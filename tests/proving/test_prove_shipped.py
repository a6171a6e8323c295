"""The shipped rules are proved, and the command says so."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from hubsync.cli.main import run
from hubsync.settings import default_rules
from tests.proving.minis import SETTLING, mini, written

Known = TypeVar("Known")


def test_the_shipped_rules_are_proved(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "prove", str(default_rules()), "--format", "json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["proved"], verdict["faults"], verdict["unproved"]) == (True, [], [])
    assert verdict["combinations"] == 130
    assert verdict["decisions"] > 10_000
    played = [note for note in verdict["notes"] if any("HubSpot's own" in line for line in note["story"])]
    assert [note["message"].split(":")[0] for note in played] == [
        "where a deal makes an opportunity",
        "where a deal won makes a customer",
    ]


def test_the_rules_of_inbound_8_are_proved(made: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "prove", str(made("inbound-8")), "--format", "json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["proved"], verdict["faults"], verdict["combinations"]) == (True, [], 90)


FIGHTING = (
    SETTLING
    + """  - id: down
    playbook: X2
    when: {lead_status: {is: working}}
    cause: lead_status_entered
    then: [{set: {lead_status: new}}]
"""
)


def test_the_command_tells_the_story_and_the_case_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(mini(FIGHTING), tmp_path / "rules")
    assert run(["rules", "prove", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "termination: down and up undo one another's lead_status for one and the same cause" in out
    assert "  as a case:\n    cases:\n" in out
    assert "Not proved: 1 fault" in out


def test_rules_check_proves_as_well_unless_told_not_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(written(mini(SETTLING), tmp_path / "rules"))
    run(["rules", "check", folder])
    assert "Proved: it settles, its outcome is determined" in capsys.readouterr().out
    run(["rules", "check", folder, "--no-proof"])
    assert "Proved" not in capsys.readouterr().out


def test_a_format_that_there_is_not_and_a_folder_that_is_not_there_are_usage_errors(tmp_path: Path) -> None:
    assert run(["rules", "prove", str(default_rules()), "--format", "xml"]) == 2
    assert run(["rules", "prove", str(tmp_path / "nowhere")]) == 2


def test_no_process_outlives_a_proof_that_is_killed() -> None:
    command = [str(Path(sys.executable).with_name("hubsync")), "rules", "prove", str(default_rules()), "--jobs", "2"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as proof:
        children = Path(f"/proc/{proof.pid}/task/{proof.pid}/children")
        helpers = _until(lambda: children.read_text().split())
        proof.kill()
    assert _until(lambda: not any(_lives(helper) for helper in helpers))


def _lives(process: str) -> bool:
    """A process that has ended and whom nobody has asked yet is no more."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _until(known: Callable[[], Known]) -> Known:
    """What is known once anything is, for half a minute."""
    end = time.monotonic() + 30
    while not (found := known()) and time.monotonic() < end:
        time.sleep(0.05)
    return found
