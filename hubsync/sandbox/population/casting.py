"""Who plays which part: how many leads of each kind there are, and for each the person, the rep and the story.

Shares are kept by quota, not by chance, so that a small portal has every kind too. Pure: nothing reaches a portal here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Final

from hubsync.sandbox.population.kinds import UNTIDY, Kind
from hubsync.sandbox.population.people import Firm, Guests, Person, Staff
from hubsync.sandbox.population.story import DAY, Story
from hubsync.sandbox.population.tidy import TIDY, Tidy

SHORTEST_DAYS: Final = 80
"""Some kinds are about what happened two months ago."""


@dataclass(frozen=True, slots=True)
class Part:
    """One lead: the state it is in, and how it came to that."""

    state: Kind | Tidy
    story: Story


@dataclass(frozen=True, slots=True)
class Script:
    """What populate was asked for; see there."""

    contacts: int
    days: int
    seed: int
    untidy: float
    added_statuses: bool
    own_properties: bool


def quota(shares: Sequence[float], total: int) -> list[int]:
    """`total` split by `shares`, largest remainders first; everybody gets one where there is enough for all."""
    whole = sum(shares)
    least = 1 if total >= len(shares) else 0
    exact = [share / whole * (total - least * len(shares)) for share in shares]
    counts = [least + int(part) for part in exact]
    by_remainder = sorted(range(len(shares)), key=lambda place: (int(exact[place]) - exact[place], place))
    for place in by_remainder[: total - sum(counts)]:
        counts[place] += 1
    return counts


def possible_kinds(added_statuses: bool, own_properties: bool) -> list[Kind]:
    """The kinds that can exist in a portal with these statuses and properties."""
    return [
        kind for kind in UNTIDY if (added_statuses or not kind.needs) and (own_properties or not kind.own_properties)
    ]


def states(script: Script) -> list[Kind | Tidy]:
    """The state of every lead, in an order that the seed decides."""
    kinds = possible_kinds(script.added_statuses, script.own_properties)
    untidy = round(script.contacts * script.untidy)
    drawn: list[Kind | Tidy] = []
    for kind, count in zip(kinds, quota([kind.share for kind in kinds], untidy), strict=True):
        drawn += [kind] * count
    for state, count in zip(TIDY, quota([state.share for state in TIDY], script.contacts - untidy), strict=True):
        drawn += [state] * count
    Random(f"{script.seed}:states").shuffle(drawn)
    return drawn


def cast(script: Script, people: tuple[Staff, ...], companies: tuple[Firm, ...], now: datetime) -> list[Part]:
    """Every lead with its story, set into the past before `now`."""
    guests = Guests(script.seed, companies)
    reps: dict[int, list[int]] = {}
    for place, member in enumerate(people):
        if member.role == "rep":
            reps.setdefault(member.place, []).append(place)
    managers = {where: place for place, member in enumerate(people) for where in member.leads}
    former = next(place for place, member in enumerate(people) if member.role == "former")
    parts: list[Part] = []
    for number, state in enumerate(states(script)):
        rng = Random(f"{script.seed}:{number}")
        domains = state.domains if isinstance(state, Kind) else ()
        person = guests.draw(rng, rng.choice(domains) if domains else None)
        firm = companies[person.firm]
        rep = former if state.name == "left_with_former_rep" else rng.choice(reps[firm.place])
        story = Story(rng, person, firm, rep, managers[firm.place], script.added_statuses, script.own_properties)
        state.write(story)
        if isinstance(state, Tidy) and state.planned:
            story.wait(0, 0.1).plans(rng.uniform(1, 6))
        if state.name == "merged":
            story.twin = _twin(story, person)
        _place(story, state, script, now)
        parts.append(Part(state, story))
    return parts


def _place(story: Story, state: Kind | Tidy, script: Script, now: datetime) -> None:
    latest = script.days * DAY * 0.6
    low, high = state.ended or (3.0, latest)
    ended = story.rng.uniform(low, high) if state.ended else story.rng.triangular(low, high, low)
    story.place(now, ended, script.days)
    if story.twin is not None:
        merge = story.steps[-1].at
        story.twin.steps[0].at = story.steps[0].at + (merge - story.steps[0].at) / 2


def _twin(story: Story, person: Person) -> Story:
    """A second record of the same person, under a private address, that the story's last act merges away."""
    other = replace(person, email=person.email.replace("@", "@mail-"))
    twin = Story(story.rng, other, story.firm, story.rep, story.manager)
    return twin.create("form", "subscriber", detail="Webinar: sales and marketing")
