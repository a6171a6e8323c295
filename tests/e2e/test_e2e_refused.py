"""Broken on purpose, before anything is written: tokens, scopes, options, databases, plans too large."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from hubsync.sandbox.http import problems
from hubsync.sandbox.schema import Option
from hubsync.sync import reconcile
from hubsync.sync.lease import PortalLease
from tests.e2e.conftest import Hubsync
from tests.sync.desk import SQL, STAGE, STATUS, Desk, ago

COMMANDS = [("audit",), ("sync",), ("sync", "--write"), ("check",)]


def qualified(desk: Desk) -> str:
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED", at=ago(hours=1))
    return contact


# The portal ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_wrong_token_ends_with_3_says_so_and_is_never_shown(
    desk: Desk, hubsync: Hubsync, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    qualified(desk)
    monkeypatch.setenv("HUBSYNC_ACCESS_TOKEN", "pat-na1-wrong-wrong-wrong")
    ran = hubsync(*command)
    assert ran.code == 3
    assert "401" in ran.err
    assert "pat-na1" not in ran.err + ran.out
    assert desk.written() == []


def test_a_token_that_cannot_be_decoded_is_called_wrong_and_not_old(
    desk: Desk, hubsync: Hubsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HubSpot calls it expired twenty thousand days ago (hubspot-api 1)."""
    monkeypatch.setenv("HUBSYNC_ACCESS_TOKEN", "nonsense")
    message = hubsync("audit").err
    assert "it is not one that HubSpot knows" in message
    assert "expired" not in message


