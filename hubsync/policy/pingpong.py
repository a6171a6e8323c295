"""Ping-pong: two writers who undo one another on one property, A→B→A→B, told from its history alone (design 5).

Whoever they are, hubsync included, hubsync does not join in: nothing here decides what to write, it only says who is
at it, since when, and until when the property is left alone. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hubsync.policy.contact import OurWrite, RawEntry
from hubsync.policy.instants import parse_instant
from hubsync.policy.sentences import A_PERSON, UNKNOWN_SOURCE
from hubsync.policy.timeline import HUBSYNC, PERSON, writer

PAUSE = timedelta(days=7)
"""How long hubsync leaves the property alone after the last turn."""
ANSWER = timedelta(days=14)
"""A turn that comes later than this after the one before answers nothing: longer than PAUSE, so that a rule which
starts anew after each pause is still seen."""
SHORTEST = 4
"""Values in a row, A B A B: the first by anybody, the three that follow by two writers in turn."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote an entry of a history: the kind of writer, and HubSpot's source with its id and label ("" for none)."""

    kind: str
    source: str
    id: str
    label: str = ""

    @property
    def identity(self) -> tuple[str, str]:
        """What tells two writers apart: the person whatever device, hubsync whatever app, else source and id."""
        if self.kind == HUBSYNC:
            return HUBSYNC, ""
        return (PERSON, self.id) if self.kind == PERSON and self.id else (self.source, self.id)

    def named(self, say: Callable[[str], str] = str) -> str:
        """For messages: label and id, so that the workflow or the user can be looked up in HubSpot.

        `say` puts words of policy/sentences.py into the portal's language.
        """
        if self.kind == HUBSYNC:
            return "hubsync"
        what = say(A_PERSON) if self.kind == PERSON else self.label or self.source or say(UNKNOWN_SOURCE)
        details = " ".join(part for part in (self.source, self.id) if part)
        return f"{what} ({details})" if details else what


@dataclass(frozen=True, slots=True)
class Turn:
    """One value that the property took, when, and who set it."""

    value: str
    at: datetime
    writer: Writer


@dataclass(frozen=True, slots=True)
class PingPong:
    """Two writers at odds: the two values, who sets which (`writers[n]` sets `values[n]`), and when each turn came."""

    name: str
    writers: tuple[Writer, Writer]
    values: tuple[str, str]
    times: tuple[datetime, ...]

    @property
    def until(self) -> datetime:
        """The moment from which hubsync may write the property again."""
        return self.times[-1] + PAUSE


def ping_pong(
    name: str,
    entries: Sequence[RawEntry],
    ours: Iterable[OurWrite],
    writers: Mapping[str, str],
    quiet: timedelta,
    now: datetime,
) -> PingPong | None:
    """The latest ping-pong on a property whose last turn is less than `PAUSE` ago; None where there is none.

    `entries` are its history as HubSpot has it, newest first; `ours` what the ledger says hubsync wrote there. Equal
    neighbours are one turn, a value emptied for no longer than `quiet` was never gone (D7).
    """
    if len(entries) < SHORTEST:
        return None
    turns = turns_of(entries, ours, writers, quiet)
    for last in range(len(turns) - 1, SHORTEST - 2, -1):
        if now - turns[last].at >= PAUSE:
            return None
        first = _first(turns, last)
        if last - first >= SHORTEST - 2:
            one, other = turns[last - 1], turns[last]
            times = tuple(turn.at for turn in turns[first : last + 1])
            return PingPong(name, (one.writer, other.writer), (one.value, other.value), times)
    return None


def _first(turns: Sequence[Turn], last: int) -> int:
    """The index of the first of the turns in which the writers of the two last ones answer one another."""
    pair = turns[last - 1], turns[last]
    first = last + 1
    if pair[0].writer.identity == pair[1].writer.identity:
        return first
    while first > 1:
        turn, expected, other = turns[first - 1], pair[(first - last) % 2], pair[(first - last + 1) % 2]
        if (turn.value, turn.writer.identity) != (expected.value, expected.writer.identity):
            break
        if turns[first - 2].value != other.value or (first <= last and turns[first].at - turn.at > ANSWER):
            break
        first -= 1
    return first


def turns_of(
    entries: Sequence[RawEntry], ours: Iterable[OurWrite], writers: Mapping[str, str], quiet: timedelta
) -> list[Turn]:
    """A property's history as turns, oldest first. What hubsync put back (undo, repair) counts as never changed."""
    mine = {(o.value, o.below): o for o in ours if o.by == HUBSYNC}
    turns: list[Turn] = []
    below = ""
    for entry in reversed(entries):
        value, at = str(entry.get("value") or ""), parse_instant(str(entry["timestamp"]))
        own = mine.get((value, below))
        below = str(entry["timestamp"])
        if own is not None and own.restores and any(turn.value == value for turn in turns):
            while turns[-1].value != value:
                turns.pop()
            continue
        if turns and not turns[-1].value and at - turns[-1].at <= quiet:
            turns.pop()
        if not turns or turns[-1].value != value:
            turns.append(Turn(value, at, _writer(entry, writer(entry, writers) if own is None else HUBSYNC)))
    return turns


def _writer(entry: RawEntry, kind: str) -> Writer:
    id_ = str(entry.get("sourceId") or "")
    if kind == PERSON:
        id_ = str(entry.get("updatedByUserId") or id_.removeprefix("userId:"))
    return Writer(kind, str(entry.get("sourceType") or ""), id_, str(entry.get("sourceLabel") or ""))
