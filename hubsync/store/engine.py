"""Connections and transactions: one writer and many readers on SQLite, a pool on PostgreSQL.

SQLite gets its transactions from here alone (the driver's own are off): BEGIN IMMEDIATE for the one writer, so that it
waits for the lock instead of failing half-way, and BEGIN on read-only connections beside it.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import orjson
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from hubsync.errors import StoreError
from hubsync.store import leases
from hubsync.store.faults import named
from hubsync.store.location import Location, Server, SqliteFile

_LOCK_WAIT_SECONDS = 10


class Database:
    """Opens connections when first asked; `read` and `write` give a transaction, `begin` groups those inside it."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self._local = threading.local()
        if isinstance(location, SqliteFile):
            self._writer = _sqlite_engine(location, writes=True)
            self._reader = _sqlite_engine(location, writes=False)
        else:
            self._writer = self._reader = _postgres_engine(location)

    def close(self) -> None:
        """Closes every connection; a temporary database is deleted."""
        self._reader.dispose()
        self._writer.dispose()  # the last to close folds the log into the file, which a reader may not do
        if isinstance(self.location, SqliteFile) and self.location.temporary:
            shutil.rmtree(self.location.path.parent, ignore_errors=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, or the one this thread is in."""
        if (tx := self._current()) is not None:
            yield tx
            return
        with named(self.location), self._reader.begin() as tx:
            yield tx

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write, or the one this thread is in. StoreError on a read-only database."""
        if (tx := self._current()) is not None:
            yield tx
            return
        if self.location.read_only:
            raise StoreError(f"The database {self.location} was opened read-only: nothing can be written to it.")
        with named(self.location), self._writer.begin() as tx:
            yield tx

    @contextmanager
    def begin(self, *, portal: int | None, epoch: int | None) -> Iterator[None]:
        """One transaction for every call of this thread inside it, fenced by a lease where one is given."""
        if self._current() is not None:
            raise RuntimeError("begin() inside begin(): a transaction is open in this thread")
        if (portal is None) != (epoch is None):
            raise ValueError("a fence needs both the portal and the epoch of its lease")
        with self.write() as tx:
            if portal is not None and epoch is not None:
                leases.hold(tx, portal, epoch)
            self._local.tx = tx
            try:
                yield
            finally:
                del self._local.tx

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A connection of its own, for what lasts as long as the connection does: it is closed, not kept for others."""
        with self._writer.connect() as connection:
            connection.detach()
            yield connection

    def _current(self) -> Connection | None:
        return getattr(self._local, "tx", None)


def _encode(value: Any) -> str:
    return orjson.dumps(value).decode()


def _sqlite_engine(location: SqliteFile, *, writes: bool) -> Engine:
    mode = "rw" if writes and not location.read_only else "ro"
    address = f"file:{quote(location.path.as_posix())}?mode={mode}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            address, uri=True, timeout=location.timeout, isolation_level=None, check_same_thread=False
        )
        if writes:
            connection.execute("PRAGMA synchronous = FULL")  # the outbox must outlive a power cut
            if location.max_page_count is not None:
                connection.execute(f"PRAGMA max_page_count = {location.max_page_count:d}")
        return connection

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=1 if writes else 4,
        max_overflow=0 if writes else 28,
        pool_timeout=max(location.timeout, 1.0) * 3,
        hide_parameters=True,
        json_serializer=_encode,
        json_deserializer=orjson.loads,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres_engine(location: Server) -> Engine:
    arguments = {} if "connect_timeout" in location.url.query else {"connect_timeout": _LOCK_WAIT_SECONDS}
    try:
        engine = create_engine(
            location.url,
            connect_args=arguments,
            pool_pre_ping=True,
            hide_parameters=True,
            json_serializer=_encode,
            json_deserializer=orjson.loads,
        )
    except ModuleNotFoundError as error:
        raise StoreError('PostgreSQL needs its driver: pip install "hubsync[postgres]".') from error

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.execute(f"SET lock_timeout = '{_LOCK_WAIT_SECONDS}s'")
        connection.execute(f"SET default_transaction_read_only = {'on' if location.read_only else 'off'}")
        connection.commit()

    return engine
