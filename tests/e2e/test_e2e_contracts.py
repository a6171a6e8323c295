"""What scripts rely on: the JSON of audit and sync to the letter, the other forms, and the exit codes (design 6)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from hubsync.sandbox import acts
from hubsync.store import Store
from hubsync.sync.writing import Writer
from tests.e2e.conftest import Hubsync
from tests.sync.desk import MQL, SQL, STAGE, STATUS, Desk, ago

CHANGE_KEYS = ["contact", "rule", "playbook", "cause", "property", "from", "to", "state"]
FINDING_KEYS = ["contact", "rule", "playbook", "kind", "backlog", "stage", "status", "message", "fix"]


def qualified(desk: Desk) -> str:
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED", at=ago(hours=1))
    return contact


def test_an_audit_of_a_portal_in_order_ends_with_0_and_finds_nothing(desk: Desk, hubsync: Hubsync) -> None:
    desk.lead("CONNECTED")
    ran = hubsync("audit", "--format", "json")
    assert ran.code == 0
    document = ran.json
    assert list(document) == ["portal", "at", "contacts", "findings", "backlog"]
    assert (document["portal"], document["contacts"], document["findings"], document["backlog"]) == (62515, 1, [], {})
    assert document["at"].startswith("2026-03-02T15:00")
    assert document["at"].endswith("Z")
    assert not Path("hubsync.db").exists()


def test_an_audit_tells_each_finding_with_its_fix_and_ends_with_1(desk: Desk, hubsync: Hubsync) -> None:
    correct, empty = qualified(desk), desk.lead("", MQL)
    propose = desk.lead("NEW", "subscriber")
    report = desk.lead("CUSTOMER")
    ran = hubsync("audit", "--format", "json")
    assert ran.code == 1
    found = {f["contact"]: f for f in ran.json["findings"] if f["fix"] or f["contact"] == report}
    assert set(found) == {correct, empty, propose, report}
    assert all(list(f) == FINDING_KEYS for f in found.values())
    assert found[correct] == {
        "contact": correct,
        "rule": "qualified_moves_the_stage",
        "playbook": "A9",
        "kind": "correct",
        "backlog": False,
        "stage": "lead",
        "status": "qualified",
        "message": "The lead is qualified, so its stage moves forward.",
        "fix": {"property": STAGE, "from": "lead", "to": SQL},
    }
    assert (found[empty]["status"], found[empty]["fix"]) == (None, {"property": STATUS, "from": None, "to": "NEW"})
    assert (found[propose]["kind"], found[propose]["fix"]["to"]) == ("propose", "lead")
    assert (found[report]["kind"], found[report]["fix"]) == ("report", None)
    assert desk.written() == []


def test_an_unmapped_option_is_one_finding_of_the_portal_and_its_contacts_are_left_alone(
    desk: Desk, hubsync: Hubsync
) -> None:
    for _ in range(3):
        desk.lead("OPEN")
    [finding] = hubsync("audit", "--format", "json").json["findings"]
    assert (finding["contact"], finding["kind"], finding["stage"], finding["status"]) == (None, "portal", None, None)
    assert finding["message"].startswith('3 contacts have hs_lead_status "OPEN"')


def test_the_backlog_is_counted_by_category_with_its_oldest_moment(
    desk: Desk, hubsync: Hubsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HUBSYNC_EFFECTIVE_SINCE")
    qualified(desk)
    for days in (3, 9):
        desk.lead("", MQL, at=ago(days=days))
    document = hubsync("audit", "--format", "json").json
    assert document["backlog"] == {
        "mql_without_status_recent": {"count": 2, "oldest": "2026-02-21T15:00:00.000Z"},
        "qualified_moves_the_stage": {"count": 1, "oldest": "2026-03-02T14:00:00.000Z"},
    }
    assert {f["backlog"] for f in document["findings"]} == {True}


def test_a_plan_as_json(desk: Desk, hubsync: Hubsync) -> None:
    contact = qualified(desk)
    fresh = desk.lead("NEW", at=ago(hours=1))
    ran = hubsync("sync", "--format", "json")
    assert ran.code == 0
    document = ran.json
    assert list(document) == [
        *("run", "mode", "contacts", "changes", "tasks", "digests", "conflicts", "held", "waiting", "calls", "seconds")
    ]
    assert document["changes"] == [
        {
            "contact": contact,
            "rule": "qualified_moves_the_stage",
            "playbook": "A9",
            "cause": {"kind": "lead_status_entered", "at": "2026-03-02T14:00:00.000Z", "id": None},
            "property": STAGE,
            "from": "lead",
            "to": SQL,
            "state": "planned",
        }
    ]
    assert document["tasks"] == [
        {
            "contact": fresh,
            "rule": "first_contact_task",
            "subject": "New lead: make the first contact",
            "owner": desk.rep,
            "due": "2026-03-02T16:00:00.000Z",
            "state": "planned",
        }
    ]
    assert (document["run"], document["mode"], document["contacts"]) == (None, "plan", 2)
    assert (document["conflicts"], document["held"], document["waiting"]) == ([], [], 0)
    assert document["calls"] > 0
    assert document["seconds"] >= 0
    assert (desk.written(), desk.tasks(fresh), Path("hubsync.db").exists()) == ([], [], False)


def test_a_run_as_json_and_a_second_one_that_plans_nothing(
    desk: Desk, hubsync: Hubsync, database: Callable[[], Store]
) -> None:
    contact = desk.lead(at=ago(hours=1))
    ran = hubsync("sync", "--write", "--format", "json")
    assert ran.code == 0
    document = ran.json
    assert (document["run"], document["mode"]) == (1, "write")
    [change] = document["changes"]
    assert list(change) == CHANGE_KEYS
    assert (change["contact"], change["from"], change["to"], change["state"]) == (contact, None, "NEW", "applied")
    assert [t["state"] for t in document["tasks"]] == ["applied"]
    assert desk.status(contact) == "NEW"
    again = hubsync("sync", "--write", "--full", "--format", "json")
    assert (again.code, again.json["run"], again.json["changes"], again.json["tasks"]) == (0, 2, [], [])
    rows = database().ledger_of(62515, [contact])[contact]
    assert [(r.kind, r.state) for r in rows] == [("set", "applied"), ("task", "applied")]


def test_proposals_are_changes_in_the_state_proposed_and_end_with_0(desk: Desk, hubsync: Hubsync) -> None:
    contact = desk.lead("NEW", "subscriber")
    ran = hubsync("sync", "--write", "--format", "json")
    assert [(c["contact"], c["to"], c["state"]) for c in ran.json["changes"]] == [(contact, "lead", "proposed")]
    assert (ran.code, desk.stage(contact)) == (0, "subscriber")


def test_hubsync_write_in_the_environment_is_write(
    desk: Desk, hubsync: Hubsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = qualified(desk)
    monkeypatch.setenv("HUBSYNC_WRITE", "true")
    assert hubsync("sync", "--format", "json").json["mode"] == "write"
    assert desk.stage(contact) == SQL


def test_settle_seconds_in_the_environment_replaces_the_quiet_times(
    desk: Desk, hubsync: Hubsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED", at=ago(seconds=20))
    assert hubsync("sync", "--format", "json").json["waiting"] == 1
    monkeypatch.setenv("HUBSYNC_SETTLE_SECONDS", "0")
    document = hubsync("sync", "--format", "json").json
    assert (document["waiting"], [c["to"] for c in document["changes"]]) == (0, [SQL])


def test_a_change_that_is_refused_ends_with_1_and_is_named(
    desk: Desk, hubsync: Hubsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact, other = desk.lead("CONNECTED"), desk.lead("NEW", at=ago(days=2))
    desk.sets(contact, STATUS, "QUALIFIED", at=ago(hours=1))
    acts.rep_sends_email(desk.portal, other, desk.rep, at=ago(hours=1))
    options = desk.portal.schemas.properties["contacts"][STAGE].options
    original = Writer.write_all

    def the_option_goes(*given: object) -> None:
        desk.portal.schemas.set_options("contacts", STAGE, [o for o in options if o.value != SQL])
        original(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(Writer, "write_all", the_option_goes)
    ran = hubsync("sync", "--write", "--format", "json")
    assert ran.code == 1
    assert {c["contact"]: c["state"] for c in ran.json["changes"]} == {contact: "refused", other: "applied"}


def test_findings_as_csv_have_one_line_each(desk: Desk, hubsync: Hubsync) -> None:
    contact = qualified(desk)
    ran = hubsync("audit", "--format", "csv")
    assert ran.code == 1
    [row] = csv.DictReader(io.StringIO(ran.out))
    assert (row["contact"], row["kind"], row["property"], row["from"], row["to"]) == (
        contact,
        "correct",
        STAGE,
        "lead",
        SQL,
    )
    assert (row["stage"], row["status"], row["owner"]) == ("Lead", "Qualified", "Rita Rep")


def test_an_html_report_holds_all_it_needs(desk: Desk, hubsync: Hubsync, isolated: Path) -> None:
    contact = qualified(desk)
    ran = hubsync("audit", "--out", "report.html")
    assert (ran.code, ran.out) == (1, "")
    page = (isolated / "report.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert contact in page
    assert "The lead is qualified, so its stage moves forward." in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_the_ending_of_out_chooses_the_form_and_the_file_is_whole(desk: Desk, hubsync: Hubsync, isolated: Path) -> None:
    contact = qualified(desk)
    assert hubsync("sync", "--out", "plan.csv").code == 0
    [row] = csv.DictReader((isolated / "plan.csv").read_text().splitlines())
    assert (row["contact"], row["to"], row["state"]) == (contact, "Sales Qualified Lead", "planned")
    assert hubsync("audit", "--format", "json", "--out", "here.txt").code == 1
    assert (isolated / "here.txt").read_text().startswith('{"portal":62515')
    assert [p.name for p in isolated.iterdir() if p.name.endswith(".tmp")] == []


def test_a_table_tells_the_numbers_and_the_rules(desk: Desk, hubsync: Hubsync) -> None:
    contact = qualified(desk)
    audit = hubsync("audit").out
    assert "Portal: 62515" in audit
    assert "Findings: 1" in audit
    assert "A9\tqualified_moves_the_stage\tto correct\t1" in audit
    plan = hubsync("sync").out
    assert "Run: none: this is a plan, nothing was written" in plan
    assert f"{contact}\tA9\tqualified_moves_the_stage\t{STAGE}\tLead\tSales Qualified Lead" in plan
    assert "Changes applied: 1" in hubsync("sync", "--write").out


def test_a_bare_sync_looks_at_what_is_new_and_contact_and_since_at_what_they_name(desk: Desk, hubsync: Hubsync) -> None:
    first, second = qualified(desk), desk.lead("CONNECTED")
    assert hubsync("sync", "--format", "json").json["contacts"] == 2
    assert hubsync("sync", "--contact", second, "--format", "json").json["contacts"] == 1
    # Created ten days ago, and all that happened since is in the index.
    assert hubsync("sync", "--since", "2026-03-01", "--format", "json").json["contacts"] == 1
    assert hubsync("sync", "--since", "3 days", "--format", "json").json["changes"][0]["contact"] == first
    hubsync("sync", "--write")
    desk.later(hours=1)
    assert hubsync("sync", "--write", "--format", "json").json["contacts"] == 2  # what the run before it wrote
    desk.later(hours=1)
    assert hubsync("sync", "--format", "json").json["contacts"] == 0
    assert hubsync("sync", "--full", "--format", "json").json["contacts"] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("sync", "--full", "--since", "3 days"),
        ("sync", "--since", "the other day"),
        ("sync", "--full", "--contact", "1003"),
        ("sync", "--allow-changes", "-1"),
        ("sync", "--bogus"),
        ("audit", "--format", "xml"),
        ("--portal", "4711", "audit"),
        ("audit", "--out", "nowhere/report.html"),
    ],
    ids=" ".join,
)
def test_arguments_that_cannot_be_used_end_with_2_and_do_nothing(
    desk: Desk, hubsync: Hubsync, arguments: tuple[str, ...]
) -> None:
    qualified(desk)
    ran = hubsync(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err
    assert "Traceback" not in ran.err
    assert desk.written() == []
