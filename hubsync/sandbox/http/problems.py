"""Refusals in HubSpot's words (hubspot-api.md 1, 2, 9). Each builder makes an error to raise or to embed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from hubsync.sandbox.schema import InvalidValueError


class ApiProblemError(Exception):
    """An answer that isn't a success. `body` lacks only the correlation id, which the server adds."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(str(body.get("message", status)))
        self.status = status
        self.body = dict(body)


def problem(status: int, message: str, category: str | None = None, **more: Any) -> ApiProblemError:
    """An error body; fields that are None are left out."""
    body: dict[str, Any] = {"status": "error", "message": message}
    if category:
        body["category"] = category
    body.update((name, value) for name, value in more.items() if value is not None)
    return ApiProblemError(status, body)


def validation(message: str, **more: Any) -> ApiProblemError:
    """400 VALIDATION_ERROR."""
    return problem(400, message, "VALIDATION_ERROR", **more)


def no_route() -> ApiProblemError:
    """404 for a path that the portal doesn't serve."""
    return problem(404, "resource not found")


def no_object() -> ApiProblemError:
    """404 for one record."""
    return problem(404, "resource not found", "OBJECT_NOT_FOUND")


def no_object_type(name: str) -> ApiProblemError:
    """400 without category, as recorded."""
    return problem(400, f"Unable to infer object type from: {name}")


def no_credentials() -> ApiProblemError:
    """401 without a token."""
    return problem(
        401,
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more "
        "details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
        "INVALID_AUTHENTICATION",
    )


def bad_token(now_days: int) -> ApiProblemError:
    """401 for a token that isn't one of the portal's: HubSpot reads it as one that expired in 1970."""
    return problem(
        401,
        f"The OAuth token used to make this call expired {now_days} day(s) ago.",
        "EXPIRED_AUTHENTICATION",
        context={"expire time": ["1970-01-01T00:00:00Z"]},
    )


def missing_scopes(scopes: Iterable[str]) -> ApiProblemError:
    """403 in its full shape."""
    return problem(
        403,
        "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: "
        "https://developers.hubspot.com/scopes.",
        "MISSING_SCOPES",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": sorted(scopes)},
            }
        ],
        links={"scopes": "https://developers.hubspot.com/scopes"},
    )


def bad_json(detail: str) -> ApiProblemError:
    """400 for a body that can't be read; without category, as HubSpot's front answers."""
    return problem(400, f"Invalid input JSON on line 1, column 1: {detail}")


def too_many_inputs(limit: int, *, histories: bool = False) -> ApiProblemError:
    """400 for a batch over its cap, as recorded."""
    if histories:
        message = f"The maximum number of inputs supported in a batch request for property histories is {limit}"
    else:
        message = (
            f"The maximum number of inputs supported in a batch is {limit}. "
            "Please reduce the number of items and try again"
        )
    return validation(message)


def duplicate_ids(ids: Sequence[str]) -> ApiProblemError:
    """400 for an id given twice in a batch."""
    listed = ", ".join(ids)
    return validation(f"Duplicate IDs found in batch input: [{listed}]. IDs must be unique", context={"ids": list(ids)})


def missing_ids(label: str, ids: Sequence[str]) -> dict[str, Any]:
    """The error item of a 207 for ids that don't exist."""
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": f"Could not get some {label} objects, they may be deleted or not exist. Check that ids are valid.",
        "context": {"ids": list(ids)},
    }


def unknown_property(name: str) -> dict[str, Any]:
    """What is wrong with a property that isn't defined."""
    return {
        "isValid": False,
        "message": f'Property "{name}" does not exist',
        "error": "PROPERTY_DOESNT_EXIST",
        "name": name,
        "localizedErrorMessage": f'Property "{name}" does not exist',
    }


def refused_value(error: InvalidValueError) -> dict[str, Any]:
    """What is wrong with a value."""
    return {
        "isValid": False,
        "message": str(error),
        "error": error.code,
        "name": error.name,
        "localizedErrorMessage": str(error),
        "propertyValue": error.value,
    }


def invalid_properties(faults: Sequence[Mapping[str, Any]], trace: str | None = None) -> ApiProblemError:
    """400 for properties: the faults as JSON inside the message, and once more under `errors`."""
    listed = orjson.dumps(list(faults)).decode()
    return validation(
        f"Property values were not valid: {listed}",
        errors=[
            {"message": fault["message"], "code": fault["error"], "context": {"propertyName": [fault["name"]]}}
            for fault in faults
        ],
        context={"objectWriteTraceId": [trace]} if trace else None,
    )


def missing_required(label: str, names: Sequence[str]) -> ApiProblemError:
    """400 for a create without a property that the kind demands."""
    return validation(
        f"Error creating {label}. Some required properties were not set.",
        context={"properties": list(names)},
        errors=[
            {
                "message": f'Required property "{name}" is missing',
                "code": "MISSING_REQUIRED_PROPERTY",
                "context": {"propertyName": [name]},
            }
            for name in names
        ],
    )


def missing_by_rule(names: Sequence[str]) -> list[dict[str, Any]]:
    """What is wrong where a validation rule of the portal demands properties that aren't set."""
    return [
        {
            "isValid": False,
            "message": f'Property "{name}" is required by a conditional rule',
            "error": "MISSING_CONDITIONAL_REQUIRED_PROPERTY",
            "name": name,
        }
        for name in names
    ]


def contact_exists(existing: str) -> ApiProblemError:
    """409 for an e-mail address that another contact has."""
    return problem(
        409, f"Contact already exists. Existing ID: {existing}", "CONFLICT", context={"existingId": [existing]}
    )


def rate_limited(policy: str, request_id: str) -> ApiProblemError:
    """429; `policy` is TEN_SECONDLY_ROLLING, DAILY or SEARCH (whose recorded body names no policy)."""
    if policy == "SEARCH":
        return problem(429, "You have reached your secondly limit.", "RATE_LIMITS")
    limit = "ten_secondly_rolling" if policy == "TEN_SECONDLY_ROLLING" else "daily"
    return problem(
        429,
        f"You have reached your {limit} limit.",
        errorType="RATE_LIMIT",
        policyName=policy,
        requestId=request_id,
    )
