"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# A migration states its types itself: it must not change when the code's types do.
_MOMENT = sa.BigInteger()
_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON()
_OPEN = sa.text("state IN ('planned', 'sent')")
_HOLDS_KEY = sa.text("state NOT IN ('refused', 'not_applied')")


def upgrade() -> None:
    """Creates every table."""
    _contacts()
    _history()
    _runs()
    _ledger()
    _coordination()


def _contacts() -> None:
    op.create_table(
        "portal",
        sa.Column("portal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("app_id", sa.Text(), nullable=True),
        sa.Column("effective_since", _MOMENT, nullable=True),
        sa.Column("active_digest", sa.Text(), nullable=True),
        sa.Column("remembered_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("portal_id", name="pk_portal"),
    )
    op.create_table(
        "contact",
        sa.Column("portal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contact_id", sa.String(length=40), nullable=False),
        sa.Column("properties", _JSON, nullable=False),
        sa.Column("facts", _JSON, nullable=True),
        sa.Column("lastmodified", _MOMENT, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("read_at", _MOMENT, nullable=False),
        sa.Column("next_look_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("portal_id", "contact_id", name="pk_contact"),
    )
    op.create_index("ix_contact_portal_id_next_look_at", "contact", ["portal_id", "next_look_at"], unique=False)
    op.create_table(
        "contact_alias",
        sa.Column("portal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contact_id", sa.String(length=40), nullable=False),
        sa.Column("survivor", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("portal_id", "contact_id", name="pk_contact_alias"),
    )
    op.create_index("ix_contact_alias_portal_id_survivor", "contact_alias", ["portal_id", "survivor"], unique=False)
    op.create_table(
        "tombstone",
        sa.Column("portal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contact_hash", sa.String(length=64), nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("portal_id", "contact_hash", name="pk_tombstone"),
    )
    op.create_table(
        "work",
        sa.Column("portal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contact_id", sa.String(length=40), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("due_at", _MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("portal_id", "contact_id", name="pk_work"),
    )
    op.create_index("ix_work_portal_id_due_at", "work", ["portal_id", "due_at"], unique=False)


def _history() -> None:
    op.create_table(
        "status_change",
        sa.Column("portal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contact_id", sa.String(length=40), nullable=False),
        sa.Column("property", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("portal_id", "contact_id", "property", "position", name="pk_status_change"),
    )
    op.create_table(
        "stint",
        sa.Column("portal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contact_id", sa.String(length=40), nullable=False),
        sa.Column("property", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("entered_at", _MOMENT, nullable=False),
        sa.Column("left_at", _MOMENT, nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("portal_id", "contact_id", "property", "position", name="pk_stint"),
    )


def _runs() -> None:
    op.create_table(
        "run",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("args", _JSON, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rules_digest", sa.Text(), nullable=False),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("finished_at", _MOMENT, nullable=True),
        sa.Column("counts", _JSON, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_run_portal_id_id", "run", ["portal_id", "id"], unique=False)
    op.create_table(
        "plan_entry",
        sa.Column("portal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contact_id", sa.String(length=40), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("body", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("portal_id", "run_id", "position", name="pk_plan_entry"),
    )
    op.create_index("ix_plan_entry_portal_id_contact_id", "plan_entry", ["portal_id", "contact_id"], unique=False)


def _ledger() -> None:
    op.create_table(
        "write",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.String(length=40), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("playbook", sa.Text(), nullable=False),
        sa.Column("cause_kind", sa.Text(), nullable=False),
        sa.Column("cause_at", _MOMENT, nullable=True),
        sa.Column("cause_id", sa.Text(), nullable=True),
        sa.Column("cause_key", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("below", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("rules_digest", sa.Text(), nullable=False),
        sa.Column("facts", _JSON, nullable=False),
        sa.Column("effective_at", _MOMENT, nullable=True),
        sa.Column("sent_at", _MOMENT, nullable=True),
        sa.Column("answered_at", _MOMENT, nullable=True),
        sa.Column("closed_at", _MOMENT, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_write"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_write_open", "write", ["portal_id", "run_id"], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_index("ix_write_portal_id_contact_id", "write", ["portal_id", "contact_id"], unique=False)
    op.create_index("ix_write_portal_id_rule", "write", ["portal_id", "rule"], unique=False)
    op.create_index("ix_write_portal_id_run_id", "write", ["portal_id", "run_id"], unique=False)
    op.create_index(
        "uq_write_ledger_key",
        "write",
        ["portal_id", "contact_id", "rule", "cause_key", "target"],
        unique=True,
        sqlite_where=_HOLDS_KEY,
        postgresql_where=_HOLDS_KEY,
    )
    op.create_table(
        "override",
        sa.Column("portal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contact_id", sa.String(length=40), nullable=False),
        sa.Column("property", sa.Text(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("cause_key", sa.Text(), nullable=False),
        sa.Column("write_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("portal_id", "contact_id", "property", "at", name="pk_override"),
    )


def _coordination() -> None:
    op.create_table(
        "rule_activation",
        sa.Column("portal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("since", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("portal_id", "rule", name="pk_rule_activation"),
    )
    op.create_table(
        "cursor",
        sa.Column("portal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("portal_id", "name", name="pk_cursor"),
    )
    op.create_table(
        "lease",
        sa.Column("portal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("portal_id", name="pk_lease"),
    )
