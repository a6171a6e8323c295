"""A deadline that remembers answers as the duration itself does, whatever it was asked before."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hubsync.policy.deadlines import Deadline
from hubsync.policy.worktime import Calendar, parse_duration

SHORT_FRIDAY = {**{day: [(time(9), time(17, 30))] for day in range(4)}, 4: [(time(9), time(12))]}
PARIS = Calendar("Europe/Paris", SHORT_FRIDAY, [date(2026, 4, 6), date(2026, 5, 1)])
NEW_YORK = Calendar("America/New_York", SHORT_FRIDAY)
# Over the changes to summer time on both sides, and the ends of months.
moments = st.integers(0, 100_000).map(lambda minutes: datetime(2026, 2, 25, tzinfo=UTC) + timedelta(minutes=minutes))
lengths = st.sampled_from(
    ["2 business hours", "3 business days", "80% of 5 business days", "7 days", "1 month", "90% of 1 month", "0 days"]
)


@given(lengths, st.lists(st.tuples(moments, moments, st.sampled_from([PARIS, NEW_YORK])), max_size=40))
def test_it_answers_as_the_duration_does(text: str, asked: list[tuple[datetime, datetime, Calendar]]) -> None:
    duration = parse_duration(text)
    deadline = Deadline(duration)
    for since, now, calendar in asked:
        for near in (now, now + timedelta(minutes=1), duration.after(since, calendar, calendar.zone)):
            expected = duration.has_passed(since, near, calendar, calendar.zone)
            assert deadline.has_passed(since, near, calendar, calendar.zone) is expected


@given(lengths, moments, st.sampled_from([PARIS, NEW_YORK]))
def test_a_duration_takes_at_least_what_it_says_it_does(text: str, since: datetime, calendar: Calendar) -> None:
    duration = parse_duration(text)
    assert duration.after(since, calendar, calendar.zone) - since >= duration.at_least
