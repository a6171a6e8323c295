"""Where people look at a portal's records: its own address, such as app-eu1.hubspot.com."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the column; the next run that writes fills it."""
    op.add_column("portal", sa.Column("ui_domain", sa.Text()))
