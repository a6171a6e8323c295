"""Causes: what made a rule hold, when, and under which key it is remembered (design 1 "A cause fires once", T11).

A cause's moment decides freshness, the backlog (B1) and which of several rules wins; its key is the same however often
the contact is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from hubsync.policy import activity, engagements, scoring
from hubsync.policy.changes import Cause
from hubsync.policy.contact import Engagement
from hubsync.policy.deals import DealSummary, Milestone
from hubsync.policy.facts import completed_task, last_reviewed
from hubsync.policy.instants import milliseconds
from hubsync.policy.requirements import qualification_completed
from hubsync.policy.view import Missing, View
from hubsync.policy.vocabulary import STAGE, STATUS

Source = Callable[[View], Cause | Missing | None]


def _entered(name: str, kind: str) -> Source:
    def cause(view: View) -> Cause | Missing | None:
        known = view.entries.get(name)
        if known is not None:
            return known
        at = view.entered(name)
        if isinstance(at, Missing):
            return at
        view.entries[name] = found = Cause(kind, at, f"{kind}:{milliseconds(at)}")
        return found

    return cause


def _once_per_cycle(kind: str, read: Callable[[View], Any], first: Callable[[Any], tuple[datetime, str]]) -> Source:
    """The first of something in the cycle; one that is older and logged later is no new cause (D6)."""

    def cause(view: View) -> Cause | Missing | None:
        found = read(view)
        if isinstance(found, Missing):
            return found
        if not found:
            return None
        begins = view.cycle()
        if isinstance(begins, Missing):
            return begins
        at, id_ = first(found[0])
        return Cause(kind, at, f"{kind}:{milliseconds(begins)}", id_)

    return cause


def _mark(mark: Engagement) -> tuple[datetime, str]:
    return mark.at, mark.id


def _meeting(met: tuple[datetime, Engagement]) -> tuple[datetime, str]:
    return met[0], met[1].id


def _last_rep_outreach(view: View) -> Cause | Missing | None:
    found = engagements.outreaches(view)
    if isinstance(found, Missing):
        return found
    if not found:
        return None
    return Cause("last_rep_outreach", found[-1].at, f"last_rep_outreach:{found[-1].id}", found[-1].id)


def _meeting_without_outcome(view: View) -> Cause | Missing | None:
    found = engagements.without_outcome(view)
    if found is None or isinstance(found, Missing):
        return found
    at = engagements.ends_at(found)
    return Cause("meeting_without_outcome", at, f"meeting_without_outcome:{found.id}:{milliseconds(at)}", found.id)


def _moment(kind: str, read: Callable[[View], datetime | Missing | None]) -> Source:
    def cause(view: View) -> Cause | Missing | None:
        at = read(view)
        return at if at is None or isinstance(at, Missing) else Cause(kind, at, f"{kind}:{milliseconds(at)}")

    return cause


def _reengaged(view: View) -> Cause | Missing | None:
    """Once per stay in the Lead status: a second form is no new cause."""
    found = activity.reengaged(view)
    if found is None or isinstance(found, Missing):
        return found
    entered = view.entered(STATUS)
    if isinstance(entered, Missing):
        return entered
    return Cause("reengaged", found.at, f"reengaged:{milliseconds(entered)}", found.id)


def _deal(kind: str, pick: Callable[[DealSummary], Milestone | None]) -> Source:
    def cause(view: View) -> Cause | Missing | None:
        summary = view.deals()
        if isinstance(summary, Missing):
            return summary
        mark = pick(summary)
        return Cause(kind, mark.at, f"{kind}:{mark.deal}:{milliseconds(mark.at)}", mark.deal) if mark else None

    return cause


def _churn(view: View) -> Cause | Missing | None:
    if view.policy.churn is None:
        return None
    name = view.policy.churn[0]
    at = view.entered(name)
    return at if isinstance(at, Missing) else Cause("churn", at, f"churn:{milliseconds(at)}")


def _task_completed(view: View) -> Cause | Missing | None:
    done = completed_task(view)
    if done is None or isinstance(done, Missing):
        return done
    return Cause("task_completed", done.at, f"task_completed:{done.write_id}", str(done.write_id))


def _qualification_completed(view: View) -> Cause | Missing | None:
    at = qualification_completed(view)
    kind = "qualification_completed"
    return Cause(kind, at, f"{kind}:{milliseconds(at)}") if isinstance(at, datetime) else at


def _last_reviewed(view: View) -> Cause | Missing | None:
    at = last_reviewed(view)
    return at if isinstance(at, Missing) else Cause("last_reviewed", at, f"last_reviewed:{milliseconds(at)}")


_status_entered = _entered(STATUS, "lead_status_entered")
_stage_entered = _entered(STAGE, "lifecycle_stage_entered")
_deal_opened = _deal("deal_opened", lambda d: d.opened)

CAUSES: dict[str, tuple[Source, str]] = {
    "lead_status_entered": (_status_entered, "the present Lead status was entered"),
    "lifecycle_stage_entered": (_stage_entered, "the present Lifecycle stage was entered"),
    "first_rep_outreach": (
        _once_per_cycle("first_rep_outreach", engagements.outreaches, _mark),
        "a rep reached out for the first time in this cycle",
    ),
    "last_rep_outreach": (_last_rep_outreach, "a rep reached out, again or for the first time"),
    "first_reply": (
        _once_per_cycle("first_reply", engagements.replies, _mark),
        "the lead replied for the first time in this cycle",
    ),
    "first_meeting_booked": (
        _once_per_cycle("first_meeting_booked", engagements.booked, _meeting),
        "a meeting was booked for the first time in this cycle",
    ),
    "first_meeting_held": (
        _once_per_cycle("first_meeting_held", engagements.held, _meeting),
        "a meeting took place for the first time in this cycle",
    ),
    "meeting_without_outcome": (_meeting_without_outcome, "a meeting ended and nobody gave its outcome"),
    "idle_since": (_moment("idle_since", activity.idle_since), "something happened for the last time"),
    "reengaged": (_reengaged, "a form, reply or meeting for the first time in the present Lead status"),
    "review_date": (_moment("review_date", activity.review_day), "the day of hubsync_review_date began"),
    "marketing_click": (_moment("marketing_click", activity.marketing_click), "a marketing e-mail was clicked"),
    "deal_opened": (_deal_opened, "the newest open deal was opened"),
    "last_deal_won": (_deal("last_deal_won", lambda d: d.last_won), "a deal was won"),
    "last_deal_lost": (_deal("last_deal_lost", lambda d: d.last_lost), "a deal was lost"),
    "deal_close_date": (_deal("deal_close_date", lambda d: d.closes), "the close date of an open deal has come"),
    "deal_step_entered": (_deal("deal_step_entered", lambda d: d.step), "an open deal entered its present step"),
    "task_completed": (
        _task_completed,
        "a person completed a hubsync task, and the Lead status has stood since it was written",
    ),
    "last_reviewed": (_last_reviewed, "the review date was set, or the Lead status entered, if that is later"),
    "churn": (_churn, "the portal marked the customer as lost"),
    "score_reached": (scoring.reached, "the score reached the threshold"),
    "score_changed": (scoring.score_changed, "the score changed, by an event or as points ran out"),
    "qualification_completed": (_qualification_completed, "the last entry of `qualification:` became known"),
}
"""Every cause a rule may name, with its meaning."""


def later_of(*sources: Source) -> Source:
    """The later of several causes; those that don't exist are passed over."""

    def cause(view: View) -> Cause | Missing | None:
        found: list[Cause] = []
        for source in sources:
            one = source(view)
            if isinstance(one, Missing):
                return one
            if one is not None:
                found.append(one)
        return max(found, key=lambda c: (c.at, c.key), default=None)

    return cause


