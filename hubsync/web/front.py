"""The shortest way to the webhooks: a thousand requests a second needn't pass what pages need on theirs."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


class Front:
    """Hands requests of certain (method, path) to their own applications, and everything else to `app`."""

    def __init__(self, app: ASGIApp, shortcuts: Mapping[tuple[str, str], ASGIApp]) -> None:
        self._app = app
        self._shortcuts = dict(shortcuts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._shortcuts.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        await (self._app if found is None else found)(scope, receive, send)
