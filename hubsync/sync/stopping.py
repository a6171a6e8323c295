"""What a run that ended early says: how far it came, and what to do. It decides nothing."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from hubsync.errors import PortalError, PortalTemporaryError, RateLimited, TokenRefused
from hubsync.portal.values import Account
from hubsync.sync.plan import Tally


def how_far(run: int, tally: Tally) -> str:
    """What a run had done when it ended, and how it goes on."""
    changes = tally.states().get("applied", 0)
    tasks = sum(t["state"] == "applied" for t in tally.tasks)
    return (
        f"Stopped. Run {run} had looked at {tally.contacts:,} contacts, written {changes:,} "
        f"change{'' if changes == 1 else 's'} and {tasks:,} task{'' if tasks == 1 else 's'}. The next "
        "`hubsync sync --write` goes on from there; nothing is written twice."
    )


def what_to_do(error: PortalError, account: Account, now: datetime) -> str:
    """What helps against an error of HubSpot's, and when."""
    if isinstance(error, TokenRefused):
        return "With a token that HubSpot accepts in HUBSYNC_ACCESS_TOKEN, run it again."
    if isinstance(error, RateLimited) and error.daily:
        again = midnight(account, now)
        return f"Run it again after {again.day} {again:%B %Y %H:%M} ({account.time_zone})."
    if isinstance(error, PortalTemporaryError):
        return "This passes by itself as a rule: run it again in a while."
    return "See what HubSpot says above; the same call would be refused again."


def midnight(account: Account, now: datetime) -> datetime:
    """The account's next midnight, in its own time zone: its daily allowance begins anew then."""
    zone = ZoneInfo(account.time_zone)
    return datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time.min, zone)
