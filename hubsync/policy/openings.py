"""Opening hours laid out in absolute time: the arithmetic under `worktime.Calendar`.

Instants here are whole microseconds since 1970 in UTC, so that sums are exact and a bisection is all a question costs.
Where daylight saving shifts the clock is asked of the zone itself, never guessed. It must not know rules or holidays.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

FIRST_YEAR, LAST_YEAR = 1970, 2100

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
DAY = 86_400 * SECOND
_PROBE = DAY  # no zone has shifted twice within a day since 1970
_EPOCH_ORDINAL = EPOCH.toordinal()

Span = tuple[int, int, int]
"""An open interval: start, end, and the day number (since 1970) of its local date."""


@dataclass(frozen=True, slots=True)
class Table:
    """Open intervals of consecutive years, with running sums. All instants are microseconds since 1970 in UTC.

    Covers every instant of [low, high); beyond it counts as if nothing were open.
    """

    first_year: int
    last_year: int
    low: int
    high: int
    starts: list[int] = field(repr=False)
    ends: list[int] = field(repr=False)
    before: list[int] = field(repr=False)
    """Business time before each interval; one more entry at the end holds the total."""
    day_index: list[int] = field(repr=False)
    """For each interval its place in `days`."""
    days: list[int] = field(repr=False)
    """Day numbers of the open local dates, with the first opening and last closing of each in `opens`, `closes`."""
    opens: list[int] = field(repr=False)
    closes: list[int] = field(repr=False)
    distances: dict[int, int | None] = field(default_factory=dict, repr=False)
    """By place in `days`, what `_distance` found."""

    @classmethod
    def of(cls, first_year: int, last_year: int, spans: list[Span]) -> Table:
        spans = sorted(spans)
        before = [0]
        bounds: dict[int, tuple[int, int]] = {}
        for start, end, day in spans:
            before.append(before[-1] + end - start)
            bounds[day] = (bounds[day][0] if day in bounds else start, end)
        days = sorted(bounds)
        place = {day: index for index, day in enumerate(days)}
        return cls(
            first_year=first_year,
            last_year=last_year,
            low=new_year(first_year) + DAY,
            high=new_year(last_year + 1) - DAY,
            starts=[span[0] for span in spans],
            ends=[span[1] for span in spans],
            before=before,
            day_index=[place[span[2]] for span in spans],
            days=days,
            opens=[bounds[day][0] for day in days],
            closes=[bounds[day][1] for day in days],
        )

    def count(self, at: int) -> int:
        """Business time before `at`."""
        index = bisect_right(self.starts, at) - 1
        if index < 0:
            return 0
        return self.before[index] + min(at, self.ends[index]) - self.starts[index]

    def is_open(self, at: int) -> bool:
        index = bisect_right(self.starts, at) - 1
        return index >= 0 and at < self.ends[index]

    def reach(self, at: int, amount: int) -> int | None:
        """Where so much more (or less) business time has been counted than at `at`; None if not within the table."""
        target = self.count(at) + amount
        if not 0 <= target <= self.before[-1]:
            return None
        # On a border between two intervals, the end of the former going forward, the start of the latter going back.
        index = (bisect_left(self.before, target) if amount > 0 else bisect_right(self.before, target)) - 1
        return self.starts[index] + target - self.before[index] if index < len(self.starts) else None

    def from_opening(self, at: int) -> tuple[int, int | None]:
        """The interval that is open at `at`, or the next one to open, and the first open instant from `at` on."""
        index = max(bisect_right(self.starts, at) - 1, 0)
        if index < len(self.starts) and at >= self.ends[index]:
            index += 1
        return index, max(at, self.starts[index]) if index < len(self.starts) else None

    def from_closing(self, at: int) -> tuple[int, int | None]:
        """The interval that is open at `at`, or the last one that closed, and the latest of its instants until `at`."""
        index = bisect_right(self.starts, at) - 1
        return index, min(at, self.ends[index]) if index >= 0 else None

    def step_days(self, at: int, n: int, zone: tzinfo) -> int | None:
        index, origin = self.from_opening(at) if n > 0 else self.from_closing(at)
        if origin is None:
            return None
        here = self.day_index[index]
        there = here + n
        if not 0 <= there < len(self.days):
            return None
        try:
            before, then = self.distances[here], self.distances[there]
        except KeyError:
            before, then = self._distance(here, zone), self._distance(there, zone)
        if before is not None and then is not None:
            same = origin + (self.days[there] - self.days[here]) * DAY + before - then
            opens, closes = self.opens[there], self.closes[there]
            return opens if same < opens else min(same, closes)
        into_the_day = instant(origin).astimezone(zone).replace(tzinfo=None) - _midnight(self.days[here])
        same_time = (_midnight(self.days[there]) + into_the_day).replace(tzinfo=zone)
        return min(max(micros(same_time), self.opens[there]), self.closes[there])

    def _distance(self, index: int, zone: tzinfo) -> int | None:
        """How far the zone's clocks are from UTC on an open day; None on a day on which they change."""
        if index in self.distances:
            return self.distances[index]
        midnight = self.days[index] * DAY
        around = {_offset(zone, midnight + hours * 3_600 * SECOND) for hours in range(-14, 39)}
        known = self.distances[index] = around.pop() if len(around) == 1 else None
        return known


