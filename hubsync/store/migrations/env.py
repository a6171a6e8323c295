"""Run by Alembic: migrates over the connection it is given, inside the transaction that is open there."""

from __future__ import annotations

from alembic import context

from hubsync.store.schema import VERSION_TABLE
from hubsync.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
