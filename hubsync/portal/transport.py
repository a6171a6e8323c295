"""The one wire to HubSpot: a requests.Session under hubspot-api-client, so that every call gets the same time-outs,
limits, errors and retries.

The SDK's own HTTP layer has no time-out, retries in its own way and makes models of every value at a great cost; its
`api_factory` hook lets us put ours below its typed calls, which then only build the request. That leans on an internal
of the SDK (version 12): `tests/portal/test_portal_sdk.py` fails if it moves.

No knowledge of contacts or tasks belongs here. Nothing here logs or raises a token, a body or a query.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

import hubspot
import orjson
import requests
import structlog
import tenacity
from hubspot.discovery.discovery_base import DiscoveryBase
from requests.adapters import HTTPAdapter

from hubsync.errors import PortalError, PortalPermanentError, PortalTemporaryError, RateLimited, TokenRefused
from hubsync.portal.answers import Answer, decoded, failure, no_answer, retry_after
from hubsync.portal.limiter import TEN_SECONDS, Lane, Limiter, Ticket
from hubsync.portal.paths import Paths, route
from hubsync.portal.portalclock import PortalClock
from hubsync.portal.values import Call

log = structlog.get_logger()

T = TypeVar("T")
TokenProvider = Callable[[], str]

MAX_IN_FLIGHT = 32
USER_AGENT = "hubsync"
SEARCH_PAUSE = 1.0
LOCKED_PAUSE = 2.0
DAY_SPENT_PAUSE = 3600.0  # where the account's time zone, whose midnight ends the day, is not known yet


class NothingSentError(PortalTemporaryError):
    """No connection came about: HubSpot can't have done anything."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How one kind of call is made: time-outs in seconds, and what is tried again, how often and for how long.

    `attempts` counts tries that failed for another reason than a 429; a 429 pauses the whole portal and is bounded by
    `seconds` alone.
    """

    connect: float = 5.0
    read: float = 30.0
    only_rate_limits: bool = False
    attempts: int = 6
    seconds: float = 600.0

    def again(self, error: BaseException) -> bool:
        """Whether `error` is worth another try."""
        if isinstance(error, RateLimited):
            return not error.daily
        return isinstance(error, PortalTemporaryError) and not self.only_rate_limits


READS = Manner()
WRITES = Manner(read=110.0)  # HubSpot's edge gives up after 100 s: hear its answer rather than guess
CREATES = Manner(read=110.0, only_rate_limits=True)


class Transport:
    """Sends calls to one portal. Safe for any number of threads; close it when done.

    `token` is asked before each call, and once more after a 401. `proxies` maps scheme to URL; the environment's proxy
    variables and ~/.netrc are not looked at. `clock`, `sleep` and `now` are seconds that never go back, waiting (by
    default until `close`), and the time of day.
    """

    def __init__(
        self,
        url: str,
        token: TokenProvider,
        *,
        api_version: str = "v3",
        in_flight: int | None = None,
        proxies: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        daily_reserve: float = 0.05,
    ) -> None:
        self.url = url.rstrip("/")
        self.sleep = sleep or self._sleep_unless_closed
        self.limiter = Limiter(clock, self.sleep, daily_reserve=daily_reserve)
        self.time = PortalClock(now)
        self.max_in_flight = in_flight or MAX_IN_FLIGHT
        self._fixed_in_flight = in_flight
        self._token = token
        self._clock = clock
        self._session = _session(self._sign, self.max_in_flight, dict(proxies or {}))
        self._paths = Paths(api_version)
        self._calls: Counter[tuple[str, str, int]] = Counter()
        self._calls_lock = threading.Lock()
        self._context = threading.local()
        self._closed = threading.Event()
        # base_url too: without it the SDK's api_request would go to the real HubSpot whatever the host is.
        client = hubspot.Client(host=self.url, base_url=self.url, retry=False, api_factory=self._make_api)
        self.basic = client.crm.objects.basic_api
        self.batch = client.crm.objects.batch_api
        self.search = client.crm.objects.search_api
        self.associations = client.crm.associations.v4.batch_api
        self.properties = client.crm.properties.core_api
        self.property_batches = client.crm.properties.batch_api
        self.property_groups = client.crm.properties.groups_api
        self.owners = client.crm.owners.owners_api
        self.pipelines = client.crm.pipelines.pipelines_api

    def __repr__(self) -> str:
        return f"Transport({urlsplit(self.url).netloc})"

    def close(self) -> None:
        """Close all connections. Whoever waits for leave or for another try gets a PortalPermanentError."""
        self._closed.set()
        self._session.close()

    def _sleep_unless_closed(self, seconds: float) -> None:
        if self._closed.wait(seconds):
            raise PortalPermanentError("The connection to HubSpot was closed while a call waited; it was not sent.")

    @property
    def in_flight(self) -> int:
        """How many requests at once fill the allowance at the latency seen lately."""
        if self._fixed_in_flight is not None:
            return self._fixed_in_flight
        per_second = min(self.limiter.allowance / TEN_SECONDS, 100.0)
        return min(self.max_in_flight, 4 + int(1.5 * per_second * self.limiter.latency))

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call made so far, counted by method, route and status."""
        with self._calls_lock:
            return tuple(Call(*key, count) for key, count in sorted(self._calls.items()))

    def ask(
        self,
        call: Callable[..., Any],
        *arguments: object,
        decode: Callable[[Answer], T],
        manner: Manner = READS,
        lane: Lane = Lane.INTERACTIVE,
        **named: object,
    ) -> T:
        """Make the SDK's `call` and hand its answer to `decode`, with the tries that `manner` allows.

        `decode` raises PortalTemporaryError for an answer that is no answer; KeyError, TypeError, ValueError and the
        like out of it count as that. Raises a PortalError of errors.py.
        """
        started = self._clock()
        failed = 0

        def attempt() -> T:
            self._context.lane, self._context.deadline = lane, started + manner.seconds
            answer: Answer = call(
                *arguments, **named, _preload_content=False, _request_timeout=(manner.connect, manner.read)
            )
            try:
                return decode(answer)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                no_answer(f"a part of it is missing or of another shape ({type(error).__name__})")

        def enough(state: tenacity.RetryCallState) -> bool:
            nonlocal failed
            error = state.outcome.exception() if state.outcome else None
            failed += 0 if isinstance(error, RateLimited) else 1
            return failed >= manner.attempts or self._clock() - started >= manner.seconds

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(manner.again),
            stop=enough,
            wait=_wait,
            sleep=self.sleep,
            before_sleep=_tell,
            reraise=True,
        )
        return retrying(attempt)

    def get(self, path: str, **options: Any) -> Answer:
        """GET a path that the SDK has no call for. Use it through `ask`."""
        return self.request("GET", self.url + path, **options)

    def request(
        self,
        method: str,
        url: str,
        query_params: Sequence[tuple[str, object]] | None = None,
        headers: object = None,  # noqa: ARG002  # the session has its own, and the SDK's may hold a token
        body: object = None,
        post_params: object = None,  # noqa: ARG002  # no call of ours has any
        _preload_content: bool = False,
        _request_timeout: tuple[float, float] = (READS.connect, READS.read),
    ) -> Answer:
        """One try of one request, as the SDK hands it down (the signature is the SDK's). Raises a PortalError.

        A 401 is tried once more where the token provider now gives another token.
        """
        if not url.startswith(self.url + "/"):
            raise PortalPermanentError("A call to another address than the portal's was refused.")
        path = self._paths.path(url[len(self.url) :])
        for again in (True, False):
            try:
                return self._send(method, path, query_params, body, _request_timeout)
            except _Unauthorised as error:
                if not (again and error.token != self._token()):
                    raise error.refused from None
        raise AssertionError("unreachable")

    def _send(
        self, method: str, path: str, query: Sequence[tuple[str, object]] | None, body: object, timeout: object
    ) -> Answer:
        lane = getattr(self._context, "lane", Lane.INTERACTIVE)
        deadline = getattr(self._context, "deadline", float("inf"))
        ticket = self.limiter.acquire(lane, search=path.endswith("/search"), deadline=deadline)
        called = route(path)
        response: requests.Response | None = None
        try:
            sent_at = self.time.now()
            response = self._session.request(
                method,
                self.url + path,
                params=[(key, _text(value)) for key, value in query] if query else None,
                data=orjson.dumps(body) if body is not None else None,
                headers={"Content-Type": "application/json"} if body is not None else None,
                timeout=timeout,  # type: ignore[arg-type]
                allow_redirects=False,
            )
            self.time.learn(response.headers.get("Date"), sent_at)
        except requests.RequestException as error:
            raise _no_connection(error, method, called) from error
        finally:
            self.limiter.answered(ticket, response.headers if response is not None else None)
            with self._calls_lock:
                self._calls[method, called, response.status_code if response is not None else 0] += 1
        if 200 <= response.status_code < 300:
            return decoded(response.status_code, response.headers, response.content)
        failed = failure(response.status_code, response.headers, response.content, method=method, route=called)
        self._obey(failed, ticket, response.headers)
        if isinstance(failed, TokenRefused) and failed.status == 401:
            raise _Unauthorised(failed, response.request.headers.get("Authorization", "").removeprefix("Bearer "))
        raise failed

    def _obey(self, error: PortalError, ticket: Ticket, headers: Mapping[str, str]) -> None:
        """Make the whole portal wait where HubSpot asks for it, not this call alone."""
        if isinstance(error, RateLimited):
            if error.daily:
                self.limiter.day_spent(error.retry_after or self.time.to_midnight() or DAY_SPENT_PAUSE)
                return
            seconds = max(1.0, error.retry_after or (SEARCH_PAUSE if ticket.search else TEN_SECONDS))
            self.limiter.pause(seconds, search=ticket.search)
            log.warning("portal.paused", seconds=seconds, search=ticket.search, status=429)
        elif isinstance(error, PortalTemporaryError):
            least = LOCKED_PAUSE if error.status in (423, 477) else 0.0
            seconds = max(least, retry_after(headers) or 0.0)
            if seconds:
                self.limiter.pause(seconds)
                log.warning("portal.paused", seconds=seconds, search=False, status=error.status)

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._token()
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise TokenRefused("The access token holds characters that no token has. Paste it again.", status=401)
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    def _make_api(self, package: Any, name: str, config: Mapping[str, object]) -> Any:
        api = DiscoveryBase._default_api_factory(package, name, config)
        api.api_client.rest_client = _Wire(self)
        return api


