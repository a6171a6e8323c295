"""How often each rule wrote, for the share of its writes that people changed back (playbook A18). Reads only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from hubsync.store.tables import write

_WROTE = ("applied", "overridden", "undone")
BY_A_PERSON = "bulk"
"""The kind of cause of what an administrator decided (sync/book.py): no rule's doing."""
PROPOSAL = "hubsync_proposal"
"""The property that shows a proposal: a person is asked there, nothing is decided."""


def firings(tx: Connection, portal: int, since: datetime | None, rule: str | None) -> dict[str, int]:
    """Distinct (contact, cause) by rule: a rule that sets two properties at once has fired once."""
    statement = select(write.c.rule, write.c.contact_id, write.c.cause_key).where(
        write.c.portal_id == portal,
        write.c.kind == "set",
        write.c.state.in_(_WROTE),
        write.c.cause_kind != BY_A_PERSON,
        write.c.target != PROPOSAL,
    )
    if since is not None:
        statement = statement.where(write.c.answered_at >= since)
    if rule is not None:
        statement = statement.where(write.c.rule == rule)
    fired = statement.distinct().subquery()
    counts = tx.execute(select(fired.c.rule, func.count().label("times")).group_by(fired.c.rule))
    return {row.rule: row.times for row in counts}
