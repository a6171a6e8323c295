"""What stands between the rules and a portal: scopes, options, properties, options in use, and who else writes.

Reads only. `hubsync check` prints it; nothing here decides on a contact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from hubsync.policy.contact import Contact
from hubsync.policy.policy import Gap, Policy
from hubsync.policy.timeline import writer
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.portal.gateway import Gateway
from hubsync.portal.values import ScopeCheck
from hubsync.sync.binding import BoundPortal

SAMPLE_PAGES = 20
"""Pages of 50 contacts whose histories tell who writes the two fields."""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """An option that no key maps, and how many contacts have it."""

    property: str
    value: str
    label: str
    contacts: int


@dataclass(frozen=True, slots=True)
class WriterCount:
    """Who wrote Lead status or Lifecycle stage: HubSpot's source, what it is taken for, how often in the sample."""

    property: str
    source: str
    label: str
    kind: str
    entries: int


@dataclass(slots=True)
class Checkup:
    """All that was found. `sampled` contacts were read with their history for `writers`."""

    scopes: tuple[ScopeCheck, ...]
    gaps: tuple[Gap, ...]
    unmapped: list[Unmapped] = field(default_factory=list)
    writers: list[WriterCount] = field(default_factory=list)
    sampled: int = 0
    foreign: list[str] = field(default_factory=list)
    """Reasons to only audit: another system owns a field, or the Leads object is in use (playbook D5)."""

    @property
    def missing_scopes(self) -> list[ScopeCheck]:
        """The scopes the token lacks."""
        return [s for s in self.scopes if not s.present]

    @property
    def is_clean(self) -> bool:
        """Whether nothing needs anybody's attention."""
        amiss = [gap for gap in self.gaps if not gap.opt_in]
        return not (self.missing_scopes or amiss or self.unmapped or self.foreign)


def check_portal(gateway: Gateway, portal: BoundPortal, scopes: tuple[ScopeCheck, ...]) -> Checkup:
    """Read what is needed: a search per unmapped option, up to twenty pages of contacts with history."""
    checkup = Checkup(scopes, portal.policy.gaps)
    for name, terms in ((STATUS, portal.policy.statuses), (STAGE, portal.policy.stages)):
        for option in portal.definitions[name].options:
            if not terms.is_mapped(option.value):
                count = gateway.count_having(name, option.value)
                if count:
                    checkup.unmapped.append(Unmapped(name, option.value, option.label, count))
    read = gateway.all_contacts((STATUS, STAGE, "hs_latest_open_lead_date"), (STATUS, STAGE))
    contacts = [contact for page in islice(read, SAMPLE_PAGES) for contact in page]
    checkup.sampled = len(contacts)
    checkup.writers = count_writers(contacts, portal.policy)
    if any(c.properties.get("hs_latest_open_lead_date") for c in contacts):
        checkup.foreign.append("the Leads object is in use: its rollups move beside the Lead status")
    for one in checkup.writers:
        if one.source.split(":")[0].startswith("SALESFORCE"):
            checkup.foreign.append(f"Salesforce writes {one.property}")
    return checkup


def count_writers(contacts: Iterable[Contact], policy: Policy) -> list[WriterCount]:
    """Who wrote the two fields, most frequent first."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for contact in contacts:
        for name in (STATUS, STAGE):
            for entry in (contact.history or {}).get(name, ()):
                source = str(entry.get("sourceType") or "unknown")
                one_of_many = source in {"INTEGRATION", "AUTOMATION_PLATFORM", "WORKFLOWS", "IMPORT"}
                who = f"{source}:{entry['sourceId']}" if one_of_many and entry.get("sourceId") else source
                counts[name, who, str(entry.get("sourceLabel") or ""), writer(entry, policy.writers)] += 1
    return [WriterCount(*key, count) for key, count in counts.most_common()]
