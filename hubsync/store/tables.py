"""The schema, the same on SQLite and PostgreSQL. The migrations create it; a test holds both equal.

Every key begins with the portal or, where the database counts up an id, is looked up with it. Properties that are
personal are never stored by value (see values.Look).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text, text

from hubsync.store.columns import Json, Moment, RowId

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"},
)


def _portal() -> Column[int]:
    return Column("portal_id", BigInteger, primary_key=True, autoincrement=False)


def _contact() -> Column[str]:
    return Column("contact_id", String(40), primary_key=True)


portal = Table(
    "portal",
    metadata,
    _portal(),
    Column("time_zone", Text),
    Column("app_id", Text),
    Column("effective_since", Moment),
    Column("active_digest", Text),
    Column("remembered_at", Moment, nullable=False),
    Column("ui_domain", Text),
)

contact = Table(
    "contact",
    metadata,
    _portal(),
    _contact(),
    Column("properties", Json, nullable=False),
    Column("facts", Json),
    Column("lastmodified", Moment, nullable=False),
    Column("digest", Text, nullable=False),
    Column("read_at", Moment, nullable=False),
    Column("next_look_at", Moment),
    Index("ix_contact_portal_id_next_look_at", "portal_id", "next_look_at"),
)

contact_alias = Table(
    "contact_alias",
    metadata,
    _portal(),
    _contact(),
    Column("survivor", String(40), nullable=False),
    Index("ix_contact_alias_portal_id_survivor", "portal_id", "survivor"),
)

tombstone = Table(
    "tombstone",
    metadata,
    _portal(),
    Column("contact_hash", String(64), primary_key=True),
    Column("until", Moment, nullable=False),
)

status_change = Table(
    "status_change",
    metadata,
    _portal(),
    _contact(),
    Column("property", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("value", Text),
    Column("at", Moment, nullable=False),
    Column("source_type", Text, nullable=False),
    Column("source_id", Text),
    Column("user_id", Text),
)

stint = Table(
    "stint",
    metadata,
    _portal(),
    _contact(),
    Column("property", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("value", Text, nullable=False),
    Column("entered_at", Moment, nullable=False),
    Column("left_at", Moment),
    Column("owner", Text),
    Column("team", Text),
    Column("source", Text),
)

work = Table(
    "work",
    metadata,
    _portal(),
    _contact(),
    Column("generation", BigInteger, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("why", Text, nullable=False),
    Index("ix_work_portal_id_due_at", "portal_id", "due_at"),
)

run = Table(
    "run",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("portal_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("args", Json, nullable=False),
    Column("state", Text, nullable=False),
    Column("rules_digest", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("counts", Json, nullable=False),
    Column("epoch", BigInteger),
    Index("ix_run_portal_id_id", "portal_id", "id"),
    sqlite_autoincrement=True,  # a number once shown to a person is never given again
)

plan_entry = Table(
    "plan_entry",
    metadata,
    _portal(),
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("contact_id", String(40)),
    Column("kind", Text, nullable=False),
    Column("rule", Text),
    Column("body", Json, nullable=False),
    Index("ix_plan_entry_portal_id_contact_id", "portal_id", "contact_id"),
)

write = Table(
    "write",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("portal_id", BigInteger, nullable=False),
    Column("run_id", BigInteger, nullable=False),
    Column("contact_id", String(40), nullable=False),
    Column("rule", Text, nullable=False),
    Column("playbook", Text, nullable=False),
    Column("cause_kind", Text, nullable=False),
    Column("cause_at", Moment),
    Column("cause_id", Text),
    Column("cause_key", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("below", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("answer", Text),
    Column("object_id", Text),
    Column("ref", Text, nullable=False),
    Column("rules_digest", Text, nullable=False),
    Column("facts", Json, nullable=False),
    Column("effective_at", Moment),
    Column("sent_at", Moment),
    Column("answered_at", Moment),
    Column("closed_at", Moment),
    Column("note", Text),
    Index("ix_write_portal_id_contact_id", "portal_id", "contact_id"),
    Index("ix_write_portal_id_run_id", "portal_id", "run_id"),
    Index("ix_write_portal_id_rule", "portal_id", "rule"),
    sqlite_autoincrement=True,
)

LEDGER_KEY = (write.c.portal_id, write.c.contact_id, write.c.rule, write.c.cause_key, write.c.target)
HOLDS_KEY = text("state NOT IN ('refused', 'not_applied')")
IS_OPEN = text("state IN ('planned', 'sent')")

Index("uq_write_ledger_key", *LEDGER_KEY, unique=True, sqlite_where=HOLDS_KEY, postgresql_where=HOLDS_KEY)
Index("ix_write_open", write.c.portal_id, write.c.run_id, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)

faded = Table(
    "faded",
    metadata,
    _portal(),
    _contact(),
    Column("rule", Text, primary_key=True),
    Column("fingerprint", String(32), primary_key=True),
)
"""Causes that have fired and whose ledger rows were purged."""

rule_activation = Table(
    "rule_activation",
    metadata,
    _portal(),
    Column("rule", Text, primary_key=True),
    Column("since", Moment, nullable=False),
)

override = Table(
    "override",
    metadata,
    _portal(),
    _contact(),
    Column("property", Text, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("cause_key", Text, nullable=False),
    Column("write_id", BigInteger),
)

cursor = Table(
    "cursor",
    metadata,
    _portal(),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    _portal(),
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("until", Moment, nullable=False),
)
