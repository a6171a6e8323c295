"""The look after the write: what somebody set between our last read and our write is not lost, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubsync.errors import TokenRefused
from hubsync.sandbox import acts
from hubsync.sync.explain import story
from tests.sync.desk import MQL, SQL, STAGE, STATUS, Desk, acted, ago, all_rules, states

LAST_ACTION = "hubsync_last_action"
READ = "/contacts/batch/read"
Meanwhile = Callable[..., None]


@pytest.fixture
def meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """`meanwhile(act, after=other)`: something happens right before the next write to contacts, and right after it."""
    update = desk.gateway.update_contacts

    def install(before: Callable[[], object] | None = None, after: Callable[[], object] | None = None) -> None:
        coming = [(before, after)]

        def write(*given: object) -> object:
            first, then = coming.pop(0) if coming else (None, None)
            desk.later(seconds=1)
            if first is not None:
                first()
                desk.later(seconds=1)
            outcomes = update(*given)  # type: ignore[arg-type]
            desk.later(seconds=1)
            if then is not None:
                then()
                desk.later(seconds=1)
            return outcomes

        install.more = coming.append  # type: ignore[attr-defined]
        monkeypatch.setattr(desk.gateway, "update_contacts", write)

    return install


def written_to(desk: Desk) -> str:
    """A new lead to whom a rep wrote an hour ago, so that its status is to become attempting."""
    contact = desk.lead("NEW", at=ago(days=2))
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(hours=1))
    return contact


def values(desk: Desk, contact: str, prop: str = STATUS) -> list[str]:
    """The history of a property, oldest first."""
    return [e.value for e in desk.portal.get("contacts", contact).entries(prop)]


def overrides(desk: Desk) -> list[tuple[str, str, str | None, str | None]]:
    """(contact, rule, ours, theirs) of each logged override."""
    return [(o.contact, o.rule, o.before, o.after) for o in desk.store.overrides(desk.portal.portal_id)]


def test_a_persons_value_overwritten_unseen_is_put_back_once_and_logged(desk: Desk, meanwhile: Meanwhile) -> None:
    contact = written_to(desk)
    meanwhile(lambda: desk.sets(contact, STATUS, "CONNECTED"))
    outcome = desk.sync()
    assert values(desk, contact) == ["NEW", "CONNECTED", "ATTEMPTED_TO_CONTACT", "CONNECTED"]
    assert [(r.kind, r.state, r.after) for r in desk.ledger(contact)] == [
        ("set", "overridden", "ATTEMPTED_TO_CONTACT"),
        ("undo", "applied", "CONNECTED"),
    ]
    assert overrides(desk) == [
        (contact, "attempting_on_first_rep_outreach", "ATTEMPTED_TO_CONTACT", "CONNECTED"),
    ]
    [logged] = desk.store.overrides(desk.portal.portal_id)
    assert logged.by.startswith("CRM_UI:userId:")
    assert [(c["from"], c["to"], c["state"]) for c in outcome.tally.changes] == [
        ("NEW", "ATTEMPTED_TO_CONTACT", "applied"),
        ("ATTEMPTED_TO_CONTACT", "CONNECTED", "applied"),
    ]
    assert "Rita Rep had set it on 2 March 2026" in (desk.value(contact, LAST_ACTION) or "")


def test_what_was_put_back_is_the_persons_and_stays(desk: Desk, meanwhile: Meanwhile) -> None:
    contact = written_to(desk)
    meanwhile(lambda: desk.sets(contact, STATUS, "CONNECTED"))
    desk.sync()
    for _ in range(3):
        desk.later(days=1)
        assert acted(desk.sync()) == []
    assert desk.status(contact) == "CONNECTED"
    assert len(overrides(desk)) == 1


def test_a_value_put_back_has_the_task_that_the_persons_choice_brings_once(desk: Desk, meanwhile: Meanwhile) -> None:
    desk.rebind(loaded=all_rules())
    contact = written_to(desk)
    meanwhile(lambda: desk.sets(contact, STATUS, "CONNECTED"))
    for _ in range(3):
        desk.sync()
        desk.later(hours=1)
    assert desk.status(contact) == "CONNECTED"
    assert [t.values["hs_task_subject"] for t in desk.tasks(contact)] == [
        "Send the calendar link and finish qualification"
    ]
    created = [r.rule for r in desk.ledger(contact) if r.kind == "task"]
    assert created.count("connected_is_to_be_qualified") == 1


def test_an_emptied_value_is_put_back_as_empty(desk: Desk, meanwhile: Meanwhile) -> None:
    contact = written_to(desk)
    meanwhile(lambda: desk.sets(contact, STATUS, ""))
    desk.sync()
    assert values(desk, contact) == ["NEW", "", "ATTEMPTED_TO_CONTACT", ""]


def test_a_change_after_ours_is_left_and_logged_as_an_override(desk: Desk, meanwhile: Meanwhile) -> None:
    contact = written_to(desk)
    meanwhile(after=lambda: desk.sets(contact, STATUS, "NURTURE"))
    outcome = desk.sync()
    assert values(desk, contact) == ["NEW", "ATTEMPTED_TO_CONTACT", "NURTURE"]
    assert overrides(desk) == [(contact, "attempting_on_first_rep_outreach", "ATTEMPTED_TO_CONTACT", "NURTURE")]
    assert [c["state"] for c in outcome.tally.changes] == ["applied"]
    assert [r.state for r in desk.ledger(contact)] == ["applied"]


def test_a_person_quicker_than_the_repair_too_is_put_back_in_turn(desk: Desk, meanwhile: Meanwhile) -> None:
    contact = written_to(desk)
    meanwhile(lambda: desk.sets(contact, STATUS, "CONNECTED"))
    meanwhile.more((lambda: desk.sets(contact, STATUS, "QUALIFIED"), None))  # type: ignore[attr-defined]
    desk.sync()
    assert values(desk, contact)[-3:] == ["QUALIFIED", "CONNECTED", "QUALIFIED"]
    assert len(overrides(desk)) == 2


def test_a_value_over_which_nobody_wrote_is_not_touched_again(desk: Desk, meanwhile: Meanwhile) -> None:
    contacts = [written_to(desk) for _ in range(3)]
    meanwhile(lambda: desk.sets(contacts[0], "jobtitle", "Head of Sales"))
    outcome = desk.sync()
    assert states(outcome) == [("attempting_on_first_rep_outreach", "ATTEMPTED_TO_CONTACT", "applied")] * 3
    assert (overrides(desk), outcome.tally.findings) == ([], [])


def test_the_very_value_set_by_a_person_just_before_is_theirs(desk: Desk, meanwhile: Meanwhile) -> None:
    other = written_to(desk)
    desk.sync()  # teaches which app is ours
    contact = written_to(desk)
    meanwhile(lambda: desk.sets(contact, STATUS, "ATTEMPTED_TO_CONTACT"))
    desk.sync()
    assert values(desk, contact) == ["NEW", "ATTEMPTED_TO_CONTACT"]
    [row] = desk.ledger(contact)
    assert (row.state, row.note) == ("not_applied", "Rita Rep had just set the same value")
    assert [r.state for r in desk.ledger(other)] == ["applied"]
    desk.later(days=1)
    assert acted(desk.sync()) == []


def test_our_app_is_learned_from_its_first_entry(desk: Desk) -> None:
    written_to(desk)
    desk.sync()
    [portal] = desk.store.portals()
    assert portal.app_id == desk.portal.app_id


def test_a_stage_is_not_moved_backward_to_put_it_back(desk: Desk, meanwhile: Meanwhile) -> None:
    contact = desk.lead("CONNECTED", "subscriber")
    desk.sets(contact, STAGE, "lead", at=ago(hours=2))
    desk.sets(contact, STATUS, "QUALIFIED", at=ago(hours=1))
    meanwhile(lambda: desk.sets(contact, STAGE, MQL))
    outcome = desk.sync()
    assert values(desk, contact, STAGE) == ["subscriber", "lead", MQL, SQL]
    [finding] = outcome.tally.findings
    assert (finding["contact"], finding["property"]) == (contact, STAGE)
    assert "Rita Rep set lifecyclestage" in finding["message"]
    assert "would move the stage backward" in finding["message"]
    [row] = [r for r in desk.ledger(contact) if r.target == STAGE]
    assert (row.state, row.note) == ("applied", finding["message"])
    assert len(overrides(desk)) == 1


def test_what_a_hard_cell_would_correct_at_once_is_a_finding(desk: Desk, meanwhile: Meanwhile) -> None:
    contact = desk.lead("NEW", SQL)  # SQL and new is corrected to working, whoever chose it

    def a_person_hesitates() -> None:
        desk.sets(contact, STATUS, "CONNECTED")
        desk.later(seconds=1)
        desk.sets(contact, STATUS, "NEW")

    meanwhile(a_person_hesitates)
    outcome = desk.sync()
    assert values(desk, contact) == ["NEW", "CONNECTED", "NEW", "IN_PROGRESS"]
    [finding] = outcome.tally.findings
    assert "doesn't fit the stage" in finding["message"]


def test_another_writers_value_is_decided_on_as_if_seen_in_time(desk: Desk, meanwhile: Meanwhile) -> None:
    """The mail belongs to the cycle before Recycled: looked at in time, nothing would have been written."""
    contact = written_to(desk)
    meanwhile(lambda: acts.workflow_sets(desk.portal, contact, STATUS, "RECYCLED"))
    desk.sync()
    assert values(desk, contact) == ["NEW", "RECYCLED", "ATTEMPTED_TO_CONTACT", "RECYCLED"]
    assert overrides(desk) == []
    desk.later(days=1)
    assert acted(desk.sync()) == []


def test_another_writers_value_that_the_rule_would_overwrite_anyway_stays_overwritten(
    desk: Desk, meanwhile: Meanwhile
) -> None:
    contact = desk.lead("CONNECTED")
    acts.create_deal(desk.portal, contact, owner=desk.rep, at=ago(hours=1))
    meanwhile(lambda: acts.workflow_sets(desk.portal, contact, STATUS, "IN_PROGRESS"))
    desk.sync()
    assert values(desk, contact) == ["CONNECTED", "IN_PROGRESS", "OPEN_DEAL"]
    desk.later(days=1)
    assert acted(desk.sync()) == []


def test_what_came_after_ours_keeps_an_overwritten_value_from_being_put_back(desk: Desk, meanwhile: Meanwhile) -> None:
    contact = written_to(desk)
    meanwhile(
        lambda: desk.sets(contact, STATUS, "CONNECTED"),
        lambda: acts.workflow_sets(desk.portal, contact, STATUS, "IN_PROGRESS"),
    )
    desk.sync()
    assert values(desk, contact) == ["NEW", "CONNECTED", "ATTEMPTED_TO_CONTACT", "IN_PROGRESS"]


def test_an_unanswered_write_that_went_over_a_persons_value_is_found_and_put_back(
    desk: Desk, meanwhile: Meanwhile
) -> None:
    first = written_to(desk)
    desk.sync()
    contact = written_to(desk)
    meanwhile(lambda: desk.sets(contact, STATUS, "CONNECTED"))
    desk.box.fail("drop_after", path=r"/contacts/batch/update", times=6)
    desk.sync()
    assert values(desk, contact) == ["NEW", "CONNECTED", "ATTEMPTED_TO_CONTACT", "CONNECTED"]
    assert [r.state for r in desk.ledger(contact)] == ["overridden", "applied"]
    assert [r.state for r in desk.ledger(first)] == ["applied"]


def test_a_run_that_ends_before_its_look_is_looked_after_by_the_next(desk: Desk, meanwhile: Meanwhile) -> None:
    contact = written_to(desk)
    meanwhile(
        lambda: desk.sets(contact, STATUS, "CONNECTED"),
        lambda: desk.box.service.rotate(desk.box.token, "pat-na1-another"),
    )
    with pytest.raises(TokenRefused):
        desk.sync()
    assert desk.status(contact) == "ATTEMPTED_TO_CONTACT"
    desk.box.token = "pat-na1-another"
    desk.later(hours=1)
    desk.new_gateway()
    desk.sync()
    assert desk.status(contact) == "CONNECTED"
    assert [r.state for r in desk.ledger(contact)] == ["overridden", "applied"]


def test_the_look_costs_a_read_for_fifty_contacts_and_none_where_nothing_was_written(desk: Desk) -> None:
    contacts = [desk.lead("CONNECTED") for _ in range(60)]
    for contact in contacts:
        desk.sets(contact, STATUS, "QUALIFIED", at=ago(hours=1))
    desk.plan()
    planning = len(desk.requests(READ))
    desk.sync()
    # as many reads as the plan for deciding, two before the write, two after it
    assert len(desk.requests(READ)) == 2 * planning + 4
    before = len(desk.requests(READ))
    desk.sync()
    assert len(desk.requests(READ)) - before <= planning


def test_explain_tells_that_a_value_was_put_back_and_why(desk: Desk, meanwhile: Meanwhile) -> None:
    contact = written_to(desk)
    meanwhile(lambda: desk.sets(contact, STATUS, "CONNECTED"))
    desk.sync()
    said = story(desk.session(), contact)
    assert "Rita Rep had just set another value: put back. That cause stays spent." in said
