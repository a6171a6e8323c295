"""Points and scores: each counts once per event, for its time, and hubsync knows when the score changes (P1, A15)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from hubsync.policy import scoring
from hubsync.policy.contact import Contact
from hubsync.policy.data import DataTerms, Points, Scoring
from hubsync.policy.decide import decide
from hubsync.policy.policy import Policy
from hubsync.policy.view import HISTORY, Missing, View
from hubsync.policy.worktime import parse_duration
from tests.builders import EVER, NOW, a_contact, ago, entry, policy, stamp

FORM = Points("form", 15, form=("white paper",))
WEBINAR = Points("webinar", 20, date="hubsync_webinar_attended")
LETTER = Points("letter", 5, property="newsletter", values=frozenset({"weekly"}))


def terms(*points: Points, half_life: timedelta | None = None, threshold: int = 25, hubspot: str = "") -> Policy:
    """The shipped policy with these points, for three weeks or with a half-life."""
    window = None if half_life else parse_duration("3 weeks")
    own = Scoring("hubsync_score", points or (FORM, WEBINAR, LETTER), threshold, window, half_life, hubspot)
    return replace(policy(), data=DataTerms(scoring=own))


def sent(*forms: tuple[str, datetime]) -> Contact:
    """A lead that sent forms, oldest first."""
    names = [entry(name, at) for name, at in reversed(forms)]
    dates = [entry(stamp(at), at) for _, at in reversed(forms)]
    name, at = forms[-1]
    return a_contact(
        recent_conversion_event_name=name,
        recent_conversion_date=stamp(at),
        history={"recent_conversion_event_name": names, "recent_conversion_date": dates},
    )


def attended(*moments: datetime) -> Contact:
    history = {"hubsync_webinar_attended": [entry(stamp(at), at) for at in reversed(moments)]}
    return a_contact(history=history, hubsync_webinar_attended=stamp(moments[-1]))


def view(contact: Contact, of: Policy, now: datetime = NOW) -> View:
    return View(of, contact, now)


def test_points_of_several_events_add_up() -> None:
    contact = sent(("Get the white paper", ago(2)), ("WHITE PAPER, part 2", ago(1)), ("Contact us", ago(0.5)))
    assert scoring.engagement_score(view(contact, terms())) == 30


def test_one_event_counts_once_however_often_it_is_read_or_rewritten() -> None:
    contact = attended(ago(2))
    assert contact.history is not None
    twice = [entry(stamp(ago(2)), ago(1)), *contact.history["hubsync_webinar_attended"]]
    again = replace(contact, history={**contact.history, "hubsync_webinar_attended": twice})
    assert scoring.engagement_score(view(again, terms())) == 20


def test_points_last_to_the_end_of_the_window_and_no_longer() -> None:
    contact = attended(ago(21))
    just_before = ago(seconds=1)
    assert scoring.engagement_score(view(contact, terms(), just_before)) == 20
    assert scoring.next_change(view(contact, terms(), just_before)) == NOW
    assert scoring.engagement_score(view(contact, terms())) == 0
    assert scoring.next_change(view(contact, terms())) is None


def test_without_anything_recent_no_history_is_read() -> None:
    old = replace(attended(ago(40)), history=None)
    recent = replace(attended(ago(4)), history=None)
    assert scoring.engagement_score(view(old, terms())) == 0
    assert scoring.engagement_score(view(recent, terms())) == Missing(HISTORY)


def test_points_of_a_property_go_when_it_no_longer_holds_the_value() -> None:
    history = {"newsletter": [entry("none", ago(1)), entry("weekly", ago(3)), entry("", ago(9))]}
    assert scoring.engagement_score(view(a_contact(history=history, newsletter="none"), terms())) == 0
    standing = {"newsletter": history["newsletter"][1:]}
    assert scoring.engagement_score(view(a_contact(history=standing, newsletter="weekly"), terms())) == 5
    several = {"newsletter": [entry("offers;weekly", ago(3))]}
    assert scoring.engagement_score(view(a_contact(history=several, newsletter="offers;weekly"), terms())) == 5


def test_what_is_ahead_counts_when_it_comes() -> None:
    contact = a_contact(
        history={"hubsync_webinar_attended": [entry(stamp(ago(-2)), ago(1))]},
        hubsync_webinar_attended=stamp(ago(-2)),
    )
    assert scoring.engagement_score(view(contact, terms())) == 0
    assert scoring.next_change(view(contact, terms())) == ago(-2)
    assert scoring.engagement_score(view(contact, terms(), ago(-2))) == 20


@pytest.mark.parametrize(("days", "left"), [(0, 20), (9, 10), (10, 10), (20, 5), (52, 0), (53, 0), (54, 0)])
def test_a_half_life_halves_points_in_whole_days(days: float, left: int) -> None:
    of = terms(WEBINAR, half_life=timedelta(days=10))
    assert scoring.engagement_score(view(attended(ago(days)), of)) == left


def test_a_score_with_a_half_life_changes_once_a_day_at_midnight() -> None:
    of = terms(WEBINAR, half_life=timedelta(days=10))
    contact = attended(ago(3))
    midnight = NOW.replace(hour=0)
    scores = {scoring.engagement_score(view(contact, of, midnight + timedelta(hours=h))) for h in range(24)}
    assert scores == {16}
    assert scoring.next_change(view(contact, of)) == midnight + timedelta(days=1)
    cause = scoring.score_changed(view(contact, of))
    assert cause is not None
    assert not isinstance(cause, Missing)
    assert cause.at == midnight


def test_the_threshold_is_reached_by_the_event_that_lifts_the_score_over_it() -> None:
    contact = sent(("white paper", ago(5)), ("white paper", ago(4)), ("white paper", ago(3)))
    assert scoring.score_reached(view(contact, terms())) == ago(4)


def test_a_threshold_reached_lost_and_reached_again_counts_from_the_last_time() -> None:
    contact = sent(("white paper", ago(40)), ("white paper", ago(39)), ("white paper", ago(3)), ("white paper", ago(2)))
    assert scoring.score_reached(view(contact, terms())) == ago(2)


def test_below_the_threshold_nothing_is_reached() -> None:
    contact = sent(("white paper", ago(22)), ("white paper", ago(3)))
    assert scoring.score_reached(view(contact, terms())) is None


def test_the_portals_own_score_is_read_first_and_says_nothing_at_0() -> None:
    of = terms(hubspot="hubspotscore")
    line = {"hubspotscore": [entry("40", ago(1)), entry("30", ago(3)), entry("10", ago(9))]}
    theirs = replace(attended(ago(2)), history={**(attended(ago(2)).history or {}), **line})
    with_theirs = replace(theirs, properties={**theirs.properties, "hubspotscore": "40"})
    assert scoring.score(view(with_theirs, of)) == 40
    assert scoring.score_reached(view(with_theirs, of)) == ago(3)
    silent = replace(theirs, properties={**theirs.properties, "hubspotscore": "0"})
    assert scoring.score(view(silent, of)) == 20
    assert scoring.engagement_score(view(with_theirs, of)) == 20


def test_a_score_whose_points_ran_out_is_written_once_more_for_that_moment() -> None:
    contact = replace(attended(ago(22)), properties={**attended(ago(22)).properties, "hubsync_score": "20"})
    of = terms()
    assert scoring.score_differs(view(contact, of)) == "true"
    cause = scoring.score_changed(view(contact, of))
    assert cause is not None
    assert not isinstance(cause, Missing)
    assert cause.at == ago(1)


def test_a_score_taken_back_with_its_property_falls_to_0() -> None:
    history = {"newsletter": [entry("none", ago(1)), entry("weekly", ago(3))]}
    contact = a_contact(history=history, newsletter="none", hubsync_score="5")
    assert scoring.score_differs(view(contact, terms())) == "true"
    cause = scoring.score_changed(view(contact, terms()))
    assert cause is not None
    assert not isinstance(cause, Missing)
    assert cause.at == ago(1)


def test_hubsync_looks_again_when_points_run_out() -> None:
    contact = replace(attended(ago(20)), properties={**attended(ago(20)).properties, "hubsync_score": "20"})
    decision = decide(policy(), contact, NOW, EVER)
    assert decision.changes == ()
    assert decision.look_again == ago(-1)
