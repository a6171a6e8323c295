"""Who lives in the sandbox: teams, owners, companies and leads as plain values, before any of them is in a portal.

Names come from Faker, drawn once into pools of each locale and combined by our own generator: 10,000 leads cost
milliseconds, and a seed gives the same people whatever is done with them later. Mail domains end in `.example`, so
that nobody real can be written to. Nothing here touches a portal.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Final, Literal

from faker import Faker

Role = Literal["rep", "manager", "former"]

OWN_DOMAIN: Final = "hubsync-demo.example"
PARTNER_DOMAINS: Final = ("partner-agency.example", "crm-vendor.example")
EXCLUDED_DOMAINS: Final = (OWN_DOMAIN, *PARTNER_DOMAINS)
"""Mail domains of the company itself and of those it buys from: never leads (playbook D5)."""

INDUSTRIES: Final = (
    "COMPUTER_SOFTWARE",
    "LOGISTICS_AND_SUPPLY_CHAIN",
    "MACHINERY",
    "HOSPITAL_HEALTH_CARE",
    "EDUCATION_MANAGEMENT",
    "RETAIL",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a team sits and its markets: (Faker locale, language, country, calling code) each."""

    team: str
    zone: str
    markets: tuple[tuple[str, str, str, int], ...]


PLACES: Final = (
    Place("London", "Europe/London", (("en_GB", "en", "United Kingdom", 44), ("en_US", "en", "United States", 1))),
    Place("Munich", "Europe/Berlin", (("de_DE", "de", "Germany", 49), ("fr_FR", "fr", "France", 33))),
    Place("Jakarta", "Asia/Jakarta", (("id_ID", "id", "Indonesia", 62),)),
)


@dataclass(frozen=True, slots=True)
class Staff:
    """One person of the company: `place` indexes PLACES, `leads` the places whose teams a manager answers for."""

    first: str
    last: str
    email: str
    place: int
    role: Role
    leads: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Firm:
    """A company that leads work for."""

    name: str
    domain: str
    city: str
    country: str
    industry: str
    revenue: int
    employees: int
    place: int
    language: str
    locale: str
    calling_code: int


@dataclass(frozen=True, slots=True)
class Person:
    """A lead before it is a contact. `firm` indexes the companies."""

    first: str
    last: str
    email: str
    phone: str
    job: str
    firm: int


@dataclass(frozen=True, slots=True)
class Names:
    """Names of one locale."""

    first: tuple[str, ...]
    last: tuple[str, ...]
    company: tuple[str, ...]
    city: tuple[str, ...]
    job: tuple[str, ...]


POOL: Final = 150
_PROVIDERS: Final = [f"faker.providers.{name}" for name in ("person", "company", "address", "job")]


@lru_cache(maxsize=64)
def names(locale: str, seed: int) -> Names:
    """The pool of names of a locale, the same for the same seed."""
    fake = Faker(locale, providers=_PROVIDERS, use_weighting=False)
    fake.seed_instance(f"{seed}:{locale}")

    def pool(draw: str, size: int = POOL) -> tuple[str, ...]:
        return tuple(getattr(fake, draw)() for _ in range(size))

    return Names(pool("first_name"), pool("last_name"), pool("company"), pool("city", 60), pool("job", 60))


_LIGATURES: Final = str.maketrans({"ß": "ss", "œ": "oe", "æ": "ae", "ø": "o", "ł": "l"})


def slug(text: str) -> str:
    """`Müller & Söhne GmbH` → `muller-sohne-gmbh`: what may stand in an address."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_LIGATURES)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def staff(seed: int, reps: int) -> tuple[Staff, ...]:
    """Two managers, `reps` reps spread over the teams, and one rep who has left. Needs at least one rep a team."""
    if reps < len(PLACES):
        raise ValueError(f"reps must be at least {len(PLACES)}, one for each team; got {reps}")
    rng = Random(f"{seed}:staff")
    roles: list[tuple[int, Role, tuple[int, ...]]] = [(0, "manager", (0, 2)), (1, "manager", (1,))]
    roles += [(index % len(PLACES), "rep", ()) for index in range(reps)]
    roles.append((0, "former", ()))
    people: list[Staff] = []
    taken: set[str] = set()
    for place, role, leads in roles:
        pool = names(PLACES[place].markets[0][0], seed)
        while True:
            first, last = rng.choice(pool.first), rng.choice(pool.last)
            email = f"{slug(first)}.{slug(last)}@{OWN_DOMAIN}"
            if email not in taken:
                break
        taken.add(email)
        people.append(Staff(first, last, email, place, role, leads))
    return tuple(people)


def firms(seed: int, count: int) -> tuple[Firm, ...]:
    """`count` companies over all markets, each with a domain of its own."""
    rng = Random(f"{seed}:firms")
    markets = [(place, market) for place, there in enumerate(PLACES) for market in there.markets]
    made: list[Firm] = []
    taken: set[str] = set()
    for _ in range(count):
        place, (locale, language, country, calling_code) = rng.choice(markets)
        pool = names(locale, seed)
        name = rng.choice(pool.company)
        while (domain := f"{slug(name)}.example") in taken:
            name = f"{rng.choice(pool.last)} {name}"
        taken.add(domain)
        employees = round(10 ** rng.uniform(0.7, 3.8))
        revenue = round(employees * rng.uniform(40_000, 250_000), -3)
        made.append(
            Firm(
                name,
                domain,
                rng.choice(pool.city),
                country,
                rng.choice(INDUSTRIES),
                int(revenue),
                employees,
                place,
                language,
                locale,
                calling_code,
            )
        )
    return tuple(made)


class Guests:
    """Draws leads: each with an address that nobody else has."""

    def __init__(self, seed: int, companies: tuple[Firm, ...]) -> None:
        self._seed = seed
        self._companies = companies
        self._taken: dict[str, int] = {}

    def draw(self, rng: Random, domain: str | None = None) -> Person:
        """One more lead of some company; `domain` gives the address another one (the company's own, a partner's)."""
        firm = rng.randrange(len(self._companies))
        company = self._companies[firm]
        pool = names(company.locale, self._seed)
        first, last = rng.choice(pool.first), rng.choice(pool.last)
        local, host = f"{slug(first)}.{slug(last)}", domain or company.domain
        again = self._taken.get(f"{local}@{host}", 0)
        self._taken[f"{local}@{host}"] = again + 1
        if again:
            local = f"{local}{again + 1}"
        phone = f"+{company.calling_code} 555 01{rng.randrange(10_000):04d}"
        return Person(first, last, f"{local}@{host}", phone, rng.choice(pool.job), firm)
