"""Reading every contact, as fast as the allowance permits, and proving at the end that none was missed.

One chain of pages reaches `pages / latency`, far below the allowance on a real network. HubSpot lists contacts by
ascending id and its cursor *is* the id at which the next page starts, so the id range can be cut and the pieces read
side by side. That is verified on every read before it is relied on; where it doesn't hold, one chain goes on and a log
line says so. Memory stays flat: pages are handed out as they come and few wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import structlog

from hubsync.errors import PortalTemporaryError
from hubsync.policy.contact import Contact
from hubsync.portal import decoding
from hubsync.portal.answers import Answer, no_answer
from hubsync.portal.asking import Asker
from hubsync.portal.chains import Chains, Page
from hubsync.portal.searching import count_contacts, highest_contact_id

log = structlog.get_logger()

PAGE = 100
PAGE_WITH_HISTORY = 50
LONE_PAGES = 10
"""Portals of up to so many pages are read by one chain, without a call more than their pages and one count."""
WORTH_CHAINS = 8
"""Pages that must be left (at most: ids have gaps) for several chains to be worth their two extra calls."""
INDEX_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Seconds between counts while the search index, which lags, still has more contacts than were read."""


def all_contacts(asker: Asker, properties: Sequence[str], history: Sequence[str] = ()) -> Iterator[list[Contact]]:
    """Every contact once, in pages, in no order. Ends with PortalTemporaryError where fewer came than HubSpot counts.

    Contacts created meanwhile may come or not; those deleted meanwhile likewise.
    """
    lister = _Lister(asker, properties, history)
    tally = _Tally(asker)
    for page in _pages(asker, lister):
        tally.add(page.contacts)
        yield page.contacts
    if tally.pages > 1 or tally.read >= lister.limit:
        tally.prove()


def _pages(asker: Asker, lister: _Lister) -> Iterator[Page]:
    """Some pages by one chain; then, if there are many more and the cursors prove to be ids, by several."""
    page = lister.page(None)
    ids_are_cursors = page.by_id
    for _ in range(LONE_PAGES - 1):
        yield page
        if page.after is None:
            return
        previous, page = page, lister.page(page.after)
        ids_are_cursors = ids_are_cursors and page.by_id and page.first >= int(previous.after or 0)
    yield page
    if page.after is None:
        return
    jump = _jump(asker, lister, page.after) if ids_are_cursors else None
    if jump is None:
        if not ids_are_cursors:
            log.warning("listing.one_chain_used", reason="the cursors of this portal's list are not contact ids")
        yield from _one_chain(lister, page.after)
    else:
        yield from Chains(asker.transport, lister.page, lister.limit).read(int(page.after), *jump)


def _jump(asker: Asker, lister: _Lister, after: str) -> tuple[int, Page, int] | None:
    """An id in the middle of what is left, the page there and the highest id; None where one chain must or may do."""
    if asker.transport.in_flight == 1:
        return None
    start, highest = int(after), highest_contact_id(asker)
    if highest - start < WORTH_CHAINS * lister.limit:
        return None
    middle = start + (highest - start) // 2
    page = lister.page(str(middle))
    if page.by_id and page.first >= middle:
        return middle, page, highest
    log.warning("listing.one_chain_used", reason="the list can't be entered at an id")
    return None


def _one_chain(lister: _Lister, after: str | None) -> Iterator[Page]:
    while after is not None:
        page = lister.page(after)
        yield page
        if page.after == after:
            raise PortalTemporaryError("HubSpot's list does not move on: a page names itself as the next one.")
        after = page.after


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


@dataclass
class _Tally:
    """Counts what was read, and holds it against what HubSpot says it has."""

    asker: Asker
    read: int = 0
    pages: int = 0
    old: int = 0

    def __post_init__(self) -> None:
        self._clock = self.asker.transport.time
        self._started = self._clock.now()
        self._before = ""

    def add(self, contacts: Sequence[Contact]) -> None:
        """Take in one page. Contacts created after the start count for nothing: they may be seen or not."""
        if not self._before:
            # Known after the first answer only: the portal's clock may not be ours. Two seconds for its rounding.
            self._moment = self._started + self._clock.offset - timedelta(seconds=2)
            self._before = self._moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
            self._moment = self._moment.replace(microsecond=0)
        before = self._before
        self.read += len(contacts)
        self.pages += 1
        self.old += sum(1 for contact in contacts if (contact.properties.get("createdate") or "~") < before)

    def prove(self) -> None:
        """Compare with the index: contacts that were there at the start and still are must all have been read."""
        for wait in (*INDEX_WAITS, None):
            expected = count_contacts(self.asker, created_before=self._moment)
            if self.old >= expected:
                return
            if wait is not None:
                self.asker.transport.sleep(wait)
        raise PortalTemporaryError(
            f"The list of contacts was not complete: {self.old} read, HubSpot counts {expected}. Read again."
        )
