"""A desk for tests of runs: a sandbox portal over real HTTP, hubsync beside it with a database, and one clock for both.

The clock stands still unless a test moves it, and the gateway never really waits.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hubsync.policy.spec import RolloutSpec
from hubsync.portal.gateway import Gateway
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.sandbox import Portal, Sandbox, SandboxClock, acts
from hubsync.sandbox.journal import Write as PortalWrite
from hubsync.sandbox.population.furniture import define_own_properties, define_statuses
from hubsync.sandbox.records import Entry, Record
from hubsync.settings import default_rules
from hubsync.store import Store, upgrade
from hubsync.store.database import open_store
from hubsync.store.values import Write
from hubsync.sync import reconcile
from hubsync.sync.binding import BoundPortal, bind
from hubsync.sync.guard import Limits
from hubsync.sync.reconcile import Outcome, Session
from hubsync.sync.scope import Scope
from tests.builders import shipped

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
"""Monday, ten in the morning where the sandbox portal is (US/Eastern)."""
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
GENEROUS = Limits(share=1.0, at_least=100_000, tasks=100_000)
STATUS, STAGE = "hs_lead_status", "lifecyclestage"
MQL, SQL = "marketingqualifiedlead", "salesqualifiedlead"


@functools.cache
def rules() -> LoadedRules:
    """The core of the rules that come with hubsync, with a roll-out that is over: all at auto, at their pace."""
    return rolled_out(shipped())


@functools.cache
def all_rules() -> LoadedRules:
    """All rules that come with hubsync, with a roll-out that is over."""
    return rolled_out(load_rules(default_rules()))


def rolled_out(loaded: LoadedRules) -> LoadedRules:
    """Rules with a roll-out that is over."""
    return LoadedRules(loaded.folder, replace(loaded.files, rollout=RolloutSpec()), loaded.documents)


@functools.cache
def migrated() -> bytes:
    """A database file that holds nothing yet: made once, since that takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        upgrade("sqlite:///hubsync.db", base=Path(folder))
        return (Path(folder) / "hubsync.db").read_bytes()


def ago(**time: float) -> datetime:
    """So long before NOW."""
    return NOW - timedelta(**time)


