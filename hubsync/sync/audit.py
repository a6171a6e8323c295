"""Every contact against the policy, as it stands: what an audit shows, and nothing is written (playbook G1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hubsync.policy.changes import CORRECT, PORTAL, REPORT, Conflict, Finding, SetProperty
from hubsync.policy.contact import Contact
from hubsync.policy.instants import EPOCH
from hubsync.policy.policy import Policy
from hubsync.policy.vocabulary import STAGE, STATUS, Terms
from hubsync.sync.backlog import Categories
from hubsync.sync.binding import BoundPortal
from hubsync.sync.looking import Look
from hubsync.sync.plan import Row, instant
from hubsync.sync.spool import Spool

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Audited:
    """One finding on its way to a report. `owner` is for people; `cause_at` orders the backlog."""

    contact: str | None
    stage: str | None
    status: str | None
    owner: str | None
    finding: Finding

    def row(self) -> Row:
        """The finding as JSON has it (design 6)."""
        finding = self.finding
        fix = finding.fix
        return {
            "contact": self.contact,
            "rule": finding.rule,
            "playbook": finding.playbook,
            "kind": finding.kind,
            "backlog": finding.backlog,
            "stage": self.stage,
            "status": self.status,
            "message": finding.message,
            "fix": {"property": fix[0], "from": fix[1] or None, "to": fix[2] or None} if fix else None,
        }


@dataclass(slots=True)
class Audit:
    """What an audit counted. The findings themselves are in the spool."""

    at: datetime
    contacts: int = 0
    found: int = 0
    by_rule: Counter[tuple[str, str, str, bool]] = field(default_factory=Counter)
    """(playbook, rule, kind, backlog) → how many."""
    messages: dict[str, str] = field(default_factory=dict)
    backlog: dict[str, dict[str, Any]] = field(default_factory=dict)
    waiting: int = 0
    unmapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(property, value) of options in use that no key maps."""


def run_audit(
    portal: BoundPortal,
    looks: Iterable[Sequence[Look]],
    categories: Categories,
    spool: Spool[Audited],
    at: datetime,
    advance: Advance = lambda _n: None,
    of_the_portal: Sequence[Finding] = (),
) -> Audit:
    """Read every look, spool its findings, count. `at` is the portal's time.

    `of_the_portal` are findings that are known already and concern no single contact.
    """
    audit = Audit(at)
    policy = portal.policy
    for page in looks:
        for look in page:
            audit.contacts += 1
            audit.waiting += look.decision.waiting is not None
            _count_unmapped(audit, policy, look.contact)
            for finding in findings_of(look):
                _keep(audit, spool, categories, policy, look.contact, finding)
        advance(len(page))
    unmapped = [_unmapped(name, value, count) for (name, value), count in sorted(audit.unmapped.items())]
    for finding in (*of_the_portal, *unmapped):
        spool.append(Audited(None, None, None, None, finding))
        _tally(audit, finding)
    for entry in audit.backlog.values():
        entry["oldest"] = instant(entry["oldest"])
    return audit


def findings_of(look: Look) -> Iterator[Finding]:
    """Everything of a decision that an audit shows: corrections, proposals, reports, the backlog, conflicts."""
    decision = look.decision
    for change in decision.changes:
        yield _correction(change)
    yield from decision.findings
    for conflict in decision.conflicts:
        yield _conflict(conflict)


def _correction(change: SetProperty) -> Finding:
    return Finding(
        CORRECT,
        change.rule,
        change.playbook,
        change.says,
        backlog=False,
        fix=(change.property, change.old, change.new),
        cause=change.cause,
    )


def _conflict(conflict: Conflict) -> Finding:
    wants = " and ".join(f'{rule} wants "{value}"' for rule, value in conflict.wants)
    return Finding(
        REPORT, conflict.wants[0][0], "C5", f"Rules disagree at the same moment: {wants}. Nothing is written.", False
    )


def _keep(
    audit: Audit, spool: Spool[Audited], categories: Categories, policy: Policy, contact: Contact, finding: Finding
) -> None:
    get = contact.properties.get
    spool.append(
        Audited(
            contact.id,
            policy.stages.key(get(STAGE)),
            policy.statuses.key(get(STATUS)),
            get("hubspot_owner_id") or None,
            finding,
        )
    )
    _tally(audit, finding)
    if finding.backlog:
        at = finding.cause.at if finding.cause else EPOCH
        entry = audit.backlog.setdefault(categories.of(contact, finding, audit.at), {"count": 0, "oldest": at})
        entry["count"] += 1
        entry["oldest"] = min(entry["oldest"], at)


def _tally(audit: Audit, finding: Finding) -> None:
    audit.found += 1
    audit.by_rule[finding.playbook, finding.rule, finding.kind, finding.backlog] += 1
    audit.messages.setdefault(finding.rule, finding.message)


def _count_unmapped(audit: Audit, policy: Policy, contact: Contact) -> None:
    for terms in (policy.statuses, policy.stages):
        value = contact.properties.get(terms.property)
        if not terms.is_mapped(value):
            audit.unmapped[terms.property, value or ""] += 1


def _unmapped(name: str, value: str, count: int) -> Finding:
    whose = "contact has" if count == 1 else "contacts have"
    return Finding(
        PORTAL,
        "unmapped_option",
        "D4",
        f'{count:,} {whose} {name} "{value}", which no key of portal.yaml maps: left alone. '
        "Map it there if it should be managed.",
        backlog=False,
    )


def label_of(terms: Terms, key: str | None) -> str:
    """A key as people read it."""
    return terms.label(key) if key else ""
