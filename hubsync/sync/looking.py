"""Looking at contacts: read, decide, fetch the dear facts a rule hangs on, decide again (design 1).

Contacts stream through in pages; only those that still need facts wait, a few hundred at a time, so that memory stays
flat however large the portal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hubsync.policy.changes import Decision
from hubsync.policy.contact import Contact
from hubsync.policy.decide import decide
from hubsync.policy.policy import Horizon, Policy
from hubsync.policy.quarrels import quarrels
from hubsync.portal.gateway import Gateway
from hubsync.sync.book import Dresser
from hubsync.sync.dear import fetch
from hubsync.sync.merges import as_one_each

WAITING_ROOM = 500
"""Contacts that wait for dear facts before they are fetched together: ten batch reads with history."""


@dataclass(frozen=True, slots=True)
class Look:
    """A contact and what follows from it."""

    contact: Contact
    decision: Decision


class Looker:
    """Looks at contacts with one policy. `now` gives the portal's time; `dresser` adds what the ledger knows."""

    def __init__(
        self,
        gateway: Gateway,
        policy: Policy,
        horizon: Horizon,
        now: Callable[[], datetime],
        dresser: Dresser,
        *,
        tasks: bool,
        instead: Callable[[Contact, Decision], Decision] | None = None,
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        """`instead` may put another decision in the place of a complete one; `give_way` is called before each."""
        self.instead = instead
        self.give_way = give_way
        self.gateway = gateway
        self.policy = policy
        self.horizon = horizon
        self.now = now
        self.dresser = dresser
        self.tasks = tasks
        self.missing: list[str] = []
        """Ids asked for that HubSpot does not have."""

    def over(self, pages: Iterable[Sequence[Contact]]) -> Iterator[list[Look]]:
        """Look at every contact of the pages; contacts that vanish meanwhile are left out."""
        waiting: list[Look] = []
        for page in pages:
            done: list[Look] = []
            for look in self._decide(self.dresser.dress(page)):
                (waiting if look.decision.needs else done).append(look)
            yield done
            while len(waiting) >= WAITING_ROOM:
                yield self._complete(waiting[:WAITING_ROOM])
                del waiting[:WAITING_ROOM]
        if waiting:
            yield self._complete(waiting)

    def at(self, ids: Sequence[str]) -> Iterator[list[Look]]:
        """Look at the contacts of these ids; those HubSpot does not have are left out."""
        for start in range(0, len(ids), WAITING_ROOM):
            read = self.gateway.read_contacts(ids[start : start + WAITING_ROOM], self.policy.properties)
            self.missing += read.missing
            yield from self.over([as_one_each(read.found)])

    def again(self, contacts: Sequence[Contact], as_if: Callable[[Contact], Contact] = lambda c: c) -> list[Look]:
        """Decide anew on contacts as just read, with their history; everything dear is fetched afresh.

        `as_if` may change what is known of each before the decision.
        """
        fresh = [
            replace(as_if(c), deals=None, engagements=None, meetings=None, others_tasks=None)
            for c in self.dresser.dress(contacts)
        ]
        return self._complete(self._decide(fresh))

    def _decide(self, contacts: Iterable[Contact]) -> list[Look]:
        now = self.now()
        looks: list[Look] = []
        for contact in contacts:
            self.give_way()
            looks.append(Look(contact, decide(self.policy, contact, now, self.horizon, tasks=self.tasks)))
        return [look if look.decision.needs else self._finished(look, now) for look in looks]

    def _finished(self, look: Look, now: datetime) -> Look:
        """A complete look, with what is put in its decision's place, and with who is at odds on the contact."""
        contact, decision = look.contact, look.decision
        if self.instead is not None:
            decision = self.instead(contact, decision)
        told = quarrels(self.policy, contact, decision, now)
        return Look(contact, replace(decision, findings=(*decision.findings, *told)) if told else decision)

    def _complete(self, looks: Sequence[Look]) -> list[Look]:
        """Fetch what is missing and decide again, until nothing is; each fact is read once per contact."""
        done = [look for look in looks if not look.decision.needs]
        waiting = [look for look in looks if look.decision.needs]
        while waiting:
            needs = {look.contact.id: look.decision.needs for look in waiting}
            lacking = [look.contact for look in waiting]
            contacts = fetch(self.gateway, lacking, needs, self.policy.properties, self.policy.history)
            waiting = []
            for look in self._decide(contacts):
                (waiting if look.decision.needs else done).append(look)
        return done
