"""Which path is served by what, with which scopes. Dated paths and type ids are spellings of the v3/v4 ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import unquote

from hubsync.sandbox.http import associations, batch, definitions, objects, people, problems, search
from hubsync.sandbox.http.call import Call, Reply
from hubsync.sandbox.object_properties import KINDS

Usage = Callable[[Call], Reply]
"""Serves the daily api-usage route, the one that needs more than the portal."""

Scopes = tuple[frozenset[str], ...]
"""All groups are needed; of a group any one scope will do."""

_DATED = re.compile(r"^/crm/(objects|associations|properties|owners)/(2026-03|2026-09)(?=/|$)")
_V3 = {"objects": "v3", "associations": "v4", "properties": "v3", "owners": "v3"}
_ASSOCIATION_SIDE = re.compile(r"^/crm/v3/objects/[^/]+/[^/]+/associations(/|$)")


@dataclass(frozen=True, slots=True)
class Route:
    """What serves a request. `search` requests have their own limit."""

    serve: Callable[[], Reply]
    scopes: Scopes
    search: bool = False


def canonical(path: str) -> str:
    """The v3/v4 spelling of a path, without a trailing slash."""
    path = path.rstrip("/") or "/"
    if found := _DATED.match(path):
        family = found.group(1)
        path = f"/crm/{_V3[family]}/{family}{path[found.end() :]}"
        if _ASSOCIATION_SIDE.match(path):
            path = path.replace("/crm/v3/", "/crm/v4/", 1)
    return path


def find_route(call: Call, usage: Usage) -> Route:
    """The route of a call. Raises 404 for any other path, 400 for an unknown object type."""
    parts = [unquote(part) for part in canonical(call.path).split("/")[1:]]
    match parts:
        case ["crm", "v3", "objects", kind, *rest]:
            return _objects(call, _kind(kind), rest)
        case ["crm", "v3", "properties", kind, *rest]:
            return _properties(call, _kind(kind), rest)
        case ["crm", "v4", "associations", kind, to_kind, "batch", action] if call.method == "POST":
            return _batch_associations(call, _kind(kind), _kind(to_kind), action)
        case ["crm", "v4", "associations", kind, to_kind, "labels"] if call.method == "GET":
            one, other = _kind(kind), _kind(to_kind)
            return Route(lambda: associations.labels(call, one, other), _reading(one) + _reading(other))
        case ["crm", "v4", "objects", kind, record_id, "associations", *rest]:
            return _object_associations(call, _kind(kind), record_id, rest)
        case _ if call.method == "GET":
            return _others(call, parts, usage)
    raise problems.no_route()


def _others(call: Call, parts: list[str], usage: Usage) -> Route:
    match parts:
        case ["crm", "v3", "owners"]:
            return Route(lambda: people.owners(call), _any("crm.objects.owners.read"))
        case ["crm", "v3", "owners", owner_id]:
            return Route(lambda: people.owner(call, owner_id), _any("crm.objects.owners.read"))
        case ["crm", "v3", "pipelines", kind]:
            return Route(lambda: people.pipelines(call, _kind(kind)), _reading(_kind(kind)))
        case ["crm", "v3", "pipelines", kind, pipeline_id]:
            return Route(lambda: people.pipeline(call, _kind(kind), pipeline_id), _reading(_kind(kind)))
        case ["settings", "v3", "users"]:
            return Route(lambda: people.users(call), _any("settings.users.read", "crm.objects.users.read"))
        case ["settings", "v3", "users", "teams"]:
            return Route(lambda: people.teams(call), _any("settings.users.teams.read"))
        case ["account-info", "v3", "details"]:
            return Route(lambda: people.account(call), ())
        case ["account-info", "v3", "api-usage", "daily", "private-apps"]:
            return Route(lambda: usage(call), ())
    raise problems.no_route()


def _objects(call: Call, kind: str, rest: list[str]) -> Route:
    reading, writing = _reading(kind), _writing(kind)
    match call.method, rest:
        case "GET", []:
            return Route(lambda: objects.list_page(call, kind), reading)
        case "POST", []:
            return Route(lambda: objects.create(call, kind), writing)
        case "POST", ["search"]:
            return Route(lambda: search.search(call, kind), reading, search=True)
        case "POST", ["batch", "read"]:
            return Route(lambda: batch.read(call, kind), reading)
        case "POST", ["batch", "create"]:
            return Route(lambda: batch.create(call, kind), writing)
        case "POST", ["batch", "update"]:
            return Route(lambda: batch.update(call, kind), writing)
        case "POST", ["batch", "archive"]:
            return Route(lambda: batch.archive(call, kind), writing)
        case "POST", ["merge"] if kind == "contacts":
            return Route(lambda: objects.merge_pair(call, kind), writing)
        case "POST", ["gdpr-delete"] if kind == "contacts":
            return Route(lambda: objects.gdpr_delete(call, kind), writing)
        case "GET", [record_id]:
            return Route(lambda: objects.get(call, kind, record_id), reading)
        case "PATCH", [record_id]:
            return Route(lambda: objects.update(call, kind, record_id), writing)
        case "DELETE", [record_id]:
            return Route(lambda: objects.archive(call, kind, record_id), writing)
    raise problems.no_route()


def _properties(call: Call, kind: str, rest: list[str]) -> Route:
    scope = _scope_kind(kind)
    reading = _any(f"crm.schemas.{scope}.read", f"crm.objects.{scope}.read")
    writing = _any(f"crm.schemas.{scope}.write")
    match call.method, rest:
        case "GET", []:
            return Route(lambda: definitions.list_all(call, kind), reading)
        case "POST", []:
            return Route(lambda: definitions.create(call, kind), writing)
        case "POST", ["batch", "create"]:
            return Route(lambda: definitions.batch_create(call, kind), writing)
        case "GET", ["groups"]:
            return Route(lambda: definitions.list_groups(call, kind), reading)
        case "POST", ["groups"]:
            return Route(lambda: definitions.create_group(call, kind), writing)
        case "GET", [name]:
            return Route(lambda: definitions.get(call, kind, name), reading)
        case "PATCH", [name]:
            return Route(lambda: definitions.update(call, kind, name), writing)
        case "DELETE", [name]:
            return Route(lambda: definitions.archive(call, kind, name), writing)
    raise problems.no_route()


def _batch_associations(call: Call, kind: str, to_kind: str, action: str) -> Route:
    match action:
        case "read":
            return Route(lambda: associations.batch_read(call, kind, to_kind), _reading(kind) + _reading(to_kind))
        case "create":
            return Route(lambda: associations.batch_create(call, kind, to_kind), _writing(kind) + _writing(to_kind))
        case "archive":
            return Route(lambda: associations.batch_archive(call, kind, to_kind), _writing(kind) + _writing(to_kind))
    raise problems.no_route()


def _object_associations(call: Call, kind: str, record_id: str, rest: list[str]) -> Route:
    match call.method, rest:
        case "GET", [name]:
            to_kind = _kind(name)
            return Route(
                lambda: associations.one_side(call, kind, record_id, to_kind), _reading(kind) + _reading(to_kind)
            )
        case "PUT", ["default", name, to_id]:
            other = _kind(name)
            return Route(
                lambda: associations.put_default(call, kind, record_id, other, to_id), _writing(kind) + _writing(other)
            )
        case "DELETE", [name, to_id]:
            gone = _kind(name)
            return Route(
                lambda: associations.remove(call, kind, record_id, gone, to_id), _writing(kind) + _writing(gone)
            )
    raise problems.no_route()


def _kind(name: str) -> str:
    kind = KINDS.get(name)
    if kind is None:
        raise problems.no_object_type(name)
    return kind


def _any(*scopes: str) -> Scopes:
    return (frozenset(scopes),)


def _scope_kind(kind: str) -> str:
    """Tasks, calls, meetings and the like use the contacts scopes: they have none of their own."""
    return kind if kind in ("contacts", "companies", "deals") else "contacts"


def _reading(kind: str) -> Scopes:
    needed = _any(f"crm.objects.{_scope_kind(kind)}.read")
    return needed + _any("sales-email-read") if kind == "emails" else needed


def _writing(kind: str) -> Scopes:
    return _any(f"crm.objects.{_scope_kind(kind)}.write")


def lacking_scopes(needed: Scopes, granted: Collection[str]) -> set[str]:
    """The scopes of every group that isn't granted."""
    return {scope for group in needed if group.isdisjoint(granted) for scope in group}
