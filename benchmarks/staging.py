"""The contact of a rule's case put into a sandbox portal, as often as wanted: what a rule needs, over real HTTP.

A case says in a few words what a contact must be like for a rule to fire. Here its history, deals and timeline become
records of the portal, with HubSpot's own sources for who wrote what. What the ledger knows (`fired`, tasks of
hubsync's) can't be put into a portal: such cases aren't for this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hubsync.policy.contact import Contact, Deal, Engagement
from hubsync.policy.instants import parse_instant
from hubsync.policy.vocabulary import STAGE
from hubsync.rulefiles.playing import Case
from hubsync.rulefiles.situations import SOURCES
from hubsync.sandbox import Portal, SandboxClock, Switches
from hubsync.sandbox.acts import sources
from hubsync.sandbox.population import SAL_STAGE
from hubsync.sandbox.population.furniture import (
    define_own_properties,
    define_stage,
    define_statuses,
)
from hubsync.sandbox.records import Source
from hubsync.sandbox.schema import Property

OWNER = "hubspot_owner_id"


def can_be_staged(case: Case) -> bool:
    """Whether a portal alone makes the case: nothing fired before, no task of hubsync's, no backlog.

    A reply needs its mail, since HubSpot derives the one from the other; and only the one rep writes here, no approver.
    """
    contact = case.situation.contact
    if (contact.properties.get("hs_sales_email_last_replied") and not contact.engagements) or (
        (contact.history or {}).get("hubsync_approval")
    ):
        return False
    return not (contact.ours or contact.spent or contact.open_tasks or contact.completed_tasks) and (
        case.horizon.since is not None and case.horizon.since.year == 1970
    )


def a_portal_of(case: Case, contacts: int) -> Portal:
    """A portal at the case's moment with so many contacts like the case's, one rep, and nothing that acts by itself."""
    portal = Portal(
        clock=SandboxClock(case.situation.now, frozen=True), time_zone="UTC", switches=Switches(False, False, False)
    )
    with portal.journal.paused():
        define_stage(portal)
        define_statuses(portal)
        define_own_properties(portal)
        rep = portal.directory.add_owner("rita@example.com", "Rita", "Rep").id
        for approver in case.rules.files.portal.approvers if case.rules is not None else ():
            owner = portal.directory.add_owner(f"{approver}@example.com", "Ada", "Approver")
            portal.directory.owners[approver] = replace(owner, id=approver)
        for name in case.situation.contact.properties:
            if name not in portal.schemas.properties["contacts"]:
                portal.schemas.add_property("contacts", Property(name, name))
        for number in range(contacts):
            _Stage(portal, case, rep, number).play()
        portal.catch_up()
    return portal


class _Stage:
    """One contact on its way into the portal."""

    def __init__(self, portal: Portal, case: Case, rep: str, number: int) -> None:
        self.portal = portal
        self.contact: Contact = case.situation.contact
        self.policy = case.situation.policy
        self.rep = rep
        self.number = number

    def play(self) -> None:
        """Create the contact, then let everything happen to it in the order of time."""
        created = parse_instant(str(self.contact.properties["createdate"]))
        written = list(self._written())
        first = {name: value for at, name, value, _ in written if at <= created}
        origin = next((source for at, _, _, source in written if at <= created), None)
        stored = {name: value for name, value in self._plain().items() if name not in (self.contact.history or {})}
        made_by = self._source(str(self.contact.properties.get("hs_object_source") or "")) or origin
        id_ = self.portal.create("contacts", {**stored, **first}, source=made_by, at=created)
        for at, name, value, source in written:
            if at > created:
                if name == STAGE and source is not None and source.type != "CRM_UI":
                    self.portal.update(
                        "contacts", id_, {name: ""}, source=source, at=at
                    )  # else a backward move is lost
                self.portal.update("contacts", id_, {name: value}, source=source, at=at)
        for deal in self.contact.deals or ():
            self._deal(id_, deal)
        marks = (*(self.contact.engagements or ()), *(self.contact.meetings or ()), *(self.contact.others_tasks or ()))
        for mark in marks:
            self._mark(id_, mark)

    def _plain(self) -> dict[str, str]:
        """Values without a history, as the portal stores them."""
        virtual = self.portal.schemas.virtual["contacts"]
        derived = {"createdate", "num_associated_deals", "num_contacted_notes"}
        values = {n: v for n, v in self.contact.properties.items() if v and n not in virtual and n not in derived}
        if "email" in values:
            values["email"] = f"{self.number}.{values['email']}"
        if OWNER in values:
            values[OWNER] = self.rep
        return {name: value for name, value in values.items() if not name.startswith("hs_v2_date_")}

    def _written(self) -> Iterator[tuple[Any, str, str, Source | None]]:
        """(when, property, value, by whom) of every entry, oldest first."""
        entries = [
            (parse_instant(str(entry["timestamp"])), name, str(entry["value"] or ""), entry)
            for name, history in (self.contact.history or {}).items()
            for entry in reversed(history)
        ]
        for at, name, value, entry in sorted(entries, key=lambda entry: entry[0]):
            here = {(STAGE, "sal"): SAL_STAGE}.get((name, value), value)  # a custom stage's value is the portal's own
            approver = entry.get("updatedByUserId")  # staged as the owner of that id
            source = sources.person(self.portal, approver) if approver else self._source(str(entry["sourceType"]))
            yield at, name, self.rep if name == OWNER and value else here, source

    def _source(self, source_type: str) -> Source | None:
        """Who writes, in HubSpot's words."""
        known: Mapping[str, Source] = {
            SOURCES["person"]: sources.person(self.portal, self.rep),
            SOURCES["automation"]: sources.workflow(),
            SOURCES["import"]: sources.imported(),
            SOURCES["integration"]: sources.integration(),
            SOURCES["form"]: sources.form(),
        }
        return known.get(source_type) or (Source(source_type) if source_type else None)

    def _deal(self, contact: str, deal: Deal) -> None:
        """The deal, opened and moved as its history says."""
        visits = deal.stage_history[::-1]
        closing = {"closed_lost_reason": deal.properties.get("closed_lost_reason")}
        values = {n: v for n, v in deal.properties.items() if n not in {"hs_is_closed", "hs_is_closed_won", *closing}}
        values |= {"dealname": deal.id, "pipeline": deal.pipeline, "dealstage": visits[0].stage}
        id_ = self.portal.create(
            "deals", values, source=sources.person(self.portal, self.rep), at=visits[0].at, to=[("contacts", contact)]
        )
        for visit in visits[1:]:
            self.portal.update("deals", id_, {"dealstage": visit.stage}, at=visit.at)
        self.portal.update("deals", id_, closing, at=visits[-1].at)

    def _mark(self, contact: str, mark: Engagement) -> None:
        """An e-mail, call, message, meeting or task on the contact's timeline."""
        values = {"hs_timestamp": mark.at.isoformat(), **mark.properties}
        if values.get(OWNER):
            values[OWNER] = self.rep
        source = sources.person(self.portal, self.rep)
        made = min(mark.at, self.portal.clock.now())
        self.portal.create(mark.kind, values, source=source, at=made, to=[("contacts", contact)])
