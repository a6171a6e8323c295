"""Runs: each command that looked at the portal, what it was asked and what it counted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from hubsync.store.leases import live_epoch
from hubsync.store.tables import run as run_table
from hubsync.store.values import Run, RunState

_COLUMNS = (
    run_table.c.id,
    run_table.c.kind,
    run_table.c.args,
    run_table.c.state,
    run_table.c.rules_digest,
    run_table.c.started_at,
    run_table.c.finished_at,
    run_table.c.counts,
    run_table.c.epoch,
)


def start(
    tx: Connection, portal: int, kind: str, args: Mapping[str, Any], digest: str, at: datetime, epoch: int | None
) -> int:
    """Inserts a running run; returns its number."""
    statement = insert(run_table).values(
        portal_id=portal,
        kind=kind,
        args=dict(args),
        state="running",
        rules_digest=digest,
        started_at=at,
        counts={},
        epoch=epoch,
    )
    number: int = tx.execute(statement.returning(run_table.c.id)).scalar_one()
    return number


def finish(tx: Connection, portal: int, run: int, state: RunState, counts: Mapping[str, int], at: datetime) -> None:
    """Closes a run."""
    statement = update(run_table).where(run_table.c.portal_id == portal, run_table.c.id == run)
    if tx.execute(statement.values(state=state, counts=dict(counts), finished_at=at)).rowcount != 1:
        raise KeyError(f"portal {portal} has no run {run}")


def dead(tx: Connection, portal: int) -> ColumnElement[bool]:
    """Holds for a run that can't write any more: it is finished, or its lease is no longer held."""
    alive = run_table.c.epoch == live_epoch(tx, portal).scalar_subquery()
    return or_(run_table.c.finished_at.is_not(None), alive.is_not(True))


def close_dead(tx: Connection, portal: int, at: datetime) -> int:
    """Closes what a process that died left running. A dry run has no lease to tell by and is left alone."""
    theirs = (run_table.c.portal_id == portal, run_table.c.finished_at.is_(None), run_table.c.epoch.is_not(None))
    statement = update(run_table).where(*theirs, dead(tx, portal))
    return tx.execute(statement.values(state="interrupted", finished_at=at)).rowcount


def one(tx: Connection, portal: int, run: int) -> Run | None:
    """One run."""
    row = tx.execute(select(*_COLUMNS).where(run_table.c.portal_id == portal, run_table.c.id == run)).one_or_none()
    return None if row is None else Run(*row)


def after(tx: Connection, portal: int, last: int, since: datetime | None, limit: int) -> tuple[Run, ...]:
    """The next runs by number, of those that began since a moment."""
    statement = select(*_COLUMNS).where(run_table.c.portal_id == portal, run_table.c.id > last)
    if since is not None:
        statement = statement.where(run_table.c.started_at >= since)
    return tuple(Run(*row) for row in tx.execute(statement.order_by(run_table.c.id).limit(limit)))


def newest(tx: Connection, portal: int, limit: int) -> tuple[Run, ...]:
    """The last runs, newest first."""
    statement = select(*_COLUMNS).where(run_table.c.portal_id == portal).order_by(run_table.c.id.desc()).limit(limit)
    return tuple(Run(*row) for row in tx.execute(statement))
