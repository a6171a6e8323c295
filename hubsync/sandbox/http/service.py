"""A request from its arrival to its answer: token, faults, limits, route, scopes, journal. Sockets are the server's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from uuid import UUID

import orjson

from hubsync.sandbox.http import problems
from hubsync.sandbox.http.call import Call, Reply, json_reply
from hubsync.sandbox.http.faults import AFTER, BEFORE, Faults
from hubsync.sandbox.http.limits import Consumer, Limits
from hubsync.sandbox.http.problems import ApiProblemError
from hubsync.sandbox.http.routes import Route, canonical, find_route, lacking_scopes
from hubsync.sandbox.state import Portal
from hubsync.sandbox.times import DAY_MS, iso, to_ms

LONGEST_URI = 16_000


class Service:
    """Serves a portal's requests. Safe to call from several threads: records are touched under the portal's lock."""

    def __init__(
        self,
        portal: Portal,
        consumers: dict[str, Consumer],
        limits: Limits,
        *,
        latency: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.portal = portal
        self.consumers = consumers
        self.limits = limits
        self.faults = Faults()
        self.latency = latency
        self._sleep = sleep
        self._rng = Random(portal.seed)
        self._rng_lock = threading.Lock()

    def answer(self, method: str, target: str, authorization: str | None, body: bytes) -> Reply:
        """Serve one request; `target` is path and query as sent."""
        started = time.perf_counter()
        path, _, query = target.partition("?")
        call = Call(self.portal, method, path, query, body)
        fault = self.faults.strike(method, target)
        reply = BEFORE[fault.kind](fault) if fault and fault.kind in BEFORE else None
        if reply is None:
            reply = self._served(call, target, authorization)
        if fault and fault.kind in AFTER:
            reply = AFTER[fault.kind](fault, reply)
        reply.headers.setdefault("X-HubSpot-Correlation-Id", self._correlation_id())
        spent = (time.perf_counter() - started) * 1000
        self.portal.journal.request(
            method,
            target,
            reply.status,
            self.portal.now_ms(),
            spent,
            call.token,
            tuple(call.written),
            fault.kind if fault else None,
        )
        return reply

    def daily_usage(self, call: Call) -> Reply:
        """The day's usage of private apps."""
        del call
        usage = {
            "name": "private-apps-api-calls-daily",
            "usageLimit": self.limits.daily,
            "currentUsage": self.limits.used,
            "collectedAt": iso(self.portal.now_ms()),
            "fetchStatus": "SUCCESS",
            "resetsAt": iso(to_ms(self.limits.resets_at)),
        }
        return json_reply(200, {"results": [usage]})

    def _served(self, call: Call, target: str, authorization: str | None) -> Reply:
        headers: dict[str, str] = {}
        try:
            if len(target) > LONGEST_URI:
                raise problems.problem(414, "URI Too Long")
            consumer = self._consumer(authorization)
            call.token = consumer.label
            search = call.method == "POST" and canonical(call.path).endswith("/search")
            refused, headers = self.limits.take(consumer, search=search)
            if self.latency:
                self._sleep(self.latency)
            if refused:
                raise problems.rate_limited(refused, self._correlation_id())
            route = find_route(call, self.daily_usage)
            if lacking := lacking_scopes(route.scopes, consumer.scopes):
                raise problems.missing_scopes(lacking)
            reply = self._run(route)
        except ApiProblemError as error:
            reply = self._refusal(error)
        reply.headers.update(headers)
        return reply

    def _run(self, route: Route) -> Reply:
        with self.portal.lock:
            self.portal.catch_up()
            return route.serve()

    def _consumer(self, authorization: str | None) -> Consumer:
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise problems.no_credentials()
        consumer = self.consumers.get(token.strip())
        if consumer is None:
            raise problems.bad_token(self.portal.now_ms() // DAY_MS)
        return consumer

    def _refusal(self, error: ApiProblemError) -> Reply:
        body = {**error.body, "correlationId": self._correlation_id()}
        return Reply(error.status, orjson.dumps(body))

    def _correlation_id(self) -> str:
        with self._rng_lock:
            return str(UUID(int=self._rng.getrandbits(128), version=4))

    def rotate(self, old: str, new: str) -> None:
        """Give a consumer another token; the old one is refused from now on. Raises KeyError."""
        self.consumers[new] = replace(self.consumers.pop(old))
