"""What an app's subscriptions make of a happening: events in HubSpot's two shapes (hubspot-api.md 7). Pure.

The legacy shape (`contact.creation`) exists for contacts and deals here; the generic one (`object.creation` with
`objectTypeId`) for engagements too. `contact.privacyDeletion` has no generic shape. Left open by the references and
decided here: an association or merge carries no `objectId`, a creation tells of every value the record began with,
derived values make no event unless asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hubsync.sandbox.journal import Happening, Linked, Merged, Write
from hubsync.sandbox.object_properties import PRIMARY_TYPES, SINGULAR, TYPE_IDS
from hubsync.sandbox.records import CALCULATED, Source

Form = Literal["legacy", "generic", "both"]
TypeKey = Literal["subscriptionType", "eventType"]
Event = dict[str, Any]

LEGACY_KINDS = frozenset(("contacts", "deals"))
_LEGACY_PARTNERS = LEGACY_KINDS | {"companies"}
GENERIC_KINDS = frozenset(("contacts", "deals", "emails", "calls", "meetings", "communications"))
CONTACT_PROPERTIES = ("hs_lead_status", "lifecyclestage", "hubspot_owner_id")
OTHER_PROPERTIES = {
    "deals": frozenset(("dealstage", "pipeline", "closedate", "closed_lost_reason")),
    "emails": frozenset(("hs_email_status", "hs_timestamp")),
    "calls": frozenset(("hs_call_disposition", "hs_timestamp")),
    "meetings": frozenset(("hs_meeting_outcome", "hs_meeting_start_time")),
    "communications": frozenset(("hs_timestamp",)),
}
NEVER_TOLD = frozenset(
    (
        *("num_unique_conversion_events", "hs_lastmodifieddate"),
        *("hs_email_html", "hs_email_subject", "hs_communication_body"),
    )
)
"""Properties that can't be subscribed to."""

LONGEST_VALUE = 4096
_FIRST_SUBSCRIPTION = 7_662_001


@dataclass(frozen=True, slots=True)
class _Fact:
    """One thing that happened to a record of `kind`, without the shape. `property` for propertyChange alone."""

    kind: str
    action: str
    fields: Mapping[str, Any]
    at: int
    source: Source
    property: str = ""
    legacy: bool = True
    """False where the legacy shape has no such event."""
    generic: Mapping[str, Any] | None = None
    """Fields of the generic shape alone (default: the record's `objectTypeId`)."""


class Subscriptions:
    """Which events an app gets. `properties` are those of contacts; `every_property` means all, of every kind.

    `calculated` tells of derived values too. `type_key` is what the guide's sample and real traffic disagree about.
    Raises ValueError for an unknown form or type key.
    """

    def __init__(
        self,
        portal_id: int,
        app_id: str,
        *,
        form: Form = "legacy",
        properties: Collection[str] = CONTACT_PROPERTIES,
        every_property: bool = False,
        calculated: bool = False,
        type_key: TypeKey = "subscriptionType",
    ) -> None:
        if form not in ("legacy", "generic", "both"):
            raise ValueError(f'the form of webhooks is legacy, generic or both, not "{form}"')
        if type_key not in ("subscriptionType", "eventType"):
            raise ValueError(f'an event names its type by subscriptionType or eventType, not "{type_key}"')
        self._common = {"portalId": portal_id, "appId": int(app_id)}
        self._legacy = form in ("legacy", "both")
        self._generic = form in ("generic", "both")
        self._properties = {"contacts": frozenset(properties), **OTHER_PROPERTIES}
        self._every = every_property
        self._calculated = calculated
        self._type_key = type_key
        self._ids: dict[tuple[str, str, str], int] = {}

    def events(self, happening: Happening, values: Mapping[str, str]) -> list[Event]:
        """The events of a happening, without `eventId` and `attemptNumber`. `values`: of a record just created."""
        if not isinstance(happening, Merged) and happening.kind not in GENERIC_KINDS:
            return []
        return [event for fact in _facts(happening, values) if self._asked(fact) for event in self._shaped(fact)]

    def _asked(self, fact: _Fact) -> bool:
        if fact.source is CALCULATED and not self._calculated:
            return False
        if not fact.property:
            return True
        if fact.property in NEVER_TOLD:
            return False
        return self._every or fact.property in self._properties.get(fact.kind, ())

    def _shaped(self, fact: _Fact) -> Iterator[Event]:
        private = fact.action == "privacyDeletion"
        if fact.kind in LEGACY_KINDS and fact.legacy and (self._legacy or private):
            yield self._event(fact, f"{SINGULAR[fact.kind]}.{fact.action}", {})
        if fact.kind in GENERIC_KINDS and self._generic and not private:
            generic = {"objectTypeId": TYPE_IDS[fact.kind]} if fact.generic is None else fact.generic
            sensitive = {"isSensitive": False} if fact.property else {}
            yield self._event(fact, f"object.{fact.action}", {**generic, **sensitive})

    def _event(self, fact: _Fact, name: str, more: Mapping[str, Any]) -> Event:
        key = (name, fact.kind, fact.property)
        subscription = self._ids.setdefault(key, _FIRST_SUBSCRIPTION + len(self._ids))
        source: Event = {"changeSource": fact.source.type}
        if fact.source.id is not None:
            source["sourceId"] = fact.source.id
        return {
            "subscriptionId": subscription,
            **self._common,
            "occurredAt": fact.at,
            self._type_key: name,
            **fact.fields,
            **source,
            **more,
        }


