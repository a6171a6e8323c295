"""`hubsync runs`: what was done, from the database alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.policy.vocabulary import PROPOSAL
from hubsync.store.values import NewWrite, Settlement
from hubsync.sync.undo import write_undo
from tests.sync.desk import GENEROUS, MQL, STATUS, Desk

Json = Callable[..., tuple[int, Any]]


@pytest.fixture
def history(cli_desk: Desk) -> str:
    """An MQL made New by run 1, looked at by run 2, taken back by run 3."""
    contact = cli_desk.lead("", MQL)
    cli_desk.sync()
    cli_desk.sync(contact)
    write_undo(cli_desk.session(), cli_desk.store, 1, GENEROUS)
    return contact


def test_runs_are_listed_newest_first(cli_desk: Desk, history: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-4:] == [
        "Run\tKind\tStarted\tState\tContacts\tChanges\tTasks\tAsked for",
        "3\tundo\t2026-03-02 15:00 UTC\tdone\t1\t1 applied\t1\trun 1",
        f"2\tsync\t2026-03-02 15:00 UTC\tdone\t1\t\t0\tcontacts {history}",
        "1\tsync\t2026-03-02 15:00 UTC\tdone\t1\t1 applied\t1\tfull",
    ]


def test_the_json_holds_counts_and_arguments(cli_desk: Desk, history: str, hubsync_json: Json) -> None:
    code, told = hubsync_json("runs", "--limit", "1")
    assert (code, told["portal"]) == (0, 62515)
    [newest] = told["runs"]
    assert (newest["run"], newest["kind"], newest["args"]) == (3, "undo", {"undoes": 1})
    assert (newest["state"], newest["changes"], newest["tasks"]) == ("done", {"applied": 1}, 1)


def test_show_lists_what_a_run_wrote(cli_desk: Desk, history: str, hubsync_json: Json) -> None:
    code, told = hubsync_json("runs", "--show", "1")
    assert code == 0
    written = {(w["contact"], w["kind"], w["target"], w["from"], w["to"], w["state"]) for w in told["writes"]}
    assert (history, "set", STATUS, None, "NEW", "undone") in written
    assert {w["kind"] for w in told["writes"]} == {"set", "task"}


def test_a_run_that_was_killed_is_listed_with_what_its_ledger_holds(cli_desk: Desk, hubsync_json: Json) -> None:
    store, portal, now = cli_desk.store, cli_desk.portal.portal_id, cli_desk.clock.now()
    store.remember_portal(portal, at=now)
    epoch = store.acquire_lease(portal, "a process that dies", 60)
    assert epoch is not None
    number = store.start_run(portal, "sync", {}, "digest", now, epoch=epoch)
    row = NewWrite(
        contact="7", kind="set", rule="r", cause_key="c", cause_kind="k", cause_at=now, target=STATUS, after="NEW"
    )
    rows = [row, replace(row, target=PROPOSAL), replace(row, kind="task", target="first_contact")]
    planned = store.plan_writes(portal, number, rows)
    store.settle(portal, [Settlement(entry.id, "applied", now) for entry in planned])
    store.release_lease(portal, epoch)
    assert store.close_dead_runs(portal, now) == 1
    _, told = hubsync_json("runs")
    [listed] = told["runs"]
    assert (listed["state"], listed["contacts"], listed["changes"], listed["tasks"]) == (
        "interrupted",
        1,
        {"applied": 1},
        1,
    )
    _, shown = hubsync_json("runs", "--show", "1")
    assert (shown["changes"], len(shown["writes"])) == ({"applied": 1}, 3)


def test_show_of_an_unknown_run_ends_with_2(cli_desk: Desk, history: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "--show", "9"]) == 2
    assert capsys.readouterr().err == "There is no run 9 on portal 62515; hubsync runs lists them.\n"


def test_hubspot_is_not_asked(cli_desk: Desk, history: str) -> None:
    before = len(cli_desk.portal.journal.requests)
    assert run(["runs"]) == 0
    assert len(cli_desk.portal.journal.requests) == before


def test_a_database_without_a_portal_says_what_to_do(cli_desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs"]) == 2
    assert "the first `hubsync sync --write` makes it known" in capsys.readouterr().err


def test_another_portal_than_the_databases_is_refused(
    cli_desk: Desk, history: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--portal", "5", "runs"]) == 2
    assert "the database knows nothing of that portal" in capsys.readouterr().err
