"""The backlog: what causes from before the first write would have asked for, by category (playbook B1, B2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from hubsync.policy.ages import parse_ages
from hubsync.policy.changes import Finding
from hubsync.policy.contact import Contact
from hubsync.policy.policy import Policy
from hubsync.policy.spec import BacklogSpec
from hubsync.policy.view import View


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
