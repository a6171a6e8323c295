"""Opening a database: found, created, refused, and what people read when it can't be used."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import delete, text
from sqlalchemy.exc import OperationalError

from hubsync.errors import SettingsError, StoreError
from hubsync.store import open_store, schema, tables, upgrade
from hubsync.store.engine import Database
from hubsync.store.faults import describe
from hubsync.store.location import Server, locate
from hubsync.store.schema import REVISIONS
from tests.store.builders import NOW, PORTAL, a_look, a_run


def set_revision(url: str, base: Path, revision: str) -> None:
    database = Database(locate(url, base, read_only=False))
    with database.write() as tx:
        tx.execute(text("UPDATE hubsync_schema SET version_num = :revision"), {"revision": revision})
    database.close()


def test_a_database_that_is_not_there_is_created_and_found_again(database_url: str, tmp_path: Path) -> None:
    with open_store(database_url, base=tmp_path) as store:
        assert store.known_portal() is None
        store.remember_portal(PORTAL, at=NOW)
    with open_store(database_url, base=tmp_path) as store:
        assert store.known_portal() == PORTAL


def test_a_relative_file_lies_in_the_base_folder_and_an_absolute_one_where_it_says(tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    open_store("sqlite:///data.db", base=tmp_path).close()
    open_store(f"sqlite:///{elsewhere}/50% #1.db", base=tmp_path).close()
    assert (tmp_path / "data.db").exists()
    assert (elsewhere / "50% #1.db").exists()


def test_a_temporary_database_works_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for url in ("sqlite://", "sqlite:///:memory:"):
        with open_store(url, base=tmp_path / "elsewhere") as store:
            store.remember_portal(PORTAL, at=NOW)
            assert store.known_portal() == PORTAL
            assert len(list(tmp_path.iterdir())) == 1
        assert list(tmp_path.iterdir()) == []


def test_a_read_only_store_reads_and_refuses_to_write(database_url: str, tmp_path: Path) -> None:
    with open_store(database_url, base=tmp_path) as store:
        store.remember_portal(PORTAL, at=NOW)
    with open_store(database_url, base=tmp_path, read_only=True) as store:
        assert store.known_portal() == PORTAL
        with pytest.raises(StoreError, match="read-only"):
            store.set_cursor(PORTAL, "poll", "x")
        with pytest.raises(StoreError, match="read-only"), store.begin():
            pass


def test_a_file_opened_with_mode_ro_reads_and_refuses_to_write(tmp_path: Path) -> None:
    with open_store("sqlite:///hubsync.db", base=tmp_path) as store:
        store.remember_portal(PORTAL, at=NOW)
    for url in ("sqlite:///hubsync.db?mode=ro", f"sqlite:///file:{tmp_path}/hubsync.db?mode=ro&uri=true"):
        with open_store(url, base=tmp_path) as store:
            assert store.known_portal() == PORTAL
            with pytest.raises(StoreError, match=r"hubsync\.db was opened read-only"):
                store.set_cursor(PORTAL, "poll", "x")


def test_a_database_to_be_read_is_not_created(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nothing was created|none was created"):
        open_store(database_url, base=tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_an_older_schema_is_refused_with_the_command_that_helps(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(database_url, base=tmp_path).close()
    set_revision(database_url, tmp_path, "0000")
    monkeypatch.setattr(schema, "REVISIONS", ("0000", *schema.REVISIONS))
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"older schema.*hubsync db upgrade"):
            open_store(database_url, base=tmp_path, read_only=read_only)


def test_a_newer_schema_is_refused_even_by_a_migration(database_url: str, tmp_path: Path) -> None:
    open_store(database_url, base=tmp_path).close()
    set_revision(database_url, tmp_path, "9999")
    for migrate in (False, True):
        with pytest.raises(StoreError, match="newer hubsync"):
            open_store(database_url, base=tmp_path, migrate=migrate)


def test_upgrade_creates_then_finds_nothing_to_do(database_url: str, tmp_path: Path) -> None:
    assert upgrade(database_url, base=tmp_path) == (None, REVISIONS[-1])
    assert upgrade(database_url, base=tmp_path) == (REVISIONS[-1], REVISIONS[-1])


def test_a_migration_that_fails_leaves_nothing_half_done(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = schema.run_migrations

    def fail_at_the_end(tx: object) -> None:
        real(tx)  # type: ignore[arg-type]
        raise StoreError("the power went")

    monkeypatch.setattr(schema, "run_migrations", fail_at_the_end)
    with pytest.raises(StoreError, match="the power went"):
        open_store(database_url, base=tmp_path)
    monkeypatch.undo()
    assert upgrade(database_url, base=tmp_path) == (None, REVISIONS[-1])


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://u:s3cret@h/db", "names mysql"),
        ("postgresql+asyncpg://u:s3cret@h/db", "can't use"),
        ("s3cret", "not a database URL"),
        ("postgresql://u:s3cret@h:port/db", "not a database URL"),
        ("sqlite:///x.db?mode=rx", "mode=rx"),
        ("sqlite:///x.db?journal=off", "unknown option: journal"),
        ("sqlite:///x.db?timeout=soon", "not a number"),
    ],
)
def test_a_url_that_cannot_be_used_is_a_setting_to_mend_and_shows_no_secret(
    url: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        open_store(url, base=tmp_path)
    assert "HUBSYNC_DATABASE_URL" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_both_spellings_of_postgresql_are_understood_and_print_without_the_password(tmp_path: Path) -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        location = locate(f"{scheme}://ann:s3cret@db.example:5433/crm", tmp_path, read_only=False)
        assert isinstance(location, Server)
        assert location.url.drivername == "postgresql+psycopg"
        assert str(location) == "crm at db.example:5433"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"missing/hubsync\.db\.lock can't be opened"):
        open_store("sqlite:///missing/hubsync.db", base=tmp_path)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to have a header of a hundred bytes " * 4)
    with pytest.raises(StoreError, match=r"notes\.txt is not a database"):
        open_store("sqlite:///notes.txt", base=tmp_path)


def test_a_locked_database_says_so(tmp_path: Path) -> None:
    with open_store("sqlite:///hubsync.db?timeout=0.05", base=tmp_path) as store:
        other = sqlite3.connect(tmp_path / "hubsync.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"hubsync\.db is locked"):
            store.set_cursor(PORTAL, "poll", "x")
        assert store.cursor(PORTAL, "poll") is None, "reading goes on beside a writer"
        other.execute("ROLLBACK")
        other.close()
        store.set_cursor(PORTAL, "poll", "x")
        assert store.cursor(PORTAL, "poll") == "x"


def test_a_full_disk_says_so_and_keeps_what_was_written_before(tmp_path: Path) -> None:
    with open_store("sqlite:///hubsync.db?max_page_count=90", base=tmp_path) as store:
        store.set_cursor(PORTAL, "poll", "before")
        looks = [a_look(str(number), properties={"jobtitle": "x" * 900}) for number in range(1_000)]
        with pytest.raises(StoreError, match=r"can't grow.*max_page_count"):
            store.save_looks(PORTAL, looks)
        assert store.cursor(PORTAL, "poll") == "before"
        assert list(store.mirror(PORTAL)) == []


def test_a_file_that_may_only_be_read_says_so(tmp_path: Path) -> None:
    open_store("sqlite:///hubsync.db", base=tmp_path).close()
    database = Database(locate("sqlite:///hubsync.db", tmp_path, read_only=False))
    with pytest.raises(StoreError, match=r"hubsync\.db is read-only"), database.read() as tx:
        tx.execute(delete(tables.cursor))
    database.close()


def test_a_server_out_of_reach_is_named_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"crm at 127\.0\.0\.1:1 is out of reach") as caught:
        open_store("postgresql://ann:s3cret@127.0.0.1:1/crm", base=tmp_path)
    assert "s3cret" not in str(caught.value)


def test_a_database_missing_on_the_server_is_named(postgres: str, tmp_path: Path) -> None:
    url = locate(postgres, tmp_path, read_only=False)
    assert isinstance(url, Server)
    missing = url.url.set(database="no_such_database").render_as_string(hide_password=False)
    with pytest.raises(StoreError, match=r"no_such_database .*(doesn't exist|out of reach)"):
        open_store(missing, base=tmp_path)


class ServerError(Exception):
    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "message"),
    [
        ("53100", "disk is full"),
        ("55P03", "is locked"),
        ("25006", "is read-only"),
        ("42501", "doesn't let this user"),
        ("57P01", "shutting down"),
        ("08006", "out of reach"),
    ],
)
def test_what_a_server_says_is_put_into_words(sqlstate: str, message: str, tmp_path: Path) -> None:
    location = locate("postgresql://h/crm", tmp_path, read_only=False)
    said = describe(OperationalError("SELECT 1", {}, ServerError(sqlstate)), location)
    assert said is not None
    assert message in said


def test_a_defect_of_ours_is_not_dressed_up_as_a_fault_of_the_database(tmp_path: Path) -> None:
    location = locate("postgresql://h/crm", tmp_path, read_only=False)
    assert describe(OperationalError("SELEC 1", {}, ServerError("42601")), location) is None


def test_a_store_can_be_opened_while_another_process_writes(database_url: str, tmp_path: Path) -> None:
    with open_store(database_url, base=tmp_path) as one, one.begin():
        run = a_run(one)
        with open_store(database_url, base=tmp_path) as two:
            assert two.run(PORTAL, run) is None
