"""The plain values that go into the store and come out of it.

Nothing here knows SQL. Every time is an aware datetime in UTC; `contact` is HubSpot's contact id as text; a value of
None is an empty property.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypedDict

from hubsync.policy.value import value

WriteKind = Literal["set", "task", "undo", "withdraw", "digest", "alert"]
NOTICES: frozenset[WriteKind] = frozenset({"digest", "alert"})
"""Kinds of rows that stand for no call, but for what somebody is told (store/notices.py)."""
WriteState = Literal["planned", "sent", "applied", "not_applied", "refused", "superseded", "overridden", "undone"]
RunState = Literal["running", "done", "stopped", "interrupted", "failed"]
"""stopped: by the guard; interrupted: Ctrl-C or a process that died; failed: an error."""

OPEN_STATES: frozenset[WriteState] = frozenset({"planned", "sent"})
"""States whose outcome isn't known yet."""
FREE_STATES: frozenset[WriteState] = frozenset({"refused", "not_applied"})
"""States that free the ledger key: the same cause may be tried again (after back-off, which is the caller's)."""
FORMER = "written to the former contact "
"""In the note of a value that was written to a contact that was merged away since; its id follows. The history of the
contact that it became tells nothing of it.
"""


@dataclass(frozen=True, slots=True)
class Portal:
    """A portal this database serves. `app_id` is our own app's, where known, `active_digest` that of the rules.

    `ui_domain` is where people see its records, such as app-eu1.hubspot.com.
    """

    id: int
    time_zone: str | None
    app_id: str | None
    effective_since: datetime | None
    active_digest: str | None
    remembered_at: datetime
    ui_domain: str | None = None


class Learned(TypedDict, total=False):
    """What is learned of a portal now and then."""

    time_zone: str | None
    app_id: str | None
    ui_domain: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command, shown to people by its `id`. `epoch` is that of its lease, None for a dry run."""

    id: int
    kind: str
    args: Mapping[str, Any]
    state: RunState
    rules_digest: str
    started_at: datetime
    finished_at: datetime | None
    counts: Mapping[str, int]
    epoch: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWrite:
    """A row for the ledger, before the call that it stands for is made.

    (contact, rule, cause_key, target) is the ledger key; `target` is a property name or a task template. `below` is the
    timestamp, as HubSpot wrote it, of the history entry we mean to write above ("" where there is none). `ref` is the
    reference in the task, kept because a merge or a renamed rule would derive another. `state` is `superseded` for a
    cause that is spent without a call. An undo is a write with a cause_key of its own (the write undone), so that the
    undone cause stays spent.
    """

    contact: str
    rule: str
    cause_key: str
    target: str
    kind: WriteKind
    after: str | None
    before: str | None = None
    below: str = ""
    playbook: str = ""
    cause_kind: str = ""
    cause_at: datetime | None = None
    cause_id: str | None = None
    rules_digest: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    effective_at: datetime | None = None
    ref: str = ""
    note: str | None = None
    state: Literal["planned", "superseded"] = "planned"


@value
class Write:
    """A row of the ledger: what was to be written, why, and what became of it.

    `object_id` is that of the task created; `answer` is HubSpot's message where it said no. `closed_at` is when a
    task was found deleted or replaced, or when a person completed it (the note then says so). The other fields are
    those of `NewWrite`.
    """

    id: int
    run: int
    contact: str
    rule: str
    playbook: str
    cause_kind: str
    cause_at: datetime | None
    cause_id: str | None
    cause_key: str
    target: str
    kind: WriteKind
    before: str | None
    after: str | None
    below: str
    state: WriteState
    answer: str | None
    object_id: str | None
    ref: str
    rules_digest: str
    facts: Mapping[str, Any]
    effective_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    closed_at: datetime | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Planned:
    """What `plan_writes` did with a row: `id` and `state` of the row that holds its key, `fresh` if inserted now.

    Where that row was purged, its `id` is 0.
    """

    id: int
    fresh: bool
    state: WriteState


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of one write. A field left None keeps what the row had."""

    id: int
    state: WriteState
    at: datetime
    answer: str | None = None
    object_id: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """One line of a plan. `kind` sorts entries for counting (change, task, finding …); `body` is any JSON object."""

    contact: str | None
    kind: str
    rule: str | None
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlanCount:
    """How many entries of a kind, over how many contacts."""

    entries: int
    contacts: int


@dataclass(frozen=True, slots=True)
class Look:
    """What the mirror holds of a contact since it was last looked at.

    `properties` holds what the policy names; a personal one (name, e-mail, phone) is never passed in by value, only as
    known or not. `facts` maps a dear fact to {"stamp": …, "value": …}; None, when saving, keeps those stored.
    """

    contact: str
    properties: Mapping[str, str | None]
    lastmodified: datetime
    digest: str
    read_at: datetime
    next_look_at: datetime | None = None
    facts: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One entry of a property's history. `position` counts from 0, the oldest."""

    contact: str
    property: str
    position: int
    value: str | None
    at: datetime
    source_type: str
    source_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Stint:
    """One stay in a status or stage, with who owned the contact then. `left_at` None: still there."""

    contact: str
    property: str
    position: int
    value: str
    entered_at: datetime
    left_at: datetime | None = None
    owner: str | None = None
    team: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """A person changed what hubsync had written: `before` is ours, `after` theirs, `by` a source and id."""

    contact: str
    rule: str
    property: str
    at: datetime
    by: str
    before: str | None
    after: str | None
    cause_key: str
    write: int | None = None


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A contact that is to be looked at. `attempts` counts failed looks since it was last done."""

    contact: str
    generation: int
    due_at: datetime
    attempts: int
    why: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a portal's lease, and until when by the database's clock."""

    holder: str
    epoch: int
    until: datetime
