"""Plans, spooled: a plan of any size is written and read in chunks, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, insert, select

from hubsync.store.tables import plan_entry
from hubsync.store.values import PlanCount, PlanEntry

if TYPE_CHECKING:
    from hubsync.store.engine import Database


def append(tx: Connection, portal: int, run: int, entries: Sequence[PlanEntry]) -> None:
    """Adds entries behind those there are."""
    if not entries:
        return
    last = select(func.coalesce(func.max(plan_entry.c.position), -1)).where(
        plan_entry.c.portal_id == portal, plan_entry.c.run_id == run
    )
    first = tx.execute(last).scalar_one() + 1
    tx.execute(
        insert(plan_entry),
        [
            {
                "portal_id": portal,
                "run_id": run,
                "position": position,
                "contact_id": entry.contact,
                "kind": entry.kind,
                "rule": entry.rule,
                "body": dict(entry.body),
            }
            for position, entry in enumerate(entries, first)
        ],
    )


def chunks(database: Database, portal: int, run: int, size: int) -> Iterator[PlanEntry]:
    """Every entry in order; no transaction is open while the caller works on one."""
    c = plan_entry.c
    statement = select(c.position, c.contact_id, c.kind, c.rule, c.body).where(c.portal_id == portal, c.run_id == run)
    position = -1
    while True:
        with database.read() as tx:
            rows = tx.execute(statement.where(c.position > position).order_by(c.position).limit(size)).all()
        for row in rows:
            yield PlanEntry(*row[1:])
        if len(rows) < size:
            return
        position = rows[-1].position


def counts(tx: Connection, portal: int, run: int) -> dict[str, PlanCount]:
    """Entries and contacts by kind."""
    c = plan_entry.c
    statement = select(c.kind, func.count(), func.count(c.contact_id.distinct()))
    rows = tx.execute(statement.where(c.portal_id == portal, c.run_id == run).group_by(c.kind).order_by(c.kind))
    return {kind: PlanCount(entries, contacts) for kind, entries, contacts in rows}
