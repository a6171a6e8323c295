"""When tasks may be created, and how many (playbook B4, B5, B7): nobody is flooded, and nobody at night.

Pure: tasks wanted go in with what was created already, and out comes which of them may be created now, which wait and
until when, and what is said about those that wait. Property writes never wait. Digest entries and alerts wait for a
burst alone: while the tasks of its contacts are held, nobody is told of them either. What waits is not lost: its rule
still holds when its contact is looked at again.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hubsync.policy.contact import Contact
from hubsync.policy.instants import parse_instant
from hubsync.policy.sentences import BURST_FROM
from hubsync.policy.timeline import AUTOMATION, IMPORT, INTEGRATION, writer
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.policy.worktime import Calendar, Calendars

BURST_WITHIN = timedelta(minutes=10)
BULK_EDIT = "CRM_UI_BULK_ACTION"
"""HubSpot's source of what somebody did to a list at once."""
ENROLMENT = "enrollmentId:"
"""Begins the sourceId of what a workflow wrote: the number of one contact's enrolment, not the workflow's."""
DIGEST = "tasks_over_the_cap"
"""In a rule's place, for the one task that names those who wait."""
CAP, BURST, HOURS, NOBODY = "cap", "burst", "hours", "no owner"
"""Why a task waits."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time in which nothing at all is written (B7): from `since` on, until before `until`."""

    since: datetime
    until: datetime
    says: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast tasks may come: so many an owner and day of the portal, within the owner's business hours."""

    calendars: Calendars
    zone: ZoneInfo
    per_owner: int = 15
    burst: int = 50
    in_hours: bool = True
    owner_teams: Mapping[str, Sequence[str]] = field(default_factory=dict)
    freezes: tuple[Freeze, ...] = ()

    def calendar(self, owner: str | None) -> Calendar:
        """The business hours of an owner: of the first team that keeps its own, else the portal's."""
        return self.calendars.of(self.owner_teams.get(owner or "", ()))

    def frozen(self, now: datetime) -> Freeze | None:
        """The freeze that `now` lies in."""
        return next((f for f in self.freezes if f.since <= now < f.until), None)

    def midnight(self, now: datetime) -> datetime:
        """When the portal's day began."""
        return datetime.combine(now.astimezone(self.zone).date(), time(), self.zone).astimezone(UTC)

    def tomorrow(self, now: datetime, owner: str | None) -> datetime:
        """The owner's first opening on the portal's next day."""
        day = now.astimezone(self.zone).date() + timedelta(days=1)
        begins = datetime.combine(day, time(), self.zone)
        return self.calendar(owner).next_opening(begins) if self.in_hours else begins.astimezone(UTC)


def moment_of(text: str, zone: ZoneInfo, *, end: bool = False) -> datetime:
    """A moment of a freeze: a date (as `end`, the whole day) or a date and time, in the portal's zone if it has none.

    Raises ValueError for anything else.
    """
    if len(text) == len("2026-12-24"):
        day = date.fromisoformat(text) + timedelta(days=1 if end else 0)
        return datetime.combine(day, time(), zone).astimezone(UTC)
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Origin:
    """What brought a contact to where it stands, if that can bring many at once: HubSpot's source and its id."""

    source: str
    label: str
    at: datetime


def origin_of(contact: Contact, writers: Mapping[str, str]) -> Origin | None:
    """The import, list, workflow or app that wrote Lead status or Lifecycle stage last; None where it was none."""
    newest: Origin | None = None
    latest: datetime | None = None
    for name in (STATUS, STAGE):
        entries = (contact.history or {}).get(name) or ()
        ours = {(o.value, o.below) for o in contact.ours if o.property == name}
        for index, entry in enumerate(entries):
            below = str(entries[index + 1]["timestamp"]) if index + 1 < len(entries) else ""
            if (str(entry.get("value") or ""), below) in ours:
                continue
            at = parse_instant(str(entry["timestamp"]))
            if latest is None or at > latest:
                latest, newest = at, _origin(entry, writers, at)
            break
    return newest


