"""The facts a rule may ask. Any other name is a contact property by its HubSpot name.

A getter takes the `View` and answers a value (text, number, datetime, None) or `Missing`. Cheap facts come from the
contact's properties; dear ones hang on history, deals or engagements and are fetched only when a rule hangs on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from operator import attrgetter, methodcaller
from typing import Any

from hubsync.policy.approval import approved_by_listed_approver, high_value
from hubsync.policy.changes import CompletedTask
from hubsync.policy.deals import DealSummary, Milestone
from hubsync.policy.engagement_facts import ENGAGEMENT_FACTS
from hubsync.policy.fact import MOMENT, NUMBER, STAGE_KEYS, STATUS_KEYS, TEXT, Fact, Getter
from hubsync.policy.instants import instant_or_none
from hubsync.policy.planned import next_action, next_action_ends
from hubsync.policy.requirements import missing_data, qualification_completed
from hubsync.policy.scoring import engagement_score, next_change, score, score_differs, score_reached
from hubsync.policy.timeline import WRITER_KINDS
from hubsync.policy.view import DEALS, ENGAGEMENTS, HISTORY, NO_HISTORY, Missing, View
from hubsync.policy.vocabulary import REVIEW_DATE, STAGE, STATUS

__all__ = ["FACTS", "MOMENT", "NUMBER", "STAGE_KEYS", "STATUS_KEYS", "TEXT", "Fact", "Getter", "documented", "fact"]


def _status_key(view: View) -> str | None:
    return view.policy.statuses.key(view.status)


def _stage_key(view: View) -> str | None:
    return view.policy.stages.key(view.stage)


def _status_before(view: View) -> Any:
    value = view.previous(STATUS)
    return value if isinstance(value, Missing) else view.policy.statuses.key(value)


def _stage_before(view: View) -> Any:
    value = view.previous(STAGE)
    return value if isinstance(value, Missing) else view.policy.stages.key(value)


def _deal(read: Callable[[DealSummary], Any]) -> Getter:
    def get(view: View) -> Any:
        summary = view.deals()
        return summary if isinstance(summary, Missing) else read(summary)

    return get


def _at(mark: Milestone | None) -> Any:
    return mark.at if mark else None


def _covers(view: View) -> Any:
    """A7's setting `contacts`: with_status wants a Lead status, primary and labelled a mark on the association."""
    summary = view.deals()
    if isinstance(summary, Missing):
        return summary
    wanted = summary.covered and (view.policy.deals.contacts != "with_status" or bool(view.status))
    return "true" if wanted else "false"


def last_reviewed(view: View) -> datetime | Missing:
    """When the lead was last looked at again: its review date was set, or its Lead status entered, if that is later."""
    entered, dates = view.entered(STATUS), view.line(REVIEW_DATE)
    if isinstance(entered, Missing) or isinstance(dates, Missing):
        return NO_HISTORY
    return max(entered, dates[-1].at) if dates else entered


def completed_task(view: View) -> CompletedTask | Missing | None:
    """The hubsync task that a person completed last, if the Lead status has stood since it was written (A19, T16)."""
    if not view.contact.completed_tasks:
        return None
    done = max(view.contact.completed_tasks, key=lambda t: (t.at, t.write_id))
    since = view.entered(STATUS)
    return since if isinstance(since, Missing) else done if done.written >= since else None


def _completed(read: Callable[[CompletedTask], Any]) -> Getter:
    def get(view: View) -> Any:
        done = completed_task(view)
        return done if done is None or isinstance(done, Missing) else read(done)

    return get


def _email_domain(view: View) -> str | None:
    email = view.properties.get("email")
    return email.rpartition("@")[2].casefold() if email and "@" in email else None


def _created_by(view: View) -> Any:
    """Who made the contact: by `hs_object_source`, else by the source of its first Lifecycle stage."""
    source = view.properties.get("hs_object_source")
    if source:
        exact = view.policy.writers.get(f"{source}:{view.properties.get('hs_object_source_id')}")
        return exact or view.policy.writers.get(source, "person")
    line = view.line(STAGE)
    if isinstance(line, Missing):
        return line
    return line[0].by if line else None


def _owner_team(view: View) -> str | None:
    teams = view.policy.owner_teams.get(view.properties.get("hubspot_owner_id") or "", ())
    return teams[0] if teams else None


def _churned(view: View) -> bool:
    churn = view.policy.churn
    return bool(churn) and view.properties.get(churn[0]) in churn[1] if churn else False


def property_fact(name: str) -> Fact:
    """The fact of a contact property, its text as HubSpot holds it."""

    def get(view: View) -> str | None:
        return view.properties.get(name) or None

    return Fact(name, get, TEXT, 0, "a contact property", text_of=name)


def moment_fact(fact: Fact) -> Fact:
    """The same fact read as a moment, for conditions on time; None where the value is no moment."""
    if fact.kind == MOMENT:
        return fact
    inner = fact.get
    return replace(fact, get=lambda view: instant_or_none(inner(view)), kind=MOMENT, text_of="")


