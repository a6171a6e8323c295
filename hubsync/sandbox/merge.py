"""Merging two contacts: the survivor keeps its values, takes what it lacks, and answers to the other's id."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from hubsync.sandbox import lifecycle
from hubsync.sandbox.journal import Merged, Write
from hubsync.sandbox.records import Record, Source
from hubsync.sandbox.rollups import DERIVED

if TYPE_CHECKING:
    from hubsync.sandbox.state import Portal

_OWN = frozenset((*DERIVED, "email", "hs_merged_object_ids", "hs_calculated_merged_vids", "associatedcompanyid"))


def merge_contacts(
    portal: Portal,
    primary: str,
    other: str,
    *,
    by: Source | None = None,
    at: datetime | int | None = None,
    new_id: bool = False,
) -> str:
    """Merge `other` into `primary`; answer the survivor's id. With `new_id` both old ids become aliases.

    `by` says who did it (default: the app). The later of the two lifecycle stages is kept.
    Raises KeyError, or ValueError for a contact with itself.
    """
    with portal.lock:
        moment = at if isinstance(at, int) else portal.moment(at)
        one, two = portal.get("contacts", primary), portal.get("contacts", other)
        if one is two:
            raise ValueError("a contact can't be merged with itself")
        kept = one.id
        if new_id:
            one = _renamed(portal, one)
        source = Source("MERGE_OBJECTS", two.id, "Merged contacts")
        wanted = {
            name: value
            for name, value in two.values.items()
            if name not in _OWN and (name not in one.values or name == lifecycle.PROPERTY)
        }
        portal.touch(one, moment)
        _take_over(portal, two, one)
        moved = portal.update("contacts", one.id, wanted, source=source, at=max(moment, one.updated))
        merged = [each for each in one.values.get("hs_merged_object_ids", "").split(";") if each]
        renamed = [primary] if new_id else []
        one.store("hs_merged_object_ids", ";".join([*merged, *renamed, two.id]))
        vids = [each for each in one.values.get("hs_calculated_merged_vids", "").split(";") if each]
        one.store("hs_calculated_merged_vids", ";".join([*vids, f"{two.id}:{moment}"]))
        portal.refresh(one, one.updated)
        portal.journal.write(Write("contacts", one.id, "", two.id, "merged", source, moment))
        portal.journal.tell(Merged(kept, two.id, one.id, len(moved), by or portal.app_source, moment))
        return one.id


def _take_over(portal: Portal, old: Record, new: Record) -> None:
    if portal.emails.get(old.values.get("email", "").lower()) == old.id:
        del portal.emails[old.values["email"].lower()]
    portal.links.move(old, new)
    portal.tables["contacts"].remove(old.id)
    portal.aliases[old.id] = new.id


def _renamed(portal: Portal, old: Record) -> Record:
    """The same contact under a new id, as newer portals do on a merge."""
    table = portal.tables["contacts"]
    record = Record("contacts", table.new_id(), dict(old.values), old.source, old.created)
    record.history, record.updated = old.history, old.updated
    table.add(record)
    _take_over(portal, old, record)
    if email := record.values.get("email"):
        portal.emails[email.lower()] = record.id
    return record
