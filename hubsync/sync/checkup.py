"""What stands between the rules and a portal: scopes, options, properties, options in use, and who else writes.

Reads only. `hubsync check` prints it; nothing here decides on a contact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from hubsync.policy.contact import Contact, RawEntry
from hubsync.policy.pacing import ENROLMENT
from hubsync.policy.policy import Gap, Policy
from hubsync.policy.timeline import HUBSYNC, writer
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.portal.gateway import Gateway
from hubsync.portal.values import ScopeCheck
from hubsync.store.store import Store
from hubsync.sync.binding import BoundPortal
from hubsync.sync.position import app_behind, find, lies_where_meant
from hubsync.sync.recovery import known_app
from hubsync.sync.standing import HAPPENED

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


def check_portal(
    gateway: Gateway,
    portal: BoundPortal,
    scopes: tuple[ScopeCheck, ...],
    store: Store | None = None,
    configured: str | None = None,
) -> Checkup:
    """Read what is needed: a search per unmapped option, up to twenty pages of contacts with history.

    Which writes are hubsync's own is told by the app's number, as `configured` or as the database (`store`) knows it.
    """
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
    checkup.writers = count_writers(contacts, portal.policy, configured or own_app(store, portal.id, contacts))
    if any(c.properties.get("hs_latest_open_lead_date") for c in contacts):
        checkup.foreign.append("the Leads object is in use: its rollups move beside the Lead status")
    for one in checkup.writers:
        if one.source.split(":")[0].startswith("SALESFORCE"):
            checkup.foreign.append(f"Salesforce writes {one.property}")
    return checkup


def own_app(store: Store | None, portal: int, contacts: Sequence[Contact]) -> str | None:
    """The number of hubsync's own app: as learned, else as the entries tell that rows of the ledger match."""
    known = known_app(store, portal) if store is not None else None
    if store is None or known is not None:
        return known
    ledger = store.ledger_of(portal, [contact.id for contact in contacts])
    ours = []
    for contact in contacts:
        for row in ledger.get(contact.id, ()):
            entries = (contact.history or {}).get(row.target, ())
            index = find(entries, row, None) if row.state in HAPPENED and row.kind in {"set", "undo"} else None
            if index is not None and lies_where_meant(entries, index, row):
                ours.append(entries[index])
    return app_behind(ours)


def count_writers(contacts: Iterable[Contact], policy: Policy, app_id: str | None = None) -> list[WriterCount]:
    """Who wrote the two fields, most frequent first; a workflow's enrolments are one writer, by its name.

    What the app `app_id` wrote is hubsync's.
    """
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for contact in contacts:
        for name in (STATUS, STAGE):
            for entry in (contact.history or {}).get(name, ()):
                kind = HUBSYNC if app_id and source_of(entry) == f"INTEGRATION:{app_id}" else None
                label = str(entry.get("sourceLabel") or "")
                counts[name, source_of(entry), label, kind or writer(entry, policy.writers)] += 1
    return [WriterCount(*key, count) for key, count in counts.most_common()]


def source_of(entry: RawEntry) -> str:
    """HubSpot's source of an entry, with its number where one of many is meant; of an enrolment, without."""
    source, number = str(entry.get("sourceType") or "unknown"), str(entry.get("sourceId") or "")
    one_of_many = source in {"INTEGRATION", "AUTOMATION_PLATFORM", "WORKFLOWS", "IMPORT"}
    return f"{source}:{number}" if one_of_many and number and not number.startswith(ENROLMENT) else source
