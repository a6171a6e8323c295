"""`hubsync backlog --treat`: one category, properties only, quietly, 500 an hour, and undone like any run (B2, B3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hubsync.cli.main import run
from hubsync.portal.gateway import Gateway
from hubsync.sandbox import acts
from hubsync.sync import treating
from tests.sync.desk import MQL, SQL, STATUS, Desk, ago

Json = Callable[..., tuple[int, Any]]
RECENT, OLDER = "mql_without_status_recent", "mql_without_status"


@pytest.fixture(autouse=True)
def before_the_first_write(monkeypatch: pytest.MonkeyPatch, cli_desk: Desk) -> None:
    """Without EFFECTIVE_SINCE nothing counts before the first write."""
    monkeypatch.delenv("HUBSYNC_EFFECTIVE_SINCE")


def leads(desk: Desk, count: int, **age: float) -> list[str]:
    return [desk.lead("", MQL, at=ago(**age)) for _ in range(count)]


def test_a_preview_writes_nothing(cli_desk: Desk, hubsync_json: Json) -> None:
    older = leads(cli_desk, 2, days=100)
    code, told = hubsync_json("backlog", "--treat", OLDER)
    assert (code, told["run"], told["mode"], told["found"]) == (0, None, "plan", 2)
    assert [(c["contact"], c["to"], c["state"]) for c in told["changes"]] == [(c, "NURTURE", "planned") for c in older]
    assert cli_desk.written() == []


def test_one_category_is_set_as_old_as_its_cause_and_nothing_starts_from_it(cli_desk: Desk, hubsync_json: Json) -> None:
    older, recent = leads(cli_desk, 1, days=100), leads(cli_desk, 1, days=5)
    code, told = hubsync_json("backlog", "--treat", OLDER, "--to", "new", "--write")
    assert (code, told["run"], [c["state"] for c in told["changes"]]) == (0, 1, ["applied"])
    assert (cli_desk.status(older[0]), cli_desk.status(recent[0])) == ("NEW", None)
    (row,) = cli_desk.ledger(*older)
    assert (row.rule, row.playbook, row.effective_at) == ("backlog", "B2", ago(days=100))
    cli_desk.later(hours=1)
    assert run(["sync", "--write", "--full"]) == 0
    assert (cli_desk.tasks(older[0]), cli_desk.status(older[0])) == ([], "NEW")


def test_a_category_whose_clock_starts_now_gets_its_task_with_the_next_sync(cli_desk: Desk, hubsync_json: Json) -> None:
    (recent,) = leads(cli_desk, 1, days=5)
    hubsync_json("backlog", "--treat", RECENT, "--write")
    assert (cli_desk.status(recent), cli_desk.tasks(recent)) == ("NEW", [])
    cli_desk.later(minutes=5)
    assert run(["sync", "--write"]) == 0
    assert len(cli_desk.tasks(recent)) == 1


def test_an_undo_brings_back_what_was_and_the_category_is_not_treated_twice(cli_desk: Desk, hubsync_json: Json) -> None:
    (lead,) = leads(cli_desk, 1, days=100)
    hubsync_json("backlog", "--treat", OLDER, "--write")
    assert run(["undo", "1", "--write"]) == 0
    assert not cli_desk.status(lead)
    code, told = hubsync_json("backlog", "--treat", OLDER, "--write")
    assert (code, told["run"], told["changes"]) == (0, None, [])


def test_an_hour_takes_so_many_contacts_and_says_when_there_is_room_again(
    cli_desk: Desk, hubsync_json: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(treating, "MOST", 3)
    leads(cli_desk, 5, days=100)
    _, first = hubsync_json("backlog", "--treat", OLDER, "--write")
    assert (len(first["changes"]), first["found"], first["left"]) == (3, 5, 2)
    _, second = hubsync_json("backlog", "--treat", OLDER, "--write")
    assert (second["run"], second["left"], second["again"][:16]) == (None, 2, "2026-03-02T16:00")
    cli_desk.later(minutes=61)
    _, third = hubsync_json("backlog", "--treat", OLDER, "--write")
    assert (len(third["changes"]), third["left"]) == (2, 0)


def test_what_a_person_set_meanwhile_stays(cli_desk: Desk, hubsync_json: Json) -> None:
    lead, other = leads(cli_desk, 2, days=100)
    cli_desk.sets(lead, "hs_lead_status", "CONNECTED")
    _, told = hubsync_json("backlog", "--treat", OLDER, "--write")
    assert [c["contact"] for c in told["changes"]] == [other]
    assert cli_desk.status(lead) == "CONNECTED"


def test_what_a_person_sets_in_the_moment_of_the_write_is_put_back(
    cli_desk: Desk, hubsync_json: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, other = leads(cli_desk, 2, days=100)
    update, coming = Gateway.update_contacts, [lead]

    def just_after_a_person(gateway: Gateway, *given: Any) -> Any:
        while coming:
            cli_desk.later(minutes=1)
            cli_desk.sets(coming.pop(), STATUS, "CONNECTED")
            cli_desk.later(minutes=1)
        return update(gateway, *given)

    monkeypatch.setattr(Gateway, "update_contacts", just_after_a_person)
    code, told = hubsync_json("backlog", "--treat", OLDER, "--write")
    assert (cli_desk.status(lead), cli_desk.status(other)) == ("CONNECTED", "NURTURE")
    assert [(c["contact"], c["to"]) for c in told["changes"]][-1] == (lead, "CONNECTED")
    assert [row.state for row in cli_desk.ledger(lead)] == ["overridden", "applied"]
    assert (code, told["findings"]) == (0, [])


def test_what_the_rules_would_set_can_be_asked_for_but_no_stage_for_an_old_cause(
    cli_desk: Desk, hubsync_json: Json
) -> None:
    old, young = cli_desk.lead("QUALIFIED", at=ago(days=100)), cli_desk.lead("QUALIFIED", at=ago(days=50))
    code, told = hubsync_json("backlog", "--treat", "qualified_moves_the_stage", "--to", "correct", "--write")
    assert (code, [(c["contact"], c["to"]) for c in told["changes"]]) == (0, [(young, SQL)])
    assert (cli_desk.stage(old), cli_desk.stage(young)) == ("lead", SQL)


def test_the_guard_stops_what_is_too_much_and_lets_it_pass_once(cli_desk: Desk, hubsync_json: Json) -> None:
    leads(cli_desk, 21, days=100)
    code, refused = hubsync_json("backlog", "--treat", OLDER, "--write")
    assert (code, refused["run"], [c["state"] for c in refused["changes"]]) == (4, None, ["planned"] * 21)
    assert cli_desk.written() == []
    assert hubsync_json("backlog", "--treat", OLDER, "--write", "--allow-changes", "21")[0] == 0


def test_before_many_are_written_it_is_said_who_else_is_at_work(
    cli_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    for lead in leads(cli_desk, 21, days=100):
        acts.workflow_sets(cli_desk.portal, lead, "lifecyclestage", MQL, at=ago(days=99))
    cli_desk.lead("", MQL, at=ago(days=3))
    assert run(["backlog", "--treat", OLDER]) == 0
    said = capsys.readouterr().err
    assert "Before 21 contacts are written, who else is at work on them:" in said
    assert "workflows and lists that react to these fields can't be seen here" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--treat", "mql_without"), "is no category of the backlog"),
        (("--treat", "customer_with_anything"), "Nothing is proposed for customer_with_anything"),
        (("--treat", OLDER, "--to", "nurtur"), 'did you mean "nurture"'),
        (("--write",), "go with --treat CATEGORY"),
    ],
)
def test_what_can_not_be_treated_is_said(
    cli_desk: Desk, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["backlog", *arguments]) == 2
    assert said in capsys.readouterr().err
