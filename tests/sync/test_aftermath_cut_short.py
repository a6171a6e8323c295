"""The look after the write is itself cut short: what it had found and not yet put back is found again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from hubsync.errors import PortalTemporaryError
from hubsync.portal.values import Outcome, Update
from hubsync.sandbox import acts
from hubsync.sandbox.http.call import Reply
from hubsync.sync.aftermath import Aftermath
from tests.sync.desk import MQL, STATUS, Desk, acted, ago


class Died(BaseException):
    """The process is gone."""


def written_to(desk: Desk) -> str:
    """A new lead to whom a rep wrote an hour ago, so that its status is to become attempting."""
    contact = desk.lead("NEW", at=ago(days=2))
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(hours=1))
    return contact


def updates_go(desk: Desk, monkeypatch: pytest.MonkeyPatch, steps: Iterator[Callable[[], object]]) -> None:
    """Before each update of contacts, the next step happens."""
    update = desk.gateway.update_contacts

    def write(updates: Sequence[Update], *more: Sequence[str]) -> list[Outcome]:
        desk.later(seconds=1)
        next(steps, lambda: None)()
        desk.later(seconds=1)
        return update(updates, *more)

    monkeypatch.setattr(desk.gateway, "update_contacts", write)


def dies() -> None:
    raise Died


def test_an_edit_whose_repair_was_cut_short_is_put_back_by_the_next_run(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = written_to(desk)
    updates_go(desk, monkeypatch, iter((lambda: desk.sets(contact, STATUS, "CONNECTED"), dies)))
    with pytest.raises(Died):
        desk.sync()
    assert desk.status(contact) == "ATTEMPTED_TO_CONTACT"
    desk.later(hours=1)
    desk.sync()
    assert desk.status(contact) == "CONNECTED"
    assert [r.state for r in desk.ledger(contact)] == ["overridden", "not_applied", "applied"]
    assert acted(desk.sync()) == []


def test_an_edit_whose_repair_got_no_answer_fails_the_run_and_is_put_back_by_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = written_to(desk)

    def no_more_answers() -> None:
        desk.box.fail("drop_before", path=r"/contacts/batch/update", times=6)

    updates_go(desk, monkeypatch, iter((lambda: desk.sets(contact, STATUS, "CONNECTED"), no_more_answers)))
    with pytest.raises(PortalTemporaryError, match="the next run finds out"):
        desk.sync()
    assert desk.status(contact) == "ATTEMPTED_TO_CONTACT"
    desk.later(hours=1)
    desk.sync()
    assert desk.status(contact) == "CONNECTED"


def test_an_edit_between_two_tries_of_one_write_is_put_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written_to(desk)
    desk.sync()  # hubsync knows its own app from here on
    contact = written_to(desk)
    edited: list[str] = []
    serve = desk.box.service.answer

    def answer(method: str, target: str, authorization: str | None, body: bytes) -> Reply:
        if target.endswith("/contacts/batch/update") and desk.status(contact) == "ATTEMPTED_TO_CONTACT" and not edited:
            edited.append(contact)
            desk.later(seconds=1)
            desk.sets(contact, STATUS, "CONNECTED")
            desk.later(seconds=1)
        return serve(method, target, authorization, body)

    monkeypatch.setattr(desk.box.service, "answer", answer)
    desk.box.fail("drop_after", path=r"/contacts/batch/update", times=1)
    desk.sync()
    values = [e.value for e in desk.portal.get("contacts", contact).entries(STATUS)]
    assert values == ["NEW", "ATTEMPTED_TO_CONTACT", "CONNECTED", "ATTEMPTED_TO_CONTACT", "CONNECTED"]
    assert [r.state for r in desk.ledger(contact)] == ["overridden", "applied"]
    assert len(desk.store.overrides(desk.portal.portal_id)) == 1


def test_an_edit_under_ours_that_cant_be_put_back_any_more_is_told_and_logged(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = written_to(desk)
    updates_go(desk, monkeypatch, iter((lambda: desk.sets(contact, STATUS, "CONNECTED"), dies)))
    with pytest.raises(Died):
        desk.sync()
    desk.later(hours=1)
    acts.workflow_sets(desk.portal, contact, STATUS, "IN_PROGRESS")
    desk.later(hours=1)
    outcome = desk.sync()
    assert desk.status(contact) == "IN_PROGRESS"
    [finding] = outcome.tally.findings
    assert 'set hs_lead_status to "CONNECTED"' in finding["message"]
    assert finding["message"].endswith("over it unseen; another value came later, so it was not put back.")
    [logged] = desk.store.overrides(desk.portal.portal_id)
    assert (logged.contact, logged.before, logged.after) == (contact, "ATTEMPTED_TO_CONTACT", "CONNECTED")
    desk.later(hours=1)
    assert desk.sync().tally.findings == []


def test_what_was_written_to_a_contact_that_was_merged_away_is_not_judged_by_the_history_of_the_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_to(desk)
    desk.sync()  # hubsync knows its own app from here on
    gone = desk.lead("", MQL, at=ago(days=2))  # becomes New (A2)
    survivor = acts.create_contact(desk.portal, {STATUS: "NEW"}, source="import", at=ago(days=3))
    with monkeypatch.context() as patch:
        patch.setattr(Aftermath, "look", lambda *_: dies())
        with pytest.raises(Died):
            desk.sync()
    desk.store.merge(desk.portal.portal_id, gone, acts.merge_contacts(desk.portal, survivor, gone))
    desk.later(hours=1)
    desk.sync()
    [row] = [r for r in desk.ledger(survivor) if r.target == STATUS]
    assert (row.after, row.state, row.note) == ("NEW", "applied", f"written to the former contact {gone}")
