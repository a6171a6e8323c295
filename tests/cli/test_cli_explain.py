"""`hubsync explain` as people and scripts see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.sandbox import acts
from tests.sync.desk import STATUS, Desk, ago

Json = Callable[..., tuple[int, Any]]


@pytest.fixture
def mailed(cli_desk: Desk) -> str:
    """A New lead whom a rep mailed yesterday."""
    contact = cli_desk.lead("NEW", firstname="Ada", lastname="Lovelace")
    acts.rep_sends_email(cli_desk.portal, contact, cli_desk.rep, at=ago(days=1))
    return contact


def test_the_table_tells_state_rules_and_what_would_be_done(
    cli_desk: Desk, mailed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", mailed]) == 0
    printed = capsys.readouterr().out
    for line in (
        f"Contact: {mailed} (Ada Lovelace)",
        "Lead status: New (new) since 20 February 2026 10:00, set by Rita Rep",
        "Lifecycle stage: Lead (lead) since 20 February 2026 10:00, set by Rita Rep",
        "Owner: Rita Rep",
        "Managed: yes",
        "Attempts: 1",
        "Would change: Lead Status New → Attempted to Contact (A3)",
    ):
        assert f"{line}\n" in printed
    held = printed.partition("Rules that hold\n")[2].partition("\n\n")[0]
    assert "attempting_on_first_rep_outreach\t✓ lead_status is any of none, new, recycled (new); ✓" in held
    assert "A9\tqualified_moves_the_stage\t✗ lead_status is qualified (new)\n" in printed
    assert "cell_sql_new" not in printed


def test_all_shows_every_condition_and_the_whole_matrix(
    cli_desk: Desk, mailed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", mailed, "--all"]) == 0
    printed = capsys.readouterr().out
    assert "cell_sql_new" in printed
    row = next(line for line in printed.splitlines() if "qualified_moves_the_stage" in line)
    assert row.count("✗") + row.count("✓") > 1


def test_the_json_names_rules_by_what_became_of_them(cli_desk: Desk, mailed: str, hubsync_json: Json) -> None:
    code, told = hubsync_json("explain", mailed)
    assert code == 0
    assert (told["contact"], told["status"]["key"], told["stage"]["key"]) == (mailed, "new", "lead")
    states = {r["rule"]: r["state"] for r in told["rules"]}
    assert states["attempting_on_first_rep_outreach"] == "held"
    assert states["qualified_moves_the_stage"] == "not_held"
    assert [(c["rule"], c["property"], c["to"]) for c in told["now"]["changes"]] == [
        ("attempting_on_first_rep_outreach", STATUS, "ATTEMPTED_TO_CONTACT")
    ]
    assert "Lovelace" not in str(told)


def test_what_was_done_is_listed_with_hubspots_answer(cli_desk: Desk, mailed: str, hubsync_json: Json) -> None:
    cli_desk.sync()
    _, told = hubsync_json("explain", mailed)
    [row] = [w for w in told["done"] if w["target"] == STATUS and w["state"] == "applied"]
    assert (row["run"], row["rule"], row["from"], row["to"]) == (
        1,
        "attempting_on_first_rep_outreach",
        "NEW",
        "ATTEMPTED_TO_CONTACT",
    )
    assert told["now"]["changes"] == []
    assert told["status"]["by"] == "hubsync"


def test_a_contact_that_is_not_there_ends_with_3(cli_desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "99"]) == 3
    assert capsys.readouterr().err.startswith("Portal 62515 has no contact 99: it was deleted, or the id is another")


def test_what_is_no_id_ends_with_2(cli_desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "ada@example.com"]) == 2
    assert "is no contact id" in capsys.readouterr().err


def test_a_merged_id_shows_the_survivor_and_says_so(
    cli_desk: Desk, mailed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    survivor = cli_desk.lead("CONNECTED")
    acts.merge_contacts(cli_desk.portal, survivor, mailed)
    assert run(["explain", mailed]) == 0
    printed = capsys.readouterr().out
    assert f"Asked for: {mailed}, which was merged into {survivor}\n" in printed
    assert printed.startswith(f"Contact: {survivor}")


def test_it_works_without_a_database_and_makes_none(
    cli_desk: Desk, mailed: str, monkeypatch: pytest.MonkeyPatch, hubsync_json: Json
) -> None:
    monkeypatch.setenv("HUBSYNC_DATABASE_URL", f"sqlite:///{cli_desk.folder / 'none.db'}")
    code, told = hubsync_json("explain", mailed)
    assert (code, told["done"]) == (0, [])
    assert not (cli_desk.folder / "none.db").exists()


def test_it_writes_nothing_anywhere(cli_desk: Desk, mailed: str, hubsync_json: Json) -> None:
    before = len(cli_desk.portal.journal.writes)
    hubsync_json("explain", mailed)
    assert len(cli_desk.portal.journal.writes) == before
    assert cli_desk.store.runs(cli_desk.portal.portal_id) == ()
    assert cli_desk.ledger(mailed) == []


def test_set_status_is_named_with_its_run_and_reason_in_place_of_a_rule(
    cli_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    contact = cli_desk.lead("NEW")
    asked = ("set-status", "nurture", "--where", "lead_status is new", "--reason", "quarter end", "--write")
    assert run(list(asked)) == 0
    capsys.readouterr()
    assert run(["explain", contact]) == 0
    printed = capsys.readouterr().out
    assert "Lead status: Nurture (nurture) since 2 March 2026 10:00, set by set-status, run 1: quarter end\n" in printed
    assert "\tset-status, run 1: quarter end\ths_lead_status\tNew\tNurture\tapplied\tquarter end" in printed
    assert "another app" not in printed
