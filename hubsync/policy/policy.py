"""A policy: rules compiled for one portal, with the words, quiet times and calendars they need.

Made by policy/compile.py; a plain value afterwards, shared by threads, never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hubsync.policy.conditions import Test
from hubsync.policy.contact import Contact
from hubsync.policy.data import DataTerms
from hubsync.policy.deals import DealTerms
from hubsync.policy.engagements import EngagementTerms
from hubsync.policy.fingerprints import Fingerprint
from hubsync.policy.instants import EPOCH
from hubsync.policy.levels import ServiceLevel
from hubsync.policy.rules import Cell, Foreign, Rule
from hubsync.policy.spec import Language
from hubsync.policy.view import View
from hubsync.policy.vocabulary import STAGE, Option, Terms
from hubsync.policy.worktime import Calendar, Calendars


@dataclass(frozen=True, slots=True)
class PropertyShape:
    """What matters of a contact property's definition: its type, and the options of an enumeration."""

    type: str
    options: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Schema:
    """What a portal has that rules can lean on: options, properties, what its deal stages mean, who its owners are.

    `complete` is False for the schema that rule files imply by themselves: then every property counts as existing.
    `deal_stages` maps a deal stage's internal id to open, won or lost.
    """

    statuses: tuple[Option, ...]
    stages: tuple[Option, ...]
    properties: Mapping[str, PropertyShape]
    deal_stages: Mapping[str, str]
    zone: str = "UTC"
    owner_emails: frozenset[str] = frozenset()
    complete: bool = True
    owner_teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of each owner's teams by owner id, the main one first."""
    owner_ids: Mapping[str, str] = field(default_factory=dict)
    """Owner id by e-mail address in lower case, and by itself."""
    owner_users: Mapping[str, str] = field(default_factory=dict)
    """User id, which histories name, by owner id."""

    def has(self, name: str) -> bool:
        """Whether contacts have the property."""
        return not self.complete or name in self.properties


@dataclass(frozen=True, slots=True)
class Gap:
    """Something the rules need and the portal lacks. `off` says that the rule can't run at all."""

    rule: str
    playbook: str
    needs: str
    off: bool
    opt_in: bool = False
    """Something the rule files leave to be chosen: nothing is wrong where it isn't."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """From when on causes count (B1): older ones are backlog, shown and never written.

    `since` is None before the first write: everything is backlog. `rules` holds later moments of single rules.
    """

    since: datetime | None = None
    rules: Mapping[str, datetime] = field(default_factory=dict)

    def is_backlog(self, rule: str, at: datetime) -> bool:
        """Whether a cause of this moment is too old for the rule to act on."""
        if self.since is None:
            return True
        if not self.rules:
            return at < self.since
        start = self.rules.get(rule)
        return at < (start if start is not None and start > self.since else self.since)


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a decision needs besides the contact and the time.

    `cells` maps (Lead status, Lifecycle stage), HubSpot's values, "" for empty, to what can matter there.
    `counts_deals`, `counts_contacts`, `counts_meetings`, `counts_replies` and `dates_stages` say that the portal has
    HubSpot's cheap counters and dates.
    """

    rules: tuple[Rule, ...]
    cells: Mapping[tuple[str, str], Cell]
    statuses: Terms
    stages: Terms
    stage_order: Mapping[str, int]
    managed: Test
    writers: Mapping[str, str]
    quiet_status: timedelta
    deals: DealTerms
    engagements: EngagementTerms
    churn: tuple[str, frozenset[str]] | None
    cycle_statuses: frozenset[str]
    cycle_stages: frozenset[str]
    calendars: Calendars
    zone: ZoneInfo
    properties: tuple[str, ...]
    """Contact properties the policy asks, for reads."""
    history: tuple[str, ...]
    """Contact properties whose history it asks."""
    shapes: Mapping[str, PropertyShape]
    owner_emails: frozenset[str] = frozenset()
    counts_deals: bool = True
    counts_contacts: bool = True
    counts_meetings: bool = True
    counts_replies: bool = True
    dates_stages: bool = True
    gaps: tuple[Gap, ...] = ()
    digest: str = ""

    owner_teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of each owner's teams by owner id, the main one first."""
    mirrored: frozenset[str] = frozenset()
    """Of `properties`, those that are no personal data and may be kept in the mirror."""
    renamed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Former ids of rules (`was:`), whose past goes over to the new id."""
    backlog_tests: Mapping[str, Test] = field(default_factory=dict)
    """Per category of the backlog, in order: whether a contact belongs there (B2)."""
    managed_stages: frozenset[str] = frozenset()
    """HubSpot's values of the stages whose contacts are managed (D5)."""

    data: DataTerms = field(default_factory=DataTerms)
    """What is required of a lead's data, how engagement is scored, whose approval counts."""
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)
    """By rule: whether it still means what it meant at the last run (B1)."""
    levels: tuple[ServiceLevel, ...] = ()
    """The service levels whose clocks can be told (L1)."""
    up_for_tuning: frozenset[str] = frozenset()
    """Rules that only propose because people changed back too much of what they wrote (A18)."""
    language: Language = "en"
    """The language of portal.yaml, in which hubsync writes."""
    sentences: Mapping[str, str] = field(default_factory=dict)
    """What hubsync itself says, by its English, in the language of portal.yaml (policy/sentences.py)."""
    managers: Mapping[str, str] = field(default_factory=dict)
    """Owner id of a rep → owner id of the rep's manager."""
    by_team: Mapping[str, Policy] = field(default_factory=dict)
    """For teams that the roll-out lets do more or less (B6), by the team's name in lower case: the same, so capped."""
    foreign: tuple[Foreign, ...] = ()
    """Workflows of the portal's own, as declared (rules/foreign.yaml): what else writes, for `rules prove`."""
    brakes: bool = True
    """Whether hubsync refuses to fight (A18). Only a proof switches it off: rules must rest without it."""

    def say(self, english: str, **words: object) -> str:
        """A sentence of policy/sentences.py, its words filled in."""
        return self.sentences.get(english, english).format(**words)

    def of(self, contact: Contact) -> Policy:
        """The policy for this contact: that of the first of its owner's teams that has one of its own."""
        if not self.by_team:
            return self
        teams = self.owner_teams.get(contact.properties.get("hubspot_owner_id") or "", ())
        return next((self.by_team[t.casefold()] for t in teams if t.casefold() in self.by_team), self)

    @property
    def calendar(self) -> Calendar:
        """The portal's business hours; those of a contact are its owner's team's (`View.calendar`)."""
        return self.calendars.general

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that id."""
        return next((r for r in self.rules if r.id == rule_id), None)

    def in_scope(self, contact: Contact) -> bool:
        """Whether the contact is managed: at a managed stage, with an owner or a raised hand, not excluded (D5)."""
        return (contact.properties.get(STAGE) or "") in self.managed_stages and self.managed(
            View(self, contact, EPOCH)
        ) > 0
