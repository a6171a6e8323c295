"""The ledger: a cause fires once, every write is on record before its call, states only move forward."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hubsync.store import Override, Settlement, Store, WriteState
from hubsync.store.ledger import COMPLETED
from tests.store.builders import MINUTE, NOW, PORTAL, a_run, a_write


def states(store: Store, contact: str = "101") -> list[str]:
    return [row.state for row in store.ledger_of(PORTAL, [contact]).get(contact, ())]


def test_a_planned_write_comes_back_as_it_was_given(store: Store) -> None:
    run = a_run(store)
    [planned] = store.plan_writes(
        PORTAL,
        run,
        [
            a_write(
                playbook="A3",
                cause_kind="engagement",
                cause_at=NOW,
                cause_id="900",
                before=None,
                below="2026-03-01T09:00:00.000Z",
                rules_digest="rules-1",
                facts={"lead_status": "new", "attempts": 1, "reply": None, "labels": ["Zoë ✓"]},
                effective_at=NOW - MINUTE,
                ref="ABCDEFGHIJ",
                note="first outreach",
            )
        ],
    )
    [row] = store.writes_of_run(PORTAL, run)
    assert (row.id, row.run, row.contact, row.state) == (planned.id, run, "101", "planned")
    assert (row.playbook, row.cause_kind, row.cause_at, row.cause_id) == ("A3", "engagement", NOW, "900")
    assert (row.before, row.after, row.below) == (None, "ATTEMPTED_TO_CONTACT", "2026-03-01T09:00:00.000Z")
    assert row.facts == {"lead_status": "new", "attempts": 1, "reply": None, "labels": ["Zoë ✓"]}
    assert (row.effective_at, row.ref, row.note) == (NOW - MINUTE, "ABCDEFGHIJ", "first outreach")
    assert (row.sent_at, row.answered_at, row.closed_at, row.answer, row.object_id) == (None,) * 5


def test_the_same_cause_is_planned_once(store: Store) -> None:
    run = a_run(store)
    [first] = store.plan_writes(PORTAL, run, [a_write()])
    [second] = store.plan_writes(PORTAL, a_run(store), [a_write(after="another value")])
    assert first.fresh
    assert (second.id, second.fresh, second.state) == (first.id, False, "planned")
    assert states(store) == ["planned"]


def test_of_equal_keys_in_one_call_the_first_is_recorded_and_the_others_are_told_so(store: Store) -> None:
    rows = [a_write("101"), a_write("102"), a_write("101", after="late"), a_write("103")]
    planned = store.plan_writes(PORTAL, a_run(store), rows)
    assert [answer.fresh for answer in planned] == [True, True, False, True]
    assert planned[2].id == planned[0].id
    assert [row.after for row in store.ledger_of(PORTAL, ["101"])["101"]] == ["ATTEMPTED_TO_CONTACT"]


@pytest.mark.parametrize(
    "difference", [{"rule": "other"}, {"cause_key": "other"}, {"target": "lifecyclestage"}, {"contact": "102"}]
)
def test_each_part_of_the_key_tells_causes_apart(store: Store, difference: dict[str, str]) -> None:
    planned = store.plan_writes(PORTAL, a_run(store), [a_write(), a_write(**difference)])
    assert [answer.fresh for answer in planned] == [True, True]


def test_the_same_key_in_another_portal_is_another_cause(store: Store) -> None:
    store.plan_writes(PORTAL, a_run(store), [a_write()])
    [other] = store.plan_writes(99, a_run(store, portal=99), [a_write()])
    assert other.fresh
    assert len(store.ledger_of(99, ["101"])["101"]) == 1


@pytest.mark.parametrize("state", ["refused", "not_applied"])
def test_a_write_that_did_not_land_frees_its_key(store: Store, state: WriteState) -> None:
    run = a_run(store)
    [first] = store.plan_writes(PORTAL, run, [a_write()])
    store.mark_sent(PORTAL, [first.id], NOW)
    store.settle(PORTAL, [Settlement(first.id, state, NOW, answer="X was not one of the allowed options")])
    [again] = store.plan_writes(PORTAL, run, [a_write()])
    assert again.fresh
    assert states(store) == [state, "planned"]


@pytest.mark.parametrize("last", ["applied", "overridden", "undone", "superseded"])
def test_a_cause_that_fired_stays_spent_whatever_became_of_it(store: Store, last: WriteState) -> None:
    [row] = store.plan_writes(PORTAL, a_run(store), [a_write()])
    if last in {"overridden", "undone"}:
        store.settle(PORTAL, [Settlement(row.id, "applied", NOW)])
    assert store.settle(PORTAL, [Settlement(row.id, last, NOW)]) == ()
    [again] = store.plan_writes(PORTAL, a_run(store), [a_write()])
    assert (again.id, again.fresh, again.state) == (row.id, False, last)


def test_a_superseded_cause_is_spent_without_a_call(store: Store) -> None:
    [row] = store.plan_writes(PORTAL, a_run(store), [a_write(state="superseded")])
    assert (row.fresh, row.state) == (True, "superseded")
    [again] = store.plan_writes(PORTAL, a_run(store), [a_write()])
    assert not again.fresh


def test_a_write_goes_from_planned_to_sent_to_its_outcome(store: Store) -> None:
    run = a_run(store)
    [row] = store.plan_writes(PORTAL, run, [a_write(kind="task", target="first_contact")])
    store.mark_sent(PORTAL, [row.id], NOW)
    [sent] = store.writes_of_run(PORTAL, run)
    assert (sent.state, sent.sent_at) == ("sent", NOW)
    left = store.settle(PORTAL, [Settlement(row.id, "applied", NOW + MINUTE, object_id="777", note="created")])
    [done] = store.writes_of_run(PORTAL, run)
    assert left == ()
    assert (done.state, done.object_id, done.note, done.answered_at) == ("applied", "777", "created", NOW + MINUTE)


def test_a_later_word_on_a_write_keeps_what_was_known_of_it(store: Store) -> None:
    run = a_run(store)
    [row] = store.plan_writes(PORTAL, run, [a_write()])
    store.settle(PORTAL, [Settlement(row.id, "applied", NOW, answer="200", object_id="777")])
    store.settle(PORTAL, [Settlement(row.id, "overridden", NOW + MINUTE, note="put back by a person")])
    [done] = store.writes_of_run(PORTAL, run)
    assert (done.state, done.answer, done.object_id, done.answered_at) == ("overridden", "200", "777", NOW)
    assert done.note == "put back by a person"


def test_an_outcome_that_comes_too_late_changes_nothing_and_is_named(store: Store) -> None:
    run = a_run(store)
    [freed, taken] = store.plan_writes(PORTAL, run, [a_write("101"), a_write("102")])
    store.settle(PORTAL, [Settlement(freed.id, "refused", NOW)])
    store.plan_writes(PORTAL, run, [a_write("101")])
    late = [
        Settlement(freed.id, "applied", NOW),
        Settlement(taken.id, "applied", NOW),
        Settlement(4_000, "applied", NOW),
    ]
    assert store.settle(PORTAL, late) == (freed.id, 4_000)
    assert states(store, "101") == ["refused", "planned"]
    assert states(store, "102") == ["applied"]


def test_of_two_outcomes_for_one_write_the_first_counts(store: Store) -> None:
    [row] = store.plan_writes(PORTAL, a_run(store), [a_write()])
    left = store.settle(PORTAL, [Settlement(row.id, "refused", NOW), Settlement(row.id, "applied", NOW)])
    assert left == (row.id,)
    assert states(store) == ["refused"]


def test_only_planned_writes_become_sent(store: Store) -> None:
    [row] = store.plan_writes(PORTAL, a_run(store), [a_write()])
    store.settle(PORTAL, [Settlement(row.id, "refused", NOW)])
    store.mark_sent(PORTAL, [row.id], NOW)
    assert states(store) == ["refused"]


def test_another_portal_cannot_settle_or_send_a_write(store: Store) -> None:
    [row] = store.plan_writes(PORTAL, a_run(store), [a_write()])
    store.mark_sent(99, [row.id], NOW)
    assert store.settle(99, [Settlement(row.id, "applied", NOW)]) == (row.id,)
    assert states(store) == ["planned"]


def test_rows_in_flight_of_a_run_under_the_live_lease_are_not_unsettled(store: Store) -> None:
    epoch = store.acquire_lease(PORTAL, "one", 60)
    assert epoch == 1
    store.plan_writes(PORTAL, a_run(store, epoch=epoch), [a_write()])
    assert store.unsettled(PORTAL) == ()


def test_rows_in_flight_of_a_lease_that_ended_are_unsettled(store: Store) -> None:
    old = store.acquire_lease(PORTAL, "one", 0)
    [planned, sent, done] = store.plan_writes(
        PORTAL, a_run(store, epoch=old), [a_write("101"), a_write("102"), a_write("103")]
    )
    store.mark_sent(PORTAL, [sent.id], NOW)
    store.settle(PORTAL, [Settlement(done.id, "applied", NOW)])
    new = store.acquire_lease(PORTAL, "two", 60)
    store.plan_writes(PORTAL, a_run(store, epoch=new), [a_write("104")])
    assert [(row.id, row.state) for row in store.unsettled(PORTAL)] == [(planned.id, "planned"), (sent.id, "sent")]


def test_rows_that_a_finished_run_left_in_flight_are_unsettled_even_under_its_own_lease(store: Store) -> None:
    epoch = store.acquire_lease(PORTAL, "one", 60)
    run = a_run(store, epoch=epoch)
    [row] = store.plan_writes(PORTAL, run, [a_write()])
    store.finish_run(PORTAL, run, "failed", {}, NOW)
    assert [left.id for left in store.unsettled(PORTAL)] == [row.id]


def test_open_tasks_are_those_not_known_to_be_closed(store: Store) -> None:
    run = a_run(store)
    tasks = [a_write("101", kind="task", target=f"t{number}") for number in range(4)]
    planned, created, closed, refused = store.plan_writes(PORTAL, run, tasks)
    store.plan_writes(PORTAL, run, [a_write("101")])
    store.settle(
        PORTAL,
        [
            Settlement(created.id, "applied", NOW, object_id="1"),
            Settlement(closed.id, "applied", NOW, object_id="2"),
            Settlement(refused.id, "refused", NOW),
        ],
    )
    store.close_tasks(PORTAL, {closed.id: NOW + MINUTE}, COMPLETED)
    store.close_tasks(PORTAL, {closed.id: NOW + 5 * MINUTE})
    found = store.open_tasks(PORTAL, ["101", "102"])
    assert {contact: [row.id for row in rows] for contact, rows in found.items()} == {"101": [planned.id, created.id]}
    row = store.writes_of_run(PORTAL, run)[2]
    assert (row.closed_at, row.note) == (NOW + MINUTE, COMPLETED)


def test_an_override_is_logged_once(store: Store) -> None:
    override = Override("101", "rule", "hs_lead_status", NOW, "CRM_UI:userId:7", "CONNECTED", "NEW", "cause", 12)
    store.log_overrides(PORTAL, [override])
    store.log_overrides(
        PORTAL, [override, Override("102", "rule", "hs_lead_status", NOW - MINUTE, "x", None, None, "c")]
    )
    assert [row.contact for row in store.overrides(PORTAL)] == ["102", "101"]
    assert store.overrides(PORTAL, since=NOW) == (override,)


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    naive = datetime(2026, 3, 2, 9, 30, tzinfo=UTC).replace(tzinfo=None)
    with pytest.raises(ValueError, match="without a time zone"):
        store.plan_writes(PORTAL, a_run(store), [a_write(cause_at=naive)])
    assert store.ledger_of(PORTAL, ["101"]) == {}
