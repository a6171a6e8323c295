"""The schema's version: what a database has, what the code wants, and the way from one to the other.

Alembic is imported only when something has to be migrated: opening a database costs one small query.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, inspect, text

from hubsync.errors import StoreError
from hubsync.store.engine import Database
from hubsync.store.faults import named
from hubsync.store.location import SqliteFile

VERSION_TABLE = "hubsync_schema"
REVISIONS = ("0001", "0002", "0003")
"""Every revision, oldest first, as in migrations/versions."""

MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x68756273796E63  # "hubsync"
_LOCK_WAIT_SECONDS = 60.0
_one_migration = threading.Lock()  # Alembic keeps its context in a global of the process


def prepare(database: Database, *, migrate: bool) -> str | None:
    """Makes sure that the schema is the code's: creates what isn't there, migrates an older one if it may.

    Returns the revision found, None where there was no database. StoreError for a schema that can't be used.
    """
    found = _found(database)
    if _is_current(database, found, migrate=migrate):
        return found
    with _lock(database), named(database.location), database.write() as tx:
        if tx.dialect.name == "postgresql":
            tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        found = revision(tx)  # another process may have been faster
        if not _is_current(database, found, migrate=migrate):
            run_migrations(tx)
    return found


def revision(tx: Connection) -> str | None:
    """The revision of the schema in the database, None if it holds none of ours."""
    if not inspect(tx).has_table(VERSION_TABLE):
        return None
    found: str | None = tx.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()  # noqa: S608 -- a constant
    return found


def run_migrations(tx: Connection) -> None:
    """Brings the schema up to date inside the given transaction: all of it or nothing."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = tx
    with _one_migration:
        command.upgrade(config, "head")


def _found(database: Database) -> str | None:
    location = database.location
    if isinstance(location, SqliteFile) and not location.path.exists():
        if location.read_only:
            raise StoreError(f"There is no database at {location}; it was to be read only, so none was created.")
        return None
    with database.read() as tx:
        return revision(tx)


def _is_current(database: Database, found: str | None, *, migrate: bool) -> bool:
    """Whether nothing is to be done. StoreError where something is to be done and may not be."""
    if found == REVISIONS[-1]:
        return True
    where = database.location
    if found is not None and found not in REVISIONS:
        raise StoreError(f"The database {where} was made by a newer hubsync (schema {found}). Install that version.")
    if where.read_only and found is None:
        raise StoreError(
            f"The database {where} holds nothing of hubsync; it was to be read only, so nothing was created."
        )
    if found is not None and (where.read_only or not migrate):
        raise StoreError(
            f"The database {where} has an older schema ({found}; this hubsync wants {REVISIONS[-1]}). "
            "Make a backup, then run: hubsync db upgrade"
        )
    return False


def _lock(database: Database) -> AbstractContextManager[None]:
    """Keeps other processes from migrating meanwhile. On PostgreSQL an advisory lock inside the transaction does."""
    location = database.location
    return _prepared_file(location) if isinstance(location, SqliteFile) else nullcontext()


@contextmanager
def _prepared_file(location: SqliteFile) -> Iterator[None]:
    """Holds the lock file, and makes sure of a file in WAL mode (which outlives the connection that sets it)."""
    try:
        stream = location.lock_path.open("ab")
    except OSError as error:
        reason = error.strerror or "unknown error"
        raise StoreError(f"The lock file {location.lock_path} can't be opened ({reason}). Check its folder.") from error
    with stream:
        _wait_for_lock(stream, location)
        with named(location), closing(sqlite3.connect(location.path, timeout=location.timeout)) as connection:
            connection.execute(
                "PRAGMA auto_vacuum = INCREMENTAL"
            )  # so that a purge can give back space; new files only
            connection.execute("PRAGMA journal_mode = WAL")
        yield


def _wait_for_lock(stream: IO[bytes], location: SqliteFile) -> None:
    end = time.monotonic() + _LOCK_WAIT_SECONDS
    while not try_lock(stream):
        if time.monotonic() > end:
            raise StoreError(
                f"Another hubsync has been migrating {location} for a minute. Wait for it, then try again."
            )
        time.sleep(0.02)


if sys.platform == "win32":
    import msvcrt

    def try_lock(stream: IO[bytes]) -> bool:
        """Locks the file for this process, if it is free."""
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(stream: IO[bytes]) -> bool:
        """Locks the file for this process, if it is free."""
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
