"""A sandbox portal per test: its clock stands still unless moved, one owner, one contact, a client that speaks HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from hubsync.sandbox import Portal, Sandbox, SandboxClock
from tests.sandbox.receiver import Receiver

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> SandboxClock:
    """Monday noon, frozen."""
    return SandboxClock(NOON, frozen=True)


@pytest.fixture
def portal(clock: SandboxClock) -> Portal:
    """An empty portal on the frozen clock."""
    return Portal(clock=clock, seed=7)


@pytest.fixture
def owner(portal: Portal) -> str:
    """A rep in a team."""
    team = portal.directory.add_team("Sales")
    return portal.directory.add_owner("rita@example.com", "Rita", "Rep", teams=(team,)).id


@pytest.fixture
def contact(portal: Portal) -> str:
    """A lead."""
    return portal.create("contacts", {"email": "ada@example.com", "firstname": "Ada", "lifecyclestage": "lead"})


@pytest.fixture
def box(portal: Portal) -> Iterator[Sandbox]:
    """The portal on a loopback port."""
    with Sandbox(portal) as running:
        yield running


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session that ignores the machine's proxies and netrc."""
    with requests.Session() as made:
        made.trust_env = False
        yield made


@pytest.fixture
def call(box: Sandbox, session: requests.Session) -> Callable[..., requests.Response]:
    """`call("POST", "/path", {json}, limit=1)` with the portal's token (or `token=`)."""

    def send(method: str, path: str, body: Any = None, *, token: str | None = None, **params: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {box.token if token is None else token}"}
        return session.request(method, box.url + path, json=body, params=params, headers=headers, timeout=10)

    return send


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Something that webhooks can be sent to."""
    made = Receiver()
    yield made
    made.stop()