class _Wire:
    """What the SDK takes for its own HTTP layer: one method per verb, all leading to `Transport.request`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __getattr__(self, verb: str) -> Callable[..., Answer]:
        if verb not in {"GET", "POST", "PUT", "PATCH", "DELETE"}:
            raise AttributeError(verb)

        def send(url: str, **options: Any) -> Answer:
            return self._transport.request(verb, url, **options)

        return send


class _Unauthorised(Exception):
    """A 401, with the token that it was for."""

    def __init__(self, refused: TokenRefused, token: str) -> None:
        super().__init__(str(refused))
        self.refused = refused
        self.token = token


def _session(
    sign: Callable[[requests.PreparedRequest], requests.PreparedRequest], pool: int, proxies: dict[str, str]
) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # else ~/.netrc would replace the token, and proxy variables the way
    session.auth = sign
    session.proxies = proxies
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=2 * pool, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _no_connection(error: requests.RequestException, method: str, called: str) -> PortalError:
    """The error for a request that got no answer. The library's message is left out: it can hold the query."""
    where = f"{method} {called}"
    if isinstance(error, requests.ConnectTimeout):
        return NothingSentError(
            f"HubSpot could not be reached in time ({where}). Check the network and HUBSYNC_API_URL."
        )
    if isinstance(error, requests.Timeout):
        return PortalTemporaryError(f"HubSpot did not answer {where} in time.")
    if isinstance(error, requests.exceptions.SSLError):
        return NothingSentError(
            f"No safe connection to HubSpot came about ({where}): its certificate was not accepted."
        )
    if isinstance(error, requests.ConnectionError):
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        if isinstance(error, requests.exceptions.ProxyError) or type(reason).__name__ in _NEVER_CONNECTED:
            return NothingSentError(f"HubSpot could not be reached ({where}). Check the network and HUBSYNC_API_URL.")
        return PortalTemporaryError(f"The connection to HubSpot was lost before its answer to {where} was complete.")
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return PortalTemporaryError(f"HubSpot's answer to {where} was cut off.")
    return PortalPermanentError(f"{where} could not be sent ({type(error).__name__}). Check HUBSYNC_API_URL.")


_NEVER_CONNECTED = {"NewConnectionError", "NameResolutionError", "ConnectTimeoutError"}

_backoff = tenacity.wait_random_exponential(multiplier=0.5, max=20)


def _wait(state: tenacity.RetryCallState) -> float:
    """Seconds until the next try. After a 429 none: the limiter makes everyone wait."""
    error = state.outcome.exception() if state.outcome else None
    return 0.0 if isinstance(error, RateLimited) else _backoff(state)


def _tell(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.info(
        "portal.retry_scheduled",
        attempt=state.attempt_number,
        seconds=round(state.upcoming_sleep, 2),
        status=getattr(error, "status", None),
        reason=str(error),
    )
