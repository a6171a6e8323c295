"""What people change back of what hubsync wrote: noticed, logged once, counted by rule (playbook A18).

A change back is a person's entry directly above ours in the property's history with the value that ours replaced, so
that a lead which simply goes on (New, then Connected) is none. Nothing is written to HubSpot here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hubsync.policy.changes import PORTAL, Finding
from hubsync.policy.contact import Contact, OurWrite, RawEntry
from hubsync.policy.instants import parse_instant
from hubsync.policy.timeline import HUBSYNC, PERSON, writer
from hubsync.policy.tuning import Record, proposing, up_for_tuning
from hubsync.portal.gateway import Gateway
from hubsync.portal.writing import same_value
from hubsync.store.store import Store
from hubsync.store.values import Override, Settlement, Write
from hubsync.sync.binding import BoundPortal
from hubsync.sync.book import BY_A_PERSON
from hubsync.sync.lease import PortalLease
from hubsync.sync.looking import Look
from hubsync.sync.marks import tuned_at
from hubsync.sync.mending import override_of
from hubsync.sync.position import find, value
from hubsync.sync.standing import author, moment

LATEST = timedelta(days=30)
"""Who sets the former value later than this after our write has new reasons for it."""
CHANGED_BACK = "changed back by "


class OverrideWatch:
    """Sees to it, while a writing run looks at contacts, that what people changed back is logged."""

    def __init__(self, gateway: Gateway, store: Store, portal: BoundPortal, lease: PortalLease) -> None:
        self.gateway = gateway
        self.store = store
        self.portal = portal
        self.lease = lease
        self._app = next((p.app_id for p in store.portals() if p.id == portal.id), None)

    def see(self, looks: Sequence[Look], now: datetime) -> int:
        """Log what was changed back on these contacts; how many writes that were. Reads histories of those alone."""
        contacts = {look.contact.id: look.contact for look in looks if _is_changed_back(look.contact)}
        if not contacts:
            return 0
        rows = {
            id_: left for id_, rows in self.store.ledger_of(self.portal.id, contacts).items() if (left := _open(rows))
        }
        unread = [id_ for id_ in rows if contacts[id_].history is None]
        if unread:
            policy = self.portal.policy
            read = self.gateway.read_contacts(unread, policy.properties, policy.history).found
            contacts |= {id_: contact for id_, contact in read.items() if contact.id == id_}
        overrides: list[Override] = []
        settled: list[Settlement] = []
        notes: dict[int, str] = {}
        for id_, some in rows.items():
            for row in some:
                entry = self._change_back(contacts[id_], row)
                if entry is None:
                    continue
                notes[row.id] = f"{CHANGED_BACK}{author(entry, self.portal)} {moment(entry, self.portal)}"
                if writer(entry, self.portal.policy.writers) == PERSON:
                    overrides.append(override_of(row, entry))
                    settled.append(Settlement(row.id, "overridden", now))
        if notes:
            with self.lease.transaction():
                self.store.log_overrides(self.portal.id, overrides)
                self.store.settle(self.portal.id, settled)
                self.store.annotate(self.portal.id, notes)
        return len(overrides)

    def _change_back(self, contact: Contact, row: Write) -> RawEntry | None:
        """The entry directly above what `row` wrote, if it has the value that was there before."""
        entries = (contact.history or {}).get(row.target, ())
        index = find(entries, row, self._app)
        if not index:
            return None
        above = entries[index - 1]
        late = row.answered_at is not None and parse_instant(str(above["timestamp"])) - row.answered_at > LATEST
        return above if same_value(row.before or "", value(above)) and not late else None


def _is_changed_back(contact: Contact) -> bool:
    """Whether a property that hubsync wrote last, as far as the ledger knows, has the value of before: all it costs."""
    newest: dict[str, OurWrite] = {}
    for one in contact.ours:
        newest[one.property] = one
    return any(
        one.by == HUBSYNC
        and not one.restores
        and one.before != one.value
        and same_value(one.before, contact.properties.get(name) or "")
        for name, one in newest.items()
    )


def _open(rows: Sequence[Write]) -> list[Write]:
    """Rows that rules wrote and nobody is known to have changed back."""
    return [
        row
        for row in rows
        if row.kind == "set"
        and row.state == "applied"
        and row.cause_kind != BY_A_PERSON
        and not (row.note or "").startswith(CHANGED_BACK)
    ]


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """A rule's record with the latest changes back, newest first."""

    record: Record
    latest: tuple[Override, ...]


def records(store: Store, portal: int, *, since: datetime | None = None) -> list[RuleRecord]:
    """Every rule that wrote, or was overridden, since a moment (None: ever), the most overridden first."""
    writes = store.firings(portal, since=since)
    overrides: dict[str, list[Override]] = {}
    for override in store.overrides(portal, since=since):
        overrides.setdefault(override.rule, []).append(override)
    found = [
        RuleRecord(_record(rule, writes.get(rule, 0), overrides.get(rule, ())), tuple(overrides.get(rule, ())[::-1]))
        for rule in sorted({*writes, *overrides})
    ]
    return sorted(found, key=lambda r: (-r.record.share, -r.record.writes, r.record.rule))


def to_be_tuned(store: Store, portal: int) -> dict[str, Record]:
    """The rules that are overridden too often, counted since each was last changed."""
    overrides: dict[str, list[Override]] = {}
    for override in store.overrides(portal):
        overrides.setdefault(override.rule, []).append(override)
    since = tuned_at(store, portal)
    found: list[Record] = []
    for rule, some in overrides.items():
        start = since.get(rule)
        left = [o for o in some if start is None or o.at >= start]
        if left:
            found.append(_record(rule, store.firings(portal, since=start, rule=rule).get(rule, 0), left))
    return up_for_tuning(found)


def tuned(portal: BoundPortal, store: Store | None) -> BoundPortal:
    """The portal with the rules that are up for tuning lowered to propose; without a database as it is."""
    if store is None:
        return portal
    names = to_be_tuned(store, portal.id)
    return replace(portal, policy=proposing(portal.policy, names)) if names else portal


def notices(store: Store | None, portal: int) -> list[str]:
    """What a run says of rules that only propose now, and what to do about it."""
    return [f"Rule {finding.rule} {finding.message}" for finding in findings(store, portal)]


def findings(store: Store | None, portal: int) -> list[Finding]:
    """What an audit shows of rules that only propose now: one finding of the portal each."""
    return [
        Finding(
            PORTAL,
            record.rule,
            "A18",
            f"only proposes: people changed back {record.overridden:,} of its {record.writes:,} writes "
            f"({record.share:.0%}). See `hubsync report overrides`, then change the rule: it counts anew from then on.",
            backlog=False,
        )
        for record in (to_be_tuned(store, portal).values() if store is not None else ())
    ]


def _record(rule: str, writes: int, overrides: Sequence[Override]) -> Record:
    return Record(rule, writes, len({(o.contact, o.cause_key) for o in overrides}))
