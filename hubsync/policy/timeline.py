"""A property's history as stays: since when a value holds, who set it, what was before (design 4 "Facts", playbook D7).

HubSpot's entries come newest first; equal neighbours are one stay, an empty value that lasted less than the
quiet time is none, and a value that hubsync put back counts as never interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from hubsync.policy.contact import OurWrite, RawEntry
from hubsync.policy.instants import parse_instant
from hubsync.policy.value import value

PERSON, AUTOMATION, IMPORT, INTEGRATION, FORM, HUBSYNC = (
    "person",
    "automation",
    "import",
    "integration",
    "form",
    "hubsync",
)
WRITER_KINDS = (PERSON, AUTOMATION, IMPORT, INTEGRATION, FORM)


@value
class Stay:
    """One stay in a value ("" = empty).

    `at` is the date the change should have had (the cause's, where hubsync wrote it); `written_at` is HubSpot's time
    stamp; `by` is a writer kind or "hubsync".
    """

    value: str
    at: datetime
    by: str
    written_at: datetime


def writer(entry: RawEntry, writers: Mapping[str, str]) -> str:
    """Who wrote an entry: `writers` maps "sourceType:sourceId" or "sourceType" to a kind; unknown is a person."""
    source, id_ = entry.get("sourceType") or "", entry.get("sourceId")
    exact = writers.get(f"{source}:{id_}") if id_ else None
    return exact or writers.get(source, PERSON)


def timeline(
    entries: Sequence[RawEntry], ours: Iterable[OurWrite], writers: Mapping[str, str], quiet: timedelta
) -> list[Stay]:
    """The stays of a property, oldest first; empty where it was never set. `entries` are newest first."""
    mine = {(o.value, o.below): o for o in ours}
    stays: list[Stay] = []
    last = len(entries) - 1
    for index in range(last, -1, -1):
        entry = entries[index]
        value = entry.get("value") or ""
        written = parse_instant(entry["timestamp"])
        own = mine.get((value, entries[index + 1]["timestamp"] if index < last else "")) if mine else None
        if own is not None and own.restores:
            _fold(stays, value, own)
            continue
        by = own.by if own is not None else writer(entry, writers)
        stay = Stay(value, own.effective_at if own is not None and by == HUBSYNC else written, by, written)
        if stays and not stays[-1].value and written - stays[-1].written_at <= quiet:
            stays.pop()
        if not stays or stays[-1].value != value:
            stays.append(stay)
    return stays


def _fold(stays: list[Stay], value: str, own: OurWrite) -> None:
    """Take back everything after the last stay in `value`: what was restored counts as uninterrupted.

    An emptying on the way (a stage is restored in two steps, clear and set) takes nothing back that was there before.
    """
    place = next((n for n in range(len(stays) - 1, -1, -1) if stays[n].value == value), None)
    if place is not None:
        del stays[place + 1 :]
    elif value:
        stays.append(Stay(value, own.effective_at, HUBSYNC, own.written_at))
    elif stays and all(stay.by == HUBSYNC for stay in stays):
        stays.clear()
    else:
        stays.append(Stay("", own.effective_at, HUBSYNC, own.written_at))


def before(stays: Sequence[Stay]) -> Stay | None:
    """The last stay in another value, empty ones passed over."""
    if not stays:
        return None
    now = stays[-1].value
    return next((s for s in reversed(stays[:-1]) if s.value and s.value != now), None)


def last_by_person(stays: Sequence[Stay]) -> datetime | None:
    """When a person last changed the property, by HubSpot's time stamp."""
    return next((s.written_at for s in reversed(stays) if s.by == PERSON), None)


def last_backward(stays: Sequence[Stay], order: Mapping[str, int]) -> datetime | None:
    """When the property last moved backward in `order` (value → position), by anyone; empty values are passed over."""
    latest: datetime | None = None
    top: int | None = None
    for stay in stays:
        position = order.get(stay.value)
        if position is None:
            continue
        if top is not None and position < top:
            latest = stay.written_at
        top = position
    return latest
