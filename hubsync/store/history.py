"""Status changes as in HubSpot's history, and the stays between them: what reports are made of.

Both are rewritten per contact whose history changed, never edited, and can be rebuilt from HubSpot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import TypeVar

from sqlalchemy import Connection, Table, delete, insert, select

from hubsync.store.sql import ROWS_PER_STATEMENT, chunked
from hubsync.store.tables import status_change, stint
from hubsync.store.values import StatusChange, Stint

R = TypeVar("R", StatusChange, Stint)


def replace(
    tx: Connection, portal: int, contacts: Collection[str], changes: Sequence[StatusChange], stints: Sequence[Stint]
) -> None:
    """Deletes what is stored of `contacts`, then inserts."""
    clear(tx, portal, contacts)
    _insert(tx, portal, status_change, changes)
    _insert(tx, portal, stint, stints)


def clear(tx: Connection, portal: int, contacts: Collection[str]) -> None:
    """Deletes what is stored of `contacts`."""
    for chunk in chunked(contacts):
        for table in (status_change, stint):
            tx.execute(delete(table).where(table.c.portal_id == portal, table.c.contact_id.in_(chunk)))


def changes_of(tx: Connection, portal: int, contacts: Collection[str]) -> dict[str, tuple[StatusChange, ...]]:
    """Status changes by contact."""
    return _read(tx, portal, status_change, StatusChange, contacts)


def stints_of(tx: Connection, portal: int, contacts: Collection[str]) -> dict[str, tuple[Stint, ...]]:
    """Stays by contact."""
    return _read(tx, portal, stint, Stint, contacts)


def _insert(tx: Connection, portal: int, table: Table, rows: Sequence[R]) -> None:
    for chunk in chunked(rows, ROWS_PER_STATEMENT):
        values = []
        for row in chunk:
            fields = asdict(row)
            values.append({"portal_id": portal, "contact_id": fields.pop("contact"), **fields})
        tx.execute(insert(table), values)


def _read(
    tx: Connection, portal: int, table: Table, kind: type[R], contacts: Collection[str]
) -> dict[str, tuple[R, ...]]:
    """The columns of either table, without the portal, are the fields of its value in order."""
    columns = [column for column in table.c if column.name != "portal_id"]
    found: defaultdict[str, list[R]] = defaultdict(list)
    for chunk in chunked(contacts):
        statement = select(*columns).where(table.c.portal_id == portal, table.c.contact_id.in_(chunk))
        for row in tx.execute(statement.order_by(table.c.contact_id, table.c.property, table.c.position)):
            found[row.contact_id].append(kind(*row))
    return {contact: tuple(rows) for contact, rows in found.items()}
