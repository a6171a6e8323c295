"""When tasks may be created (B4, B5, B7): caps by owner and day, bursts, business hours, freezes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hubsync.policy.contact import Contact, OurWrite
from hubsync.policy.pacing import Burst, Freeze, Origin, Pace, Past, Wish, allot, moment_of, origin_of
from hubsync.policy.worktime import Calendar, Calendars
from tests.builders import policy

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
"""Monday, ten in the morning in New York."""
NEW_YORK = ZoneInfo("America/New_York")
WEEK = {day: [(time(9), time(17))] for day in range(5)}
PACE = Pace(
    Calendars(Calendar("America/New_York", WEEK), {"Paris": Calendar("Europe/Paris", WEEK)}),
    NEW_YORK,
    per_owner=3,
    burst=4,
    owner_teams={"7": ("sales", "paris")},
)


def wishes(count: int, owner: str | None = "11", first: int = 1, **more: Any) -> list[Wish]:
    """Tasks for contacts 1, 2, 3 …, each due an hour before the one before."""
    return [
        Wish(str(n), "T", "call", f"c{n}", owner, NOW - timedelta(hours=n), "Call", **more)
        for n in range(first, first + count)
    ]


def contacts(keys: Any) -> list[str]:
    return sorted(key[0] for key in keys)


def imported(count: int, *, every: timedelta = timedelta(seconds=30), first: int = 1) -> list[Wish]:
    """Tasks for contacts of one import, `every` so often one."""
    return [
        replace(wish, origin=Origin("IMPORT:77", "fair.csv", NOW - timedelta(hours=1) + n * every))
        for n, wish in enumerate(wishes(count, first=first))
    ]


def test_an_owner_gets_so_many_tasks_a_day_the_earliest_due_first() -> None:
    found = allot(PACE, [*wishes(5), *wishes(1, owner="12", first=9)], Past(), NOW)
    assert contacts(found.granted) == ["3", "4", "5", "9"]
    assert {(h.wish.contact, h.why, h.until) for h in found.held.values()} == {
        (n, "cap", datetime(2026, 3, 3, 14, tzinfo=UTC)) for n in ("1", "2")
    }
    assert [w.contact for w in found.digests["11"]] == ["2", "1"]


def test_what_was_created_today_counts_and_one_digest_a_day_is_enough() -> None:
    past = Past(created={"11": 2}, digested=frozenset({"11"}))
    found = allot(PACE, wishes(3), past, NOW)
    assert contacts(found.granted) == ["3"]
    assert found.digests == {}


def test_a_released_rule_passes_its_owners_cap() -> None:
    found = allot(PACE, wishes(5), Past(lifted=frozenset({"T"})), NOW)
    assert len(found.granted) == 5


def test_tasks_that_come_with_a_change_never_wait_but_count() -> None:
    found = allot(PACE, [*wishes(4, bound=True), *wishes(1, first=9)], Past(), NOW + timedelta(hours=20))
    assert contacts(found.granted) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("owner", "now", "until"),
    [
        ("11", NOW.replace(hour=13), NOW.replace(hour=14)),
        ("11", NOW.replace(day=7), NOW.replace(day=9, hour=13)),  # New York has gone to summer time on the 8th
        ("7", NOW.replace(hour=17), NOW.replace(day=3, hour=8)),
    ],
    ids=["before opening", "at the weekend", "after the owner's team has closed"],
)
def test_outside_the_owners_hours_a_task_waits_for_the_next_opening(owner: str, now: datetime, until: datetime) -> None:
    (held,) = allot(PACE, wishes(1, owner), Past(), now).held.values()
    assert (held.why, held.until) == ("hours", until)
    assert allot(replace(PACE, in_hours=False), wishes(1, owner), Past(), now).held == {}


def test_a_task_that_nobody_owns_waits_until_somebody_does() -> None:
    (held,) = allot(PACE, wishes(1, None), Past(), NOW).held.values()
    assert (held.why, held.until) == ("no owner", None)


def test_many_from_one_import_within_ten_minutes_are_held_as_one_burst() -> None:
    found = allot(PACE, [*imported(5), *wishes(1, first=9)], Past(), NOW)
    (burst,) = found.bursts
    assert (burst.source, sorted(burst.contacts)) == ("IMPORT:77", ["1", "2", "3", "4", "5"])
    assert contacts(found.granted) == ["9"]
    assert {(h.why, h.burst, h.until) for h in found.held.values()} == {("burst", burst.id, None)}


@pytest.mark.parametrize(
    ("some", "held"),
    [(imported(4), 0), (imported(9, every=timedelta(minutes=4)), 0), (imported(9, every=timedelta(minutes=2)), 9)],
    ids=["few", "slowly", "in a long row"],
)
def test_few_or_slow_arrivals_are_no_burst(some: Sequence[Wish], held: int) -> None:
    found = allot(replace(PACE, per_owner=99), some, Past(), NOW)
    assert sum(h.why == "burst" for h in found.held.values()) == held


def test_those_who_had_their_tasks_before_count_towards_the_burst() -> None:
    arrived = [(w.origin.source, w.origin.at, w.contact) for w in imported(4, first=50) if w.origin]
    found = allot(PACE, imported(1), Past(arrived=arrived), NOW)
    assert [h.why for h in found.held.values()] == ["burst"]


def told_of(wish: Wish) -> Wish:
    """Something to be told of the same contact."""
    return replace(wish, template="digest:manager", told=True)


def test_what_is_told_of_a_held_burst_waits_with_its_tasks_and_passes_once_it_is_released() -> None:
    some = imported(5)
    later = replace(some[0], contact="9", template="digest:manager", told=True)
    asked = [*some, told_of(some[1]), later]
    found = allot(PACE, asked, Past(), NOW)
    assert {(held.why, held.wish.told) for held in found.held.values()} == {("burst", False), ("burst", True)}
    assert len(found.held) == len(asked)
    (burst,) = found.bursts
    assert burst.contacts == ("1", "2", "3", "4", "5", "9"), "a release has to look at all of them"
    freed = allot(replace(PACE, per_owner=0), asked, Past(bursts=[replace(burst, released=True)]), NOW)
    assert contacts(freed.granted) == ["2", "9"]


def test_what_is_told_makes_no_burst_and_counts_against_no_cap() -> None:
    some = [told_of(wish) for wish in imported(20)]
    assert contacts(allot(PACE, [*some, *wishes(3, first=30)], Past(), NOW).granted) == sorted(
        [*map(str, range(1, 21)), "30", "31", "32"]
    )


@pytest.mark.parametrize("owner", ["11", None])
def test_what_is_told_waits_neither_for_hours_nor_for_an_owner(owner: str | None) -> None:
    [one] = [told_of(wish) for wish in wishes(1, owner)]
    assert contacts(allot(PACE, [one], Past(), NOW + timedelta(hours=12)).granted) == ["1"]


def test_who_comes_late_belongs_to_the_burst_held_or_released() -> None:
    at = NOW - timedelta(hours=1)
    burst = Burst("burst-1", "IMPORT:77", "fair.csv", at, at, ("50",))
    held = allot(PACE, imported(1), Past(bursts=[burst]), NOW)
    assert ([h.burst for h in held.held.values()], held.bursts[0].contacts) == (["burst-1"], ("50", "1"))
    free = allot(PACE, imported(9), Past(bursts=[replace(burst, released=True)]), NOW)
    assert len(free.granted) == PACE.per_owner
    assert {h.why for h in free.held.values()} == {"cap"}


def history(*entries: tuple[str, str, str, str]) -> dict[str, list[dict[str, str]]]:
    """Of the Lead status: (value, time, source, id), newest first."""
    keys = ("value", "timestamp", "sourceType", "sourceId")
    return {"hs_lead_status": [dict(zip(keys, entry, strict=True)) for entry in entries]}


IMPORTED = ("", "2026-03-01T09:00:00Z", "IMPORT", "77")


@pytest.mark.parametrize(
    ("entries", "source"),
    [
        ([IMPORTED], "IMPORT:77"),
        ([("NEW", "2026-03-01T10:00:00Z", "WORKFLOWS", "5"), IMPORTED], "WORKFLOWS:5"),
        ([("NEW", "2026-03-01T10:00:00Z", "AUTOMATION_PLATFORM", "enrollmentId:5;x:0")], "AUTOMATION_PLATFORM"),
        ([("NEW", "2026-03-01T10:00:00Z", "CRM_UI_BULK_ACTION", "userId:3"), IMPORTED], "CRM_UI_BULK_ACTION:userId:3"),
        ([("NEW", "2026-03-01T10:00:00Z", "CRM_UI", "userId:3"), IMPORTED], None),
        ([("NEW", "2026-03-01T10:00:00Z", "FORM", "f1"), IMPORTED], None),
        ([("NEW", "2026-03-01T10:00:00Z", "INTEGRATION", "ours"), IMPORTED], "IMPORT:77"),
    ],
    ids=["import", "workflow", "an enrolment", "list", "person", "form", "what hubsync wrote is passed over"],
)
def test_what_brought_a_contact_is_the_newest_writer_but_hubsync(
    entries: list[tuple[str, str, str, str]], source: str | None
) -> None:
    at = datetime(2026, 3, 1, 10, tzinfo=UTC)
    ours = OurWrite("hs_lead_status", "NEW", IMPORTED[1], at, "A2", at)
    contact = Contact("1", {}, history=history(*entries), ours=(ours,) if entries[0][3] == "ours" else ())
    found = origin_of(contact, policy().writers)
    assert (found.source if found else None) == source


def test_a_freeze_holds_from_its_first_to_its_last_moment() -> None:
    since, until = moment_of("2026-12-24", NEW_YORK), moment_of("2026-12-31", NEW_YORK, end=True)
    pace = replace(PACE, freezes=(Freeze(since, until, "Year end"),))
    assert (since, until) == (datetime(2026, 12, 24, 5, tzinfo=UTC), datetime(2027, 1, 1, 5, tzinfo=UTC))
    assert [bool(pace.frozen(at)) for at in (since - timedelta(seconds=1), since, until)] == [False, True, False]
    assert moment_of("2026-12-24T18:00", NEW_YORK) == datetime(2026, 12, 24, 23, tzinfo=UTC)
