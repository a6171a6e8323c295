"""Learning what changed by asking: the poll of HubSpot's search index, and the nightly listing of every contact.

Both only say which contacts to look at. A poll goes on where the last one ended, with an overlap for the lag of the
index, and moves its cursor page by page, so that a long outage is caught up even when it is cut short. What events and
search missed, the listing finds: it compares every contact with what was looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from hubsync.policy.contact import Contact
from hubsync.portal.gateway import Gateway
from hubsync.service.intake import Hint, Intake
from hubsync.store.store import Store
from hubsync.store.values import Look

log = structlog.get_logger()

CONTACTS = "contacts"
KINDS = (CONTACTS, "emails", "calls", "meetings", "communications", "deals")
POLLED, LISTED = "serve.polled.", "serve.listed"
"""Cursors: up to when each kind was polled; when every contact was last compared, and under which rules."""
COMMITTED_WITHIN = 60.0
"""Seconds for the database to note what was learned."""
ENOUGH_WAITING = 300
"""Contacts to be looked at before poll and listing wait for the worker: what is urgent must not stand behind it."""
AGAIN = "again"
"""In the place of the rules under which every contact was compared: looks of before that moment are stale."""
_EVER = datetime.fromtimestamp(0, UTC)
NIGHT = (2, 5)
"""Hours of the portal's day in which the listing begins."""
EVERY = timedelta(hours=20)


@dataclass(slots=True)
class Poller:
    """Asks what changed since. Used by one thread. `now` is the portal's time.

    `waiting` tells how many contacts are to be looked at; while they are many, which they are after an outage, the poll
    waits (`pause`, which is False where the service ends): what events say to look at must not stand behind it.
    """

    gateway: Gateway
    store: Store
    portal: int
    intake: Intake
    now: Callable[[], datetime]
    lag: timedelta = timedelta(seconds=90)
    stopping: Callable[[], bool] = lambda: False
    on_polled: Callable[[str, datetime], None] = lambda _kind, _at: None
    waiting: Callable[[], int] = lambda: 0
    pause: Callable[[], bool] = lambda: True
    covered: Callable[[str], bool] = lambda _contact: False
    """Whether a contact waits for its look after a write, which sees all that the poll could tell of it."""
    _seen: dict[str, dict[str, datetime]] = field(default_factory=dict)

    def poll(self) -> datetime | None:
        """Hint at everything that changed since the last poll; when this one began, None where the service ended first.

        Raises PortalError and StoreError; the next poll goes on from where this one came to.
        """
        began = self.now()
        for kind in KINDS:
            self._poll(kind, began)
            if self.stopping():
                return None
            self.on_polled(kind, began)
        return began

    def start_at(self, moment: datetime) -> None:
        """Where no poll was ever made, the first asks for what changed since then."""
        for kind in KINDS:
            if self.store.cursor(self.portal, POLLED + kind) is None:
                self.store.set_cursor(self.portal, POLLED + kind, moment.isoformat())

    def _poll(self, kind: str, began: datetime) -> None:
        name = POLLED + kind
        cursor = self.store.cursor(self.portal, name)
        since = min(datetime.fromisoformat(cursor), began) if cursor else began  # a clock may have gone back
        seen = self._seen.setdefault(kind, {})
        for page in self.gateway.modified_since(since - self.lag, kind):
            fresh = {id_: at for id_, at in page.items() if seen.get(id_) != at}
            self._hint(kind, fresh)
            seen.update(fresh)
            reached = max(page.values())
            if reached > since:  # later pages may be far away: an outage of days is caught up in steps
                since = reached
                self.store.set_cursor(self.portal, name, min(reached, began).isoformat())
            while self.waiting() > ENOUGH_WAITING and self.pause():
                pass
            if self.stopping():
                return
        self.store.set_cursor(self.portal, name, began.isoformat())
        self._seen[kind] = {id_: at for id_, at in seen.items() if at >= began - 2 * self.lag}

    def _hint(self, kind: str, changed: Mapping[str, datetime]) -> None:
        if not changed:
            return
        if kind == CONTACTS:
            looked = self.store.looked(self.portal, changed)
            news = (id_ for id_, at in changed.items() if id_ not in looked or looked[id_] < at)
            items = [id_ for id_ in news if not self.covered(id_)]
        else:
            items = [f"{kind}:{id_}" for id_ in changed]
        commit(self.intake, items, "poll")


