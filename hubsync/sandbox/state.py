"""The sandbox portal in memory: what HubSpot would hold, and the one way in which it changes.

Everything that changes a record goes through `Portal._commit`, so that history, modification dates, the search index,
derived properties and the journal agree. It speaks no HTTP and knows no limits; it must never import `portal/`.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from hubsync.sandbox import lifecycle, rollups, virtual
from hubsync.sandbox.clock import SandboxClock
from hubsync.sandbox.directory import Directory
from hubsync.sandbox.journal import Journal, Write
from hubsync.sandbox.links import Links
from hubsync.sandbox.mail import fill_addresses
from hubsync.sandbox.object_properties import ENGAGEMENTS, TYPE_IDS
from hubsync.sandbox.records import CALCULATED, Record, Source
from hubsync.sandbox.schemas import Schemas
from hubsync.sandbox.tables import Table
from hubsync.sandbox.times import iso, to_ms

_ENGAGEMENT_KINDS = frozenset(ENGAGEMENTS)
_TIMED = frozenset(("meetings", "tasks"))


class EmailTakenError(ValueError):
    """Another contact has that e-mail address; `existing` is its id."""

    def __init__(self, existing: str) -> None:
        super().__init__(f"Contact already exists. Existing ID: {existing}")
        self.existing = existing


@dataclass(slots=True)
class Switches:
    """Settings of the portal that move contacts by themselves, and how it behaves."""

    deal_created_sets_opportunity: bool = True
    deal_won_sets_customer: bool = True
    company_stage_sync: bool = True
    default_stage: str | None = None
    search_lag: float = 3.0
    """Seconds of the portal's clock until search sees a change."""
    history_cap: int = 45
    """Entries shown of a contact's property; other objects show 20 at most."""
    backward_bumps_modified: bool = True
    opaque_cursors: bool = False
    """List cursors are random texts instead of the next id."""


