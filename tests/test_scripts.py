"""Each one-off script under scripts/ runs against the sandbox portal."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hubsync.cli.main import run as hubsync
from hubsync.sandbox import acts
from tests.programs import code_of
from tests.sync.desk import LONG_AGO, MQL, STAGE, STATUS, Desk, ago

SCRIPTS = Path(__file__).parents[1] / "scripts"
OWNER = "hubspot_owner_id"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a script ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Ran]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A portal and a database, with the environment set for both."""
    with Desk(tmp_path) as desk:
        monkeypatch.setenv("HUBSYNC_API_URL", desk.box.url)
        monkeypatch.setenv("HUBSYNC_ACCESS_TOKEN", desk.box.token)
        monkeypatch.setenv("HUBSYNC_DATABASE_URL", desk.url)
        monkeypatch.setenv("HUBSYNC_EFFECTIVE_SINCE", LONG_AGO.date().isoformat())
        yield desk


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("spot_check", "--each", 3)`: a script that ended, whatever its code."""

    def run(name: str, *options: object) -> Ran:
        path = SCRIPTS / f"{name}.py"
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, options)])
        capsys.readouterr()
        code = code_of(path)
        return Ran(code, *capsys.readouterr())

    return run


def rows(ended: Ran, code: int = 0) -> list[dict[str, Any]]:
    """The rows of a script called with --format json."""
    assert ended.returncode == code, ended.stdout + ended.stderr
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.stem)
def test_a_script_says_what_it_does(path: Path) -> None:
    command = [sys.executable, str(path), "--help"]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS.parent)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0
    assert ended.stdout.startswith(("Usage: ", "usage: "))


def test_every_script_is_tried_here_and_named_in_the_readme() -> None:
    here, readme = (
        Path(__file__).read_text(encoding="utf-8"),
        (SCRIPTS.parent / "README.md").read_text(encoding="utf-8"),
    )
    for path in SCRIPTS.glob("*.py"):
        assert f'run("{path.stem}"' in here
        assert f"scripts/{path.name}" in readme


def test_combinations_that_do_not_go_together_are_counted(desk: Desk, run: Run) -> None:
    for status in ("NEW", "NEW", "CONNECTED"):
        desk.lead(status, "salesqualifiedlead")
    ended = run("audit_combinations")
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stdout.splitlines()
    assert line.split() == ["2", "Sales", "Qualified", "Lead", "×", "New", "is", "corrected"]


# Owner gaps ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def gaps(desk: Desk) -> dict[str, str]:
    """Three MQLs who sent a form: of a company that somebody owns, of one that nobody owns, of none."""
    other = desk.portal.directory.add_owner("otto@example.com", "Otto", "Owner").id
    theirs = acts.create_company(desk.portal, "Theirs", owner=other)
    nobodys = acts.create_company(desk.portal, "Nobody's")
    found = {"other": other}
    for name, company in (("theirs", theirs), ("nobodys", nobodys), ("alone", None)):
        properties = {STATUS: "NEW", STAGE: MQL}
        contact = acts.create_contact(desk.portal, properties, company=company, at=ago(days=10))
        acts.submit_form(desk.portal, contact, at=ago(days=1))
        found[name] = contact
    return found


def test_owner_gaps_are_shown_and_nothing_is_written(desk: Desk, gaps: dict[str, str], run: Run) -> None:
    found = {row["contact"]: row for row in rows(run("fix_owner_gaps", "--format", "json"), 1)}
    assert found[gaps["theirs"]] == {
        "contact": gaps["theirs"],
        "owner": "Otto Owner",
        "why": "the company's owner",
        "state": "planned",
    }
    assert {found[gaps[name]]["state"] for name in ("nobodys", "alone")} == {"left"}
    assert desk.written() == []


def test_owner_gaps_are_closed_and_can_be_opened_again(desk: Desk, gaps: dict[str, str], run: Run) -> None:
    written = rows(run("fix_owner_gaps", "--owner", "rita@example.com", "--write", "--format", "json"))
    assert [row["state"] for row in written] == ["applied"] * 3
    assert [desk.value(gaps[name], OWNER) for name in ("theirs", "nobodys", "alone")] == [
        gaps["other"],
        desk.rep,
        desk.rep,
    ]
    assert "Owner Otto Owner: set for many contacts at once" in (
        desk.value(gaps["theirs"], "hubsync_last_action") or ""
    )
    (last, *_) = desk.store.runs(desk.portal.portal_id, 1)
    assert last.kind == "set-owner"
    assert rows(run("fix_owner_gaps", "--format", "json")) == []
    assert hubsync(["undo", str(last.id), "--write"]) == 0
    assert [desk.value(gaps[name], OWNER) or "" for name in ("theirs", "nobodys", "alone")] == ["", "", ""]


def test_the_guard_stops_owners_too(desk: Desk, run: Run) -> None:
    for _ in range(25):
        acts.submit_form(desk.portal, desk.lead("NEW", MQL, hubspot_owner_id=""), at=ago(days=1))
    ended = run("fix_owner_gaps", "--owner", desk.rep, "--write")
    assert ended.returncode == 4
    assert "--allow-changes" in ended.stderr
    assert desk.written() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--owner", "nobody@example.com"), '"nobody@example.com" is no active owner of portal'),
        (("--where", "lead_statsu is new"), '"lead_statsu" is no fact'),
    ],
)
def test_what_cannot_be_done_is_told(desk: Desk, run: Run, options: tuple[str, ...], message: str) -> None:
    ended = run("fix_owner_gaps", *options)
    assert ended.returncode == 2
    assert message in ended.stderr


# Overrides ----------------------------------------------------------------------------------------------------------


def test_overrides_are_listed_with_what_the_rule_says(desk: Desk, run: Run) -> None:
    contact = desk.lead("", MQL)
    desk.sync()
    desk.later(hours=1)
    desk.sets(contact, STATUS, "")
    desk.later(hours=1)
    desk.sync()
    (row,) = rows(run("export_overrides", "--format", "json"))
    assert (row["contact"], row["rule"], row["playbook"]) == (contact, "new_on_becoming_mql", "A2")
    assert (row["property"], row["from"], row["to"]) == (STATUS, "NEW", None)
    assert row["says"] == "The contact became an MQL and nobody has touched it yet."
    assert rows(run("export_overrides", "--rule", "converted_is_locked", "--format", "json")) == []
    assert rows(run("export_overrides", "--since", "2026-03-03", "--format", "json")) == []


# Spot checks --------------------------------------------------------------------------------------------------------


def test_a_months_changes_are_drawn_for_each_owner_the_same_every_time(desk: Desk, run: Run, tmp_path: Path) -> None:
    second = desk.portal.directory.add_owner("otto@example.com", "Otto", "Owner").id
    for number in range(6):
        for owner in (desk.rep, second):
            contact = desk.lead("NEW", MQL, at=ago(days=60), hubspot_owner_id=owner)
            desk.sets(contact, STATUS, "CONNECTED", at=ago(days=20 - number))
    drawn = rows(run("spot_check", "--each", 2, "--format", "json"))
    assert [row["owner"] for row in drawn] == ["Rita Rep"] * 2 + ["Otto Owner"] * 2
    assert {(row["from"], row["to"], row["by"]) for row in drawn} == {("New", "Connected", "person")}
    february = {datetime.fromisoformat(row["at"]) for row in drawn}
    assert all(at.month == 2 and at.year == 2026 for at in february)
    out = tmp_path / "sample.csv"
    run("spot_check", "--each", 2, "--out", out)
    again = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert [row["contact"] for row in again] == [row["contact"] for row in drawn]
    assert len(rows(run("spot_check", "--month", "2026-02", "--format", "json"))) == 10
    assert rows(run("spot_check", "--month", "2025-06", "--format", "json")) == []


def test_a_change_by_a_rule_is_drawn_with_its_name(desk: Desk, run: Run) -> None:
    desk.lead("", MQL, at=ago(days=1))
    desk.sync()
    desk.later(days=30)
    (row,) = rows(run("spot_check", "--month", f"{ago():%Y-%m}", "--format", "json"))
    assert (row["to"], row["by"]) == ("New", "hubsync new_on_becoming_mql")
    assert datetime.fromisoformat(row["at"]) - ago() < timedelta(hours=1)


# Stale leads and missing data ---------------------------------------------------------------------------------------


def test_active_leads_without_activity_are_listed_the_longest_first(desk: Desk, run: Run) -> None:
    long, longer = desk.lead("CONNECTED", MQL, at=ago(days=40)), desk.lead("IN_PROGRESS", MQL, at=ago(days=50))
    desk.lead("CONNECTED", MQL, at=ago(days=10))
    desk.lead("NURTURE", MQL, at=ago(days=60))
    written_to = desk.lead("CONNECTED", MQL, at=ago(days=60))
    acts.rep_sends_email(desk.portal, written_to, desk.rep, at=ago(days=2))
    found = rows(run("audit_stale", "--format", "json"), 1)
    assert [(row["contact"], row["days"], row["status"]) for row in found] == [
        (longer, 50, "In Progress"),
        (long, 40, "Connected"),
    ]
    assert rows(run("audit_stale", "--days", 55, "--format", "json")) == []


def test_what_leads_lack_is_listed_and_counted(desk: Desk, run: Run) -> None:
    lacking = desk.lead("UNQUALIFIED", MQL)
    desk.lead("UNQUALIFIED", MQL, hubsync_reason="budget")
    (row,) = rows(run("missing_data", "--format", "json"), 1)
    assert (row["contact"], row["status"], row["missing"]) == (lacking, "Unqualified", "the reason")
    told = run("missing_data").stdout
    assert "What is missing most\nLead status\tWhat\tContacts\nUnqualified\tthe reason\t1\n" in told
