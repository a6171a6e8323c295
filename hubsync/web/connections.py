"""A connection to our port that can't be held open for nothing (issue 4: slow loris).

uvicorn's own waits for a request's head for ever and reads heads of any size. This one gives a head some seconds and
some kilobytes, and where too many connections are open the one that has been idle longest makes room: a request that
is whole in its first packet, as HubSpot's are, always finds a place.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
HEAD_BYTES = 65_536
CONNECTIONS = 500
"""Open at once."""

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n"
    b"cache-control: no-store\r\n\r\n"
)


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection, with limits on the head of a request and on how many are open."""

    head_seconds = HEAD_SECONDS
    head_bytes = HEAD_BYTES
    most = CONNECTIONS

    _head_timer: asyncio.TimerHandle | None = None
    _head_size = 0
    _idle_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A new connection: room is made for it, and its first head is waited for."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._expect_head()
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of it."""
        self._head_is_over()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a head are counted until it is whole; those of a body are the application's."""
        if self._head_timer is None and self._is_idle:
            self._expect_head()
        super().data_received(data)
        if self._head_timer is not None:
            self._head_size += len(data)
            if self._head_size > self.head_bytes and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_is_over()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """A request is answered; the connection may bring another."""
        self._idle_since = self.loop.time()
        super().on_response_complete()

    @property
    def _is_idle(self) -> bool:
        """Whether nothing of it is being worked on."""
        return self.cycle is None or self.cycle.response_complete

    def _expect_head(self) -> None:
        self._head_size = 0
        self._head_timer = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _head_is_over(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _make_room(self) -> None:
        others = [c for c in self.connections if isinstance(c, BoundedConnection) and c is not self and c._is_idle]
        if others:
            min(others, key=lambda other: other._idle_since).transport.abort()
