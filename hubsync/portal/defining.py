"""Property definitions: reading one as HubSpot has it, adding to it, taking away what hubsync added.

HubSpot replaces the whole list of options and knows no conditional write, so nothing here is tried again by itself
after a lost answer: whoever asks reads the newest list first (sync/setting_up.py). It decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hubsync.errors import ContactGone, PortalPermanentError, TokenRefused
from hubsync.portal import decoding
from hubsync.portal.answers import Answer, no_answer
from hubsync.portal.asking import Asker
from hubsync.portal.transport import CREATES
from hubsync.portal.values import Definition, NewProperty

SCHEMA_SCOPE = "crm.schemas.contacts.write"
_CONFLICT = 409


def definition(asker: Asker, kind: str, name: str) -> Definition | None:
    """The property as HubSpot has it now, None where there is none."""
    try:
        return asker.ask(asker.transport.properties.get_by_name, kind, name, decode=_definition)
    except ContactGone:
        return None


def _definition(answer: Answer) -> Definition:
    found = decoding.body(answer)
    options = found.get("options") or []
    if not isinstance(options, list) or not all(isinstance(o, dict) and "value" in o for o in options):
        no_answer("a property's options are no list of options")
    metadata = found.get("modificationMetadata") or {}
    return Definition(
        name=decoding.identifier(found["name"]),
        label=str(found.get("label") or ""),
        type=str(found["type"]),
        description=str(found.get("description") or ""),
        options=tuple(options),
        fixed_options=bool(metadata.get("readOnlyOptions")),
    )


def replace_options(asker: Asker, kind: str, name: str, options: Sequence[Mapping[str, Any]]) -> Definition:
    """Make `options` the property's whole list, as HubSpot's JSON has them. Sent once: a 429 alone is tried again."""
    return asker.ask(
        asker.transport.properties.update,
        kind,
        name,
        {"options": [dict(option) for option in options]},
        decode=_definition,
        manner=CREATES,
    )


def create_property(asker: Asker, kind: str, new: NewProperty) -> bool:
    """Create a property; False where one of that name is there already. Sent once: a 429 alone is tried again."""
    body = {
        "name": new.name,
        "label": new.label,
        "type": new.type,
        "fieldType": new.field_type,
        "groupName": new.group,
        "description": new.description,
        "options": [
            {"value": value, "label": label, "displayOrder": order, "hidden": False}
            for order, (value, label) in enumerate(new.options)
        ],
        "formField": False,
    }
    try:
        asker.ask(asker.transport.properties.create, kind, body, decode=_definition, manner=CREATES)
    except PortalPermanentError as error:
        if error.status != _CONFLICT:
            raise
        return False
    return True


def archive_property(asker: Asker, kind: str, name: str) -> bool:
    """Archive a property (HubSpot keeps archived ones for 90 days); False where there is none of that name."""
    try:
        asker.ask(asker.transport.properties.archive, kind, name, decode=lambda _: None, manner=CREATES)
    except ContactGone:
        return False
    return True


def property_groups(asker: Asker, kind: str) -> frozenset[str]:
    """Internal names of the property groups."""

    def decode(answer: Answer) -> frozenset[str]:
        return frozenset(decoding.identifier(item.get("name")) for item in decoding.results(answer))

    return asker.ask(asker.transport.property_groups.get_all, kind, decode=decode)


def create_property_group(asker: Asker, kind: str, name: str, label: str) -> bool:
    """Create a property group behind the others; False where it is there already."""
    body = {"name": name, "label": label, "displayOrder": -1}
    try:
        asker.ask(asker.transport.property_groups.create, kind, body, decode=lambda _: None, manner=CREATES)
    except PortalPermanentError as error:
        if error.status != _CONFLICT:
            raise
        return False
    return True


def missing_scopes(asker: Asker, kind: str) -> tuple[str, ...]:
    """The scopes that the token lacks for changing definitions, none where it may. Asks for nothing to be created.

    Raises TokenRefused for a token that isn't valid at all.
    """
    try:
        asker.ask(asker.transport.property_batches.create, kind, {"inputs": []}, decode=lambda _: None)
    except TokenRefused as error:
        if error.status != 403:
            raise
        return error.scopes or (SCHEMA_SCOPE,)
    except PortalPermanentError:
        return ()  # let in, and refused for an empty batch
    return ()