class Portal:
    """A portal: records, definitions, people. All methods are safe to call from several threads.

    Ids are text. `at` places an act in the past (default: the clock's present); acts on one property must come in the
    order of time, else ValueError. `seed` alone decides ids, so equal seeds and acts give equal portals.
    """

    def __init__(
        self,
        portal_id: int = 62515,
        *,
        clock: SandboxClock | None = None,
        seed: int = 0,
        app_id: str = "54321",
        app_name: str = "hubsync",
        time_zone: str = "US/Eastern",
        currency: str = "USD",
        account_type: str = "STANDARD",
        id_gaps: int = 5,
        journal_limit: int | None = 200_000,
        switches: Switches | None = None,
    ) -> None:
        self.portal_id = portal_id
        self.clock = clock or SandboxClock()
        self.seed = seed
        self.app_id = app_id
        self.time_zone = time_zone
        self.currency = currency
        self.account_type = account_type
        self.ui_domain = "app.hubspot.com"
        self.switches = switches or Switches()
        self.directory = Directory()
        self.journal = Journal(journal_limit)
        self.lock = threading.RLock()
        self.app_source = Source("INTEGRATION", app_id, app_name)
        self.schemas = Schemas(self.directory)
        self.tables = {
            kind: Table(kind, 1000 if not place else (20 + place) * 10**9, Random(seed * 31 + place), gaps=id_gaps)
            for place, kind in enumerate(TYPE_IDS)
        }
        self.links = Links(self)
        self.aliases: dict[str, str] = {}
        self.emails: dict[str, str] = {}
        self._due: list[tuple[int, str]] = []
        self._seen = 0
        self.search_cache: dict[str, Any] = {}

    # --- reading -----------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """The portal's present in milliseconds."""
        self._seen = to_ms(self.clock.now())
        return self._seen

    def moment(self, at: datetime | None) -> int:
        """`at`, or the present, in milliseconds."""
        return self.now_ms() if at is None else to_ms(at)

    def get(self, kind: str, record_id: str, *, archived: bool = False) -> Record:
        """A record by id; the old id of a merged contact finds the survivor. Raises KeyError where there is none."""
        if kind == "contacts":
            record_id = self.survivor(record_id)
        record = self.tables[kind].records.get(str(record_id))
        if record is None or (record.archived_at is not None) is not archived:
            raise KeyError(f"{kind} {record_id}")
        return record

    def survivor(self, contact: str) -> str:
        """The id under which a merged contact lives on (its own where it wasn't merged)."""
        while contact in self.aliases:
            contact = self.aliases[contact]
        return contact

    def value(self, record: Record, name: str) -> str | None:
        """A property's value, worked out where it isn't stored. None = no value or no such property."""
        stored = record.values.get(name)
        if stored is not None:
            return stored
        reader = self.schemas.virtual[record.kind].get(name)
        return reader(record) if reader else None

    def values(self, kind: str, record_id: str, *names: str) -> dict[str, str | None]:
        """Several properties of a record. Raises KeyError where there is none."""
        record = self.get(kind, record_id)
        return {name: self.value(record, name) for name in names}

    def contacts(self) -> list[str]:
        """Ids of all living contacts, ascending."""
        table = self.tables["contacts"]
        return [record.id for record in table.records.values() if record.archived_at is None]

    # --- changing ----------------------------------------------------------------------------------------------

    def create(
        self,
        kind: str,
        values: Mapping[str, Any],
        *,
        source: Source | None = None,
        at: datetime | int | None = None,
        to: Sequence[tuple[str, str]] = (),
    ) -> str:
        """Create a record associated with `to` (kind, id) and answer its id. Values aren't checked here.

        Raises EmailTakenError for a contact whose address exists, KeyError for an association to nothing.
        """
        with self.lock:
            moment = at if isinstance(at, int) else self.moment(at)
            stored = {name: str(value) for name, value in values.items() if value is not None and value != ""}
            if kind == "contacts":
                self._claim_email(stored, None)
                if self.switches.default_stage and lifecycle.PROPERTY not in stored:
                    stored[lifecycle.PROPERTY] = self.switches.default_stage
            table = self.tables[kind]
            record = Record(kind, table.new_id(), stored, source or self.app_source, moment)
            table.add(record)
            self._remember(record, moment, existed=False)
            if self.journal.recording:
                self.journal.write(Write(kind, record.id, "", "", "created", record.source, moment))
            if email := stored.get("email") if kind == "contacts" else None:
                self.emails[email.lower()] = record.id
            if kind == "emails":
                fill_addresses(record)
            self._follow(record, stored.keys(), moment)
            for to_kind, to_id in to:
                self.links.add(kind, record.id, to_kind, to_id, at=moment, source=record.source)
            return record.id

    def update(
        self,
        kind: str,
        record_id: str,
        changes: Mapping[str, Any],
        *,
        source: Source | None = None,
        at: datetime | int | None = None,
    ) -> list[str]:
        """Change properties ("" clears, None does nothing); answer the names that really changed.

        A backward lifecycle stage is silently kept. Values aren't checked here. Raises KeyError, EmailTakenError.
        """
        with self.lock:
            record = self.get(kind, record_id)
            moment = max(self.now_ms(), record.updated) if at is None else at if isinstance(at, int) else to_ms(at)
            wanted = {name: str(value) for name, value in changes.items() if value is not None}
            if kind == "contacts" and "email" in wanted:
                self._claim_email(wanted, record.id)
            return self._commit(record, wanted, source or self.app_source, moment)

    def archive(self, kind: str, record_id: str, *, source: Source | None = None, at: datetime | None = None) -> None:
        """Delete a record as HubSpot does (it goes to the recycling bin). Raises KeyError."""
        with self.lock:
            record = self.get(kind, record_id)
            moment = self.moment(at)
            self._remember(record, moment)
            record.archived_at = max(moment, record.updated)
            if kind == "contacts":
                self.emails.pop(record.values.get("email", "").lower(), None)
            self.journal.write(Write(kind, record.id, "", "", "deleted", source or self.app_source, moment))
            self._refresh_around(record, moment)

    def restore(self, kind: str, record_id: str, *, source: Source | None = None, at: datetime | None = None) -> None:
        """Bring a deleted record back. Raises KeyError, EmailTakenError."""
        with self.lock:
            record = self.get(kind, record_id, archived=True)
            moment = self.moment(at)
            if kind == "contacts":
                self._claim_email(record.values, record.id)
                if email := record.values.get("email"):
                    self.emails[email.lower()] = record.id
            self._remember(record, moment)
            record.archived_at = None
            record.updated = max(record.updated, moment)
            self.journal.write(Write(kind, record.id, "", "", "restored", source or self.app_source, moment))
            self._refresh_around(record, moment)

    def purge(self, kind: str, record_id: str, *, source: Source | None = None, at: datetime | None = None) -> None:
        """Delete for privacy: the record is gone for good, archived reads included. Raises KeyError."""
        with self.lock:
            record = self.tables[kind].records[self.survivor(record_id) if kind == "contacts" else record_id]
            moment = self.moment(at)
            if self.emails.get(record.values.get("email", "").lower()) == record.id:
                del self.emails[record.values["email"].lower()]
            self.links.cut(record)
            self.tables[kind].remove(record.id)
            self.journal.write(Write(kind, record.id, "", "", "purged", source or self.app_source, moment))
            self._refresh_around(record, moment)

    def touch(self, record: Record, at: int) -> None:
        """Move a record's modification date, as any change does."""
        self._remember(record, at)
        record.updated = max(record.updated, at)

    def refresh(self, contact: Record, at: int) -> None:
        """Work out a contact's derived properties anew, as of `at`."""
        linked = [self._living(kind, each) for kind in ENGAGEMENTS for each in contact.linked(kind)]
        deals = [deal for each in contact.linked("deals") if (deal := self._living("deals", each))]
        closed = frozenset(deal.id for deal in deals if virtual.is_closed(self.directory, deal))
        derived = rollups.derive(contact.values, [each for each in linked if each], deals, closed, at)
        if changed := {name: value for name, value in derived.items() if contact.values.get(name, "") != value}:
            self.touch(contact, at)
            for name, value in changed.items():
                if self.journal.listeners:
                    before = contact.values.get(name, "")
                    self.journal.tell(Write(contact.kind, contact.id, name, before, value, CALCULATED, at))
                contact.store(name, value)
        # A meeting counts from its start on, a task is the next activity up to its due moment.
        turns = [
            rollups.engagement_time(each) + (each.kind == "tasks") for each in linked if each and each.kind in _TIMED
        ]
        if coming := [turn for turn in turns if turn > at]:
            heapq.heappush(self._due, (min(coming), contact.id))

    def catch_up(self) -> None:
        """Let time pass for derived properties: meetings begin, tasks fall due. The server calls it first."""
        with self.lock:
            now = self.now_ms()
            while self._due and self._due[0][0] <= now:
                due, contact = heapq.heappop(self._due)
                record = self.tables["contacts"].records.get(contact)
                if record is not None:
                    self.refresh(record, max(due, record.updated))

    @property
    def lag_ms(self) -> int:
        """The search index's lag in milliseconds."""
        return int(self.switches.search_lag * 1000)

    # --- inside ------------------------------------------------------------------------------------------------

    def _remember(self, record: Record, at: int, *, existed: bool = True) -> None:
        """Before a change: let search show the record as it is until the lag is over. Acts long past skip the clock."""
        table = self.tables[record.kind]
        table.revision += 1
        visible = at + self.lag_ms
        if visible > self._seen:
            table.remember(record, visible, self.now_ms(), existed=existed)

    def _commit(self, record: Record, wanted: Mapping[str, str], source: Source, at: int) -> list[str]:
        """The one place where values change."""
        changes = {name: value for name, value in wanted.items() if record.values.get(name, "") != value}
        stage = changes.get(lifecycle.PROPERTY)
        if stage and record.kind in ("contacts", "companies"):
            order = self.schemas.stage_order[record.kind]
            if lifecycle.keeps_old_stage(order, record.values.get(lifecycle.PROPERTY, ""), stage, source):
                del changes[lifecycle.PROPERTY]
                if self.switches.backward_bumps_modified and not changes:
                    self.touch(record, at)
        if not changes:
            return []
        self._remember(record, at)
        old_email = record.values.get("email", "")
        for name, value in changes.items():
            before = record.values.get(name, "")
            record.change(name, value, source, at)
            if self.journal.recording and source is not CALCULATED:
                self.journal.write(Write(record.kind, record.id, name, before, value, source, at))
        record.updated = max(record.updated, at)
        if record.kind == "contacts" and "email" in changes:
            self.emails.pop(old_email.lower(), None)
            if changes["email"]:
                self.emails[changes["email"].lower()] = record.id
        self._follow(record, changes.keys(), at)
        return list(changes)

    def _follow(self, record: Record, changed: Any, at: int) -> None:
        """What the portal itself does after a change."""
        if "hubspot_owner_id" in changed:
            self._assigned(record, at)
        if record.kind == "contacts":
            if record.links and ("hubspot_owner_id" in changed or "recent_conversion_date" in changed):
                self.refresh(record, at)
        elif record.kind in _ENGAGEMENT_KINDS or record.kind == "deals":
            if record.kind == "tasks" and "hs_task_status" in changed:
                done = record.values.get("hs_task_status") == "COMPLETED"
                record.store("hs_task_completion_date", iso(at) if done else "")
            self._refresh_around(record, at)
            if "dealstage" in changed:
                self.sync_stages(record, at)
        elif record.kind == "companies" and lifecycle.PROPERTY in changed and self.switches.company_stage_sync:
            for contact in list(record.linked("contacts")):
                self.sync_company(record, contact, at)

    def _assigned(self, record: Record, at: int) -> None:
        owner = self.directory.owners.get(record.values.get("hubspot_owner_id", ""))
        assigned = "hubspot_owner_id" in record.values
        record.store("hubspot_owner_assigneddate", iso(at) if assigned else "")
        record.store("hubspot_team_id", owner.teams[0].id if owner and owner.teams else "")

    def sync_stages(self, deal: Record, at: int) -> None:
        """Move the deal's contacts' stage as the portal's switches say, forward only."""
        target = None
        if virtual.is_won(self.directory, deal):
            target = "customer" if self.switches.deal_won_sets_customer else None
        elif not virtual.is_closed(self.directory, deal) and self.switches.deal_created_sets_opportunity:
            target = "opportunity"
        for contact in list(deal.linked("contacts")):
            record = self._living("contacts", contact)
            if target and record:
                self._move_stage(record, target, Source("DEALS", deal.id, "Deal sync"), at)

    def sync_company(self, company: Record, contact: str, at: int) -> None:
        """Give a contact its company's stage, forward only, where the switch is on."""
        record, stage = self._living("contacts", contact), company.values.get(lifecycle.PROPERTY)
        if record and stage and self.switches.company_stage_sync:
            self._move_stage(record, stage, Source("COMPANIES", company.id, "Company sync"), at)

    def _move_stage(self, contact: Record, stage: str, source: Source, at: int) -> None:
        """The portal's own moves follow what it finds: they never come before the last change of the stage."""
        entries = contact.entries(lifecycle.PROPERTY)
        self._commit(contact, {lifecycle.PROPERTY: stage}, source, max(at, entries[-1].at if entries else at))

    def _refresh_around(self, record: Record, at: int) -> None:
        for contact in record.linked("contacts"):
            if found := self._living("contacts", contact):
                self.refresh(found, at)

    def _living(self, kind: str, record_id: str) -> Record | None:
        record = self.tables[kind].records.get(record_id)
        return record if record is not None and record.archived_at is None else None

    def _claim_email(self, values: Mapping[str, str], own: str | None) -> None:
        email = values.get("email", "").lower()
        if email and (existing := self.emails.get(email)) not in (None, own):
            raise EmailTakenError(str(existing))
