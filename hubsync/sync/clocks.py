"""A clock that goes back between two runs: the database then holds moments that are yet to come, and says so.

Nothing fires twice for it, since causes are known by their keys and not by time. But what changed since a moment to
come can't be asked for, so such a moment counts for nothing (sync/scope.py). It decides nothing itself.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hubsync.store.store import Store

AHEAD = timedelta(minutes=1)
"""Moments no further ahead than this are of the same time: HubSpot tells its own by the second."""
LATEST = 5


def is_to_come(at: datetime, now: datetime) -> bool:
    """Whether a moment that was noted lies ahead of the portal's time."""
    return at - now > AHEAD


def notices(store: Store | None, portal: int, now: datetime) -> list[str]:
    """What a run says where earlier ones lie ahead of it. `now` is the portal's time."""
    runs = store.runs(portal, LATEST) if store is not None else ()
    newest = max((run.finished_at or run.started_at for run in runs), default=now)
    if not is_to_come(newest, now):
        return []
    minutes = round((newest - now) / timedelta(minutes=1))
    said = (
        f"An earlier run ended at {newest.astimezone(UTC):%Y-%m-%d %H:%M} UTC by this database, {minutes:,} minutes "
        f"after HubSpot's time now ({now.astimezone(UTC):%H:%M}): a clock was ahead then, or was set back since. See "
        "that this machine's clock is right. Every contact is looked at once; what was written isn't written again."
    )
    return [said]