def stage_or_opening(with_open_deal: bool) -> Source:
    """The cause of a cell that writes the status (C2): the stage's entry, or the deal's opening where that is later."""
    return later_of(_stage_entered, _deal_opened) if with_open_deal else _stage_entered


def combination_entered(with_open_deal: bool = False) -> Source:
    """When the combination of status and stage (and, where it matters, an open deal) came about.

    For findings that only report, and for hard cells: a person who chooses such a combination again gives a new cause.
    """
    return later_of(_status_entered, _stage_entered, *((_deal_opened,) if with_open_deal else ()))


def once_per_deal(source: Source) -> Source:
    """The same cause, remembered once per open deal (`once_per: deal`)."""

    def cause(view: View) -> Cause | Missing | None:
        found = source(view)
        if found is None or isinstance(found, Missing):
            return found
        summary = view.deals()
        if isinstance(summary, Missing):
            return summary
        if summary.opened is None:
            return found
        return replace(found, key=f"deal:{summary.opened.deal}")

    return cause


def once_per_status(source: Source) -> Source:
    """The same cause, remembered once per Lead status and work cycle (`once_per: status`)."""

    def cause(view: View) -> Cause | Missing | None:
        found = source(view)
        if found is None or isinstance(found, Missing):
            return found
        begins = view.cycle()
        if isinstance(begins, Missing):
            return begins
        return replace(found, key=f"status:{view.status}:{milliseconds(begins)}")

    return cause


def ledger_key(rule: str, cause: Cause, target: str) -> str:
    """The key under which a fired cause is spent for one target: a property name or a task template (design 1)."""
    return f"{rule}|{cause.key}|{target}"
