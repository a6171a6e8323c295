"""The migrations make the schema that the code means, and nothing in the code forgets one."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from hubsync.store import schema
from hubsync.store.engine import Database
from hubsync.store.location import locate
from hubsync.store.tables import metadata


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
