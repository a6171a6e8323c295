"""The backlog: what causes from before the first write would have asked for, by category (playbook B1, B2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hubsync.policy.ages import parse_ages
from hubsync.policy.changes import Finding
from hubsync.policy.contact import Contact
from hubsync.policy.instants import EPOCH
from hubsync.policy.policy import Policy
from hubsync.policy.portal_spec import BacklogSpec
from hubsync.policy.view import View
from hubsync.sync.looking import Look

SAMPLES = 20
"""Contacts named for each category (B2)."""


class Categories:
    """Sorts findings into the categories of portal.yaml, the first that fits; the rest by the rule's id."""

    def __init__(self, policy: Policy, specs: Mapping[str, BacklogSpec]) -> None:
        self.policy = policy
        self.specs = specs

    def of(self, contact: Contact, finding: Finding, at: datetime) -> str:
        """The category's name."""
        age = (at - finding.cause.at).total_seconds() / 86400 if finding.cause else 0.0
        for name in self.policy.backlog_tests:
            if self._fits(name, contact, finding, age, at):
                return name
        return finding.rule

    def says(self, name: str) -> tuple[str, str]:
        """What a category is about, and what is proposed for it."""
        spec = self.specs.get(name)
        if spec is not None:
            return spec.says, spec.proposed
        rule = self.policy.rule(name)
        return (rule.says if rule else name), "leave"

    def _fits(self, name: str, contact: Contact, finding: Finding, age: float, at: datetime) -> bool:
        spec = self.specs[name]
        if spec.rules and finding.rule not in spec.rules and finding.playbook not in spec.rules:
            return False
        first, last = parse_ages(spec.age)
        if not first <= age < last:
            return False
        return self.policy.backlog_tests[name](View(self.policy, contact, at)) > 0


@dataclass(slots=True)
class Pile:
    """One category of the backlog: findings and contacts in it, the oldest cause, whose they are, and some of them.

    `owners` counts contacts by owner id, None for nobody; `samples` are the ids of the first ones seen.
    """

    findings: int = 0
    contacts: int = 0
    oldest: datetime | None = None
    owners: Counter[str | None] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)

    def add(self, contact: Contact, causes: Sequence[datetime]) -> None:
        """Count a contact with the moments of its causes in this category."""
        self.findings += len(causes)
        self.contacts += 1
        self.oldest = min([*causes, *([self.oldest] if self.oldest else [])])
        self.owners[contact.properties.get("hubspot_owner_id") or None] += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(contact.id)


@dataclass(slots=True)
class Backlog:
    """The backlog by category, and how many contacts were looked at. Memory does not grow with the portal."""

    at: datetime
    looked: int = 0
    piles: dict[str, Pile] = field(default_factory=dict)

    @property
    def contacts(self) -> int:
        """Contacts in the backlog, counted once in each category."""
        return sum(p.contacts for p in self.piles.values())


def gather(
    looks: Iterable[Sequence[Look]],
    categories: Categories,
    at: datetime,
    advance: Callable[[int], None] = lambda _n: None,
) -> Backlog:
    """Sort what every look shows as backlog into the categories; nothing is written. `at` is the portal's time."""
    backlog = Backlog(at)
    for page in looks:
        for look in page:
            backlog.looked += 1
            causes: dict[str, list[datetime]] = {}
            for finding in look.decision.findings:
                if finding.backlog:
                    moment = finding.cause.at if finding.cause else EPOCH
                    causes.setdefault(categories.of(look.contact, finding, at), []).append(moment)
            for name, moments in causes.items():
                backlog.piles.setdefault(name, Pile()).add(look.contact, moments)
        advance(len(page))
    return backlog
