"""How far back causes count: what is older than the retention is backlog, so that a purged ledger re-arms no rule.

Pure; what is deleted and when is the store's and sync/purging.py's. The second guard is policy/faded.py.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hubsync.policy.policy import Horizon

RETENTION = timedelta(days=730)
"""How long causes and ledger rows count, unless HUBSYNC_RETENTION_DAYS says otherwise."""


def kept_within(horizon: Horizon, now: datetime, retention: timedelta) -> Horizon:
    """The horizon, no further back than the retention: older causes are backlog."""
    if horizon.since is None:
        return horizon
    return replace(horizon, since=max(horizon.since, now - retention))
