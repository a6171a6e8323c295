"""Who else writes the two fields, before many contacts are written at once (playbook B3): a sample's history tells.

Reads what was read already; asks HubSpot for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from hubsync.policy.contact import Contact
from hubsync.policy.timeline import AUTOMATION, INTEGRATION
from hubsync.sync.binding import BoundPortal
from hubsync.sync.checkup import count_writers

MANY = 20
"""From more contacts than this on it is a bulk write."""


def others_at_work(contacts: Iterable[Contact], portal: BoundPortal, app_id: str | None = None) -> list[str]:
    """A line for each automation and app in the contacts' histories, the busiest first; ours is left out.

    Who only listens to the fields leaves no trace in a history: that is said as well.
    """
    ours = f"INTEGRATION:{app_id}" if app_id else ""
    found = [
        w for w in count_writers(contacts, portal.policy) if w.kind in {AUTOMATION, INTEGRATION} and w.source != ours
    ]
    lines = [
        f"{w.source}{f' ({w.label})' if w.label else ''} wrote {portal.definitions[w.property].label} "
        f"{w.entries:,} time{'' if w.entries == 1 else 's'}"
        for w in found
    ]
    return [*lines, "workflows and lists that react to these fields can't be seen here; look in the portal"]
