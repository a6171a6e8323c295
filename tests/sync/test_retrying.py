"""Trying again what HubSpot refused: ever later, and told by the ledger alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hubsync.policy.changes import NOTHING
from hubsync.sandbox import acts
from hubsync.sandbox.schema import Option
from hubsync.sync.looking import Look
from hubsync.sync.mirroring import remember_failed
from hubsync.sync.retrying import WAITS, back_off
from hubsync.sync.scope import Scope
from tests.builders import a_contact
from tests.sync.desk import STATUS, Desk, ago

ATTEMPTING = "ATTEMPTED_TO_CONTACT"
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)


@pytest.mark.parametrize(
    ("refusals", "wait"),
    [(0, HOUR), (1, HOUR), (2, 4 * HOUR), (3, DAY), (4, WEEK), (5, WEEK), (500, WEEK)],
)
def test_the_wait_grows_with_each_refusal_up_to_a_week(refusals: int, wait: timedelta) -> None:
    assert back_off(refusals) == wait


def refused_for_good(desk: Desk) -> str:
    """A lead that a rule wants to make attempting, which the portal has just lost as an option."""
    contact = desk.lead("NEW", at=ago(days=2))
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(hours=1))
    desk.bound()
    set_options(desk, [o for o in options(desk) if o.value != ATTEMPTING])
    return contact


def options(desk: Desk) -> list[Option]:
    return list(desk.portal.schemas.properties["contacts"][STATUS].options)


def set_options(desk: Desk, some: list[Option]) -> None:
    desk.portal.schemas.set_options("contacts", STATUS, some)


def due_in(desk: Desk, contact: str) -> timedelta:
    """How long until the contact is looked at again."""
    [look] = desk.store.looks(desk.portal.portal_id, [contact]).values()
    assert look.next_look_at is not None
    return look.next_look_at - desk.clock.now()


def sent(desk: Desk, contact: str) -> int:
    return sum(row.state == "refused" for row in desk.ledger(contact))


def test_a_contact_whose_write_is_refused_each_time_is_looked_at_ever_later(desk: Desk) -> None:
    contact = refused_for_good(desk)
    desk.sync()
    for number, wait in enumerate((*WAITS, WAITS[-1]), 1):
        assert sent(desk, contact) == number
        assert due_in(desk, contact) == wait
        desk.clock.advance(wait - timedelta(minutes=1))
        desk.sync(scope=Scope())
        assert sent(desk, contact) == number, "not before its time"
        desk.clock.advance(timedelta(minutes=2))
        desk.sync(scope=Scope())


def test_once_the_portal_takes_it_the_contact_is_written_and_not_tried_again(desk: Desk) -> None:
    every = options(desk)
    contact = refused_for_good(desk)
    desk.sync()
    set_options(desk, every)
    for _ in range(2):
        desk.later(hours=2)
        desk.sync(scope=Scope())
    assert desk.status(contact) == ATTEMPTING
    assert [row.state for row in desk.ledger(contact)] == ["refused", "applied"]


def test_a_write_without_an_answer_counts_as_no_refusal(desk: Desk) -> None:
    contact = desk.lead("QUALIFIED")
    for _ in range(3):
        desk.box.fail("drop_before", path=r"/contacts/batch/update", times=6)
        desk.sync()
        assert due_in(desk, contact) == HOUR
        desk.box.service.faults.clear()
        desk.later(hours=2)


def test_what_else_falls_due_on_the_contact_is_not_put_off(desk: Desk) -> None:
    now = desk.clock.now()
    soon = Look(replace(a_contact(), id="1"), replace(NOTHING, look_again=now + timedelta(minutes=30)))
    late = Look(replace(a_contact(), id="2"), replace(NOTHING, look_again=now + timedelta(days=30)))
    remember_failed(desk.store, desk.bound(), [soon, late], now)
    assert (due_in(desk, "1"), due_in(desk, "2")) == (timedelta(minutes=30), HOUR)
