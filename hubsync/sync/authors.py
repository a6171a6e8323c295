"""Who made a change, in words: a rule, somebody at the command line (set-status, set-owner), or whoever HubSpot names.

HubSpot names the app for all that hubsync writes; the ledger knows who asked for it. Words only.
"""

from __future__ import annotations

from collections.abc import Sequence

from hubsync.policy.contact import RawEntry
from hubsync.store.values import Write
from hubsync.sync.binding import BoundPortal
from hubsync.sync.book import BY_A_PERSON, SET_STATUS
from hubsync.sync.bulk_pick import kind_of
from hubsync.sync.standing import HAPPENED, Entry, author, standing

BACKLOG = "backlog"
"""What stands for a rule where the backlog was treated."""


def set_by(entries: Sequence[RawEntry], rows: Sequence[Write], portal: BoundPortal) -> str:
    """Who set the newest value of a history that still counts; "" where there is none.

    `rows` are the contact's rows of the ledger for this property.
    """
    kept = standing(entries, rows)
    return writer_of(kept[0], rows, portal) if kept else ""


def writer_of(entry: Entry, rows: Sequence[Write], portal: BoundPortal) -> str:
    """Who wrote one entry of a history."""
    row = next((r for r in reversed(rows) if r.state in HAPPENED and entry.is_of(r)), None)
    if row is None:
        return author(entry.raw, portal)
    return asked_by(row) if row.cause_kind == BY_A_PERSON else "hubsync"


def asked_by(row: Write) -> str:
    """Who asked for what no rule asked for: the run, and the reason given."""
    return f"{kind_of(row.target)}, run {row.run}" + (f": {row.facts['reason']}" if row.facts.get("reason") else "")


def rule_named(row: Write) -> str:
    """What stands in the place of a rule's name."""
    return {SET_STATUS: asked_by(row), BACKLOG: f"backlog, run {row.run}"}.get(row.rule, row.rule)
