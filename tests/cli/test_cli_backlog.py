"""`hubsync backlog`: what lies before the moment rules count from, by category."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hubsync.cli.main import run
from tests.sync.desk import MQL, Desk, ago

Json = Callable[..., tuple[int, Any]]


@pytest.fixture(autouse=True)
def before_the_first_write(monkeypatch: pytest.MonkeyPatch, cli_desk: Desk) -> None:
    """Without EFFECTIVE_SINCE nothing counts before the first write."""
    monkeypatch.delenv("HUBSYNC_EFFECTIVE_SINCE")


def test_contacts_are_sorted_into_categories_by_age(cli_desk: Desk, hubsync_json: Json) -> None:
    fresh = [cli_desk.lead("", MQL, at=ago(days=5)), cli_desk.lead("", MQL, at=ago(days=3), hubspot_owner_id="")]
    older = cli_desk.lead("", MQL, at=ago(days=100))
    cli_desk.lead("CONNECTED")
    code, told = hubsync_json("backlog")
    assert (code, told["portal"], told["since"], told["contacts"]) == (0, 62515, None, 4)
    piles = {p["category"]: p for p in told["backlog"]}
    recent = piles["mql_without_status_recent"]
    assert (recent["proposed"], recent["contacts"], sorted(recent["samples"])) == ("new", 1, [fresh[0]])
    assert recent["owners"] == [{"owner": cli_desk.rep, "contacts": 1}]
    assert recent["oldest"] == "2026-02-25T15:00:00.000Z"
    assert (piles["mql_without_status"]["proposed"], piles["mql_without_status"]["samples"]) == ("nurture", [older])


def test_the_counts_are_those_of_the_audit(cli_desk: Desk, hubsync_json: Json) -> None:
    for days in (5, 30, 500):
        cli_desk.lead("", MQL, at=ago(days=days))
    _, told = hubsync_json("backlog")
    _, audited = hubsync_json("audit")
    assert {p["category"]: (p["count"], p["oldest"]) for p in told["backlog"]} == {
        name: (entry["count"], entry["oldest"]) for name, entry in audited["backlog"].items()
    }


def test_no_more_than_twenty_samples_are_named(cli_desk: Desk, hubsync_json: Json) -> None:
    for _ in range(23):
        cli_desk.lead("", MQL, at=ago(days=5))
    _, told = hubsync_json("backlog")
    [pile] = told["backlog"]
    assert (pile["contacts"], len(pile["samples"])) == (23, 20)


def test_the_table_names_owners_and_what_is_proposed(cli_desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    contact = cli_desk.lead("", MQL, at=ago(days=5))
    assert run(["backlog"]) == 0
    printed = capsys.readouterr().out
    assert "Causes count from: the first hubsync sync --write, still to come\n" in printed
    assert f"mql_without_status_recent\t1\t2026-02-25\tNew\tRita Rep 1\t{contact}\t" in printed


def test_what_counts_already_is_no_backlog(cli_desk: Desk, monkeypatch: pytest.MonkeyPatch, hubsync_json: Json) -> None:
    cli_desk.lead("", MQL, at=ago(days=5))
    monkeypatch.setenv("HUBSYNC_EFFECTIVE_SINCE", "2020-01-01")
    code, told = hubsync_json("backlog")
    assert (code, told["backlog"], told["since"]) == (0, [], "2020-01-01T00:00:00.000Z")


def test_nothing_is_written(cli_desk: Desk) -> None:
    cli_desk.lead("", MQL, at=ago(days=5))
    before = len(cli_desk.portal.journal.writes)
    assert run(["backlog"]) == 0
    assert len(cli_desk.portal.journal.writes) == before
