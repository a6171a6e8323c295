"""Retention: what is older goes from the database, slice by slice; and a contact's rows, where the law asks for it.

HubSpot isn't asked and nothing in it changes. Whoever writes to the database meanwhile waits for one short transaction
at most, and what a purge leaves keeps every spent cause spent (store/purging.py).
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

from hubsync.errors import SettingsError
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.store.purging import LAST_RUN, Cut
from hubsync.store.store import Store
from hubsync.sync.holding import read_holding, save_holding
from hubsync.sync.scope import PURGED, purged_before
from hubsync.sync.setting_up import KIND as SETUP

SHORTEST = timedelta(days=60)
"""Nothing younger is ever purged: so far back hubsync looks at its own writes (overrides, the brake, neighbours)."""
BURIED_FOR = timedelta(days=30)
"""For so long events don't re-create a contact that was erased (design 4)."""
LONGEST_SLICE = 0.020
"""Seconds that a slice may take; they grow and shrink towards half of it."""
SMALLEST_SLICE, FIRST_SLICE, LARGEST_SLICE = 20, 50, 2_000
LONGEST_PAUSE = 0.1
FREE_PAGES = 200
"""Pages of a SQLite file given back to the disk in one transaction."""


def cut_for(now: datetime, older_than: timedelta) -> Cut:
    """What may go at this moment. Setups keep their plans, since undoing one asks them."""
    return Cut(
        before=now - max(older_than, SHORTEST),
        now=now,
        by_value=frozenset({STATUS, STAGE}),
        kept_kinds=frozenset({SETUP, "undo"}),
    )


def preview_purge(store: Store, portal: int, cut: Cut) -> dict[str, int]:
    """How many rows of each table would go."""
    return store.purging(portal).preview(cut)


def purge(
    store: Store,
    portal: int,
    cut: Cut,
    advance: Callable[[int], None] = lambda _n: None,
    *,
    clock: Callable[[], float] = time.perf_counter,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, int]:
    """Delete what may go; returns how many rows of each table went. Killed half-way, it is simply run again.

    After each slice it pauses for as long as the slice took, so that whoever waits for the database gets it.
    """
    store.set_cursor(portal, PURGED, max(cut.before, purged_before(store, portal) or cut.before).isoformat())
    pace = _Pace()
    gone: Counter[str] = Counter()
    purging = store.purging(portal)
    for part in purging.slices(cut, pace.size, clock):
        gone[part.table] += part.rows
        pace.note(part.seconds)
        pause(min(part.seconds, LONGEST_PAUSE))
        advance(part.rows)
    while purging.give_back(FREE_PAGES):
        pause(LONGEST_SLICE)
    return dict(gone)


class _Pace:
    """How large the next slice may be, by how long the last one took."""

    def __init__(self) -> None:
        self._size = FIRST_SLICE

    def size(self) -> int:
        return self._size

    def note(self, seconds: float) -> None:
        fitting = self._size * (LONGEST_SLICE / 2) / max(seconds, 0.000_1)
        self._size = int(min(max(fitting, SMALLEST_SLICE), self._size * 2, LARGEST_SLICE))


def preview_erasure(store: Store, portal: int, contact: str) -> dict[str, int]:
    """How many rows of each table a contact has, under its former ids too."""
    return store.purging(portal).of_contacts([contact, *store.merged_into(portal, contact)])


def erase(store: Store, portal: int, contacts: Collection[str], now: datetime) -> None:
    """Everything the database holds of these contacts goes, in one transaction, as at a privacy deletion.

    Also what is held back of them. For 30 days a late event doesn't bring them back.
    """
    with store.begin():
        everyone = {id_ for contact in contacts for id_ in (contact, *store.merged_into(portal, contact))}
        held = read_holding(store, portal)
        left = replace(
            held,
            tasks=tuple(t for t in held.tasks if t.contact not in everyone),
            bursts=tuple(replace(b, contacts=tuple(c for c in b.contacts if c not in everyone)) for b in held.bursts),
        )
        if left != held:
            save_holding(store, portal, left)
        store.erase(portal, everyone, until=now + BURIED_FOR)


def unknown_run(store: Store, portal: int, number: int) -> SettingsError:
    """What to say of a run that isn't there: it never was, or it was purged."""
    purged = int(json.loads(store.cursor(portal, LAST_RUN) or "0"))
    if number > purged:
        return SettingsError(f"There is no run {number} on portal {portal}; hubsync runs lists them.")
    return SettingsError(
        f"Run {number} is no run of portal {portal} any more: runs up to {purged} that were older than the retention "
        "were purged (hubsync db purge) and can't be undone. hubsync runs lists those that are left."
    )