def _origin(entry: Mapping[str, object], writers: Mapping[str, str], at: datetime) -> Origin | None:
    source, number = str(entry.get("sourceType") or ""), str(entry.get("sourceId") or "")
    label = str(entry.get("sourceLabel") or "")
    if writer(entry, writers) not in {AUTOMATION, IMPORT, INTEGRATION} and source != BULK_EDIT:
        return None
    if number.startswith(ENROLMENT):  # each contact's own; what they have in common is the workflow's name
        return Origin(f"{source}:{label}" if label else source, "", at)
    return Origin(f"{source}:{number}" if number else source, label, at)


@dataclass(frozen=True, slots=True)
class Wish:
    """A task that a decision asks for, or something to be `told`: an entry of a digest, or an alert.

    `bound` ones come with a change of the same rule, so that they can't wait.
    """

    contact: str
    rule: str
    template: str
    cause: str
    owner: str | None
    due: datetime
    subject: str
    origin: Origin | None = None
    bound: bool = False
    told: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells the task from others."""
        return self.contact, self.rule, self.template, self.cause


@dataclass(frozen=True, slots=True)
class Burst:
    """Many contacts from one source within minutes (B5). `released`: their tasks may be created."""

    id: str
    source: str
    label: str
    first: datetime
    last: datetime
    contacts: tuple[str, ...]
    released: bool = False

    def holds(self, origin: Origin) -> bool:
        """Whether somebody who came from there and then belongs to it."""
        near = self.first - BURST_WITHIN <= origin.at <= self.last + BURST_WITHIN
        return self.source == origin.source and near

    @property
    def says(self) -> str:
        """What it is, for people."""
        return BURST_FROM.format(**self.words)

    @property
    def words(self) -> dict[str, str]:
        """The words of the sentence that says what it is."""
        return {
            "count": f"{len(self.contacts):,}",
            "source": f'{self.source} "{self.label}"' if self.label else self.source,
            "first": f"{self.first:%Y-%m-%d %H:%M}",
            "last": f"{self.last:%H:%M}",
        }


@dataclass(frozen=True, slots=True)
class Held:
    """What waits, why (CAP, BURST, HOURS or NOBODY), and until when; None: until somebody does something."""

    wish: Wish
    why: str
    until: datetime | None = None
    burst: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """What there was before: tasks created today by owner, owners who had their digest, what came from where, bursts.

    `lifted` are rules whose tasks no cap holds back this once.
    """

    created: Mapping[str, int] = field(default_factory=dict)
    digested: frozenset[str] = frozenset()
    arrived: Sequence[tuple[str, datetime, str]] = ()
    """(source, moment, contact) of contacts that got tasks lately."""
    bursts: Sequence[Burst] = ()
    lifted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Allotment:
    """What may be created now, what waits, the bursts known now, and by owner whose tasks go into one digest."""

    granted: frozenset[tuple[str, str, str, str]]
    held: Mapping[tuple[str, str, str, str], Held]
    bursts: tuple[Burst, ...] = ()
    digests: Mapping[str, tuple[Wish, ...]] = field(default_factory=dict)


def allot(pace: Pace, wishes: Sequence[Wish], past: Past, now: datetime) -> Allotment:
    """Decide which tasks may be created now: the earliest due first, as they are the most pressing (B4)."""
    bursts = find_bursts(pace, wishes, past)
    granted: set[tuple[str, str, str, str]] = set()
    held: dict[tuple[str, str, str, str], Held] = {}
    over: defaultdict[str, list[Wish]] = defaultdict(list)
    room = {owner: pace.per_owner - count for owner, count in past.created.items()}
    for wish in sorted(wishes, key=lambda w: (not w.bound, w.due, w.contact, w.rule)):
        why = None if wish.bound else _waits(pace, wish, bursts, now)
        if why is not None:
            held[wish.key] = why
            continue
        if wish.told:
            granted.add(wish.key)
            continue
        owner = wish.owner or ""
        left = room.get(owner, pace.per_owner)
        if left <= 0 and not wish.bound and wish.rule not in past.lifted:
            held[wish.key] = Held(wish, CAP, pace.tomorrow(now, wish.owner))
            over[owner].append(wish)
            continue
        room[owner] = left - 1
        granted.add(wish.key)
    digests = {owner: tuple(some) for owner, some in over.items() if owner not in past.digested}
    return Allotment(frozenset(granted), held, tuple(bursts), digests)


def _waits(pace: Pace, wish: Wish, bursts: Iterable[Burst], now: datetime) -> Held | None:
    """Why something waits whatever else there is to do; None where it doesn't."""
    if wish.origin is not None:
        burst = next((b for b in bursts if b.holds(wish.origin)), None)
        if burst is not None and not burst.released:
            return Held(wish, BURST, burst=burst.id)
    if wish.told:
        return None
    if wish.owner is None:
        return Held(wish, NOBODY)
    if pace.in_hours:
        calendar = pace.calendar(wish.owner)
        if not calendar.is_open(now):
            return Held(wish, HOURS, calendar.next_opening(now))
    return None


