"""The door to one HubSpot portal: everything hubsync reads from it and writes to it goes through `Gateway`.

It only names what can be done; how is in the module of each idea (reading, listing, searching, timeline, writing,
tasks, scopes). It decides nothing and keeps nothing but connections.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from hubsync.policy.contact import Contact, Deal, Engagement
from hubsync.portal import defining, listing, reading, scopes, searching, tasks, timeline, writing
from hubsync.portal.asking import Asker
from hubsync.portal.limiter import Lane
from hubsync.portal.transport import TokenProvider, Transport
from hubsync.portal.values import (
    Account,
    Call,
    ContactsRead,
    Definition,
    NewProperty,
    NewTask,
    Outcome,
    Owner,
    Pipeline,
    PropertyDefinition,
    ScopeCheck,
    Task,
    TaskOutcome,
    Update,
)


class Gateway:
    """One portal, safe for any number of threads; close it, or use it as a context manager.

    `url` is the API's address, `token_provider` gives the access token and is asked before each call. `in_flight`
    fixes how many requests run at once (else it follows latency and allowance). `bulk=True` lets calls of others go
    first. `proxies` maps scheme to URL; the environment's are not looked at.

    Every method raises TokenRefused (401, 403), RateLimited(daily=True) when the day's allowance is spent,
    PortalTemporaryError when trying again later may help, and PortalPermanentError when it won't.
    """

    def __init__(
        self,
        url: str,
        token_provider: TokenProvider,
        *,
        api_version: str = "v3",
        in_flight: int | None = None,
        bulk: bool = False,
        proxies: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        daily_reserve: float = 0.05,
    ) -> None:
        self._transport = Transport(
            url,
            token_provider,
            api_version=api_version,
            in_flight=in_flight,
            proxies=proxies,
            clock=clock,
            sleep=sleep,
            now=now,
            daily_reserve=daily_reserve,
        )
        self._threads = ThreadPoolExecutor(self._transport.max_in_flight, thread_name_prefix="hubsync-portal")
        self._in_bulk = Asker(self._transport, Lane.BULK, self._threads)
        self._asker = self._in_bulk if bulk else Asker(self._transport, Lane.INTERACTIVE, self._threads)

    def __repr__(self) -> str:
        return f"Gateway({self._transport!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. Calls that run are not waited for, and those that wait give up."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._transport.close()

    @property
    def clock_offset(self) -> timedelta:
        """What to add to the local clock for the portal's time, by the `Date` headers of its answers."""
        return self._transport.time.offset

    @property
    def calls(self) -> int:
        """How many calls were made so far, tries that failed included."""
        return sum(call.count for call in self._transport.calls)

    @property
    def calls_by_route(self) -> tuple[Call, ...]:
        """The same, by method, route and status."""
        return self._transport.calls

    @property
    def allowance_used(self) -> float:
        """Share of the ten-second allowance that is taken now, by hubsync and by others with the same token."""
        return self._transport.limiter.used

    def account(self) -> Account:
        """Which portal the token belongs to. One call."""
        account = reading.account(self._asker)
        self._transport.time.zone = account.time_zone
        return account

    def scopes(self) -> tuple[ScopeCheck, ...]:
        """Which permissions the token has, of those hubsync needs. One call each; nothing is written."""
        return scopes.check_scopes(self._asker)

    def properties(self, kind: str = "contacts") -> dict[str, PropertyDefinition]:
        """Every property of `kind` by internal name. One call."""
        return reading.property_definitions(self._asker, kind)

    def definition(self, name: str, kind: str = "contacts") -> Definition | None:
        """One property's definition as it is now, None where there is none. One call."""
        return defining.definition(self._asker, kind, name)

    def replace_options(self, name: str, options: Sequence[Mapping[str, Any]], kind: str = "contacts") -> Definition:
        """Make `options` a property's whole list. One call, not tried again: read the newest list before trying."""
        return defining.replace_options(self._asker, kind, name, options)

    def create_property(self, new: NewProperty, kind: str = "contacts") -> bool:
        """Create a property; False where its name is taken. One call, not tried again."""
        return defining.create_property(self._asker, kind, new)

    def archive_property(self, name: str, kind: str = "contacts") -> bool:
        """Archive a property; False where there is none. One call, not tried again."""
        return defining.archive_property(self._asker, kind, name)

    def property_groups(self, kind: str = "contacts") -> frozenset[str]:
        """Internal names of the property groups. One call."""
        return defining.property_groups(self._asker, kind)

    def create_property_group(self, name: str, label: str, kind: str = "contacts") -> bool:
        """Create a property group; False where it is there. One call, not tried again."""
        return defining.create_property_group(self._asker, kind, name, label)

    def lacks_to_define(self, kind: str = "contacts") -> tuple[str, ...]:
        """The scopes the token lacks for changing definitions. One call, which creates nothing."""
        return defining.missing_scopes(self._asker, kind)

    def owners(self) -> tuple[Owner, ...]:
        """All owners, archived ones included. Two calls for up to 100 of each."""
        return reading.owners(self._asker)

    def company_owners(self, ids: Iterable[str]) -> dict[str, str]:
        """Owner ids by company id, of those that have an owner. 100 a call; needs crm.objects.companies.read."""
        return reading.company_owners(self._asker, ids)

    def deal_pipelines(self) -> tuple[Pipeline, ...]:
        """All deal pipelines with their steps. One call."""
        return reading.deal_pipelines(self._asker)

    def count_contacts(self) -> int:
        """How many contacts the search index counts. One search."""
        return searching.count_contacts(self._asker)

    def count_having(self, name: str, value: str | None = None, kind: str = "contacts") -> int:
        """How many records have a value of a property (None: any value), by the search index. One search."""
        return searching.count_having(self._asker, name, value, kind)

    def newest_having(self, name: str, limit: int) -> list[str]:
        """Ids of up to `limit` (at most 200) contacts with any value of a property, last changed first. One search."""
        return searching.newest_having(self._asker, name, limit)

    def all_contacts(self, properties: Sequence[str], history: Sequence[str] = ()) -> Iterator[list[Contact]]:
        """Every contact once, page by page, in no order: ⌈N/100⌉ calls (⌈N/50⌉ with history) and a few.

        Ends with PortalTemporaryError where fewer came than the portal has. Contacts created meanwhile may be missing.
        """
        return listing.all_contacts(self._in_bulk, properties, history)

    def read_contacts(self, ids: Iterable[str], properties: Sequence[str], history: Sequence[str] = ()) -> ContactsRead:
        """The contacts of `ids`, 100 a call (50 with history)."""
        return reading.read_contacts(self._asker, ids, properties, history)

    def modified_since(self, at: datetime, kind: str = "contacts") -> Iterator[Mapping[str, datetime]]:
        """Ids of what changed at or after `at`, with the moment of the change, oldest first, up to 200 a page.

        From the search index, which lags: ask with an overlap. The same id may come again when it changes meanwhile.
        """
        return searching.modified_since(self._in_bulk, kind, at)

    def contacts_of(self, kind: str, ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """The contacts that deals, e-mails, calls, meetings or communications belong to. 1,000 a call."""
        return timeline.contacts_of(self._asker, kind, ids)

    def deals_of(self, contact_ids: Iterable[str], properties: Sequence[str] = ()) -> dict[str, tuple[Deal, ...]]:
        """Each contact's deals with the history of their stage: 1,000 contacts a call, then 50 deals a call."""
        return timeline.deals_of(self._asker, contact_ids, properties)

    def engagements_of(
        self,
        contact_ids: Iterable[str],
        kinds: Sequence[str] = tuple(timeline.ENGAGEMENT_PROPERTIES),
        properties: Mapping[str, Sequence[str]] | None = None,
    ) -> dict[str, tuple[Engagement, ...]]:
        """Each contact's engagements, oldest first: for each kind 1,000 contacts a call, then 100 records a call."""
        return timeline.engagements_of(self._asker, contact_ids, kinds, properties)

    def update_contacts(self, updates: Sequence[Update], stage_order: Sequence[str] = ()) -> list[Outcome]:
        """Write properties, 100 contacts a call; what became of each, in the order of `updates`.

        `stage_order` lists the lifecycle stages' values in display order: a later stage than asked is satisfied.
        """
        return writing.update_contacts(self._asker, updates, stage_order)

    def create_tasks(self, new: Sequence[NewTask]) -> list[TaskOutcome]:
        """Create tasks, 100 a call; what became of each, in the order of `new`. Nothing uncertain is tried again."""
        return tasks.create_tasks(self._asker, new)

    def read_tasks(self, ids: Iterable[str]) -> dict[str, Task]:
        """Tasks by id, 100 a call; deleted ones are left out."""
        return tasks.read_tasks(self._asker, ids)

    def tasks_of(self, contact_ids: Iterable[str]) -> dict[str, tuple[Task, ...]]:
        """Each contact's tasks, by association."""
        return tasks.tasks_of(self._asker, contact_ids)

    def delete_tasks(self, ids: Iterable[str]) -> dict[str, str]:
        """Delete tasks, 100 a call: "deleted" for each, or HubSpot's reason against it."""
        return tasks.delete_tasks(self._asker, ids)
