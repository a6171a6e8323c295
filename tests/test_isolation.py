"""The walls that tests/conftest.py puts around every test hold."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


@pytest.mark.parametrize(("host", "port"), [("203.0.113.7", 443), ("api.hubapi.com", 443), ("2001:db8::7", 443)])
def test_no_test_reaches_another_machine(host: str, port: int) -> None:
    with pytest.raises(RuntimeError, match=f"tests stay on this machine; {host}"):
        socket.create_connection((host, port), timeout=0.1)


@pytest.mark.parametrize("name", ["connect", "connect_ex"])
def test_no_socket_of_a_test_connects_to_another_machine(name: str) -> None:
    with socket.socket() as caller, pytest.raises(RuntimeError, match="tests stay on this machine"):
        getattr(caller, name)(("203.0.113.7", 443))


def test_no_datagram_of_a_test_leaves_the_machine() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        pytest.raises(RuntimeError, match="tests stay on this machine"),
    ):
        sender.sendto(b"?", ("203.0.113.7", 53))


def test_loopback_is_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5) as caller,
    ):
        assert caller.getpeername() == server.getsockname()


def test_a_test_starts_in_an_empty_folder_with_an_empty_home(isolated: Path) -> None:
    assert Path.cwd() == isolated
    assert Path.home() == isolated / "home"
    assert not list(Path.home().iterdir())
    ours = {name: value for name, value in os.environ.items() if name.startswith("HUBSYNC_")}
    assert ours == {"HUBSYNC_PROOF_SECONDS": "0"}  # no proof runs beside a service that a test starts
