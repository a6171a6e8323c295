"""Where the database is: the database URL taken apart. Nothing is opened here; a temporary database gets its folder.

A location prints as what a person may see of it: never a user or a password.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from hubsync.errors import SettingsError

_SHAPES = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A SQLite file. `timeout` is how long to wait for its lock, in seconds; `max_page_count` caps its size."""

    path: Path
    read_only: bool = False
    timeout: float = 10.0
    max_page_count: int | None = None
    temporary: bool = False

    def __str__(self) -> str:
        return "the temporary database" if self.temporary else str(self.path)

    @property
    def lock_path(self) -> Path:
        """The file that is locked while the database is created or migrated."""
        return self.path.with_name(self.path.name + ".lock")


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL database. `url` names the psycopg driver."""

    url: URL
    read_only: bool = False

    def __str__(self) -> str:
        port = f":{self.url.port}" if self.url.port else ""
        return f"{self.url.database or 'postgres'} at {self.url.host or 'localhost'}{port}"


Location = SqliteFile | Server


def locate(url: str, base: Path, *, read_only: bool) -> Location:
    """Takes a database URL apart; relative files are resolved against `base`. SettingsError if it can't be used."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # chained, either would print the password
        raise SettingsError(f"HUBSYNC_DATABASE_URL is not a database URL; write {_SHAPES}.") from None
    backend, _, driver = parsed.drivername.partition("+")
    if backend in {"postgres", "postgresql"} and driver in {"", "psycopg"}:
        return Server(parsed.set(drivername="postgresql+psycopg"), read_only)
    if backend == "sqlite" and driver in {"", "pysqlite"}:
        return _sqlite_file(parsed, base, read_only=read_only)
    raise SettingsError(f"HUBSYNC_DATABASE_URL names {parsed.drivername}, which hubsync can't use; write {_SHAPES}.")


def _sqlite_file(url: URL, base: Path, *, read_only: bool) -> SqliteFile:
    query = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    query.pop("uri", None)  # SQLAlchemy's way to ask for file: URLs, which are understood anyway
    unknown = sorted(query.keys() - {"mode", "timeout", "max_page_count"})
    if unknown:
        raise SettingsError(
            f"HUBSYNC_DATABASE_URL has an unknown option: {', '.join(unknown)} (known: mode, timeout, max_page_count)."
        )
    mode = query.get("mode", "rwc")
    if mode not in {"ro", "rwc"}:
        raise SettingsError(f"HUBSYNC_DATABASE_URL has mode={mode}; known are ro (read only) and rwc.")
    timeout = _number(query, "timeout", 10.0)
    pages = int(_number(query, "max_page_count", 0.0)) or None
    name = (url.database or "").removeprefix("file:")
    if name in {"", ":memory:"}:
        folder = Path(tempfile.mkdtemp(prefix="hubsync-"))
        return SqliteFile(folder / "hubsync.db", False, timeout, pages, temporary=True)
    return SqliteFile((base / name).absolute(), read_only or mode == "ro", timeout, pages)


def _number(query: Mapping[str, str], name: str, default: float) -> float:
    text = query.get(name)
    if text is None:
        return default
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"HUBSYNC_DATABASE_URL has {name}={text}, which is not a number.") from None