@dataclass(slots=True)
class Listing:
    """Compares every contact with what was looked at. Used by one thread, in bulk: whatever else is asked goes first.

    `waiting` tells how many contacts are to be looked at; `pause` waits a little and is False where the service ends.
    """

    gateway: Gateway
    store: Store
    portal: int
    intake: Intake
    now: Callable[[], datetime]
    waiting: Callable[[], int]
    pause: Callable[[], bool]

    def is_due(self, hour: int, mark: str) -> bool:
        """Whether to list now: never done under these rules and this mode (`mark`), or it is night and a day ago.

        `hour` is that of the portal's day.
        """
        at, known = self._last()
        if at is None or known != mark:
            return True
        return self.now() - at > EVERY and NIGHT[0] <= hour < NIGHT[1]

    def run(self, properties: Sequence[str], digest: str, mark: str) -> int:
        """List everything; how many contacts there are. Ends early, and is due again, where the service ends.

        Where the rules, what they may do, or the mode changed since the last one, what was looked at before is stale.
        Raises PortalTemporaryError where fewer contacts came than the portal has.
        """
        began = self.now()
        stale = self._stale_before(began, mark)
        asked = self.store.cursor(self.portal, LISTED)
        present: set[str] = set()
        for page in self.gateway.all_contacts(properties):
            ids = [contact.id for contact in page]
            present.update(ids)
            mirror = self.store.looks(self.portal, ids)
            news = [
                c.id
                for c in page
                if (row := mirror.get(c.id)) is None or is_news(c, row) or row.digest != digest or row.read_at < stale
            ]
            commit(self.intake, news, "listing")
            while self.waiting() > ENOUGH_WAITING:
                if not self.pause():
                    return len(present)
        self._forget_gone(present)
        if self.store.cursor(self.portal, LISTED) == asked:  # else it was asked for anew meanwhile
            self.store.set_cursor(self.portal, LISTED, f"{began.isoformat()} {mark}")
        log.info("portal.listed", contacts=len(present))
        return len(present)

    def again(self) -> None:
        """Make it due: the rules, or what they may do, have changed; what was looked at until now is stale."""
        self.store.set_cursor(self.portal, LISTED, f"{self.now().isoformat()} {AGAIN}")

    def _stale_before(self, began: datetime, mark: str) -> datetime:
        """Looks of before then don't count; kept, so that a listing that is cut short doesn't begin anew."""
        at, known = self._last()
        if at is None or known == mark:
            return _EVER
        if known != AGAIN:
            self.store.set_cursor(self.portal, LISTED, f"{began.isoformat()} {AGAIN}")
            return began
        return at

    def _forget_gone(self, present: set[str]) -> None:
        """Contacts that HubSpot no longer has are looked at once more, which drops them from the mirror."""
        gone = [row.contact for row in self.store.mirror(self.portal) if row.contact not in present]
        commit(self.intake, gone, "gone")

    def _last(self) -> tuple[datetime | None, str]:
        text = self.store.cursor(self.portal, LISTED)
        if not text:
            return None, ""
        at, _, mark = text.partition(" ")
        return datetime.fromisoformat(at), mark


def is_news(contact: Contact, row: Look) -> bool:
    """Whether a contact has changed since it was looked at, as far as it says when."""
    return contact.modified_at is None or contact.modified_at > row.lastmodified


def commit(intake: Intake, items: Sequence[str], why: str) -> None:
    """Note what to look at and wait until the database has it: only then may a cursor move on."""
    if items:
        intake.submit([Hint(items, why)]).result(COMMITTED_WITHIN)
