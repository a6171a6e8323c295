"""Whatever the interface's description allows or forbids is sent to it: nothing breaks, nothing else comes back.

As a stranger, as somebody who is logged in, and as somebody who knows the client secret.
"""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from starlette.types import Receive, Scope, Send

from tests.web.asking import Web, in_pieces, v2
from tests.web.statuses import WELL

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]
WEB = Web(status=lambda: WELL, refused_a_minute=1_000_000, logins_a_minute=1_000_000)
COOKIE = {"Cookie": WEB.log_in()[0][1].decode()}
MODERATELY = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))


async def with_the_secret(scope: Scope, receive: Receive, send: Send) -> None:
    """The same application, to which every request comes signed."""
    if scope["type"] != "http":
        return await WEB.app(scope, receive, send)
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    query = scope["query_string"].decode()
    signed = v2(scope["method"], scope["raw_path"].decode() + (f"?{query}" if query else ""), body)
    others = [(name, value) for name, value in scope["headers"] if not name.startswith(b"x-hubspot-")]
    headers = [*others, *((name.lower(), value) for name, value in signed)]
    whole = in_pieces(then={"type": "http.request", "body": body, "more_body": False})
    return await WEB.app({**scope, "headers": headers}, whole, send)


EVERYTHING = schemathesis.openapi.from_asgi("/openapi.json", WEB.app, headers=COOKIE)
WEBHOOKS = schemathesis.openapi.from_asgi("/openapi.json", with_the_secret, headers=COOKIE).include(
    path_regex="^/webhooks"
)


@EVERYTHING.parametrize()
@MODERATELY
def test_a_stranger_breaks_nothing(case: schemathesis.Case[Any]) -> None:
    assert case.call_and_validate(checks=CHECKS).status_code not in (500, 502)


@EVERYTHING.parametrize()
@MODERATELY
def test_who_is_logged_in_breaks_nothing(case: schemathesis.Case[Any]) -> None:
    assert case.call_and_validate(checks=CHECKS, headers=COOKIE).status_code not in (500, 502)


@WEBHOOKS.parametrize()
@MODERATELY
def test_who_knows_the_secret_breaks_nothing(case: schemathesis.Case[Any]) -> None:
    answer = case.call_and_validate(checks=CHECKS)
    assert answer.status_code in (200, 405)
