"""What an HTTP answer of HubSpot means: a decoded body, or one of hubsync's errors.

Pure: no network, no waiting. Error messages say what to do; they quote HubSpot only through `quoted`, which takes out
e-mail addresses and tokens, and never show a body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

from hubsync.errors import (
    ContactGone,
    PortalError,
    PortalPermanentError,
    PortalTemporaryError,
    RateLimited,
    TokenRefused,
    WriteRefused,
)

Json = dict[str, Any]

_PRIVATE = re.compile(r"[^\s\"'<>@]+@[^\s\"'<>@]+|pat-[A-Za-z0-9-]+|Bearer\s+\S+", re.IGNORECASE)
_NOT_AN_OPTION = re.compile(r"^\"?(?P<value>.*?)\"? was not one of the allowed options")
_TEMPORARY = {408, 423, 425, 477}
_WRITES = ("/batch/update", "/batch/create", "/batch/archive")


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer: its status, its body decoded (None for an empty one) and its headers."""

    status: int
    body: Any
    headers: Mapping[str, str]


def no_answer(what: str) -> NoReturn:
    """Raise for a 2xx whose body isn't what HubSpot documents: truncated, HTML, of another shape."""
    raise PortalTemporaryError(f"HubSpot's answer is no answer: {what}. It was not used.", status=200)


