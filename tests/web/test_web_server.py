"""The web side on a real port: what strangers may hold open, and starting and stopping."""

from __future__ import annotations

import errno
import json
import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from hubsync.errors import HubsyncError
from hubsync.web.connections import _TOO_LARGE, BoundedConnection
from hubsync.web.server import WebServer
from tests.web.asking import EVENTS, Web, events

PATIENCE = 10.0
"""Seconds; only ever waited for where a test fails."""


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def server(web: Web) -> Iterator[WebServer]:
    with WebServer(web.app, port=0) as running:
        yield running


def connect(server: WebServer) -> socket.socket:
    port = int(server.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def everything(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    got = b""
    try:
        while chunk := connection.recv(65_536):
            got += chunk
    except ConnectionResetError:
        pass
    return got


def get(server: WebServer, path: str = "/healthz") -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def test_it_serves_and_does_not_say_what_serves(server: WebServer) -> None:
    status, headers, body = get(server)
    assert (status, json.loads(body)) == (200, {"status": "ok"})
    assert "server" not in headers
    assert headers["x-content-type-options"] == "nosniff"


def test_a_signed_webhook_goes_through_byte_by_byte(web: Web, server: WebServer) -> None:
    body = events(7)
    target = f"{EVENTS}?a=%20b&c"
    head = [f"POST {target} HTTP/1.1".encode(), b"Host: elsewhere.example", b"Connection: close"]
    head += [name + b": " + value for name, value in web.v3("POST", target, body)]
    head += [f"Content-Length: {len(body)}".encode()]
    with connect(server) as connection:
        connection.sendall(b"\r\n".join([*head, b"", b""]) + body)
        assert everything(connection).startswith(b"HTTP/1.1 200 ")
    assert web.intake.items == ["7"]


def test_a_taken_port_is_an_error_that_says_what_to_do(server: WebServer, web: Web) -> None:
    with pytest.raises(HubsyncError, match=r"something listens there already.*--port"):
        WebServer(web.app, port=int(server.url.rpartition(":")[2])).start()


@pytest.mark.parametrize(
    ("function", "fault", "says"),
    [
        ("create_server", OSError(errno.EADDRNOTAVAIL, "no"), "no such address.*--host"),
        ("getaddrinfo", socket.gaierror(socket.EAI_NONAME, "no"), "no such address.*--host"),
        ("create_server", OSError(errno.EACCES, "no"), "may not listen there.*--port"),
        ("create_server", OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
    ],
)
def test_an_address_that_can_not_be_had_is_an_error_that_says_what_to_do(
    web: Web, monkeypatch: pytest.MonkeyPatch, function: str, fault: OSError, says: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(socket, function, fail)
    with pytest.raises(HubsyncError, match=says):
        WebServer(web.app).start()


def test_it_stops_in_time_and_frees_the_port(web: Web) -> None:
    server = WebServer(web.app, port=0)
    server.start()
    port = int(server.url.rpartition(":")[2])
    idle = connect(server)
    assert server.is_alive
    assert server.stop(within_seconds=5)
    assert not server.is_alive
    idle.close()
    with WebServer(web.app, port=port) as again:
        assert get(again)[0] == 200


def test_a_request_under_way_is_answered_before_the_end(web: Web) -> None:
    web.intake.holding = True
    server = WebServer(web.app, port=0)
    server.start()
    body = events(7)
    connection = HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=PATIENCE)
    headers = {name.decode(): value.decode() for name, value in web.v3("POST", EVENTS, body)}
    connection.request("POST", EVENTS, body, headers)
    end = time.monotonic() + PATIENCE
    while not web.intake.futures and time.monotonic() < end:
        time.sleep(0.005)
    server._server.should_exit = True
    web.intake.futures[0].set_result(None)
    assert connection.getresponse().status == 200
    assert server.stop(within_seconds=5)
    connection.close()


def test_a_head_that_never_ends_is_given_up(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "head_seconds", 0.1)
    with connect(server) as silent, connect(server) as slow:
        slow.sendall(b"POST /webhooks/hubspot HTTP/1.1\r\nX-One: 1\r\n")
        assert everything(silent) == b""
        assert everything(slow) == b""


def test_the_head_of_a_second_request_is_given_up_too(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "head_seconds", 0.2)
    with connect(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert b"200" not in everything(connection)


def test_a_head_without_end_is_not_collected(server: WebServer) -> None:
    began = time.monotonic()
    with connect(server) as connection:
        try:
            connection.sendall(b"GET /" + b"a" * 4_000_000)
            answer = everything(connection)
        except (BrokenPipeError, ConnectionResetError):
            answer = b""  # closed while we were still sending
    assert answer in (b"", _TOO_LARGE)
    assert time.monotonic() - began < BoundedConnection.head_seconds / 2
    assert get(server)[0] == 200


def test_a_body_is_not_mistaken_for_a_head(web: Web, server: WebServer) -> None:
    body = b"[" + b" " * 1_000_000 + b"]"
    connection = HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=PATIENCE)
    for _ in range(2):
        headers = {name.decode(): value.decode() for name, value in web.v3("POST", EVENTS, body)}
        connection.request("POST", EVENTS, body, headers)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())) == (200, {"used": 0, "ignored": 0})
    connection.close()


def test_idle_connections_make_room_for_new_ones(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "most", 5)
    idle = [connect(server) for _ in range(20)]
    assert get(server)[0] == 200
    for connection in idle:
        connection.close()


@pytest.mark.parametrize(
    "junk",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET http:// HTTP/1.1\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /webhooks/hubspot HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_and_harms_nobody(server: WebServer, junk: bytes) -> None:
    with connect(server) as connection:
        connection.sendall(junk)
        assert everything(connection)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 401")
    assert get(server)[0] == 200
