"""Which contacts a run looks at, and from when on causes count (B1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hubsync.policy.policy import Horizon
from hubsync.policy.retention import kept_within
from hubsync.portal.gateway import Gateway
from hubsync.store.store import Store
from hubsync.sync.binding import BoundPortal
from hubsync.sync.clocks import is_to_come
from hubsync.sync.looking import Look, Looker
from hubsync.sync.marks import since_changed

CURSOR = "sync.completed"
"""Start of the last completed `sync --write` that looked at all that had changed."""
OUTAGE = timedelta(days=7)
"""After so long without a complete look, older causes are backlog (B1)."""
RESUMED = "sync.resumed"
"""From when causes count since the last outage: what it left as backlog stays so, however often one looks again."""
PURGED = "purged.before"
"""Cursor: up to when the ledger was purged. What happened before must not fire: who knows what did?"""
RELATED = ("deals", "emails", "calls", "communications")
DUE_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Scope:
    """Every contact (`full`), those changed since a moment, some by id, or, with none of these, what is new since the
    last completed run. `overlap` covers the lag of HubSpot's search index."""

    full: bool = False
    since: datetime | None = None
    contacts: tuple[str, ...] = ()
    overlap: timedelta = timedelta(seconds=90)

    @property
    def moves_cursor(self) -> bool:
        """Whether a completed run over this scope has seen all that had changed before it began."""
        return not self.contacts and self.since is None

    def as_args(self) -> dict[str, Any]:
        """For the run's record."""
        return {
            "full": self.full,
            "since": self.since.isoformat() if self.since else None,
            "contacts": list(self.contacts),
        }


def last_completed(store: Store | None, portal: int, now: datetime) -> datetime | None:
    """When the last completed run began; None where none has completed, or where that is yet to come by the clock."""
    text = store.cursor(portal, CURSOR) if store is not None else None
    at = datetime.fromisoformat(text) if text else None
    return None if at is None or is_to_come(at, now) else at


def read_scope(
    gateway: Gateway, store: Store | None, portal: BoundPortal, scope: Scope, looker: Looker, now: datetime
) -> Iterator[list[Look]]:
    """Look at every contact of the scope, once each."""
    if scope.contacts:
        yield from looker.at(scope.contacts)
        return
    since = scope.since or (None if scope.full else last_completed(store, portal.id, now))
    if since is None:
        yield from looker.over(gateway.all_contacts(portal.policy.properties))
        return
    yield from looker.at(_changed_since(gateway, store, portal.id, since - scope.overlap, now))


def _changed_since(gateway: Gateway, store: Store | None, portal: int, since: datetime, now: datetime) -> Sequence[str]:
    """Contacts changed themselves, by a deal or an engagement, or whose timer is due."""
    ids: dict[str, None] = {}
    for page in gateway.modified_since(since):
        ids.update(dict.fromkeys(page))
    for kind in RELATED:
        related: dict[str, None] = {}
        for page in gateway.modified_since(since, kind):
            related.update(dict.fromkeys(page))
        for contacts in gateway.contacts_of(kind, related).values() if related else ():
            ids.update(dict.fromkeys(contacts))
    if store is not None:
        ids.update(dict.fromkeys(store.due(portal, now, DUE_AT_ONCE)))
    return list(ids)


def horizon_for(store: Store | None, portal: BoundPortal, effective_since: datetime | None, now: datetime) -> Horizon:
    """From when on causes count (B1), never further back than the retention.

    The setting outranks all, except that nothing counts from before what was purged. Without it and without a first
    write, nothing counts yet. A rule that was not there at the first write counts from when it was; one never seen
    counts from now, one that was changed from the last complete look before (sync/marks.py). After more than a week
    without a complete look, causes older than a week are backlog.
    """
    if effective_since is not None:
        return Horizon(max(effective_since, purged_before(store, portal.id) or effective_since))
    since = store.effective_since(portal.id) if store is not None else None
    if store is None or since is None:
        return Horizon(None)
    resumed = _resumed(store, portal.id, now)
    if resumed is not None:
        since = max(since, resumed)
    active = store.activations(portal.id)
    changed = since_changed(store, portal.id, portal.policy, last_completed(store, portal.id, now) or now, now)
    starts = {rule.id: active.get(rule.id, now) for rule in portal.policy.rules}
    horizon = Horizon(since, {rule: max(at, changed.get(rule, at)) for rule, at in starts.items()})
    return kept_within(horizon, now, portal.retention)


def purged_before(store: Store | None, portal: int) -> datetime | None:
    """Up to when the ledger was purged; None where it never was."""
    text = store.cursor(portal, PURGED) if store is not None else None
    return datetime.fromisoformat(text) if text else None


def note_outage(store: Store, portal: int, now: datetime) -> None:
    """After an outage, remember from when causes count; for a run that writes, before it decides."""
    if (resumed := _resumed(store, portal, now)) is not None:
        store.set_cursor(portal, RESUMED, resumed.isoformat())


def _resumed(store: Store, portal: int, now: datetime) -> datetime | None:
    """From when causes count where there was an outage, the present one included; None where there never was one."""
    completed = last_completed(store, portal, now)
    if completed is not None and now - completed > OUTAGE:
        return now - OUTAGE
    text = store.cursor(portal, RESUMED)
    return datetime.fromisoformat(text) if text else None


def base_for_guard(store: Store, portal: int, scope: Scope, in_scope: int, now: datetime) -> int:
    """Contacts in scope in the whole portal: as counted now, or by the last run that looked at all of them."""
    if scope.full or last_completed(store, portal, now) is None:
        return in_scope
    known = next((r.counts["in_scope"] for r in store.runs(portal, 200) if r.counts.get("all")), 0)
    return max(known, in_scope)
