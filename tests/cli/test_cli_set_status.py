"""`hubsync set-status` as it is typed: previews, writes, files, faults, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.sandbox import acts
from tests.sync.desk import SQL, Desk, ago

Call = Callable[..., tuple[int, Any]]


def test_a_preview_is_the_contract_and_writes_nothing(cli_desk: Desk, hubsync_json: Call) -> None:
    contact = cli_desk.lead("NEW")
    code, found = hubsync_json("set-status", "nurture", "--where", "lead_status is new")
    assert code == 0
    assert {name: found[name] for name in ("run", "mode", "contacts")} == {"run": None, "mode": "plan", "contacts": 1}
    assert found["changes"] == [
        {
            "contact": contact,
            "property": "hs_lead_status",
            "from": "NEW",
            "to": "NURTURE",
            "state": "planned",
            "warning": None,
        }
    ]
    assert found["calls"] > 0
    assert found["seconds"] >= 0
    assert cli_desk.status(contact) == "NEW"


def test_a_write_lands_and_undo_takes_it_back(cli_desk: Desk, hubsync_json: Call) -> None:
    contact = cli_desk.lead("NEW")
    asked = ("set-status", "nurture", "--where", "lead_status is new", "--reason", "quarter end", "--write")
    code, found = hubsync_json(*asked)
    assert (code, found["mode"], [c["state"] for c in found["changes"]]) == (0, "write", ["applied"])
    assert cli_desk.status(contact) == "NURTURE"
    code, undone = hubsync_json("undo", str(found["run"]), "--write")
    assert (code, [c["state"] for c in undone["changes"]]) == (0, ["applied"])
    assert cli_desk.status(contact) == "NEW"
    code, runs = hubsync_json("runs")
    assert code == 0
    assert "set-status" in str(runs)


def test_a_write_makes_the_database_where_there_is_none(
    cli_desk: Desk, hubsync_json: Call, monkeypatch: pytest.MonkeyPatch, isolated: Path
) -> None:
    contact = cli_desk.lead("NEW")
    monkeypatch.setenv("HUBSYNC_DATABASE_URL", "sqlite:///fresh.db")
    assert hubsync_json("set-status", "nurture", "--where", "lead_status is new")[0] == 0
    assert not (isolated / "fresh.db").exists()
    assert hubsync_json("set-status", "nurture", "--where", "lead_status is new", "--write")[0] == 0
    assert (isolated / "fresh.db").exists()
    assert cli_desk.status(contact) == "NURTURE"


def test_all_conditions_must_hold(cli_desk: Desk, hubsync_json: Call) -> None:
    cli_desk.lead("NEW")
    both = cli_desk.lead("NEW", SQL)
    where = ("--where", "lead_status is new", "--where", "lifecycle_stage is sql")
    _, found = hubsync_json("set-status", "working", *where)
    assert [c["contact"] for c in found["changes"]] == [both]


def test_a_list_gives_each_contact_its_own_status(cli_desk: Desk, hubsync_json: Call, isolated: Path) -> None:
    one, other = cli_desk.lead("NEW"), cli_desk.lead("NEW")
    (isolated / "list.csv").write_text(f"id;status;reason\n{one};nurture;\n{other};Disqualified;spam\n", "utf-8-sig")
    code, found = hubsync_json("set-status", "--from", "list.csv", "--write")
    assert code == 0
    assert [(c["contact"], c["property"], c["to"], c["state"]) for c in found["changes"]] == [
        (one, "hs_lead_status", "NURTURE", "applied"),
        (other, "hs_lead_status", "DISQUALIFIED", "applied"),
        (other, "hubsync_reason", "spam", "applied"),
    ]


def test_every_fault_of_a_list_is_told_and_nothing_done(cli_desk: Desk, hubsync_json: Call, isolated: Path) -> None:
    contact = cli_desk.lead("NEW")
    (isolated / "list.csv").write_text(f"id,status\n{contact},nurtur\n999999,nurture\n")
    code, said = hubsync_json("set-status", "--from", "list.csv", "--write")
    assert code == 2
    assert 'list.csv:2: "nurtur" is no Lead status of the portal; did you mean "nurture"?' in said
    assert "list.csv:3: contact 999999 is not in the portal" in said
    assert "Nothing was done." in said
    assert cli_desk.status(contact) == "NEW"


def test_faults_of_status_and_conditions_are_told_together(cli_desk: Desk, hubsync_json: Call) -> None:
    where = ("--where", "lead_status is nwe", "--where", "jobtitel is_known")
    code, said = hubsync_json("set-status", "nurtur", *where)
    assert code == 2
    assert 'STATUS: "nurtur" is no Lead status of the portal; did you mean "nurture"?' in said
    assert '--where "lead_status is nwe": "nwe" is no Lead status of portal.yaml; did you mean "new"?' in said
    assert 'the portal has no contact property "jobtitel"; did you mean "jobtitle"?' in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nurture"], "Say which contacts"),
        (["nurture", "--where", "owner is_known", "--from", "a.csv"], "Say which contacts"),
        (["--where", "owner is_known"], "Say which Lead status"),
        (["nurture", "--from", "nowhere.csv"], "--from nowhere.csv: this file can't be read"),
    ],
)
def test_what_is_half_asked_is_refused(
    cli_desk: Desk, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["set-status", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_the_guard_ends_with_4_and_allow_changes_lets_it_pass_once(
    cli_desk: Desk, hubsync_json: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    contacts = [cli_desk.lead("NEW") for _ in range(21)]
    asked = ("set-status", "nurture", "--where", "lead_status is new", "--write")
    assert run(asked) == 4
    said = capsys.readouterr()
    assert ("21 of 21 contacts in scope would change" in said.err, said.out) == (True, "")
    code, refused = hubsync_json(*asked)
    assert (code, refused["run"], refused["mode"]) == (4, None, "plan")
    assert [(c["contact"], c["to"], c["state"]) for c in refused["changes"]] == [
        (contact, "NURTURE", "planned") for contact in contacts
    ]
    assert cli_desk.written() == []
    code, found = hubsync_json(*asked, "--allow-changes", "21")
    assert (code, len(found["changes"])) == (0, 21)
    assert {cli_desk.status(c) for c in contacts} == {"NURTURE"}


def test_a_contact_that_is_held_ends_with_1(cli_desk: Desk, hubsync_json: Call) -> None:
    contact = cli_desk.lead("NEW", hubsync_hold="true")
    code, found = hubsync_json("set-status", "nurture", "--where", "lead_status is new", "--write")
    assert (code, found["run"], [c["state"] for c in found["changes"]]) == (1, None, ["held"])
    assert cli_desk.status(contact) == "NEW"


def test_a_table_shows_labels_sums_up_and_names_what_does_not_fit(
    cli_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    contact = cli_desk.lead("IN_PROGRESS", SQL)
    assert run(["set-status", "new", "--where", "lead_status is working", "--reason", "a whim"]) == 0
    out = capsys.readouterr().out
    assert "Run: none: this is a preview, nothing was written" in out
    assert "Reason: kept in the ledger; hubsync_reason has no option for it" in out
    assert "In Progress\tNew\tplanned\t1" in out
    [line] = [line for line in out.splitlines() if line.startswith(f"{contact}\t")]
    assert line.startswith(f"{contact}\tLead Status\tIn Progress\tNew\tplanned\t")
    assert line.endswith("(C1, cell_sql_new)")


@pytest.mark.parametrize("more", [(), ("--write", "--allow-changes", "21")], ids=["preview", "write"])
def test_many_contacts_come_with_who_else_writes_the_two_fields(
    cli_desk: Desk, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    for _ in range(21):
        acts.workflow_sets(cli_desk.portal, cli_desk.lead(), "hs_lead_status", "NEW", name="Welcome", at=ago(hours=2))
    assert run(["set-status", "nurture", "--where", "lead_status is new", "--format", "json", *more]) == 0
    told = capsys.readouterr()
    assert "Before 21 contacts are written, who else is at work on them:" in told.err
    assert "- AUTOMATION_PLATFORM (Welcome) wrote Lead Status 21 times" in told.err
    assert "workflows and lists that react to these fields can't be seen here" in told.err
    assert len(json.loads(told.out)["changes"]) == 21


def test_who_else_writes_is_told_before_the_first_write(cli_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(21):
        acts.workflow_sets(cli_desk.portal, cli_desk.lead(), "hs_lead_status", "NEW", name="Welcome", at=ago(hours=2))
    written: list[int] = []

    def at_work(*_given: Any) -> list[str]:
        written.append(len(cli_desk.written()))
        return []

    monkeypatch.setattr("hubsync.cli.set_status.others_at_work", at_work)
    asked = ("set-status", "nurture", "--where", "lead_status is new", "--write", "--allow-changes", "21")
    assert run([*asked, "--format", "json"]) == 0
    assert written == [0]
    assert len(cli_desk.written("hs_lead_status")) == 21
