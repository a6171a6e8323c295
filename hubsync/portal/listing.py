"""Reading every contact, as fast as the allowance permits, and proving at the end that none was missed.

One chain of pages reaches `pages / latency`, far below the allowance on a real network. HubSpot lists contacts by
ascending id and its cursor *is* the id at which the next page starts, so the id range can be cut and the pieces read
side by side. That is verified on every read before it is relied on; where it doesn't hold, one chain goes on and a log
line says so. Memory stays flat: pages are handed out as they come and few wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import structlog

from hubsync.errors import PortalTemporaryError
from hubsync.policy.contact import Contact
from hubsync.portal import decoding
from hubsync.portal.answers import Answer, no_answer
from hubsync.portal.asking import Asker
from hubsync.portal.chains import Chains, Page
from hubsync.portal.searching import Counted, count_created

log = structlog.get_logger()

PAGE = 100
PAGE_WITH_HISTORY = 50
LONE_PAGES = 10
"""Portals of up to so many pages are read by one chain. A page and a count are all that a small portal costs."""
INDEX_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Seconds between counts while the search index, which lags, still has more contacts than were read."""


def all_contacts(asker: Asker, properties: Sequence[str], history: Sequence[str] = ()) -> Iterator[list[Contact]]:
    """Every contact once, in pages, in no order. Ends with PortalTemporaryError where fewer came than HubSpot counts.

    Contacts created meanwhile may come or not; those deleted meanwhile likewise.
    """
    lister, census = _Lister(asker, properties, history), _Census(asker)
    for page in _pages(asker, lister, census):
        census.add(page.contacts)
        yield page.contacts
    if census.pages > 1 or census.read >= lister.limit:
        census.prove()


def _pages(asker: Asker, lister: _Lister, census: _Census) -> Iterator[Page]:
    """Pages by one chain, until the portal turns out to be large and its cursors to be ids; then by several."""
    page, by_id, undecided = lister.page(None), True, True
    while True:
        yield page
        if page.after is None:
            return
        census.begin()
        by_id = by_id and page.by_id
        if undecided and census.pages > 1 and (counted := census.counted) is not None:
            undecided = False
            many = counted.contacts > LONE_PAGES * lister.limit and asker.transport.in_flight > 1
            jump = _jump(lister, int(page.after), counted.highest) if many and by_id else None
            if jump is not None:
                yield from Chains(asker.transport, lister.page, lister.limit).read(int(page.after), *jump)
                return
            if many:
                log.warning("listing.one_chain_used", reason="the list can't be entered at an id")
        previous, page = page, lister.page(page.after)
        by_id = by_id and page.first >= int(previous.after or 0)
        if page.after == previous.after:
            raise PortalTemporaryError("HubSpot's list does not move on: a page names itself as the next one.")


def _jump(lister: _Lister, start: int, highest: int) -> tuple[int, Page, int] | None:
    """An id in the middle of what is left, the page there and the highest id; None where the list isn't by id."""
    middle = start + max(0, highest - start) // 2
    page = lister.page(str(middle))
    return (middle, page, highest) if page.by_id and page.first >= middle else None


class _Lister:
    """Asks for one page of the list."""

    def __init__(self, asker: Asker, properties: Sequence[str], history: Sequence[str]) -> None:
        self.limit = PAGE_WITH_HISTORY if history else PAGE
        self._asker = asker
        self._history = bool(history)
        self._named: dict[str, Any] = {
            "limit": self.limit,
            "properties": list(dict.fromkeys((*properties, "createdate"))),
        }
        if history:
            self._named["properties_with_history"] = list(history)

    def page(self, after: str | None) -> Page:
        """The page that starts at `after`; the first one for None."""
        named = self._named if after is None else {**self._named, "after": after}
        return self._asker.ask(self._asker.transport.basic.get_page, "contacts", decode=self._decode, **named)

    def _decode(self, answer: Answer) -> Page:
        contacts = decoding.contacts(answer, history=self._history)
        after = decoding.next_after(decoding.body(answer))
        if after is not None and not contacts:
            no_answer("an empty page of a list names a next one")
        ids = [int(c.id) if c.id.isascii() and c.id.isdigit() else -1 for c in contacts]
        ascending = all(one < two for one, two in pairwise(ids)) and -1 not in ids
        cursor = after is None or (after.isascii() and after.isdigit() and int(after) > max(ids, default=0))
        return Page(contacts, after, ids, by_id=ascending and cursor)


class _Census:
    """Counts what was read, and holds it against what HubSpot says it has.

    Of what was read, contacts created before the reading began count: later ones may be seen or not. The portal's count
    is taken early, beside the reading. Contacts created or deleted meanwhile can make that too high: then it is taken
    again at the end, of contacts created before the beginning.
    """

    def __init__(self, asker: Asker) -> None:
        self.read = 0
        self.pages = 0
        self._asker = asker
        self._clock = asker.transport.time
        self._started = self._clock.now()
        self._before: datetime | None = None
        self._old = 0
        self._count: Future[Counted] | None = None

    def add(self, contacts: Sequence[Contact]) -> None:
        """Take in one page."""
        if self._before is None:
            # Known after the first answer only: the portal's clock may not be ours. Two seconds for its rounding.
            self._before = (self._started + self._clock.offset - timedelta(seconds=2)).replace(microsecond=0)
            self._text = self._before.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        text = self._text
        self.read += len(contacts)
        self.pages += 1
        self._old += sum(1 for contact in contacts if (contact.properties.get("createdate") or "~") < text)

    def begin(self) -> None:
        """Ask for the portal's count, once, beside the reading."""
        if self._count is None:
            self._count = self._asker.begin(lambda: count_created(self._asker))

    @property
    def counted(self) -> Counted | None:
        """The portal's count, once it has answered."""
        return self._count.result() if self._count is not None and self._count.done() else None

    def prove(self) -> None:
        """Raise PortalTemporaryError unless every contact was read that was there at the start and still is."""
        if self._count is not None and self._old >= self._count.result().contacts:
            return  # the early count knows too many rather than too few: this is proof
        for wait in (*INDEX_WAITS, None):
            expected = count_created(self._asker, self._before).contacts
            if self._old >= expected:
                return
            if wait is not None:
                self._asker.transport.sleep(wait)
        raise PortalTemporaryError(
            f"The list of contacts was not complete: {self._old} read, HubSpot counts {expected}. Read again."
        )
