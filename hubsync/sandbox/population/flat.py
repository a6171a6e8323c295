"""A mass of contacts for benchmarks: 200,000 in seconds, with short histories, few mails and deals, some untidy.

Paths instead of stories: each contact follows one of a few fixed courses of stage and status, at its own pace. Use
`populate` for a portal that reads like one.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Final, TypeVar

from hubsync.sandbox import acts
from hubsync.sandbox.acts import sources
from hubsync.sandbox.population import furniture, people
from hubsync.sandbox.population.result import Population, Truth
from hubsync.sandbox.population.story import STAGES, STATUSES
from hubsync.sandbox.records import Source
from hubsync.sandbox.state import Portal
from hubsync.sandbox.times import from_ms, to_ms

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Path:
    """A course: `steps` of (stage, status) in policy keys, "" = unchanged; the first is set at creation.

    `then` is what the rep does after the last step but one: nothing, mail, or deal. `truth` = what is wrong with it.
    """

    name: str
    share: float
    steps: tuple[tuple[str, str], ...]
    then: str = ""
    truth: Truth | None = None


def _wrong(name: str, share: float, playbook: str, answer: str, *steps: tuple[str, str], then: str = "") -> Path:
    return Path(name, share, steps, then, Truth(name, playbook, answer))  # type: ignore[arg-type]


START: Final = ("lead", "new")
PATHS: Final = (
    Path("attempting", 16, (START, ("mql", ""), ("", "attempting")), "mail"),
    Path("connected", 10, (START, ("", "attempting"), ("", "connected"))),
    Path("working", 12, (START, ("mql", ""), ("", "attempting"), ("", "working"))),
    Path("sql_working", 10, (START, ("mql", ""), ("", "working"), ("sql", ""))),
    Path("qualified", 4, (START, ("", "connected"), ("sql", ""), ("", "qualified"))),
    Path("new", 3, (START, ("mql", ""))),
    Path("nurture", 10, (START, ("", "connected"), ("", "nurture"))),
    Path("disqualified", 10, (START, ("", "attempting"), ("", "disqualified"))),
    Path("recycled", 2, (START, ("", "disqualified"), ("", "recycled"))),
    Path("open_deal", 2, (START, ("", "connected"), ("opportunity", ""), ("", "converted")), "deal"),
    Path("bad_timing", 3, (START, ("opportunity", ""), ("", "converted"), ("", "bad_timing"))),
    Path("customer", 8, (START, ("opportunity", ""), ("customer", "customer"))),
    _wrong("mql_without_status", 3, "A2", "correct", ("subscriber", ""), ("lead", ""), ("mql", "")),
    _wrong("outreach_but_new", 1, "A3", "correct", START, ("mql", ""), then="mail"),
    _wrong("qualified_below_sql", 1, "A9", "correct", START, ("mql", ""), ("", "qualified")),
    _wrong("promoted_still_new", 2, "A10", "correct", START, ("sql", "")),
    _wrong("converted_without_deal", 1, "C3", "propose", START, ("mql", ""), ("", "converted")),
    _wrong("customer_attempting", 1, "C1", "report", START, ("customer", ""), ("", "attempting")),
    _wrong("subscriber_new", 1, "C1", "propose", ("subscriber", ""), ("", "attempting"), ("", "new")),
)
"""Shares in percent. Every contact has an owner, and three to five entries in the history of the two properties."""


class _Crowd:
    """Makes contacts one after the other; everything that many share is made once."""

    def __init__(self, portal: Portal, seed: int, owners: tuple[str, ...], companies: tuple[people.Firm, ...]) -> None:
        self._portal = portal
        self._rng = Random(f"{seed}:flat")
        self._owners = owners
        self._by_person = {owner: sources.person(portal, owner) for owner in owners}
        self._by_workflow = sources.workflow()
        self._by_import = sources.imported()
        locales = {firm.locale for firm in companies}
        self._companies = companies
        self._first = {locale: people.names(locale, seed).first for locale in locales}
        self._last = {
            locale: [(name, people.slug(name)) for name in people.names(locale, seed).last] for locale in locales
        }
        self._courses = [(path, [_values(step) for step in path.steps]) for path in PATHS]
        self._weights = list(accumulate(path.share for path in PATHS))

    def _pick(self, among: Sequence[_T]) -> _T:
        """As `Random.choice`, at a third of the time."""
        return among[int(self._rng.random() * len(among))]

    def one(self, number: int, created: int, now: int) -> tuple[str, Path]:
        """One contact, created at `created` and led along its path until `now` (both ms)."""
        chance = self._rng.random
        path, steps = self._courses[bisect(self._weights, chance() * self._weights[-1])]
        owner, firm = self._pick(self._owners), self._pick(self._companies)
        last, local = self._pick(self._last[firm.locale])
        values = {
            "firstname": self._pick(self._first[firm.locale]),
            "lastname": last,
            "email": f"{local}.{number}@{firm.domain}",
            "company": firm.name,
            "country": firm.country,
            "hubspot_owner_id": owner,
            **steps[0],
        }
        contact = self._portal.create("contacts", values, source=self._by_import, at=created)
        left = now - created - 1
        moments = sorted([created + 1 + int(chance() * left) for _ in steps])
        for at, changes in zip(moments, steps[1:], strict=False):
            source: Source = self._by_person[owner] if chance() < 0.6 else self._by_workflow
            self._portal.update("contacts", contact, changes, source=source, at=at)
        if path.then == "mail":
            acts.rep_sends_email(self._portal, contact, owner, at=from_ms(moments[-1]))
        elif path.then == "deal":
            acts.create_deal(self._portal, contact, stage="qualifiedtobuy", owner=owner, at=from_ms(created + 1))
        return contact, path


def _values(step: tuple[str, str]) -> dict[str, str]:
    stage, status = step
    values = {"lifecyclestage": STAGES[stage]} if stage else {}
    if status:
        values["hs_lead_status"] = STATUSES[status]
    return values


def fill(portal: Portal, contacts: int, seed: int, days: int) -> Population:
    """See `populate_flat`. The portal's own stage sync must be off."""
    now: datetime = portal.clock.now()
    since = now - timedelta(days=days)
    staff = people.staff(seed, 12)
    firms = people.firms(seed, min(max(contacts // 20, 3), 500))
    furniture.define_stage(portal)
    furniture.define_statuses(portal)
    furniture.define_own_properties(portal)
    offices = furniture.hire(portal, staff, seed, since)
    companies = furniture.found_companies(portal, firms, since)
    reps = tuple(owner for owner, person in zip(offices.owners, staff, strict=True) if person.role == "rep")
    crowd = _Crowd(portal, seed, reps, firms)
    start, end = to_ms(since), to_ms(now) - 60_000
    made = [crowd.one(number, start + (end - start) * number // (contacts + 1), end) for number in range(contacts)]
    return Population(
        seed=seed,
        days=days,
        since=since,
        offices=offices,
        companies=companies,
        contacts=tuple(contact for contact, _ in made),
        truth={contact: path.truth for contact, path in made if path.truth is not None},
        tidy={contact: path.name for contact, path in made if path.truth is None},
        merged={},
    )
