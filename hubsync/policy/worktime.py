"""Business time (playbook L2) and durations: how long something took, and when it falls due.

A `Calendar` counts the time that is *open*: an instant is open when the clock on the wall of its zone stands within the
hours of its weekday and its date isn't closed. Hence an hour that daylight saving skips counts nothing and an hour that
it repeats counts twice, as it does for whoever works through it. The opening hours of each year are laid out once as
intervals of absolute time with running sums, so that an answer costs a bisection, however long the interval.

It must not know where zones, hours and holidays come from (rulefiles/calendars.py does), nor what time it is.
Instants are aware datetimes; answers are in UTC. A naive datetime is a TypeError.
Years outside 1970–2100 hold no business time, and what would fall due there falls due at the bound: a mistyped date in
a portal gets an answer and stops nothing.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, cast, get_args
from zoneinfo import ZoneInfo

from hubsync.policy.openings import (
    DAY,
    EMPTY,
    FIRST_YEAR,
    LAST_YEAR,
    Span,
    Table,
    day_spans,
    instant,
    lay_out,
    micros,
    new_year,
    year_of,
)

Hours = Mapping[int, Sequence[tuple[time, time]]]
"""Opening hours by weekday (0 = Monday): wall times from and until; until 00:00 means the end of the day."""

Closed = Collection[date] | Callable[[int], Collection[date]]
"""Dates without business time: all of them, or those of a year (asked once a year, when the year is first needed)."""

REMEMBERED = 50_000
"""Answers a calendar keeps: many rules ask for the same days after the same moment."""


class Calendar:
    """Opening hours in one zone. Immutable to its users, safe to share between threads.

    Raises ValueError for hours that end before they begin, overlap, name no weekday or are nowhere; the zone's own
    error (KeyError, ValueError) for an unknown zone.
    """

    def __init__(self, zone: str, hours: Hours, closed: Closed = frozenset()) -> None:
        self.zone = ZoneInfo(zone)
        self._hours = tuple(day_spans(weekday, hours.get(weekday, ())) for weekday in range(7))
        if unknown := set(hours) - set(range(7)):
            raise ValueError(f"weekdays are 0 (Monday) to 6 (Sunday), not {sorted(unknown)}")
        if not any(self._hours):
            raise ValueError("a calendar needs opening hours on at least one weekday")
        self._closed = closed
        self._years: dict[int, list[Span]] = {}
        self._table: Table = EMPTY
        self._growing = threading.Lock()
        self._days_on: dict[tuple[int, int], datetime] = {}

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """Business time between two instants; negative if `end` comes first, so that sums over a path always agree."""
        start_at, end_at = micros(start), micros(end)
        table = self._covering(start_at)
        if not table.low <= end_at < table.high:
            table = self._grown_to(end_at)
        return timedelta(microseconds=table.count(end_at) - table.count(start_at))

    def after(self, start: datetime, business: timedelta) -> datetime:
        """The first instant by which so much business time has passed: Friday's close, not Monday's opening.

        Negative time goes back: the last instant from which so much has passed until `start`. Zero is `start` itself.
        """
        at, amount = micros(start), business // timedelta(microseconds=1)
        if not amount:
            return instant(at)
        return self._search(at, amount > 0, lambda table: table.reach(at, amount))

    def is_open(self, at: datetime) -> bool:
        """Whether business time runs at this instant; opening counts, closing doesn't."""
        moment = micros(at)
        return self._covering(moment).is_open(moment)

    def next_opening(self, at: datetime) -> datetime:
        """The first open instant from `at` on; `at` itself while open."""
        moment = micros(at)
        return self._search(moment, True, lambda table: table.from_opening(moment)[1])

    def days_after(self, start: datetime, n: int) -> datetime:
        """N business days later: the same time on the wall, N open days on.

        Three business days after Friday 10:00 end on Wednesday at 10:00. Outside the hours it counts from the next
        opening (going back: from the last closing). Where the day reached has other hours, the time is moved into them;
        where daylight saving skips the time, it is later by what is skipped; where it repeats, it is the first.
        """
        at = micros(start)
        if not n:
            return instant(at)
        known = self._days_on.get((at, n))
        if known is None:
            if len(self._days_on) >= REMEMBERED:
                self._days_on.clear()
            table, zone = self._table, self.zone
            there = table.step_days(at, n, zone) if table.low <= at < table.high else None
            known = self._search(at, n > 0, lambda t: t.step_days(at, n, zone)) if there is None else instant(there)
            self._days_on[at, n] = known
        return known

    def days_elapsed(self, start: datetime, end: datetime) -> int:
        """Whole business days between two instants: the largest N whose `days_after(start, N)` isn't past `end`.

        Negative, counted from the earlier to the later, if `end` comes first.
        """
        if end < start:
            return -self.days_elapsed(end, start)
        start_at, end_at = micros(start), micros(end)
        table = self._covering(start_at)
        if not table.low <= end_at < table.high:
            table = self._grown_to(end_at)
        days = bisect_right(table.opens, end_at) - bisect_right(table.opens, start_at)
        while days > 0 and self.days_after(start, days) > end:
            days -= 1
        return max(days, 0)

    def _search(self, at: int, forward: bool, probe: Callable[[Table], int | None]) -> datetime:
        """What `probe` finds, in a table grown year by year until it does; at the bounds, the bound."""
        table = self._covering(at)
        while (found := probe(table)) is None:
            year = table.last_year + 1 if forward else table.first_year - 1
            if not FIRST_YEAR <= year <= LAST_YEAR:
                return instant(max(at, table.high) if forward else min(at, table.low))
            table = self._grown_to(new_year(year) + 2 * DAY)
        return instant(found)

    def _covering(self, at: int) -> Table:
        table = self._table
        return table if table.low <= at < table.high else self._grown_to(at)

    def _grown_to(self, at: int) -> Table:
        """A table that holds `at` (or its nearest bound) and all that the table before it held."""
        if self._table.low <= at < self._table.high:
            return self._table
        # A day's margin: the local date may be of the year before or after the one in UTC.
        first, last = year_of(at - DAY), year_of(at + DAY)
        with self._growing:
            table = self._table
            if table is not EMPTY:
                first, last = min(first, table.first_year), max(last, table.last_year)
            if (first, last) != (table.first_year, table.last_year):
                self._table = Table.of(first, last, [span for y in range(first, last + 1) for span in self._year(y)])
            return self._table

    def _year(self, year: int) -> list[Span]:
        if year not in self._years:
            dates = self._closed(year) if callable(self._closed) else self._closed
            closed = [day for day in dates if day.year == year]
            self._years[year] = lay_out(year, self.zone, self._hours, closed)
        return self._years[year]


