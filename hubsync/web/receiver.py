"""The receiver of HubSpot's webhooks: proven, written down, answered, in this order (design 5).

Nothing is done for a request that isn't proven to be HubSpot's, and nothing is acknowledged before the database has it.
What is authentic but can't be used is acknowledged and logged: HubSpot would only repeat it. Raw ASGI, since thousands
of events a second pass here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import NamedTuple, Protocol

import orjson
import structlog
from prometheus_client import Counter
from starlette.types import Receive, Scope, Send

from hubsync.errors import WebhookRejected
from hubsync.portal.signature import VERSIONS, Claim, SignedRequest, public_uri, read_claim, verify
from hubsync.service.intake import Hint
from hubsync.service.metrics import Metrics
from hubsync.service.traffic import Traffic
from hubsync.web.bodies import Bodies, BodyRefused
from hubsync.web.clientsecrets import ClientSecrets
from hubsync.web.events import Parsed
from hubsync.web.headers import NOT_KEPT_JSON
from hubsync.web.refusals import Refusals, address_of

log = structlog.get_logger()

Parse = Callable[[bytes, bytes], Parsed]
"""What a body and a query ask for."""


class Taker(Protocol):
    """Who writes hints down (service/intake.py)."""

    def submit(self, hints: Sequence[Hint], erased: Sequence[str] = ()) -> Future[None]:
        """The future is done once everything is committed, or has the error that prevented it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of webhooks. `public_url` is the address HubSpot calls, None where it isn't known.

    `commit_seconds` is how long the database may take: HubSpot waits for 5.
    """

    public_url: str | None
    accept: frozenset[str] = VERSIONS
    in_flight: int = 200
    commit_seconds: float = 4.0


@dataclass(slots=True)
class Tally:
    """What has come in since the start, for the status page."""

    accepted: int = 0
    accepted_at: datetime | None = None
    refused: int = 0
    refused_at: datetime | None = None
    refused_because: str = ""


class _Children(dict[str, Counter]):
    """The children of a metric with one label, by its value: looked up a thousand times a second."""

    def __init__(self, metric: Counter) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, value: str) -> Counter:
        child: Counter = self._metric.labels(value)
        self[value] = child
        return child


class _Answer(NamedTuple):
    status: int
    name: str
    """For metrics."""
    says: dict[str, str | int]
    wait: float = 0.0


@dataclass(slots=True)
class Reception:
    """What all webhook routes share: the limits, who was refused, what came in. For one event loop."""

    rules: Rules
    intake: Taker
    metrics: Metrics
    refusals: Refusals
    bodies: Bodies = field(default_factory=Bodies)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    tally: Tally = field(default_factory=Tally)
    traffic: Traffic = field(default_factory=Traffic)


class Receiver:
    """One webhook route, an ASGI application. `source` names it in metrics and logs.

    `wait_unit` is what `Retry-After` counts, per second: workflows read it as milliseconds (hubspot-api.md 7.3).
    """

    def __init__(
        self, reception: Reception, secrets: ClientSecrets, parse: Parse, source: str, *, wait_unit: int = 1
    ) -> None:
        self._shared = reception
        self._secrets = secrets
        self._parse = parse
        self._source = source
        self._wait_unit = wait_unit
        metrics = reception.metrics
        self._answers = _Children(metrics.webhooks)
        self._events = _Children(metrics.events)
        self._hints = metrics.hints.labels(source)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shared = self._shared
        shared.traffic.under_way += 1
        try:
            answer = await self._answer(scope, receive)
        finally:
            shared.traffic.under_way -= 1
        self._answers[answer.name].inc()
        body = orjson.dumps(answer.says)
        headers = [*NOT_KEPT_JSON, (b"content-length", str(len(body)).encode())]
        if answer.wait:
            headers.append((b"retry-after", str(ceil(answer.wait) * self._wait_unit).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer:
        shared, address = self._shared, address_of(scope)
        if wait := shared.refusals.wait(address):
            return _Answer(429, "limited", {"error": "Too many requests were refused."}, wait)
        if shared.traffic.under_way > shared.rules.in_flight:
            return _Answer(503, "busy", {"error": "Too many requests at once; try again."}, 1)
        if (lack := self._lack()) is not None:
            return _Answer(503, "unready", {"error": lack}, 60)
        with shared.bodies.room() as room:
            try:
                claim = read_claim(scope["headers"], shared.now(), shared.rules.accept)
                body = await shared.bodies.read(scope["headers"], receive, room)
                version = self._verified(scope, body, claim)
            except WebhookRejected as reason:
                return self._refuse(401, "refused", address, str(reason))
            except BodyRefused as reason:
                return self._refuse(reason.status, "unread", address, str(reason))
            shared.refusals.authentic(address)
            return await self._accept(self._parse(body, scope["query_string"]), version)

    def _lack(self) -> str | None:
        """What is missing for webhooks to be taken at all."""
        if self._shared.rules.public_url is None:
            return "hubsync does not know its public address: set HUBSYNC_PUBLIC_URL."
        if not self._secrets.current and not self._secrets.refresh():
            return "hubsync has no client secret to check signatures with: set HUBSYNC_CLIENT_SECRET."
        return None

    def _verified(self, scope: Scope, body: bytes, claim: Claim) -> str:
        """The version of the signature that held. Raises WebhookRejected where none did, by new secrets neither."""
        shared = self._shared
        path = scope.get("raw_path") or scope["path"].encode()
        uri = public_uri(shared.rules.public_url or "", path, scope["query_string"])
        request = SignedRequest(scope["method"], uri, scope["headers"], body)
        try:
            return verify(request, self._secrets.current, shared.now(), shared.rules.accept, claim)
        except WebhookRejected:
            if not self._secrets.refresh():
                raise
            return verify(request, self._secrets.current, shared.now(), shared.rules.accept, claim)

    def _refuse(self, status: int, name: str, address: str, reason: str) -> _Answer:
        shared = self._shared
        if status != 503:  # that it was no room is not the sender's fault
            shared.refusals.refused(address)
        shared.tally.refused += 1
        shared.tally.refused_at, shared.tally.refused_because = shared.now(), reason
        log.warning("webhook.refused", source=self._source, status=status, reason=reason, address=address)
        says = "The request isn't proven to be HubSpot's." if status == 401 else reason
        return _Answer(status, name, {"error": says}, 1 if status == 503 else 0)

    async def _accept(self, asked: Parsed, version: str) -> _Answer:
        shared = self._shared
        ignored = sum(count for _, count in asked.ignored)
        if ignored:
            log.info("webhook.ignored", source=self._source, signature=version, reasons=dict(asked.ignored))
        if (asked.hints or asked.erased) and (problem := await self._committed(asked)) is not None:
            return _Answer(503, "uncommitted", {"error": problem}, 1)
        for reason, count in asked.ignored:
            self._events[reason].inc(count)
        self._events["used"].inc(asked.used)
        self._hints.inc(sum(len(hint.items) for hint in asked.hints))
        shared.tally.accepted += 1
        shared.tally.accepted_at = shared.now()
        return _Answer(200, "accepted", {"used": asked.used, "ignored": ignored})

    async def _committed(self, asked: Parsed) -> str | None:
        """Wait until everything is written down; why it isn't, where it isn't.

        The future is never cancelled: whoever commits it may be at it.
        """
        submitted = self._shared.intake.submit(asked.hints, asked.erased)
        if submitted.done() and submitted.exception() is None:
            return None  # it was noted already
        writing = asyncio.wrap_future(submitted)
        done, _ = await asyncio.wait({writing}, timeout=self._shared.rules.commit_seconds)
        if not done:
            writing.add_done_callback(lambda late: late.cancelled() or late.exception())
            log.warning("webhook.not_committed", source=self._source, reason="the database took too long")
            return "The database takes too long; try again."
        if (error := writing.exception()) is not None:
            log.warning("webhook.not_committed", source=self._source, reason=str(error))
            return "The database can't take it now; try again."
        return None
