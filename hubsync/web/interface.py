"""The webhook routes in OpenAPI's words: they are raw ASGI, of which FastAPI knows nothing."""

from __future__ import annotations

from typing import Any

EVENTS = "/webhooks/hubspot"
EVENTS_OF_APP = "/webhooks/hubspot/{app}"
WORKFLOW = "/webhooks/hubspot/workflow"

_SAYS = {"content": {"application/json": {"schema": {"type": "object"}}}}
_ANSWERS = {
    "200": {"description": "Proven, and written down; what can't be used is counted.", **_SAYS},
    "400": {"description": "The body was cut short.", **_SAYS},
    "401": {"description": "Not proven to be HubSpot's.", **_SAYS},
    "408": {"description": "The body came too slowly.", **_SAYS},
    "413": {"description": "The body is too large.", **_SAYS},
    "429": {"description": "Too many requests from this address were refused.", **_SAYS},
    "503": {"description": "Not set up, or can't be written down now: try again.", **_SAYS},
}
_EVENTS = {"type": "array", "items": {"type": "object"}}
_RECORD = {"type": "object"}
_SIGNATURES = [
    {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}
    for name in (
        "X-HubSpot-Signature-v3",
        "X-HubSpot-Request-Timestamp",
        "X-HubSpot-Signature",
        "X-HubSpot-Signature-Version",
    )
]


def with_webhooks(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the webhook routes in it."""
    app = {"name": "app", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]+$"}}
    document["paths"] |= {
        EVENTS: {"post": _operation("events", "Events of the app", _EVENTS)},
        EVENTS_OF_APP: {"parameters": [app], "post": _operation("events_of_app", "Events of an app by name", _EVENTS)},
        WORKFLOW: {
            "post": _operation("workflow", "The record of a workflow", _RECORD),
            "get": _operation("workflow_get", "The record of a workflow, in the query", None),
        },
    }
    return document


def _operation(name: str, summary: str, schema: dict[str, Any] | None) -> dict[str, Any]:
    body = {"requestBody": {"content": {"application/json": {"schema": schema}}}} if schema is not None else {}
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["webhooks"],
        "parameters": _SIGNATURES,
        "responses": _ANSWERS,
        **body,
    }
