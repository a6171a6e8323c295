"""Opening a database: the one way in.

`open_store` creates a database that isn't there, refuses one whose schema is older or newer than the code, and migrates
only when told to (by serve and `hubsync db upgrade`).
"""

from __future__ import annotations

from pathlib import Path

from hubsync.store import schema
from hubsync.store.engine import Database
from hubsync.store.location import locate
from hubsync.store.store import Store


def open_store(url: str, *, base: Path, read_only: bool = False, migrate: bool = False) -> Store:
    """Opens the database at `url`, creating it under a lock if there is none.

    `url` is sqlite:///FILE (relative to `base`; options `mode=ro`, `timeout` in seconds, `max_page_count`),
    sqlite:// for one that lives as long as the store, or postgresql://…. `migrate` brings an older schema up to date.
    Raises SettingsError for a URL that can't be used; StoreError for an older schema (naming `hubsync db upgrade`), a
    newer one, a file that is no database, a server out of reach, and where `read_only` finds nothing to read.
    """
    location = locate(url, base, read_only=read_only)
    database = Database(location)
    try:
        schema.prepare(database, migrate=migrate)
    except BaseException:
        database.close()
        raise
    return Store(database)


def upgrade(url: str, *, base: Path) -> tuple[str | None, str]:
    """Brings the schema up to date for `hubsync db upgrade`; returns its revision before (None: nothing) and after."""
    database = Database(locate(url, base, read_only=False))
    try:
        return schema.prepare(database, migrate=True), schema.REVISIONS[-1]
    finally:
        database.close()
