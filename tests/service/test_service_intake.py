"""Hints: acknowledged once the database has them, never lost, and free where the contact is noted already."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hubsync.errors import HubsyncError, StoreError
from hubsync.service.intake import KEPT_AWAY_FOR, Hint, Intake
from hubsync.store import Store
from hubsync.store.database import open_store
from hubsync.store.values import WorkItem
from tests.service.waiting import PATIENCE

PORTAL = 62515
NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """`opened("?max_page_count=80")`: the same database, opened once more."""
    with ExitStack() as stack:

        def once_more(options: str = "") -> Store:
            return stack.enter_context(open_store(f"sqlite:///hubsync.db{options}", base=tmp_path))

        once_more().remember_portal(PORTAL, at=NOW)
        yield once_more


@pytest.fixture
def store(opened: Callable[..., Store]) -> Store:
    return opened()


class Woken:
    """Counts."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def started(woken: Woken) -> Iterator[Callable[[Store], Intake]]:
    """`started(store)`: an intake that commits, stopped at the end."""
    with ExitStack() as stack:

        def start(store: Store) -> Intake:
            intake = Intake(store, PORTAL, lambda: NOW, woken)
            intake.start()
            stack.callback(intake.stop)
            return intake

        yield start


def hints(*items: str, delay: timedelta = timedelta(0)) -> list[Hint]:
    return [Hint(items, "test", delay)]


def noted(store: Store, within: timedelta = timedelta(0)) -> list[str]:
    return sorted(item.contact for item in store.take_work(PORTAL, NOW + within, 10_000))


