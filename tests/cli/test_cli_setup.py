"""`hubsync setup` and its undo on the command line: what comes out, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.sandbox import Portal, Sandbox, acts
from hubsync.sandbox.http.limits import ALL_SCOPES
from tests.sync.setups import ADDED, OURS

Printed = pytest.CaptureFixture[str]


def point_at(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSYNC_API_URL", box.url)
    monkeypatch.setenv("HUBSYNC_ACCESS_TOKEN", box.token)


@pytest.fixture
def portal() -> Portal:
    """A portal as HubSpot ships it."""
    return Portal(seed=5)


@pytest.fixture
def box(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(portal, searches=1000) as running:
        point_at(running, monkeypatch)
        yield running


def document(capsys: Printed) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def statuses(portal: Portal) -> list[str]:
    return [option.value for option in portal.schemas.properties["contacts"]["hs_lead_status"].options]


def test_setup_previews_writes_and_then_has_nothing_to_do(box: Sandbox, portal: Portal, capsys: Printed) -> None:
    before = statuses(portal)
    assert run(["setup", "--format", "json"]) == 0
    previewed = document(capsys)
    assert (previewed["run"], previewed["mode"], previewed["missing_scopes"]) == (None, "plan", [])
    assert {a["state"] for a in previewed["additions"]} == {"planned"}
    assert statuses(portal) == before

    assert run(["setup", "--write", "--format", "json"]) == 0
    written = document(capsys)
    assert (written["run"], written["mode"]) == (1, "write")
    assert written["additions"][1] == {
        "what": "option",
        "property": "hs_lead_status",
        "value": "QUALIFIED",
        "label": "Qualified",
        "state": "added",
        "why": "",
    }
    assert statuses(portal)[: len(before)] == before

    assert run(["setup", "--write"]) == 0
    assert "the portal has all that the rules need" in capsys.readouterr().out


def test_check_lacks_no_option_or_property_after_a_setup(box: Sandbox, capsys: Printed) -> None:
    run(["setup", "--write"])
    capsys.readouterr()
    run(["check", "--format", "json"])
    left_to_choose = ("churn", "enabled", "approvers")
    assert [gap["needs"] for gap in document(capsys)["lacks"] if not gap["needs"].startswith(left_to_choose)] == []


def test_undo_takes_a_setup_back_and_runs_lists_both(box: Sandbox, portal: Portal, capsys: Printed) -> None:
    before = statuses(portal)
    run(["setup", "--write"])
    capsys.readouterr()
    assert run(["undo", "1", "--format", "json"]) == 0
    previewed = document(capsys)
    assert (previewed["undoes"], previewed["mode"], previewed["changes"], previewed["tasks"]) == (1, "plan", [], [])
    assert {d["state"] for d in previewed["definitions"]} == {"planned", "left"}
    assert statuses(portal) != before

    assert run(["undo", "1", "--write"]) == 0
    assert statuses(portal) == before
    capsys.readouterr()
    assert run(["runs", "--format", "json"]) == 0
    assert [(r["kind"], r["changes"]) for r in document(capsys)["runs"]] == [
        ("undo", {"left": 1, "taken_back": len(ADDED) + len(OURS)}),
        ("setup", {"added": 1 + len(ADDED) + len(OURS)}),
    ]


def test_undo_of_a_setup_in_use_ends_with_1_and_says_what_is(box: Sandbox, portal: Portal, capsys: Printed) -> None:
    run(["setup", "--write"])
    portal.switches.search_lag = 0.0
    acts.create_contact(portal, {"lifecyclestage": "lead", "hs_lead_status": "NURTURE"})
    capsys.readouterr()
    assert run(["undo", "1", "--write"]) == 1
    assert "in use: 1 contact has it" in capsys.readouterr().out
    assert statuses(portal)[8:] == ["NURTURE"]


def test_a_refusal_ends_with_1(box: Sandbox, portal: Portal, capsys: Printed) -> None:
    portal.schemas.add_option("contacts", "hs_lead_status", "nurture", "Later")
    assert run(["setup"]) == 1
    assert "differs in upper and lower case alone" in capsys.readouterr().out


def test_a_missing_scope_is_a_finding_of_the_preview_and_stops_the_writing(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    with Sandbox(portal, scopes=set(ALL_SCOPES) - {"crm.schemas.contacts.write"}) as box:
        point_at(box, monkeypatch)
        assert run(["setup"]) == 1
        assert "Missing scope: crm.schemas.contacts.write" in capsys.readouterr().out
        assert run(["setup", "--write"]) == 3
        assert "lacks crm.schemas.contacts.write. Nothing was written" in capsys.readouterr().err


def test_a_preview_makes_no_database(box: Sandbox, isolated: Any) -> None:
    run(["setup"])
    assert not (isolated / "hubsync.db").exists()


def test_the_setting_write_writes_too(box: Sandbox, portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSYNC_WRITE", "true")
    assert run(["setup"]) == 0
    assert "QUALIFIED" in statuses(portal)


def test_runs_show_lists_what_a_setup_added(box: Sandbox, capsys: Printed) -> None:
    assert run(["setup", "--write", "--format", "json"]) == 0
    added = [(a["what"], a["property"], a["value"], a["state"]) for a in document(capsys)["additions"]]
    assert run(["runs", "--show", "1", "--format", "json"]) == 0
    shown = document(capsys)
    assert (shown["kind"], shown["writes"]) == ("setup", [])
    assert sorted((a["what"], a["property"] or "", a["value"] or "", a["state"]) for a in shown["additions"]) == sorted(
        (what, name or "", value or "", state) for what, name, value, state in added
    )
    assert run(["runs", "--show", "1"]) == 0
    printed = capsys.readouterr().out
    assert "option\ths_lead_status\tNURTURE\tNurture\tadded\t\n" in printed
    assert "property\thubsync_last_action\t\t" in printed