@dataclass(frozen=True, slots=True)
class Calendars:
    """The portal's calendar, and those of teams that keep other hours (L2)."""

    general: Calendar
    teams: Mapping[str, Calendar] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, teams: Sequence[str]) -> Calendar:
        """The calendar of the first of these teams that keeps its own, whatever its case, else the general one."""
        if not self.teams or not teams:
            return self.general
        own = {name.casefold(): calendar for name, calendar in self.teams.items()}
        return next((own[t.casefold()] for t in teams if t.casefold() in own), self.general)


Unit = Literal["minute", "hour", "day", "week", "month", "year"]
_LENGTHS: Mapping[str, timedelta] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_BUSINESS_UNITS = ("minute", "hour", "day")
_LONGEST = {"minute": 52_560_000, "hour": 876_000, "day": 36_500, "week": 5_200, "month": 1_200, "year": 100}
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_EXAMPLES = '"2 business hours", "3 business days", "14 days" or "3 months"'


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time as rule files say it; make one with `parse_duration`.

    A day is 24 hours and a week seven days; months and years go by the calendar of the portal's zone, at the same time
    on the wall, and end on the last day of a month that is too short. Business hours and days are a `Calendar`'s.
    `share` is what part of that length is meant, in percent: of the business time in it, where it is business time.
    """

    amount: int
    unit: Unit
    business: bool = False
    share: int = 100

    def after(self, at: datetime, calendar: Calendar, zone: tzinfo) -> datetime:
        """The instant so much later, in UTC."""
        if self.business and self.unit == "day" and self.share == 100:
            return calendar.days_after(at, self.amount)
        return self._part(at, self._moved(at, self.amount, calendar, zone), calendar)

    def before(self, at: datetime, calendar: Calendar, zone: tzinfo) -> datetime:
        """The instant so much earlier, in UTC."""
        return self._part(at, self._moved(at, -self.amount, calendar, zone), calendar)

    @property
    def at_least(self) -> timedelta:
        """So much time passes in any case: a cheap bound, from any moment and by any calendar."""
        if self.business and self.unit == "day":  # a day's hours may be shorter, and clocks may be moved
            return max(self.amount - 2, 0) * _LENGTHS["day"] if self.share == 100 else timedelta()
        length = timedelta(days=27) if self.unit in {"month", "year"} else _LENGTHS[self.unit]
        return self.amount * length * (self.share / 100)

    def has_passed(self, since: datetime, now: datetime, calendar: Calendar, zone: tzinfo) -> bool:
        """Whether so much time lies between `since` and `now`; the very moment counts."""
        return self.after(since, calendar, zone) <= now

    def _part(self, at: datetime, end: datetime, calendar: Calendar) -> datetime:
        """The instant by which the share of what lies between has passed."""
        if self.share == 100:
            return end
        if self.business:
            return calendar.after(at, calendar.elapsed(at, end) * self.share / 100)
        return instant(micros(at)) + (end - at) * self.share / 100

    def _moved(self, at: datetime, amount: int, calendar: Calendar, zone: tzinfo) -> datetime:
        if self.business and self.unit == "day":
            return calendar.days_after(at, amount)
        if self.business:
            return calendar.after(at, amount * _LENGTHS[self.unit])
        utc = at if at.tzinfo is UTC else instant(micros(at))
        try:
            if self.unit in _LENGTHS:
                return utc + amount * _LENGTHS[self.unit]
            return _months_on(utc.astimezone(zone), amount * (12 if self.unit == "year" else 1)).astimezone(UTC)
        except OverflowError:  # beyond the years 1 to 9999
            return _LAST if amount > 0 else _FIRST

    def __str__(self) -> str:
        part = "" if self.share == 100 else f"{self.share}% of "
        return f"{part}{self.amount} {'business ' if self.business else ''}{self.unit}{'' if self.amount == 1 else 's'}"


@lru_cache(maxsize=1_024)
def parse_duration(text: str) -> Duration:
    """The duration that a text such as "2 business hours" says, or "80% of 3 business days".

    ValueError with what to write instead.
    """
    match = re.fullmatch(r"(?:([0-9]{1,3})%\s+of\s+)?([0-9]{1,9})\s+(business\s+)?([a-z]+)", text.strip().lower())
    if match is None:
        raise ValueError(f'"{text}" is not a duration; write for example {_EXAMPLES}')
    amount, business, unit = int(match[2]), match[3] is not None, match[4].removesuffix("s")
    share = 100 if match[1] is None else int(match[1])
    if not 1 <= share <= 100:
        raise ValueError(f'"{text}" is not a duration: a share of one is from 1% to 100%')
    if unit not in get_args(Unit):
        units = ", ".join(f"{known}s" for known in get_args(Unit))
        raise ValueError(f'"{text}" is not a duration: "{match[4]}" is none of {units}')
    if business and unit not in _BUSINESS_UNITS:
        raise ValueError(f'"{text}" is not a duration: business time is counted in minutes, hours or days')
    if amount > _LONGEST[unit]:
        raise ValueError(f'"{text}" is longer than a hundred years')
    return Duration(amount, cast("Unit", unit), business, share)


def hours_and_minutes(length: timedelta) -> str:
    """A length of time as people read it in any of our languages: "2 h 10 min", "25 min", "27 h"."""
    hours, minutes = divmod(int(length.total_seconds() // 60), 60)
    return " ".join(
        part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes or not hours else "") if part
    )


def _months_on(local: datetime, months: int) -> datetime:
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    if not MINYEAR <= year <= MAXYEAR:
        raise OverflowError
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day, fold=0)
