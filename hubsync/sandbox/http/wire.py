"""Records as the object API shows them: texts or null, three properties always added, history newest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hubsync.sandbox.object_properties import KINDS, SINGULAR, TYPE_IDS
from hubsync.sandbox.records import CALCULATED, Entry, Record, entry_json
from hubsync.sandbox.rollups import DERIVED
from hubsync.sandbox.state import Portal
from hubsync.sandbox.times import iso

ALWAYS = {
    "contacts": ("createdate", "hs_object_id", "lastmodifieddate"),
    "companies": ("createdate", "hs_lastmodifieddate", "hs_object_id"),
    "deals": ("createdate", "hs_lastmodifieddate", "hs_object_id"),
}
DEFAULTS = {
    "contacts": ("email", "firstname", "lastname"),
    "companies": ("name", "domain"),
    "deals": ("dealname", "amount", "closedate", "pipeline", "dealstage"),
}
_ENGAGEMENT_ALWAYS = ("hs_createdate", "hs_lastmodifieddate", "hs_object_id")
_NO_HISTORY = frozenset((*DERIVED, "hubspot_owner_assigneddate", "hubspot_team_id", "associatedcompanyid"))
_HISTORY_CAP_OTHERS = 20
_CREATED = frozenset(("createdate", "hs_createdate"))
_MODIFIED = frozenset(("lastmodifieddate", "hs_lastmodifieddate"))


class Shape:
    """What a request wants to see of each record; made once, used for every record of the answer."""

    def __init__(
        self,
        portal: Portal,
        kind: str,
        properties: Iterable[str] = (),
        history: Iterable[str] = (),
        associations: Sequence[str] = (),
    ) -> None:
        always = ALWAYS.get(kind, _ENGAGEMENT_ALWAYS)
        defined = portal.schemas.properties[kind]
        virtual = portal.schemas.virtual[kind]
        wanted = dict.fromkeys((*(tuple(properties) or DEFAULTS.get(kind, ())), *always))
        self.portal = portal
        self.kind = kind
        self._names = [name for name in wanted if name in defined]
        self._created = [name for name in self._names if name in _CREATED and name in virtual]
        self._modified = [name for name in self._names if name in _MODIFIED]
        dates = {*self._created, *self._modified}
        self._readers = [(name, virtual[name]) for name in self._names if name in virtual and name not in dates]
        self._history = [name for name in dict.fromkeys(history) if name in defined]
        self._cap = portal.switches.history_cap if kind == "contacts" else _HISTORY_CAP_OTHERS
        self._associations = [KINDS[name] for name in associations if name in KINDS]
        self._url = f"https://{portal.ui_domain}/contacts/{portal.portal_id}/record/{TYPE_IDS[kind]}/"
        self.with_history = bool(self._history)

    def show(
        self, record: Record, values: Mapping[str, str] | None = None, updated: int | None = None
    ) -> dict[str, Any]:
        """The record as JSON. `values` and `updated` stand in for the present ones (what the search index knows)."""
        get = (record.values if values is None else values).get
        properties = {name: get(name) for name in self._names}
        created, changed = iso(record.created), iso(record.updated if updated is None else updated)
        for name in self._created:
            properties[name] = properties[name] or created
        for name in self._modified:
            properties[name] = changed
        for name, reader in self._readers:
            if properties[name] is None:
                properties[name] = reader(record)
        body: dict[str, Any] = {"id": record.id, "properties": properties}
        if self._history:
            body["propertiesWithHistory"] = {name: self._entries(record, name) for name in self._history}
        body["createdAt"] = created
        body["updatedAt"] = changed
        body["archived"] = record.archived_at is not None
        if record.archived_at is not None:
            body["archivedAt"] = iso(record.archived_at)
        if self._associations and record.links:
            body["associations"] = self._linked(record)
        body["url"] = self._url + record.id
        return body

    def _entries(self, record: Record, name: str) -> list[dict[str, Any]]:
        if name in _NO_HISTORY or name not in record.values:
            stored = None if record.history is None else record.history.get(name)
            if stored is None or name in _NO_HISTORY:
                value = self.portal.value(record, name)
                return [] if value is None else [entry_json(Entry(value, record.updated, CALCULATED))]
        entries = record.entries(name)
        return [entry_json(entry) for entry in entries[-self._cap :][::-1]]

    def _linked(self, record: Record) -> dict[str, Any]:
        found = {}
        for kind in self._associations:
            targets = self.portal.links.targets(record, kind)
            if targets:
                label = f"{SINGULAR[self.kind]}_to_{SINGULAR[kind]}"
                found[kind] = {"results": [{"id": str(target), "type": label} for target, _ in targets]}
        return found
