"""The few pieces of SQL that every part of the store needs: upserts, long lists, the database's clock.

Nothing here knows a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from sqlalchemy import BigInteger, ColumnElement, Connection, Dialect, Table, literal_column
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

IDS_PER_STATEMENT = 5_000
"""Ids in one IN list: SQLite takes 32,766 variables in a statement, PostgreSQL 65,535."""
ROWS_PER_STATEMENT = 1_000


def insert_into(database: Connection | Dialect, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, which both databases spell alike and SQLAlchemy keeps apart."""
    return postgresql.insert(table) if _is_postgresql(database) else sqlite.insert(table)


def chunked(items: Iterable[T], size: int = IDS_PER_STATEMENT) -> Iterator[Sequence[T]]:
    """The items in lists of at most `size`; none for no items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def clock(database: Connection | Dialect) -> ColumnElement[int]:
    """The database's own time in microseconds, for leases: processes on several machines agree on it."""
    if _is_postgresql(database):
        return literal_column("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)", BigInteger)
    return literal_column("CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)", BigInteger)


def _is_postgresql(database: Connection | Dialect) -> bool:
    dialect = database.dialect if isinstance(database, Connection) else database
    return dialect.name == "postgresql"
