"""`hubsync db purge`, `hubsync db export` and `hubsync db upgrade` at a desk with a past."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.store.schema import REVISIONS
from hubsync.sync.undo import write_undo
from tests.sync.desk import GENEROUS, MQL, NOW, STATUS, Desk

Json = Callable[..., tuple[int, Any]]
SECRET = "Ada Lovelace"


@pytest.fixture
def past(cli_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Run 1 made an MQL New with a task, run 2 took it back; the machine's clock is three years on."""
    contact = cli_desk.lead("", MQL, firstname="Ada", lastname="Lovelace")
    cli_desk.sync()
    write_undo(cli_desk.session(), cli_desk.store, 1, GENEROUS)
    empty = cli_desk.store.start_run(cli_desk.portal.portal_id, "sync", {"full": True}, "r", NOW)
    cli_desk.store.finish_run(cli_desk.portal.portal_id, empty, "done", {}, NOW)
    cli_desk.store.annotate(cli_desk.portal.portal_id, {row.id: SECRET for row in cli_desk.ledger(contact)})
    monkeypatch.setattr("hubsync.cli.purge.local_now", lambda: NOW + timedelta(days=3 * 365))
    return cli_desk


def test_a_purge_is_a_preview_that_deletes_nothing(past: Desk, hubsync_json: Json) -> None:
    before = past.store.runs(past.portal.portal_id)
    code, told = hubsync_json("db", "purge")
    assert (code, told["mode"], told["before"]) == (0, "plan", "2027-03-02T15:00:00.000Z")
    assert told["rows"] == {"write": 1, "run": 1}
    assert past.store.runs(past.portal.portal_id) == before


def test_with_write_it_deletes_what_the_preview_said(past: Desk, hubsync_json: Json) -> None:
    _, planned = hubsync_json("db", "purge")
    code, done = hubsync_json("db", "purge", "--write")
    assert (code, done["mode"], done["rows"]) == (0, "write", planned["rows"])
    assert hubsync_json("db", "purge", "--write")[1]["rows"] == {}


def test_nothing_younger_than_the_retention_goes(
    past: Desk, hubsync_json: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSYNC_RETENTION_DAYS", "1200")
    assert hubsync_json("db", "purge", "--write")[1]["rows"] == {}
    assert hubsync_json("db", "purge", "--older-than", "60")[1]["rows"] != {}


def test_undo_and_runs_say_of_a_purged_run_that_it_was_purged(past: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "purge", "--write"]) == 0
    capsys.readouterr()
    for command in (["undo", "3"], ["runs", "--show", "3"]):
        assert run(command) == 2
        assert "Run 3 is no run of portal 62515 any more" in capsys.readouterr().err
    assert run(["runs", "--show", "4"]) == 2
    assert "There is no run 4" in capsys.readouterr().err


def test_undo_says_how_much_of_a_run_was_purged(past: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    run(["db", "purge", "--write"])
    capsys.readouterr()
    run(["undo", "1"])
    assert "Purged, so left as they are: 1" in capsys.readouterr().out


def test_a_contact_is_erased_with_all_that_is_stored_of_it(past: Desk, hubsync_json: Json) -> None:
    [contact] = past.portal.tables["contacts"].records
    code, told = hubsync_json("db", "purge", "--contact", contact)
    assert (code, told["mode"], told["contact"]) == (0, "plan", contact)
    assert told["rows"]["write"] == len(past.ledger(contact)) > 0
    assert hubsync_json("db", "purge", "--contact", contact, "--write")[1]["rows"] == told["rows"]
    assert past.ledger(contact) == []
    assert hubsync_json("db", "purge", "--contact", contact)[1]["rows"] == {}
    later = NOW + timedelta(days=3 * 365 + 29)
    assert past.store.buried(past.portal.portal_id, [contact], later) == {contact}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--contact", "12", "--older-than", "90"], "exclude one another"),
        (["--contact", "ada@example.com"], "a number"),
        (["--older-than", "30"], "60"),
    ],
)
def test_what_makes_no_sense_is_refused(
    past: Desk, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "purge", *arguments, "--write"]) == 2
    assert said in capsys.readouterr().err


def test_an_export_holds_runs_ledger_and_overrides_and_nothing_anyone_typed(
    past: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "export"]) == 0
    text = capsys.readouterr().out
    records = [json.loads(line) for line in text.splitlines()]
    assert [r["run"] for r in records if r["record"] == "run"] == [1, 2, 3]
    [first] = [r for r in records if r["record"] == "write" and r["run"] == 1 and r["target"] == STATUS]
    assert (first["from"], first["to"], first["state"], first["kind"]) == (None, "NEW", "undone", "set")
    assert all(word not in text for word in (*SECRET.split(), "Call", "contact the"))


def test_an_export_to_a_csv_file_is_one_table(past: Desk, tmp_path: Path) -> None:
    out = tmp_path / "past.csv"
    assert run(["db", "export", "--out", str(out)]) == 0
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows if row["record"] == "run"] == ["1", "2", "3"]
    assert {row["record"] for row in rows} == {"run", "write"}


def test_an_export_since_a_moment_leaves_out_what_was_before(past: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    late = past.store.start_run(past.portal.portal_id, "sync", {}, "r", datetime(2026, 5, 1, tzinfo=UTC))
    assert run(["db", "export", "--since", "2026-04-01"]) == 0
    assert [json.loads(line)["run"] for line in capsys.readouterr().out.splitlines()] == [late]
    assert run(["db", "export", "--since", "lately"]) == 2


def test_an_export_goes_beside_a_writer_and_writes_nothing(past: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    with past.store.begin():
        past.store.set_cursor(past.portal.portal_id, "busy", "yes")
        assert run(["db", "export"]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 3


def test_the_upgrade_names_the_schemas_it_went_from_and_to(
    isolated: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{isolated / 'hubsync.db'}"
    monkeypatch.setenv("HUBSYNC_DATABASE_URL", url)
    assert run(["db", "upgrade"]) == 0
    assert capsys.readouterr().out == f"Made a database at schema {REVISIONS[-1]}.\n"
    assert run(["db", "upgrade"]) == 0
    assert capsys.readouterr().out == f"The database is at schema {REVISIONS[-1]} already; nothing was done.\n"
