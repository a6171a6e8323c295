"""The `work_hours:` section of portal.yaml: business time (playbook L2), for the portal and for teams with other hours.

    work_hours:
      zone: portal                     # the portal's own, or a name such as Europe/Paris
      hours:
        mon-thu: 09:00-12:00, 13:00-17:30
        fri: 09:00-16:00
      holidays: {country: FR}          # public holidays; `region` where they differ, e.g. {country: DE, region: BY}
      closed: [2026-12-24, 2026-12-31]
      teams:
        berlin: {zone: Europe/Berlin, holidays: {country: DE, region: BE}}

What a team says replaces what stands above it, key by key. This module alone asks the `holidays` library, a year at a
time and when that year is first needed; it must not know what the calendars are used for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import date, time
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator

from hubsync.errors import Problem
from hubsync.policy.words import did_you_mean
from hubsync.policy.worktime import Calendar, Calendars
from hubsync.rulefiles.lines import Document, KeyPath
from hubsync.rulefiles.models import validate

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PORTAL = "portal"
_CLOCK = r"([01][0-9]|2[0-4]):([0-5][0-9])"

_Pairs = tuple[tuple[time, time], ...]


def _days(text: Any) -> Any:
    """ "mon-thu, sat" as weekday numbers."""
    days: list[int] = []
    for part in re.split(r"\s*,\s*", str(text).strip().lower()):
        ends = re.split(r"\s*-\s*", part)
        for name in ends:
            if name not in _WEEKDAYS:
                hint = did_you_mean(name, _WEEKDAYS) or f"; they are {', '.join(_WEEKDAYS)}, and spans such as mon-fri"
                raise ValueError(f'"{name}" is not a weekday{hint}')
        first, last = _WEEKDAYS.index(ends[0]), _WEEKDAYS.index(ends[-1])
        if len(ends) > 2 or last < first:
            raise ValueError(f'"{part}" is not a span of weekdays; write from-to within one week, such as mon-fri')
        days += range(first, last + 1)
    return tuple(days)


def _pairs(text: Any) -> Any:
    """ "09:00-12:00, 13:00-17:30" as pairs of wall times; 24:00 is the end of the day."""
    if not isinstance(text, str):
        raise ValueError("hours are written as 09:00-12:00, 13:00-17:30")
    pairs = []
    for part in re.split(r"\s*,\s*", text.strip()):
        match = re.fullmatch(rf"{_CLOCK}\s*-\s*{_CLOCK}", part)
        begin, end = (_minutes(match[1], match[2]), _minutes(match[3], match[4])) if match else (0, 0)
        if match is None or max(begin, end) > 1440:
            raise ValueError(f'"{part}" are not hours; write them as 09:00-17:30, several with commas between')
        if begin >= end:
            raise ValueError(f'"{part}" ends before it begins; hours that pass midnight belong to two days')
        pairs.append((begin, end))
    pairs.sort()
    if any(former[1] > latter[0] for former, latter in pairwise(pairs)):
        raise ValueError(f'"{text}" names an hour twice')
    return tuple((time(a // 60, a % 60), time(b // 60 % 24, b % 60)) for a, b in pairs)


def _minutes(hours: str, minutes: str) -> int:
    return int(hours) * 60 + int(minutes)


def _date(text: Any) -> Any:
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(f'"{text}" is not a date such as 2026-12-24')
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" is not a day of the calendar') from None


def _zone(text: str) -> str:
    if text != _PORTAL and not _is_zone(text):
        hint = did_you_mean(text, available_timezones()) or '; write "portal" or a name such as Europe/Paris'
        raise ValueError(f'"{text}" is not a time zone{hint}')
    return text


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such name, not a name at all, a folder of names
        return False
    return True


def _no_day_twice(hours: dict[tuple[int, ...], _Pairs]) -> dict[tuple[int, ...], _Pairs]:
    days = [day for span in hours for day in span]
    if twice := sorted({day for day in days if days.count(day) > 1}):
        raise ValueError(f"{', '.join(_WEEKDAYS[day] for day in twice)} given twice")
    if not any(hours.values()):
        raise ValueError("at least one weekday needs hours")
    return hours


_Hours = Annotated[
    dict[Annotated[tuple[int, ...], BeforeValidator(_days)], Annotated[_Pairs, BeforeValidator(_pairs)]],
    AfterValidator(_no_day_twice),
]
_Zone = Annotated[str, AfterValidator(_zone)]
_Dates = list[Annotated[date, BeforeValidator(_date)]]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublicHolidays(_Spec):
    """A country, by its ISO code, and a part of it by the code that the `holidays` library has for it."""

    country: str
    region: str | None = None

    @field_validator("country")
    @classmethod
    def _known_country(cls, country: str) -> str:
        known = _countries()
        if country not in known:
            hint = did_you_mean(country.upper(), known) or "; write its ISO code, such as FR"
            raise ValueError(f'no public holidays are known for "{country}"{hint}')
        return country

    @field_validator("region")
    @classmethod
    def _known_region(cls, region: str | None, info: ValidationInfo) -> str | None:
        country = info.data.get("country")
        if region is None or country is None:  # an unknown country is a fault of its own
            return region
        known = _countries()[country]
        if region not in known:
            has = f"; it has {', '.join(known)}" if known else "; leave it out"
            raise ValueError(f'"{region}" is not a region of {country}{did_you_mean(region, known) or has}')
        return region


class TeamHours(_Spec):
    """What a team keeps differently; None stands for what the portal keeps."""

    zone: _Zone | None = None
    hours: _Hours | None = None
    holidays: PublicHolidays | None = None
    closed: _Dates | None = None


class WorkHours(_Spec):
    """The whole section; without it, nine to half past five from Monday to Friday in the portal's zone."""

    zone: _Zone = _PORTAL
    hours: _Hours = {(0, 1, 2, 3, 4): ((time(9), time(17, 30)),)}
    holidays: PublicHolidays | None = None
    closed: _Dates = []
    teams: dict[str, TeamHours] = {}

    def calendars(self, portal_zone: str) -> Calendars:
        """The calendars, for a portal in `portal_zone` (an IANA name, as its account details have it)."""
        return Calendars(
            _calendar(self, TeamHours(), portal_zone),
            {name: _calendar(self, team, portal_zone) for name, team in self.teams.items()},
        )


