"""What is held back and why, kept between runs: bursts until they are released, tasks until their time (B4, B5, B7).

Kept in the database's cursors, small enough to be read whole; `hubsync guard` shows it and releases. It is a memory
for people and for releases: whether a task may be created is decided anew by every run (policy/pacing.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from hubsync.policy.pacing import Burst
from hubsync.store.store import Store

CURSOR = "guard.held"
REMEMBERED = timedelta(days=30)
"""How long a released burst is known, so that latecomers from it aren't held again."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task that was held back when its contact was last looked at, or something to be `told` (`subject`: its text).

    `until` None: until somebody does something.
    """

    contact: str
    rule: str
    subject: str
    owner: str | None
    why: str
    until: datetime | None
    burst: str = ""
    told: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """Everything held in a portal. `lifted` are rules whose tasks the next run doesn't count against the caps."""

    bursts: tuple[Burst, ...] = ()
    tasks: tuple[Waiting, ...] = ()
    lifted: frozenset[str] = frozenset()

    def seen(
        self, contacts: Collection[str], waiting: Iterable[Waiting], bursts: Iterable[Burst], now: datetime
    ) -> Holding:
        """After a run: what waits of the contacts with tasks it looked at is as it found it, the rest as before."""
        kept = [t for t in self.tasks if t.contact not in contacts and not _is_over(t, now)]
        known = tuple(b for b in bursts if not b.released or now - b.last < REMEMBERED)
        return Holding(known, (*kept, *waiting))


def _is_over(task: Waiting, now: datetime) -> bool:
    """A task nobody looked at for a day after its time: its contact is gone, or its rule holds no more."""
    return task.until is not None and now - task.until > timedelta(days=1)


def read_holding(store: Store | None, portal: int) -> Holding:
    """What is held in a portal; nothing where nothing was ever written."""
    text = store.cursor(portal, CURSOR) if store is not None else None
    return _holding(text) if text else Holding()


@lru_cache(maxsize=4)
def _holding(text: str) -> Holding:
    """What was written down; it is asked for again before every batch, and mostly as it was."""
    said: dict[str, Any] = orjson.loads(text)
    return Holding(
        tuple(_burst(b) for b in said["bursts"]),
        tuple(Waiting(**{**t, "until": _moment(t["until"])}) for t in said["tasks"]),
        frozenset(said["lifted"]),
    )


def save_holding(store: Store, portal: int, holding: Holding) -> None:
    """Keep what is held. Inside the lease's transaction where a run does it."""
    said = {"bursts": holding.bursts, "tasks": holding.tasks, "lifted": sorted(holding.lifted)}
    text = orjson.dumps(said).decode()
    if text != store.cursor(portal, CURSOR):
        store.set_cursor(portal, CURSOR, text)


def release(store: Store, portal: int, what: str) -> int | None:
    """Let the next sync create the tasks of a burst or of a rule, and tell what waits; their contacts are due at once.

    Returns how much waited; None where nothing of that name is held.
    """
    with store.begin():
        held = read_holding(store, portal)
        if any(b.id == what for b in held.bursts):
            freed = [t for t in held.tasks if t.burst == what]
            bursts = tuple(replace(b, released=True) if b.id == what else b for b in held.bursts)
            after = replace(held, bursts=bursts, tasks=tuple(t for t in held.tasks if t.burst != what))
            contacts = {c for b in held.bursts if b.id == what for c in b.contacts}
        else:
            freed = [t for t in held.tasks if t.rule == what and not t.burst]
            if not freed:
                return None
            after = replace(held, lifted=held.lifted | {what})
            contacts = {t.contact for t in freed}
        looks = store.looks(portal, contacts)
        store.save_looks(portal, [replace(look, next_look_at=look.read_at, facts=None) for look in looks.values()])
        save_holding(store, portal, after)
    return len(freed)


def _burst(said: dict[str, Any]) -> Burst:
    first, last = datetime.fromisoformat(said["first"]), datetime.fromisoformat(said["last"])
    return Burst(**{**said, "first": first, "last": last, "contacts": tuple(said["contacts"])})


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