class Patience:
    """Seconds that pass only by sleeping."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def clock(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Desk:
    """`portal` to act in, `sync()` and `plan()` to run, `store` and the portal's journal to look at afterwards."""

    def __init__(
        self,
        folder: Path,
        *,
        added_statuses: bool = True,
        own_properties: bool = True,
        effective_since: datetime | None = LONG_AGO,
        loaded: LoadedRules | None = None,
        **sandbox: Any,
    ) -> None:
        self.clock = SandboxClock(NOW, frozen=True)
        self.portal = Portal(clock=self.clock, seed=7)
        if added_statuses:
            define_statuses(self.portal)
        if own_properties:
            define_own_properties(self.portal)
        self.rep = self.portal.directory.add_owner("rita@example.com", "Rita", "Rep").id
        self.box = Sandbox(self.portal, allowance=100_000, searches=100_000, **sandbox).start()
        self.folder = folder
        self.url = f"sqlite:///{folder / 'desk.db'}"
        self.effective_since = effective_since
        self.settle: timedelta | None = None
        self._bound: BoundPortal | None = None
        self.loaded = loaded or rules()
        (folder / "desk.db").write_bytes(migrated())
        self.store: Store = open_store(self.url, base=folder)
        self.gateway = self.new_gateway()

    def new_gateway(self) -> Gateway:
        """A gateway as a run makes one; the one before is closed."""
        if hasattr(self, "gateway"):
            self.gateway.close()
        patience = Patience()
        self.gateway = Gateway(
            self.box.url,
            lambda: self.box.token,
            bulk=True,
            clock=patience.clock,
            sleep=patience.sleep,
            now=self.clock.now,
        )
        return self.gateway

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gateway.close()
        self.store.close()
        self.box.stop()

    # What happens in the portal ----------------------------------------------------------------------------------

    def lead(self, status: str = "", stage: str = "lead", *, at: datetime | None = None, **more: str) -> str:
        """A contact with an owner, made by a person `at` (default: ten days ago). `hubspot_owner_id=""` for none."""
        properties = {"hubspot_owner_id": self.rep, STATUS: status, STAGE: stage, **more}
        given = {name: value for name, value in properties.items() if value}
        return acts.create_contact(self.portal, given, user=self.rep, at=at or ago(days=10))

    def sets(self, contact: str, prop: str, value: str, at: datetime | None = None) -> None:
        """A person sets a property."""
        acts.person_sets(self.portal, contact, prop, value, self.rep, at=at)

    def later(self, **time: float) -> datetime:
        """Time passes, in the portal and for hubsync."""
        self.clock.advance(timedelta(**time))
        return self.clock.now()

    # Runs --------------------------------------------------------------------------------------------------------

    def bound(self) -> BoundPortal:
        """The portal as a run binds it: once a desk, unless `rebind` says that the portal or the rules changed."""
        if self._bound is None:
            self._bound = bind(self.gateway, self.loaded, settle=self.settle, known_portal=self.store.known_portal())
        return self._bound

    def rebind(self, *, settle: timedelta | None = None, loaded: LoadedRules | None = None) -> None:
        """The next run reads the portal's definitions anew; `settle` is SETTLE_SECONDS, `loaded` other rules."""
        self._bound, self.settle, self.loaded = None, settle, loaded or self.loaded

    def session(self) -> Session:
        """What a run starts from."""
        return Session(self.gateway, self.bound(), self.store, self.clock.now, self.effective_since)

    def sync(self, *contacts: str, scope: Scope | None = None, limits: Limits = GENEROUS) -> Outcome:
        """`hubsync sync --write --full`, or of these contacts, or of a scope."""
        return reconcile.write(self.session(), self.store, _scope(contacts, scope), limits)

    def plan(self, *contacts: str, scope: Scope | None = None) -> Outcome:
        """`hubsync sync --full`, or of these contacts, or of a scope."""
        return reconcile.plan(self.session(), _scope(contacts, scope))

    # What came of it ---------------------------------------------------------------------------------------------

    def status(self, contact: str) -> str | None:
        """The contact's Lead status, HubSpot's value."""
        return self.value(contact, STATUS)

    def stage(self, contact: str) -> str | None:
        """The contact's Lifecycle stage, HubSpot's value."""
        return self.value(contact, STAGE)

    def value(self, contact: str, prop: str) -> str | None:
        """A property of a contact."""
        return self.portal.values("contacts", contact, prop)[prop]

    def newest(self, contact: str, prop: str = STATUS) -> Entry:
        """The newest entry of a property's history."""
        return self.portal.get("contacts", contact).entries(prop)[-1]

    def tasks(self, contact: str) -> list[Record]:
        """The contact's tasks that are not deleted, oldest first."""
        linked = self.portal.get("contacts", contact).linked("tasks")
        records = [self.portal.tables["tasks"].records[id_] for id_ in linked]
        return sorted((r for r in records if r.archived_at is None), key=lambda r: int(r.id))

    def ledger(self, *contacts: str) -> list[Write]:
        """Rows of the ledger, oldest first."""
        portal = self.portal.portal_id
        return [row for rows in self.store.ledger_of(portal, contacts).values() for row in rows]

    def written(self, prop: str | None = None) -> list[PortalWrite]:
        """What hubsync effectively wrote to contacts, by the portal's journal."""
        ours = self.portal.app_source
        return [
            w
            for w in list(self.portal.journal.writes)
            if w.source == ours and w.kind == "contacts" and w.property and prop in (None, w.property)
        ]

    def requests(self, ending: str) -> list[Any]:
        """Requests whose path ends so."""
        return [r for r in list(self.portal.journal.requests) if r.path.partition("?")[0].endswith(ending)]


def _scope(contacts: Sequence[str], scope: Scope | None) -> Scope:
    return scope or Scope(full=not contacts, contacts=tuple(contacts))


def states(outcome: Outcome) -> list[tuple[str, str, str]]:
    """(rule, to, state) of each change of a run, sorted."""
    return sorted((c["rule"], c["to"] or "", c["state"]) for c in outcome.tally.changes)


def acted(outcome: Outcome) -> list[str]:
    """States of everything of a run that is more than shown."""
    rows = [*outcome.tally.changes, *outcome.tally.tasks]
    return [row["state"] for row in rows if row["state"] not in {"proposed", "superseded"}]
