"""A desk per test (tests/sync/desk.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.sync.desk import Desk


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """`make_desk(effective_since=None)`: desks, closed at the end."""
    with ExitStack() as stack:

        def make(**options: Any) -> Desk:
            return stack.enter_context(Desk(tmp_path, **options))

        yield make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A portal with every status and property of the shipped rules; causes count from 2020."""
    return make_desk()


@pytest.fixture
def bare(make_desk: Callable[..., Desk]) -> Desk:
    """A portal as HubSpot ships it."""
    return make_desk(added_statuses=False, own_properties=False)