_FACTS = (
    Fact("lead_status", _status_key, STATUS_KEYS, 0, "the Lead status as a policy key", STATUS),
    Fact("lifecycle_stage", _stage_key, STAGE_KEYS, 0, "the Lifecycle stage as a policy key", STAGE),
    Fact(
        "lead_status_entered",
        methodcaller("entered", STATUS),
        MOMENT,
        HISTORY,
        "when the Lead status was entered",
        STATUS,
        bound=attrgetter("created"),
    ),
    Fact(
        "lifecycle_stage_entered", methodcaller("entered", STAGE), MOMENT, HISTORY, "when the stage was entered", STAGE
    ),
    Fact(
        "lead_status_by",
        lambda v: v.author(STATUS),
        TEXT,
        HISTORY,
        f"who set the Lead status: {', '.join(WRITER_KINDS)} or hubsync",
        STATUS,
    ),
    Fact("lifecycle_stage_by", lambda v: v.author(STAGE), TEXT, HISTORY, "who set the stage", STAGE),
    Fact("lead_status_before", _status_before, STATUS_KEYS, HISTORY, "the Lead status before this one", STATUS),
    Fact("lifecycle_stage_before", _stage_before, STAGE_KEYS, HISTORY, "the stage before this one", STAGE),
    Fact("cycle_started", lambda v: v.cycle(), MOMENT, HISTORY, "when the present work cycle began (D6)"),
    Fact("open_deals", _deal(lambda d: d.open), NUMBER, DEALS, "how many of the contact's deals are open"),
    Fact("won_deals", _deal(lambda d: d.won), NUMBER, DEALS, "how many are won"),
    Fact("lost_deals", _deal(lambda d: d.lost), NUMBER, DEALS, "how many are lost"),
    Fact("deal_opened", _deal(lambda d: _at(d.opened)), MOMENT, DEALS, "when the newest open deal was opened"),
    Fact("last_deal_won", _deal(lambda d: _at(d.last_won)), MOMENT, DEALS, "when a deal was last won"),
    Fact("last_deal_lost", _deal(lambda d: _at(d.last_lost)), MOMENT, DEALS, "when a deal was last lost"),
    Fact(
        "loss_category", _deal(lambda d: d.loss_category), TEXT, DEALS, "why the last lost deal was lost (portal.yaml)"
    ),
    Fact("loss_reason", _deal(lambda d: d.loss_reason), TEXT, DEALS, "the text of why the last lost deal was lost"),
    Fact("deal_amount", _deal(lambda d: d.amount), NUMBER, DEALS, "the amount of the newest open deal"),
    Fact(
        "deal_covers_contact",
        _covers,
        TEXT,
        DEALS,
        "whether an open deal speaks for this contact (A7's setting `contacts`)",
    ),
    Fact("deal_close_date", _deal(lambda d: _at(d.closes)), MOMENT, DEALS, "the earliest close date of the open deals"),
    Fact(
        "deal_step_entered",
        _deal(lambda d: _at(d.step)),
        MOMENT,
        DEALS,
        "since when the open deal that moves least stands in its step",
    ),
    Fact(
        "task_completed",
        _completed(lambda t: t.at),
        MOMENT,
        HISTORY,
        "when a person last completed a hubsync task, if the Lead status has stood since it was written",
    ),
    Fact(
        "last_reviewed",
        last_reviewed,
        MOMENT,
        HISTORY,
        "when the review date was last set, or the Lead status entered, if that is later",
        STATUS,
        bound=attrgetter("created"),
    ),
    Fact("completed_task", _completed(lambda t: t.template), TEXT, HISTORY, "the template of that task"),
    Fact("owner_team", _owner_team, TEXT, 0, "the name of the contact owner's main team"),
    Fact(
        "owner",
        lambda v: v.properties.get("hubspot_owner_id") or None,
        TEXT,
        0,
        "the contact owner's id",
        text_of="hubspot_owner_id",
    ),
    Fact("email_domain", _email_domain, TEXT, 0, "the part of the e-mail address after the @", reads=("email",)),
    Fact("created_by", _created_by, TEXT, 0, "who created the contact: a writer kind"),
    Fact(
        "churned",
        lambda v: "true" if _churned(v) else "false",
        TEXT,
        0,
        "whether the portal marks the customer as lost (C6)",
    ),
    Fact(
        "missing_data",
        missing_data,
        TEXT,
        HISTORY | ENGAGEMENTS,
        "what the Lead status requires and the record lacks, in words; empty where nothing is missing (A16)",
        changes=next_action_ends,
    ),
    Fact(
        "qualification_completed",
        qualification_completed,
        MOMENT,
        HISTORY,
        "when the last entry of `qualification:` became known (P2)",
    ),
    Fact("engagement_score", engagement_score, NUMBER, HISTORY, "hubsync's own score (P1)", changes=next_change),
    Fact("score", score, NUMBER, HISTORY, "the portal's HubSpot score if it has one, else ours", changes=next_change),
    Fact("score_reached", score_reached, MOMENT, HISTORY, "since when the score is enough (A15)", changes=next_change),
    Fact("score_differs", score_differs, TEXT, HISTORY, "whether our score isn't yet written", changes=next_change),
    Fact("high_value", high_value, TEXT, 0, "whether the lead passes the filter `high_value:` (T8)"),
    Fact(
        "approved_by_listed_approver",
        approved_by_listed_approver,
        TEXT,
        HISTORY,
        "whether a listed approver has agreed in this cycle (T8)",
    ),
    Fact(
        "next_action",
        next_action,
        MOMENT,
        HISTORY | ENGAGEMENTS,
        "the next task of somebody else's, or meeting, that lies ahead (T10)",
        changes=next_action_ends,
    ),
    *ENGAGEMENT_FACTS,
)

FACTS: dict[str, Fact] = {fact.name: fact for fact in _FACTS}


def fact(name: str) -> Fact:
    """The named fact, else the contact property of that name."""
    return FACTS.get(name) or property_fact(name)


def documented() -> Iterator[Fact]:
    """Every fact that is not a plain property, for the rule reference."""
    yield from _FACTS
