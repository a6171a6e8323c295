"""One service a database: the second one refuses to start and says who is there.

Other commands open the database beside it; what they write is a matter of the lease. The lock goes with the process,
however that ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from sqlalchemy import text

from hubsync.errors import StoreError
from hubsync.store.engine import Database
from hubsync.store.faults import named
from hubsync.store.location import Location, SqliteFile
from hubsync.store.schema import try_lock

_ADVISORY_LOCK = 0x6875622D73657276  # "hub-serv"
_LONGEST_NAME = 200


@contextmanager
def occupied(database: Database, who: str) -> Iterator[None]:
    """Holds the database for the service `who`. Raises StoreError, naming the other one, where it is held already."""
    location = database.location
    if isinstance(location, SqliteFile):
        with _locked_file(location, who):
            yield
    else:
        with _locked_server(database):
            yield


@contextmanager
def _locked_file(location: SqliteFile, who: str) -> Iterator[None]:
    try:
        stream = location.lock_path.open("a+b")
    except OSError as error:
        reason = error.strerror or "unknown error"
        raise StoreError(f"The lock file {location.lock_path} can't be opened ({reason}). Check its folder.") from error
    with stream:
        if not try_lock(stream):
            stream.seek(0)
            other = stream.read(_LONGEST_NAME).decode(errors="replace").strip()
            _refuse(other or "Another hubsync", location)
        stream.truncate(0)
        stream.write(who.encode()[:_LONGEST_NAME])
        stream.flush()
        yield
        stream.truncate(0)


@contextmanager
def _locked_server(database: Database) -> Iterator[None]:
    with named(database.location), database.session() as connection:
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_LOCK}).scalar_one():
            _refuse("Another hubsync serve", database.location)
        connection.commit()
        yield


def _refuse(other: str, location: Location) -> NoReturn:
    raise StoreError(
        f"{other} works with the database {location}, and two services can't share one. "
        "Stop it first, or give this one a HUBSYNC_DATABASE_URL of its own."
    )
