"""Property definitions and the check of one value against its definition. It must not know records."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from hubsync.sandbox.times import iso, parse_day, parse_ms


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of an enumeration; `value` is the internal name, `order` its displayOrder."""

    value: str
    label: str
    order: int
    hidden: bool = False
    description: str = ""

    def to_json(self) -> dict[str, Any]:
        """The option as the properties API shows it."""
        return {
            "label": self.label,
            "value": self.value,
            "displayOrder": self.order,
            "hidden": self.hidden,
            "description": self.description,
        }


@dataclass(frozen=True, slots=True)
class Property:
    """A property definition. `type` is string, number, bool, enumeration, date or datetime."""

    name: str
    label: str
    type: str = "string"
    field_type: str = "text"
    group: str = "contactinformation"
    options: tuple[Option, ...] = ()
    description: str = ""
    read_only: bool = False
    calculated: bool = False
    hidden: bool = False
    shipped: bool = True
    referenced: str | None = None
    open_options: bool = False
    """Values aren't checked against the options (HubSpot fills them from elsewhere)."""

    def with_options(self, options: tuple[Option, ...]) -> Property:
        """The same property with another list of options."""
        return replace(self, options=options)

    def to_json(self) -> dict[str, Any]:
        """The definition as the properties API shows it."""
        body: dict[str, Any] = {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "description": self.description,
            "groupName": self.group,
            "options": [option.to_json() for option in self.options],
            "displayOrder": -1,
            "calculated": self.calculated,
            "externalOptions": self.referenced is not None,
            "archived": False,
            "hasUniqueValue": False,
            "hidden": self.hidden,
            "hubspotDefined": self.shipped,
            "modificationMetadata": {
                "archivable": not self.shipped,
                "readOnlyDefinition": self.shipped,
                "readOnlyValue": self.read_only,
                "readOnlyOptions": self.read_only,
            },
            "formField": not self.read_only,
        }
        if self.referenced:
            body["referencedObjectType"] = self.referenced
        return body


@dataclass(frozen=True, slots=True)
class ConditionalRule:
    """A validation rule of the portal's admin: where `when` has one of `values`, `needs` must be set.

    Enforced on writes through dated paths from 2026-09 on, not through v3 (hubspot-api.md 0).
    """

    when: str
    values: tuple[str, ...]
    needs: str


class InvalidValueError(ValueError):
    """A value that its property refuses; `code` is HubSpot's word for the fault."""

    def __init__(self, name: str, value: str, code: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.value = value
        self.code = code


def normalised(prop: Property, value: str) -> str:
    """`value` as the portal stores it. Raises InvalidValueError in HubSpot's words; "" (clear) is always fine."""
    if value == "":
        return ""
    match prop.type:
        case "enumeration" | "bool":
            return _choice(prop, value)
        case "number":
            return _number(prop, value)
        case "datetime":
            return _moment(prop, value)
        case "date":
            return _calendar_day(prop, value)
        case _:
            return value


def _choice(prop: Property, value: str) -> str:
    if prop.type == "bool" and value.lower() in ("true", "false"):
        return value.lower()
    if prop.open_options:
        return value
    allowed = [option.value for option in prop.options]
    chosen = value.split(";") if prop.field_type == "checkbox" else [value]
    for each in chosen:
        if each not in allowed:
            shown = ", ".join(f'label: "{o.label}" value: "{o.value}"' for o in prop.options)
            raise InvalidValueError(
                prop.name, value, "INVALID_OPTION", f"{each} was not one of the allowed options: [{shown}]"
            )
    return value


def _number(prop: Property, value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in value:
        raise InvalidValueError(prop.name, value, "INVALID_INTEGER", f"{value} was not a valid number.")
    return value


def _moment(prop: Property, value: str) -> str:
    try:
        return iso(parse_ms(value))
    except (ValueError, OverflowError) as error:
        raise InvalidValueError(prop.name, value, "INVALID_LONG", f"{value} was not a valid long.") from error


def _calendar_day(prop: Property, value: str) -> str:
    try:
        return parse_day(value)
    except (ValueError, OverflowError) as error:
        raise InvalidValueError(prop.name, value, "INVALID_DATE", f"{value} was not a valid date.") from error
