"""Reading a request's body without trusting who sends it: how large, how slow and how many at once (issue 4).

Bodies are read before it is known who sent them, so what they may cost is bounded: each by itself, all together, and in
time. Nothing here looks into them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import Receive

MEGABYTE = 1024 * 1024


class BodyRefused(Exception):
    """A body that isn't read to its end. `status` is what the sender is told."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(slots=True)
class Bodies:
    """What bodies may cost: the largest one and all in memory together in bytes, the slowest in seconds.

    For one event loop; not for several threads.
    """

    largest: int = 2 * MEGABYTE
    together: int = 64 * MEGABYTE
    seconds: float = 10.0
    held: int = 0
    """Bytes of bodies being read or worked on now."""

    @contextmanager
    def room(self) -> Iterator[list[int]]:
        """Room for one body; give it to `read`. What was read counts until the end."""
        mine = [0]
        try:
            yield mine
        finally:
            self.held -= mine[0]

    async def read(self, headers: Sequence[tuple[bytes, bytes]], receive: Receive, room: list[int]) -> bytes:
        """The whole body. Raises BodyRefused: 413 too large, 408 too slow, 503 no room, 400 cut short."""
        declared = next((value for name, value in headers if name == b"content-length"), b"0")
        if not declared.isdigit() or len(declared) > 20 or int(declared) > self.largest:
            raise BodyRefused(413, f"The body is larger than {self.largest:,} bytes.")
        try:
            async with asyncio.timeout(self.seconds):
                return await self._collect(receive, room)
        except TimeoutError:
            raise BodyRefused(408, f"The body took longer than {self.seconds:g} seconds.") from None

    async def _collect(self, receive: Receive, room: list[int]) -> bytes:
        chunks = []
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise BodyRefused(400, "The body was cut short.")
            chunk: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            room[0] += len(chunk)
            self.held += len(chunk)
            if room[0] > self.largest:
                raise BodyRefused(413, f"The body is larger than {self.largest:,} bytes.")
            if self.held > self.together:
                raise BodyRefused(503, "Too much is being received at once; try again.")
            chunks.append(chunk)
        return b"".join(chunks)