def build_calendars(document: Document, path: KeyPath, portal_zone: str) -> tuple[Calendars | None, list[Problem]]:
    """The calendars of the section at a path (there or not), or None and every fault in it.

    An unknown `portal_zone` is a fault only where the section leaves the zone to the portal.
    """
    try:
        document.at(path)
    except (KeyError, IndexError, TypeError):
        spec: WorkHours | None = WorkHours()
        problems: list[Problem] = []
    else:
        spec, problems = validate(WorkHours, document, path)
    if spec is None:
        return None, problems
    if _PORTAL in {spec.zone, *(team.zone for team in spec.teams.values())} and not _is_zone(portal_zone):
        message = f'the portal\'s own time zone "{portal_zone}" is unknown here; write one, such as zone: Europe/Paris'
        return None, [document.problem((*path, "zone"), message)]
    return spec.calendars(portal_zone), []


def _calendar(general: WorkHours, team: TeamHours, portal_zone: str) -> Calendar:
    zone = team.zone or general.zone
    hours = general.hours if team.hours is None else team.hours
    closed = general.closed if team.closed is None else team.closed
    return Calendar(
        portal_zone if zone == _PORTAL else zone,
        {day: pairs for days, pairs in hours.items() for day in days},
        _closed(team.holidays or general.holidays, frozenset(closed)),
    )


def _closed(
    public: PublicHolidays | None, extra: frozenset[date]
) -> Collection[date] | Callable[[int], Collection[date]]:
    if public is None:
        return extra
    return lambda year: extra | _public_holidays(public.country, public.region, year)


@lru_cache(maxsize=1024)
def _public_holidays(country: str, region: str | None, year: int) -> frozenset[date]:
    """The public holidays of a year, days that stand in for one on a weekend included."""
    import holidays

    return frozenset(holidays.country_holidays(country, subdiv=region, years=year))


@lru_cache(maxsize=1)
def _countries() -> dict[str, list[str]]:
    """The countries that the library knows, and the regions of each, by their codes and other names."""
    import holidays

    return holidays.list_supported_countries(include_aliases=True)
