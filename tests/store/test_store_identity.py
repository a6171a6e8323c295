"""Contacts that merge, go or must be erased; and what is to be looked at."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hubsync.store import Override, PlanEntry, Settlement, StatusChange, Stint, Store, WorkItem
from tests.store.builders import MINUTE, NOW, PORTAL, a_look, a_run, a_write


def everything_about(store: Store, contact: str) -> int:
    """Puts one row into each table that holds contacts; returns the run."""
    run = a_run(store)
    store.save_looks(PORTAL, [a_look(contact)])
    store.save_history(
        PORTAL,
        [contact],
        [StatusChange(contact, "hs_lead_status", 0, "NEW", NOW, "FORM")],
        [Stint(contact, "hs_lead_status", 0, "NEW", NOW)],
    )
    store.plan_writes(PORTAL, run, [a_write(contact)])
    store.log_overrides(PORTAL, [Override(contact, "rule", "hs_lead_status", NOW, "x", "A", "B", "c")])
    store.append_plan(PORTAL, run, [PlanEntry(contact, "change", "rule", {"to": "NEW"})])
    store.hint(PORTAL, [contact], NOW, "webhook")
    return run


def test_a_merge_takes_ledger_overrides_and_hint_to_the_survivor_and_drops_the_mirror_row(store: Store) -> None:
    everything_about(store, "101")
    store.merge(PORTAL, "101", "202")
    assert [row.contact for row in store.ledger_of(PORTAL, ["101", "202"])["202"]] == ["202"]
    assert [override.contact for override in store.overrides(PORTAL)] == ["202"]
    assert [item.contact for item in store.take_work(PORTAL, NOW, 10)] == ["202"]
    assert store.looks(PORTAL, ["101", "202"]) == {}
    assert store.status_changes(PORTAL, ["101", "202"]) == {}
    assert store.survivors(PORTAL, ["101", "202"]) == {"101": "202"}


def test_where_both_spent_the_same_cause_the_row_of_the_survivor_stands(store: Store) -> None:
    run = a_run(store)
    old, own, survivor = store.plan_writes(
        PORTAL, run, [a_write("101"), a_write("101", cause_key="own"), a_write("202")]
    )
    override = Override("101", "rule", "hs_lead_status", NOW, "x", "A", "B", "c")
    store.log_overrides(PORTAL, [override, Override("202", "rule", "hs_lead_status", NOW, "y", "A", "B", "c")])
    store.merge(PORTAL, "101", "202")
    assert {row.id: row.contact for row in store.writes_of_run(PORTAL, run)} == {
        old.id: "101",
        own.id: "202",
        survivor.id: "202",
    }
    assert [(row.contact, row.by) for row in store.overrides(PORTAL)] == [("101", "x"), ("202", "y")]


def test_a_freed_key_of_the_survivor_does_not_keep_a_spent_cause_away(store: Store) -> None:
    run = a_run(store)
    spent, refused = store.plan_writes(PORTAL, run, [a_write("101"), a_write("202")])
    store.settle(PORTAL, [Settlement(refused.id, "refused", NOW)])
    store.merge(PORTAL, "101", "202")
    [again] = store.plan_writes(PORTAL, run, [a_write("202")])
    assert (again.fresh, again.id) == (False, spent.id)


def test_a_chain_of_merges_leads_to_the_last_survivor(store: Store) -> None:
    store.merge(PORTAL, "101", "202")
    store.merge(PORTAL, "202", "303")
    assert store.survivors(PORTAL, ["101", "202", "303"]) == {"101": "303", "202": "303"}
    assert store.merged_into(PORTAL, "303") == ("101", "202")
    store.merge(PORTAL, "303", "101")
    assert store.survivors(PORTAL, ["101", "202", "303"]) == {"202": "101", "303": "101"}


def test_a_merge_told_twice_changes_nothing(store: Store) -> None:
    run = a_run(store)
    store.plan_writes(PORTAL, run, [a_write("101")])
    store.merge(PORTAL, "101", "202")
    store.merge(PORTAL, "101", "202")
    assert [row.contact for row in store.writes_of_run(PORTAL, run)] == ["202"]
    assert store.merged_into(PORTAL, "202") == ("101",)


def test_values_that_were_written_say_to_which_former_contact(store: Store) -> None:
    run = a_run(store)
    written, refused = store.plan_writes(PORTAL, run, [a_write("101"), a_write("101", target="lifecyclestage")])
    store.mark_sent(PORTAL, [written.id, refused.id], NOW)
    store.settle(PORTAL, [Settlement(written.id, "applied", NOW, note="seen"), Settlement(refused.id, "refused", NOW)])
    store.merge(PORTAL, "101", "202")
    notes = [row.note for row in store.writes_of_run(PORTAL, run)]
    assert notes == ["seen; written to the former contact 101", None]


def test_a_contact_cannot_be_merged_into_itself(store: Store) -> None:
    with pytest.raises(ValueError, match="itself"):
        store.merge(PORTAL, "101", "101")


def test_a_deleted_contact_leaves_only_its_ledger_and_hints(store: Store) -> None:
    run = everything_about(store, "101")
    store.forget(PORTAL, ["101"])
    assert list(store.mirror(PORTAL)) == []
    assert store.status_changes(PORTAL, ["101"]) == {}
    assert store.stints(PORTAL, ["101"]) == {}
    assert len(store.writes_of_run(PORTAL, run)) == 1
    assert len(store.overrides(PORTAL)) == 1
    assert store.waiting(PORTAL) == 1  # perhaps newer than the look that found it gone: somebody restored it


def test_an_erased_contact_is_gone_everywhere_under_every_id_it_had(store: Store) -> None:
    runs = [everything_about(store, contact) for contact in ("101", "202", "303")]
    store.merge(PORTAL, "101", "202")
    store.erase(PORTAL, ["202"], until=NOW + 30 * timedelta(days=1))
    assert store.ledger_of(PORTAL, ["101", "202"]) == {}
    assert [look.contact for look in store.mirror(PORTAL)] == ["303"]
    assert [override.contact for override in store.overrides(PORTAL)] == ["303"]
    assert store.survivors(PORTAL, ["101"]) == {}
    assert [len(list(store.plan(PORTAL, run))) for run in runs] == [0, 0, 1]
    assert store.waiting(PORTAL) == 1
    assert store.buried(PORTAL, ["101", "202", "303"], NOW) == {"101", "202"}


def test_what_was_decided_on_a_contact_before_it_was_erased_is_not_recorded_any_more(store: Store) -> None:
    run = a_run(store)
    store.erase(PORTAL, ["101"], until=NOW + timedelta(days=30))
    planned = store.plan_writes(PORTAL, run, [a_write("101"), a_write("202")])
    assert [entry.fresh for entry in planned] == [False, True]
    store.log_overrides(PORTAL, [Override("101", "rule", "hs_lead_status", NOW, "x", "A", "B", "c")])
    assert store.ledger_of(PORTAL, ["101"]) == {}
    assert store.overrides(PORTAL) == ()


def test_a_late_event_does_not_bring_an_erased_contact_back_until_its_time_is_over(store: Store) -> None:
    end = NOW + MINUTE
    store.erase(PORTAL, ["101"], until=end)
    store.hint(PORTAL, ["101", "102"], NOW, "webhook")
    store.save_looks(PORTAL, [a_look("101"), a_look("102")])
    assert [item.contact for item in store.take_work(PORTAL, end, 10)] == ["102"]
    assert [look.contact for look in store.mirror(PORTAL)] == ["102"]
    assert store.buried(99, ["101"], NOW) == frozenset()
    store.hint(PORTAL, ["101"], end, "poll")
    store.save_looks(PORTAL, [a_look("101", read_at=end)])
    assert sorted(item.contact for item in store.take_work(PORTAL, end, 10)) == ["101", "102"]
    assert store.buried(PORTAL, ["101"], end) == frozenset()
    assert sorted(store.looks(PORTAL, ["101", "102"])) == ["101", "102"]


def test_many_hints_for_a_contact_are_one_look_at_the_earliest_time(store: Store) -> None:
    store.hint(PORTAL, ["101"], NOW + MINUTE, "timer")
    store.hint(PORTAL, ["101", "101", "102"], NOW, "webhook")
    store.hint(PORTAL, ["101"], NOW + 2 * MINUTE, "poll")
    first, second = store.take_work(PORTAL, NOW, 10)
    assert (first.contact, first.due_at, first.attempts, first.why) == ("101", NOW, 0, "poll")
    assert second.contact == "102"
    assert store.waiting(PORTAL) == 2
    assert len(store.take_work(PORTAL, NOW, 1)) == 1
    assert store.take_work(PORTAL, NOW - MINUTE, 10) == ()


def test_a_look_that_is_done_clears_its_hint(store: Store) -> None:
    store.hint(PORTAL, ["101", "102"], NOW, "webhook")
    store.work_done(PORTAL, store.take_work(PORTAL, NOW, 1), NOW)
    assert [item.contact for item in store.take_work(PORTAL, NOW, 10)] == ["102"]


def test_a_hint_that_came_during_a_look_is_not_lost(store: Store) -> None:
    store.hint(PORTAL, ["101"], NOW, "webhook")
    taken = store.take_work(PORTAL, NOW, 10)
    store.hint(PORTAL, ["101"], NOW, "webhook")
    store.work_done(PORTAL, taken, NOW)
    [again] = store.take_work(PORTAL, NOW, 10)
    assert again.generation > taken[0].generation


def test_a_contact_that_changes_during_each_look_keeps_nobody_else_waiting(store: Store) -> None:
    looked: list[str] = []
    store.hint(PORTAL, ["101", "102", "103"], NOW, "webhook")
    for minute in range(1, 5):
        taken_at = NOW + minute * MINUTE
        taken = store.take_work(PORTAL, taken_at, 1)
        looked += [item.contact for item in taken]
        store.hint(PORTAL, ["101", "102", "103"], taken_at, "webhook")
        store.work_done(PORTAL, taken, taken_at)
    assert looked == ["101", "102", "103", "101"]
    assert {item.due_at for item in store.take_work(PORTAL, NOW + 9 * MINUTE, 10)} == {
        NOW + minute * MINUTE for minute in (2, 3, 4)
    }


def test_a_generation_never_comes_back(store: Store) -> None:
    seen: list[WorkItem] = []
    for _ in range(5):
        store.hint(PORTAL, ["101"], NOW, "webhook")
        seen.extend(store.take_work(PORTAL, NOW, 10))
        store.work_done(PORTAL, seen[-1:], NOW)
    assert len({item.generation for item in seen}) == 5


def test_a_look_that_failed_is_counted_and_put_off(store: Store) -> None:
    store.hint(PORTAL, ["101"], NOW, "webhook")
    store.work_failed(PORTAL, store.take_work(PORTAL, NOW, 10), NOW + MINUTE)
    assert store.take_work(PORTAL, NOW, 10) == ()
    [item] = store.take_work(PORTAL, NOW + MINUTE, 10)
    assert (item.attempts, item.due_at) == (1, NOW + MINUTE)


def test_a_hint_newer_than_a_failed_look_keeps_its_own_time(store: Store) -> None:
    store.hint(PORTAL, ["101"], NOW, "webhook")
    taken = store.take_work(PORTAL, NOW, 10)
    store.hint(PORTAL, ["101"], NOW, "webhook")
    store.work_failed(PORTAL, taken, NOW + MINUTE)
    [item] = store.take_work(PORTAL, NOW, 10)
    assert (item.attempts, item.due_at) == (1, NOW)
