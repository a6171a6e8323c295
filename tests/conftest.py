"""What every test runs under: no network but loopback, no home, no settings of the person at the keyboard."""

from __future__ import annotations

import gc
import ipaddress
import itertools
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from tests.sync.desk import Desk


class NetworkRefused(RuntimeError):
    """A test reached for an address outside this machine."""


@pytest.fixture(scope="session", autouse=True)
def only_loopback() -> Iterator[None]:
    """Refuse to connect to, send to or look up anything but loopback and unix sockets."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex", "sendto"):
        patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    look_up = socket.getaddrinfo

    def guarded_look_up(host: Any, *args: Any, **options: Any) -> Any:
        _refuse_unless_local(host)
        return look_up(host, *args, **options)

    patch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield
    patch.undo()


def pytest_collection_finish() -> None:
    """Modules and thousands of collected tests are no garbage: the collector needn't go through them all the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, *args: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_unless_local(args[-1][0])  # the address comes last: sendto may take flags before it
        return method(self, *args)

    return guarded


def _refuse_unless_local(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        local = ipaddress.ip_address(str(name).partition("%")[0])
    except ValueError:
        raise NetworkRefused(f"tests stay on this machine; {name} is not to be looked up") from None
    if not (local.is_loopback or local.is_unspecified):
        raise NetworkRefused(f"tests stay on this machine; {name} is not to be reached")


@pytest.fixture(scope="session")
def _elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    base, numbers = tmp_path_factory.mktemp("elsewhere"), itertools.count()

    def make() -> Path:
        folder = base / str(next(numbers))
        (folder / "home").mkdir(parents=True)
        return folder

    return make


@pytest.fixture(autouse=True)
def isolated(_elsewhere: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a working directory of the test's own, both empty, and no HUBSYNC_ name or proxy in the environment.

    So neither a `.env` in the repository nor a `~/.netrc` reaches a test, and every terminal is 80 wide. One name is
    set: no service proves all the shipped rules beside a test.
    Gives the folder; its `home` is HOME.
    """
    for name in list(os.environ):
        if name.startswith(("HUBSYNC_", "_HUBSYNC_", "XDG_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("FORCE_COLOR", "NO_COLOR", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("HUBSYNC_PROOF_SECONDS", "0")
    folder = _elsewhere()
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def demanded() -> Callable[[str], NoReturn]:
    """`demanded("a browser")` where something isn't at hand: fails the test in CI, skips it elsewhere."""

    def give_up(what: str) -> NoReturn:
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(f"{what} is missing, and CI demands it", pytrace=False)
        pytest.skip(f"{what} is missing")

    return give_up


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    from tests.databases import a_server

    with a_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database that holds nothing yet, on each kind of database in turn."""
    if request.param == "sqlite":
        yield "sqlite:///hubsync.db"
        return
    from tests.databases import schema_of_its_own

    with schema_of_its_own(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """`make_desk(effective_since=None)`: desks (tests/sync/desk.py), closed at the end."""
    from tests.sync.desk import Desk

    with ExitStack() as stack:

        def make(**options: Any) -> Desk:
            return stack.enter_context(Desk(tmp_path, **options))

        yield make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A portal with every status and property of the shipped rules; causes count from 2020."""
    return make_desk()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`made("inbound-8")`: the folder of that pack, put together once."""
    from hubsync.rulefiles.packs import assemble
    from hubsync.settings import default_rules

    place = tmp_path_factory.mktemp("packs")

    def make(name: str) -> Path:
        if not (place / name).exists():
            assemble(default_rules(), name, place / name)
        return place / name

    return make
