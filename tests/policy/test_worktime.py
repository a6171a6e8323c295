"""Business time against a count, minute by minute, of when the clock on the wall stands within the hours."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubsync.policy.worktime import Calendar, Calendars, Hours

ZONES = [
    "America/New_York",
    "America/Santiago",  # shifts at midnight
    "America/Havana",  # back to midnight from one o'clock
    "America/Nuuk",  # shifts the evening before, and changed its mind in 2023
    "Europe/Paris",
    "Africa/Cairo",  # shifts at midnight, from 2023 on
    "Africa/Casablanca",  # four shifts in some years, around Ramadan
    "Asia/Beirut",  # shifts at midnight
    "Asia/Tehran",  # half hours from UTC; shifts until 2022
    "Australia/Lord_Howe",  # shifts by half an hour
    "Antarctica/Troll",  # shifts by two hours
    "Pacific/Chatham",  # three quarters of an hour from UTC
]
OFFICE: Hours = dict.fromkeys(range(5), ((time(9), time(12)), (time(13), time(17, 30))))
NIGHT_AND_DAY: Hours = dict.fromkeys(
    range(7),
    ((time(0), time(0, 45)), (time(1, 15), time(2, 20)), (time(2, 40), time(17, 30)), (time(22, 10), time(0))),
)
MINUTE = timedelta(minutes=1)
CALENDARS = {(zone, id(hours)): Calendar(zone, hours) for zone in ZONES for hours in (OFFICE, NIGHT_AND_DAY)}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(zone: str, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def walls(zone: str, start: datetime, minutes: int) -> list[tuple[int, date]]:
    """What the clock on the wall shows at each minute: the minute of the week, and the date."""
    here = ZoneInfo(zone)
    clock = ((start + index * MINUTE).astimezone(here) for index in range(minutes))
    return [(at.weekday() * 1440 + at.hour * 60 + at.minute, at.date()) for at in clock]


def open_minutes(hours: Hours) -> list[bool]:
    """Whether the hours hold each minute of the week."""
    opens = [False] * (7 * 1440)
    for weekday, pairs in hours.items():
        for begins, ends in pairs:
            until = ends.hour * 60 + ends.minute or 1440
            for minute in range(begins.hour * 60 + begins.minute, until):
                opens[weekday * 1440 + minute] = True
    return opens


def counted(clock: list[tuple[int, date]], opens: list[bool], closed: frozenset[date] = frozenset()) -> list[int]:
    """Open minutes before each of the minutes shown, and before the one after them."""
    return list(accumulate((opens[minute] and day not in closed for minute, day in clock), initial=0))


def daylight_saving_weeks(zone: str) -> Iterator[datetime]:
    """The start in UTC of a week around each shift of 2020–2029, which happens in its middle."""
    here, moment = ZoneInfo(zone), utc("2020-01-01T00:00")
    offset = moment.astimezone(here).utcoffset()
    while moment.year < 2030:
        moment += timedelta(hours=4)
        if (new := moment.astimezone(here).utcoffset()) != offset:
            yield moment - timedelta(days=3, hours=12)
            offset = new


@pytest.mark.parametrize("zone", ZONES)
def test_every_minute_of_every_daylight_saving_week_counts_as_the_clock_on_the_wall_says(zone: str) -> None:
    weeks = list(daylight_saving_weeks(zone))
    assert len(weeks) >= 5  # a zone without shifts would prove nothing
    elapsed, opens = CALENDARS[zone, id(NIGHT_AND_DAY)].elapsed, open_minutes(NIGHT_AND_DAY)
    week, day = 7 * 1440, 1440
    # Counted at every minute; compared at every minute of the day around the shift, each half hour elsewhere.
    compared = [*range(0, 3 * day, 30), *range(3 * day, 4 * day), *range(4 * day, week + 1, 30)]
    for start in weeks:
        minutes = counted(walls(zone, start, week), opens)
        assert [elapsed(start, start + n * MINUTE) // MINUTE for n in compared] == [minutes[n] for n in compared]


@st.composite
def opening_hours(draw: st.DrawFn) -> Hours:
    hours = {}
    for day in draw(st.sets(st.integers(0, 6), min_size=1)):
        edges = sorted(draw(st.sets(st.integers(0, 1440), min_size=2, max_size=6)))
        pairs = list(zip(edges[::2], edges[1::2], strict=False))
        hours[day] = tuple((time(a // 60, a % 60), time(b // 60 % 24, b % 60)) for a, b in pairs)
    return hours


MINUTES_OF_TEN_YEARS = 10 * 365 * 24 * 60
moments = st.integers(0, MINUTES_OF_TEN_YEARS).map(lambda minutes: utc("2020-01-01T00:00") + minutes * MINUTE)
exact_moments = st.integers(0, MINUTES_OF_TEN_YEARS * 60_000_000).map(
    lambda micros: utc("2020-01-01T00:00") + timedelta(microseconds=micros)
)
calendars = st.builds(
    lambda zone, hours: CALENDARS[zone, id(hours)], st.sampled_from(ZONES), st.sampled_from([OFFICE, NIGHT_AND_DAY])
)


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(ZONES), opening_hours(), moments, st.integers(0, 10 * 1440), st.sets(st.integers(0, 10), max_size=4)
)
def test_any_interval_of_any_calendar_counts_as_the_clock_on_the_wall_says(
    zone: str, hours: Hours, start: datetime, minutes: int, closed_after: set[int]
) -> None:
    closed = frozenset((start + timedelta(days=days)).date() for days in closed_after)
    clock = walls(zone, start, minutes)
    calendar = Calendar(zone, hours, closed)
    assert calendar.elapsed(start, start + minutes * MINUTE) == counted(clock, open_minutes(hours), closed)[-1] * MINUTE


@settings(max_examples=150, deadline=None)
@given(calendars, exact_moments, exact_moments, exact_moments)
def test_business_time_over_a_path_is_the_sum_of_its_parts(
    calendar: Calendar, a: datetime, b: datetime, c: datetime
) -> None:
    assert calendar.elapsed(a, b) + calendar.elapsed(b, c) == calendar.elapsed(a, c)
    assert calendar.elapsed(b, a) == -calendar.elapsed(a, b)


@settings(max_examples=150, deadline=None)
@given(calendars, exact_moments, st.timedeltas(timedelta(microseconds=1), timedelta(days=300)))
def test_after_is_the_first_instant_by_which_so_much_has_passed(
    calendar: Calendar, start: datetime, business: timedelta
) -> None:
    due = calendar.after(start, business)
    moment = timedelta(microseconds=1)
    assert calendar.elapsed(start, due) == business
    assert calendar.elapsed(start, due - moment) == business - moment
    since = calendar.after(start, -business)
    assert calendar.elapsed(since, start) == business
    assert calendar.elapsed(since + moment, start) == business - moment


@settings(max_examples=150, deadline=None)
@given(calendars, exact_moments, st.integers(1, 200))
def test_business_days_fall_on_the_nth_open_date_and_never_outside_its_hours(
    calendar: Calendar, start: datetime, n: int
) -> None:
    first = calendar.next_opening(start).astimezone(calendar.zone).date()
    due = calendar.days_after(start, n)
    # A closing at midnight stands on the next date's clock.
    due_date = (due - timedelta(microseconds=1)).astimezone(calendar.zone).date()
    if due.astimezone(calendar.zone).time() != time(0) or calendar.is_open(due):
        due_date = due.astimezone(calendar.zone).date()
    on_weekends = calendar.is_open(utc("2026-11-22T11:00").replace(tzinfo=calendar.zone))
    dates = (first + timedelta(days=k) for k in range(1, 2 * n + 5))
    assert due_date == [day for day in dates if on_weekends or day.weekday() < 5][n - 1]
    assert calendar.days_elapsed(start, due) == n
    assert calendar.days_elapsed(start, due - timedelta(microseconds=1)) == n - 1


PARIS = Calendar("Europe/Paris", OFFICE, frozenset({date(2026, 12, 25)}))


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-11-20T10:00", 3, "2026-11-25T10:00"),  # Friday to Wednesday
        ("2026-11-20T17:30", 1, "2026-11-24T09:00"),  # closed: counts from Monday's opening
        ("2026-11-21T15:00", 1, "2026-11-24T09:00"),
        ("2026-11-20T12:30", 1, "2026-11-23T13:00"),  # the lunch break: from one o'clock
        ("2026-12-24T16:00", 1, "2026-12-28T16:00"),  # over Christmas and a weekend
        ("2026-03-27T10:00", 1, "2026-03-30T10:00"),  # the same time on the wall over the spring shift
        ("2026-11-20T10:00", 0, "2026-11-20T10:00"),
        ("2026-11-25T10:00", -3, "2026-11-20T10:00"),
        ("2026-11-23T08:00", -1, "2026-11-19T17:30"),  # back from Friday's closing
        ("2026-12-30T10:00", 2, "2027-01-01T10:00"),  # into a year not yet laid out
    ],
)
def test_business_days_keep_the_time_on_the_wall(start: str, days: int, due: str) -> None:
    assert PARIS.days_after(wall("Europe/Paris", start), days) == wall("Europe/Paris", due)


def test_a_business_day_that_ends_on_a_shorter_day_ends_at_its_close() -> None:
    calendar = Calendar("UTC", {3: [(time(9), time(18))], 4: [(time(10), time(15))]})
    assert calendar.days_after(utc("2026-11-19T16:00"), 1) == utc("2026-11-20T15:00")
    assert calendar.days_after(utc("2026-11-19T09:30"), 1) == utc("2026-11-20T10:00")


def test_a_business_day_that_ends_in_a_skipped_hour_ends_an_hour_later() -> None:
    calendar = Calendar("Europe/Paris", NIGHT_AND_DAY)
    assert calendar.days_after(wall("Europe/Paris", "2026-03-28T02:10"), 1) == wall("Europe/Paris", "2026-03-29T03:10")


def test_a_business_day_at_a_midnight_closing_ends_at_the_next_midnight_closing() -> None:
    calendar = Calendar("Europe/Paris", {day: [(time(20), time(0))] for day in range(7)})
    assert calendar.days_after(wall("Europe/Paris", "2026-11-21T00:00"), -1) == wall("Europe/Paris", "2026-11-20T00:00")


def test_whole_business_days_are_counted_between_two_instants_both_ways() -> None:
    friday, wednesday = wall("Europe/Paris", "2026-11-20T10:00"), wall("Europe/Paris", "2026-11-25T10:00")
    assert PARIS.days_elapsed(friday, wednesday) == 3
    assert PARIS.days_elapsed(friday, wednesday - MINUTE) == 2
    assert PARIS.days_elapsed(wednesday, friday) == -3
    assert PARIS.days_elapsed(friday, friday) == 0
    assert PARIS.days_elapsed(wall("Europe/Paris", "2026-11-21T10:00"), wall("Europe/Paris", "2026-11-23T17:00")) == 0


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-11-20T15:30", 2, "2026-11-20T17:30"),  # Friday's close, not Monday's opening
        ("2026-11-20T16:30", 2, "2026-11-23T10:00"),
        ("2026-11-20T20:00", 2, "2026-11-23T11:00"),
        ("2026-11-20T11:30", 1, "2026-11-20T13:30"),  # over lunch
        ("2026-11-23T10:00", -2, "2026-11-20T16:30"),
        ("2026-11-20T20:00", 0, "2026-11-20T20:00"),
    ],
)
def test_business_hours_run_while_the_office_is_open(start: str, hours: int, due: str) -> None:
    assert PARIS.after(wall("Europe/Paris", start), timedelta(hours=hours)) == wall("Europe/Paris", due)


def test_opening_is_open_and_closing_is_not() -> None:
    opening, closing = wall("Europe/Paris", "2026-11-20T09:00"), wall("Europe/Paris", "2026-11-20T17:30")
    assert [PARIS.is_open(at) for at in (opening, opening - MINUTE, closing, closing - MINUTE)] == [
        True,
        False,
        False,
        True,
    ]
    assert not PARIS.is_open(wall("Europe/Paris", "2026-12-25T10:00"))
    assert PARIS.next_opening(closing) == wall("Europe/Paris", "2026-11-23T09:00")
    assert PARIS.next_opening(opening) == opening


def test_answers_are_in_utc() -> None:
    friday = wall("Europe/Paris", "2026-11-20T10:00")
    answers = [PARIS.after(friday, timedelta(0)), PARIS.after(friday, timedelta(1)), PARIS.days_after(friday, 0)]
    assert {at.tzinfo for at in [*answers, PARIS.days_after(friday, 1), PARIS.next_opening(friday)]} == {UTC}


def test_an_hour_that_happens_twice_counts_twice_and_one_that_never_does_counts_nothing() -> None:
    nights = Calendar("Europe/Paris", {6: [(time(0), time(6))]})
    autumn = wall("Europe/Paris", "2026-10-25T00:00"), wall("Europe/Paris", "2026-10-26T00:00")
    spring = wall("Europe/Paris", "2026-03-29T00:00"), wall("Europe/Paris", "2026-03-30T00:00")
    assert nights.elapsed(*(at.astimezone(UTC) for at in autumn)) == timedelta(hours=7)
    assert nights.elapsed(*(at.astimezone(UTC) for at in spring)) == timedelta(hours=5)


def test_a_date_that_a_zone_skips_is_no_business_day() -> None:
    calendar = Calendar("Pacific/Apia", OFFICE)  # went from Thursday 29 to Saturday 31 December 2011
    thursday = wall("Pacific/Apia", "2011-12-29T10:00")
    assert calendar.days_after(thursday, 1) == wall("Pacific/Apia", "2012-01-02T10:00")


def test_closed_dates_can_be_asked_for_a_year_at_a_time() -> None:
    asked = []

    def closed(year: int) -> set[date]:
        asked.append(year)
        return {date(year, 12, 25)}

    calendar = Calendar("UTC", OFFICE, closed)
    assert asked == []
    assert calendar.elapsed(utc("2026-12-24T13:00"), utc("2026-12-28T09:30")) == timedelta(hours=5)
    assert calendar.elapsed(utc("2026-12-24T17:00"), utc("2026-12-25T17:00")) == timedelta(minutes=30)
    assert asked == [2026]


@pytest.mark.parametrize(
    ("zone", "start"), [("America/New_York", "2026-01-01T01:00"), ("Pacific/Auckland", "2026-12-31T14:00")]
)
def test_hours_of_the_neighbouring_year_count_where_its_date_is_still_or_already_on_the_wall(
    zone: str, start: str
) -> None:
    calendar = Calendar(zone, dict.fromkeys(range(7), ((time(0), time(0)),)))
    assert calendar.is_open(utc("2026-06-15T12:00"))  # lays out the year itself, before its edge is asked for
    assert calendar.elapsed(utc(start), utc(start) + timedelta(hours=3)) == timedelta(hours=3)


def test_mistyped_years_get_an_answer() -> None:
    first, last, now = utc("0001-01-01T00:00"), utc("9999-12-31T23:59"), utc("2026-11-20T10:00")
    assert PARIS.elapsed(first, last) == PARIS.elapsed(utc("1970-01-01T00:00"), utc("2101-01-01T00:00"))
    assert PARIS.after(last, timedelta(days=1)) >= last
    assert PARIS.days_after(last, 2) >= last
    assert PARIS.after(first, -timedelta(days=1)) == first
    assert PARIS.after(now, timedelta(days=36_500)) > utc("2100-12-01T00:00")


@pytest.mark.parametrize(
    ("hours", "fault"),
    [
        ({0: [(time(17), time(9))]}, "end after they begin"),
        ({0: [(time(9), time(9))]}, "end after they begin"),
        ({0: [(time(9), time(13)), (time(12), time(17))]}, "overlap"),
        ({7: [(time(9), time(13))]}, r"not \[7\]"),
        ({}, "at least one weekday"),
        ({0: []}, "at least one weekday"),
    ],
)
def test_hours_that_cannot_be_are_refused(hours: Hours, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Calendar("UTC", hours)


def test_naive_moments_are_refused() -> None:
    naive = datetime(2026, 11, 20, 10)  # noqa: DTZ001 - that is the point
    for ask in (
        lambda: PARIS.is_open(naive),
        lambda: PARIS.elapsed(naive, naive),
        lambda: PARIS.after(naive, timedelta(0)),
        lambda: PARIS.days_elapsed(naive, naive),
    ):
        with pytest.raises(TypeError):
            ask()


def test_a_team_without_a_calendar_of_its_own_keeps_the_general_one() -> None:
    tokyo = Calendar("Asia/Tokyo", OFFICE)
    both = Calendars(PARIS, {"tokyo": tokyo})
    assert [both.of(teams) for teams in (("berlin", "Tokyo"), ("berlin",), ())] == [tokyo, PARIS, PARIS]
