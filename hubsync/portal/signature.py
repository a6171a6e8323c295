"""Whether a request was signed by HubSpot with our app's client secret (hubspot-api.md 8).

The one place that knows the three signature versions. It works on raw bytes and on the address that HubSpot called, as
configured: never on what a proxy or a client says of it, never on a body that was parsed and written anew. A request is
either proven or WebhookRejected is raised, whatever its headers hold.

HubSpot's own library decodes no addresses, takes time stamps of the future and fails on headers that aren't ASCII; so
this is written here, against the vectors HubSpot publishes.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from hubsync.errors import WebhookRejected

VERSIONS = frozenset({"v1", "v2", "v3"})
WINDOW = timedelta(minutes=5)
"""How far a v3 time stamp may lie from now, to either side."""

SIGNATURE = b"x-hubspot-signature"
SIGNATURE_V3 = b"x-hubspot-signature-v3"
TIMESTAMP = b"x-hubspot-request-timestamp"
VERSION = b"x-hubspot-signature-version"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS = re.compile(rb"[0-9]{1,20}")
_HEX = re.compile(rb"[0-9a-fA-F]{64}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{43}=")
_DECODED_FOR_V3 = re.compile(rb"%(?:3[ABF]|2[14789ACF]|40)", re.IGNORECASE)
"""The escapes of : / ? @ ! $ ' ( ) * , ; and of nothing else."""

Headers = Iterable[tuple[bytes, bytes]]
"""Names and values as they came; names in any case."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it came. `uri` is the whole address that HubSpot called (`public_uri`), not decoded."""

    method: str
    uri: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request's headers claim: a version, its signature and, for v3, the time stamp as written."""

    version: str
    signature: bytes
    timestamp: bytes = b""


def public_uri(public_url: str, path: bytes, query: bytes) -> bytes:
    """The address HubSpot called: the configured one, then path (below its prefix) and query exactly as received."""
    return public_url.rstrip("/").encode() + path + (b"?" + query if query else b"")


def read_claim(headers: Headers, now: datetime, accept: frozenset[str] = VERSIONS) -> Claim:
    """What can be judged before the body is read: which signature is claimed, its form and the age of its time stamp.

    v3 wherever it is present and accepted: a wrong one is never made good by an older version. Raises WebhookRejected.
    """
    given = _hubspot_headers(headers)
    if "v3" in accept and SIGNATURE_V3 in given:
        claim = Claim("v3", given[SIGNATURE_V3], given.get(TIMESTAMP, b""))
        _check_age(claim.timestamp, now)
        form = _BASE64
    elif SIGNATURE in given:
        version = given.get(VERSION, b"")
        if version not in (b"v1", b"v2") or version.decode() not in accept:
            raise WebhookRejected("The signature's version is missing, unknown or not accepted here.")
        claim, form = Claim(version.decode(), given[SIGNATURE].lower()), _HEX
    else:
        raise WebhookRejected("The request carries no signature of a version that is accepted here.")
    if not form.fullmatch(claim.signature):
        raise WebhookRejected(f"The {claim.version} signature is malformed.")
    return claim


def verify(
    request: SignedRequest,
    secrets: Sequence[str],
    now: datetime,
    accept: frozenset[str] = VERSIONS,
    claim: Claim | None = None,
) -> str:
    """The version of the signature that held, made with any of `secrets` (the present and the former one).

    `now` is the local time; `claim` is what `read_claim` said of the request, where it was asked a moment ago. Raises
    WebhookRejected, and nothing else, where none held.
    """
    claim = claim or read_claim(request.headers, now, accept)
    if not request.method.isascii():
        raise WebhookRejected("The request's method is none of HTTP's.")
    message = _source(claim, request)
    held = [hmac.compare_digest(_sign(claim.version, secret, message), claim.signature) for secret in secrets if secret]
    if not any(held):
        raise WebhookRejected(
            f"The {claim.version} signature doesn't match: another client secret, another public address, or forged."
        )
    return claim.version


def _hubspot_headers(headers: Headers) -> dict[bytes, bytes]:
    """The headers that a signature consists of. One that is given twice is refused: which one was meant?"""
    given: dict[bytes, bytes] = {}
    for name, value in headers:
        name = name.lower()
        if name in (SIGNATURE, SIGNATURE_V3, TIMESTAMP, VERSION):
            if name in given:
                raise WebhookRejected(f"The header {name.decode()} comes twice.")
            given[name] = value
    return given


def _check_age(timestamp: bytes, now: datetime) -> None:
    if not _MILLISECONDS.fullmatch(timestamp):
        raise WebhookRejected("The time stamp is missing or malformed.")
    age = (now - _EPOCH) // timedelta(microseconds=1) - int(timestamp) * 1000
    window = WINDOW // timedelta(microseconds=1)
    if age > window:
        raise WebhookRejected("The time stamp is older than 5 minutes: replayed, or this machine's clock is ahead.")
    if age < -window:
        raise WebhookRejected("The time stamp lies in the future: forged, or this machine's clock is behind.")


def _source(claim: Claim, request: SignedRequest) -> bytes:
    """What is signed, without the secret."""
    if claim.version == "v1":
        return request.body
    method = request.method.encode()
    if claim.version == "v2":
        return method + request.uri + request.body
    return method + _decoded(request.uri) + request.body + claim.timestamp


def _sign(version: str, secret: str, message: bytes) -> bytes:
    key = secret.encode()
    if version == "v3":
        return b64encode(hmac.digest(key, message, "sha256"))
    return sha256(key + message).hexdigest().encode()


def _decoded(uri: bytes) -> bytes:
    """The address with v3's twelve escapes decoded, once: what they decode to is not looked at again."""
    return _DECODED_FOR_V3.sub(lambda escape: bytes.fromhex(escape[0][1:].decode()), uri)
