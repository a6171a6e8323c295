"""A gateway on mocked HTTP with a clock of its own, so that no test waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import responses

from hubsync.portal.gateway import Gateway

URL = "https://portal.test"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TOKEN = "pat-na1-00000000-made-up-for-tests"


class FakeTime:
    """Seconds that pass only by sleeping. `slept` holds every wait."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def clock(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.seconds += seconds


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def make_gateway(fake_time: FakeTime) -> Iterator[Callable[..., Gateway]]:
    made: list[Gateway] = []

    def make(url: str = URL, token: Callable[[], str] = lambda: TOKEN, **options: Any) -> Gateway:
        options = {"clock": fake_time.clock, "sleep": fake_time.sleep, **options}
        made.append(Gateway(url, token, **options))
        return made[-1]

    yield make
    for gateway in made:
        gateway.close()


@pytest.fixture
def gateway(make_gateway: Callable[..., Gateway]) -> Gateway:
    return make_gateway()
