"""The sandbox on a loopback port: real HTTP/1.1 with keep-alive. It must not know what a request means."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterable
from datetime import UTC
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self

from hubsync.sandbox.http.call import Reply, json_reply
from hubsync.sandbox.http.control import Control
from hubsync.sandbox.http.faults import Fault
from hubsync.sandbox.http.limits import ALL_SCOPES, Consumer, Limits, Window
from hubsync.sandbox.http.service import Service
from hubsync.sandbox.state import Portal
from hubsync.sandbox.webhooks import AppSender, Webhooks, WorkflowSender, checked_url

_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Sandbox:
    """A portal served on loopback, as a context manager.

    `url`, `token`, `client_secret` are what a client needs. `allowance` requests pass in ten seconds, `daily` in a
    day; `latency` seconds are added to every answer. Real time rules the windows unless `timer` says otherwise.
    `webhooks` is an address that the app's webhooks are sent to; `subscribe` says more exactly what is sent how.
    """

    def __init__(
        self,
        portal: Portal | None = None,
        *,
        port: int = 0,
        latency: float = 0.0,
        allowance: int = 190,
        daily: int = 625_000,
        searches: int = 5,
        scopes: Collection[str] = ALL_SCOPES,
        faults: Iterable[Fault] = (),
        webhooks: str | None = None,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.portal = portal or Portal()
        self.token = f"pat-na1-sandbox-{self.portal.portal_id}-{self.portal.seed}"
        limits = Limits(self.portal.clock, self.portal.time_zone, timer, daily=daily, searches=searches)
        first = Consumer("main", Window(allowance, 10.0), scopes)
        self.service = Service(self.portal, {self.token: first}, limits, latency=latency, sleep=sleep)
        for fault in faults:
            self.service.faults.add(fault)
        self.webhooks = Webhooks(self.portal, f"sandbox-secret-{self.portal.portal_id}-{self.portal.seed}")
        self._receiver = checked_url(webhooks) if webhooks else None
        self._port = port
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Base URL, without a trailing slash."""
        if self._server is None:
            raise RuntimeError("the sandbox isn't running: use it as a context manager, or call start()")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def client_secret(self) -> str:
        """What the app's webhooks are signed with."""
        return self.webhooks.secret

    def add_token(
        self,
        label: str,
        *,
        share: bool = False,
        allowance: int = 190,
        scopes: Collection[str] = ALL_SCOPES,
    ) -> str:
        """Another consumer's token; with `share` it draws on the first one's ten-second window."""
        token = f"{self.token}-{label}"
        window = self.service.consumers[self.token].window if share else Window(allowance, 10.0)
        self.service.consumers[token] = Consumer(label, window, scopes)
        return token

    def fail(self, kind: str, **how: Any) -> None:
        """Switch a fault on: `kind` and the fields of `Fault`. Raises ValueError for an unknown kind."""
        self.service.faults.add(Fault(kind, **how))

    def rotate_token(self) -> str:
        """A new token in place of the first one, which is refused from now on."""
        fresh = f"{self.token}-r"
        self.service.rotate(self.token, fresh)
        self.token = fresh
        return fresh

    def rotate_secret(self) -> str:
        """A new client secret: it signs every webhook from now on."""
        return self.webhooks.rotate_secret()

    def subscribe(self, url: str, **how: Any) -> AppSender:
        """Send the app's webhooks to `url` until we stop; `how` as `AppSender` takes it. Raises ValueError."""
        return self.webhooks.subscribe(url, **how)

    def subscribe_workflow(self, url: str, **how: Any) -> WorkflowSender:
        """Send contacts through a workflow's webhook; `how` as `WorkflowSender` takes it. Raises ValueError."""
        return self.webhooks.subscribe_workflow(url, **how)

    def drain(self, timeout: float = 10.0, *, hurry: bool = False) -> bool:
        """Wait until every webhook was delivered or given up; False after `timeout` seconds.

        With `hurry` those held back, or waiting for a retry, go out at once.
        """
        return self.webhooks.drain(timeout, hurry=hurry)

    def start(self) -> Sandbox:
        """Listen. Raises OSError where the port is taken."""
        server = _Server(("127.0.0.1", self._port), _handler(self.service, self.webhooks))
        threading.Thread(target=server.serve_forever, args=(0.05,), name="sandbox", daemon=True).start()
        self._server = server
        if self._receiver is not None:
            self.subscribe(self._receiver)
        return self

    def stop(self) -> None:
        """Stop the webhooks, stop listening and close every connection."""
        self.webhooks.stop()
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    """One thread per connection; all are closed on stop, idle ones included."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without asking who we are: the base class looks the host's name up, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news; anything else is a defect of ours and must be seen."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.shutdown()
        with self._open_lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self.server_close()


def _handler(service: Service, webhooks: Webhooks) -> type[BaseHTTPRequestHandler]:
    control = Control(service, webhooks)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.startswith("/_sandbox/"):
                reply = control.answer(self.command, self.path, body)
            else:
                reply = self._answered(body)
            self._send(reply)

        def _answered(self, body: bytes) -> Reply:
            try:
                return service.answer(self.command, self.path, self.headers.get("Authorization"), body)
            except Exception:  # noqa: BLE001 - a defect of the sandbox: shown here, and as a 500 to the client
                traceback.print_exc()
                return json_reply(
                    500, {"status": "error", "message": "The sandbox portal has a defect; see its output"}
                )

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815

        def _send(self, reply: Reply) -> None:
            if reply.drop:
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            now = format_datetime(service.portal.clock.now().astimezone(UTC), usegmt=True)
            lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}", f"Date: {now}"]
            if reply.status != HTTPStatus.NO_CONTENT:
                lines += [f"Content-Type: {reply.content_type}", f"Content-Length: {len(reply.body)}"]
            lines += [f"{name}: {value}" for name, value in reply.headers.items()]
            sent = reply.body if reply.cut is None else reply.body[: reply.cut]
            self.wfile.write("\r\n".join((*lines, "", "")).encode("latin-1") + sent)
            self.wfile.flush()
            if reply.cut is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """The journal is the log."""

    return Handler
