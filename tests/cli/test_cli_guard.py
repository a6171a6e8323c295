"""`hubsync guard`: what is held, why and until when; releasing it. Freezes: nothing is written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.sandbox import acts
from hubsync.settings import default_rules
from tests.sync.desk import STATUS, Desk, ago

Json = Callable[..., tuple[int, Any]]


@pytest.fixture(autouse=True)
def at_its_pace(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped rules with a roll-out that is over: everything at auto, tasks at their pace."""
    folder = isolated / "rolled-out"
    shutil.copytree(default_rules(), folder)
    (folder / "rollout.yaml").write_text("rollout: {default: auto}\n")
    monkeypatch.setenv("HUBSYNC_RULES", str(folder))


def test_tasks_over_an_owners_cap_are_listed_and_can_be_released(cli_desk: Desk, hubsync_json: Json) -> None:
    leads = [cli_desk.lead("NEW", at=ago(hours=20 - n)) for n in range(17)]
    code, told = hubsync_json("sync", "--write")
    assert (code, len(told["held"]), {h["why"] for h in told["held"]}) == (0, 2, {"cap"})
    code, told = hubsync_json("guard")
    assert (code, told["stopped"], told["bursts"]) == (0, [], [])
    assert [(t["contact"], t["why"], t["until"]) for t in told["tasks"]] == [
        (c, "cap", "2026-03-03T14:00:00.000Z") for c in leads[15:]
    ]
    code, told = hubsync_json("guard", "release", "first_contact_task")
    assert (code, told["released"]) == (0, ["first_contact_task"])
    cli_desk.later(minutes=1)
    assert run(["sync", "--write", "--full"]) == 0
    assert hubsync_json("guard")[1]["tasks"] == []
    assert sum(len(cli_desk.tasks(c)) for c in leads) == 18


def test_a_burst_is_listed_and_released_by_its_name(cli_desk: Desk, hubsync_json: Json) -> None:
    for _ in range(51):
        acts.workflow_sets(cli_desk.portal, cli_desk.lead(), STATUS, "NEW", at=ago(hours=1))
    code, told = hubsync_json("sync", "--write")
    assert (code, len(told["held"]), len(told["findings"])) == (1, 51, 1)
    (burst,) = hubsync_json("guard")[1]["bursts"]
    assert (burst["source"], burst["contacts"], burst["tasks"]) == ("AUTOMATION_PLATFORM:Workflow", 51, 51)
    assert run(["guard", "release", burst["burst"]]) == 0
    assert hubsync_json("guard")[1]["bursts"] == []
    cli_desk.later(minutes=1)
    _, told = hubsync_json("sync", "--write")
    assert {h["why"] for h in told["held"]} == {"cap"}


def test_what_is_not_told_for_a_burst_is_listed_apart_from_its_tasks(cli_desk: Desk, hubsync_json: Json) -> None:
    for _ in range(51):
        acts.workflow_sets(cli_desk.portal, cli_desk.lead(), STATUS, "NEW", at=ago(hours=1))
    cli_desk.later(minutes=40)
    _, told = hubsync_json("sync", "--write")
    assert (len(told["held"]), told["digests"]) == (102, [])
    _, held = hubsync_json("guard")
    assert (len(held["tasks"]), len(held["digests"])) == (51, 51)
    assert {(d["rule"], d["why"], d["until"]) for d in held["digests"]} == {("first_contact_warning", "burst", None)}


