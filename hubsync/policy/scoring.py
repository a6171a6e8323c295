"""Engagement points and the score they come to (playbook P1, A15).

Points are policy data (`scoring:`): each counts once per event, for a window after it or with a half-life. What
happened is read from contact properties and their histories alone. Half-lives are counted in whole days of the portal's
zone, so that a score changes once a day at most by itself; a score is a whole number. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from math import floor, log2

from hubsync.policy import timeline
from hubsync.policy.changes import Cause
from hubsync.policy.contact import RawEntry
from hubsync.policy.data import FORM_DATE, FORM_NAME, Points, Scoring
from hubsync.policy.instants import instant_or_none, milliseconds, parse_instant
from hubsync.policy.timeline import Stay
from hubsync.policy.view import NO_HISTORY, Missing, View, once

DAY = timedelta(days=1)
LEAST = 0.5
"""What is left of points with a half-life is dropped below this."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that earned points: when, how many, and from when on none of them is left."""

    at: datetime
    points: int
    until: datetime


@once
def engagement_score(view: View) -> int | Missing:
    """hubsync's own score, now; 0 where nothing was ever scored."""
    found = _alive(view)
    return found if isinstance(found, Missing) else _total(view, found, view.now)


def score(view: View) -> float | int | Missing:
    """The portal's HubSpot score where one is named and above 0, else hubsync's own (P1)."""
    own = _hubspot_score(view)
    return engagement_score(view) if own is None else own


def score_reached(view: View) -> datetime | Missing | None:
    """Since when the score is at or above the threshold without a break; None where it is below (A15)."""
    scoring = view.policy.data.scoring
    if scoring is None:
        return None
    own = _hubspot_score(view)
    if own is not None:
        return _since_in_history(view, scoring) if own >= scoring.threshold else None
    found = _alive(view)
    if isinstance(found, Missing):
        return found
    if _total(view, found, view.now) < scoring.threshold:
        return None
    reached: datetime | None = None
    for event in found:
        if event.at > view.now or _total(view, found, event.at) < scoring.threshold:
            continue
        if reached is None or _total(view, [e for e in found if e.at < event.at], event.at) < scoring.threshold:
            reached = event.at
    return reached


def score_differs(view: View) -> str | Missing:
    """Whether the score isn't what stands in its property; an empty property counts as 0."""
    scoring = view.policy.data.scoring
    now = engagement_score(view)
    if scoring is None or isinstance(now, Missing):
        return now if isinstance(now, Missing) else "false"
    return "true" if now != (_number(view.properties.get(scoring.target)) or 0) else "false"


def score_changed(view: View) -> Cause | Missing | None:
    """The cause of a new score: the event, the end of one's points, or the day that brought it; None without any."""
    scoring = view.policy.data.scoring
    found = _events(view)
    if scoring is None or isinstance(found, Missing):
        return found if isinstance(found, Missing) else None
    moments = [m for e in found for m in (e.at, e.until) if m <= view.now]
    if scoring.half_life is not None and any(e.until > view.now for e in found):
        moments.append(_midnight(view, view.now))
    if not moments:
        return None
    at = max(moments)
    return Cause("score_changed", at, f"score_changed:{_total(view, found, view.now)}:{milliseconds(at)}")


def reached(view: View) -> Cause | Missing | None:
    """The cause of A15: the moment at which the score reached the threshold."""
    at = score_reached(view)
    return Cause("score_reached", at, f"score_reached:{milliseconds(at)}") if isinstance(at, datetime) else at


@once
def next_change(view: View) -> datetime | None:
    """When the score changes by itself next: an event ahead, the end of a window, or with a half-life the next day."""
    scoring = view.policy.data.scoring
    found = _alive(view)
    if scoring is None or not found or isinstance(found, Missing):
        return None
    moments = [m for e in found for m in (e.at, e.until) if m > view.now]
    if scoring.half_life is not None and any(e.at <= view.now for e in found):
        moments.append(_midnight(view, view.now, 1))
    return min(moments, default=None)


@once
def _alive(view: View) -> list[Event] | Missing:
    """What earned points that are left or still to come, oldest first.

    The histories are only asked if the cheap properties say that something recent happened.
    """
    scoring, get = view.policy.data.scoring, view.properties.get
    for one in scoring.points if scoring is not None else ():
        text = get(one.property or one.date or FORM_DATE)
        if text and scoring is not None and _may_count(view, scoring, one, text):
            break
    else:
        return []
    found = _events(view)
    return found if isinstance(found, Missing) else [e for e in found if e.until > view.now]


