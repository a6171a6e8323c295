"""What is common to single and batch writes: checking a whole input before anything is written, and the echo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hubsync.sandbox.http import problems
from hubsync.sandbox.http.call import Call, fields
from hubsync.sandbox.http.wire import Shape
from hubsync.sandbox.object_properties import ASSOCIATION_TYPES, PRIMARY_TYPES, REQUIRED_ON_CREATE, SINGULAR
from hubsync.sandbox.records import Record
from hubsync.sandbox.schema import InvalidValueError
from hubsync.sandbox.schemas import UnknownPropertyError
from hubsync.sandbox.state import EmailTakenError, Portal

_TYPE_OF = {type_id: pair for pair, type_id in (*ASSOCIATION_TYPES.items(), *PRIMARY_TYPES.items())}

Target = tuple[str, str, int]
"""An association to make: kind, id, type id."""


def property_faults(portal: Portal, kind: str, properties: Any) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Checked changes, and everything that is wrong with the rest."""
    if properties is None:
        return {}, []
    if not isinstance(properties, dict):
        raise problems.bad_json('"properties" must be an object')
    checked: dict[str, str] = {}
    faults = []
    for name, value in properties.items():
        if isinstance(value, dict | list):
            raise problems.bad_json(f'the value of "{name}" must be a string')
        try:
            checked |= portal.schemas.checked(kind, {name: value})
        except UnknownPropertyError as error:
            faults.append(problems.unknown_property(error.name))
        except InvalidValueError as error:
            faults.append(problems.refused_value(error))
    return checked, faults


def rule_faults(call: Call, kind: str, held: Mapping[str, str], changes: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the portal's validation rules find wrong; nothing through paths that don't hold them."""
    if not call.enforces_rules:
        return []
    return problems.missing_by_rule(call.portal.schemas.missing_by_rule(kind, held, changes))


def checked_properties(portal: Portal, kind: str, properties: Any) -> dict[str, str]:
    """Checked changes. Raises the 400 that names every fault."""
    checked, faults = property_faults(portal, kind, properties)
    if faults:
        raise problems.invalid_properties(faults)
    return checked


def checked_new(call: Call, kind: str, properties: Any) -> dict[str, str]:
    """Checked values of a record to be. Raises a 400 also for a required property that is missing."""
    checked = checked_properties(call.portal, kind, properties)
    if faults := rule_faults(call, kind, {}, checked):
        raise problems.invalid_properties(faults)
    if kind == "meetings" and "hs_timestamp" not in checked and "hs_meeting_start_time" in checked:
        checked["hs_timestamp"] = checked["hs_meeting_start_time"]
    missing = [name for name in REQUIRED_ON_CREATE.get(kind, ()) if not checked.get(name)]
    if missing:
        raise problems.missing_required(SINGULAR[kind].upper(), missing)
    return checked


def checked_associations(portal: Portal, kind: str, found: Any) -> list[Target]:
    """The associations of a create. Raises a 400 for a type of another direction or a record that isn't there."""
    if found is None:
        return []
    if not isinstance(found, list):
        raise problems.bad_json('"associations" must be a list')
    targets: list[Target] = []
    for item in found:
        each = fields(item, "to", "types")
        target = str(fields(each.get("to"), "id").get("id", ""))
        targets.extend(association_target(portal, kind, target, fields(chosen)) for chosen in each.get("types") or [])
    return targets


def association_target(portal: Portal, kind: str, target: str, chosen: Mapping[str, Any]) -> Target:
    """One association type applied to one record. Raises a 400 where it doesn't fit."""
    type_id = chosen.get("associationTypeId")
    to_kind = _kind_of(portal, kind, type_id)
    if chosen.get("associationCategory") not in ("HUBSPOT_DEFINED", "USER_DEFINED", "INTEGRATOR_DEFINED"):
        raise problems.bad_json("associationCategory is missing or unknown")
    if to_kind is None:
        raise problems.validation(
            f"One or more associations are not valid: type {type_id} doesn't lead from {SINGULAR[kind].upper()}"
        )
    try:
        portal.get(to_kind, target)
    except KeyError as error:
        raise problems.validation(
            f"No {SINGULAR[to_kind]} with ID {target} exists. Please change the ID of this object, or remove the "
            "association to this object.",
            context={"ids": [target]},
        ) from error
    return to_kind, target, int(str(type_id))


def _kind_of(portal: Portal, kind: str, type_id: Any) -> str | None:
    pair = _TYPE_OF.get(type_id)
    if pair is not None:
        return pair[1] if pair[0] == kind else None
    return next((to for own, to, label in portal.links.labels if own == kind and label == type_id), None)


def create_one(call: Call, kind: str, item: Mapping[str, Any]) -> Record:
    """Check and create one record. Raises 400, or 409 for a contact that exists."""
    values = checked_new(call, kind, item.get("properties"))
    targets = checked_associations(call.portal, kind, item.get("associations"))
    return write_new(call, kind, values, targets)


def write_new(call: Call, kind: str, values: Mapping[str, str], targets: list[Target]) -> Record:
    """Create a record that has been checked. Raises 409."""
    try:
        record_id = call.portal.create(kind, values)
    except EmailTakenError as error:
        raise problems.contact_exists(error.existing) from error
    for to_kind, to_id, type_id in targets:
        call.portal.links.add(kind, record_id, to_kind, to_id, type_id=type_id)
    call.written.append(record_id)
    return call.portal.tables[kind].records[record_id]


def echo(portal: Portal, record: Record, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a write: the values that were sent as they now stand, and the resulting stage of a contact."""
    names = [*changes, "lifecyclestage"] if record.kind == "contacts" else [*changes, "hs_object_id"]
    body = Shape(portal, record.kind, names).show(record)
    body["properties"] = {
        name: value for name, value in body["properties"].items() if value is not None or name in changes
    }
    return body
