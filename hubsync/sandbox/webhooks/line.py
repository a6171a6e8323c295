"""One worker's kept-alive connection to the receiver, over the standard library. It neither retries nor judges."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from selectors import EVENT_READ, DefaultSelector
from typing import Any
from urllib.parse import urlsplit

_MOST_READ = 65_536


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it goes out. `items` is what it carries: events, or the contact's id."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    items: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` is None where nothing did; `error` then names what went wrong."""

    status: int | None
    error: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name."""

    @property
    def accepted(self) -> bool:
        """2xx."""
        return self.status is not None and 200 <= self.status < 300


class Line:
    """Sends requests one after the other. `cut` may be called from another thread and ends a request in flight."""

    def __init__(self, connect: float, answer: float) -> None:
        self._connect = connect
        self._answer = answer
        self._http: HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._target = ("", "")
        self._cut = False

    def exchange(self, request: Outgoing) -> Answer:
        """Send and read the answer; `connect` and `answer` seconds at most. Troubles come back as an `Answer` too."""
        try:
            return self._once(request)
        except (OSError, HTTPException) as error:
            self.close()
            return Answer(None, type(error).__name__)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._http is not None:
            self._http.close()
        self._http = self._socket = None

    def cut(self) -> None:
        """End what is in flight and let nothing more out."""
        self._cut = True
        if (held := self._socket) is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

    def _once(self, request: Outgoing) -> Answer:
        parts = urlsplit(request.url)
        http = self._opened(parts.scheme, parts.netloc)
        if self._cut:
            raise ConnectionAbortedError
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        http.request(request.method, path, request.body or None, dict(request.headers))
        response = http.getresponse()
        response.read(_MOST_READ)
        if not response.isclosed() or response.will_close:
            self.close()
        return Answer(response.status, headers={name.lower(): value for name, value in response.getheaders()})

    def _alive(self) -> bool:
        """Whether the idle connection still stands: one that has something to read was closed by the receiver."""
        if self._socket is None:
            return False
        with DefaultSelector() as selector:
            selector.register(self._socket, EVENT_READ)
            return not selector.select(0)

    def _opened(self, scheme: str, netloc: str) -> HTTPConnection:
        if self._http is not None and self._target == (scheme, netloc) and self._alive():
            return self._http
        self.close()
        kind = HTTPSConnection if scheme == "https" else HTTPConnection
        http = kind(netloc, timeout=self._connect)
        http.connect()
        http.sock.settimeout(self._answer)
        self._http, self._socket, self._target = http, http.sock, (scheme, netloc)
        return http
