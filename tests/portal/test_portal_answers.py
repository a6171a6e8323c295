"""What error bodies mean, in every shape that HubSpot was seen to send."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from hubsync.errors import ContactGone, PortalPermanentError, PortalTemporaryError, RateLimited, TokenRefused
from hubsync.portal.answers import failure, missing_scopes, quoted, refused_values, retry_after

FAULT = {"isValid": False, "message": "X was not one of the allowed options: []", "error": "INVALID_OPTION"}


def listed(*faults: dict[str, Any]) -> str:
    return f"Property values were not valid: {orjson.dumps(faults).decode()}"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"message": listed({**FAULT, "name": "a"})}, [("a", "X", "INVALID_OPTION")]),
        ({"message": listed({**FAULT, "name": "a", "propertyValue": "x y"})}, [("a", "x y", "INVALID_OPTION")]),
        (
            {"message": listed({**FAULT, "name": "a"}, {"name": "b", "message": "-", "error": "INVALID_INTEGER"})},
            [("a", "X", "INVALID_OPTION"), ("b", None, "INVALID_INTEGER")],
        ),
        (
            {"errors": [{"message": "gone", "code": "PROPERTY_DOESNT_EXIST", "context": {"propertyName": ["c"]}}]},
            [("c", None, "PROPERTY_DOESNT_EXIST")],
        ),
        (
            {
                "message": listed({**FAULT, "name": "a"}),
                "errors": [{"message": "bad", "code": "INVALID_OPTION", "context": {"propertyName": ["a"]}}],
            },
            [("a", "X", "INVALID_OPTION")],
        ),
        ({"message": "Property values were not valid: [{cut o"}, []),
        ({"message": "Invalid input JSON", "errors": "odd", "context": None}, []),
        ({"errors": [{"context": {"propertyName": "d"}}, "odd", {"context": []}]}, [("d", None, "")]),
        ({}, []),
    ],
)
def test_a_refused_value_is_named_wherever_hubspot_names_it(
    body: dict[str, Any], expected: list[tuple[str, str | None, str]]
) -> None:
    assert [problem[:3] for problem in refused_values(body)] == expected


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, PortalPermanentError),
        (400, PortalPermanentError),
        (401, TokenRefused),
        (403, TokenRefused),
        (405, PortalPermanentError),
        (408, PortalTemporaryError),
        (409, PortalPermanentError),
        (414, PortalPermanentError),
        (423, PortalTemporaryError),
        (429, RateLimited),
        (477, PortalTemporaryError),
        (500, PortalTemporaryError),
        (526, PortalTemporaryError),
    ],
)
@pytest.mark.parametrize("content", [b"", b"<html>x</html>", b"[]", b"\xff\xfe", b'{"message": 5, "errors": 7}'])
def test_every_status_is_an_error_by_what_to_do_next_whatever_its_body(
    status: int, kind: type[Exception], content: bytes
) -> None:
    error = failure(status, {}, content, method="GET", route="/crm/v3/objects/contacts")
    assert type(error) is kind
    assert error.status == status


def test_a_404_for_one_record_means_that_it_is_gone_and_for_a_list_that_the_route_is() -> None:
    body = b'{"message": "resource not found"}'
    one = failure(404, {}, body, method="GET", route="/crm/v3/objects/contacts/{id}")
    route = failure(404, {}, body, method="GET", route="/crm/v3/objects/unknown")
    assert (type(one), type(route)) == (ContactGone, PortalPermanentError)


def test_the_correlation_id_is_kept_from_body_or_header() -> None:
    in_body = failure(500, {}, b'{"correlationId": "c-1"}', method="GET", route="/x")
    in_header = failure(500, {"X-HubSpot-Correlation-Id": "c-2"}, b"", method="GET", route="/x")
    assert (in_body.correlation_id, in_header.correlation_id) == ("c-1", "c-2")


def test_scopes_are_named_once_from_both_shapes() -> None:
    shape = {"requiredGranularScopes": ["a", "b"]}
    assert missing_scopes({"context": shape, "errors": [{"context": shape}]}) == ("a", "b")


def test_what_hubspot_says_is_quoted_without_addresses_and_tokens() -> None:
    assert quoted("jane.doe@example.com and pat-na1-1234-abcd and Bearer abc") == "… and … and …"
    assert len(quoted("x" * 5000)) == 301


@pytest.mark.parametrize(("value", "seconds"), [("3", 3.0), ("0.5", 0.5), ("", None), ("soon", None), ("-1", None)])
def test_retry_after_is_read_in_seconds_and_never_guessed(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}) == seconds
