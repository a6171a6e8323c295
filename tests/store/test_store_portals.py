"""What is remembered of portals, rules and runs, and the lease."""

from __future__ import annotations

import pytest

from hubsync.store import Override, Portal, Settlement, Store
from tests.store.builders import MINUTE, NOW, PORTAL, a_run, a_write


def test_a_database_knows_the_portal_it_serves(store: Store) -> None:
    assert store.known_portal() == PORTAL
    store.remember_portal(PORTAL, at=NOW + MINUTE, time_zone="US/Eastern")
    store.remember_portal(PORTAL, at=NOW + MINUTE, app_id="54321")
    store.remember_portal(PORTAL, at=NOW + MINUTE, ui_domain="app-eu1.hubspot.com")
    assert store.portals() == (Portal(PORTAL, "US/Eastern", "54321", None, None, NOW, "app-eu1.hubspot.com"),)


def test_a_database_of_several_portals_has_no_one_portal_and_lists_them(store: Store) -> None:
    store.remember_portal(99, at=NOW)
    assert store.known_portal() is None
    assert [portal.id for portal in store.portals()] == [99, PORTAL]


def test_the_moment_from_which_causes_count_is_exact_to_the_microsecond(store: Store) -> None:
    assert store.effective_since(PORTAL) is None
    store.set_effective_since(PORTAL, NOW)
    assert store.effective_since(PORTAL) == NOW
    store.set_effective_since(PORTAL, NOW - MINUTE)
    assert store.effective_since(PORTAL) == NOW - MINUTE


def test_nothing_can_be_set_for_a_portal_that_is_not_remembered(store: Store) -> None:
    with pytest.raises(KeyError, match="portal 99"):
        store.set_effective_since(99, NOW)


def test_the_digest_of_the_rules_in_force_is_shared(store: Store) -> None:
    assert store.active_digest(PORTAL) is None
    store.set_active_digest(PORTAL, "rules-2")
    assert store.active_digest(PORTAL) == "rules-2"


def test_cursors_move_and_are_kept_apart_by_portal_and_name(store: Store) -> None:
    store.set_cursor(PORTAL, "poll", "1")
    store.set_cursor(PORTAL, "poll", "2")
    store.set_cursor(PORTAL, "deals", "3")
    assert (store.cursor(PORTAL, "poll"), store.cursor(PORTAL, "deals"), store.cursor(99, "poll")) == ("2", "3", None)


def test_a_rule_is_active_since_it_was_first_seen(store: Store) -> None:
    assert store.activate_rules(PORTAL, ["a", "b"], NOW) == {"a": NOW, "b": NOW}
    later = store.activate_rules(PORTAL, ["b", "c"], NOW + MINUTE)
    assert later == {"a": NOW, "b": NOW, "c": NOW + MINUTE} == store.activations(PORTAL)
    assert store.activations(99) == {}


def test_a_renamed_rule_takes_its_moment_its_ledger_and_its_overrides_along(store: Store) -> None:
    store.activate_rules(PORTAL, ["old"], NOW)
    [row] = store.plan_writes(PORTAL, a_run(store), [a_write(rule="old")])
    store.settle(PORTAL, [Settlement(row.id, "applied", NOW)])
    store.log_overrides(PORTAL, [Override("101", "old", "hs_lead_status", NOW, "x", "A", "B", "c", row.id)])
    for _ in range(2):
        assert store.activate_rules(PORTAL, ["new"], NOW + MINUTE, was={"new": ["old"]}) == {"new": NOW}
    [again] = store.plan_writes(PORTAL, a_run(store), [a_write(rule="new")])
    assert (again.fresh, again.id) == (False, row.id)
    assert [override.rule for override in store.overrides(PORTAL)] == ["new"]


def test_two_rules_that_become_one_keep_the_earliest_moment_and_every_spent_cause(store: Store) -> None:
    store.activate_rules(PORTAL, ["first"], NOW)
    store.activate_rules(PORTAL, ["second"], NOW + MINUTE)
    run = a_run(store)
    both, alone, refused = store.plan_writes(
        PORTAL,
        run,
        [a_write(rule="first"), a_write(rule="second", cause_key="own"), a_write(rule="second", cause_key="no")],
    )
    [clash] = store.plan_writes(PORTAL, run, [a_write(rule="second")])
    store.settle(PORTAL, [Settlement(refused.id, "refused", NOW)])
    assert store.activate_rules(PORTAL, ["one"], NOW, was={"one": ["first", "second"]}) == {"one": NOW}
    rules = {row.id: row.rule for row in store.writes_of_run(PORTAL, run)}
    assert rules == {both.id: "one", alone.id: "one", refused.id: "one", clash.id: "second"}