def _events(view: View) -> list[Event] | Missing:
    """What ever earned points, oldest first."""
    scoring, history = view.policy.data.scoring, view.contact.history
    if scoring is None:
        return []
    if history is None:
        return NO_HISTORY
    events: dict[tuple[str, datetime], Event] = {}
    for one in scoring.points:
        for at, end in _moments(view, history, one):
            until = _until(view, scoring, one.points, at)
            if end is not None and end < until:
                until = end
            events[one.id, at] = Event(at, one.points, until)
    return sorted(events.values(), key=lambda e: (e.at, e.points))


def _may_count(view: View, scoring: Scoring, one: Points, text: str) -> bool:
    """Whether the property of these points, as it is now, allows that any of them are left."""
    if one.property:
        return _has(text, one.values)
    at = instant_or_none(text)
    return at is not None and _until(view, scoring, one.points, at) > view.now


def _until(view: View, scoring: Scoring, points: int, at: datetime) -> datetime:
    """From when on nothing of the points is left."""
    if scoring.half_life is None:
        return scoring.window.after(at, view.calendar, view.policy.zone) if scoring.window is not None else at
    days = floor(log2(points / LEAST) * (scoring.half_life / DAY)) + 1
    return _midnight(view, at, days)


def _total(view: View, events: Sequence[Event], at: datetime) -> int:
    """The score at a moment."""
    if not events:
        return 0
    scoring = view.policy.data.scoring
    alive = [e for e in events if e.at <= at < e.until]
    if scoring is None or scoring.half_life is None:
        return sum(e.points for e in alive)
    zone, lives = view.policy.zone, scoring.half_life / DAY
    today = at.astimezone(zone).date()
    left: float = sum(e.points * 0.5 ** ((today - e.at.astimezone(zone).date()).days / lives) for e in alive)
    return floor(left + 1e-9)


def _moments(
    view: View, history: Mapping[str, Sequence[RawEntry]], one: Points
) -> Iterator[tuple[datetime, datetime | None]]:
    """When events of this kind happened, as far as history tells, and when that was taken back."""
    if one.property:
        yield from _runs(timeline.timeline(history.get(one.property) or (), (), view.policy.writers, timedelta()), one)
        return
    for entry in history.get(one.date or FORM_DATE) or ():
        at = instant_or_none(entry.get("value"))
        if at is not None and (not one.form or _is_form(history.get(FORM_NAME) or (), entry, one.form)):
            yield at, None


def _runs(stays: Sequence[Stay], one: Points) -> Iterator[tuple[datetime, datetime | None]]:
    """From when until when a property held one of the values."""
    since: datetime | None = None
    for stay in stays:
        if _has(stay.value, one.values):
            since = since or stay.at
        elif since is not None:
            yield since, stay.at
            since = None
    if since is not None:
        yield since, None


def _has(value: str | None, values: frozenset[str]) -> bool:
    """Whether one of the values is there; several checked ones stand behind one another, apart by semicolons."""
    return bool(value) and any(part in values for part in (value or "").split(";"))


def _is_form(names: Sequence[RawEntry], sent: RawEntry, words: tuple[str, ...]) -> bool:
    """Whether the form that stood in the contact's properties when this one was sent is one of these."""
    at = parse_instant(sent["timestamp"])
    name = next((e.get("value") for e in names if parse_instant(e["timestamp"]) <= at), None)
    return any(word in (name or "").casefold() for word in words)


def _since_in_history(view: View, scoring: Scoring) -> datetime | Missing:
    """Since when HubSpot's own score is at or above the threshold without a break."""
    line = view.line(scoring.hubspot_score)
    if isinstance(line, Missing):
        return line
    since = view.created
    for stay in reversed(line):
        if (_number(stay.value) or 0) < scoring.threshold:
            break
        since = stay.at
    return since


def _hubspot_score(view: View) -> float | None:
    """The portal's own score of the contact; None where none is named, or it says nothing (0, empty)."""
    scoring = view.policy.data.scoring
    if scoring is None or not scoring.hubspot_score:
        return None
    return _number(view.properties.get(scoring.hubspot_score)) or None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _midnight(view: View, at: datetime, days: int = 0) -> datetime:
    """The beginning of the moment's day in the portal's zone, or of one so many days later."""
    zone = view.policy.zone
    return datetime.combine(at.astimezone(zone).date() + days * DAY, time(), zone).astimezone(UTC)
