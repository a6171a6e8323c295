"""`hubsync report overrides`: what people changed back, rule by rule, from the database alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.portal.gateway import Gateway
from tests.sync.desk import MQL, SQL, STAGE, STATUS, Desk, ago

Json = Callable[..., tuple[int, Any]]
RULE = "nurture_on_moving_back_to_mql"


@pytest.fixture
def overruled(cli_desk: Desk) -> list[str]:
    """Twenty contacts that hubsync made Nurture, of which a rep changed three back two hours later."""
    contacts = [cli_desk.lead("CONNECTED", SQL, email=f"{n}@example.com") for n in range(20)]
    for contact in contacts:
        cli_desk.sets(contact, STAGE, MQL, at=ago(hours=1))
    cli_desk.sync()
    cli_desk.later(hours=2)
    for contact in contacts[:3]:
        cli_desk.sets(contact, STATUS, "CONNECTED")
    cli_desk.later(hours=1)
    cli_desk.sync()
    return contacts


def test_the_json_holds_counts_share_and_every_override(
    cli_desk: Desk, overruled: list[str], hubsync_json: Json
) -> None:
    code, told = hubsync_json("report", "overrides")
    assert (code, told["portal"], told["since"]) == (0, cli_desk.portal.portal_id, None)
    [rule] = [r for r in told["rules"] if r["rule"] == RULE]
    assert (rule["playbook"], rule["writes"], rule["overridden"], rule["share"]) == ("A11", 20, 3, 0.15)
    assert rule["up_for_tuning"] is True
    user = cli_desk.portal.directory.owners[cli_desk.rep].user_id
    assert {o["contact"] for o in rule["overrides"]} == set(overruled[:3])
    assert {(o["property"], o["from"], o["to"], o["at"], o["by"]) for o in rule["overrides"]} == {
        (STATUS, "NURTURE", "CONNECTED", "2026-03-02T17:00:00.000Z", f"CRM_UI:userId:{user}")
    }


def test_the_table_names_the_rule_and_the_latest(
    overruled: list[str], capsys: pytest.CaptureFixture[str], cli_desk: Desk
) -> None:
    assert run(["report", "overrides"]) == 0
    printed = capsys.readouterr().out
    assert f"{RULE}: over 10% of at least 20 writes; only proposes" in printed
    assert f"{RULE}\tA11\t20\t3\t15.0%\tup for tuning: only proposes\t" in printed
    assert f"{overruled[2]}: NURTURE → CONNECTED by CRM_UI:userId:" in printed


def test_since_counts_from_then_on(cli_desk: Desk, overruled: list[str], hubsync_json: Json) -> None:
    code, told = hubsync_json("report", "overrides", "--since", "2026-03-02T16:00:00Z")
    [rule] = [r for r in told["rules"] if r["rule"] == RULE]
    assert (code, rule["writes"], rule["overridden"]) == (0, 0, 3)
    _, later = hubsync_json("report", "overrides", "--since", "2026-03-03")
    assert later["rules"] == []


def test_a_since_that_is_neither_date_nor_duration_is_refused(
    cli_desk: Desk, overruled: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", "overrides", "--since", "yesterdayish"]) == 2
    assert '--since "yesterdayish": write a date such as 2026-03-31' in capsys.readouterr().err


def test_rules_show_and_check_say_which_rule_only_proposes(
    cli_desk: Desk, overruled: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rules", "show", RULE]) == 0
    assert "propose (up for tuning)" in capsys.readouterr().out
    run(["check"])
    assert f"{RULE}: only proposes; hubsync report overrides says why" in capsys.readouterr().out


def test_a_run_says_which_rule_only_proposes(cli_desk: Desk, overruled: list[str], hubsync_json: Json) -> None:
    _, told = hubsync_json("sync", "--full")
    [notice] = told["notices"]
    assert notice.startswith(f"Rule {RULE} only proposes: people changed back 3 of its 20 writes (15%).")


def test_what_people_changed_of_what_was_asked_for_counts_against_no_rule(
    cli_desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    contact = cli_desk.lead("NEW")
    update = Gateway.update_contacts

    def before_a_person(gateway: Gateway, *given: Any) -> Any:
        outcomes = update(gateway, *given)
        cli_desk.later(minutes=1)
        cli_desk.sets(contact, STATUS, "CONNECTED")
        return outcomes

    monkeypatch.setattr(Gateway, "update_contacts", before_a_person)
    assert run(["set-status", "nurture", "--where", "lead_status is new", "--write"]) == 0
    capsys.readouterr()
    assert run(["report", "overrides"]) == 0
    printed = capsys.readouterr().out
    assert "Changed back: 0 of 0 writes" in printed
    assert "set_status\t\t0\t1\t0.0%\tno rule: hubsync set-status\t" in printed