class Gate:
    """A database at whose door each hint waits until it is let in."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls = 0
        self.arrived = threading.Semaphore(0)
        self._open = threading.Semaphore(0)

    def hint(self, *given: Any) -> None:
        self.calls += 1
        self.arrived.release()
        assert self._open.acquire(timeout=PATIENCE)
        self._store.hint(*given)

    def let_in(self) -> None:
        self._open.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_nothing_is_acknowledged_before_it_is_committed(store: Store, started: Callable[..., Intake]) -> None:
    gate = Gate(store)
    done = started(gate).submit(hints("1", "2"))
    assert gate.arrived.acquire(timeout=PATIENCE)
    assert not done.done()
    assert noted(store) == []
    gate.let_in()
    done.result(PATIENCE)
    assert noted(store) == ["1", "2"]


def test_what_comes_while_another_commits_goes_together(store: Store, started: Callable[..., Intake]) -> None:
    gate = Gate(store)
    intake = started(gate)
    first = intake.submit(hints("1"))
    assert gate.arrived.acquire(timeout=PATIENCE)
    rest = [intake.submit(hints(str(n))) for n in range(2, 50)]
    gate.let_in()
    gate.let_in()
    for done in (first, *rest):
        done.result(PATIENCE)
    assert len(noted(store)) == 49
    assert gate.calls == 2


def test_a_contact_that_is_noted_costs_nothing_until_it_is_taken(store: Store, started: Callable[..., Intake]) -> None:
    intake = started(store)
    intake.submit(hints("1")).result(PATIENCE)
    [before] = store.take_work(PORTAL, NOW, 10)
    for _ in range(9):
        intake.submit(hints("1")).result(PATIENCE)
    assert store.take_work(PORTAL, NOW, 10) == (before,)
    intake.taken(["1"])
    intake.submit(hints("1")).result(PATIENCE)
    [after] = store.take_work(PORTAL, NOW, 10)
    assert after.generation > before.generation


def test_what_is_noted_and_committed_is_acknowledged_without_the_database(
    store: Store, started: Callable[..., Intake]
) -> None:
    gate = Gate(store)
    intake = started(gate)
    known = intake.submit(hints("1", "2"))
    gate.let_in()
    known.result(PATIENCE)
    new = intake.submit(hints("3"))
    assert gate.arrived.acquire(timeout=PATIENCE)
    assert gate.arrived.acquire(timeout=PATIENCE)
    assert intake.submit(hints("2", "1")).done()
    assert intake.submit(hints("1", delay=timedelta(seconds=15))).done()
    waiting = [intake.submit(hints("1", "3")), intake.submit(hints("1"), erased=["9"])]
    intake.taken(["2"])
    waiting.append(intake.submit(hints("2")))
    assert not any(done.done() for done in (new, *waiting))
    for _ in (new, *waiting):
        gate.let_in()
    for done in (new, *waiting):
        done.result(PATIENCE)


def test_after_the_clock_went_back_what_is_noted_is_brought_forward(store: Store) -> None:
    times = [NOW + timedelta(hours=1)]
    intake = Intake(store, PORTAL, lambda: times[-1])
    intake.start()
    intake.submit(hints("1")).result(PATIENCE)
    assert noted(store) == []
    times.append(NOW)
    intake.submit(hints("1")).result(PATIENCE)
    intake.stop()
    assert noted(store) == ["1"]


def test_what_may_wait_is_due_later_and_what_may_not_brings_it_forward(
    store: Store, started: Callable[..., Intake], woken: Woken
) -> None:
    intake = started(store)
    intake.submit(hints("1", delay=timedelta(seconds=15))).result(PATIENCE)
    assert noted(store) == []
    assert noted(store, timedelta(seconds=15)) == ["1"]
    intake.submit(hints("1")).result(PATIENCE)
    assert noted(store) == ["1"]
    intake.submit(hints("1", delay=timedelta(seconds=15))).result(PATIENCE)
    intake.stop()
    assert noted(store) == ["1"]
    assert woken.times == 1


def test_an_erased_contact_is_gone_and_stays_away(store: Store, started: Callable[..., Intake]) -> None:
    intake = started(store)
    intake.submit(hints("1", "2")).result(PATIENCE)
    intake.submit([], erased=["1"]).result(PATIENCE)
    assert noted(store) == ["2"]
    intake.taken(["1"])
    intake.submit(hints("1")).result(PATIENCE)
    assert noted(store) == ["2"]
    assert store.buried(PORTAL, ["1"], NOW + KEPT_AWAY_FOR - timedelta(seconds=1)) == {"1"}


def test_a_full_disk_is_said_and_the_same_hint_is_taken_once_there_is_room(
    opened: Callable[..., Store], started: Callable[..., Intake]
) -> None:
    full = opened("?max_page_count=1")
    intake = started(full)
    refused = intake.submit(hints(*map(str, range(5_000))))
    with pytest.raises(StoreError, match="disk is full"):
        refused.result(PATIENCE)
    roomy = started(opened())
    roomy.submit(hints("7")).result(PATIENCE)
    assert "7" in noted(opened())
    with pytest.raises(StoreError, match="disk is full"):  # it doesn't count as noted
        intake.submit(hints(*map(str, range(6_000, 11_000)))).result(PATIENCE)


def test_a_locked_database_is_said_and_the_same_hint_is_taken_afterwards(
    opened: Callable[..., Store], started: Callable[..., Intake], tmp_path: Path
) -> None:
    store = opened("?timeout=0.05")
    intake = started(store)
    other = sqlite3.connect(tmp_path / "hubsync.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        intake.submit(hints("1")).result(PATIENCE)
    other.execute("ROLLBACK")
    other.close()
    intake.submit(hints("1")).result(PATIENCE)
    assert noted(store) == ["1"]


def test_everyone_of_a_group_hears_that_it_failed(
    store: Store, started: Callable[..., Intake], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise StoreError("no room")

    gate = Gate(store)
    intake = started(gate)
    first = intake.submit(hints("1"))
    assert gate.arrived.acquire(timeout=PATIENCE)
    rest = [intake.submit(hints(item)) for item in ("2", "2", "3")]
    monkeypatch.setattr(gate, "hint", broken)
    gate.let_in()
    first.result(PATIENCE)
    assert [str(done.exception(PATIENCE)) for done in rest] == ["no room"] * 3
    monkeypatch.undo()
    gate.let_in()
    intake.submit(hints("2")).result(PATIENCE)
    assert noted(store) == ["1", "2"]


def test_who_no_longer_waits_ends_nothing(store: Store, started: Callable[..., Intake]) -> None:
    gate = Gate(store)
    intake = started(gate)
    first = intake.submit(hints("1"))
    assert gate.arrived.acquire(timeout=PATIENCE)
    given_up, other = intake.submit(hints("2")), intake.submit(hints("3"))
    assert given_up.cancel()
    gate.let_in()
    gate.let_in()
    first.result(PATIENCE)
    other.result(PATIENCE)
    assert noted(store) == ["1", "2", "3"]


def test_stopping_commits_what_was_submitted_and_refuses_what_comes_later(
    store: Store, started: Callable[..., Intake]
) -> None:
    gate = Gate(store)
    intake = started(gate)
    submitted = [intake.submit(hints("1"))]
    assert gate.arrived.acquire(timeout=PATIENCE)
    submitted += [intake.submit(hints(item)) for item in ("2", "3")]
    stopping = threading.Thread(target=intake.stop)
    stopping.start()
    gate.let_in()
    gate.let_in()
    stopping.join(PATIENCE)
    assert [done.exception(0) for done in submitted] == [None] * 3
    assert noted(store) == ["1", "2", "3"]
    with pytest.raises(HubsyncError, match="stopping"):
        intake.submit(hints("4")).result(0)


def test_where_nothing_ever_began_all_are_told(store: Store) -> None:
    intake = Intake(store, PORTAL, lambda: NOW)
    waiting = intake.submit(hints("1"))
    intake.stop()
    with pytest.raises(HubsyncError, match="stopping"):
        waiting.result(0)


# Every event after the last read leads to a later look ---------------------------------------------------------------

STEPS = st.lists(
    st.sampled_from(("event A", "event B", "commit", "commit", "work", "work", "work", "gone")), max_size=40
)


class World:
    """Contacts that change, hints of it on their way to the database, and a worker in the middle of its look.

    `version` counts what happened to a contact, `seen` is what the worker knew of it when it read last. The worker's
    steps come in their order, but whatever else happens may come between any two of them.
    """

    def __init__(self, store: Store, intake: Intake, gate: Gate) -> None:
        self.store, self.intake, self.gate = store, intake, gate
        self.version: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.waiting: list[Future[None]] = []
        self.items: Sequence[WorkItem] = ()
        self.stage = "take"

    def event(self, contact: str) -> None:
        self.version[contact] += 1
        self.waiting.append(self.intake.submit(hints(contact)))

    def commit(self) -> None:
        """Let the oldest group into the database, where one is at its door."""
        if self.gate.arrived.acquire(timeout=0.02 if any(not w.done() for w in self.waiting) else 0):
            self.gate.let_in()

    def work(self) -> None:
        """The worker's next step."""
        name = self.stage
        if name == "take":
            self.items = self.store.take_work(PORTAL, NOW, 10)
            self.stage = "taken" if self.items else "take"
        elif name == "taken":
            self.intake.taken([item.contact for item in self.items])
            self.stage = "read"
        elif name == "read":
            for item in self.items:
                self.seen[item.contact] = self.version[item.contact]
            self.stage = "done"
        else:
            self.store.work_done(PORTAL, self.items, NOW)
            self.stage = "take"

    def gone(self) -> None:
        """The contacts just read are not there: the database forgets them."""
        if self.stage == "done":
            self.store.forget(PORTAL, [item.contact for item in self.items])

    def drain(self) -> None:
        """Nothing more happens: all is committed, the worker works until nothing is due."""
        while not all(waiting.done() for waiting in self.waiting):
            self.commit()
        for _ in range(12):
            self.work()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One database for all examples; each begins with no work in it."""
    with open_store("sqlite:///hubsync.db", base=tmp_path_factory.mktemp("shared")) as store:
        store.remember_portal(PORTAL, at=NOW)
        yield store


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(steps=STEPS)
@example(steps=["event A", "commit", "work", "work", "work", "event A", "commit", "gone", "work"])
def test_whatever_happened_after_a_contact_was_read_last_leads_to_another_look(shared: Store, steps: list[str]) -> None:
    shared.work_done(PORTAL, shared.take_work(PORTAL, NOW, 10), NOW)
    gate = Gate(shared)
    intake = Intake(gate, PORTAL, lambda: NOW)  # type: ignore[arg-type]
    intake.start()
    world = World(shared, intake, gate)
    for step in steps:
        name, _, contact = step.partition(" ")
        getattr(world, name)(*([contact] if contact else []))
    world.drain()
    intake.stop()
    assert world.seen == world.version
    assert shared.take_work(PORTAL, NOW, 10) == ()