def find_bursts(pace: Pace, wishes: Sequence[Wish], past: Past) -> list[Burst]:
    """The bursts known before, with who came in them since, and those that are new: many tasks make one."""
    known = list(past.bursts)
    fresh: defaultdict[str, set[tuple[datetime, str]]] = defaultdict(set)
    labels: dict[str, str] = {}
    came = [(wish, wish.origin) for wish in wishes if wish.origin is not None]
    for wish, origin in came:
        labels[origin.source] = origin.label
        if not (_joins(known, wish, origin) or wish.told):
            fresh[origin.source].add((origin.at, wish.contact))
    for source, at, contact in past.arrived:
        if source in fresh:
            fresh[source].add((at, contact))
    for source, arrivals in fresh.items():
        known += [_burst(source, labels[source], some) for some in _crowds(sorted(arrivals), pace.burst)]
    for wish, origin in came:
        if wish.told:
            _joins(known, wish, origin)
    return known


def _joins(bursts: list[Burst], wish: Wish, origin: Origin) -> bool:
    """Whether the contact came in one of these bursts, to which it is added then."""
    for place, burst in enumerate(bursts):
        if burst.holds(origin):
            contacts = burst.contacts if wish.contact in burst.contacts else (*burst.contacts, wish.contact)
            first, last = min(burst.first, origin.at), max(burst.last, origin.at)
            bursts[place] = replace(burst, first=first, last=last, contacts=contacts)
            return True
    return False


def _crowds(arrivals: Sequence[tuple[datetime, str]], most: int) -> list[list[tuple[datetime, str]]]:
    """Runs of arrivals in which more than `most` came within ten minutes; runs that overlap are one."""
    crowds: list[list[tuple[datetime, str]]] = []
    start, reached = 0, 0
    for end in range(len(arrivals)):
        while arrivals[end][0] - arrivals[start][0] > BURST_WITHIN:
            start += 1
        if end - start + 1 > most:
            if crowds and start < reached:
                crowds[-1] += arrivals[reached : end + 1]
            else:
                crowds.append(list(arrivals[start : end + 1]))
            reached = end + 1
    return crowds


def _burst(source: str, label: str, arrivals: Sequence[tuple[datetime, str]]) -> Burst:
    first, last = arrivals[0][0], arrivals[-1][0]
    mark = hashlib.sha256(f"{source}|{first.isoformat()}".encode()).hexdigest()[:6]
    return Burst(f"burst-{mark}", source, label, first, last, tuple(dict.fromkeys(c for _, c in arrivals)))
