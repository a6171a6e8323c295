"""Stations for tests of the service (tests/service/station.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.service.station import Station
from tests.sync.desk import Desk


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged, as data; nothing is printed."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def make_station(desk: Desk) -> Iterator[Callable[..., Station]]:
    """`make_station(writes=False)`: stations at the desk, closed at the end."""
    with ExitStack() as stack:

        def make(**options: Any) -> Station:
            return stack.enter_context(Station(desk, **options))

        yield make


@pytest.fixture
def station(make_station: Callable[..., Station]) -> Station:
    """A station that writes."""
    return make_station()