def test_a_rule_renamed_in_one_portal_is_left_alone_in_another(store: Store) -> None:
    for portal in (PORTAL, 99):
        store.activate_rules(portal, ["old"], NOW)
        store.plan_writes(portal, a_run(store, portal=portal), [a_write(rule="old")])
    store.activate_rules(PORTAL, ["new"], NOW, was={"new": ["old"]})
    assert store.activations(99) == {"old": NOW}
    assert [row.rule for row in store.ledger_of(99, ["101"])["101"]] == ["old"]


def test_a_run_is_numbered_recorded_and_closed(store: Store) -> None:
    run = store.start_run(PORTAL, "sync", {"full": True, "contacts": ["1"]}, "rules-1", NOW, epoch=3)
    assert run == 1
    started = store.run(PORTAL, run)
    assert started is not None
    assert (started.kind, started.args, started.state, started.epoch) == (
        "sync",
        {"full": True, "contacts": ["1"]},
        "running",
        3,
    )
    store.finish_run(PORTAL, run, "done", {"applied": 2}, NOW + MINUTE)
    finished = store.run(PORTAL, run)
    assert finished is not None
    assert (finished.state, finished.counts, finished.started_at, finished.finished_at) == (
        "done",
        {"applied": 2},
        NOW,
        NOW + MINUTE,
    )


def test_runs_are_listed_newest_first_and_per_portal(store: Store) -> None:
    numbers = [a_run(store) for _ in range(3)]
    other = a_run(store, portal=99)
    assert [run.id for run in store.runs(PORTAL)] == numbers[::-1]
    assert [run.id for run in store.runs(PORTAL, limit=1)] == numbers[-1:]
    assert store.run(PORTAL, other) is None
    with pytest.raises(KeyError, match="no run"):
        store.finish_run(PORTAL, other, "done", {}, NOW)


def test_runs_of_a_dead_lease_are_closed_as_interrupted(store: Store) -> None:
    dead = a_run(store, epoch=store.acquire_lease(PORTAL, "one", 0))
    alive = a_run(store, epoch=store.acquire_lease(PORTAL, "two", 60))
    dry = a_run(store)
    assert store.close_dead_runs(PORTAL, NOW) == 1
    states = {run.id: run.state for run in store.runs(PORTAL)}
    assert states == {dead: "interrupted", alive: "running", dry: "running"}


def test_a_lease_has_one_holder_until_it_is_released(store: Store) -> None:
    epoch = store.acquire_lease(PORTAL, "one", 60)
    assert epoch == 1
    assert store.acquire_lease(PORTAL, "two", 60) is None
    holder = store.lease_holder(PORTAL)
    assert holder is not None
    assert (holder.holder, holder.epoch) == ("one", 1)
    assert store.acquire_lease(99, "two", 60) == 1, "another portal has a lease of its own"
    store.release_lease(PORTAL, epoch)
    assert store.lease_holder(PORTAL) is None
    assert store.acquire_lease(PORTAL, "two", 60) == 2


def test_a_lease_that_ran_out_goes_to_the_next_and_cannot_be_renewed(store: Store) -> None:
    old = store.acquire_lease(PORTAL, "one", 0)
    assert old is not None
    assert store.lease_holder(PORTAL) is None
    assert not store.renew_lease(PORTAL, old, 60)
    new = store.acquire_lease(PORTAL, "two", 60)
    assert new == old + 1
    assert not store.renew_lease(PORTAL, old, 60)
    store.release_lease(PORTAL, old)
    assert store.lease_holder(PORTAL) is not None


def test_renewing_holds_on_to_the_lease(store: Store) -> None:
    epoch = store.acquire_lease(PORTAL, "one", 60)
    before = store.lease_holder(PORTAL)
    assert epoch is not None
    assert before is not None
    assert store.renew_lease(PORTAL, epoch, 3_600)
    after = store.lease_holder(PORTAL)
    assert after is not None
    assert (after.until - before.until).total_seconds() == pytest.approx(3_540, abs=30)
    assert after.epoch == epoch
