"""What every answer says to browsers, and the path below which hubsync lives behind a proxy.

Pages load nothing but our own style sheet and icon, run no scripts and stand in no frame.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_SECURITY = tuple((name.lower().encode(), value.encode()) for name, value in SECURITY.items())
_NOT_KEPT = ((b"cache-control", b"no-store"),)
NOT_KEPT_JSON = (*_SECURITY, *_NOT_KEPT, (b"content-type", b"application/json"))
"""The headers of an answer that goes past SecurityHeaders."""


class SecurityHeaders:
    """Adds SECURITY to every answer, and `no-store` unless the answer says how long it may be kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", [])
                there = {name for name, _ in given}
                more = [header for header in (*_SECURITY, *_NOT_KEPT) if header[0] not in there]
                message = {**message, "headers": [*given, *more]}
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class BelowPrefix:
    """Takes the prefix of the public address off a path, where the proxy in front left it on."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, raw = self._prefix + "/", scope.get("raw_path")
        if (
            self._prefix
            and scope["type"] == "http"
            and scope["path"].startswith(start)
            and (raw is None or raw.startswith(start.encode()))
        ):
            scope = {**scope, "path": scope["path"][len(self._prefix) :]}
            if raw is not None:
                scope["raw_path"] = raw[len(self._prefix) :]
        await self._app(scope, receive, send)
