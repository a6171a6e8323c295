"""When a lead last moved, since when it rests, and what brought it back (playbook A6, A14, T7, D9).

Moments come from cheap properties as far as they go; hubsync's own tasks and notes move none of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time

from hubsync.policy import engagements
from hubsync.policy.instants import instant_or_none
from hubsync.policy.view import Missing, View, once
from hubsync.policy.vocabulary import REVIEW_DATE, STATUS

CLICKED = "hs_email_last_click_date"
FORM_SENT = "recent_conversion_date"
_TOUCHES = ("notes_last_contacted", "hs_sales_email_last_replied", FORM_SENT)
_MEETING = "hs_latest_meeting_activity"
ACTIVITY_PROPERTIES = (*_TOUCHES, _MEETING)

FORM, ANSWER, MEETING = "form", "reply", "meeting"


@dataclass(frozen=True, slots=True)
class Return:
    """How a lead engaged again: by a form, a reply or a meeting booked; `id` names the engagement."""

    at: datetime
    by: str
    id: str | None = None


def last_activity(view: View) -> datetime | None:
    """When rep or lead last did something: contacted, replied, met, sent a form (D9)."""
    return max((at for at in _moments(view, (*_TOUCHES, _MEETING)) if at <= view.now), default=None)


@once
def idle_since(view: View) -> datetime | Missing:
    """Since when nothing happened in the present Lead status; with a meeting ahead a lead isn't idle: since now."""
    entered = view.entered(STATUS)
    return entered if isinstance(entered, Missing) else min(max(entered, idle_since_at_least(view)), view.now)


@once
def idle_since_at_least(view: View) -> datetime:
    """The earliest that `idle_since` can be, as far as cheap properties tell."""
    touched = _moments(view, (*_TOUCHES, _MEETING))
    return min(max((view.created, *touched)), view.now)


def last_form(view: View) -> datetime | None:
    """When the contact last sent a form."""
    return instant_or_none(view.properties.get(FORM_SENT))


def marketing_click(view: View) -> datetime | Missing | None:
    """The last click on a marketing e-mail since the present Lead status was entered (A8)."""
    clicked = instant_or_none(view.properties.get(CLICKED))
    if clicked is None or clicked > view.now:
        return None
    entered = view.entered(STATUS)
    return entered if isinstance(entered, Missing) else clicked if clicked >= entered else None


def review_day(view: View) -> datetime | None:
    """The beginning of the day of `hubsync_review_date`, in the portal's zone."""
    day = instant_or_none(view.properties.get(REVIEW_DATE))
    return None if day is None else datetime.combine(day.date(), time(), view.policy.zone).astimezone(UTC)


@once
def reengaged(view: View) -> Return | Missing | None:
    """The first form, reply or meeting booked after the present Lead status was entered (A14).

    Of forms HubSpot tells the last one only; it counts as the first where nothing else came earlier.
    """
    since = view.created
    if not (_sent_after(view, since) or engagements.may_have_answered(view, since) or view.meetings() != ()):
        return None
    entered = view.entered(STATUS)
    if isinstance(entered, Missing):
        return entered
    answers = engagements.replies_since(view, entered)
    met = engagements.booked_after(view, entered)
    for unread in (answers, met):
        if isinstance(unread, Missing):
            return unread
    found: list[Return] = []
    sent = _sent_after(view, entered)
    if sent is not None:
        found.append(Return(sent, FORM))
    if not isinstance(answers, Missing):
        found += [Return(mark.at, ANSWER, mark.id) for mark in answers if mark.at > entered][:1]
    if met is not None and not isinstance(met, Missing):
        found.append(Return(met[0], MEETING, met[1].id))
    return min(found, key=lambda one: (one.at, one.by), default=None)


def _sent_after(view: View, since: datetime) -> datetime | None:
    sent = last_form(view)
    return sent if sent is not None and since < sent <= view.now else None


def _moments(view: View, names: tuple[str, ...]) -> list[datetime]:
    return [at for name in names if (at := instant_or_none(view.properties.get(name))) is not None]