def _facts(happening: Happening, values: Mapping[str, str]) -> Iterator[_Fact]:
    match happening:
        case Write():
            yield from _of_write(happening, values)
        case Linked():
            yield _association(happening)
        case Merged():
            fields = {
                "primaryObjectId": int(happening.primary),
                "mergedObjectIds": [int(happening.other)],
                "newObjectId": int(happening.survivor),
                "numberOfPropertiesMoved": happening.moved,
            }
            yield _Fact("contacts", "merge", fields, happening.at, happening.source)


def _of_write(write: Write, values: Mapping[str, str]) -> Iterator[_Fact]:
    kind, at, source = write.kind, write.at, write.source
    record = {"objectId": int(write.id)}
    if write.property:
        yield _change(write, write.property, write.after)
        return
    match write.after:
        case "created":
            yield _Fact(kind, "creation", {**record, "changeFlag": "CREATED"}, at, source)
            for name, value in values.items():
                yield _change(write, name, value)
        case "deleted" | "purged":
            yield _Fact(kind, "deletion", {**record, "changeFlag": "DELETED"}, at, source)
            if write.after == "purged" and kind == "contacts":
                yield _Fact(kind, "privacyDeletion", record, at, source)
        case "restored":
            yield _Fact(kind, "restore", record, at, source)


def _change(write: Write, name: str, value: str) -> _Fact:
    fields = {"objectId": int(write.id), "propertyName": name, "propertyValue": value[:LONGEST_VALUE]}
    return _Fact(write.kind, "propertyChange", fields, write.at, write.source, name)


def _association(linked: Linked) -> _Fact:
    pair = (linked.kind, linked.to_kind)
    fields = {
        "associationType": f"{SINGULAR[linked.kind]}_TO_{SINGULAR[linked.to_kind]}".upper(),
        "fromObjectId": int(linked.id),
        "toObjectId": int(linked.to_id),
        "associationRemoved": linked.removed,
        "isPrimaryAssociation": PRIMARY_TYPES.get(pair) == linked.type_id,
    }
    generic = {
        "fromObjectTypeId": TYPE_IDS[linked.kind],
        "toObjectTypeId": TYPE_IDS[linked.to_kind],
        "associationTypeId": linked.type_id,
        "associationCategory": "HUBSPOT_DEFINED",
    }
    legacy = linked.to_kind in _LEGACY_PARTNERS
    return _Fact(linked.kind, "associationChange", fields, linked.at, linked.source, legacy=legacy, generic=generic)