EMPTY = Table(FIRST_YEAR, FIRST_YEAR - 1, 0, 0, [], [], [0], [], [], [], [])


def lay_out(
    year: int, zone: tzinfo, hours: Sequence[Sequence[tuple[int, int]]], closed: Collection[date]
) -> list[Span]:
    """The open intervals of all local dates of a year; `hours` by weekday as `day_spans` gives them."""
    shut = {day.toordinal() - _EPOCH_ORDINAL for day in closed}
    first_day, end_day = new_year(year) // DAY, new_year(year + 1) // DAY
    spans = []
    for low, high, offset in _offsets(zone, (first_day - 2) * DAY, (end_day + 2) * DAY):
        for day in range(max(first_day, (low + offset) // DAY), min(end_day, (high + offset) // DAY + 1)):
            if day in shut:
                continue
            midnight = day * DAY - offset
            for begins, ends in hours[(day + 3) % 7]:  # 1970-01-01 was a Thursday
                start, end = max(low, midnight + begins), min(high, midnight + ends)
                if start < end:
                    spans.append((start, end, day))
    return spans


def day_spans(weekday: int, hours: Sequence[tuple[time, time]]) -> tuple[tuple[int, int], ...]:
    spans = sorted((_of_day(begins), _of_day(ends) or DAY) for begins, ends in hours)
    if any(begins >= ends for begins, ends in spans):
        raise ValueError(f"hours must end after they begin (weekday {weekday}); split those that pass midnight")
    if any(former[1] > latter[0] for former, latter in pairwise(spans)):
        raise ValueError(f"hours must not overlap (weekday {weekday})")
    return tuple(spans)


def _of_day(wall: time) -> int:
    return (wall.hour * 3_600 + wall.minute * 60 + wall.second) * SECOND + wall.microsecond


def _offsets(zone: tzinfo, low: int, high: int) -> list[tuple[int, int, int]]:
    """The stretches of [low, high) with one distance from UTC each: start, end, distance; all in microseconds."""
    stretches = []
    start, offset = low, _offset(zone, low)
    for probe in range(low + _PROBE, high + _PROBE, _PROBE):
        if (new := _offset(zone, probe)) == offset:
            continue
        same, other = probe - _PROBE, probe
        while other - same > SECOND:
            middle = (same + other) // 2 // SECOND * SECOND
            same, other = (middle, other) if _offset(zone, middle) == offset else (same, middle)
        stretches.append((start, min(other, high), offset))
        start, offset = other, new
    if start < high:
        stretches.append((start, high, offset))
    return stretches


def _offset(zone: tzinfo, at: int) -> int:
    wall = datetime.fromtimestamp(at // SECOND, zone).replace(tzinfo=UTC)
    return micros(wall) - at // SECOND * SECOND


def micros(at: datetime) -> int:
    passed = at - EPOCH
    return (passed.days * 86_400 + passed.seconds) * SECOND + passed.microseconds


def instant(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _midnight(day: int) -> datetime:
    return datetime.combine(date.fromordinal(day + _EPOCH_ORDINAL), time())


def new_year(year: int) -> int:
    return (date(year, 1, 1).toordinal() - _EPOCH_ORDINAL) * DAY


def year_of(at: int) -> int:
    ordinal = min(
        max(at // DAY + _EPOCH_ORDINAL, date(FIRST_YEAR, 1, 1).toordinal()), date(LAST_YEAR, 12, 31).toordinal()
    )
    return date.fromordinal(ordinal).year
