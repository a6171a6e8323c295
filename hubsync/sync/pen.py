"""What a run writes with: one value that everything which writes to a portal is handed.

The run's number stands in every row of the ledger and in every trace; the lease makes the transactions they go in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from hubsync.portal.gateway import Gateway
from hubsync.store.store import Store
from hubsync.sync.binding import BoundPortal
from hubsync.sync.lease import PortalLease


@dataclass(frozen=True, slots=True)
class Pen:
    """The right to write to a portal in the name of a run. `now` gives the portal's time."""

    gateway: Gateway
    store: Store
    portal: BoundPortal
    lease: PortalLease
    run: int
    now: Callable[[], datetime]
