"""The shape of portal.yaml, as text enters: the portal's words, who is managed, who writes what.

Every scalar arrives as text (design 3 "YAML"); these models give types. Meaning is checked when they are compiled
(policy/compile.py, policy/gaps.py); nothing here knows of files, lines or a portal.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from hubsync.policy.pacing import moment_of
from hubsync.policy.spec import Conditions, Language, Spec, Text

Kind = Literal["person", "automation", "import", "integration", "form"]


class StatusSpec(Spec):
    """One Lead status (playbook section 2): how to find it in HubSpot, and what it means."""

    value: Text | None = None
    labels: dict[Language, Text]
    like: Text | None = None
    active: bool = False
    meaning: Text
    use_when: Text
    example: Text = ""
    data: Text = ""
    starts: Text = ""
    next_step: Text = ""
    red_flag: Text = ""
    required: list[Text] = []


class StageSpec(Spec):
    """One Lifecycle stage (D1): `optional` stages may be absent, `aside` stages have no place in the order."""

    value: Text | None = None
    labels: dict[Language, Text] = {}
    like: Text | None = None
    optional: bool = False
    aside: bool = False
    managed: bool = False


class ScopeSpec(Spec):
    """Who is managed (D5): one of `managed_if` holds, none of `unless`; `beyond` are rules that also see customers."""

    managed_if: list[Conditions]
    unless: list[Conditions] = []
    beyond: list[Text] = []


class SettlingSpec(Spec):
    """Quiet times (D7)."""

    status: Text = "2 minutes"
    combination: Text = "15 minutes"


class DealsSpec(Spec):
    """Which deals count (D8) and whom they speak for (A7)."""

    sales_pipelines: list[Text]
    ignored_labels: list[Text] = []
    contacts: Literal["with_status", "primary", "labelled", "all"] = "with_status"
    labels: list[Text] = []
    loss_categories: dict[Text, list[Text]] = {}


class IncomingSpec(Spec):
    """The property of communications that tells which of them came from the lead, and its values that say so."""

    property: Text
    values: list[Text]


class EngagementsSpec(Spec):
    """How to read calls and messages (A4): dispositions of calls that connected, and what marks incoming messages."""

    connected_calls: list[Text] = ["f240bbac-87c9-4f6e-bf70-924b57d47db7"]
    incoming_messages: IncomingSpec | None = None


class ChurnSpec(Spec):
    """Where the portal marks a lost customer (C6)."""

    property: Text
    values: list[Text]


class PropertySpec(Spec):
    """A property of hubsync's own, in HubSpot's words; `setup` creates what the portal lacks."""

    label: Text
    type: Literal["string", "number", "date", "datetime", "bool", "enumeration"]
    description: Text
    options: list[Text] = []


def _share(text: str) -> str:
    number = text.removesuffix("%").strip()
    try:
        known = text.endswith("%") and 0 <= float(number) <= 100
    except ValueError:
        known = False
    if not known:
        raise ValueError("must be a share such as 10%")
    return text


class GuardSpec(Spec):
    """When a one-shot run stops before its first write, and what the service may change in a while (design 5 "Guard").

    `rule_an_hour` and `all_a_day` stand in for what follows from the portal's size.
    """

    share: Annotated[Text, AfterValidator(_share)] = "10%"
    at_least: int = Field(default=20, ge=0)
    tasks: int = Field(default=200, ge=0)
    tasks_per_owner: int = Field(default=15, ge=1)
    burst: int = Field(default=50, ge=1)
    rule_an_hour: int | None = Field(default=None, ge=1)
    all_a_day: int | None = Field(default=None, ge=1)


def _moment(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" is neither a date such as 2026-12-24 nor 2026-12-24T18:00') from None
    return text


Moment = Annotated[Text, AfterValidator(_moment)]


class FreezeSpec(Spec):
    """A time in which nothing is written (B7). A date as `to` is the whole day; both in the portal's time zone."""

    from_: Moment = Field(alias="from")
    to: Moment
    says: Text = ""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        zone = ZoneInfo("UTC")
        if moment_of(self.to, zone, end=True) <= moment_of(self.from_, zone):
            raise ValueError(f"it ends ({self.to}) before it begins ({self.from_})")
        return self


def _address(text: str) -> str:
    if not re.fullmatch(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+", text) or not text.isascii():
        raise ValueError(f'"{text}" is not an e-mail address')
    return text


def _variable(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) or text.upper().startswith("HUBSYNC_"):
        raise ValueError("must be the name of an environment variable that doesn't begin with HUBSYNC_, not an address")
    return text


Address = Annotated[Text, AfterValidator(_address)]


class TeamAlertsSpec(Spec):
    """Where a team's alerts go: `webhook_from` names the environment variable that holds the address, a secret."""

    webhook_from: Annotated[Text, AfterValidator(_variable)]


class AlertsSpec(Spec):
    """Who is told when something is wrong, beside the webhook of the settings (issue 4)."""

    to: list[Address] = []
    from_: Address | None = Field(default=None, alias="from")
    teams: dict[Text, TeamAlertsSpec] = {}


class BacklogSpec(Spec):
    """A category of old causes (B2): which findings it gathers, and what is proposed for them."""

    says: Text
    when: Conditions | list[Conditions] = {}
    rules: list[Text] = []
    age: Text | None = None
    proposed: Text = "leave"
    clock: Literal["past", "now"] = "past"
    """From when a status set by treating counts: as old as its cause, so that nothing starts, or from now."""


class RequirementSpec(Spec):
    """Something to be on record: its name for people, and where it stands: in any of these properties, or as `when`."""

    label: Text
    any_of: list[Text] = []
    when: Conditions | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.any_of) == (self.when is not None):
            raise ValueError("a requirement names either any_of (properties or facts) or when (conditions)")
        return self


class PortalSpec(Spec):
    """portal.yaml: the portal's words, who is managed, who writes, who leads whom."""

    language: Language = "en"
    statuses: dict[Text, StatusSpec]
    stages: dict[Text, StageSpec]
    names: dict[Text, Text] = {}
    lists: dict[Text, list[Text]] = {}
    scope: ScopeSpec
    settling: SettlingSpec = SettlingSpec()
    writers: dict[Text, Kind] = {}
    deals: DealsSpec
    engagements: EngagementsSpec = EngagementsSpec()
    churn: ChurnSpec | None = None
    properties: dict[Text, PropertySpec] = {}
    requirements: dict[Text, RequirementSpec] = {}
    required_data: dict[Text, list[Text]] = {}
    qualification: list[Text] = []
    high_value: list[Conditions] = []
    approvers: list[Text] = []
    managers: dict[Text, Text] = {}
    guard: GuardSpec = GuardSpec()
    alerts: AlertsSpec = AlertsSpec()
    backlog: dict[Text, BacklogSpec] = {}
    work_hours: Any = None
    tasks_only_in_business_hours: bool = True
    freeze: list[FreezeSpec] = []
