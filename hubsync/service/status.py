"""How the service is doing, as one value: what the status page shows, read from the database and from health.

It only reads. What stands nowhere but in the running service (when its rules were loaded, its last alerts) is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hubsync.service.buckets import ALL, EVERYTHING, parked_for, read_held
from hubsync.service.health import Health
from hubsync.service.poller import KINDS, POLLED
from hubsync.service.proof import ProofState
from hubsync.service.worker import UNREADABLE
from hubsync.store.store import Store
from hubsync.store.values import Run

PARKED_SHOWN = 20
RUNS_SHOWN = 10
HELD_COUNTED = 10_000
"""Held contacts of a rule are counted up to here."""


@dataclass(frozen=True, slots=True)
class Poll:
    """Up to when HubSpot was asked what changed of one kind of object; None: never."""

    kind: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Parked:
    """A contact (or `deals:77`) that could not be looked at, however often it was tried."""

    item: str
    reason: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Held:
    """A rule that the guard holds, with how many contacts wait for it; `rule` None: all rules."""

    rule: str | None
    since: datetime
    contacts: int
    release: str
    """The command that lets it go on."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that people were told."""

    at: datetime
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The service at one moment (`at`, the portal's time)."""

    at: datetime
    portal: int
    ui_domain: str
    writes: bool
    rules_digest: str | None
    rules_since: datetime | None
    proof: ProofState | None
    """Whether the rules are proved to settle; None where nobody asked."""
    problems: Mapping[str, str]
    polls: tuple[Poll, ...]
    due: int
    """Contacts to be looked at now."""
    due_since: datetime | None
    """Since when the first of them is."""
    parked: tuple[Parked, ...]
    parked_in_all: int
    """With those whose changes are held."""
    held: tuple[Held, ...]
    runs: tuple[Run, ...]
    alerts: tuple[Alert, ...]


def read_status(
    store: Store,
    portal: int,
    health: Health,
    now: datetime,
    *,
    writes: bool,
    rules_since: datetime | None = None,
    proof: ProofState | None = None,
    alerts: Sequence[Alert] = (),
    ui_domain: str = "app.hubspot.com",
) -> Status:
    """Read it. `writes`: HubSpot is written to; `alerts` newest first. Raises StoreError."""
    due, due_since, parked_in_all = store.parking.counts(portal, now)
    return Status(
        at=now,
        portal=portal,
        ui_domain=ui_domain,
        writes=writes,
        rules_digest=store.active_digest(portal),
        rules_since=rules_since,
        proof=proof,
        problems=health.problems(),
        polls=tuple(Poll(kind, _moment(store.cursor(portal, POLLED + kind))) for kind in KINDS),
        due=due,
        due_since=due_since,
        parked=tuple(
            Parked(item.contact, item.why.removeprefix(UNREADABLE), item.attempts)
            for item in store.parking.parked(portal, why=UNREADABLE, limit=PARKED_SHOWN)
        ),
        parked_in_all=parked_in_all,
        held=_held(store, portal),
        runs=store.runs(portal, RUNS_SHOWN),
        alerts=tuple(alerts),
    )


def _held(store: Store, portal: int) -> tuple[Held, ...]:
    """The held rules, each with the command that lets it go on."""
    return tuple(
        Held(
            None if held.rule == EVERYTHING else held.rule,
            held.since,
            len(store.parking.parked(portal, why=parked_for(held.rule), limit=HELD_COUNTED)),
            f"hubsync guard release {ALL if held.rule == EVERYTHING else held.rule}",
        )
        for held in read_held(store, portal)
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
