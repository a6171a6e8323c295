"""`hubsync check` and `hubsync db upgrade`, against a sandbox portal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.sandbox import Portal, Sandbox, acts
from hubsync.sandbox.http.limits import ALL_SCOPES
from hubsync.sandbox.population import populate
from hubsync.sandbox.population.furniture import define_own_properties, define_statuses
from tests.sync.desk import STATUS, Desk, ago


def _checked(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def _point_at(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSYNC_API_URL", box.url)
    monkeypatch.setenv("HUBSYNC_ACCESS_TOKEN", box.token)


@pytest.fixture(scope="module")
def default_portal() -> Portal:
    """A portal as HubSpot ships it: eight statuses, no property of ours, 120 leads."""
    portal = Portal(seed=5)
    populate(portal, contacts=120, days=90, default_statuses_only=True, hubsync_properties=False)
    return portal


def test_a_portal_with_the_eight_default_statuses_works_and_what_it_lacks_is_named(
    default_portal: Portal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(default_portal) as box:
        _point_at(box, monkeypatch)
        assert run(["check", "--format", "json"]) == 1
        found = _checked(capsys)
    assert all(scope["present"] for scope in found["scopes"])
    off = {gap["rule"] for gap in found["lacks"] if gap["off"]}
    assert {"qualified_moves_the_stage", "nurture_on_moving_back_to_mql"} <= off
    assert "attempting_on_first_rep_outreach" not in off
    assert {
        "needs": "property hubsync_review_date",
        "rule": "all_deals_lost",
        "playbook": "A12",
        "off": False,
    } in found["lacks"]


def test_who_else_writes_the_two_fields_is_counted_by_source(
    default_portal: Portal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(default_portal) as box:
        _point_at(box, monkeypatch)
        run(["check", "--format", "json"])
        writers = _checked(capsys)["writers"]
    people = [w for w in writers if w["source"] == "CRM_UI" and w["property"] == "hs_lead_status"]
    assert people
    assert people[0]["kind"] == "person"
    assert any(w["kind"] == "automation" for w in writers)


def test_workflows_are_one_writer_each_however_many_contacts_they_enrolled(
    cli_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        for name in ("Welcome", "Recycle"):
            contact = cli_desk.lead()
            acts.workflow_sets(cli_desk.portal, contact, STATUS, "NEW", workflow_id=f"{number}{contact}", name=name)
    assert run(["check", "--format", "json"]) == 0
    automations = [w for w in _checked(capsys)["writers"] if w["kind"] == "automation"]
    assert sorted((w["source"], w["label"], w["entries"]) for w in automations) == [
        ("AUTOMATION_PLATFORM", "Recycle", 3),
        ("AUTOMATION_PLATFORM", "Welcome", 3),
    ]


@pytest.mark.parametrize("learned", [True, False], ids=["app known", "rows match"])
def test_what_hubsync_wrote_is_not_listed_as_an_integration(
    cli_desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, learned: bool
) -> None:
    contact = cli_desk.lead("NEW")
    acts.rep_sends_email(cli_desk.portal, contact, cli_desk.rep, at=ago(hours=1))
    if not learned:
        monkeypatch.setattr("hubsync.sync.aftermath.Aftermath._learn_app", lambda *_given: None)
    cli_desk.sync()
    [known] = cli_desk.store.portals()
    assert (known.app_id is not None) is learned
    assert run(["check", "--format", "json"]) == 0
    ours = [w for w in _checked(capsys)["writers"] if w["source"].startswith("INTEGRATION")]
    assert [(w["property"], w["kind"], w["entries"]) for w in ours] == [(STATUS, "hubsync", 1)]


def test_what_is_missing_and_setup_can_add_leads_to_setup(
    default_portal: Portal, cli_desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = "Options and properties: some are missing: hubsync setup shows what it would add, and adds it with --write"
    assert run(["check"]) == 0
    assert told not in capsys.readouterr().out
    monkeypatch.setenv("HUBSYNC_DATABASE_URL", "sqlite:///none.db")
    with Sandbox(default_portal) as box:
        _point_at(box, monkeypatch)
        assert run(["check"]) == 1
    assert told in capsys.readouterr().out


def test_unmapped_options_in_use_are_counted(
    default_portal: Portal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = default_portal.tables["contacts"].records.values()
    in_use = sum(r.values.get("hs_lead_status") == "OPEN" for r in records)
    assert in_use > 0
    with Sandbox(default_portal) as box:
        _point_at(box, monkeypatch)
        run(["check", "--format", "json"])
        unmapped = _checked(capsys)["unmapped"]
    assert unmapped == [{"property": "hs_lead_status", "value": "OPEN", "label": "Open", "contacts": in_use}]


def test_a_missing_scope_is_told_by_name(
    default_portal: Portal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(default_portal, scopes=set(ALL_SCOPES) - {"crm.objects.contacts.write"}) as box:
        _point_at(box, monkeypatch)
        assert run(["check"]) == 1
        out = capsys.readouterr().out
    assert "Scopes: 1 missing" in out
    assert "crm.objects.contacts.write\twriting statuses and stages, creating tasks\tMISSING" in out


def test_every_missing_scope_is_told_even_where_nothing_else_can_be_asked(
    default_portal: Portal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = {"crm.objects.deals.read", "sales-email-read"}
    with Sandbox(default_portal, scopes=set(ALL_SCOPES) - missing) as box:
        _point_at(box, monkeypatch)
        assert run(["check", "--format", "json"]) == 1
        found = _checked(capsys)
    assert {s["scope"] for s in found["scopes"] if not s["present"]} == missing


def test_a_portal_with_everything_is_fine_though_churn_was_not_chosen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    portal = Portal(seed=6)
    define_statuses(portal)
    define_own_properties(portal)
    with Sandbox(portal) as box:
        _point_at(box, monkeypatch)
        assert run(["check"]) == 0
        assert "yours to choose" in capsys.readouterr().out
        assert run(["audit"]) == 0
        assert "Not applied" not in capsys.readouterr().out


def test_a_contact_asked_for_by_id_that_is_not_there_is_named(
    default_portal: Portal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(default_portal) as box:
        _point_at(box, monkeypatch)
        assert run(["sync", "--contact", "99999999"]) == 3
        assert "has no contact 99999999" in capsys.readouterr().err
        there = next(iter(default_portal.tables["contacts"].records))
        assert run(["sync", "--contact", "99999999", "--contact", there]) == 0
        assert "has no contact 99999999" in capsys.readouterr().err


def test_db_upgrade_makes_a_database_and_then_finds_it_up_to_date(
    isolated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "upgrade"]) == 0
    assert "Made a database" in capsys.readouterr().out
    assert (isolated / "hubsync.db").is_file()
    assert run(["db", "upgrade"]) == 0
    assert "already" in capsys.readouterr().out
