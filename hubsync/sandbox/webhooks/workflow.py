"""The sender of the workflow action "Send a webhook" (hubspot-api.md 7.3): one contact a request, signed v2.

It isn't tried again after a 4xx but 429, whose Retry-After it reads as milliseconds; after a 5xx for three days.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

import orjson

from hubsync.sandbox.journal import Happening, Write
from hubsync.sandbox.state import Portal
from hubsync.sandbox.webhooks.courier import Courier, Pace
from hubsync.sandbox.webhooks.line import Answer, Outgoing
from hubsync.sandbox.webhooks.mischief import Fate, Mischief
from hubsync.sandbox.webhooks.sender import Sender
from hubsync.sandbox.webhooks.shapes import chosen_values, old_contact
from hubsync.sandbox.webhooks.signing import sign_v2, sign_v3

Method = Literal["POST", "GET"]
Shape = Literal["contact", "free"]

USER_AGENT = "HubSpot Connect 2.0 (http://dev.hubspot.com/)"
THREE_DAYS = 3 * 86_400.0
_LONGEST_GAP = 8 * 3600.0
_TOO_MANY = 429


def as_workflow(attempt: int) -> float:
    """Seconds until the retry after `attempt` (from 0): a minute, two, four … eight hours at most."""
    return min(_LONGEST_GAP, 60.0 * (1 << attempt))


@dataclass(slots=True, eq=False)
class _Enrolment:
    """A contact on its way through the workflow. What is sent is fixed by the first attempt."""

    contact: str
    sent: dict[str, Any] | None = None


class WorkflowSender(Sender):
    """Sends a contact to `url` whenever one of `starts_on` (contact properties) gets a value, and on `enrol`.

    `shape` "contact" is the old v1 contact, "free" an object of `id_field` and `properties`; a GET carries these two
    as query parameters, whatever the shape. `signatures` (v2, v3), `signed_as`, `secret`, `now`, `mischief` are as with
    `AppSender`; `patience` is how long a failure is tried again, in seconds. Raises ValueError for an unknown method
    or shape.
    """

    def __init__(
        self,
        portal: Portal,
        url: str,
        secret: Callable[[], str],
        *,
        method: Method = "POST",
        shape: Shape = "contact",
        id_field: str = "hs_object_id",
        properties: Sequence[str] = ("hs_lead_status", "lifecyclestage"),
        starts_on: Collection[str] = ("hs_lead_status",),
        signatures: Collection[str] = ("v2",),
        signed_as: str | None = None,
        mischief: Mischief | None = None,
        retry_after: Callable[[int], float] = as_workflow,
        patience: float = THREE_DAYS,
        connect: float = 3.0,
        answer: float = 30.0,
        per_second: float | None = 20.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        if method not in ("POST", "GET") or shape not in ("contact", "free"):
            raise ValueError(f"a workflow sends a contact or a free shape, by POST or GET; not {shape} by {method}")
        self._secret = secret
        self._method = method
        self._shape = shape
        self._id_field = id_field
        self._properties = tuple(properties)
        self._starts_on = frozenset(starts_on)
        self._signatures = frozenset(signatures)
        self._signed_as = signed_as or url
        self._fate = Fate(mischief or Mischief())
        self._retry_after = retry_after
        self._patience = patience
        self._now = now
        pace = Pace(batch=1, linger=0.0, concurrency=10, connect=connect, answer=answer, per_second=per_second)
        super().__init__(portal, url, Courier("webhooks-workflow", self._pack, self._verdict, pace))

    def hear(self, happening: Happening) -> None:
        """Enrol a contact whose property got a value. Called under the portal's lock."""
        if not isinstance(happening, Write) or happening.kind != "contacts":
            return
        if happening.property:
            starts = happening.property in self._starts_on and happening.after != ""
        else:
            starts = happening.after == "created" and any(
                name in self._starts_on for name in self.portal.tables["contacts"].records[happening.id].values
            )
        if starts:
            self.enrol(happening.id)

    def enrol(self, contact: str) -> None:
        """Send a contact through the workflow, as somebody does by hand."""
        self.courier.put(_Enrolment(contact), self._fate.departures())

    @property
    def lost(self) -> list[str]:
        """The contacts that were lost on purpose."""
        return [each.contact for each in list(self.courier.lost)]

    def _pack(self, items: Sequence[_Enrolment], attempt: int) -> Outgoing | None:
        del attempt
        enrolment = items[0]
        if enrolment.sent is None:
            enrolment.sent = self._read(enrolment.contact)
        if enrolment.sent is None:
            return None
        query, body = "", b""
        if self._method == "GET":
            shown = {name: "" if value is None else str(value) for name, value in enrolment.sent.items()}
            query = ("&" if "?" in self.url else "?") + urlencode(shown, quote_via=quote)
        else:
            body = orjson.dumps(enrolment.sent)
        headers = self._headers(self._signed_as + query, body)
        return Outgoing(self._method, self.url + query, headers, body, (enrolment.contact,))

    def _read(self, contact: str) -> dict[str, Any] | None:
        """The contact as it is now; None where it is gone."""
        portal = self.portal
        with portal.lock:
            try:
                record = portal.get("contacts", contact)
            except KeyError:
                return None
            if self._shape == "contact" and self._method == "POST":
                return old_contact(portal, record)
            return chosen_values(portal, record, self._id_field, self._properties)

    def _headers(self, uri: str, body: bytes) -> dict[str, str]:
        secret, timestamp = self._secret(), int(self._now() * 1000)
        headers = {"User-Agent": USER_AGENT}
        if body:
            headers["Content-Type"] = "application/json"
        if "v2" in self._signatures:
            headers["X-HubSpot-Signature"] = sign_v2(secret, self._method, uri, body)
            headers["X-HubSpot-Signature-Version"] = "v2"
        if "v3" in self._signatures:
            headers["X-HubSpot-Signature-v3"] = sign_v3(secret, self._method, uri, body, timestamp)
            headers["X-HubSpot-Request-Timestamp"] = str(timestamp)
        return headers

    def _verdict(self, answer: Answer, attempt: int, elapsed: float) -> float | None:
        status = answer.status
        if answer.accepted or elapsed >= self._patience:
            return None
        if status == _TOO_MANY and (wait := answer.headers.get("retry-after", "")).isdecimal():
            return int(wait) / 1000
        if status is not None and 400 <= status < 500 and status != _TOO_MANY:
            return None
        return self._retry_after(attempt)
