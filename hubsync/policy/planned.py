"""What is planned next with a lead, besides hubsync's own tasks (playbook T10, D9).

HubSpot's `notes_next_activity_date` tells the nearest open task or meeting ahead (hubspot-api 3.3). Only where that may
be a task of hubsync's own, which would hide whatever comes after it, the contact's tasks have to be read.
"""

from __future__ import annotations

from datetime import datetime

from hubsync.policy.instants import instant_or_none
from hubsync.policy.view import Missing, View, once


@once
def next_action(view: View) -> datetime | Missing | None:
    """The nearest task of somebody else's, or meeting, that lies ahead; None where nothing is planned."""
    get = view.properties.get
    meeting = _ahead(get("hs_latest_meeting_activity"), view.now)
    nearest = _ahead(get("notes_next_activity_date"), view.now)
    if nearest is None or nearest == meeting:
        return nearest
    ours = view.contact.open_tasks
    is_digest = nearest in view.contact.digests.values()
    if not is_digest and all(t.untouched and instant_or_none(t.due) != nearest for t in ours):
        return nearest
    if meeting is not None:
        return meeting
    others = view.others_tasks()
    if isinstance(others, Missing):
        return others
    return min((task.at for task in others if task.at > view.now), default=None)


@once
def next_action_ends(view: View) -> datetime | None:
    """When what is planned next is no longer ahead."""
    found = next_action(view)
    return None if isinstance(found, Missing) else found


def _ahead(text: str | None, now: datetime) -> datetime | None:
    at = instant_or_none(text)
    return at if at is not None and at > now else None
