"""What an audit says of rules that people overrule too often, and of writers at odds; a sync says the same (A18)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.policy.vocabulary import STATUS
from hubsync.sandbox import acts
from hubsync.sync import overrides
from tests.sync.desk import MQL, SQL, STAGE, Desk, ago

Json = Callable[..., tuple[int, Any]]
RULE = "working_on_becoming_sql"
"""Where it doesn't write, a cell of the matrix would set the same value."""


@pytest.fixture
def overruled(cli_desk: Desk) -> str:
    """A contact for a rule of whose twenty writes people changed back three."""
    contacts = [cli_desk.lead("", SQL, email=f"{n}@example.com", at=ago(hours=1)) for n in range(20)]
    cli_desk.sync()
    cli_desk.later(hours=2)
    for contact in contacts[:3]:
        cli_desk.sets(contact, STATUS, "")
    cli_desk.later(hours=1)
    cli_desk.sync()
    assert set(overrides.to_be_tuned(cli_desk.store, cli_desk.portal.portal_id)) == {RULE}
    late = cli_desk.lead("", SQL, email="late@example.com", at=cli_desk.clock.now())
    cli_desk.later(hours=1)
    return late


def test_an_audit_proposes_what_a_lowered_rule_would_write_and_says_why(
    cli_desk: Desk, overruled: str, hubsync_json: Json
) -> None:
    _, told = hubsync_json("audit")
    kinds = {(f["rule"], f["kind"]) for f in told["findings"] if f["contact"] == overruled}
    assert kinds == {(RULE, "propose")}
    [finding] = [f for f in told["findings"] if f["contact"] is None]
    assert (finding["rule"], finding["kind"], finding["playbook"]) == (RULE, "portal", "A18")
    assert finding["message"].startswith("only proposes: people changed back 3 of its 20 writes (15%).")
    assert "hubsync report overrides" in finding["message"]


def test_no_cell_of_the_matrix_writes_what_a_lowered_rule_proposes(
    cli_desk: Desk, overruled: str, hubsync_json: Json
) -> None:
    _, told = hubsync_json("sync", "--full", "--write")
    rows = {(c["rule"], c["property"], c["state"]) for c in told["changes"] if c["contact"] == overruled}
    assert rows == {(RULE, STATUS, "proposed")}
    assert cli_desk.status(overruled) is None


def test_explain_names_the_rule_that_proposes_instead(
    cli_desk: Desk, overruled: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", overruled]) == 0
    printed = capsys.readouterr().out
    assert f"rule {RULE} proposes it instead" in printed
    assert f"{RULE}\tits mode is propose, since people changed back too many of its writes" in printed


def test_where_a_lowered_rule_has_nothing_to_propose_the_matrix_corrects_as_ever(
    cli_desk: Desk, overruled: str, hubsync_json: Json
) -> None:
    """A person chose after the rule's cause: the rule is silent, the hard cell is not."""
    contact = cli_desk.lead("IN_PROGRESS", SQL, email="chosen@example.com")
    cli_desk.sets(contact, STATUS, "NEW")
    cli_desk.later(hours=1)
    _, told = hubsync_json("sync", "--full", "--write", "--allow-changes", "100")
    rows = {(c["rule"], c["to"], c["state"]) for c in told["changes"] if c["contact"] == contact}
    assert rows == {("cell_sql_new", "IN_PROGRESS", "applied")}


def to_and_fro(desk: Desk) -> str:
    """A contact whose status a workflow and a rep set to and fro, four times in two hours; no rule wants anything."""
    contact = desk.lead("CONNECTED", MQL, at=ago(days=3))
    for hour in range(3):
        moment = ago(hours=6) + timedelta(hours=hour)
        acts.workflow_sets(desk.portal, contact, STATUS, "ATTEMPTED_TO_CONTACT", name="Sync in", at=moment)
        desk.sets(contact, STATUS, "CONNECTED", moment + timedelta(minutes=20))
    return contact


def quarrels(told: Any, contact: str) -> list[str]:
    return [f["message"] for f in told["findings"] if f["contact"] == contact and f["rule"] == "ping_pong"]


@pytest.mark.parametrize("command", [("audit",), ("sync", "--full")], ids=["audit", "sync"])
def test_two_writers_at_odds_are_a_finding_with_both_names_though_no_write_was_stopped(
    cli_desk: Desk, hubsync_json: Json, command: tuple[str, ...]
) -> None:
    contact = to_and_fro(cli_desk)
    cli_desk.sets(contact, STAGE, "lead", at=ago(hours=5))
    code, told = hubsync_json(*command)
    [message] = quarrels(told, contact)
    assert code == 1
    assert "The Lead status goes to and fro:" in message
    assert "Sync in (AUTOMATION_PLATFORM" in message
    assert "a person (CRM_UI" in message
    assert "switch one of the two off" in message


def test_a_history_that_nothing_else_asks_for_is_not_read_for_it(cli_desk: Desk, hubsync_json: Json) -> None:
    contact = to_and_fro(cli_desk)
    before = len(cli_desk.requests("/contacts/batch/read"))
    _, told = hubsync_json("audit")
    assert len(cli_desk.requests("/contacts/batch/read")) == before
    assert quarrels(told, contact) == []
