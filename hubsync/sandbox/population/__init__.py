"""The people of the sandbox: fills a portal with teams, companies and leads in every state, tidy and untidy.

`populate` tells stories (who did what, in which order) and plays them, so that histories, engagements, deals and
derived properties agree; it also says what is wrong with whom. `populate_flat` makes masses for benchmarks. Same seed
and arguments, same portal, relative to the clock. Nothing here judges leads: `truth` is what was meant when the story
was written, never a second opinion on the rules.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from hubsync.sandbox.population import flat, furniture, people
from hubsync.sandbox.population.casting import SHORTEST_DAYS, Part, Script, cast
from hubsync.sandbox.population.furniture import Offices
from hubsync.sandbox.population.kinds import UNTIDY, Answer, Kind
from hubsync.sandbox.population.people import EXCLUDED_DOMAINS
from hubsync.sandbox.population.play import Actor, Player
from hubsync.sandbox.population.result import Population, Truth
from hubsync.sandbox.population.story import SAL_STAGE, STATUSES
from hubsync.sandbox.population.tidy import TIDY, Tidy
from hubsync.sandbox.state import Portal

__all__ = [
    "EXCLUDED_DOMAINS",
    "SAL_STAGE",
    "STATUSES",
    "TIDY",
    "UNTIDY",
    "Answer",
    "Kind",
    "Population",
    "Tidy",
    "Truth",
    "populate",
    "populate_flat",
]


def populate(
    portal: Portal,
    contacts: int = 500,
    days: int = 90,
    *,
    seed: int | None = None,
    reps: int = 8,
    untidy: float = 0.35,
    default_statuses_only: bool = False,
    hubsync_properties: bool = True,
) -> Population:
    """Fill an empty portal with `contacts` leads and the last `days` days of what happened to them.

    `reps` are spread over three teams; two managers and a rep who has left come on top. `untidy` is the share of
    contacts that break the playbook or lure it. With `default_statuses_only` the portal keeps HubSpot's eight statuses,
    and kinds that can't exist then are left out. The portal's own stage sync is off meanwhile, and nothing is
    journalled. `seed` is the portal's unless given. Raises ValueError for a portal with contacts, fewer than 80 days,
    too few reps, or numbers out of range.
    """
    if days < SHORTEST_DAYS or not 0 <= untidy <= 1 or contacts < 1:
        raise ValueError(f"populate wants contacts > 0, 0 <= untidy <= 1, and days >= {SHORTEST_DAYS}")
    script = Script(
        contacts,
        days,
        portal.seed if seed is None else seed,
        untidy,
        added_statuses=not default_statuses_only,
        own_properties=hubsync_properties,
    )
    staff = people.staff(script.seed, reps)
    firms = people.firms(script.seed, max(contacts // 4, 3))
    now = portal.clock.now().replace(microsecond=0)
    since = now - timedelta(days=days)
    with _seeding(portal):
        offices = _furnish(portal, script, staff, since)
        companies = furniture.found_companies(portal, firms, since)
        parts = cast(script, staff, firms, now)
        actors = [_actor(part, companies) for part in parts]
        Player(portal, offices).play(actors)
        portal.catch_up()
    return _population(script, since, offices, companies, parts, actors)


def populate_flat(portal: Portal, contacts: int = 200_000, *, seed: int | None = None, days: int = 180) -> Population:
    """Fill an empty portal with a mass of contacts for benchmarks; see flat.py. Raises as `populate` does."""
    if contacts < 1 or days < 1:
        raise ValueError("populate_flat wants at least one contact and one day")
    with _seeding(portal):
        return flat.fill(portal, contacts, portal.seed if seed is None else seed, days)


@contextmanager
def _seeding(portal: Portal) -> Iterator[None]:
    """Nobody else acts, the portal moves no stage by itself, and the journal rests.

    The garbage collector rests too: it would walk every new record again and again, and nothing here makes cycles.
    """
    if portal.contacts():
        raise ValueError("a population wants an empty portal; this one has contacts")
    switches, collecting = portal.switches, gc.isenabled()
    with portal.lock, portal.journal.paused():
        portal.switches = replace(
            switches,
            deal_created_sets_opportunity=False,
            deal_won_sets_customer=False,
            company_stage_sync=False,
            default_stage=None,
        )
        gc.disable()
        try:
            yield
        finally:
            portal.switches = switches
            if collecting:
                gc.enable()


def _furnish(portal: Portal, script: Script, staff: tuple[people.Staff, ...], since: datetime) -> Offices:
    furniture.define_stage(portal)
    if script.added_statuses:
        furniture.define_statuses(portal)
    if script.own_properties:
        furniture.define_own_properties(portal)
    return furniture.hire(portal, staff, script.seed, since)


def _actor(part: Part, companies: tuple[str, ...]) -> Actor:
    story = part.story
    company = companies[story.person.firm]
    twin = Actor(story.twin, company) if story.twin is not None else None
    return Actor(story, company, twin=twin)


def _population(
    script: Script,
    since: datetime,
    offices: Offices,
    companies: tuple[str, ...],
    parts: list[Part],
    actors: list[Actor],
) -> Population:
    truth: dict[str, Truth] = {}
    tidy: dict[str, str] = {}
    played = sorted(zip(parts, actors, strict=True), key=lambda pair: int(pair[1].contact))
    for part, actor in played:
        if isinstance(part.state, Kind):
            truth[actor.contact] = Truth(part.state.name, part.state.playbook, part.state.answer)
        else:
            tidy[actor.contact] = part.state.name
    return Population(
        seed=script.seed,
        days=script.days,
        since=since,
        offices=offices,
        companies=companies,
        contacts=tuple(actor.contact for _, actor in played),
        truth=truth,
        tidy=tidy,
        merged={actor.twin.contact: actor.contact for actor in actors if actor.twin is not None},
    )
