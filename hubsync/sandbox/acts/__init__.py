"""People and automations who act in the portal, so that seeding, tests and demos read like what happened.

Every act takes the portal first and ids as text, `at` places it in the past (default: the portal's clock), and it
answers the id of what it made, or None. `ACTS` holds them by name for the control surface. Acts never bypass
`Portal.create/update`: history, derived properties, search index and journal follow by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hubsync.sandbox.acts.contacts import (
    assign_owner,
    clear_then_set,
    create_company,
    create_contact,
    delete_contact,
    import_sets,
    integration_sets,
    merge_contacts,
    person_sets,
    privacy_delete,
    restore_contact,
    submit_form,
    workflow_sets,
)
from hubsync.sandbox.acts.deals import create_deal, lose_deal, move_deal, win_deal
from hubsync.sandbox.acts.engagements import (
    book_meeting,
    email_bounces,
    hold_meeting,
    lead_auto_replies,
    lead_opts_out,
    lead_replies,
    log_note,
    miss_meeting,
    rep_calls,
    rep_messages,
    rep_sends_email,
)
from hubsync.sandbox.acts.tasks import complete_task, create_task, edit_task

__all__ = [
    "ACTS",
    "assign_owner",
    "book_meeting",
    "clear_then_set",
    "complete_task",
    "create_company",
    "create_contact",
    "create_deal",
    "create_task",
    "delete_contact",
    "edit_task",
    "email_bounces",
    "hold_meeting",
    "import_sets",
    "integration_sets",
    "lead_auto_replies",
    "lead_opts_out",
    "lead_replies",
    "log_note",
    "lose_deal",
    "merge_contacts",
    "miss_meeting",
    "move_deal",
    "person_sets",
    "privacy_delete",
    "rep_calls",
    "rep_messages",
    "rep_sends_email",
    "restore_contact",
    "submit_form",
    "win_deal",
    "workflow_sets",
]

ACTS: dict[str, Callable[..., Any]] = {name: globals()[name] for name in __all__ if name != "ACTS"}
"""Every act by its name."""
