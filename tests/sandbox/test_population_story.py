"""Stories in time: order, working hours and the length of the past; and quotas that leave nobody out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubsync.sandbox.population import TIDY, UNTIDY, Kind, Tidy
from hubsync.sandbox.population.casting import quota
from hubsync.sandbox.population.people import PLACES, Guests, Place, firms, slug, staff
from hubsync.sandbox.population.story import Story, at_work

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
COMPANIES = firms(0, 12)


def a_story(seed: int, own: bool = True) -> Story:
    rng = Random(seed)
    person = Guests(0, COMPANIES).draw(rng)
    return Story(rng, person, COMPANIES[person.firm], rep=2, manager=0, added_statuses=own, own_properties=own)


@given(MOMENTS, st.sampled_from(PLACES), st.integers(0, 99))
def test_work_begins_not_before_the_moment_and_within_working_hours(moment: datetime, place: Place, seed: int) -> None:
    zone = ZoneInfo(place.zone)
    at = at_work(moment, zone, Random(seed))
    local = at.astimezone(zone)
    assert at >= moment
    assert local.weekday() < 5
    assert (8, 30) <= (local.hour, local.minute) < (17, 30)
    assert at - moment < timedelta(days=3, hours=1)


@given(st.sampled_from([*TIDY, *UNTIDY]), st.integers(0, 999), MOMENTS, st.floats(1, 1000), st.booleans())
def test_acts_are_placed_in_order_within_the_days_and_before_now(
    state: Kind | Tidy, seed: int, now: datetime, ended: float, own: bool
) -> None:
    story = a_story(seed, own)
    state.write(story)
    story.place(now, ended, days=90)
    assert now - timedelta(days=90) <= story.steps[0].at
    assert story.steps[-1].at <= now - timedelta(minutes=1)
    assert all(one.at < other.at or other.together for one, other in pairwise(story.steps))
    for step in story.steps:
        if step.act == "book":
            assert step.args["starts"] > step.at


@pytest.mark.parametrize("total", [3, 50, 51, 175, 3500])
def test_quotas_sum_up_and_leave_nobody_out_where_there_is_enough(total: int) -> None:
    shares = [float(place % 7 + 1) for place in range(50)]
    counts = quota(shares, total)
    assert sum(counts) == total
    assert min(counts) >= (1 if total >= 50 else 0)


def test_quotas_follow_the_shares() -> None:
    assert quota([3, 1], 10) == [7, 3]
    assert quota([8, 1, 1], 103) == [81, 11, 11]


def test_nobody_shares_an_address() -> None:
    guests, rng = Guests(0, COMPANIES[:3]), Random(1)
    emails = [guests.draw(rng).email for _ in range(5000)]
    assert len(set(emails)) == 5000


def test_an_address_has_plain_letters_only() -> None:
    assert slug("Müller & Söhne GmbH") == "muller-sohne-gmbh"
    assert slug("Großmann-Çelik") == "grossmann-celik"
    assert slug("L'Œuvre") == "l-oeuvre"


def test_every_team_has_a_rep_and_a_manager() -> None:
    people = staff(0, 3)
    assert {person.place for person in people if person.role == "rep"} == {0, 1, 2}
    assert {place for person in people for place in person.leads} == {0, 1, 2}
