"""Durations: how rule files say them, and when they have passed."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from hubsync.policy.worktime import Calendar, Duration, hours_and_minutes, parse_duration

PARIS = Calendar("Europe/Paris", dict.fromkeys(range(5), ((time(9), time(12)), (time(13), time(17, 30)))))
MINUTE = timedelta(minutes=1)


def wall(zone: str, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("2 business hours", Duration(2, "hour", True)),
        ("3 business days", Duration(3, "day", True)),
        ("14 days", Duration(14, "day")),
        ("1 week", Duration(1, "week")),
        ("3 months", Duration(3, "month")),
        ("15 Minutes", Duration(15, "minute")),
        (" 1  year ", Duration(1, "year")),
        ("0 minutes", Duration(0, "minute")),
        ("80% of 3 business days", Duration(3, "day", True, 80)),
    ],
)
def test_durations_are_read_as_written(text: str, duration: Duration) -> None:
    assert parse_duration(text) == duration
    assert parse_duration(str(duration)) == duration


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("2 busines hours", "is not a duration; write for example"),
        ("", "is not a duration"),
        ("-2 days", "is not a duration"),
        ("1.5 hours", "is not a duration"),
        ("٣ days", "is not a duration"),
        ("2 fortnights", '"fortnights" is none of minutes, hours, days, weeks, months, years'),
        ("2 business weeks", "business time is counted in minutes, hours or days"),
        ("0% of 2 days", "a share of one is from 1% to 100%"),
        ("120% of 2 days", "a share of one is from 1% to 100%"),
        ("101 years", "longer than a hundred years"),
    ],
)
def test_what_is_no_duration_is_refused_with_what_to_write(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "start", "due"),
    [
        ("15 minutes", "2026-11-20T17:20", "2026-11-20T17:35"),
        ("14 days", "2026-11-20T10:00", "2026-12-04T10:00"),
        ("80% of 10 days", "2026-11-20T10:00", "2026-11-28T10:00"),
        ("80% of 2 business hours", "2026-11-20T16:30", "2026-11-23T09:36"),  # over the weekend
        ("80% of 3 business days", "2026-11-20T10:00", "2026-11-24T14:00"),  # 18 of 22.5 hours
        ("50% of 1 business day", "2026-11-21T10:00", "2026-11-23T13:45"),  # begun on a Saturday
        ("1 day", "2026-03-28T10:00", "2026-03-29T11:00"),  # 24 hours, over the spring shift
        ("3 months", "2026-11-30T10:00", "2027-02-28T10:00"),  # the last day of a short month
        ("1 month", "2026-03-10T10:00", "2026-04-10T10:00"),  # the same time on the wall
        ("1 year", "2024-02-29T10:00", "2025-02-28T10:00"),
        ("13 months", "2025-12-31T10:00", "2027-01-31T10:00"),
        ("2 business hours", "2026-11-20T16:30", "2026-11-23T10:00"),
        ("3 business days", "2026-11-20T10:00", "2026-11-25T10:00"),
    ],
)
def test_durations_run_until(text: str, start: str, due: str) -> None:
    duration, since, until = parse_duration(text), wall("Europe/Paris", start), wall("Europe/Paris", due)
    assert duration.after(since, PARIS, PARIS.zone) == until
    assert duration.after(since, PARIS, PARIS.zone).tzinfo is UTC
    assert duration.has_passed(since, until.astimezone(UTC), PARIS, PARIS.zone)
    assert not duration.has_passed(since, until.astimezone(UTC) - MINUTE, PARIS, PARIS.zone)


@pytest.mark.parametrize(
    ("text", "end", "start"),
    [
        ("14 days", "2026-12-04T10:00", "2026-11-20T10:00"),
        ("1 month", "2026-03-31T10:00", "2026-02-28T10:00"),
        ("2 months", "2026-01-15T10:00", "2025-11-15T10:00"),
        ("2 business hours", "2026-11-23T10:00", "2026-11-20T16:30"),
        ("3 business days", "2026-11-25T10:00", "2026-11-20T10:00"),
    ],
)
def test_durations_run_back(text: str, end: str, start: str) -> None:
    assert parse_duration(text).before(wall("Europe/Paris", end), PARIS, PARIS.zone) == wall("Europe/Paris", start)


def test_months_are_those_of_the_portals_zone() -> None:
    # The last of January in Paris, and the first of February already in Auckland.
    at = wall("Europe/Paris", "2026-01-31T20:00")
    assert parse_duration("1 month").after(at, PARIS, PARIS.zone) == wall("Europe/Paris", "2026-02-28T20:00")
    auckland = ZoneInfo("Pacific/Auckland")
    assert parse_duration("1 month").after(at, PARIS, auckland) == wall("Pacific/Auckland", "2026-03-01T08:00")


@pytest.mark.parametrize("unit", ["minute", "hour", "day", "week", "month", "year", "business hour", "business day"])
def test_mistyped_years_get_an_answer(unit: str) -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert parse_duration(f"5 {unit}s").after(last, PARIS, UTC) >= last
    assert parse_duration(f"5 {unit}s").before(first, PARIS, UTC) <= first


@pytest.mark.parametrize("text", ["3 months", "3 days", "3 business days", "0 business hours"])
def test_naive_moments_are_refused(text: str) -> None:
    with pytest.raises(TypeError):
        parse_duration(text).after(datetime(2026, 11, 20, 10), PARIS, UTC)  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    ("length", "text"), [(0, "0 min"), (25.9, "25 min"), (60, "1 h"), (130, "2 h 10 min"), (1650, "27 h 30 min")]
)
def test_a_length_is_told_in_hours_and_minutes(length: float, text: str) -> None:
    assert hours_and_minutes(length * MINUTE) == text
