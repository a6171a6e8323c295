"""Clocks that go back between two runs: the database holds moments that are yet to come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hubsync.errors import StoreError
from hubsync.sandbox import acts
from hubsync.store import leases
from hubsync.store.store import Store
from hubsync.store.values import Holder
from hubsync.sync import lease as lease_module
from hubsync.sync import reconcile
from hubsync.sync.lease import PortalLease
from hubsync.sync.reconcile import Outcome, Session
from hubsync.sync.scope import Scope
from tests.sync.desk import GENEROUS, STATUS, Desk, acted, ago

HOUR = timedelta(hours=1)


def sync(desk: Desk, *, ahead: timedelta, scope: Scope | None = None) -> Outcome:
    """A sync whose idea of HubSpot's time is wrong, as after an answer with a wrong Date."""
    session = Session(desk.gateway, desk.bound(), desk.store, lambda: desk.clock.now() + ahead, desk.effective_since)
    return reconcile.write(session, desk.store, scope or Scope(), GENEROUS)


def a_mailed_lead(desk: Desk, email: str) -> str:
    contact = desk.lead("NEW", at=ago(days=1), email=email)
    acts.rep_sends_email(desk.portal, contact, desk.rep)
    desk.later(minutes=5)
    return contact


def test_after_a_run_of_tomorrow_what_changed_is_found_all_the_same_and_a_notice_names_it(desk: Desk) -> None:
    a_mailed_lead(desk, "ada@example.com")
    sync(desk, ahead=HOUR)
    contact = a_mailed_lead(desk, "eve@example.com")
    desk.later(minutes=5)
    outcome = sync(desk, ahead=timedelta())
    assert desk.status(contact) == "ATTEMPTED_TO_CONTACT"
    [notice] = outcome.notices
    assert (
        "An earlier run ended at 2026-03-02 16:05 UTC by this database, 50 minutes after HubSpot's time now" in notice
    )
    assert "Every contact is looked at once; what was written isn't written again." in notice


def test_no_cause_fires_twice_for_a_clock_that_went_back(desk: Desk) -> None:
    contact = a_mailed_lead(desk, "ada@example.com")
    sync(desk, ahead=HOUR)
    rows = desk.ledger(contact)
    for _ in range(3):
        desk.later(minutes=10)
        assert acted(sync(desk, ahead=timedelta())) == []
    assert desk.ledger(contact) == rows
    assert [w.after for w in desk.written(STATUS)] == ["ATTEMPTED_TO_CONTACT"]


def test_a_complete_look_sets_the_cursor_right_and_the_notice_ends_with_the_moment(desk: Desk) -> None:
    for number in range(3):
        a_mailed_lead(desk, f"{number}@example.com")
    sync(desk, ahead=HOUR)
    assert sync(desk, ahead=timedelta()).tally.contacts == 3
    assert sync(desk, ahead=timedelta()).tally.contacts < 3, "the first set the cursor right"
    desk.later(hours=2)
    assert sync(desk, ahead=timedelta()).notices == ()


def test_a_second_that_hubspots_date_is_off_is_no_clock_gone_back(desk: Desk) -> None:
    a_mailed_lead(desk, "ada@example.com")
    sync(desk, ahead=timedelta(seconds=2))
    outcome = sync(desk, ahead=timedelta())
    assert outcome.notices == ()


def dead_lease(store: Store, seconds: float) -> Holder:
    """What a killed run leaves behind whose clock was ahead by so much."""
    assert store.acquire_lease(7, "a killed run", seconds) is not None
    holder = store.lease_holder(7)
    assert holder is not None
    return holder


def test_a_lease_of_a_dead_run_from_before_the_clock_went_back_is_taken_over(desk: Desk) -> None:
    left = dead_lease(desk.store, 3600.0)
    assert left.until - datetime.now(UTC) > timedelta(minutes=50)
    waited: list[float] = []
    with PortalLease(desk.store, 7, "the next run", sleep=waited.append) as lease:
        assert lease.epoch == left.epoch + 1
        with pytest.raises(leases.LeaseLost), desk.store.begin(portal=7, epoch=left.epoch):
            pass
    assert sum(waited) == lease_module.PATIENCE, "a live holder would have renewed it meanwhile"


def test_a_live_holder_whose_lease_reaches_far_keeps_it(desk: Desk) -> None:
    left = dead_lease(desk.store, 3600.0)

    def renews(_seconds: float) -> None:
        assert desk.store.renew_lease(7, left.epoch, 3600.0)

    with (
        pytest.raises(StoreError, match="a killed run is writing to portal 7"),
        PortalLease(desk.store, 7, "the next run", sleep=renews),
    ):
        pass


def test_a_lease_that_ends_when_leases_end_is_waited_for(desk: Desk) -> None:
    dead_lease(desk.store, lease_module.HELD_FOR)
    with (
        pytest.raises(StoreError, match="a killed run is writing to portal 7"),
        PortalLease(desk.store, 7, "the next run", sleep=lambda _s: None),
    ):
        pass
