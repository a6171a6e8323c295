"""Who may write to a portal: one holder at a time, by the database's clock.

The epoch rises with every holder, so that a process that slept through the end of its lease is told apart from the one
that took over; every write-back is fenced with it (`hold`). This module never waits and never renews by itself.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, select, type_coerce, update

from hubsync.errors import StoreError
from hubsync.store.columns import Moment
from hubsync.store.sql import clock, insert_into
from hubsync.store.tables import lease
from hubsync.store.values import Holder

_UNTIL = type_coerce(lease.c.until, BigInteger)


class LeaseLost(StoreError):
    """The portal's lease went to another process, or ran out: stop, write nothing more."""


def acquire(tx: Connection, portal: int, holder: str, seconds: float) -> int | None:
    """Takes the lease if it is free or has run out."""
    until = _after(tx, seconds)
    statement = insert_into(tx, lease).values(portal_id=portal, holder=holder, epoch=1, until=until)
    taken = statement.on_conflict_do_update(
        index_elements=[lease.c.portal_id],
        set_={"holder": holder, "epoch": lease.c.epoch + 1, "until": until},
        where=clock(tx) >= _UNTIL,
    ).returning(lease.c.epoch)
    return tx.execute(taken).scalar_one_or_none()


def renew(tx: Connection, portal: int, epoch: int, seconds: float) -> bool:
    """Moves the end of a lease that is still held. One that ran out isn't revived: another may have looked since."""
    statement = update(lease).where(*_held(tx, portal, epoch)).values(until=_after(tx, seconds))
    return tx.execute(statement).rowcount == 1


def release(tx: Connection, portal: int, epoch: int) -> None:
    """Ends the lease now. The row stays, so that the epoch goes on rising."""
    statement = update(lease).where(lease.c.portal_id == portal, lease.c.epoch == epoch, clock(tx) < _UNTIL)
    tx.execute(statement.values(until=_after(tx, 0)))


def holder(tx: Connection, portal: int) -> Holder | None:
    """The live holder."""
    statement = select(lease.c.holder, lease.c.epoch, lease.c.until)
    row = tx.execute(statement.where(lease.c.portal_id == portal, clock(tx) < _UNTIL)).one_or_none()
    return None if row is None else Holder(row.holder, row.epoch, row.until)


def hold(tx: Connection, portal: int, epoch: int) -> None:
    """Makes sure that the lease is held and stays so until this transaction ends; LeaseLost otherwise."""
    statement = select(lease.c.epoch).where(*_held(tx, portal, epoch)).with_for_update(read=True)
    if tx.execute(statement).one_or_none() is None:
        raise LeaseLost(
            f"Another hubsync took over portal {portal}, or its lease ran out: this one writes nothing more."
        )


def live_epoch(tx: Connection, portal: int) -> Select[tuple[int]]:
    """The epoch of the live lease, as a query: no row where there is none."""
    return select(lease.c.epoch).where(lease.c.portal_id == portal, clock(tx) < _UNTIL)


def _held(tx: Connection, portal: int, epoch: int) -> tuple[ColumnElement[bool], ...]:
    return lease.c.portal_id == portal, lease.c.epoch == epoch, clock(tx) < _UNTIL


def _after(tx: Connection, seconds: float) -> ColumnElement[object]:
    return type_coerce(clock(tx) + round(seconds * 1_000_000), Moment)
