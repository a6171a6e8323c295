"""What a portal has before its first lead: teams, owners, companies, the statuses, stages and properties of its policy.

It writes definitions and people into an empty portal; leads come afterwards (play.py). What it makes depends on the
seed alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from hubsync.sandbox.directory import Owner, Team
from hubsync.sandbox.population.people import PLACES, Firm, Staff
from hubsync.sandbox.population.story import ADDED_STATUSES, SAL_STAGE, STATUSES
from hubsync.sandbox.records import Source
from hubsync.sandbox.schema import Option, Property
from hubsync.sandbox.state import Portal
from hubsync.sandbox.times import to_ms

GROUP: Final = "hubsync"
REASONS: Final[Mapping[str, str]] = {
    "budget": "No budget",
    "no_authority": "No authority",
    "competitor": "Competitor",
    "wrong_fit": "Wrong fit",
    "unresponsive": "Unresponsive",
    "duplicate": "Duplicate",
    "spam": "Spam",
    "timing": "Timing",
}
"""Options of `hubsync_reason`: internal name → label."""

TEXTS: Final[Mapping[str, str]] = {
    "notes": "notes",
    "next_step": "next step",
    "project": "project",
    "need": "need",
    "budget": "budget",
    "authority": "decision-makers",
    "timeline": "time line",
    "qualified_because": "why qualified",
    "recycled_because": "why recycled",
}
"""What reps write down of a lead: property (after `hubsync_`) → label (after `hubsync: `)."""
APPROVALS: Final = (Option("approved", "Approved", 0), Option("refused", "Refused", 1))

_YES_NO: Final = (Option("true", "Yes", 0), Option("false", "No", 1))


@dataclass(frozen=True, slots=True)
class Offices:
    """The people of the portal's company, by owner id, in the order of the staff they were made from."""

    owners: tuple[str, ...]
    managers: tuple[str, ...]
    former: tuple[str, ...]
    manager_of: Mapping[str, str]
    """Rep's owner id → the manager's."""


def define_statuses(portal: Portal) -> None:
    """Add the statuses HubSpot doesn't ship to `hs_lead_status`."""
    for key in ADDED_STATUSES:
        portal.schemas.add_option("contacts", "hs_lead_status", STATUSES[key], key.replace("_", " ").capitalize())


def define_stage(portal: Portal) -> None:
    """Add the custom stage between MQL and SQL."""
    portal.schemas.add_stage(SAL_STAGE, "Sales Accepted Lead", after="marketingqualifiedlead")


def own_properties() -> tuple[Property, ...]:
    """hubsync's contact properties."""
    reasons = tuple(Option(value, label, order) for order, (value, label) in enumerate(REASONS.items()))
    return (
        Property("hubsync_last_action", "hubsync: last action", group=GROUP, shipped=False),
        Property("hubsync_hold", "hubsync: hands off", "bool", "booleancheckbox", GROUP, _YES_NO, shipped=False),
        Property("hubsync_proposal", "hubsync: proposal", group=GROUP, shipped=False),
        Property(
            "hubsync_proposal_answer",
            "hubsync: answer to the proposal",
            "enumeration",
            "select",
            GROUP,
            (Option("accept", "Accept", 0), Option("decline", "Decline", 1)),
            shipped=False,
        ),
        Property("hubsync_review_date", "hubsync: review date", "date", "date", GROUP, shipped=False),
        Property("hubsync_stale", "hubsync: stale, review required", "bool", "booleancheckbox", GROUP, shipped=False),
        Property("hubsync_reason", "hubsync: reason", "enumeration", "select", GROUP, reasons, shipped=False),
        *(
            Property(f"hubsync_{name}", f"hubsync: {label}", group=GROUP, shipped=False)
            for name, label in TEXTS.items()
        ),
        Property("hubsync_score", "hubsync: score", "number", "number", GROUP, shipped=False),
        Property("hubsync_webinar_attended", "hubsync: webinar attended", "date", "date", GROUP, shipped=False),
        Property("hubsync_approval", "hubsync: approval", "enumeration", "select", GROUP, APPROVALS, shipped=False),
        Property("hubsync_nurture_since", "hubsync: in nurture since", "date", "date", GROUP, shipped=False),
        Property("hubsync_goodbye", "hubsync: goodbye", "date", "date", GROUP, shipped=False),
        Property("hubsync_send_calendar_link", "hubsync: send the calendar link", "date", "date", GROUP, shipped=False),
    )


def define_own_properties(portal: Portal) -> None:
    """Add the group `hubsync` and its properties."""
    portal.schemas.add_group("contacts", GROUP, "hubsync")
    for prop in own_properties():
        portal.schemas.add_property("contacts", prop)


def hire(portal: Portal, people: tuple[Staff, ...], seed: int, since: datetime) -> Offices:
    """Teams, owners and users; the rep who left is an archived owner. Owner ids differ from user ids."""
    rng = Random(f"{seed}:owners")
    teams = [Team(str(7_100_000 + 13 * place), where.team) for place, where in enumerate(PLACES)]
    for team in teams:
        portal.directory.teams[team.id] = team
    owner_id, user_id, created = 41_600_000, 9_500_000, to_ms(since)
    owners: list[str] = []
    for person in people:
        owner_id += rng.randrange(3, 9_000)
        user_id += rng.randrange(3, 900)
        others = tuple(teams[place] for place in person.leads if place != person.place)
        owner = Owner(
            str(owner_id),
            user_id,
            person.email,
            person.first,
            person.last,
            created,
            created,
            archived=person.role == "former",
            teams=(teams[person.place], *others),
        )
        portal.directory.owners[owner.id] = owner
        owners.append(owner.id)
    by_place = {place: owners[n] for n, person in enumerate(people) for place in person.leads}
    return Offices(
        owners=tuple(owners),
        managers=tuple(owner for owner, person in zip(owners, people, strict=True) if person.role == "manager"),
        former=tuple(owner for owner, person in zip(owners, people, strict=True) if person.role == "former"),
        manager_of={
            owner: by_place[person.place]
            for owner, person in zip(owners, people, strict=True)
            if person.role != "manager"
        },
    )


def found_companies(portal: Portal, firms: tuple[Firm, ...], since: datetime) -> tuple[str, ...]:
    """The companies leads work for; their ids in order. Created over the month before `since`."""
    enrichment = Source("INTEGRATION", "87001", "Data enrichment")
    step = timedelta(days=30) / max(len(firms), 1)
    return tuple(
        portal.create(
            "companies",
            {
                "name": firm.name,
                "domain": firm.domain,
                "industry": firm.industry,
                "city": firm.city,
                "country": firm.country,
                "annualrevenue": firm.revenue,
                "numberofemployees": firm.employees,
            },
            source=enrichment,
            at=since - timedelta(days=30) + step * place,
        )
        for place, firm in enumerate(firms)
    )