def test_a_run_that_the_guard_stopped_is_listed_until_one_is_done(
    cli_desk: Desk, hubsync_json: Json, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(21):
        cli_desk.lead("QUALIFIED")
    assert run(["sync", "--write"]) == 4
    assert [r["run"] for r in hubsync_json("guard")[1]["stopped"]] == [1]
    assert run(["guard"]) == 0
    assert "was done: sync run 1, 2026-03-02 15:00 UTC\n" in capsys.readouterr().out
    assert run(["sync", "--write", "--allow-changes", "21"]) == 0
    assert hubsync_json("guard")[1]["stopped"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("release",), "hubsync guard release RULE|BURST"),
        (("relase", "x"), "hubsync guard release RULE|BURST"),
        (("release", "burst-000000"), 'Nothing is held under "burst-000000"'),
    ],
)
def test_what_can_not_be_released_is_said(
    cli_desk: Desk, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sync", "--write"]) == 0
    assert run(["guard", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.fixture
def frozen(cli_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk in the middle of a freeze."""
    folder = tmp_path / "rules"
    shutil.copytree(default_rules(), folder)
    portal = folder / "portal.yaml"
    freeze = "freeze: [{from: 2026-03-01, to: 2026-03-02, says: The quarter ends}]"
    portal.write_text(portal.read_text(encoding="utf-8").replace("freeze: []", freeze), encoding="utf-8")
    monkeypatch.setenv("HUBSYNC_RULES", str(folder))
    return cli_desk


def test_in_a_freeze_sync_shows_the_plan_and_writes_nothing(
    frozen: Desk, hubsync_json: Json, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = frozen.lead("QUALIFIED")
    code, told = hubsync_json("sync", "--write")
    assert (code, told["run"], [c["state"] for c in told["changes"]]) == (0, None, ["planned"])
    assert run(["sync", "--write"]) == 0
    assert (
        "Nothing was written: portal.yaml freezes all writes until 2026-03-03 00:00 (The quarter ends)."
        in capsys.readouterr().err
    )
    assert (frozen.written(), frozen.stage(lead)) == ([], "lead")
    frozen.later(hours=14)  # past midnight where the portal is
    assert hubsync_json("sync", "--write")[1]["run"] is not None
    assert frozen.stage(lead) == "salesqualifiedlead"


def test_in_a_freeze_nothing_is_set_in_bulk_either(frozen: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    frozen.lead("NEW")
    assert run(["set-status", "nurture", "--where", "lead_status is new", "--write"]) == 4
    assert "freezes all writes" in capsys.readouterr().err
    assert frozen.written() == []


def test_in_a_freeze_nothing_is_undone(frozen: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    contact = frozen.lead("QUALIFIED")
    frozen.sync()
    before = len(frozen.written())
    assert run(["undo", "1"]) in {0, 1}  # the preview is there all the same
    assert run(["undo", "1", "--write", "--allow-backward"]) == 4
    assert "freezes all writes" in capsys.readouterr().err
    assert (len(frozen.written()), frozen.stage(contact)) == (before, "salesqualifiedlead")


def test_in_a_freeze_no_setup_is_done_or_undone(frozen: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    options = frozen.portal.schemas.properties["contacts"][STATUS].options
    frozen.portal.schemas.set_options("contacts", STATUS, [o for o in options if o.value != "NURTURE"])
    assert run(["setup", "--write"]) == 4
    assert "freezes all writes" in capsys.readouterr().err
    rules = frozen.folder / "rules" / "portal.yaml"
    text = rules.read_text(encoding="utf-8")
    rules.write_text(text.replace("from: 2026-03-01, to: 2026-03-02", "from: 2026-02-01, to: 2026-02-02"), "utf-8")
    assert run(["setup", "--write"]) == 0
    rules.write_text(text, encoding="utf-8")
    assert run(["undo", "1", "--write"]) == 4
    assert "NURTURE" in [o.value for o in frozen.portal.schemas.properties["contacts"][STATUS].options]


def test_a_freeze_that_ends_before_it_begins_is_a_fault(frozen: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    rules = frozen.folder / "rules" / "portal.yaml"
    text = rules.read_text(encoding="utf-8")
    rules.write_text(text.replace("to: 2026-03-02", "to: 2026-02-02"), encoding="utf-8")
    assert run(["sync", "--write"]) == 2
    assert "it ends (2026-02-02) before it begins (2026-03-01)" in capsys.readouterr().err


def test_a_freeze_that_is_no_date_is_a_fault_with_its_line(frozen: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    del monkeypatch
    folder = frozen.folder / "rules" / "portal.yaml"
    folder.write_text(folder.read_text(encoding="utf-8").replace("from: 2026-03-01", "from: March"), encoding="utf-8")
    assert run(["rules", "check"]) == 1