def test_the_other_401_of_hubspot_ends_with_3_as_well(
    desk: Desk, hubsync: Hubsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    def credentials_not_found(_header: str) -> None:
        raise problems.no_credentials()

    monkeypatch.setattr(desk.box.service, "_consumer", credentials_not_found)
    ran = hubsync("sync", "--write")
    assert ran.code == 3
    assert "HubSpot refused the token (401)" in ran.err


def test_no_token_at_all_ends_with_2(desk: Desk, hubsync: Hubsync, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUBSYNC_ACCESS_TOKEN")
    ran = hubsync("audit")
    assert ran.code == 2
    assert ran.err.startswith("HUBSYNC_ACCESS_TOKEN is missing.")


def test_a_missing_scope_is_named_by_what_needs_it_and_by_check(
    make_desk: Callable[..., Desk], point_at: Callable[[Desk], None], hubsync: Hubsync
) -> None:
    desk = make_desk(
        scopes=frozenset({"crm.objects.contacts.read", "crm.schemas.contacts.read", "crm.objects.deals.read"})
    )
    point_at(desk)
    contact = qualified(desk)
    ran = hubsync("sync", "--write")
    assert ran.code == 3
    assert "crm.objects.contacts.write" in ran.err
    assert desk.stage(contact) == "lead"
    check = hubsync("check", "--format", "json")
    assert check.code == 1
    assert {s["scope"] for s in check.json["scopes"] if not s["present"]} == {
        "crm.objects.contacts.write",
        "crm.objects.owners.read",
        "sales-email-read",
    }


def test_the_token_of_another_portal_than_the_databases_is_refused_and_both_are_named(
    desk: Desk, make_desk: Callable[..., Desk], point_at: Callable[[Desk], None], hubsync: Hubsync
) -> None:
    hubsync("sync", "--write")
    other = make_desk()
    other.portal.portal_id = 77777
    point_at(other)
    contact = qualified(other)
    for command in COMMANDS[:3]:
        ran = hubsync(*command)
        assert ran.code == 3
        assert "77777" in ran.err
        assert "62515" in ran.err
    assert other.stage(contact) == "lead"


def test_a_portal_out_of_reach_ends_with_3_and_names_the_setting(
    desk: Desk, hubsync: Hubsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers there
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HUBSYNC_API_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        ran = hubsync("audit")
    assert ran.code == 3
    assert "HUBSYNC_API_URL" in ran.err


def test_a_portal_that_only_answers_with_errors_ends_with_3(desk: Desk, hubsync: Hubsync) -> None:
    desk.box.fail("error_html")
    ran = hubsync("audit")
    assert ran.code == 3
    assert "503" in ran.err
    assert "<html" not in ran.err


# Options and properties ----------------------------------------------------------------------------------------------


def test_an_option_that_no_key_maps_is_reported_and_left_alone(desk: Desk, hubsync: Hubsync) -> None:
    desk.portal.schemas.add_option("contacts", STATUS, "OPEN_DEALS", "Demo scheduled")
    contact = desk.lead("OPEN_DEALS")
    assert hubsync("sync", "--write", "--format", "json").json["changes"] == []
    assert desk.status(contact) == "OPEN_DEALS"
    check = hubsync("check", "--format", "json")
    assert check.code == 1
    assert check.json["unmapped"] == [
        {"property": STATUS, "value": "OPEN_DEALS", "label": "Demo scheduled", "contacts": 1}
    ]


def renamed(desk: Desk, value: str, *, to_value: str, to_label: str) -> None:
    found = desk.portal.schemas.properties["contacts"][STATUS].options
    desk.portal.schemas.set_options(
        "contacts", STATUS, [Option(to_value, to_label, o.order) if o.value == value else o for o in found]
    )


def test_a_renamed_label_does_no_harm(desk: Desk, hubsync: Hubsync) -> None:
    before = hubsync("check", "--format", "json").json["lacks"]
    renamed(desk, "ATTEMPTED_TO_CONTACT", to_value="ATTEMPTED_TO_CONTACT", to_label="Chasing")
    contact = desk.lead(at=ago(hours=1))
    assert hubsync("check", "--format", "json").json["lacks"] == before
    assert all(gap["off"] for gap in before)
    hubsync("sync", "--write")
    assert desk.status(contact) == "NEW"


def test_an_option_with_another_value_is_found_by_its_label(desk: Desk, hubsync: Hubsync) -> None:
    renamed(desk, "NEW", to_value="our_new_1", to_label="Nouveau")
    contact = desk.lead(at=ago(hours=1))
    ran = hubsync("sync", "--write", "--format", "json")
    assert [(c["to"], c["state"]) for c in ran.json["changes"]] == [("our_new_1", "applied")]
    assert desk.status(contact) == "our_new_1"


def test_with_hubspots_eight_statuses_rules_that_lack_theirs_are_off_by_name_and_the_rest_run(
    make_desk: Callable[..., Desk], point_at: Callable[[Desk], None], hubsync: Hubsync
) -> None:
    desk = make_desk(added_statuses=False, own_properties=False)
    point_at(desk)
    new, moved_back = desk.lead(at=ago(hours=1)), desk.lead("CONNECTED", SQL)
    desk.sets(moved_back, STAGE, "marketingqualifiedlead", at=ago(hours=1))
    check = hubsync("check", "--format", "json")
    assert check.code == 1
    off = {gap["rule"] for gap in check.json["lacks"] if gap["off"]}
    assert {"qualified_moves_the_stage", "nurture_on_moving_back_to_mql", "all_deals_lost_for_good"} <= off
    assert {"new_on_entering_lead", "attempting_on_first_rep_outreach", "converted_on_open_deal"}.isdisjoint(off)
    assert any("QUALIFIED" in gap["needs"] or "qualified" in gap["needs"] for gap in check.json["lacks"])
    audit = hubsync("audit")
    assert audit.code == 1
    assert "Not applied: " in audit.out
    ran = hubsync("sync", "--write", "--format", "json")
    assert ran.code == 0
    assert (desk.status(new), desk.status(moved_back)) == ("NEW", "CONNECTED")


def test_a_portal_without_the_property_is_told_by_name(desk: Desk, hubsync: Hubsync) -> None:
    desk.portal.schemas.remove_property("contacts", "hubsync_review_date")
    lacks = hubsync("check", "--format", "json").json["lacks"]
    assert [(g["needs"], g["off"]) for g in lacks if "hubsync_review_date" in g["needs"]]
    assert not any(g["off"] for g in lacks if "hubsync_review_date" in g["needs"])


def test_a_portal_without_lead_status_cannot_be_worked_with(desk: Desk, hubsync: Hubsync) -> None:
    desk.portal.schemas.remove_property("contacts", STATUS)
    ran = hubsync("audit")
    assert ran.code == 3
    assert STATUS in ran.err


# The database --------------------------------------------------------------------------------------------------------


def test_a_database_opened_read_only_serves_an_audit_and_refuses_a_write(
    desk: Desk, hubsync: Hubsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    hubsync("sync", "--write")
    contact = qualified(desk)
    monkeypatch.setenv("HUBSYNC_DATABASE_URL", "sqlite:///hubsync.db?mode=ro")
    assert hubsync("audit", "--format", "json").json["contacts"] == 1
    assert hubsync("sync", "--full", "--format", "json").json["changes"][0]["state"] == "planned"
    ran = hubsync("sync", "--write", "--full")
    assert ran.code == 3
    assert "read-only" in ran.err
    assert desk.stage(contact) == "lead"


def test_a_full_disk_ends_with_3_before_the_portal_is_written_to_and_leaves_a_database_that_works(
    desk: Desk, hubsync: Hubsync, monkeypatch: pytest.MonkeyPatch, isolated: Path
) -> None:
    hubsync("sync", "--write")
    contacts = [qualified(desk) for _ in range(150)]
    with sqlite3.connect(isolated / "hubsync.db") as connection:
        [[pages]] = connection.execute("PRAGMA page_count").fetchall()
    connection.close()
    monkeypatch.setenv("HUBSYNC_DATABASE_URL", f"sqlite:///hubsync.db?max_page_count={pages + 2}")
    ran = hubsync("sync", "--write", "--full", "--allow-changes", "1000")
    assert ran.code == 3
    assert "disk is full" in ran.err
    assert desk.written() == []
    monkeypatch.setenv("HUBSYNC_DATABASE_URL", "sqlite:///hubsync.db")
    assert hubsync("sync", "--write", "--full", "--allow-changes", "1000").code == 0
    assert {desk.stage(c) for c in contacts} == {SQL}


def test_a_file_that_is_no_database_ends_with_3(desk: Desk, hubsync: Hubsync, isolated: Path) -> None:
    (isolated / "hubsync.db").write_text("no database " * 100)
    ran = hubsync("sync", "--write")
    assert ran.code == 3
    assert "is not a database" in ran.err


def test_the_second_of_two_writers_is_refused_and_told_who_the_first_is(
    desk: Desk, hubsync: Hubsync, monkeypatch: pytest.MonkeyPatch, database: Callable[..., object]
) -> None:
    contact = qualified(desk)
    hubsync("sync", "--write", "--contact", "1")

    def impatient(*given: object) -> PortalLease:
        return PortalLease(*given, patience=3.0, sleep=lambda _s: None)  # type: ignore[arg-type]

    monkeypatch.setattr(reconcile, "PortalLease", impatient)
    with PortalLease(database(), 62515, "hubsync sync --write"):  # type: ignore[arg-type]
        ran = hubsync("sync", "--write", "--full")
        assert ran.code == 3
        assert "hubsync sync --write (process " in ran.err
        assert "is writing to portal 62515" in ran.err
        assert desk.stage(contact) == "lead"
        assert hubsync("audit").code == 1
        assert hubsync("sync", "--full").code == 0
    assert hubsync("sync", "--write", "--full").code == 0
    assert desk.stage(contact) == SQL


# The guard -----------------------------------------------------------------------------------------------------------


def test_the_guard_stops_a_large_plan_before_the_first_write_and_says_what_to_allow(
    desk: Desk, hubsync: Hubsync
) -> None:
    contacts = [qualified(desk) for _ in range(21)]
    ran = hubsync("sync", "--write")
    assert ran.code == 4
    assert ran.err.startswith("plan: 21 of 21 contacts in scope would change, the limit is 10% and at least 20.")
    assert "--allow-changes 21" in ran.err
    assert desk.written() == []
    assert hubsync("sync", "--write", "--allow-changes", "20").code == 4
    assert hubsync("sync", "--write", "--allow-changes", "21").code == 0
    assert {desk.stage(c) for c in contacts} == {SQL}
    runs = hubsync("runs", "--format", "json")
    assert [run["state"] for run in runs.json["runs"]] == ["done", "stopped", "stopped"]


def test_what_the_guard_refused_is_there_as_json_just_as_the_plan_is(desk: Desk, hubsync: Hubsync) -> None:
    for _ in range(21):
        qualified(desk)
    fresh = [desk.lead("NEW", at=ago(hours=1)) for _ in range(17)]
    plan = hubsync("sync", "--format", "json").json
    ran = hubsync("sync", "--write", "--format", "json")
    assert ran.code == 4
    assert ran.err.startswith("plan: 21 of ")
    assert (ran.json["run"], ran.json["mode"]) == (None, "plan")
    same = ("contacts", "changes", "waiting")
    assert {name: ran.json[name] for name in same} == {name: plan[name] for name in same}
    assert [c["state"] for c in ran.json["changes"]] == ["planned"] * 21
    assert [(t["contact"], t["rule"], t["state"]) for t in ran.json["tasks"]] == [
        *((contact, "first_contact_task", "planned") for contact in fresh[:15]),
        (fresh[15], "tasks_over_the_cap", "planned"),
    ]
    assert [(h["contact"], h["why"]) for h in ran.json["held"]] == [(c, "cap") for c in fresh[15:]]
    assert desk.written() == []
    rows = hubsync("sync", "--write", "--out", "refused.csv")
    assert (rows.code, rows.out) == (4, "")
    assert len(Path("refused.csv").read_text().splitlines()) == 22


def test_a_plan_with_allowed_tasks_shows_them_without_an_owners_cap(desk: Desk, hubsync: Hubsync) -> None:
    fresh = [desk.lead("NEW", at=ago(hours=1)) for _ in range(17)]
    plan = hubsync("sync", "--allow-tasks", "17", "--format", "json").json
    assert (sorted(t["contact"] for t in plan["tasks"]), plan["held"]) == (sorted(fresh), [])
    ran = hubsync("sync", "--write", "--allow-tasks", "17", "--format", "json")
    assert (ran.code, len(ran.json["tasks"]), ran.json["held"]) == (0, 17, [])


def test_the_guard_lets_a_share_of_the_contacts_in_scope_pass(desk: Desk, hubsync: Hubsync) -> None:
    for _ in range(210):
        desk.lead("CONNECTED")
    for _ in range(21):
        qualified(desk)
    assert hubsync("sync", "--write", "--allow-tasks", "210").code == 0  # 21 of 231 are less than a tenth


def test_the_guard_stops_more_tasks_than_a_run_may_write(desk: Desk, hubsync: Hubsync) -> None:
    for _ in range(201):
        desk.lead("NEW", at=ago(hours=1))
    ran = hubsync("sync", "--write")
    assert ran.code == 4
    assert "201 tasks would be created" in ran.err
    assert "--allow-tasks 201, which also lets an owner get more new tasks than portal.yaml grants a day" in ran.err
    assert desk.requests("/tasks/batch/create") == []
    assert hubsync("sync", "--write", "--allow-tasks", "201", "--format", "json").code == 0
    assert sum(len(desk.tasks(c)) for c in desk.portal.contacts()) == 201
