"""A session of hubsync on a portal of this process: what counts calls and rows, and times nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.sandbox_process import ROOT
from hubsync.portal.gateway import Gateway
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.sandbox import Portal, Sandbox
from hubsync.store.database import open_store
from hubsync.store.store import Store
from hubsync.sync.binding import bind
from hubsync.sync.guard import Limits
from hubsync.sync.reconcile import Session

BEFORE_EVERYTHING = datetime(2000, 1, 1, tzinfo=UTC)
"""EFFECTIVE_SINCE: no seeded act is older, so nothing is backlog."""
NO_LIMITS = Limits(share=1.0, at_least=10**9, tasks=10**9)
"""A guard that lets everything pass. Sessions have no pace either: as if their tasks were allowed, at any hour."""
UNLIMITED = 10**9
"""Calls in ten seconds, where the allowance isn't what is measured."""


@contextmanager
def a_session(
    portal: Portal,
    *,
    latency: float = 0.0,
    allowance: int = UNLIMITED,
    rules: LoadedRules | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[tuple[Session, Store]]:
    """Serve `portal`, with `rules` (None: the shipped ones) and a new database.

    `latency` in seconds is added to every answer; `allowance` calls pass in ten seconds; `now` is the local clock.
    """
    rules = rules or load_rules(ROOT / "rules")
    with ExitStack() as stack:
        box = stack.enter_context(Sandbox(portal, latency=latency, allowance=allowance, daily=UNLIMITED))
        gateway = stack.enter_context(Gateway(box.url, lambda: box.token, bulk=True, now=now))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(open_store("sqlite:///benchmark.db", base=folder))
        yield Session(gateway, bind(gateway, rules), store, now, BEFORE_EVERYTHING), store
