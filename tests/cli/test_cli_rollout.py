"""`hubsync rollout`: where every rule stands, and moving it; init writes it at report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.rulefiles.load import load_rules
from hubsync.sandbox import acts
from tests.sync.desk import STATUS, Desk, ago

Json = Callable[..., tuple[int, Any]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of rules as `hubsync init` writes it."""
    monkeypatch.setenv("HUBSYNC_ACCESS_TOKEN", "pat-na1-x")
    assert run(["init", str(tmp_path / "mine"), "--open-means", "unused"]) == 0
    rules = tmp_path / "mine" / "rules"
    monkeypatch.setenv("HUBSYNC_RULES", str(rules))
    return rules


def test_init_holds_every_rule_at_report(folder: Path, hubsync_json: Json) -> None:
    code, told = hubsync_json("rollout")
    assert (code, told["default"], told["next"]) == (0, "report", ["hubsync rollout --all propose"])
    assert {r["mode"] for r in told["rules"]} == {"report"}
    assert {r.mode for r in load_rules(folder).compile().rules} == {"report"}


def test_the_suggested_path_can_be_typed_to_its_end(folder: Path, hubsync_json: Json) -> None:
    _, told = hubsync_json("rollout")
    typed = []
    while told["next"]:
        typed += told["next"]
        for line in told["next"]:
            _, told = hubsync_json(*line.split()[1:])
    assert typed[0] == "hubsync rollout --all propose"
    assert typed[1:-1] == [f"hubsync rollout {p} auto" for p in ("A2", "A3", "A4", "A7", "A9")]
    own = {r.id: r.mode for r in load_rules(folder).compile(rolled_out=True).rules}
    assert {r["rule"]: r["mode"] for r in told["rules"]} == own


def test_a_playbook_id_moves_the_rules_of_it_that_were_named_before(folder: Path, hubsync_json: Json) -> None:
    hubsync_json("rollout", "new_on_becoming_mql", "propose")
    _, told = hubsync_json("rollout", "A2", "auto")
    assert [r["mode"] for r in told["rules"] if r["playbook"] == "A2"] == ["auto"]


def test_a_team_goes_its_own_way(folder: Path, hubsync_json: Json) -> None:
    _, told = hubsync_json("rollout", "--all", "auto", "--team", "Paris")
    assert (told["team"], told["default"], told["next"]) == ("Paris", "auto", [])
    _, told = hubsync_json("rollout")
    assert (told["team"], told["default"]) == (None, "report")


def test_a_move_to_auto_says_what_the_rule_acts_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["rollout", "A2", "auto", "--format", "json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["default"] == "report"
    assert said.err == (
        "A2 (new_on_becoming_mql) now writes with --write: also for what happened while held, back to the first "
        "`hubsync sync --write` (or HUBSYNC_EFFECTIVE_SINCE), within the guard's limit. To see it first: "
        "hubsync sync --full\n"
    )
    assert run(["rollout", "--all", "propose"]) == run(["rollout", "A2", "propose"]) == 0
    assert capsys.readouterr().err == ""
    own = [r.mode for r in load_rules(folder).compile(rolled_out=True).rules]
    assert run(["rollout", "--all", "auto", "--team", "Paris"]) == 0
    assert capsys.readouterr().err.startswith(f"{own.count('auto')} rules now write with --write: ")
    assert run(["rollout", "--all", "auto", "--team", "paris"]) == 0
    assert capsys.readouterr().err == ""


def test_without_the_file_each_rule_does_what_it_says_and_a_move_lowers_only_that_rule(
    folder: Path, hubsync_json: Json
) -> None:
    (folder / "rollout.yaml").unlink()
    _, told = hubsync_json("rollout")
    assert (told["file"], told["next"]) == (None, [])
    _, told = hubsync_json("rollout", "A3", "report")
    assert {r["rule"] for r in told["rules"] if r["mode"] != r["own"]} == {"attempting_on_first_rep_outreach"}


def test_the_cases_of_the_rules_are_about_the_rules_and_not_about_the_roll_out(folder: Path) -> None:
    assert run(["rules", "test", str(folder)]) == 0
    assert run(["rules", "check", str(folder), "--no-proof"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("A2",), "Write `hubsync rollout RULE MODE`"),
        (("--all",), "Write `hubsync rollout RULE MODE`"),
        (("A2", "atuo"), '"atuo" is no mode; did you mean "auto"'),
        (("new_on_becoming_mqll", "auto"), 'did you mean "new_on_becoming_mql"'),
    ],
)
def test_what_can_not_be_moved_is_said_and_nothing_is_edited(
    folder: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "rollout.yaml").read_text(encoding="utf-8")
    assert run(["rollout", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert (folder / "rollout.yaml").read_text(encoding="utf-8") == before


def test_a_rule_moved_to_auto_acts_on_what_happened_since_the_first_write(
    cli_desk: Desk, folder: Path, hubsync_json: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSYNC_ACCESS_TOKEN", cli_desk.box.token)
    monkeypatch.delenv("HUBSYNC_EFFECTIVE_SINCE")
    early = cli_desk.lead("CONNECTED", "lead")
    acts.person_sets(cli_desk.portal, early, STATUS, "QUALIFIED", cli_desk.rep, at=ago(hours=1))
    assert run(["sync", "--write"]) == 0  # the first write, with every rule at report
    cli_desk.later(minutes=5)
    held = cli_desk.lead("CONNECTED", "lead")
    cli_desk.sets(held, STATUS, "QUALIFIED", at=cli_desk.clock.now())
    cli_desk.later(minutes=30)
    assert hubsync_json("sync", "--write")[1]["changes"] == []
    assert run(["rollout", "A9", "auto"]) == 0
    _, told = hubsync_json("sync", "--full")
    assert [(c["contact"], c["playbook"], c["state"]) for c in told["changes"]] == [(held, "A9", "planned")]
