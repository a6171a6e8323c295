"""Where our writes lie in a property's history. Positions decide, never clocks (design 5): a write is ours by its
value, by our app, and by the entry that it lies above.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from hubsync.policy.contact import RawEntry
from hubsync.portal.writing import same_value
from hubsync.store.values import Write

INTEGRATION = "INTEGRATION"


def stamp(entries: Sequence[RawEntry], index: int) -> str:
    """The time stamp of an entry as HubSpot wrote it, "" past the oldest."""
    return str(entries[index]["timestamp"]) if index < len(entries) else ""


def value(entry: RawEntry) -> str:
    """An entry's value, "" for empty."""
    return str(entry.get("value") or "")


def find(entries: Sequence[RawEntry], row: Write, app_id: str | None) -> int | None:
    """The index (0 = newest) of the entry that `row` wrote, directly above the one meant or further up.

    None where history shows no such entry, or not the one it was to lie above (a merge rewrites histories).
    """
    bottom = next((n for n in range(len(entries), -1, -1) if stamp(entries, n) == row.below), None)
    if bottom is None:
        return None
    for index in range(bottom - 1, -1, -1):
        if same_value(row.after or "", value(entries[index])) and _may_be_ours(entries, index, row, app_id):
            return index
    return None


def lies_where_meant(entries: Sequence[RawEntry], index: int, row: Write) -> bool:
    """Whether the entry lies directly above the one that was read before the write."""
    return stamp(entries, index + 1) == row.below


def wrote_again(entries: Sequence[RawEntry], row: Write, app_id: str | None) -> bool:
    """Whether the newest entry is our app's and has the value that `row` wrote."""
    newest = entries[0]
    ours = newest.get("sourceType") == INTEGRATION and app_id is not None and str(newest.get("sourceId")) == app_id
    return ours and same_value(row.after or "", value(newest))


def app_behind(entries: Iterable[RawEntry]) -> str | None:
    """The app that wrote most of these entries; None where no app did."""
    counts = Counter(str(e["sourceId"]) for e in entries if e.get("sourceType") == INTEGRATION and e.get("sourceId"))
    return counts.most_common(1)[0][0] if counts else None


def _may_be_ours(entries: Sequence[RawEntry], index: int, row: Write, app_id: str | None) -> bool:
    entry = entries[index]
    if app_id and entry.get("sourceId"):
        return entry.get("sourceType") == INTEGRATION and str(entry["sourceId"]) == app_id
    return lies_where_meant(entries, index, row) or entry.get("sourceType") == INTEGRATION
