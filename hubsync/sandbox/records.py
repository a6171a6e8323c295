"""One record of the portal (contact, deal, e-mail …) and who changed it. Small on purpose: 200,000 must fit in memory.

A property that was set at creation and never since has no history list: its one entry follows from the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from hubsync.sandbox.times import iso


@dataclass(frozen=True)
class Source:
    """Who changed a value, in the words of HubSpot's history (`sourceType`, `sourceId`, `sourceLabel`, user)."""

    type: str
    id: str | None = None
    label: str | None = None
    user_id: int | None = None

    @cached_property
    def shown(self) -> dict[str, Any]:
        """The source's part of a history entry; absent fields are left out, not null."""
        fields = {"sourceId": self.id, "sourceLabel": self.label, "updatedByUserId": self.user_id}
        return {"sourceType": self.type, **{name: value for name, value in fields.items() if value is not None}}


CALCULATED = Source("CALCULATED")


class Entry(NamedTuple):
    """One entry of a property's history. `at` in milliseconds; an empty `value` is a clearing."""

    value: str
    at: int
    source: Source


class Record:
    """One object. `values` holds set properties only; `links` maps kind → id → association type ids.

    `history` lists entries oldest first, only for properties changed after creation. Changed by `Portal` alone.
    """

    __slots__ = ("archived_at", "created", "history", "id", "kind", "links", "source", "updated", "values")

    def __init__(self, kind: str, record_id: str, values: dict[str, str], source: Source, created: int) -> None:
        self.kind = kind
        self.id = record_id
        self.values = values
        self.history: dict[str, list[Entry]] | None = None
        self.source = source
        self.created = created
        self.updated = created
        self.links: dict[str, dict[str, tuple[int, ...]]] | None = None
        self.archived_at: int | None = None

    @property
    def record(self) -> Record:
        """Itself: a record stands for what the search index knows of it, unless that is stale."""
        return self

    def entries(self, name: str) -> list[Entry]:
        """The history of a stored property, oldest first."""
        if self.history is not None and (entries := self.history.get(name)) is not None:
            return entries
        value = self.values.get(name)
        return [] if value is None else [Entry(value, self.created, self.source)]

    def change(self, name: str, value: str, source: Source, at: int) -> None:
        """Put `value` ("" clears) on top of the history. Raises ValueError if the history holds a later entry."""
        entries = self.entries(name)
        if entries and at < entries[-1].at:
            raise ValueError(
                f"{self.kind} {self.id}: {name} changed at {iso(entries[-1].at)}, after {iso(at)}; "
                "acts on one property come in the order of time"
            )
        if self.history is None:
            self.history = {}
        if name not in self.history:
            self.history[name] = entries
        entries.append(Entry(value, at, source))
        self.store(name, value)

    def store(self, name: str, value: str) -> None:
        """Set a derived value, which keeps no history."""
        if value:
            self.values[name] = value
        else:
            self.values.pop(name, None)

    def linked(self, kind: str) -> dict[str, tuple[int, ...]]:
        """Associations to records of `kind`: id → association type ids."""
        return self.links.get(kind, {}) if self.links else {}


def entry_json(entry: Entry) -> dict[str, Any]:
    """A history entry as `propertiesWithHistory` shows it."""
    value, at, source = entry
    return {"value": value, "timestamp": iso(at), **source.shown}
