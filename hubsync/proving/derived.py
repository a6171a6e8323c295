"""Facts that follow from several properties: what makes them so, taken from what the policy says of scores and data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from hubsync.policy.data import FORM_DATE, FORM_NAME, Points, Scoring
from hubsync.policy.policy import Policy
from hubsync.policy.vocabulary import REVIEW_DATE
from hubsync.proving.options import NOW, Option

ENGAGEMENT, DATA, QUALIFICATION, NEXT = "engagement", "required data", "qualification", "a next action"

DERIVED: dict[str, str] = {
    "engagement_score": ENGAGEMENT,
    "score": ENGAGEMENT,
    "score_reached": ENGAGEMENT,
    "score_differs": ENGAGEMENT,
    "score_changed": ENGAGEMENT,
    "missing_data": DATA,
    "qualification_completed": QUALIFICATION,
    "next_action": NEXT,
}
"""By fact or cause, the subject that it hangs on."""


def behind(policy: Policy, fact: str) -> frozenset[str]:
    """The contact properties that such a fact or cause is read from; none for a fact that isn't derived."""
    name = DERIVED.get(fact, "")
    if name == ENGAGEMENT:
        return _scored(policy.data.scoring, fact) if policy.data.scoring is not None else frozenset()
    if name == DATA:
        return frozenset(n for needs in policy.data.required.values() for one in needs for n in one.properties)
    if name == QUALIFICATION:
        return frozenset(n for one in policy.data.qualification for n in one.properties)
    return frozenset({REVIEW_DATE} if fact in {"review_date", "last_reviewed"} else ())


def _scored(scoring: Scoring, fact: str) -> frozenset[str]:
    """What the score is told from; what stands in its own property matters to one fact alone."""
    own = {scoring.target} - {scoring.hubspot_score}
    return scoring.history if fact == "score_differs" else scoring.history - own


def derived(policy: Policy, name: str) -> Iterator[Option]:
    """The options of such a subject, nothing first."""
    yield Option(name, f"no {name}")
    if name == ENGAGEMENT:
        yield from _engaged(policy)
    elif name == DATA:
        names = sorted({n for needs in policy.data.required.values() for one in needs for n in one.properties})
        yield Option(name, "no data at all", contact=tuple((n, "none") for n in names))
        yield Option(name, "all data", contact=tuple((n, _value(policy, n)) for n in names))
    elif name == QUALIFICATION:
        known = {n: _value(policy, n) for one in policy.data.qualification for n in one.properties}
        yield Option(name, "all of the qualification", contact=tuple(known.items()))
    else:
        planned = (NOW + timedelta(days=5)).isoformat()
        yield Option(name, "a next action", contact=(("notes_next_activity_date", planned),))


def _engaged(policy: Policy) -> Iterator[Option]:
    """One event that earns points, enough of them for the threshold, and the portal's own score at it."""
    scoring = policy.data.scoring
    if scoring is None:
        return
    for one in scoring.points[:1]:
        yield Option(ENGAGEMENT, f"points for {one.id}", acts=(("set", _event(one)),))
    enough: dict[str, str] = {}
    total = 0
    for one in sorted(scoring.points, key=lambda p: -p.points):
        event = _event(one)
        if total < scoring.threshold and not event.keys() & enough.keys():
            enough |= event
            total += one.points
    if total >= scoring.threshold:
        yield Option(ENGAGEMENT, "points enough", acts=(("set", enough),))
    if scoring.hubspot_score:
        yield Option(ENGAGEMENT, "a score enough", acts=(("set", {scoring.hubspot_score: str(scoring.threshold)}),))


def _event(one: Points) -> dict[str, str]:
    """What an event sets; `{at}` stands for its moment."""
    if one.form:
        return {FORM_NAME: one.form[0], FORM_DATE: "{at}"}
    return {one.property: min(one.values)} if one.property else {one.date: "{at}"}


def _value(policy: Policy, name: str) -> str:
    """Something that the property may hold."""
    shape = policy.shapes.get(name)
    if shape is not None and shape.options:
        return min(shape.options)
    return (NOW + timedelta(days=90)).date().isoformat() if shape is not None and shape.type == "date" else "1"
