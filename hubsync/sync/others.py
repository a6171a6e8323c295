"""Who else writes the two fields, before many contacts are written at once (playbook B3): a sample's history tells.

Reads what was read already; asks HubSpot for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hubsync.policy.contact import Contact
from hubsync.policy.timeline import AUTOMATION, INTEGRATION
from hubsync.sync.binding import BoundPortal
from hubsync.sync.checkup import count_writers

MANY = 20
"""From more contacts than this on it is a bulk write."""
SAMPLE = 50
"""Contacts whose histories are read for it: one call."""


def others_at_work(contacts: Iterable[Contact], portal: BoundPortal, app_id: str | None = None) -> list[str]:
    """A line for each automation and app in the contacts' histories, the busiest first; ours is left out.

    Who only listens to the fields leaves no trace in a history: that is said as well.
    """
    found: Counter[tuple[str, str]] = Counter()
    for one in count_writers(contacts, portal.policy, app_id):
        if one.kind in {AUTOMATION, INTEGRATION}:
            named = f"{one.source} ({one.label})" if one.label else one.source
            found[named, portal.definitions[one.property].label] += one.entries
    lines = [
        f"{who} wrote {what} {count:,} time{'' if count == 1 else 's'}" for (who, what), count in found.most_common()
    ]
    return [*lines, "workflows and lists that react to these fields can't be seen here; look in the portal"]
