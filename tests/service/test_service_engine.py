"""What every engine promises, whatever it runs on: design 5's port."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from hubsync.service.engine import Engine, InProcess, Stretch
from tests.service.waiting import PATIENCE, eventually

FIRST, SECOND = 1, 2
MakeEngine = Callable[[Mapping[int, Stretch]], Engine]
ENGINES: dict[str, MakeEngine] = {"in process": InProcess}


@pytest.fixture(params=ENGINES)
def running(request: pytest.FixtureRequest) -> Iterator[MakeEngine]:
    """`running({portal: stretch})`: an engine of each kind in turn, at work, shut down at the end."""
    with ExitStack() as stack:

        def start(stretches: Mapping[int, Stretch]) -> Engine:
            engine = ENGINES[request.param](stretches)
            thread = threading.Thread(target=engine.run)
            thread.start()
            stack.callback(thread.join, PATIENCE)
            stack.callback(engine.shutdown, PATIENCE)
            return engine

        yield start


class Portal:
    """Counts its stretches and how many ran at once; `pause` is what each asks for."""

    def __init__(self, pause: float = 60.0) -> None:
        self.pause = pause
        self.stretches = 0
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        self.within, self.blocked = threading.Event(), threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self) -> float:
        with self._lock:
            self._now += 1
            self.stretches += 1
            self.most = max(self.most, self._now)
        self.within.set()
        while not self.go_on.is_set():
            self.blocked.set()
            self.go_on.wait(PATIENCE)
        with self._lock:
            self._now -= 1
        return self.pause


def test_work_begins_without_being_asked_for(running: MakeEngine) -> None:
    portal = Portal()
    running({FIRST: portal})
    assert eventually(lambda: portal.stretches == 1)


def test_a_wake_is_a_stretch_at_once_and_one_during_a_stretch_is_another_after_it(running: MakeEngine) -> None:
    portal = Portal()
    engine = running({FIRST: portal})
    assert eventually(lambda: portal.stretches == 1)
    portal.go_on.clear()
    engine.wake(FIRST)
    assert eventually(lambda: portal.stretches == 2)
    engine.wake(FIRST)
    engine.wake(FIRST)
    portal.go_on.set()
    assert eventually(lambda: portal.stretches == 3)


def test_more_that_is_waiting_is_worked_on_without_a_wake(running: MakeEngine) -> None:
    portal = Portal(pause=0.0)
    running({FIRST: portal})
    assert eventually(lambda: portal.stretches > 50)


def test_never_two_stretches_of_a_portal_at_once_however_often_it_is_woken(running: MakeEngine) -> None:
    portal = Portal(pause=0.0)
    engine = running({FIRST: portal})

    def wake_often() -> None:
        for _ in range(500):
            engine.wake(FIRST)

    wakers = [threading.Thread(target=wake_often) for _ in range(4)]
    for waker in wakers:
        waker.start()
    for waker in wakers:
        waker.join(PATIENCE)
    assert eventually(lambda: portal.stretches > 20)
    assert portal.most == 1


def test_portals_do_not_wait_for_one_another(running: MakeEngine) -> None:
    slow, other = Portal(), Portal()
    slow.go_on.clear()
    engine = running({FIRST: slow, SECOND: other})
    assert slow.within.wait(PATIENCE)
    before = other.stretches
    engine.wake(SECOND)
    assert eventually(lambda: other.stretches > before)
    slow.go_on.set()


def test_a_stretch_that_raises_is_not_the_last(running: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubsync.service.engine.AFTER_FAILING", 0.001)
    portal = Portal()

    def failing_twice() -> float:
        portal()
        return 1 / 0 if portal.stretches < 3 else 60.0

    running({FIRST: failing_twice})
    assert eventually(lambda: portal.stretches == 3)


def test_shutting_down_waits_for_the_stretch_that_runs_and_begins_no_other(running: MakeEngine) -> None:
    portal = Portal(pause=0.0)
    engine = running({FIRST: portal})
    assert eventually(lambda: portal.stretches > 1)
    portal.go_on.clear()
    assert portal.blocked.wait(PATIENCE)
    assert engine.shutdown(0.02) is False
    portal.go_on.set()
    assert engine.shutdown(PATIENCE) is True
    ended = portal.stretches
    engine.wake(FIRST)
    time.sleep(0.02)
    assert portal.stretches == ended


def test_shutting_down_an_idle_engine_takes_no_time(running: MakeEngine) -> None:
    portal = Portal(pause=3_600.0)
    engine = running({FIRST: portal})
    assert eventually(lambda: portal.stretches == 1)
    began = time.monotonic()
    assert engine.shutdown(PATIENCE) is True
    assert time.monotonic() - began < 5
