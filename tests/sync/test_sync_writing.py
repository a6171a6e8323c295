"""What can happen to a plan on its way into the portal: people who were quicker, values HubSpot refuses, a bad network.

Whatever happens, a run says what landed, one contact never stops the others, and nothing is written twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from hubsync.cli.sync import landed
from hubsync.errors import PortalTemporaryError, TokenRefused
from hubsync.sandbox import acts
from hubsync.sandbox.http import batch
from hubsync.sync.reconcile import Outcome
from hubsync.sync.writing import Writer
from tests.sync.desk import SQL, STAGE, STATUS, Desk, acted, ago, states

UPDATE = r"/contacts/batch/update"
CREATE = r"/tasks/batch/create"
PLANNED = "after the plan"
READ = "after the last look"


@pytest.fixture
def meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], None]:
    """`meanwhile(PLANNED, act)`: something happens once the plan stands; with READ, right before the write. Once."""

    def install(when: str, act: Callable[[], object]) -> None:
        if when == PLANNED:
            owner, name = Writer, "write_all"
            original = Writer.write_all
        else:
            owner, name = desk.gateway, "update_contacts"  # type: ignore[assignment]
            original = desk.gateway.update_contacts  # type: ignore[assignment]

        acts_to_come = [act]

        def first_something_else(*given: object) -> object:
            while acts_to_come:
                acts_to_come.pop()()
            return original(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(owner, name, first_something_else)

    return install


def qualified(desk: Desk) -> str:
    """A lead that was qualified an hour ago, so that its stage is to become SQL."""
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED", at=ago(hours=1))
    return contact


def by_contact(outcome: Outcome) -> dict[str, str]:
    return {c["contact"]: c["state"] for c in outcome.tally.changes}


def assert_written_once(desk: Desk) -> None:
    """Each property of each contact was effectively written once at most, and no contact has two open tasks."""
    assert set(Counter((w.id, w.property) for w in desk.written()).values()) <= {1}
    assert all(len(desk.tasks(contact)) <= 1 for contact in desk.portal.contacts())


# People who are quicker ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", [PLANNED, READ])
def test_a_contact_deleted_meanwhile_is_passed_over_and_the_others_land(
    desk: Desk, meanwhile: Callable[..., None], when: str
) -> None:
    gone, stays = qualified(desk), qualified(desk)
    meanwhile(when, lambda: acts.delete_contact(desk.portal, gone))
    outcome = desk.sync()
    assert desk.stage(stays) == SQL
    assert by_contact(outcome) == ({stays: "applied"} if when == PLANNED else {stays: "applied", gone: "refused"})
    assert [w.id for w in desk.written(STAGE)] == [stays]


@pytest.mark.parametrize("when", [PLANNED, READ])
def test_a_contact_merged_away_meanwhile_is_not_written_and_the_others_land(
    desk: Desk, meanwhile: Callable[..., None], when: str
) -> None:
    survivor, gone, stays = desk.lead("NURTURE"), qualified(desk), qualified(desk)
    meanwhile(when, lambda: acts.merge_contacts(desk.portal, survivor, gone))
    outcome = desk.sync()
    assert by_contact(outcome)[stays] == "applied"
    assert by_contact(outcome).get(gone, "refused") == "refused"
    assert {w.id for w in desk.written(STAGE)} == {stays}
    desk.later(days=1)
    assert "applied" not in [c["state"] for c in desk.sync().tally.changes if c["contact"] == gone]


def test_what_a_person_chose_between_plan_and_write_is_not_overwritten(
    desk: Desk, meanwhile: Callable[..., None]
) -> None:
    contact, other = desk.lead("NEW", at=ago(days=2)), desk.lead("NEW", at=ago(days=2))
    for each in (contact, other):
        acts.rep_sends_email(desk.portal, each, desk.rep, at=ago(hours=1))
    meanwhile(PLANNED, lambda: desk.sets(contact, STATUS, "CONNECTED"))
    outcome = desk.sync()
    assert (desk.status(contact), desk.status(other)) == ("CONNECTED", "ATTEMPTED_TO_CONTACT")
    assert by_contact(outcome) == {other: "applied"}
    assert [(w.id, w.after) for w in desk.written(STATUS)] == [(other, "ATTEMPTED_TO_CONTACT")]


def test_a_contact_that_moved_on_between_plan_and_write_is_decided_on_anew(
    desk: Desk, meanwhile: Callable[..., None]
) -> None:
    contact = desk.lead("NEW", at=ago(days=2))
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(hours=1))

    def a_workflow_makes_it_an_sql() -> None:
        acts.workflow_sets(desk.portal, contact, STATUS, "RECYCLED", at=ago(minutes=20))

    meanwhile(PLANNED, a_workflow_makes_it_an_sql)
    outcome = desk.sync()
    # The mail belongs to the cycle before Recycled, so that nothing is left to do.
    assert (desk.status(contact), outcome.tally.changes) == ("RECYCLED", [])


# Values that HubSpot refuses or keeps ---------------------------------------------------------------------------------


@pytest.mark.parametrize("heeds_traces", [True, False], ids=["207 by trace id", "400 for the whole batch"])
def test_one_invalid_value_in_a_batch_of_a_hundred_stops_none_of_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, heeds_traces: bool
) -> None:
    if not heeds_traces:  # whether HubSpot heeds them on updates is not known (hubspot-api 2.4)
        monkeypatch.setattr(batch, "_traced", lambda _inputs: False)
    others = [qualified(desk) for _ in range(99)]
    guilty = desk.lead("CONNECTED")
    deal = acts.create_deal(desk.portal, guilty, owner=desk.rep, at=ago(days=3))
    acts.lose_deal(desk.portal, deal, "competitor", at=ago(hours=1))
    desk.bound()  # the run knows the options of a moment ago
    options = desk.portal.schemas.properties["contacts"]["hubsync_reason"].options
    desk.portal.schemas.set_options("contacts", "hubsync_reason", [o for o in options if o.value != "competitor"])
    outcome = desk.sync()
    assert {desk.stage(c) for c in others} == {SQL}
    refused = [(c["contact"], c["property"], c["to"]) for c in outcome.tally.changes if c["state"] == "refused"]
    assert (guilty, "hubsync_reason", "competitor") in refused
    assert {contact for contact, _, _ in refused} == {guilty}
    assert not landed(outcome)
    [row] = [r for r in desk.ledger(guilty) if r.target == "hubsync_reason" and r.state == "refused"]
    assert "competitor was not one of the allowed options" in (row.answer or "")
    assert len(desk.requests("/contacts/batch/update")) == (1 if heeds_traces else 2)
    desk.portal.schemas.set_options("contacts", "hubsync_reason", options)
    desk.sync()
    assert (desk.status(guilty), desk.value(guilty, "hubsync_reason")) == ("DISQUALIFIED", "competitor")
    assert_written_once(desk)


def test_a_property_deleted_meanwhile_is_refused_by_name_and_stops_nobody(desk: Desk) -> None:
    guilty, other = desk.lead("CONNECTED"), qualified(desk)
    deal = acts.create_deal(desk.portal, guilty, owner=desk.rep, at=ago(days=3))
    acts.lose_deal(desk.portal, deal, "budget", at=ago(hours=1))
    desk.bound()
    desk.portal.schemas.remove_property("contacts", "hubsync_review_date")
    outcome = desk.sync()
    assert by_contact(outcome)[other] == "applied"
    assert by_contact(outcome)[guilty] == "refused"
    assert any("hubsync_review_date" in (r.answer or "") for r in desk.ledger(guilty))
    desk.rebind()
    desk.sync()
    assert desk.status(guilty) == "BAD_TIMING"


def test_a_stage_that_hubspot_keeps_is_not_taken_for_a_success(desk: Desk, meanwhile: Callable[..., None]) -> None:
    desk.portal.schemas.add_stage("98765", "Evaluation", after=SQL)
    kept, other = qualified(desk), qualified(desk)
    meanwhile(READ, lambda: acts.workflow_sets(desk.portal, kept, STAGE, "98765"))
    outcome = desk.sync()
    assert desk.stage(kept) == "98765"
    assert by_contact(outcome) == {kept: "not_applied", other: "applied"}
    assert not landed(outcome)
    [row] = desk.ledger(kept)
    assert (row.state, row.answer) == ("not_applied", "HubSpot kept another value of lifecyclestage")


def test_a_stage_that_has_moved_further_by_itself_is_as_good(desk: Desk, meanwhile: Callable[..., None]) -> None:
    contact = qualified(desk)
    meanwhile(READ, lambda: acts.workflow_sets(desk.portal, contact, STAGE, "opportunity"))
    outcome = desk.sync()
    assert (desk.stage(contact), by_contact(outcome)) == ("opportunity", {contact: "applied"})


def test_a_task_that_hubspot_refuses_stops_no_other_task(desk: Desk) -> None:
    fine, guilty = desk.lead("NEW", at=ago(hours=1)), desk.lead("NEW", at=ago(hours=1))
    desk.portal.tables["contacts"].records[guilty].values["hubspot_owner_id"] = "999"
    outcome = desk.sync()
    assert {t["contact"]: t["state"] for t in outcome.tally.tasks} == {fine: "applied", guilty: "refused"}
    assert (len(desk.tasks(fine)), desk.tasks(guilty)) == (1, [])
    [row] = [r for r in desk.ledger(guilty) if r.kind == "task"]
    assert "Owner" in (row.answer or "")
    assert not landed(outcome)


# A bad network --------------------------------------------------------------------------------------------------------

TROUBLE = ["rate_limited", "error_json", "error_html", "drop_before", "locked"]
TROUBLE_AFTER_THE_EFFECT = ["drop_after", "error_after", "html_ok", "truncated", "shortened"]


@pytest.mark.parametrize("kind", [*TROUBLE, *TROUBLE_AFTER_THE_EFFECT])
def test_an_update_that_fails_twice_lands_all_the_same(desk: Desk, kind: str) -> None:
    contacts = [qualified(desk) for _ in range(3)]
    desk.box.fail(kind, path=UPDATE, times=2)
    outcome = desk.sync()
    assert by_contact(outcome) == dict.fromkeys(contacts, "applied")
    assert {desk.stage(c) for c in contacts} == {SQL}
    assert landed(outcome)
    assert_written_once(desk)


@pytest.mark.parametrize("kind", ["rate_limited", "error_json", "drop_after", "html_ok", "truncated"])
def test_reads_that_fail_twice_change_nothing_of_the_outcome(desk: Desk, kind: str) -> None:
    contact = qualified(desk)
    for path in (r"objects/contacts\?", r"/contacts/batch/read"):
        desk.box.fail(kind, path=path, times=2)
    assert by_contact(desk.sync()) == {contact: "applied"}


def test_an_update_without_any_answer_that_took_effect_is_found_in_the_history(desk: Desk) -> None:
    contact = qualified(desk)
    desk.box.fail("drop_after", path=UPDATE)
    outcome = desk.sync()
    assert by_contact(outcome) == {contact: "applied"}
    assert [(r.state, r.note) for r in desk.ledger(contact)] == [("applied", "found in the history")]
    assert_written_once(desk)


def test_an_update_without_any_answer_that_took_none_is_written_by_the_next_run(desk: Desk) -> None:
    contact = qualified(desk)
    desk.box.fail("drop_before", path=UPDATE)
    outcome = desk.sync()
    assert by_contact(outcome) == {contact: "not_applied"}
    assert not landed(outcome)
    desk.box.service.faults.clear()
    assert by_contact(desk.sync()) == {contact: "applied"}
    assert [r.state for r in desk.ledger(contact)] == ["not_applied", "applied"]
    assert_written_once(desk)


def test_a_task_whose_answer_was_lost_is_found_by_the_next_run_and_not_written_again(desk: Desk) -> None:
    contact = desk.lead("NEW", at=ago(hours=1))
    desk.box.fail("drop_after", path=CREATE, times=1)
    outcome = desk.sync()
    assert [t["state"] for t in outcome.tally.tasks] == ["uncertain"]
    assert not landed(outcome)
    [task] = desk.tasks(contact)
    assert acted(desk.sync()) == []
    [row] = [r for r in desk.ledger(contact) if r.kind == "task"]
    assert (row.state, row.object_id) == ("applied", task.id)
    assert len(desk.tasks(contact)) == 1


@pytest.mark.parametrize("kind", ["drop_before", "error_json", "error_html"])
def test_a_task_that_may_still_be_under_way_is_not_written_again_before_it_can_be_known(desk: Desk, kind: str) -> None:
    contact = desk.lead("NEW", at=ago(hours=1))
    desk.box.fail(kind, path=CREATE, times=1)
    assert [t["state"] for t in desk.sync().tally.tasks] == ["uncertain"]
    desk.later(seconds=100)
    assert (desk.sync().tally.tasks, desk.tasks(contact)) == ([], [])
    desk.later(seconds=60)
    assert (desk.sync().tally.tasks, desk.tasks(contact)) == ([], [])  # missed once; two reads must miss it
    desk.later(seconds=30)
    assert [t["state"] for t in desk.sync().tally.tasks] == ["applied"]
    assert len(desk.tasks(contact)) == 1
    assert [r.state for r in desk.ledger(contact) if r.kind == "task"] == ["not_applied", "applied"]


@pytest.mark.parametrize("kind", ["error_after", "html_ok", "truncated"])
def test_a_created_task_with_a_spoilt_answer_stays_the_only_one(desk: Desk, kind: str) -> None:
    contact = desk.lead("NEW", at=ago(hours=1))
    desk.box.fail(kind, path=CREATE, times=1)
    desk.sync()
    for _ in range(2):
        desk.later(minutes=5)
        desk.sync()
    assert len(desk.tasks(contact)) == 1


def test_a_429_on_a_task_is_tried_again_since_nothing_was_done(desk: Desk) -> None:
    contact = desk.lead("NEW", at=ago(hours=1))
    desk.box.fail("rate_limited", path=CREATE, times=3)
    assert [t["state"] for t in desk.sync().tally.tasks] == ["applied"]
    assert len(desk.tasks(contact)) == 1


def test_a_portal_that_answers_reads_with_html_is_not_written_to(desk: Desk) -> None:
    contact = qualified(desk)
    desk.bound()
    desk.box.fail("html_ok", path=r"objects/contacts\?")
    with pytest.raises(PortalTemporaryError, match="no answer"):
        desk.sync()
    assert desk.written() == []
    run = desk.store.runs(desk.portal.portal_id, 1)[0]
    assert run.state == "failed"
    desk.box.service.faults.clear()
    assert by_contact(desk.sync()) == {contact: "applied"}


def test_a_token_that_stops_working_ends_the_run_and_the_next_one_finishes_it(
    desk: Desk, meanwhile: Callable[..., None]
) -> None:
    contacts = [qualified(desk) for _ in range(2)]
    old = desk.box.token
    meanwhile(READ, lambda: desk.box.service.rotate(old, "pat-na1-another"))
    with pytest.raises(TokenRefused):
        desk.sync()
    assert desk.written() == []
    desk.box.token = "pat-na1-another"
    desk.new_gateway()
    assert by_contact(desk.sync()) == dict.fromkeys(contacts, "applied")
    assert_written_once(desk)


def test_a_rotated_token_is_picked_up_in_the_middle_of_a_run(desk: Desk, meanwhile: Callable[..., None]) -> None:
    contact = qualified(desk)
    meanwhile(READ, desk.box.rotate_token)
    assert by_contact(desk.sync()) == {contact: "applied"}


def test_a_missing_scope_for_deals_is_named(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(scopes=frozenset({"crm.objects.contacts.read", "crm.objects.contacts.write"}))
    with pytest.raises(TokenRefused, match=r"crm\.objects\.deals\.read"):
        desk.sync()


def test_states_of_a_faultless_run_are_applied_alone(desk: Desk) -> None:
    contacts = [qualified(desk) for _ in range(4)]
    outcome = desk.sync()
    assert states(outcome) == [("qualified_moves_the_stage", SQL, "applied")] * len(contacts)
    assert landed(outcome)
