"""How HubSpot signs what it sends (hubspot-api.md 8). The sandbox's own reading of it: hubsync's verifier is another.

Bodies are signed as the bytes that go out; the URI is the full URL as it was called.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

_DECODED = {
    "3a": ":",
    "2f": "/",
    "3f": "?",
    "40": "@",
    "21": "!",
    "24": "$",
    "27": "'",
    "28": "(",
    "29": ")",
    "2a": "*",
    "2c": ",",
    "3b": ";",
}
"""Escapes that version 3 undoes in the URI before it signs, and no others."""

_ESCAPE = re.compile("%(" + "|".join(_DECODED) + ")", re.IGNORECASE)


def sign_v1(secret: str, body: bytes) -> str:
    """Of app webhooks: SHA-256 of secret and body, in lower-case hex."""
    return hashlib.sha256(secret.encode() + body).hexdigest()


def sign_v2(secret: str, method: str, uri: str, body: bytes) -> str:
    """Of the workflow action: SHA-256 of secret, method, URI (as it is) and body, in lower-case hex."""
    return hashlib.sha256((secret + method + uri).encode() + body).hexdigest()


def sign_v3(secret: str, method: str, uri: str, body: bytes, timestamp: int) -> str:
    """Of all: HMAC-SHA256 of method, decoded URI, body and `timestamp` (milliseconds), in Base64."""
    signed = (method + decoded(uri)).encode() + body + str(timestamp).encode()
    return base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()


def decoded(uri: str) -> str:
    """The URI as version 3 signs it."""
    return _ESCAPE.sub(lambda found: _DECODED[found[1].lower()], uri)
