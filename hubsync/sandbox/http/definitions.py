"""Property definitions over HTTP: `/crm/v3/properties/{type}`. The list has no paging; options are replaced whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hubsync.sandbox.http import problems
from hubsync.sandbox.http.batch import answer, inputs_of
from hubsync.sandbox.http.call import Call, Reply, fields, json_reply
from hubsync.sandbox.schema import Option, Property

_TYPES = ("string", "number", "bool", "enumeration", "date", "datetime")
_BODY = [
    "name",
    "label",
    "type",
    "fieldType",
    "groupName",
    "options",
    "description",
    "displayOrder",
    "hasUniqueValue",
    "hidden",
    "formField",
    "externalOptions",
    "calculationFormula",
    "referencedObjectType",
    "dataSensitivity",
]


def list_all(call: Call, kind: str) -> Reply:
    """GET all definitions."""
    return json_reply(200, {"results": [prop.to_json() for prop in call.portal.schemas.properties[kind].values()]})


def get(call: Call, kind: str, name: str) -> Reply:
    """GET one definition: 404 OBJECT_NOT_FOUND for an unknown name."""
    return json_reply(200, _known(call, kind, name).to_json())


def create(call: Call, kind: str) -> Reply:
    """POST one definition: 201; 409 where the name is taken."""
    prop = _checked(call, kind, call.body(*_BODY))
    call.portal.schemas.add_property(kind, prop)
    call.written.append(prop.name)
    return json_reply(201, prop.to_json())


def batch_create(call: Call, kind: str) -> Reply:
    """POST several definitions: all or none."""
    started = call.portal.now_ms()
    props = [_checked(call, kind, item) for item in inputs_of(call.body("inputs"), 100, *_BODY)]
    for prop in props:
        call.portal.schemas.add_property(kind, prop)
        call.written.append(prop.name)
    return answer(call, 201, [prop.to_json() for prop in props], [], started)


def update(call: Call, kind: str, name: str) -> Reply:
    """PATCH: `options` replaces the whole list; a shipped definition's type and names stay as they are."""
    prop = _known(call, kind, name)
    body = call.body(*_BODY)
    if "options" in body:
        if prop.read_only or (prop.type != "enumeration"):
            raise problems.validation(f"The options of property {name} can't be changed")
        call.portal.schemas.set_options(kind, name, _options(body["options"]))
        prop = call.portal.schemas.properties[kind][name]
    words = {"label": "label", "description": "description", "groupName": "group", "hidden": "hidden"}
    changes = {ours: body[theirs] for theirs, ours in words.items() if theirs in body}
    if changes:
        prop = replace(prop, **changes)
        call.portal.schemas.add_property(kind, prop)
    call.written.append(name)
    return json_reply(200, prop.to_json())


def archive(call: Call, kind: str, name: str) -> Reply:
    """DELETE a definition of the portal's own: 204; the shipped ones are refused."""
    prop = _known(call, kind, name)
    if prop.shipped:
        raise problems.validation(f"Property {name} is defined by HubSpot and can't be archived")
    call.portal.schemas.remove_property(kind, name)
    call.written.append(name)
    return Reply(204, b"")


def list_groups(call: Call, kind: str) -> Reply:
    """GET the property groups."""
    groups = call.portal.schemas.groups[kind]
    return json_reply(200, {"results": [_group(name, label) for name, label in groups.items()]})


def create_group(call: Call, kind: str) -> Reply:
    """POST a property group: 201; 409 where the name is taken."""
    body = call.body("name", "label", "displayOrder")
    name = str(body.get("name") or "")
    if not name:
        raise problems.validation("A property group needs a name")
    if name in call.portal.schemas.groups[kind]:
        raise problems.problem(409, f"A property group named {name} already exists", "OBJECT_ALREADY_EXISTS")
    call.portal.schemas.add_group(kind, name, str(body.get("label") or name))
    call.written.append(name)
    return json_reply(201, _group(name, call.portal.schemas.groups[kind][name]))


def _group(name: str, label: str) -> dict[str, Any]:
    return {"name": name, "label": label, "displayOrder": -1, "archived": False}


def _known(call: Call, kind: str, name: str) -> Property:
    prop = call.portal.schemas.properties[kind].get(name)
    if prop is None:
        raise problems.problem(404, f"No property named {name} exists", "OBJECT_NOT_FOUND")
    return prop


def _checked(call: Call, kind: str, body: Mapping[str, Any]) -> Property:
    for needed in ("name", "label", "type", "fieldType", "groupName"):
        if not body.get(needed):
            raise problems.validation(f"A property needs {needed}")
    name = str(body["name"])
    if name in call.portal.schemas.properties[kind]:
        raise problems.problem(409, f"A property named '{name}' already exists.", "OBJECT_ALREADY_EXISTS")
    if name != name.lower() or name.startswith("hs_") or not name.replace("_", "a").isalnum():
        raise problems.validation(f"{name} isn't a valid property name")
    if body["groupName"] not in call.portal.schemas.groups[kind]:
        raise problems.validation(f"The property group {body['groupName']} doesn't exist")
    if body["type"] not in _TYPES:
        raise problems.validation(f"{body['type']} isn't a property type")
    return Property(
        name,
        str(body["label"]),
        str(body["type"]),
        str(body["fieldType"]),
        str(body["groupName"]),
        _options(body.get("options") or []),
        str(body.get("description") or ""),
        hidden=bool(body.get("hidden")),
        shipped=False,
    )


def _options(found: Any) -> tuple[Option, ...]:
    if not isinstance(found, list):
        raise problems.bad_json('"options" must be a list')
    options = []
    for order, item in enumerate(found):
        each = fields(item, "label", "value", "displayOrder", "hidden", "description", "readOnly")
        if not each.get("label") or "value" not in each:
            raise problems.validation("An option needs a label and a value")
        placed = each.get("displayOrder", order)
        options.append(
            Option(
                str(each["value"]),
                str(each["label"]),
                int(placed if placed is not None and placed >= 0 else order),
                bool(each.get("hidden")),
                str(each.get("description") or ""),
            )
        )
    values = [each.value for each in options]
    labels = [each.label for each in options]
    if len(set(values)) < len(values) or len(set(labels)) < len(labels):
        raise problems.validation("Two options have the same value or label")
    return tuple(options)
