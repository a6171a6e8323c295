"""Business time as portal.yaml describes it."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hubsync.policy.worktime import Calendar, Calendars
from hubsync.rulefiles.calendars import build_calendars
from hubsync.rulefiles.lines import compose

WORK_HOURS = """\
work_hours:
  zone: portal
  hours:
    mon-thu: 09:00-12:00, 13:00-17:30
    fri: 09:00-16:00
  holidays: {country: FR}
  closed: [2026-12-24]
  teams:
    berlin: {zone: Europe/Berlin, holidays: {country: DE, region: BE}}
    night: {hours: {"sat, sun": "22:00-24:00"}, closed: []}
"""


def built(text: str, portal_zone: str = "Europe/Paris") -> Calendars:
    calendars, problems = build_calendars(compose(text, "portal.yaml"), ("work_hours",), portal_zone)
    assert problems == []
    assert calendars is not None
    return calendars


def hours_on(calendar: Calendar, day: str) -> timedelta:
    midnight = datetime.fromisoformat(day).replace(tzinfo=calendar.zone)
    return calendar.elapsed(midnight, midnight + timedelta(days=1))


def test_hours_are_kept_by_weekday() -> None:
    general = built(WORK_HOURS).general
    week = [hours_on(general, f"2026-11-{day}") for day in range(16, 23)]
    assert week == [timedelta(hours=7.5)] * 4 + [timedelta(hours=7)] + [timedelta(0)] * 2


@pytest.mark.parametrize(
    ("day", "name"),
    [
        ("2026-07-14", "the national day"),
        ("2026-05-25", "Whit Monday, which moves with Easter"),
        ("2026-12-24", "a day closed besides"),
        ("2014-07-14", "long ago"),
        ("2042-07-14", "far ahead"),
    ],
)
def test_public_holidays_and_closed_days_hold_no_business_time(day: str, name: str) -> None:
    assert hours_on(built(WORK_HOURS).general, day) == timedelta(0), name


def test_a_day_that_stands_in_for_a_holiday_on_a_weekend_is_closed() -> None:
    american = built("work_hours: {holidays: {country: US}}", "US/Eastern").general
    assert hours_on(american, "2021-12-31") == timedelta(0)  # for New Year's Day of 2022, a Saturday
    assert hours_on(american, "2021-12-30") == timedelta(hours=8.5)


def test_a_region_has_holidays_of_its_own() -> None:
    def august_15(region: str) -> timedelta:
        section = f"work_hours: {{holidays: {{country: DE, region: {region}}}}}"
        return hours_on(built(section).general, "2025-08-15")

    assert (august_15("SL"), august_15("BE")) == (timedelta(0), timedelta(hours=8.5))


def test_a_team_keeps_what_it_does_not_say_otherwise() -> None:
    calendars = built(WORK_HOURS)
    berlin, night = calendars.of(("berlin",)), calendars.of(("night",))
    assert berlin.zone == ZoneInfo("Europe/Berlin")
    assert hours_on(berlin, "2026-07-14") == timedelta(hours=7.5)  # a holiday in France alone
    assert hours_on(berlin, "2027-03-08") == timedelta(0)  # Women's Day, a holiday in Berlin alone
    assert hours_on(berlin, "2026-12-24") == timedelta(0)  # closed for all
    assert night.zone == ZoneInfo("Europe/Paris")
    assert [hours_on(night, f"2026-11-{day}") for day in (20, 21, 22)] == [timedelta(hours=n) for n in (0, 2, 2)]
    assert calendars.of(("sales",)) is calendars.general


def test_without_the_section_it_is_nine_to_half_past_five_in_the_portals_zone() -> None:
    calendar = built("scope: {}", "America/New_York").general
    assert calendar.zone == ZoneInfo("America/New_York")
    opening = datetime(2026, 11, 20, 9, tzinfo=calendar.zone)
    assert calendar.next_opening(opening - timedelta(hours=3)) == opening
    assert calendar.after(opening, timedelta(hours=8.5)) == opening + timedelta(hours=8.5)
    assert hours_on(calendar, "2026-11-21") == timedelta(0)


def test_holidays_are_asked_for_when_their_year_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def public_holidays(country: str, region: str | None, year: int) -> frozenset[date]:
        asked.append((country, region, year))
        return frozenset()

    monkeypatch.setattr("hubsync.rulefiles.calendars._public_holidays", public_holidays)
    general = built(WORK_HOURS).general
    assert asked == []
    hours_on(general, "2026-07-14")
    hours_on(general, "2026-07-15")
    assert asked == [("FR", None, 2026)]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("zone: Europe/Pariss", '2:9: zone: "Europe/Pariss" is not a time zone; did you mean "Europe/Paris"?'),
        ("zone: europe/paris", '2:9: zone: "europe/paris" is not a time zone; did you mean "Europe/Paris"?'),
        ("zone: ../etc", '2:9: zone: "../etc" is not a time zone; write "portal" or a name such as Europe/Paris'),
        ("zone:", '2:8: zone: "" is not a time zone; write "portal" or a name such as Europe/Paris'),
        ("zones: UTC", '2:3: unknown key "zones"; did you mean "zone"?'),
        ("hours: {mon-fry: 09:00-12:00}", '2:11: "fry" is not a weekday; did you mean "fri"?'),
        (
            "hours: {daily: 09:00-12:00}",
            '2:11: "daily" is not a weekday; they are mon, tue, wed, thu, fri, sat, sun, and spans such as mon-fri',
        ),
        (
            "hours: {fri-mon: 09:00-12:00}",
            '2:11: "fri-mon" is not a span of weekdays; write from-to within one week, such as mon-fri',
        ),
        ("hours: {mon-fri: 09:00-12:00, tue: 13:00-14:00}", "2:10: hours: tue given twice"),
        ("hours: {}", "2:10: hours: at least one weekday needs hours"),
        (
            "hours: {mon: 9-12}",
            '2:16: mon: "9-12" are not hours; write them as 09:00-17:30, several with commas between',
        ),
        (
            "hours: {mon: 09:00-24:30}",
            '2:16: mon: "09:00-24:30" are not hours; write them as 09:00-17:30, several with commas between',
        ),
        (
            "hours: {mon: 22:00-06:00}",
            '2:16: mon: "22:00-06:00" ends before it begins; hours that pass midnight belong to two days',
        ),
        ('hours: {mon: "09:00-13:00, 12:00-14:00"}', '2:16: mon: "09:00-13:00, 12:00-14:00" names an hour twice'),
        ("hours: {mon: [a]}", "2:16: mon: hours are written as 09:00-12:00, 13:00-17:30"),
        ("holidays: {country: fr}", '2:23: country: no public holidays are known for "fr"; did you mean "FR"?'),
        (
            "holidays: {country: Zz, region: x}",
            '2:23: country: no public holidays are known for "Zz"; write its ISO code, such as FR',
        ),
        ("holidays: {country: GB, region: SCO}", '2:35: region: "SCO" is not a region of GB; did you mean "SCT"?'),
        ("holidays: {country: GB, region: X}", '2:35: region: "X" is not a region of GB; it has ENG, NIR, SCT, WLS'),
        ("holidays: {region: X}", '2:13: "country" is missing'),
        ("closed: [20261224]", '2:12: closed: "20261224" is not a date such as 2026-12-24'),
        ("closed: [2026-02-30]", '2:12: closed: "2026-02-30" is not a day of the calendar'),
        ("teams: {lyon: {zone: Mars}}", '2:24: zone: "Mars" is not a time zone'),
    ],
)
def test_what_cannot_be_is_told_with_its_line_and_column(line: str, fault: str) -> None:
    document = compose(f"work_hours:\n  {line}\n", "portal.yaml")
    calendars, problems = build_calendars(document, ("work_hours",), "UTC")
    assert calendars is None
    (problem,) = map(str, problems)
    assert problem.startswith(f"portal.yaml:{fault}")


def test_a_portal_in_an_unknown_zone_is_a_fault_only_where_its_zone_counts() -> None:
    def faults(section: str) -> list[str]:
        return [str(p) for p in build_calendars(compose(section, "portal.yaml"), ("work_hours",), "Mars/Base")[1]]

    message = 'the portal\'s own time zone "Mars/Base" is unknown here; write one, such as zone: Europe/Paris'
    assert faults("a: b\nwork_hours: {zone: portal}") == [f"portal.yaml:2:20: {message}"]
    assert faults("a: b") == [f"portal.yaml:1:1: {message}"]
    assert faults("work_hours: {zone: UTC, teams: {lyon: {zone: portal}}}") == [f"portal.yaml:1:20: {message}"]
    assert faults("work_hours: {zone: UTC}") == []
