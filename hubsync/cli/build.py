"""Objects from settings: the gateway, the rules, the database, and the session a run needs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from hubsync.cli.context import Invocation, invocation
from hubsync.errors import SettingsError
from hubsync.portal.gateway import Gateway
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.settings import Settings
from hubsync.store.database import open_store
from hubsync.store.store import Store
from hubsync.sync.binding import BoundPortal, bind
from hubsync.sync.overrides import tuned
from hubsync.sync.reconcile import Session

Clock = Callable[[], datetime]


def local_now() -> datetime:
    """The machine's time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Workbench:
    """What a command works with. `store` is None where there is no database and none is needed."""

    settings: Settings
    rules: LoadedRules
    gateway: Gateway
    portal: BoundPortal
    store: Store | None
    session: Session

    @property
    def written(self) -> Store:
        """The database of a command that can't do without one."""
        if self.store is None:
            raise SettingsError("There is no database yet: the first `hubsync sync --write` makes one.")
        return self.store


@contextlib.contextmanager
def workbench(context: typer.Context, *, bulk: bool = True, database: str = "if there") -> Iterator[Workbench]:
    """Open all a command needs and close it again.

    `database`: "if there" opens one that exists (reading it), "needed" demands one, "made" creates it. Raises
    SettingsError, RuleFileError, StoreError or a PortalError with a message for the user.
    """
    given = invocation(context)
    settings = given.settings()
    rules = load_rules(settings.rules)
    tokens = settings.token_provider()
    with contextlib.ExitStack() as stack:
        store = _store(stack, settings, database)
        gateway = stack.enter_context(Gateway(settings.api_url, tokens, api_version=settings.api_version, bulk=bulk))
        session = session_of(given, settings, rules, gateway, store)
        yield Workbench(settings, rules, gateway, session.portal, store, session)


def session_of(
    given: Invocation, settings: Settings, rules: LoadedRules, gateway: Gateway, store: Store | None
) -> Session:
    """The portal as it is now with the rules bound to it. Raises RuleFileError or a PortalError."""
    known = store.known_portal() if store is not None else None
    settle = timedelta(seconds=settings.settle_seconds) if settings.settle_seconds is not None else None
    retention = timedelta(days=settings.retention_days)
    portal = bind(gateway, rules, settle=settle, known_portal=known, retention=retention)
    _same_portal(given, portal)
    pace = rules.pace(portal.account.time_zone, portal.policy.owner_teams)
    guard, since = rules.files.portal.guard, settings.effective_since
    return Session(gateway, tuned(portal, store), store, local_now, since, settings.app_id, pace, guard)


@contextlib.contextmanager
def gateway_of(context: typer.Context) -> Iterator[Gateway]:
    """The gateway alone, for what is asked before anything else is known of the portal."""
    settings = invocation(context).settings()
    with Gateway(settings.api_url, settings.token_provider(), api_version=settings.api_version) as gateway:
        yield gateway


@contextlib.contextmanager
def database_of(context: typer.Context) -> Iterator[Store]:
    """The database alone, for commands that don't ask HubSpot. Raises SettingsError where there is none."""
    settings = invocation(context).settings()
    with contextlib.ExitStack() as stack:
        store = _store(stack, settings, "needed")
        if store is None:
            raise SettingsError("There is no database yet: the first `hubsync sync --write` makes one.")
        yield store


def _store(stack: contextlib.ExitStack, settings: Settings, database: str) -> Store | None:
    if database != "made" and not database_exists(settings.database_url):
        if database == "needed":
            raise SettingsError("There is no database yet: the first `hubsync sync --write` makes one.")
        return None
    return stack.enter_context(open_store(settings.database_url, base=settings.base))


def database_exists(url: str) -> bool:
    """Whether the database is there; one on a server counts as there."""
    if not url.startswith("sqlite"):
        return True
    path = url.partition("///")[2].partition("?")[0].removeprefix("file:")
    return bool(path) and Path(path).exists()


def _same_portal(given: Invocation, portal: BoundPortal) -> None:
    if given.portal is not None and given.portal != portal.id:
        raise SettingsError(f"--portal {given.portal}: the access token belongs to portal {portal.id}.")
