"""A web side under test: the application, a clock that stands still, a fake intake, and requests byte by byte."""

from __future__ import annotations

import asyncio
import hmac
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from starlette.types import ASGIApp, Message

from hubsync.service.health import Health
from hubsync.service.intake import Hint
from hubsync.service.metrics import Metrics
from hubsync.service.status import Status
from hubsync.service.traffic import Traffic
from hubsync.web.app import Parts, WebConfig, build_app

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
PUBLIC = "https://hubsync.example.com"
PASSWORD = "correct horse"
PORTAL, APP = 62515, 54321
EVENTS = "/webhooks/hubspot"
WORKFLOW = "/webhooks/hubspot/workflow"
EVENT: dict[str, Any] = {
    "eventId": 1,
    "subscriptionId": 12345,
    "portalId": PORTAL,
    "occurredAt": 1564113600000,
    "subscriptionType": "contact.creation",
    "attemptNumber": 0,
    "objectId": 123,
    "changeSource": "CRM",
    "changeFlag": "NEW",
    "appId": APP,
}
V1 = b'{"vid":4210,"canonical-vid":4211,"portal-id":62515,"is-contact":true,"properties":{}}'
"""A workflow's contact in the old shape."""
Headers = list[tuple[bytes, bytes]]


@dataclass
class FakeIntake:
    """Commits at once, unless `error` is set or `holding`: then the futures wait in `futures`."""

    hints: list[Hint] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)
    futures: list[Future[None]] = field(default_factory=list)
    error: Exception | None = None
    holding: bool = False

    def submit(self, hints: Sequence[Hint], erased: Sequence[str] = ()) -> Future[None]:
        done: Future[None] = Future()
        self.futures.append(done)
        if self.error is not None:
            done.set_exception(self.error)
        elif not self.holding:
            self.hints += hints
            self.erased += erased
            done.set_result(None)
        return done

    @property
    def items(self) -> list[str]:
        return [item for hint in self.hints for item in hint.items]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def cookie(self) -> str:
        """The session's cookie as a browser sends it back; "" where none was set or it was taken away."""
        return self.headers.get("set-cookie", "").partition(";")[0]


class Web:
    """`app`, and everything it was made of. Time stands still: `pass_time` moves it. `last` is the last answer."""

    last: Answer

    def __init__(
        self,
        *,
        status: Callable[[], Status] | None = None,
        secrets: Callable[[], Sequence[str]] | None = None,
        apps: dict[str, Callable[[], Sequence[str]]] | None = None,
        **config: Any,
    ) -> None:
        self.intake = FakeIntake()
        self.health = Health()
        self.metrics = Metrics()
        self.traffic = Traffic()
        self.now = NOW
        self.secrets: tuple[str, ...] = (SECRET,)
        options: dict[str, Any] = {"portal": PORTAL, "public_url": PUBLIC, "password": PASSWORD, **config}
        self.app: ASGIApp = build_app(
            WebConfig(**options),
            Parts(
                intake=self.intake,
                health=self.health,
                metrics=self.metrics,
                status=status or _no_status,
                secrets=secrets or (lambda: self.secrets),
                apps=apps or {},
                app_id=lambda: str(APP),
                now=lambda: self.now,
                clock=lambda: (self.now - NOW).total_seconds(),
                traffic=self.traffic,
            ),
        )

    def pass_time(self, **time: float) -> None:
        self.now += timedelta(**time)

    def ask(
        self,
        method: str,
        target: str | bytes,
        body: bytes = b"",
        headers: Headers | None = None,
        client: str = "198.51.100.7",
    ) -> Answer:
        """One request; its target exactly as given."""
        return asyncio.run(self.asking(method, target, _in_one(body), [*_length(body), *(headers or [])], client))

    async def asking(
        self,
        method: str,
        target: str | bytes,
        receive: Callable[[], Awaitable[Message]],
        headers: Headers,
        client: str = "198.51.100.7",
    ) -> Answer:
        raw = target if isinstance(target, bytes) else target.encode()
        path, _, query = raw.partition(b"?")
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path.decode("latin-1"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in headers],
            "client": (client, 40000),
            "server": ("127.0.0.1", 8000),
        }
        try:
            await self.app(scope, receive, send)
        finally:
            if sent:
                self.last = _answer(sent)
        return self.last

    def post(self, body: bytes, path: str = EVENTS, **options: Any) -> Answer:
        """A webhook signed by v3, as HubSpot sends it now."""
        return self.ask("POST", path, body, self.v3("POST", path, body), **options)

    def v3(self, method: str, target: str, body: bytes, *, at: datetime | None = None, secret: str = SECRET) -> Headers:
        """For targets without any of the escapes that v3 decodes."""
        stamp = str(round((at or self.now).timestamp() * 1000))
        message = f"{method}{PUBLIC}{target}".encode() + body + stamp.encode()
        signature = b64encode(hmac.new(secret.encode(), message, sha256).digest())
        return [(b"X-HubSpot-Signature-v3", signature), (b"X-HubSpot-Request-Timestamp", stamp.encode())]

    def log_in(self) -> Headers:
        """The headers of a browser that logged in."""
        answer = self.ask("POST", "/login", b"password=correct+horse")
        assert answer.status == 303
        return [(b"cookie", answer.cookie.encode())]


def _answer(sent: list[Message]) -> Answer:
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


def v2(method: str, target: str, body: bytes) -> Headers:
    digest = sha256(f"{SECRET}{method}{PUBLIC}{target}".encode() + body).hexdigest()
    return [(b"X-HubSpot-Signature", digest.encode()), (b"X-HubSpot-Signature-Version", b"v2")]


def refused(web: Web, headers: Headers, body: bytes = b"[]", target: str = EVENTS, method: str = "POST") -> bool:
    """Whether a request is turned away as not proven, with nothing done for it."""
    answer = web.ask(method, target, body, headers)
    assert web.intake.futures == []
    return answer.status == 401 and answer.json == {"error": "The request isn't proven to be HubSpot's."}


def events(*objects: int, **fields: Any) -> bytes:
    """A batch of events about contacts."""
    return json.dumps([{**EVENT, "objectId": id_, **fields} for id_ in objects]).encode()


def in_pieces(*pieces: bytes, then: Message | None = None) -> Callable[[], Awaitable[Message]]:
    """A body that comes piece by piece, and after the last what `then` says, or nothing ever."""
    waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        if then is not None:
            return then
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    return receive


def _in_one(body: bytes) -> Callable[[], Awaitable[Message]]:
    return in_pieces(then={"type": "http.request", "body": body, "more_body": False})


def _length(body: bytes) -> Headers:
    return [(b"content-length", str(len(body)).encode())] if body else []


def _no_status() -> Status:
    raise AssertionError("nobody should ask for the status here")
