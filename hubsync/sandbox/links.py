"""Associations between records, kept on both sides, each with the type ids of its own direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubsync.sandbox.journal import Linked
from hubsync.sandbox.object_properties import ASSOCIATION_TYPES, ENGAGEMENTS, PRIMARY_TYPES
from hubsync.sandbox.records import Record, Source

if TYPE_CHECKING:
    from hubsync.sandbox.state import Portal


class Links:
    """The associations of a portal. Engagements and deals move the derived properties of the contacts they join."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self.labels: dict[tuple[str, str, int], str] = {}
        """(from kind, to kind, type id) → label of a portal's own association types."""

    def define_label(self, kind: str, to_kind: str, type_id: int, label: str) -> None:
        """Define an association label of the portal's own, the same in both directions."""
        self.labels[kind, to_kind, type_id] = label
        self.labels[to_kind, kind, type_id] = label

    def add(
        self,
        kind: str,
        record_id: str,
        to_kind: str,
        to_id: str,
        *,
        type_id: int | None = None,
        at: int | None = None,
        source: Source | None = None,
    ) -> None:
        """Associate two records. Raises KeyError where one is missing or the kinds can't be associated."""
        portal = self._portal
        with portal.lock:
            one, other = portal.get(kind, record_id), portal.get(to_kind, to_id)
            default = ASSOCIATION_TYPES[kind, to_kind]
            there, back = {default}, {ASSOCIATION_TYPES[to_kind, kind]}
            if type_id is not None:
                there.add(type_id)
            if (kind, to_kind, type_id) in self.labels and type_id is not None:
                back.add(type_id)
            first = kind in ("contacts", "deals") and to_kind == "companies" and not one.linked("companies")
            if first or type_id == PRIMARY_TYPES.get((kind, to_kind), -1):
                there.add(PRIMARY_TYPES[kind, to_kind])
                back.add(PRIMARY_TYPES[to_kind, kind])
            new = other.id not in one.linked(to_kind)
            moment = portal.now_ms() if at is None else at
            for this, that, types in ((one, other, there), (other, one, back)):
                self._tell(this, that, self._put(this, that, tuple(sorted(types))), moment, source)
            self._follow(one, other, moment, new=new)

    def remove(self, kind: str, record_id: str, to_kind: str, to_id: str, *, source: Source | None = None) -> None:
        """Take an association away on both sides; nothing happens where there is none."""
        portal = self._portal
        with portal.lock:
            one, other = portal.get(kind, record_id), portal.get(to_kind, to_id)
            moment = portal.now_ms()
            for this, that in ((one, other), (other, one)):
                self._tell(this, that, this.linked(that.kind).pop(that.id, ()), moment, source, removed=True)
            self._follow(one, other, moment, new=False)

    def cut(self, record: Record) -> None:
        """Take away every association of a record that is about to go."""
        for kind, ids in (record.links or {}).items():
            for other in ids:
                found = self._portal.tables[kind].records.get(other)
                if found is not None:
                    found.linked(record.kind).pop(record.id, None)

    def move(self, old: Record, new: Record) -> None:
        """Hand every association of `old` to `new` (merge)."""
        for kind, ids in (old.links or {}).items():
            for other, types in list(ids.items()):
                found = self._portal.tables[kind].records.get(other)
                if found is None:
                    continue
                back = found.linked(old.kind).pop(old.id, ())
                self._put(new, found, types)
                self._put(found, new, back)
        old.links = None

    def targets(self, record: Record, to_kind: str) -> list[tuple[int, tuple[int, ...]]]:
        """Living records of `to_kind` on the other side: (id, type ids), ascending."""
        records = self._portal.tables[to_kind].records
        found = [
            (int(each), types)
            for each, types in record.linked(to_kind).items()
            if each in records and records[each].archived_at is None
        ]
        return sorted(found)

    def _put(self, one: Record, other: Record, types: tuple[int, ...]) -> tuple[int, ...]:
        """Add association types of one direction; answers those that are new."""
        if one.links is None:
            one.links = {}
        held = one.links.setdefault(other.kind, {})
        before = held.get(other.id, ())
        held[other.id] = tuple(dict.fromkeys((*before, *types)))
        return tuple(each for each in types if each not in before)

    def _tell(
        self,
        one: Record,
        other: Record,
        types: tuple[int, ...],
        at: int,
        source: Source | None,
        *,
        removed: bool = False,
    ) -> None:
        portal = self._portal
        if portal.journal.listeners:
            by = source or portal.app_source
            for type_id in types:
                portal.journal.tell(Linked(one.kind, one.id, other.kind, other.id, type_id, removed, by, at))

    def _follow(self, one: Record, other: Record, at: int, *, new: bool) -> None:
        portal = self._portal
        if one.kind != "contacts":
            one, other = other, one
        if one.kind != "contacts":
            return
        if other.kind == "companies":
            primary = [int(each) for each, types in one.linked("companies").items() if 1 in types]
            portal.touch(one, at)
            one.store("associatedcompanyid", str(primary[0]) if primary else "")
            if new:
                portal.sync_company(other, one.id, at)
        elif other.kind == "deals" or other.kind in ENGAGEMENTS:
            portal.touch(one, at)
            portal.refresh(one, at)
            if other.kind == "deals" and new:
                portal.sync_stages(other, at)
