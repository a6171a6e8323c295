"""Who is worth a second look before being given up, and whether somebody entitled has agreed (playbook T8).

An approval counts only if the newest entry in the history of the approval property says so, was made by hand by a
listed approver, and belongs to the present work cycle: what was approved for an earlier attempt is asked anew.
"""

from __future__ import annotations

from hubsync.policy.contact import RawEntry
from hubsync.policy.instants import parse_instant
from hubsync.policy.timeline import PERSON, writer
from hubsync.policy.view import NO_HISTORY, Missing, View

APPROVAL, APPROVED = "hubsync_approval", "approved"
"""The contact property in which an approver agrees, and the option that says so."""


def high_value(view: View) -> str | Missing:
    """Whether the contact passes the filter `high_value:` of portal.yaml; "false" where there is none."""
    test = view.policy.data.high_value
    answer = test(view) if test is not None else 0
    return Missing(-answer) if answer < 0 else "true" if answer else "false"


def approved_by_listed_approver(view: View) -> str | Missing:
    """Whether the approval stands and is a listed approver's, given since the present work cycle began."""
    if view.properties.get(APPROVAL) != APPROVED:
        return "false"
    history = view.contact.history
    if history is None:
        return NO_HISTORY
    entries = history.get(APPROVAL) or ()
    begins = view.cycle()
    if isinstance(begins, Missing):
        return begins
    newest = entries[0] if entries else None
    valid = (
        newest is not None
        and newest.get("value") == APPROVED
        and writer(newest, view.policy.writers) == PERSON
        and user_of(newest) in view.policy.data.approvers
        and parse_instant(newest["timestamp"]) >= begins
    )
    return "true" if valid else "false"


def user_of(entry: RawEntry) -> str:
    """The user who made an entry of a history, "" where none is named (hubspot-api 2.5)."""
    user = entry.get("updatedByUserId")
    return str(user) if user else str(entry.get("sourceId") or "").removeprefix("userId:")
