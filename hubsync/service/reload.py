"""Taking up changed rules while the service runs: read, checked against the portal, and only then put in force.

Rules with faults change nothing: the former ones stay in force, and /readyz says what is wrong and where.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from hubsync.errors import PortalError, StoreError
from hubsync.logs import redacted
from hubsync.rulefiles.load import TEXTS
from hubsync.service.health import Health
from hubsync.sync.reconcile import Session

log = structlog.get_logger()

ANEW_AFTER = timedelta(hours=1)
"""The portal's owners, options and deal steps are read again after so long; rules' records are drawn up anew."""

TRIED_AGAIN = timedelta(seconds=30)
"""So long after HubSpot or the database could not be asked, they are asked again."""

Fingerprint = tuple[tuple[str, int, int], ...]


@dataclass(slots=True)
class Reload:
    """The session in force. `renew` reads the rules and the portal; it raises a HubsyncError for what can't be used.

    Any thread may read `session`; one thread calls `look`.
    """

    folder: Path
    renew: Callable[[], Session]
    health: Health
    session: Session
    on_new_rules: Callable[[], None] = lambda: None
    since: datetime | None = None
    """Since when the rules in force are."""
    _read: Fingerprint = ()
    _at: datetime | None = None
    _asked: bool = field(default=False)
    _untold: bool = False
    _later: datetime | None = None

    def __post_init__(self) -> None:
        self._read = fingerprint(self.folder)
        self.since = self._at = self.session.now()

    def ask(self) -> None:
        """Reload at the next look, whether anything changed or not (SIGHUP)."""
        self._asked = True

    def look(self) -> None:
        """Reload what changed since the last look. Raises what `on_new_rules` does; the next look tells it again."""
        if self._untold:
            self._tell()
        found, now = fingerprint(self.folder), self.session.now()
        changed = found != self._read or self._asked
        if self._later is not None and now < self._later and found == self._read:
            return
        self._later = None
        if not changed and self._at is not None and now - self._at < ANEW_AFTER:
            return
        self._read, self._at, self._asked = found, now, False
        try:
            fresh = self.renew()
        except (PortalError, StoreError) as error:  # it says nothing of the rules: they are tried again
            log.warning("portal.unread", reason=redacted(str(error)))
            self._asked, self._at = changed, now - ANEW_AFTER + TRIED_AGAIN
            self._later = now + TRIED_AGAIN
            return
        except Exception as error:  # noqa: BLE001  (a file that can't even be read must not end the service)
            log.warning("rules.refused", reason=redacted(str(error)))
            self.health.say("rules", f"The changed rules can't be used; the former ones stay in force. {error}")
            return
        self.session = fresh
        self.health.clear("rules")
        if changed:
            self.since = now
            log.info("rules.reloaded", digest=fresh.portal.policy.digest)
            self._untold = True
            self._tell()

    def _tell(self) -> None:
        self.on_new_rules()
        self._untold = False


def fingerprint(folder: Path) -> Fingerprint:
    """Names, sizes and times of a folder's rule files and texts: what changes when somebody edits one."""
    found = []
    for path in sorted((*folder.glob("*.yaml"), *(folder / TEXTS).glob("*.yaml"))):
        try:
            status = path.stat()
        except OSError:
            continue  # it vanished this moment; the next look sees the folder as it is then
        found.append((path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns))
    return tuple(found)
