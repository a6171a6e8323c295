"""The facts about outreach, replies, meetings and activity, by name (playbook A3 to A8, A14, T7, T14)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from hubsync.policy import activity, engagements
from hubsync.policy.contact import Engagement
from hubsync.policy.fact import MOMENT, NUMBER, TEXT, Fact, Getter
from hubsync.policy.view import ENGAGEMENTS, HISTORY, MEETINGS, Missing, View
from hubsync.policy.vocabulary import REVIEW_DATE

_TALK, _MET = HISTORY | ENGAGEMENTS, HISTORY | MEETINGS


def _of(read: Callable[[View], Any], pick: Callable[[Any], Any]) -> Getter:
    """A value picked from what was read; None where there is nothing."""

    def get(view: View) -> Any:
        found = read(view)
        return found if isinstance(found, Missing) else pick(found) if found else None

    return get


def _first(marks: Sequence[Engagement]) -> datetime:
    return marks[0].at


def _last(marks: Sequence[Engagement]) -> datetime:
    return marks[-1].at


def _when_first(marks: Sequence[tuple[datetime, Engagement]]) -> datetime:
    return marks[0][0]


def _attempts(view: View) -> Any:
    found = engagements.outreaches(view)
    return found if isinstance(found, Missing) else len(found)


def _attempts_at_most(view: View) -> float | None:
    """`num_contacted_notes` counts every contact that was logged, in whichever cycle (hubspot-api 4)."""
    text = view.properties.get("num_contacted_notes")
    try:
        return float(text or 0) if view.policy.counts_contacts else None
    except ValueError:
        return None


ENGAGEMENT_FACTS = (
    Fact(
        "first_rep_outreach",
        _of(engagements.outreaches, _first),
        MOMENT,
        _TALK,
        "a rep's first one-to-one e-mail, outbound call or message in the cycle",
    ),
    Fact("last_rep_outreach", _of(engagements.outreaches, _last), MOMENT, _TALK, "the last such outreach in the cycle"),
    Fact("attempts", _attempts, NUMBER, _TALK, "how many such outreaches in the cycle", bound=_attempts_at_most),
    Fact(
        "first_reply",
        _of(engagements.replies, _first),
        MOMENT,
        _TALK,
        "the lead's first real reply in the cycle: a mail, a call that connected, an incoming message",
        reads=("email",),
    ),
    Fact("last_reply", _of(engagements.replies, _last), MOMENT, _TALK, "the last real reply in the cycle"),
    Fact(
        "last_reply_kind",
        engagements.last_reply_kind,
        TEXT,
        ENGAGEMENTS,
        "what the lead's last mail was: reply, opt_out, auto_reply or bounce",
    ),
    Fact(
        "first_meeting_booked",
        _of(engagements.booked, _when_first),
        MOMENT,
        _MET,
        "when a meeting in the cycle was first booked",
    ),
    Fact(
        "first_meeting_held", _of(engagements.held, _when_first), MOMENT, _MET, "the end of the cycle's first meeting"
    ),
    Fact(
        "meeting_without_outcome",
        _of(engagements.without_outcome, engagements.ends_at),
        MOMENT,
        _MET,
        "the end of the latest meeting in the cycle that has no outcome",
    ),
    Fact(
        "last_activity",
        activity.last_activity,
        MOMENT,
        0,
        "when rep or lead last did something",
        reads=activity.ACTIVITY_PROPERTIES,
    ),
    Fact(
        "idle_since",
        activity.idle_since,
        MOMENT,
        HISTORY,
        "since when nothing happened in the present Lead status",
        bound=activity.idle_since_at_least,
        reads=activity.ACTIVITY_PROPERTIES,
    ),
    Fact(
        "reengaged",
        _of(activity.reengaged, lambda one: one.at),
        MOMENT,
        _TALK | _MET,
        "the first form, reply or meeting booked after the present Lead status was entered",
        reads=(*activity.ACTIVITY_PROPERTIES, "email"),
    ),
    Fact(
        "reengaged_by",
        _of(activity.reengaged, lambda one: one.by),
        TEXT,
        _TALK | _MET,
        "which of them: form, reply or meeting",
        reads=(*activity.ACTIVITY_PROPERTIES, "email"),
    ),
    Fact(
        "review_date",
        activity.review_day,
        MOMENT,
        0,
        "the beginning of the day of hubsync_review_date, in the portal's zone",
        reads=(REVIEW_DATE,),
    ),
    Fact("last_form", activity.last_form, MOMENT, 0, "when the contact last sent a form", reads=(activity.FORM_SENT,)),
    Fact(
        "marketing_click",
        activity.marketing_click,
        MOMENT,
        HISTORY,
        "the last click on a marketing e-mail since the Lead status was entered",
        reads=(activity.CLICKED,),
    ),
)
