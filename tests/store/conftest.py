"""Every store test runs on SQLite and on a real PostgreSQL, each test on a database of its own or an emptied one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from hubsync.store import Store, open_store, upgrade
from hubsync.store.tables import metadata
from tests.databases import schema_of_its_own
from tests.store.builders import NOW, PORTAL


@pytest.fixture(scope="session")
def migrated_postgres(postgres: str) -> Iterator[str]:
    """A schema that is migrated once and emptied for each test, since making one takes longer than most tests."""
    with schema_of_its_own(postgres) as url:
        upgrade(url, base=Path())
        yield url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    upgrade("sqlite:///hubsync.db", base=folder)
    return folder / "hubsync.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A migrated store that knows PORTAL and nothing else, on each kind of database in turn."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "hubsync.db")
        url = "sqlite:///hubsync.db"
    else:
        url = request.getfixturevalue("migrated_postgres")
        empty(url)
    with open_store(url, base=tmp_path) as opened:
        opened.remember_portal(PORTAL, at=NOW)
        yield opened


def empty(url: str) -> None:
    """Takes every row out of a migrated schema, and counts ids from 1 again (TRUNCATE would make new files)."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        statements = [f'DELETE FROM "{name}"' for name in metadata.tables]  # noqa: S608 -- our own table names
        statements += [f"ALTER SEQUENCE {name}_id_seq RESTART" for name in ("run", "write")]
        connection.exec_driver_sql("; ".join(statements))
    engine.dispose()
