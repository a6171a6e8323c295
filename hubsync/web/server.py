"""The web side on a port: uvicorn in a thread, bounded in connections and patience (issue 4).

It knows nothing of what it serves. Signals are the service's; forwarding headers are not believed; requests aren't
logged here, since who serves them logs what matters.
"""

from __future__ import annotations

import errno
import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from hubsync.errors import HubsyncError
from hubsync.web.connections import CONNECTIONS, BoundedConnection

KEEP_ALIVE = 20
"""Seconds an idle connection is kept."""
BACKLOG = 512
STARTED_WITHIN = 10.0


class WebServer:
    """Serves one ASGI application. `port` 0 takes a free one; `url` says which, once it is started."""

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1", port: int = 8000) -> None:
        self._host = host
        self._port = port
        self._server = _Server(_config(app))
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its address as seen from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104  (compared, not bound)
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    @property
    def is_alive(self) -> bool:
        """Whether it serves."""
        return self._thread is not None and self._thread.is_alive() and self._server.started

    def start(self) -> None:
        """Listen and serve. Raises HubsyncError where the address can't be had, with what to do."""
        self._socket = _listen(self._host, self._port)
        self._port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="hubsync-web", daemon=True)
        self._thread.start()
        if not self._server.is_up.wait(STARTED_WITHIN) or self._failure is not None:
            raise HubsyncError(f"The web server did not start on {self.url}.") from self._failure

    def stop(self, within_seconds: float = 5.0) -> bool:
        """Take no more requests and let those under way end; whether all did within so many seconds."""
        if self._thread is None or self._socket is None:
            return True
        self._server.config.timeout_graceful_shutdown = max(1, int(within_seconds) - 1)
        self._server.should_exit = True
        self._thread.join(within_seconds)
        in_time = not self._thread.is_alive()
        self._server.force_exit = True
        self._socket.close()
        return in_time

    def _serve(self) -> None:
        try:
            self._server.run([self._socket] if self._socket is not None else None)
        except BaseException as error:  # noqa: BLE001  (who started it must hear of it)
            self._failure = error
        finally:
            self._server.is_up.set()


class _Server(uvicorn.Server):
    """uvicorn's, which says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedConnection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level=None,  # what is heard of uvicorn, and in which form, is the settings' business (logs.py)
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=2 * CONNECTIONS,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
    )


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                why = (
                    "something listens there already, perhaps another hubsync serve. Stop it, or choose another --port"
                )
            case errno.EACCES:
                why = "this user may not listen there. Choose a --port above 1023"
            case errno.EADDRNOTAVAIL | socket.EAI_NONAME:
                why = "this machine has no such address. Choose another --host"
            case _:
                why = str(error.strerror or error)
        raise HubsyncError(f"Can't listen on {host}, port {port}: {why}.") from error
