"""Tasks that are taken back (T11): planned, counted, in the ledger before they go; edited ones stay and are named."""

from __future__ import annotations

import pytest

from hubsync.errors import PortalTemporaryError
from hubsync.portal.gateway import Gateway
from hubsync.sandbox import acts
from tests.sync.desk import MQL, Desk


def _a_new_lead_with_its_task(desk: Desk) -> tuple[str, str]:
    lead = desk.lead(stage=MQL)
    desk.sync()
    (task,) = desk.tasks(lead)
    desk.later(minutes=30)
    desk.sets(lead, "hs_lead_status", "CONNECTED")
    desk.later(minutes=30)
    return lead, task.id


def test_a_plan_shows_the_task_it_would_take_back_and_why(desk: Desk) -> None:
    lead, task = _a_new_lead_with_its_task(desk)
    (row,) = desk.plan().tally.tasks
    assert (row["contact"], row["state"], row["why"]) == (lead, "to_withdraw", "what it asks for is no longer needed")
    assert row["subject"] == "New lead: make the first contact"
    assert [t.id for t in desk.tasks(lead)] == [task]


def test_a_task_that_is_taken_back_stands_in_the_run_and_in_the_ledger(desk: Desk) -> None:
    lead, _ = _a_new_lead_with_its_task(desk)
    outcome = desk.sync()
    assert [row["state"] for row in outcome.tally.tasks] == ["withdrawn"]
    assert desk.tasks(lead) == []
    row = desk.ledger(lead)[-1]
    assert (row.kind, row.state, row.run) == ("withdraw", "applied", outcome.run)
    assert row.note == "what it asks for is no longer needed"
    assert desk.sync().tally.tasks == []


def test_a_task_that_somebody_edited_stays_and_is_named(desk: Desk) -> None:
    lead, task = _a_new_lead_with_its_task(desk)
    acts.edit_task(desk.portal, task, "hs_task_subject", "Call her on Monday")
    outcome = desk.sync()
    assert [t.id for t in desk.tasks(lead)] == [task]
    (row,) = outcome.tally.held
    assert (row["state"], row["why"]) == (
        "left",
        "what it asks for is no longer needed, but a person has begun or edited it",
    )


def test_a_deletion_without_an_answer_is_found_out_by_the_next_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lead, _ = _a_new_lead_with_its_task(desk)
    delete = Gateway.delete_tasks

    def deleted_but_unheard(self: Gateway, ids: list[str]) -> dict[str, str]:
        delete(self, ids)
        raise PortalTemporaryError("the connection was lost")

    with monkeypatch.context() as patch:
        patch.setattr(Gateway, "delete_tasks", deleted_but_unheard)
        with pytest.raises(PortalTemporaryError):
            desk.sync()
    assert desk.ledger(lead)[-1].state == "sent"
    desk.sync()
    row = desk.ledger(lead)[-1]
    assert (row.kind, row.state) == ("withdraw", "applied")
    assert desk.store.open_tasks(desk.portal.portal_id, [lead]) == {}
