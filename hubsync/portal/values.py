"""What the portal side hands out and takes in: plain values, decoded once, with nothing of HTTP in them.

The rest of hubsync knows HubSpot by these alone. No behaviour that reads, writes or waits belongs here.
Ids are always text. Times are aware and in UTC. Contacts, deals and engagements are `hubsync.policy.contact`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from hubsync.policy.contact import Contact


@dataclass(frozen=True, slots=True)
class Account:
    """The portal that the token belongs to (`GET /account-info/v3/details`).

    `time_zone` is an IANA name; `account_type` is STANDARD, DEVELOPER_TEST, SANDBOX or APP_DEVELOPER.
    """

    portal_id: int
    time_zone: str
    ui_domain: str
    currency: str
    account_type: str


@dataclass(frozen=True, slots=True)
class Option:
    """One option of an enumeration. `value` is the internal name; hidden options stay valid for old values."""

    value: str
    label: str
    order: int
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class PropertyDefinition:
    """A property as the portal defines it. `read_only` means that its value can't be written through the API."""

    name: str
    label: str
    type: str
    field_type: str
    group: str
    options: tuple[Option, ...] = ()
    read_only: bool = False
    calculated: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """A property's definition as it is now, for changing it. `options` are HubSpot's JSON, whole and in its order.

    `fixed_options`: HubSpot lets nobody change the options (`modificationMetadata.readOnlyOptions`).
    """

    name: str
    label: str
    type: str
    description: str
    options: tuple[Mapping[str, Any], ...]
    fixed_options: bool = False


@dataclass(frozen=True, slots=True)
class NewProperty:
    """A property to be created. `options` are (internal value, label), in order; the group must be there."""

    name: str
    label: str
    type: str
    field_type: str
    group: str
    description: str = ""
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Team:
    """A team that an owner is in; `primary` for the owner's main one."""

    id: str
    name: str
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner. `id` is what `hubspot_owner_id` holds; `user_id` is what history's `userId:` speaks of.

    Deactivated owners are `archived` and keep their user id (HubSpot's `userIdIncludingInactive`).
    """

    id: str
    email: str
    first_name: str
    last_name: str
    user_id: str | None
    archived: bool = False
    teams: tuple[Team, ...] = ()


@dataclass(frozen=True, slots=True)
class PipelineStage:
    """A step of a deal pipeline. `closed` covers won and lost; `won` is a closed step with probability 1."""

    id: str
    label: str
    order: int
    closed: bool = False
    won: bool = False


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A deal pipeline with its steps in display order."""

    id: str
    label: str
    stages: tuple[PipelineStage, ...]


@dataclass(frozen=True, slots=True)
class ContactsRead:
    """Answer of a batch read. `found` is keyed by the id that was asked for.

    A merged contact is found under its old id, with the survivor's id in `Contact.id`. `missing` are deleted or
    never were.
    """

    found: Mapping[str, Contact]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """Properties to be written to one contact. `trace` is unique within a batch (`objectWriteTraceId`).

    A value of "" clears the property (HubSpot ignores null).
    """

    id: str
    properties: Mapping[str, str]
    trace: str


OutcomeState = Literal["applied", "not_applied", "refused", "gone", "uncertain"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one `Update`.

    - applied: the answer shows what was asked (or a later lifecycle stage).
    - not_applied: HubSpot said yes and kept another value; `values` shows which.
    - refused: HubSpot said no; `answer` is its reason.
    - gone: the contact was deleted or merged away.
    - uncertain: no answer came in spite of several tries; HubSpot may have written it (writing again changes nothing).

    `values` are the asked properties as HubSpot's answer shows them; `updated_at` is the answer's, None without one.
    """

    id: str
    trace: str
    state: OutcomeState
    values: Mapping[str, str | None] = field(default_factory=dict)
    answer: str = ""
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to be created on a contact's timeline. `due` is aware; `owner_id` None leaves it unassigned.

    `priority` is LOW, MEDIUM, HIGH or NONE; `type` is TODO, CALL or EMAIL; `trace` is unique within a batch.
    """

    contact_id: str
    subject: str
    body: str
    owner_id: str | None
    due: datetime
    trace: str
    priority: str = "NONE"
    type: str = "TODO"


TaskState = Literal["created", "refused", "uncertain"]


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """What became of one `NewTask`. *uncertain*: no answer came, HubSpot may have created it; not tried again here."""

    trace: str
    state: TaskState
    task_id: str | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A task as read. `source` and `source_id` tell who created it (INTEGRATION and the app's id for our own)."""

    id: str
    subject: str
    body: str
    status: str
    owner_id: str | None
    due: datetime | None
    priority: str
    type: str
    created_at: datetime | None
    modified_at: datetime | None
    source: str = ""
    source_id: str = ""
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ScopeCheck:
    """Whether the token may do what `needed_for` says. `scope` is HubSpot's name for the permission."""

    scope: str
    needed_for: str
    present: bool


@dataclass(frozen=True, slots=True)
class Call:
    """How many calls of one route ended with one status; `status` 0 means that no answer came."""

    method: str
    route: str
    status: int
    count: int
