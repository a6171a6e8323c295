"""A desk per test (tests/sync/desk.py)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sync.desk import Desk


@pytest.fixture
def bare(make_desk: Callable[..., Desk]) -> Desk:
    """A portal as HubSpot ships it."""
    return make_desk(added_statuses=False, own_properties=False)
