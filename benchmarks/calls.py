"""What hubsync's work costs in calls to HubSpot, counted and held against the formulae that README.md promises.

A full audit without dear facts, each dear fact by itself, corrections, tasks, and a portal where all occur. Prints one
JSON line; every `*_over` is what was spent beyond the formula. Nothing is timed.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from benchmarks.sessions import NO_LIMITS, a_session
from hubsync.policy.policy import Horizon
from hubsync.portal.gateway import Gateway
from hubsync.sandbox import Portal, Switches, acts
from hubsync.sandbox.population import furniture, people, populate
from hubsync.sync import reconcile
from hubsync.sync.book import NoBook
from hubsync.sync.looking import Looker
from hubsync.sync.scope import Scope

LIST = "/contacts"
READ = "/contacts/batch/read"
UPDATE = "/contacts/batch/update"
CREATE = "/tasks/batch/create"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Lead:
    """Somebody who acts on a new contact: makes it one that needs a certain fact or correction."""

    stage: str
    status: str
    then: Callable[[Portal, str, str], object] = lambda _portal, _contact, _owner: None


def mail(portal: Portal, contact: str, owner: str) -> None:
    """A rep writes to the contact."""
    acts.rep_sends_email(portal, contact, owner, at=portal.clock.now() - 2 * DAY)


def deal(portal: Portal, contact: str, owner: str) -> None:
    """A rep opens a deal."""
    acts.create_deal(portal, contact, owner=owner, at=portal.clock.now() - 2 * DAY)


SETTLED = Lead("lead", "CONNECTED")
PROMOTED = Lead("salesqualifiedlead", "NEW")
"""Needs its history, and is corrected without a task (A10)."""
UNTOUCHED = Lead("marketingqualifiedlead", "NEW")
"""Needs its history, and gives its owner a task (T1)."""
WRITTEN_TO = Lead("lead", "NEW", mail)
"""Needs its history and engagements (A3)."""
IN_A_DEAL = Lead("lead", "CONNECTED", deal)
"""Needs its history and deals (A7)."""


def main() -> None:
    """Count everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, nargs="+", default=[1_000, 5_000, 20_000], help="sizes of full audits")
    parser.add_argument("--each", type=int, default=1_050, help="contacts that need a fact, a correction or a task")
    parser.add_argument("--seeded", type=int, default=1_000, help="leads of the portal where all occur")
    parser.add_argument("--latency", type=float, default=0.1, help="of the audits' portals, in seconds")
    parser.add_argument("--allowance", type=int, default=190, help="of the audits' portals, calls in ten seconds")
    args = parser.parse_args()
    print(
        json.dumps(
            {
                "audit": [audit(contacts, args.latency, args.allowance) for contacts in args.contacts],
                "dear_facts": {
                    "history": dear(args.each, PROMOTED),
                    "engagements": dear(args.each, WRITTEN_TO),
                    "deals": dear(args.each, IN_A_DEAL),
                },
                "corrections": writing(a_portal(args.each, PROMOTED)),
                "tasks": writing(a_portal(args.each, UNTOUCHED)),
                "seeded": writing(a_seeded_portal(args.seeded)),
            }
        )
    )


def audit(contacts: int, latency: float, allowance: int) -> dict[str, int]:
    """A full audit of contacts that need no dear fact, from the first call to the last.

    Of the constant, five calls learn what the portal is like and one counts its contacts. Above 1,000 contacts several
    chains read the list side by side, more of them the longer calls take; each may end with a page that isn't full.
    """
    portal = a_portal(contacts, SETTLED)
    with a_session(portal, latency=latency, allowance=allowance) as (session, _store):
        read = look(session)
        calls = session.gateway.calls
    assert read == contacts
    pages = -(-contacts // 100)
    return {"contacts": contacts, "calls": calls, "pages": pages, "constant": calls - pages}


def dear(contacts: int, lead: Lead) -> dict[str, Any]:
    """What an audit spends on dear facts where every contact needs them: calls, by route."""
    with a_session(a_portal(contacts, lead)) as (session, _store), counted(session.gateway) as calls:
        look(session)
    reading = {route: count for route, count in calls.items() if route.endswith("/batch/read")}
    return {
        "contacts": contacts,
        "calls": reading,
        "history_over": reading.get(READ, 0) - -(-contacts // 50),
    }


def look(session: reconcile.Session) -> int:
    """Look at every contact as an audit does; how many there were."""
    horizon = Horizon(session.effective_since)
    looker = Looker(session.gateway, session.portal.policy, horizon, session.portal_now, NoBook(), tasks=False)
    return sum(len(page) for page in looker.over(session.gateway.all_contacts(session.portal.policy.properties)))


def writing(portal: Portal) -> dict[str, float]:
    """What `sync --write` spends beyond the plan of the same portal. Contacts are read before and after the write."""
    with a_session(portal) as (session, store):
        with counted(session.gateway) as planning:
            plan = reconcile.plan(session, Scope(full=True)).tally
        with counted(session.gateway) as calls:
            reconcile.write(session, store, Scope(full=True), NO_LIMITS)
    corrected, tasks = plan.changed_contacts(), len(plan.tasks)
    reads, writes, creates = calls[READ] - planning[READ], calls[UPDATE], calls[CREATE]
    return {
        "contacts": plan.contacts,
        "corrected": corrected,
        "rereads": reads,
        "rereads_over": reads - 2 * -(-corrected // 50),
        "writes": writes,
        "writes_over": writes - -(-corrected // 100),
        "calls_per_correction": round((reads + writes) / corrected, 4) if corrected else 0.0,
        "tasks": tasks,
        "creates": creates,
        "creates_over": creates - -(-tasks // 100),
        "other_calls": sum((calls - planning).values()) - reads - writes - creates,
    }


@contextmanager
def counted(gateway: Gateway) -> Iterator[Counter[str]]:
    """The calls made inside the block, by the end of their route; the counter is full once the block is left."""
    before, calls = by_route(gateway), Counter[str]()
    yield calls
    calls.update(by_route(gateway) - before)


def by_route(gateway: Gateway) -> Counter[str]:
    """All calls so far."""
    calls = Counter[str]()
    for call in gateway.calls_by_route:
        calls[call.route.partition("/objects")[2] or call.route] += call.count
    return calls


def a_portal(contacts: int, lead: Lead) -> Portal:
    """A portal of `contacts` leads, all alike."""
    portal = Portal(switches=Switches(False, False, False))
    now = portal.clock.now()
    with portal.journal.paused():
        furniture.define_stage(portal)
        furniture.define_statuses(portal)
        furniture.define_own_properties(portal)
        owner = furniture.hire(portal, people.staff(1, 8), 1, now - 10 * DAY).owners[0]
        for number in range(contacts):
            values = {
                "lastname": f"No. {number}",
                "hubspot_owner_id": owner,
                "lifecyclestage": lead.stage,
                "hs_lead_status": lead.status,
            }
            lead.then(portal, portal.create("contacts", values, at=now - 5 * DAY), owner)
        portal.catch_up()
    return portal


def a_seeded_portal(contacts: int) -> Portal:
    """Leads with stories, none of which happened within the last hour."""
    portal = Portal(seed=1)
    populate(portal, contacts=contacts, seed=1)
    portal.clock.advance(timedelta(hours=1))
    return portal


if __name__ == "__main__":
    main()
