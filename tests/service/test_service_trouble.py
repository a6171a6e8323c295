"""What befalls a worker from outside: HubSpot refuses or keeps silent, somebody else writes, the process dies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from hubsync.errors import StoreError
from hubsync.service.worker import Worker
from hubsync.store.values import Look, Run
from hubsync.sync.lease import PortalLease
from hubsync.sync.scope import last_completed
from tests.service.station import Station
from tests.service.test_service_worker import Poison, poison, qualified
from tests.sync.desk import SQL, STATUS, Desk, ago

__all__ = ["poison"]
WRITING = "/contacts/batch/update"
TASKS = "/tasks/batch/create"
MakeStation = Callable[..., Station]


def written_once(desk: Desk) -> bool:
    """Whether hubsync wrote nothing to a contact twice."""
    return set(Counter((w.id, w.property) for w in desk.written()).values()) <= {1}


def runs(station: Station) -> list[tuple[str, str]]:
    """(kind, state) of the runs, oldest first."""
    found: tuple[Run, ...] = station.store.runs(station.portal, 50)
    return [(run.kind, run.state) for run in reversed(found)]


def test_a_refused_token_is_said_and_work_goes_on_by_itself_with_a_new_one(desk: Desk, station: Station) -> None:
    contacts = [qualified(desk) for _ in range(3)]
    station.hint(*contacts)
    desk.box.fail("unauthorized")
    assert station.stretch() == 0
    assert "refused the token (401)" in station.health.problems()["token"]
    assert station.naps[-1] == 30
    desk.box.service.faults.clear()
    desk.box.rotate_token()
    station.work()
    assert station.health.problems() == {}
    assert {desk.stage(c) for c in contacts} == {SQL}
    assert written_once(desk)


def test_being_idle_does_not_say_that_the_token_is_good(station: Station) -> None:
    station.work()
    station.health.say("token", "a poll found it out")
    station.work()
    assert "token" in station.health.problems()


@pytest.mark.parametrize("path", ["/contacts/batch/read", WRITING, TASKS])
def test_a_spent_daily_allowance_loses_nothing_and_doubles_nothing(desk: Desk, station: Station, path: str) -> None:
    contacts = [qualified(desk) for _ in range(3)]
    new = [desk.lead("NEW", at=ago(hours=1)) for _ in range(3)]
    station.hint(*contacts, *new)
    desk.box.fail("daily_limited", path=path)
    station.stretch()
    assert station.naps[-1] == 300
    desk.box.service.faults.clear()
    desk.later(hours=14)
    fresh = Station(desk)
    with fresh:
        fresh.work()
    assert {desk.stage(c) for c in contacts} == {SQL}
    assert {len(desk.tasks(c)) for c in new} == {1}
    assert written_once(desk)


@pytest.mark.parametrize("path", ["/contacts/batch/read", WRITING, TASKS])
def test_an_outage_is_waited_out_ever_longer_and_said_after_a_while(desk: Desk, station: Station, path: str) -> None:
    contacts = [qualified(desk) for _ in range(3)]
    new = [desk.lead("NEW", at=ago(hours=1)) for _ in range(3)]
    station.hint(*contacts, *new)
    desk.box.fail("error_json", path=path)
    for _ in range(4):
        station.stretch()
        desk.later(minutes=5)
    desk.box.service.faults.clear()
    for _ in range(3):
        station.work()
        desk.later(minutes=4)
    assert station.health.problems() == {}
    assert {desk.stage(c) for c in contacts} == {SQL}
    assert {len(desk.tasks(c)) for c in new} == {1}
    assert written_once(desk)


def test_an_outage_waits_ever_longer(desk: Desk, station: Station) -> None:
    station.hint(qualified(desk))
    station.work()
    station.naps.clear()
    desk.box.fail("error_json")
    station.hint(desk.lead("NEW"))
    for _ in range(7):
        station.stretch()
    assert [nap for nap in station.naps if nap != 0.3] == [2, 4, 8, 16, 32, 60, 60]
    assert "hubspot" in station.health.problems()


def test_a_write_that_landed_without_an_answer_is_found_and_not_sent_again(desk: Desk, station: Station) -> None:
    contact = qualified(desk)
    station.hint(contact)
    desk.box.fail("drop_after", path=WRITING)
    station.stretch()
    desk.box.service.faults.clear()
    station.rest()
    assert desk.stage(contact) == SQL
    assert [(r.target, r.state) for r in desk.ledger(contact) if r.target == "lifecyclestage"] == [
        ("lifecyclestage", "applied")
    ]
    assert written_once(desk)


def test_a_task_without_an_answer_is_settled_after_two_and_a_half_minutes(desk: Desk, station: Station) -> None:
    contact = desk.lead("NEW", at=ago(hours=1))
    station.hint(contact)
    desk.box.fail("drop_before", path=TASKS, times=1)
    station.work()
    assert desk.tasks(contact) == []
    assert [r.state for r in desk.ledger(contact)] == ["sent"]
    for _ in range(5):
        desk.later(seconds=60)
        station.work()
    assert len(desk.tasks(contact)) == 1
    assert [r.state for r in desk.ledger(contact)] == ["not_applied", "applied"]


def test_a_task_that_was_created_without_an_answer_is_not_created_again(desk: Desk, station: Station) -> None:
    contact = desk.lead("NEW", at=ago(hours=1))
    station.hint(contact)
    desk.box.fail("drop_after", path=TASKS, times=1)
    for _ in range(5):
        station.work()
        desk.later(seconds=60)
    assert len(desk.tasks(contact)) == 1
    assert [r.state for r in desk.ledger(contact)] == ["applied"]


def test_uncertain_tasks_are_settled_on_a_busy_portal_too(desk: Desk, station: Station) -> None:
    contact, busy = desk.lead("NEW", at=ago(hours=1)), desk.lead("CONNECTED")
    station.hint(contact)
    desk.box.fail("drop_before", path=TASKS, times=1)
    station.stretch()
    for _ in range(6):
        desk.later(seconds=60)
        station.hint(busy)
        assert station.stretch() == 0
    station.work()
    assert len(desk.tasks(contact)) == 1


def test_whoever_took_the_lease_is_let_alone_and_work_goes_on_after(desk: Desk, station: Station) -> None:
    station.work()
    desk.store.release_lease(station.portal, station.worker._held.epoch)  # type: ignore[union-attr]
    contact = qualified(desk)
    with PortalLease(desk.store, station.portal, "hubsync sync --write", patience=0):
        station.hint(contact)
        assert station.stretch() == 0  # its lease is lost
        assert station.stretch() > 0
        assert "hubsync sync --write" in station.health.problems()["lease"]
        assert desk.written() == []
    station.work()
    assert station.health.problems() == {}
    assert desk.stage(contact) == SQL


def test_a_command_that_waits_to_write_gets_the_portal_between_two_stretches(desk: Desk, station: Station) -> None:
    def works_on(_seconds: float) -> None:
        station.stretch()
        station.stretch()

    station.work()
    with PortalLease(desk.store, station.portal, "hubsync sync --write", sleep=works_on) as lease:
        assert desk.store.lease_holder(station.portal).epoch == lease.epoch  # type: ignore[union-attr]
        assert runs(station) == [("serve", "done")]
    contact = qualified(desk)
    station.hint(contact)
    station.work()
    assert desk.stage(contact) == SQL


def test_it_gives_way_also_while_hubspot_refuses(desk: Desk, station: Station) -> None:
    station.hint(qualified(desk))
    desk.box.fail("unauthorized")
    station.stretch()
    assert desk.store.lease_holder(station.portal) is None
    desk.box.service.faults.clear()
    with PortalLease(desk.store, station.portal, "hubsync sync --write", patience=0):
        pass
    station.work()


def test_a_database_that_fails_in_the_middle_does_not_end_the_worker(
    desk: Desk, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = qualified(desk)
    station.hint(contact)

    def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as broken:
        for name in ("take_work", "finish_run"):
            broken.setattr(desk.store, name, full)
        for _ in range(4):
            assert station.stretch() == 0
        assert station.health.problems()["database"] == "the disk is full"
        broken.setattr(desk.store, "release_lease", full)
        assert station.stretch() == 0
    desk.store.release_lease(station.portal, desk.store.lease_holder(station.portal).epoch)  # type: ignore[union-attr]
    station.work()
    assert station.health.problems() == {}
    assert desk.stage(contact) == SQL


def test_an_error_nobody_thought_of_does_not_end_the_worker(
    desk: Desk, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Worker, "_now_and_then", lambda *_: 1 // 0)
        station.stretch()
        assert "ZeroDivisionError" in station.health.problems()["worker"]
    contact = qualified(desk)
    station.hint(contact)
    station.work()
    assert desk.stage(contact) == SQL
    assert station.health.problems() == {}


# Without --write, and in a freeze ------------------------------------------------------------------------------------


def test_without_write_nothing_is_written_and_a_later_start_with_it_does_it(
    desk: Desk, make_station: MakeStation
) -> None:
    contact, timed = qualified(desk), desk.lead("CONNECTED")
    desk.sets(timed, STATUS, "QUALIFIED")
    dry = make_station(writes=False)
    dry.hint(contact, timed)
    dry.work()
    desk.later(minutes=3)
    dry.work()
    dry.work()
    assert desk.written() == []
    assert dry.looked_at() == [*sorted([contact, timed]), timed]
    assert desk.store.looks(dry.portal, [contact]) == {}
    wet = make_station()
    wet.work()
    assert desk.stage(timed) == SQL


# The look after the write --------------------------------------------------------------------------------------------


def test_what_a_person_sets_between_read_and_write_is_put_back_and_logged(desk: Desk, station: Station) -> None:
    contact = desk.lead("CONNECTED", stage="salesqualifiedlead")
    desk.sets(contact, STATUS, "NEW", at=ago(hours=1))
    station.meanwhile(before=lambda: desk.sets(contact, STATUS, "NURTURE"))
    station.hint(contact)
    station.work()
    assert desk.status(contact) == "IN_PROGRESS"
    desk.later(seconds=40)
    station.work()
    assert desk.status(contact) == "NURTURE"
    [logged] = desk.store.overrides(station.portal)
    assert (logged.before, logged.after) == ("IN_PROGRESS", "NURTURE")
    assert [i.why for i in station.due()] == ["mended"]


def test_what_a_person_sets_after_the_write_stays(desk: Desk, station: Station) -> None:
    contact = desk.lead("CONNECTED", stage="salesqualifiedlead")
    desk.sets(contact, STATUS, "NEW", at=ago(hours=1))
    station.hint(contact)
    station.work()
    desk.later(seconds=10)
    desk.sets(contact, STATUS, "NURTURE")
    desk.later(seconds=30)
    station.work()
    assert desk.status(contact) == "NURTURE"
    assert [(o.before, o.after) for o in desk.store.overrides(station.portal)] == [("IN_PROGRESS", "NURTURE")]


def test_echoes_are_needless_only_while_the_look_after_the_write_is_to_come(desk: Desk, station: Station) -> None:
    contact = qualified(desk)
    assert not station.worker.looks_after(contact)
    station.hint(contact)
    station.work()
    assert station.worker.looks_after(contact)
    desk.later(seconds=25)
    heard: list[bool] = []
    read = station.gateway.read_contacts

    def listening(*given: object) -> object:
        heard.append(station.worker.looks_after(contact))
        return read(*given)  # type: ignore[arg-type]

    station.gateway.read_contacts = listening  # type: ignore[method-assign, assignment]
    desk.later(seconds=10)
    station.work()
    assert heard == [False]
    assert not station.worker.looks_after(contact)


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "ended"])
def test_the_writes_of_a_shift_that_ended_early_are_looked_after_by_the_next(
    desk: Desk, station: Station, killed: bool
) -> None:
    contact = desk.lead("CONNECTED", stage="salesqualifiedlead")
    desk.sets(contact, STATUS, "NEW", at=ago(hours=1))
    station.meanwhile(before=lambda: desk.sets(contact, STATUS, "NURTURE"))
    station.hint(contact)
    station.work()
    assert desk.status(contact) == "IN_PROGRESS"
    if not killed:
        station.worker.close()
    station.killed()
    desk.later(minutes=1)
    station.work()
    assert desk.status(contact) == "NURTURE"


def test_where_hubspot_is_away_when_a_shift_ends_the_next_one_looks_after_it(desk: Desk, station: Station) -> None:
    contact = desk.lead("CONNECTED", stage="salesqualifiedlead")
    desk.sets(contact, STATUS, "NEW", at=ago(hours=1))
    station.meanwhile(before=lambda: desk.sets(contact, STATUS, "NURTURE"))
    station.hint(contact)
    station.work()
    desk.box.fail("error_json", path="/contacts/batch/read")
    desk.later(hours=1, minutes=1)
    station.stretch()
    desk.box.service.faults.clear()
    station.work()
    assert desk.status(contact) == "NURTURE"
    assert runs(station) == [("serve", "failed"), ("serve", "running")]


def test_a_contact_nobody_can_decide_on_does_not_cost_others_their_look_after_the_write(
    desk: Desk, station: Station, poison: Poison
) -> None:
    contact, bad = desk.lead("CONNECTED", stage="salesqualifiedlead"), qualified(desk)
    desk.sets(contact, STATUS, "NEW", at=ago(hours=1))
    station.meanwhile(before=lambda: desk.sets(contact, STATUS, "NURTURE"))
    station.hint(contact)
    station.work()
    poison(bad)
    desk.later(seconds=40)
    station.hint(bad)
    station.work()
    assert desk.status(contact) == "NURTURE"


# What a bare sync has to look for ------------------------------------------------------------------------------------


def test_a_poll_counts_as_complete_once_all_that_it_found_is_done(desk: Desk, station: Station) -> None:
    began = desk.clock.now()
    desk.later(seconds=2)
    station.hint(*[desk.lead("NEW") for _ in range(3)])
    desk.later(seconds=1)
    station.worker.has_polled(began, desk.clock.now())
    station.stretch()
    assert last_completed(desk.store, station.portal, desk.clock.now()) is None
    desk.later(seconds=1)
    station.hint(desk.lead("NEW"))
    station.stretch()
    assert last_completed(desk.store, station.portal, desk.clock.now()) == began


def test_ten_thousand_timers_far_away_cost_a_stretch_nothing(desk: Desk, station: Station) -> None:
    now = desk.clock.now()
    looks = [Look(str(n), {}, now, "d", now, now + timedelta(days=9)) for n in range(10_000, 20_000)]
    desk.store.save_looks(station.portal, looks)
    station.work()
    before = desk.portal.journal.request_count
    station.work()
    assert desk.portal.journal.request_count == before
    assert station.reads == []
