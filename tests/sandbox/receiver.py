"""A receiver of webhooks on loopback, over the standard library: keeps what came, answers what it is told to."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came; `client` is the address of its connection."""

    method: str
    target: str
    headers: Message
    body: bytes
    client: tuple[str, int]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Reply = tuple[int, dict[str, str]]


class Receiver:
    """`answer` decides status and headers of each request; while `hanging` is set nothing is answered."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], Reply] = lambda _: (200, {})
        self.hanging = False
        self.arrived = threading.Event()
        self._open = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.base}/webhooks/hubspot"

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event of every array received, in the order of arrival."""
        return [event for each in self.received for event in each.json]

    def replies(self, *replies: int | Reply) -> None:
        """Answer with these one after the other, the last one for good."""
        waiting = [(each, {}) if isinstance(each, int) else each for each in replies]
        self.answer = lambda _: waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def hang_up(self) -> None:
        """Close every open connection, as a receiver does with idle ones."""
        self._server.hang_up()

    def wait_released(self) -> None:
        self._open.wait(20)

    def stop(self) -> None:
        self._open.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.connections: list[socket.socket] = []
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        while self.connections:
            with contextlib.suppress(OSError):
                self.connections.pop().shutdown(socket.SHUT_RDWR)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Senders that are cut off are no news here."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            host, port = self.client_address[:2]
            request = Received(self.command, self.path, self.headers, body, (host, port))
            with lock:
                receiver.received.append(request)
                status, headers = receiver.answer(request)
            receiver.arrived.set()
            if receiver.hanging:
                receiver.wait_released()
            if status == 0:  # hang up without an answer
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        do_POST = do_GET = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """`received` is the log."""

    return Handler
