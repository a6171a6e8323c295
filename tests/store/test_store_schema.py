"""The migrations make the schema that the code means, and nothing in the code forgets one."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from hubsync.errors import StoreError
from hubsync.store import open_store, schema, upgrade
from hubsync.store.engine import Database
from hubsync.store.location import locate
from hubsync.store.tables import metadata
from tests.store.builders import NOW, PORTAL, a_run


def test_the_migrated_schema_is_that_of_the_code(database_url: str, tmp_path: Path) -> None:
    database = Database(locate(database_url, tmp_path, read_only=False))
    assert schema.prepare(database, migrate=False) is None
    with database.write() as tx:
        options = {"compare_server_default": True, "version_table": schema.VERSION_TABLE}
        assert compare_metadata(MigrationContext.configure(tx, opts=options), metadata) == []
        indexes = {index["name"]: index for index in inspect(tx).get_indexes("write")}
        kind = tx.dialect.name
    database.close()
    for name, states in (("uq_write_ledger_key", ("refused", "not_applied")), ("ix_write_open", ("planned", "sent"))):
        where = str(indexes[name]["dialect_options"][f"{kind}_where"])
        assert all(state in where for state in states), where


def test_a_database_of_the_first_schema_is_brought_up_to_date_and_keeps_its_rows(
    database_url: str, tmp_path: Path
) -> None:
    with open_store(database_url, base=tmp_path) as store:
        store.remember_portal(PORTAL, at=NOW, ui_domain="app-eu1.hubspot.com")
        a_run(store)
    database = Database(locate(database_url, tmp_path, read_only=False))
    with database.write() as tx:
        tx.execute(text("DROP TABLE faded"))
        tx.execute(text("ALTER TABLE portal DROP COLUMN ui_domain"))
        tx.execute(text("UPDATE hubsync_schema SET version_num = '0001'"))
    database.close()
    with pytest.raises(StoreError, match="hubsync db upgrade"):
        open_store(database_url, base=tmp_path)
    assert upgrade(database_url, base=tmp_path) == ("0001", schema.REVISIONS[-1])
    assert upgrade(database_url, base=tmp_path) == (schema.REVISIONS[-1], schema.REVISIONS[-1])
    with open_store(database_url, base=tmp_path) as store:
        assert len(store.runs(PORTAL)) == 1
        assert store.purging(PORTAL).faded(["101"]) == {}
        assert [portal.ui_domain for portal in store.portals()] == [None]


def test_every_migration_is_known_to_the_code_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == schema.REVISIONS


def test_every_table_is_found_by_portal() -> None:
    for table in metadata.tables.values():
        assert "portal_id" in table.c, table.name
        leading = [next(iter(table.primary_key.columns)), *(next(iter(index.columns)) for index in table.indexes)]
        assert any(column.name == "portal_id" for column in leading), table.name
