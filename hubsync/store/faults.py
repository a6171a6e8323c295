"""What went wrong with the database, in words: the only place that reads a driver's errors.

Only faults of the world are translated (locked, read-only, full, out of reach, no database). A fault of our own, such
as a broken statement, passes as it is, since it is a defect and not something a person can mend.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hubsync.errors import StoreError
from hubsync.store.location import Location, SqliteFile

_SQLITE = {
    "SQLITE_BUSY": "is locked: another process has been writing for too long. Wait for it or stop it, then try again",
    "SQLITE_LOCKED": "is locked by this process. Try again",
    "SQLITE_READONLY": "is read-only. Allow writing to the file and its folder, then try again",
    "SQLITE_FULL": "can't grow: the disk is full, or max_page_count is reached. Make room, then try again",
    "SQLITE_CANTOPEN": "can't be opened. Check that its folder exists and that hubsync may read and write there",
    "SQLITE_NOTADB": "is not a database. Check the path in HUBSYNC_DATABASE_URL",
    "SQLITE_CORRUPT": "is damaged. Restore it from a backup",
    "SQLITE_IOERR": "can't be read or written: the disk answers with an error. Check the disk, then try again",
    "SQLITE_PERM": "can't be accessed. Allow reading and writing the file and its folder",
    "SQLITE_AUTH": "can't be accessed. Allow reading and writing the file and its folder",
    "SQLITE_PROTOCOL": "is locked: too many processes are opening it at once. Try again",
}
_POSTGRES = {
    "25006": "is read-only (a standby, or a read-only session). Point HUBSYNC_DATABASE_URL at the primary",
    "28000": "refused the user. Check HUBSYNC_DATABASE_URL",
    "28P01": "refused the password. Check HUBSYNC_DATABASE_URL",
    "3D000": "doesn't exist. Create it, or check HUBSYNC_DATABASE_URL",
    "40001": "is busy: two transactions collided. Try again",
    "40P01": "is busy: two transactions waited for each other. Try again",
    "42501": "doesn't let this user do that. Grant it the tables of hubsync and CREATE on its schema",
    "53100": "can't grow: the server's disk is full. Free some space, then try again",
    "53300": "has no connection left. Close some or raise max_connections, then try again",
    "55P03": "is locked: another session has been writing for too long. Wait for it or end it, then try again",
    "57014": "cancelled the statement (statement_timeout). Raise it for this user, then try again",
}
_POSTGRES_CLASSES = {
    "08": "is out of reach. Check that the server runs and HUBSYNC_DATABASE_URL is right",
    "53": "is out of resources. See the server's log, then try again",
    "57": "is shutting down or starting up. Try again in a moment",
    "58": "answers with a system error. See the server's log",
    "XX": "is damaged or has a defect. See the server's log",
}


@contextmanager
def named(location: Location) -> Iterator[None]:
    """Turns a fault of the database into a StoreError that says what happened and what to do."""
    try:
        yield
    except sqlite3.Error as error:  # of a connection that SQLAlchemy doesn't manage
        if (what := _sqlite(error)) is None:
            raise
        raise StoreError(_sentence(location, what)) from error
    except SQLAlchemyError as error:
        if isinstance(error, StatementError) and isinstance(error.orig, ValueError):
            raise error.orig from error  # a value that no column takes, such as a time without a zone
        message = describe(error, location)
        if message is None:
            raise
        raise StoreError(message) from error


def describe(error: SQLAlchemyError, location: Location) -> str | None:
    """The message for a person, None if the error is a defect of ours."""
    if isinstance(error, PoolTimeout):
        return f"The database {location} is busy: this process has too many transactions at once. Try again."
    if not isinstance(error, DBAPIError):
        return None
    what = _sqlite(error.orig) if isinstance(location, SqliteFile) else _postgres(error.orig)
    return None if what is None else _sentence(location, what)


def _sentence(location: Location, what: str) -> str:
    return f"The database {location} {what}. What was not committed is not written."


def _sqlite(error: BaseException | None) -> str | None:
    name = getattr(error, "sqlite_errorname", "")
    return next((what for code, what in _SQLITE.items() if name == code or name.startswith(code + "_")), None)


def _postgres(error: BaseException | None) -> str | None:
    state = getattr(error, "sqlstate", None)
    if state is None:
        # The driver reports a lost or impossible connection without a code.
        return _POSTGRES_CLASSES["08"] if type(error).__name__ == "OperationalError" else None
    return _POSTGRES.get(state) or _POSTGRES_CLASSES.get(state[:2])
