"""The poll and the listing: whatever changed is looked at, once, after any pause and any end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hubsync.errors import PortalError, StoreError
from hubsync.sandbox import acts
from hubsync.sandbox.state import Portal
from hubsync.service.intake import Hint
from hubsync.service.poller import KINDS, Listing, Poller
from tests.service.station import Station
from tests.sync.desk import SQL, STATUS, Desk, ago


@pytest.fixture
def poller(desk: Desk, station: Station) -> Poller:
    """A poller that has polled until now."""
    made = Poller(station.gateway, station.store, station.portal, station.intake, desk.clock.now)
    made.start_at(desk.clock.now())
    return made


@pytest.fixture
def asked(station: Station, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every item that was hinted at, one after the other."""
    items: list[str] = []
    submit = station.intake.submit

    def noting(hints: list[Hint], *more: object) -> object:
        items.extend(item for hint in hints for item in hint.items)
        return submit(hints, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(station.intake, "submit", noting)
    return items


def again(desk: Desk, station: Station, poller: Poller) -> Poller:
    """The poller of the next start."""
    return Poller(station.gateway, station.store, station.portal, station.intake, desk.clock.now)


def many(portal: Portal, count: int, desk: Desk) -> list[str]:
    """Contacts nobody manages, made in this moment."""
    return [acts.create_contact(portal, {}, source="import", at=desk.clock.now()) for _ in range(count)]


def test_what_changed_is_looked_at_and_what_did_not_is_not(
    desk: Desk, station: Station, poller: Poller, asked: list[str]
) -> None:
    old = desk.lead("CONNECTED")
    desk.later(minutes=5)
    poller.poll()
    asked.clear()
    desk.sets(old, STATUS, "QUALIFIED")
    desk.later(seconds=30)
    assert poller.poll() == desk.clock.now()
    assert asked == [old]
    station.work()
    desk.later(minutes=5)
    station.work()
    assert desk.stage(old) == SQL


def test_nothing_is_hinted_at_twice_within_the_overlap_nor_what_was_looked_at_since(
    desk: Desk, station: Station, poller: Poller, asked: list[str]
) -> None:
    contact = desk.lead("CONNECTED", at=desk.clock.now())
    desk.later(seconds=20)
    poller.poll()
    desk.later(seconds=20)
    poller.poll()
    assert asked == [contact]
    station.work()
    asked.clear()
    again(desk, station, poller).poll()
    assert asked == []


def test_what_the_index_shows_late_is_found_within_the_overlap(
    desk: Desk, station: Station, poller: Poller, asked: list[str]
) -> None:
    desk.portal.switches.search_lag = 40.0
    contact = desk.lead("CONNECTED", at=desk.clock.now())
    desk.later(seconds=20)
    poller.poll()
    assert asked == []
    desk.later(seconds=60)
    poller.poll()
    assert asked == [contact]


def test_deals_and_engagements_lead_to_their_contacts(desk: Desk, station: Station, poller: Poller) -> None:
    contacts = [desk.lead("NEW", at=ago(days=2)) for _ in range(5)]
    desk.later(minutes=5)
    poller.poll()
    station.work()
    station.reads.clear()
    now = desk.clock.now()
    acts.rep_sends_email(desk.portal, contacts[0], desk.rep, at=now)
    acts.rep_calls(desk.portal, contacts[1], desk.rep, at=now)
    acts.book_meeting(desk.portal, contacts[2], desk.rep, start=now + timedelta(days=1), at=now)
    acts.create_deal(desk.portal, contacts[3], owner=desk.rep, at=now)
    desk.later(seconds=30)
    poller.poll()
    assert {i.contact.partition(":")[0] for i in station.due() if ":" in i.contact} == {
        "emails",
        "calls",
        "meetings",
        "deals",
    }
    station.work()
    assert {*contacts[:4]} <= set(station.looked_at())
    assert contacts[4] not in station.looked_at()


def test_a_poll_that_is_cut_short_goes_on_where_it_ended(
    desk: Desk, station: Station, poller: Poller, asked: list[str]
) -> None:
    contacts = []
    for _ in range(12):
        contacts += many(desk.portal, 50, desk)
        desk.later(seconds=120)
    stopped = Poller(
        station.gateway,
        station.store,
        station.portal,
        station.intake,
        desk.clock.now,
        stopping=lambda: len(asked) >= 300,
    )
    assert stopped.poll() is None
    came_to = len(asked)
    assert 300 <= came_to < 600
    again(desk, station, poller).poll()
    assert sorted(set(asked)) == sorted(contacts)
    assert len(asked) < 700  # the overlap, and no more, is hinted at again


def test_while_many_wait_the_poll_waits_so_that_what_is_urgent_stands_behind_few(
    desk: Desk, station: Station, poller: Poller, asked: list[str]
) -> None:
    contacts = many(desk.portal, 1_000, desk)
    desk.later(minutes=5)
    deepest = 0

    def pause() -> bool:
        nonlocal deepest
        deepest = max(deepest, station.store.waiting(station.portal))
        station.stretch()
        return True

    poller.waiting = lambda: station.store.parking.counts(station.portal, desk.clock.now())[0]
    poller.pause = pause
    poller.poll()
    assert sorted(asked) == sorted(contacts)
    assert 300 < deepest <= 500


def test_a_poll_that_fails_loses_nothing(desk: Desk, station: Station, poller: Poller, asked: list[str]) -> None:
    contacts = []
    for _ in range(12):
        contacts += many(desk.portal, 50, desk)
        desk.later(seconds=120)
    desk.box.fail("error_json", path="/contacts/search", skip=2)
    with pytest.raises(PortalError):
        poller.poll()
    desk.box.service.faults.clear()
    poller.poll()
    assert sorted(asked) == sorted(contacts)


def test_the_cursor_stays_where_the_database_takes_no_hints(
    desk: Desk, station: Station, poller: Poller, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = desk.lead("CONNECTED", at=desk.clock.now())
    desk.later(minutes=5)

    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(station.store, "hint", full)
        with pytest.raises(StoreError):
            poller.poll()
    desk.later(hours=3)
    again(desk, station, poller).poll()
    assert asked == [contact, contact]
    assert [item.contact for item in station.due()] == [contact]


def test_more_than_ten_thousand_results_and_as_many_of_one_moment_are_gone_through(
    desk: Desk, station: Station, poller: Poller, asked: list[str]
) -> None:
    contacts = many(desk.portal, 10_450, desk)
    desk.later(seconds=30)
    contacts += many(desk.portal, 250, desk)
    desk.later(seconds=30)
    poller.poll()
    assert sorted(asked) == sorted(contacts)


def test_an_outage_of_days_is_caught_up(desk: Desk, station: Station, poller: Poller) -> None:
    contact = desk.lead("CONNECTED", at=desk.clock.now())
    desk.later(hours=1)
    poller.poll()
    station.work()
    desk.later(days=2)
    desk.sets(contact, STATUS, "QUALIFIED")
    desk.later(days=3)
    again(desk, station, poller).poll()
    station.work()
    assert desk.stage(contact) == SQL


def test_after_more_than_a_week_what_happened_before_is_backlog(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(effective_since=None)
    with Station(desk) as station:
        poller = Poller(station.gateway, station.store, station.portal, station.intake, desk.clock.now)
        poller.start_at(desk.clock.now())
        early, late = (desk.lead("CONNECTED", at=desk.clock.now()) for _ in range(2))
        station.work()
        began = desk.later(minutes=5)
        poller.poll()
        station.worker.has_polled(began, desk.clock.now())
        station.work()
        desk.later(minutes=1)
        desk.sets(early, STATUS, "QUALIFIED")
        desk.later(days=9)
        desk.sets(late, STATUS, "QUALIFIED")
        desk.later(days=1)
        station.killed()
        poller.poll()
        station.work()
        assert (desk.stage(early), desk.stage(late)) == ("lead", SQL)


def test_a_clock_that_had_been_ahead_hides_nothing(
    desk: Desk, station: Station, poller: Poller, asked: list[str]
) -> None:
    for kind in KINDS:
        station.store.set_cursor(
            station.portal, f"serve.polled.{kind}", (desk.clock.now() + timedelta(hours=1)).isoformat()
        )
    contact = desk.lead("CONNECTED", at=desk.clock.now())
    desk.later(seconds=30)
    poller.poll()
    assert asked == [contact]


# The listing ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def listing(desk: Desk, station: Station) -> Listing:
    """A listing during which the worker works."""

    def pause() -> bool:
        station.stretch()
        return True

    return Listing(
        station.gateway,
        station.store,
        station.portal,
        station.intake,
        desk.clock.now,
        lambda: station.store.parking.counts(station.portal, desk.clock.now())[0],
        pause,
    )


def run(station: Station, listing: Listing, mark: str = "") -> int:
    policy = station.session.portal.policy
    count = listing.run(policy.properties, policy.digest, mark or policy.digest)
    station.work()
    return count


def test_the_first_listing_is_due_at_once_then_once_a_night(desk: Desk, station: Station, listing: Listing) -> None:
    assert listing.is_due(12, "rules")
    desk.lead("NEW")
    desk.later(minutes=1)
    assert run(station, listing, "rules") == 1
    assert not listing.is_due(3, "rules")
    desk.later(hours=21)
    assert not listing.is_due(12, "rules")
    assert listing.is_due(3, "rules")
    assert listing.is_due(12, "other rules")


def test_it_finds_what_events_and_search_missed_and_nothing_else(
    desk: Desk, station: Station, listing: Listing, asked: list[str]
) -> None:
    contacts = [desk.lead("CONNECTED") for _ in range(6)]
    desk.later(minutes=1)
    run(station, listing)
    assert sorted(asked) == sorted(contacts)
    asked.clear()
    station.reads.clear()
    desk.later(minutes=1)
    desk.sets(contacts[2], STATUS, "QUALIFIED", at=desk.clock.now())
    run(station, listing)
    assert asked == [contacts[2]]


def test_contacts_that_are_gone_leave_the_mirror(desk: Desk, station: Station, listing: Listing) -> None:
    gone, there = desk.lead("NEW"), desk.lead("NEW")
    desk.later(minutes=1)
    run(station, listing)
    acts.delete_contact(desk.portal, gone)
    desk.later(minutes=1)
    run(station, listing)
    assert list(station.store.looks(station.portal, [gone, there])) == [there]


def test_it_waits_for_the_worker_so_that_what_is_urgent_stands_behind_few(
    desk: Desk, station: Station, listing: Listing
) -> None:
    many(desk.portal, 1_000, desk)
    desk.later(minutes=1)
    deepest = 0
    wait = listing.pause

    def pause() -> bool:
        nonlocal deepest
        deepest = max(deepest, station.store.waiting(station.portal))
        return wait()

    listing.pause = pause
    run(station, listing)
    assert 300 < deepest <= 400


def test_one_that_is_cut_short_is_due_again_and_looks_at_nobody_twice(
    desk: Desk, station: Station, listing: Listing, asked: list[str]
) -> None:
    contacts = many(desk.portal, 900, desk)
    desk.later(minutes=1)
    wait, listing.pause = listing.pause, lambda: False
    run(station, listing)
    assert listing.is_due(12, station.session.portal.policy.digest)
    assert 300 < len(asked) < 500
    listing.pause = wait
    run(station, listing)
    assert sorted(asked) == sorted(contacts)


@pytest.mark.parametrize("what", ["rules", "mode", "roll-out"])
def test_new_rules_another_mode_or_another_roll_out_have_everyone_looked_at_again_once(
    desk: Desk, station: Station, listing: Listing, asked: list[str], what: str
) -> None:
    contacts = many(desk.portal, 900, desk)
    desk.later(minutes=1)
    run(station, listing, "rules")
    asked.clear()
    desk.later(minutes=1)
    mark = {"rules": "other rules", "mode": "rules in another mode", "roll-out": "rules"}[what]
    if what == "roll-out":
        listing.again()
    assert listing.is_due(12, mark)
    wait, listing.pause = listing.pause, lambda: False
    run(station, listing, mark)  # cut short
    listing.pause = wait
    assert listing.is_due(12, mark)
    desk.later(minutes=1)
    run(station, listing, mark)
    assert sorted(asked) == sorted(contacts)
    assert not listing.is_due(12, mark)


def test_what_changes_during_a_listing_is_not_taken_for_listed(desk: Desk, station: Station, listing: Listing) -> None:
    desk.lead("NEW")
    desk.later(minutes=1)
    run(station, listing, "rules")
    commit = station.gateway.all_contacts

    def listed_while_the_roll_out_changes(*given: object) -> object:
        listing.again()
        return commit(*given)  # type: ignore[arg-type]

    station.gateway.all_contacts = listed_while_the_roll_out_changes  # type: ignore[method-assign, assignment]
    run(station, listing, "rules")
    assert listing.is_due(12, "rules")


def test_a_contact_that_waits_for_its_look_after_a_write_is_not_hinted_at_by_the_poll(
    desk: Desk, poller: Poller, asked: list[str]
) -> None:
    one, other = desk.lead("CONNECTED", at=desk.clock.now()), desk.lead("CONNECTED", at=desk.clock.now())
    desk.later(seconds=20)
    poller.covered = lambda contact: contact == one
    poller.poll()
    assert asked == [other]
