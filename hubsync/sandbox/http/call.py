"""One request on its way through the server, and its answer. Reads the query and the body as HubSpot does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

from hubsync.sandbox.http import problems
from hubsync.sandbox.state import Portal


@dataclass(slots=True)
class Reply:
    """An answer as bytes. `drop`: close the connection without it; `cut`: send only so many bytes of the body."""

    status: int
    body: bytes
    content_type: str = "application/json;charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    cut: int | None = None


def json_reply(status: int, body: Any) -> Reply:
    """A JSON answer."""
    return Reply(status, orjson.dumps(body))


@dataclass(slots=True)
class Call:
    """A request: `path` without query; `written` collects the ids that it changed; `token` is the consumer's label."""

    portal: Portal
    method: str
    path: str
    query_text: str
    raw: bytes
    token: str = ""
    written: list[str] = field(default_factory=list)
    _query: dict[str, list[str]] | None = None

    @property
    def enforces_rules(self) -> bool:
        """True for writes through paths that hold the portal's validation rules."""
        return self.path.startswith("/crm/objects/2026-09")

    @property
    def query(self) -> dict[str, list[str]]:
        """Query parameters; repeated keys and comma lists come to the same."""
        if self._query is None:
            found: dict[str, list[str]] = {}
            for name, value in parse_qsl(self.query_text, keep_blank_values=True):
                found.setdefault(name, []).append(value)
            self._query = found
        return self._query

    def one(self, name: str, default: str = "") -> str:
        """The last value of a parameter."""
        return self.query.get(name, [default])[-1]

    def many(self, name: str) -> list[str]:
        """All values of a list parameter."""
        return [part for value in self.query.get(name, []) for part in value.split(",") if part]

    def flag(self, name: str) -> bool:
        """A boolean parameter; Python's capital `False` occurs."""
        value = self.one(name, "false").lower()
        if value not in ("true", "false", ""):
            raise problems.validation(f"Unable to parse value for query parameter: {name}")
        return value == "true"

    def number(self, name: str, default: int, most: int) -> int:
        """An integer parameter from 1 to `most`."""
        text = self.one(name, str(default))
        if not (text.isascii() and text.isdigit()):
            raise problems.validation(f"Unable to parse value for query parameter: {name}")
        if not 1 <= int(text) <= most:
            raise problems.validation(f"Invalid value for query parameter {name}: {text}. It must be from 1 to {most}")
        return int(text)

    def body(self, *allowed: str) -> dict[str, Any]:
        """The JSON object sent; keys other than `allowed` are refused, as unknown keys fail at HubSpot."""
        try:
            found = orjson.loads(self.raw or b"{}")
        except orjson.JSONDecodeError as error:
            raise problems.bad_json(str(error)) from error
        return fields(found, *allowed)


def fields(found: Any, *allowed: str) -> dict[str, Any]:
    """A JSON object with no keys but `allowed` (none given: any)."""
    if not isinstance(found, dict):
        raise problems.bad_json("an object was expected")
    if allowed and (unknown := [name for name in found if name not in allowed]):
        raise problems.bad_json(f'unrecognized field "{unknown[0]}"')
    return found


def text_list(found: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts in a body; absent and null mean empty."""
    value = found.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise problems.bad_json(f'"{name}" must be a list of strings')
    return value
