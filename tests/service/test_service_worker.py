"""The worker of a portal: everything due is looked at, once, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hubsync.errors import PortalTemporaryError
from hubsync.policy.contact import Contact
from hubsync.policy.decide import decide
from hubsync.policy.pacing import Freeze
from hubsync.sandbox import acts
from hubsync.service.worker import BACK_OFF, UNREADABLE
from hubsync.sync import looking
from tests.service.station import Station
from tests.sync.desk import SQL, STATUS, Desk, ago

Poison = Callable[..., None]


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Poison:
    """`poison("4211")`: from now on these contacts, and no others, can't be decided on."""

    def spoil(*contacts: str) -> None:
        def decide_or_fail(policy: object, contact: Contact, *more: object, **options: object) -> object:
            if contact.id in contacts:
                raise KeyError(f"no such thing on {contact.id}")
            return decide(policy, contact, *more, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(looking, "decide", decide_or_fail)

    return spoil


def qualified(desk: Desk) -> str:
    """A lead somebody qualified an hour ago, so that its stage is to move."""
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED", at=ago(hours=1))
    return contact


def test_ten_hints_are_one_look(desk: Desk, station: Station) -> None:
    contact = qualified(desk)
    for _ in range(10):
        station.hint(contact)
    station.work()
    assert station.looked_at() == [contact]
    assert desk.stage(contact) == SQL
    assert station.due() == ()


def test_what_is_due_at_once_is_read_together(desk: Desk, station: Station) -> None:
    contacts = [qualified(desk) for _ in range(120)]
    station.hint(*contacts)
    station.work()
    assert [sorted(batch) for batch in station.reads] == [sorted(contacts)]
    assert {desk.stage(c) for c in contacts} == {SQL}


def test_a_batch_that_is_not_full_waits_a_third_of_a_second_for_more(desk: Desk, station: Station) -> None:
    station.hint(qualified(desk))
    station.stretch()
    assert station.naps == [0.3]
    station.naps.clear()
    station.hint(*[qualified(desk) for _ in range(100)])
    station.stretch()
    assert station.naps == []


def test_what_happened_to_a_deal_or_an_email_is_a_look_at_its_contacts(desk: Desk, station: Station) -> None:
    contact = desk.lead("CONNECTED")
    deal = acts.create_deal(desk.portal, contact, owner=desk.rep, at=ago(hours=1))
    station.hint(f"deals:{deal}")
    station.work()
    assert station.looked_at() == [contact]
    assert desk.status(contact) == "OPEN_DEAL"
    assert station.due() == ()


def test_who_is_named_and_is_also_a_deals_contact_is_read_once_and_the_deals_others_beside(
    desk: Desk, station: Station
) -> None:
    named, other = qualified(desk), desk.lead("CONNECTED")
    first = acts.create_deal(desk.portal, named, owner=desk.rep, at=ago(hours=1))
    second = acts.create_deal(desk.portal, other, owner=desk.rep, at=ago(hours=1))
    station.hint(named, f"deals:{first}", f"deals:{second}")
    station.work()
    assert [list(read) for read in station.reads] == [[named], [other]]
    assert (desk.stage(named), desk.status(other)) == ("opportunity", "OPEN_DEAL")
    assert station.due() == ()


def test_a_contact_that_cannot_be_decided_on_keeps_nobody_from_being_looked_at(
    desk: Desk, station: Station, poison: Poison
) -> None:
    contacts = [qualified(desk) for _ in range(9)]
    bad, *good = contacts
    poison(bad)
    station.hint(*contacts)
    station.work()
    assert {desk.stage(c) for c in good} == {SQL}
    assert [(i.contact, i.attempts) for i in station.due()] == [(bad, 1)]
    assert desk.stage(bad) == "lead"


def test_it_is_tried_again_ever_later_then_parked_with_the_reason(desk: Desk, station: Station, poison: Poison) -> None:
    bad = qualified(desk)
    poison(bad)
    station.hint(bad)
    for seconds in BACK_OFF:
        station.work()
        [item] = station.due()
        assert item.due_at == desk.clock.now() + timedelta(seconds=seconds)
        station.work()
        assert [i.attempts for i in station.due()] == [item.attempts]
        desk.later(seconds=seconds)
    station.work()
    assert station.due() == ()
    assert station.parked() == [(bad, f"{UNREADABLE}KeyError: 'no such thing on {bad}'")]


def park(desk: Desk, station: Station, poison: Poison) -> str:
    """A contact that is parked."""
    bad = qualified(desk)
    poison(bad)
    station.hint(bad)
    for seconds in (*BACK_OFF, 0):
        station.work()
        desk.later(seconds=seconds)
    assert [contact for contact, _ in station.parked()] == [bad]
    return bad


def test_a_parked_contact_comes_back_by_a_hint(desk: Desk, station: Station, poison: Poison) -> None:
    bad = park(desk, station, poison)
    poison()
    station.hint(bad)
    station.work()
    assert desk.stage(bad) == SQL
    assert (station.parked(), station.due()) == ([], ())


def test_a_parked_contact_that_still_fails_is_parked_again(desk: Desk, station: Station, poison: Poison) -> None:
    bad = park(desk, station, poison)
    station.hint(bad)
    station.work()
    assert [contact for contact, _ in station.parked()] == [bad]


def test_a_timer_of_a_contact_that_cannot_be_decided_on_is_tried_as_often(
    desk: Desk, station: Station, poison: Poison
) -> None:
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED")
    station.hint(contact)
    station.work()
    desk.later(minutes=3)
    poison(contact)
    station.work()
    assert [(i.contact, i.attempts) for i in station.due()] == [(contact, 1)]


def test_an_id_that_hubspot_refuses_keeps_nobody_from_being_looked_at(desk: Desk, station: Station) -> None:
    good = qualified(desk)
    station.hint("99999999999999999999", "nonsense:1", "deals:99999999999999999999", "deals:x", good)
    station.work()
    assert desk.stage(good) == SQL
    assert station.health.problems() == {}


@pytest.mark.parametrize("places", [(0,), (4,), (8,), (5, 8)])
def test_a_contact_over_which_hubspot_fails_again_and_again_does_not_stop_the_others(
    desk: Desk, station: Station, monkeypatch: pytest.MonkeyPatch, places: tuple[int, ...]
) -> None:
    contacts = [qualified(desk) for _ in range(9)]
    bad = {contacts[place] for place in places}
    read = station.gateway.read_contacts

    def failing(ids: Sequence[str], *more: Any) -> Any:
        if bad.intersection(ids):
            raise PortalTemporaryError("HubSpot answered 524", status=524)
        return read(ids, *more)

    monkeypatch.setattr(station.gateway, "read_contacts", failing)
    station.hint(*contacts)
    for _ in range(4):
        station.stretch()
    assert {desk.stage(c) for c in contacts if c not in bad} == {SQL}
    assert {(i.contact, i.attempts) for i in station.due()} == {(c, 1) for c in bad}
    station.work()
    assert station.health.problems() == {}


def test_in_an_outage_nobody_is_put_off(desk: Desk, station: Station) -> None:
    contacts = [qualified(desk) for _ in range(9)]
    station.hint(*contacts)
    desk.box.fail("error_json", path="/contacts/batch/read")
    for _ in range(8):
        station.stretch()
    assert {i.attempts for i in station.due()} == {0}
    desk.box.service.faults.clear()
    station.work()
    assert {desk.stage(c) for c in contacts} == {SQL}


def test_a_contact_that_is_gone_is_forgotten(desk: Desk, station: Station) -> None:
    contact = qualified(desk)
    station.hint(contact)
    station.rest()
    acts.delete_contact(desk.portal, contact)
    station.hint(contact)
    station.work()
    assert station.store.looks(station.portal, [contact]) == {}
    assert station.due() == ()


def test_a_contact_restored_while_it_is_found_gone_is_looked_at_again(
    desk: Desk, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = qualified(desk)
    acts.delete_contact(desk.portal, contact)
    read = station.gateway.read_contacts

    def read_then_restore(*given: object) -> object:
        found = read(*given)  # type: ignore[arg-type]
        if not given[0]:
            return found
        monkeypatch.undo()
        acts.restore_contact(desk.portal, contact)
        station.hint(contact)
        return found

    monkeypatch.setattr(station.gateway, "read_contacts", read_then_restore)
    station.hint(contact)
    station.work()
    assert desk.stage(contact) == SQL


def test_a_contact_merged_into_another_is_looked_at_as_that_one(desk: Desk, station: Station) -> None:
    survivor, other = desk.lead("NEW", at=ago(hours=1)), desk.lead("NEW", at=ago(hours=1))
    station.hint(survivor, other)
    station.work()
    acts.merge_contacts(desk.portal, survivor, other)
    station.hint(other)
    station.rest()
    assert station.store.survivors(station.portal, [other]) == {other: survivor}
    assert station.store.looks(station.portal, [other]) == {}
    assert len(desk.tasks(survivor)) == 1


def test_a_timer_that_falls_due_is_looked_at_and_one_that_is_far_away_is_not(desk: Desk, station: Station) -> None:
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED")
    station.hint(contact)
    station.work()
    assert desk.stage(contact) == "lead"
    desk.later(seconds=90)
    station.work()
    assert station.looked_at() == [contact]
    desk.later(seconds=31)
    station.work()
    assert desk.stage(contact) == SQL
    assert station.looked_at() == [contact, contact]


def test_in_a_freeze_nothing_is_written_and_what_is_due_is_done_after_it(desk: Desk, station: Station) -> None:
    contact, timed = qualified(desk), desk.lead("CONNECTED")
    desk.sets(timed, STATUS, "QUALIFIED")
    station.hint(timed)
    station.work()
    now = desk.clock.now()
    pace = desk.loaded.pace("US/Eastern", {})
    freeze = Freeze(now, now + timedelta(days=3), "quarter's end")
    station.session = replace(station.session, pace=replace(pace, freezes=(freeze,)))
    station.hint(contact)
    station.work()
    desk.later(days=1)
    station.work()
    assert desk.written() == []
    assert [item.contact for item in station.due()] == [contact]
    desk.later(days=2)
    station.work()
    assert (desk.stage(contact), desk.stage(timed)) == (SQL, SQL)
