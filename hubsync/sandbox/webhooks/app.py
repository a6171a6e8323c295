"""The sender of an app's webhooks (hubspot-api.md 7): signed arrays of events, tried again on anything but 2xx."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from random import Random

import orjson

from hubsync.sandbox.journal import Happening, Write
from hubsync.sandbox.state import Portal
from hubsync.sandbox.webhooks.courier import Courier, Pace
from hubsync.sandbox.webhooks.events import CONTACT_PROPERTIES, Event, Form, Subscriptions, TypeKey
from hubsync.sandbox.webhooks.line import Answer, Outgoing
from hubsync.sandbox.webhooks.mischief import Fate, Mischief
from hubsync.sandbox.webhooks.sender import Sender
from hubsync.sandbox.webhooks.signing import sign_v1, sign_v3

USER_AGENT = (
    "HubSpot Connect 2.0 (http://dev.hubspot.com/) (namespace: webhooks-nio-http-client) - "
    "WebhooksExecutorDaemon-executor"
)
RETRIES = 10
SIGNATURES = ("v1", "v3")
_SAME_EVENT_ID = 0.2
_NOTHING: Mapping[str, str] = {}


def as_hubspot(attempt: int) -> float:
    """Seconds until the retry after `attempt` (from 0): ten of them in some 17 hours, 24 with the spread."""
    return 60.0 * (1 << attempt)


def briskly(attempt: int) -> float:
    """The same for somebody who waits: 1 s, 2 s, 4 s … a minute at most."""
    return min(60.0, float(1 << attempt))


class AppSender(Sender):
    """Sends every effective act in the portal to `url`, as the app's subscriptions ask.

    `signatures` are the headers sent (v1, v3). `signed_as` is the URL that is signed where a proxy stands before the
    receiver. `secret` and `now` (seconds since 1970, local clock) are asked for each request. `retry_after` gives the
    seconds after a failed attempt, spread by half.
    """

    def __init__(
        self,
        portal: Portal,
        url: str,
        secret: Callable[[], str],
        *,
        form: Form = "legacy",
        properties: Collection[str] = CONTACT_PROPERTIES,
        every_property: bool = False,
        calculated: bool = False,
        type_key: TypeKey = "subscriptionType",
        signatures: Collection[str] = SIGNATURES,
        signed_as: str | None = None,
        mischief: Mischief | None = None,
        retry_after: Callable[[int], float] = as_hubspot,
        timeout: float = 5.0,
        linger: float = 0.05,
        concurrency: int = 10,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._subscriptions = Subscriptions(
            portal.portal_id,
            portal.app_id,
            form=form,
            properties=properties,
            every_property=every_property,
            calculated=calculated,
            type_key=type_key,
        )
        self._secret = secret
        self._signatures = frozenset(signatures)
        self._signed_as = signed_as or url
        self._fate = Fate(mischief or Mischief())
        self._ids = Random(f"event ids {portal.seed}")
        self._last_id = self._ids.randrange(1, 2**32)
        self._retry_after = retry_after
        self._now = now
        pace = replace(Pace(), linger=linger, concurrency=concurrency, connect=timeout, answer=timeout)
        courier = Courier("webhooks-app", self._pack, self._verdict, pace, batch_again=self._fate.batch_again)
        super().__init__(portal, url, courier)

    def hear(self, happening: Happening) -> None:
        """Queue the events of a happening. Called under the portal's lock."""
        values = _NOTHING
        if isinstance(happening, Write) and happening.after == "created" and not happening.property:
            values = self.portal.tables[happening.kind].records[happening.id].values
        for event in self._subscriptions.events(happening, values):
            numbered = {"eventId": self._event_id(), **event}
            self.courier.put(numbered, self._fate.departures())

    @property
    def lost(self) -> list[Event]:
        """The events that were lost on purpose."""
        return list(self.courier.lost)

    def _event_id(self) -> int:
        """A number that isn't unique, as HubSpot warns."""
        if self._ids.random() >= _SAME_EVENT_ID:
            self._last_id = self._ids.randrange(1, 2**32)
        return self._last_id

    def _pack(self, items: Sequence[Event], attempt: int) -> Outgoing:
        events = tuple({**event, "attemptNumber": attempt} for event in self._fate.order(items))
        body = orjson.dumps(events)
        return Outgoing("POST", self.url, self._headers(body), body, events)

    def _headers(self, body: bytes) -> dict[str, str]:
        secret, timestamp = self._secret(), int(self._now() * 1000)
        headers = {
            "User-Agent": USER_AGENT,
            "Content-Type": "application/json",
            "X-HubSpot-Timeout-Millis": "10000",
            "X-Trace": f"{timestamp:032X}",
        }
        if "v1" in self._signatures:
            headers["X-HubSpot-Signature"] = sign_v1(secret, body)
            headers["X-HubSpot-Signature-Version"] = "v1"
        if "v3" in self._signatures:
            headers["X-HubSpot-Signature-v3"] = sign_v3(secret, "POST", self._signed_as, body, timestamp)
            headers["X-HubSpot-Request-Timestamp"] = str(timestamp)
        return headers

    def _verdict(self, answer: Answer, attempt: int, elapsed: float) -> float | None:
        """Any failure is tried again, a 401 and a 410 too, ten times at most."""
        del elapsed
        if answer.accepted or attempt >= RETRIES:
            return None
        return self._retry_after(attempt) * self._fate.spread()
