"""What hubsync knows of one contact at one moment: the input of every decision.

Values are HubSpot's, as decoded from the wire: nothing is parsed until a rule asks for it (policy/facts.py).
`None` for history, deals, engagements, meetings or tasks means *not read*, never *there are none*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hubsync.policy.changes import CompletedTask, OpenTask
from hubsync.policy.faded import faded
from hubsync.policy.instants import instant_or_none

RawEntry = Mapping[str, Any]
"""One entry of `propertiesWithHistory`: value, timestamp, sourceType, sourceId?, sourceLabel?, updatedByUserId?."""


@dataclass(frozen=True, slots=True)
class StageVisit:
    """One entry of a deal's stage history: the stage's internal id and when it was entered (UTC)."""

    stage: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Deal:
    """A deal associated with the contact. `stage_history` is newest first; `labels` are those of the association."""

    id: str
    pipeline: str
    properties: Mapping[str, str | None]
    stage_history: tuple[StageVisit, ...]
    labels: frozenset[str] = frozenset()
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Engagement:
    """An e-mail, call, communication, meeting or task on the contact's timeline. `kind` is the type's plural name."""

    kind: str
    id: str
    at: datetime
    properties: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class OurWrite:
    """A value that the ledger says hubsync wrote.

    It is recognised in history by its position, not by clocks: `value` directly above the entry that had the
    timestamp `below` ("" where there was none). `effective_at` is the date the change should have had; `restores`
    marks writes that put a former value back (undo, repair), which history is read without. `by` is "person" where
    somebody decided on the value and hubsync only carried it out (a bulk change): then it counts as that person's.
    """

    property: str
    value: str
    below: str
    effective_at: datetime
    rule: str
    written_at: datetime
    restores: bool = False
    by: str = "hubsync"
    before: str = ""
    """The value that it replaced."""
    repairs: bool = False
    """Whether it put back what somebody had set unseen and hubsync had written over, so that their choice holds."""


@dataclass(slots=True)
class Contact:
    """A contact as read from HubSpot, with what the ledger knows of it.

    `properties` maps internal names to text or None; `history` maps internal names to entries, newest first.
    `spent` holds the ledger keys (policy/causes.py) whose cause has fired, `faded` the fingerprints of those whose rows
    were purged; `open_tasks` our tasks on it, `completed_tasks` those that people completed. Treated as a value: never
    changed in place.
    """

    id: str
    properties: Mapping[str, str | None]
    history: Mapping[str, Sequence[RawEntry]] | None = None
    deals: tuple[Deal, ...] | None = None
    engagements: tuple[Engagement, ...] | None = None
    ours: tuple[OurWrite, ...] = ()
    spent: frozenset[str] = frozenset()
    faded: frozenset[str] = frozenset()
    open_tasks: tuple[OpenTask, ...] = ()
    completed_tasks: tuple[CompletedTask, ...] = ()
    meetings: tuple[Engagement, ...] | None = None
    others_tasks: tuple[Engagement, ...] | None = None
    """Open tasks that aren't hubsync's; `at` of each is when it is due."""
    digests: Mapping[str, datetime] = field(default_factory=dict)
    """Tasks of hubsync's that name many leads (B4) and only hang on this one, by HubSpot's id: when each is due."""

    def with_history(self, properties: Mapping[str, str | None], history: Mapping[str, Sequence[RawEntry]]) -> Contact:
        """The contact with its history, and the properties that came with it."""
        return Contact(
            self.id,
            properties,
            history,
            self.deals,
            self.engagements,
            self.ours,
            self.spent,
            self.faded,
            self.open_tasks,
            self.completed_tasks,
            self.meetings,
            self.others_tasks,
            self.digests,
        )

    def has_fired(self, ledger_key: str) -> bool:
        """Whether this cause of a rule is spent for this target, as far as the ledger ever knew."""
        return ledger_key in self.spent or (bool(self.faded) and faded(ledger_key) in self.faded)

    @property
    def modified_at(self) -> datetime | None:
        """When HubSpot last changed anything on the contact (`lastmodifieddate`)."""
        return instant_or_none(self.properties.get("lastmodifieddate"))