def decoded(status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    """The answer with its body decoded. Raises PortalTemporaryError for anything but JSON (or nothing)."""
    if not content:
        return Answer(status, None, headers)
    try:
        return Answer(status, orjson.loads(content), headers)
    except orjson.JSONDecodeError:
        kind = headers.get("Content-Type", "no content type").partition(";")[0]
        no_answer(f"the body is not JSON ({len(content)} bytes, {kind})")


def quoted(text: object, limit: int = 300) -> str:
    """HubSpot's words, without e-mail addresses and tokens, cut to `limit` characters."""
    words = _PRIVATE.sub("…", str(text))
    return words if len(words) <= limit else words[:limit] + "…"


def failure(status: int, headers: Mapping[str, str], content: bytes, *, method: str, route: str) -> PortalError:
    """The error that a status outside 2xx stands for."""
    body = _error_body(content)
    correlation = str(body.get("correlationId") or headers.get("X-HubSpot-Correlation-Id") or "") or None
    where = f"{method} {route}"
    if status == 429:
        return _rate_limited(headers, body, correlation)
    if status == 401:
        return TokenRefused(_why_unauthorised(body), status=401, correlation_id=correlation)
    if status == 403:
        scopes = missing_scopes(body)
        names = ", ".join(scopes) if scopes else "HubSpot didn't name it"
        message = f"The token lacks a permission for {where} (403): {names}. Add the scope to the service key or app."
        return TokenRefused(message, status=403, scopes=scopes, correlation_id=correlation)
    if status in _TEMPORARY or status >= 500:
        message = f"HubSpot could not answer {where} ({status}{_TEMPORARY_WORDS.get(status, '')})."
        return PortalTemporaryError(message, status=status, correlation_id=correlation)
    said = quoted(body.get("message") or "no reason given")
    if status == 400 and route.endswith(_WRITES):
        problems = refused_values(body)
        return WriteRefused(f"HubSpot refused to write: {said}", problems=problems, correlation_id=correlation)
    if status == 404 and (body.get("category") == "OBJECT_NOT_FOUND" or route.endswith("/{id}")):
        return ContactGone(f"HubSpot has no such record ({where}).", status=404, correlation_id=correlation)
    if 300 <= status < 400:
        said = "a redirect, which is not followed so that the token goes nowhere else; check HUBSYNC_API_URL"
    elif status == 414:
        said = "the address is too long; name fewer properties"
    return PortalPermanentError(
        f"HubSpot refused {where} ({status}): {said}", status=status, correlation_id=correlation
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that HubSpot asks to wait; None where it doesn't say (429 isn't documented to)."""
    value = headers.get("Retry-After", "").strip()
    return float(value) if re.fullmatch(r"\d{1,7}(\.\d+)?", value) else None


def missing_scopes(body: Json) -> tuple[str, ...]:
    """Names of the scopes that a 403 asks for, in both of its shapes (in `errors[]`, or at the top in `context`)."""
    contexts = [body.get("context"), *(e.get("context") for e in _dicts(body.get("errors")))]
    names: dict[str, None] = {}
    for context in contexts:
        if isinstance(context, dict):
            for name in context.get("requiredGranularScopes") or context.get("requiredScopes") or ():
                names[str(name)] = None
    return tuple(names)


def refused_values(body: Json) -> tuple[tuple[str, str | None, str, str], ...]:
    """(property, value or None, code, message) for each value that a 400 names.

    HubSpot names them in a JSON list inside `message` ("Property values were not valid: [...]"), in `errors[]`, or in
    both.
    """
    problems: dict[tuple[str, str | None], tuple[str, str | None, str, str]] = {}
    _, found, inner = str(body.get("message", "")).partition("Property values were not valid:")
    for item in _listed(inner) if found else []:
        problem = _problem(str(item.get("name", "")), item, str(item.get("error", "")))
        problems.setdefault(problem[:2], problem)
    named = {name for name, _ in problems}
    for error in _dicts(body.get("errors")):
        context = error.get("context")
        names = context.get("propertyName", ()) if isinstance(context, dict) else ()
        for name in [names] if isinstance(names, str) else names:
            if name not in named:
                problem = _problem(str(name), error, str(error.get("code") or error.get("error") or ""))
                problems.setdefault(problem[:2], problem)
    return tuple(problems.values())


_TEMPORARY_WORDS = {
    423: ", locked by many writes",
    477: ", the account is being moved between data centres",
    525: ", if it lasts ask HubSpot's support",
    526: ", if it lasts ask HubSpot's support",
}


def reason(error: Json) -> str:
    """Why HubSpot refused, in its words: what it says of each value where it names some."""
    problems = refused_values(error)
    return "; ".join(message for *_, message in problems) if problems else quoted(error.get("message"))


def _problem(name: str, item: Json, code: str) -> tuple[str, str | None, str, str]:
    message = str(item.get("message", ""))
    match = _NOT_AN_OPTION.match(message)
    value = item.get("propertyValue")
    if not isinstance(value, str):
        value = match["value"] if match else None
    return name, value, code, quoted(message)


def _rate_limited(headers: Mapping[str, str], body: Json, correlation: str | None) -> RateLimited:
    said = str(body.get("message", ""))
    daily = body.get("policyName") == "DAILY" or "daily limit" in said
    what = (
        "today's allowance is spent, until midnight of the account's time zone"
        if daily
        else "too many calls in a short time"
    )
    return RateLimited(
        f"HubSpot asks to slow down (429): {what}.",
        retry_after=retry_after(headers),
        daily=daily,
        correlation_id=correlation,
    )


def _why_unauthorised(body: Json) -> str:
    """HubSpot says "expired in 1970" of a token that it can't read: wrong, not old."""
    if body.get("category") == "EXPIRED_AUTHENTICATION" and "1970-01-01" not in str(body.get("context")):
        why = "it has expired. Renew it in the portal"
    else:
        why = (
            "it is not one that HubSpot knows. Check that the access token was copied whole, or renew it in the portal"
        )
    return f"HubSpot refused the token (401): {why}; nothing was written by this call."


def _error_body(content: bytes) -> Json:
    """The body of an error where it is a JSON object; the edge answers HTML, which says nothing to us."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _listed(text: str) -> list[Json]:
    try:
        return _dicts(orjson.loads(text.strip()))
    except orjson.JSONDecodeError:
        return []  # cut off or not JSON: `errors[]` still names the property


def _dicts(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
