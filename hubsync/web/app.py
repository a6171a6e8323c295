"""The HTTP side of `hubsync serve`, put together: webhooks, probes, pages (design 6).

It holds no state of its own and decides nothing: webhooks become hints, pages show what others know.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from hubsync import __version__
from hubsync.portal.signature import VERSIONS
from hubsync.service.health import Health
from hubsync.service.metrics import Metrics
from hubsync.service.status import Status
from hubsync.service.traffic import Traffic
from hubsync.web.bodies import Bodies
from hubsync.web.clientsecrets import ClientSecrets
from hubsync.web.events import Expected, Parsed, parse_events
from hubsync.web.front import Front
from hubsync.web.headers import BelowPrefix, SecurityHeaders
from hubsync.web.interface import EVENTS, EVENTS_OF_APP, WORKFLOW, with_webhooks
from hubsync.web.pages import Pages, Shown
from hubsync.web.probes import probes
from hubsync.web.receiver import Receiver, Reception, Rules, Taker
from hubsync.web.refusals import Refusals
from hubsync.web.sessions import Sessions
from hubsync.web.workflows import parse_workflow

UNCHECKABLE = (
    "HUBSYNC_PUBLIC_URL is set, but there is no client secret, so webhooks can't be checked and are turned away. "
    "Set HUBSYNC_CLIENT_SECRET or HUBSYNC_CLIENT_SECRET_FILE (HubSpot: the app's Auth tab); polling goes on."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """What the web side is told.

    `portal` is the portal's id, `public_url` the address under which HubSpot and browsers reach it (with the path below
    which it lies behind a proxy), None where there is none: then webhooks are turned away. `accept` names the signature
    versions. `workflow_id_field` is the field of a workflow's body that holds the contact's id; the usual ones unless
    given. `salt` makes sessions outlive the process where it does. `password` None: no pages.
    """

    portal: int
    public_url: str | None = None
    password: str | None = field(default=None, repr=False)
    accept: frozenset[str] = VERSIONS
    workflow_id_field: str | None = None
    salt: bytes = field(default_factory=partial(secrets.token_bytes, 32), repr=False)
    refused_a_minute: int = 60
    refused_factor: int = 100
    """So much more may be refused of an address from which something authentic came: a proxy's."""
    logins_a_minute: int = 10
    in_flight: int = 200
    largest_body: int = 2 * 1024 * 1024
    body_seconds: float = 10.0
    commit_seconds: float = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the web side works with.

    `secrets` gives the client secrets, the present one first, and may raise a HubsyncError; `apps` those of further
    apps, by the name in their path. `app_id` is our own app's number as far as known. `status` is read for each page.
    """

    intake: Taker
    health: Health
    metrics: Metrics
    status: Callable[[], Status]
    secrets: Callable[[], Sequence[str]]
    apps: Mapping[str, Callable[[], Sequence[str]]] = field(default_factory=dict)
    app_id: Callable[[], str | None] = lambda: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """The local time: signatures are held against it."""
    clock: Callable[[], float] = time.monotonic
    traffic: Traffic = field(default_factory=Traffic)
    """Where requests under way are counted, for those who give way."""


def build_app(config: WebConfig, parts: Parts) -> ASGIApp:
    """The ASGI application of one service. ValueError for a signature version that there isn't."""
    if not config.accept <= VERSIONS or not config.accept:
        raise ValueError(f"signature versions are {', '.join(sorted(VERSIONS))}")
    app = FastAPI(
        title="hubsync", version=__version__, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    reception = _reception(config, parts)
    webhooks = _webhooks(config, parts, reception)
    app.router.routes.extend(webhooks)
    app.include_router(probes(parts.health, parts.metrics.registry))
    app.include_router(_pages(config, parts, reception, app).router())
    app.add_exception_handler(Exception, _failed)
    front = Front(SecurityHeaders(app), {("POST", r.path): r.app for r in webhooks if "{" not in r.path})
    return BelowPrefix(front, urlsplit(config.public_url or "").path.rstrip("/"))


def _reception(config: WebConfig, parts: Parts) -> Reception:
    return Reception(
        Rules(config.public_url, config.accept, config.in_flight, config.commit_seconds),
        parts.intake,
        parts.metrics,
        Refusals(config.refused_a_minute, parts.clock, trusted_factor=config.refused_factor),
        Bodies(config.largest_body, seconds=config.body_seconds),
        parts.now,
        traffic=parts.traffic,
    )


def _webhooks(config: WebConfig, parts: Parts, reception: Reception) -> list[Route]:
    """The workflow's route comes before that of apps by name: it looks like one."""
    expected = partial(_expected, config, parts)
    ours = ClientSecrets(parts.secrets, parts.health, parts.clock, UNCHECKABLE if config.public_url else "")

    def events(body: bytes, _query: bytes) -> Parsed:
        return parse_events(body, expected())

    def record(body: bytes, query: bytes) -> Parsed:
        return parse_workflow(body, query, expected(), config.workflow_id_field)

    workflow = Receiver(reception, ours, record, "workflow", wait_unit=1_000)
    by_name = [
        Route(
            EVENTS_OF_APP.format(app=name),
            Receiver(reception, ClientSecrets(source, parts.health, parts.clock, "", name), events, "webhook"),
            methods=["POST"],
        )
        for name, source in parts.apps.items()
    ]
    receiver = Receiver(reception, ours, events, "webhook")
    return [
        Route(EVENTS, receiver, methods=["POST"]),
        Route(WORKFLOW, workflow, methods=["GET", "POST"]),
        *by_name,
        *([] if by_name else [Route(EVENTS_OF_APP, receiver, methods=["POST"])]),
    ]


def _expected(config: WebConfig, parts: Parts) -> Expected:
    return Expected(config.portal, parts.app_id())


def _pages(config: WebConfig, parts: Parts, reception: Reception, app: FastAPI) -> Pages:
    address = urlsplit(config.public_url or "")
    sessions = Sessions(config.password, config.salt, lambda: parts.now().timestamp()) if config.password else None

    def interface() -> dict[str, Any]:
        return with_webhooks(app.openapi())

    return Pages(
        Shown(parts.status, reception.tally, interface),
        sessions,
        Refusals(config.logins_a_minute, parts.clock),
        prefix=address.path.rstrip("/"),
        secure=address.scheme == "https",
    )


async def _failed(_request: Request, _error: Exception) -> JSONResponse:
    """A fault of ours: the server logs it, the sender only hears that there was one."""
    return JSONResponse({"error": "hubsync failed at this; its log says why."}, 500)
