"""The shape of `*_test.yaml`: cases that say what the rules do with a contact (style.md idiom 5).

Pydantic models of text as it enters. What a contact looks like in HubSpot is situations.py's business, running cases
cases.py's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from hubsync.policy.worktime import parse_duration

Text = str


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _instant(text: Any) -> Any:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise ValueError(f'"{text}" is not a moment; write it as 2026-03-03T10:00:00Z')
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


Instant = Annotated[datetime, BeforeValidator(_instant)]

ACTS = (
    "set",
    "rep_email",
    "rep_call",
    "rep_message",
    "lead_email",
    "connected_call",
    "meeting_booked",
    "meeting_held",
    "form_sent",
    "marketing_click",
    "deal_opened",
    "deal_won",
    "deal_lost",
    "task_completed",
)
"""What can happen to a contact in a case."""

EXPECTATIONS = ("set", "propose", "task", "withdrawn", "finding", "digest", "alert", "backlog", "conflict")
"""What can be expected of a case."""


class DealAct(_Spec):
    """A deal that was opened, won or lost; `reason` is its `closed_lost_reason`, `closes` its close date."""

    id: Text
    pipeline: Text | None = None
    labels: list[Text] = []
    primary: bool = False
    reason: Text | None = None
    closes: Instant | None = None
    amount: Text | None = None


class MeetingAct(_Spec):
    """A meeting: when it begins and ends (a day after it was booked, half an hour), and its `hs_meeting_outcome`."""

    id: Text = "1"
    start: Instant | None = None
    end: Instant | None = None
    outcome: Text | None = None


class CompletedAct(_Spec):
    """A hubsync task that a person completes, by its template."""

    template: Text


class ActSpec(_Spec):
    """Something that happened: when, exactly one of `ACTS`, and for `set` by whom.

    `by` is a writer kind, a sourceType in capitals, or hubsync, which then names its `rule`.
    """

    at: Instant
    by: Text = "person"
    rule: Text | None = None
    set: dict[Text, Text] | None = None
    rep_email: dict[Text, Text] | None = None
    rep_call: dict[Text, Text] | None = None
    rep_message: dict[Text, Text] | None = None
    lead_email: dict[Text, Text] | None = None
    connected_call: dict[Text, Text] | None = None
    meeting_booked: MeetingAct | None = None
    meeting_held: MeetingAct | None = None
    form_sent: dict[Text, Text] | None = None
    marketing_click: dict[Text, Text] | None = None
    deal_opened: DealAct | None = None
    deal_won: DealAct | None = None
    deal_lost: DealAct | None = None
    task_completed: CompletedAct | None = None

    @model_validator(mode="after")
    def _one_act(self) -> ActSpec:
        if len([name for name in ACTS if getattr(self, name) is not None]) != 1:
            raise ValueError(f"one thing happens at a time: {', '.join(ACTS)}")
        if (self.by == "hubsync") != (self.rule is not None):
            raise ValueError("what hubsync set names its rule, and nothing else does: by: hubsync, rule: its id")
        return self

    @cached_property
    def kind(self) -> str:
        """Which of `ACTS` it is."""
        return next(name for name in ACTS if getattr(self, name) is not None)


class TaskExpectation(_Spec):
    """A task: its template, and where it matters its owner's id and when it is due."""

    template: Text
    owner: Text | None = None
    due: Instant | None = None


class NoticeExpectation(_Spec):
    """A digest's entry or an alert: whom the rule tells, and where it matters the text and the owner id it goes to."""

    to: Text
    text: Text | None = None
    recipient: Text | None = None


class Expectation(_Spec):
    """One thing the rules are to do: exactly one of `EXPECTATIONS`; `rule` says which rule is to do it."""

    set: dict[Text, Text] | None = None
    propose: dict[Text, Text] | None = None
    task: TaskExpectation | None = None
    withdrawn: Text | None = None
    finding: Text | None = None
    digest: NoticeExpectation | None = None
    alert: NoticeExpectation | None = None
    backlog: dict[Text, Text] | None = None
    conflict: Text | None = None
    rule: Text | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Expectation:
        if len([name for name in EXPECTATIONS if getattr(self, name) is not None]) != 1:
            raise ValueError(f"an expectation is exactly one of {', '.join(EXPECTATIONS)}")
        return self


class StepSpec(_Spec):
    """One step of a story: what happened since the look before, when hubsync looks again, and what is to come then.

    Exactly one of `after` (a duration since the look before, calendar or business) and `at` says when.
    """

    after: Text | None = None
    at: Instant | None = None
    acts: list[ActSpec] = []
    look_again: Instant | None = None
    expect: list[Expectation]

    @model_validator(mode="after")
    def _one_moment(self) -> StepSpec:
        if (self.after is None) == (self.at is None):
            raise ValueError("a step says when hubsync looks again: after: 2 days, or at: 2026-03-05T10:00:00Z")
        if self.after is not None:
            parse_duration(self.after)
        return self


class CaseSpec(_Spec):
    """One case.

    `each` runs it once for every combination of the values listed, put into `contact`; `fired` names rules whose
    present cause is spent; `portal` is laid over portal.yaml; `enable` switches on rules that the files leave off;
    `about` names the files of rules it is about; `since` is where the backlog ends (B1). `steps` make it a story: the
    contact lives on with whatever was decided before.
    """

    name: Text
    now: Instant | None = None
    since: Instant | None = None
    contact: dict[Text, Text] = {}
    each: dict[Text, list[Text]] = {}
    acts: list[ActSpec] = []
    fired: list[Text] = []
    portal: dict[Text, Any] = {}
    enable: list[Text] = []
    about: list[Text] = []
    look_again: Instant | None = None
    expect: list[Expectation]
    steps: list[StepSpec] = []


class CasesSpec(_Spec):
    """A file of cases; its `now`, `contact` and `about` stand for whatever a case doesn't say itself."""

    now: Instant | None = None
    about: list[Text] = []
    contact: dict[Text, Text] = {}
    cases: list[CaseSpec]
