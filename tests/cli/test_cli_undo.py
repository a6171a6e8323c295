"""`hubsync undo` as people and scripts see it: tables, JSON, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.portal.gateway import Gateway
from hubsync.sandbox import acts
from tests.sync.desk import MQL, SQL, STAGE, STATUS, Desk, ago

Json = Callable[..., tuple[int, Any]]


@pytest.fixture
def two_runs(cli_desk: Desk) -> tuple[str, str]:
    """Run 1 moved a qualified lead's stage and made an MQL New, with a task: (qualified, mql)."""
    contacts = cli_desk.lead("QUALIFIED", "lead"), cli_desk.lead("", MQL)
    assert cli_desk.sync().run == 1
    return contacts


def test_the_json_of_a_preview_is_the_contract(cli_desk: Desk, two_runs: tuple[str, str], hubsync_json: Json) -> None:
    qualified, mql = two_runs
    [task] = cli_desk.tasks(mql)
    code, told = hubsync_json("undo", "1")
    assert code == 1
    told["changes"].sort(key=lambda c: c["contact"])
    assert told == {
        "run": None,
        "undoes": 1,
        "mode": "plan",
        "changes": [
            {
                "contact": qualified,
                "property": STAGE,
                "from": SQL,
                "to": "lead",
                "state": "refused",
                "why": "stage: needs --allow-backward",
            },
            {
                "contact": mql,
                "property": STATUS,
                "from": "NEW",
                "to": None,
                "state": "planned",
                "why": "put back",
            },
        ],
        "tasks": [
            {
                "contact": mql,
                "task": task.id,
                "subject": "New lead: make the first contact",
                "state": "planned",
                "why": "task taken back",
            }
        ],
    }
    assert cli_desk.status(mql) == "NEW"


def test_writing_everything_back_ends_with_0(cli_desk: Desk, two_runs: tuple[str, str], hubsync_json: Json) -> None:
    qualified, mql = two_runs
    code, told = hubsync_json("undo", "1", "--write", "--allow-backward")
    assert (code, told["run"], told["mode"]) == (0, 2, "write")
    assert {c["state"] for c in told["changes"]} == {"applied"}
    assert [t["state"] for t in told["tasks"]] == ["taken_back"]
    assert cli_desk.stage(qualified) == "lead"
    assert not cli_desk.status(mql)
    code, again = hubsync_json("undo", "1", "--write", "--allow-backward")
    assert (code, again) == (0, {"run": None, "undoes": 1, "mode": "write", "changes": [], "tasks": []})


def test_the_table_lists_stage_moves_apart_and_names_who_changed_what(
    cli_desk: Desk, two_runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    qualified, mql = two_runs
    cli_desk.later(hours=1)
    cli_desk.sets(mql, STATUS, "CONNECTED")
    assert run(["undo", "1"]) == 1
    printed = capsys.readouterr().out
    apart, _, changes = printed.partition("\nChanges\n")
    assert (
        f"{qualified}\tLifecycle Stage\tSales Qualified Lead\tLead\trefused\tstage: needs --allow-backward\n" in apart
    )
    assert (
        f"{mql}\tLead Status\tConnected\tnone\tskipped\tskipped: changed since by Rita Rep on 2 March 2026" in changes
    )
    assert "Run: none: this is a preview, nothing was written\n" in apart


def test_csv_holds_stage_moves_and_the_rest(
    cli_desk: Desk, two_runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["undo", "1", "--format", "csv"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "contact,property,now,back_to,state,why"
    assert sorted(line.partition(",")[0] for line in lines[1:]) == sorted(two_runs)


def test_an_unknown_run_ends_with_2(
    cli_desk: Desk, two_runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["undo", "7"]) == 2
    assert capsys.readouterr().err == "There is no run 7 on portal 62515; hubsync runs lists them.\n"


def test_an_undo_of_an_undo_is_refused_with_2(
    cli_desk: Desk, two_runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["undo", "1", "--write"])
    capsys.readouterr()
    assert run(["undo", "2"]) == 2
    assert capsys.readouterr().err.startswith("Run 2 is itself an undo, of run 1; an undo isn't undone.")


def test_the_guard_ends_with_4_and_says_how_to_allow_it(cli_desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    contacts = [cli_desk.lead("NEW") for _ in range(21)]
    for contact in contacts:
        acts.rep_sends_email(cli_desk.portal, contact, cli_desk.rep, at=ago(days=1))
    cli_desk.sync()
    assert run(["undo", "1", "--write"]) == 4
    assert "--allow-changes 21" in capsys.readouterr().err
    assert run(["undo", "1", "--write", "--format", "json"]) == 4
    refused = json.loads(capsys.readouterr().out)
    assert (refused["run"], [c["state"] for c in refused["changes"]]) == (None, ["planned"] * 21)
    assert {cli_desk.status(c) for c in contacts} == {"ATTEMPTED_TO_CONTACT"}
    assert run(["undo", "1", "--write", "--allow-changes", "21"]) == 0
    assert {cli_desk.status(c) for c in contacts} == {"NEW"}


def test_without_a_database_there_is_nothing_to_undo(
    cli_desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HUBSYNC_DATABASE_URL", "sqlite:///none.db")
    assert run(["undo", "1"]) == 2
    assert "There is no database yet" in capsys.readouterr().err


def test_what_hubspot_refuses_ends_with_1(cli_desk: Desk, two_runs: tuple[str, str], hubsync_json: Json) -> None:
    qualified, _ = two_runs
    options = cli_desk.portal.schemas.properties["contacts"][STAGE].options
    cli_desk.portal.schemas.set_options("contacts", STAGE, [o for o in options if o.value != "lead"])
    code, told = hubsync_json("undo", "1", "--write", "--allow-backward")
    assert code == 1
    [refused] = [c for c in told["changes"] if c["contact"] == qualified]
    assert (refused["state"], refused["why"]) == ("refused", 'the portal no longer has the option "lead"')


def test_ctrl_c_says_how_far_it_came_and_the_next_undo_goes_on(
    cli_desk: Desk, two_runs: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, mql = two_runs
    with monkeypatch.context() as patch:
        patch.setattr(Gateway, "delete_tasks", lambda *_: interrupted())
        assert run(["undo", "1", "--write"]) == 130
    assert capsys.readouterr().err == (
        "Stopped in run 2: of run 1, 1 of 2 changes looked at are back. "
        "What was under way is in the ledger; hubsync undo 1 --write goes on.\n"
    )
    assert cli_desk.store.run(62515, 2).state == "interrupted"  # type: ignore[union-attr]
    assert len(cli_desk.tasks(mql)) == 1
    run(["undo", "1", "--write"])
    assert cli_desk.tasks(mql) == []


def interrupted() -> None:
    raise KeyboardInterrupt
