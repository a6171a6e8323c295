"""A contact while it is being decided on: what was read, in the policy's words, with the changes decided so far on top.

One view lives as long as one decision. Everything is computed when first asked for; a dear fact that was not read
answers `Missing`, which says what to fetch (design 4 "Dear facts").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from hubsync.policy import timeline as lines
from hubsync.policy.contact import Contact, Engagement
from hubsync.policy.deals import DealSummary, summarise
from hubsync.policy.instants import EPOCH, earlier, instant_or_none
from hubsync.policy.timeline import Stay
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.policy.worktime import Calendar, Duration

if TYPE_CHECKING:
    from hubsync.policy.changes import Cause
    from hubsync.policy.policy import Policy
    from hubsync.policy.rules import Cell


@dataclass(frozen=True, slots=True)
class Missing:
    """Stands for a dear fact that was not read; `mask` says which reads would tell."""

    mask: int


HISTORY, DEALS, ENGAGEMENTS, MEETINGS, TASKS = 1, 2, 4, 8, 16
"""What a dear fact may hang on. ENGAGEMENTS are e-mails, calls and communications; TASKS are open ones of others."""
NO_DEAL_AT_ALL = DealSummary()
NO_HISTORY, NO_DEALS, NO_ENGAGEMENTS = Missing(HISTORY), Missing(DEALS), Missing(ENGAGEMENTS)
NO_MEETINGS, NO_TASKS = Missing(MEETINGS), Missing(TASKS)


Turn = tuple[datetime, datetime, "Duration | None"]
"""When an answer changes: not before the first moment; so much after the second, or at the first itself."""
_LEAST = itemgetter(0)


class View:
    """The present state of a contact under decision. `status` and `stage` are HubSpot's values, "" for empty."""

    __slots__ = (
        "_asked",
        "_cell",
        "_created",
        "_cycle",
        "_dealless",
        "_deals",
        "_lines",
        "_settled",
        "calendar",
        "contact",
        "entries",
        "now",
        "policy",
        "properties",
        "stage",
        "status",
        "turns",
    )

    def __init__(self, policy: Policy, contact: Contact, now: datetime, cell: Cell | None = None) -> None:
        self.policy = policy
        self.contact = contact
        self.now = now
        self.properties: Mapping[str, str | None] = contact.properties
        self.status = contact.properties.get(STATUS) or ""
        self.stage = contact.properties.get(STAGE) or ""
        self._lines: dict[str, list[Stay]] = {}
        self._deals: DealSummary | None = None
        self._cycle: datetime | None = None
        self._cell = cell
        self._created: datetime | None = None
        self._asked: dict[Callable[[View], Any], Any] = {}
        self._settled: dict[tuple[frozenset[str], timedelta], datetime | Missing | None] = {}
        self._dealless: bool | None = None
        self.calendar: Calendar = policy.calendars.general
        """The business hours in which the contact is worked on: those of its owner's team, else the portal's (L2)."""
        if policy.calendars.teams:
            owner = contact.properties.get("hubspot_owner_id") or ""
            self.calendar = policy.calendars.of(policy.owner_teams.get(owner, ()))
        self.turns: list[Turn] = []
        """When conditions that were asked change their answers by themselves."""
        self.entries: dict[str, Cause] = {}
        """Causes that are the entry of a property's present value, as far as they were asked for."""

    @property
    def changes_at(self) -> datetime | None:
        """The earliest moment at which a condition that was asked changes its answer by itself."""
        if not self.turns:
            return None
        soonest: datetime | None = None
        last: Turn | None = None
        for turn in sorted(self.turns, key=_LEAST):
            least, since, duration = turn
            if soonest is not None and least >= soonest:
                break
            if turn == last:
                continue
            last = turn
            at = least if duration is None else duration.after(since, self.calendar, self.policy.zone)
            soonest = earlier(soonest, at)
        return soonest

    def line(self, name: str) -> list[Stay] | Missing:
        """The stays of a property, oldest first, our decided changes included."""
        known = self._lines.get(name)
        if known is not None:
            return known
        history = self.contact.history
        if history is None:
            return NO_HISTORY
        ours = [o for o in self.contact.ours if o.property == name] if self.contact.ours else ()
        stays = lines.timeline(history.get(name) or (), ours, self.policy.writers, self.policy.quiet_status)
        self._lines[name] = stays
        return stays

    def write(self, name: str, value: str, at: datetime) -> None:
        """Put a decided change on top; `at` is its cause's moment."""
        line = self.line(name)
        if isinstance(line, Missing):
            raise TypeError(f"{name} was decided without its history")
        self._lines[name] = [*line, Stay(value, at, lines.HUBSYNC, self.now)]
        self.properties = {**self.properties, name: value or None}
        self.entries.pop(name, None)
        self._asked.clear()
        self._settled.clear()
        if name == STATUS:
            self.status = value
            self._cycle = self._cell = None
        elif name == STAGE:
            self.stage = value
            self._cycle = self._cell = None

    @property
    def created(self) -> datetime:
        """When the contact was created; 1970 where HubSpot does not say."""
        if self._created is None:
            self._created = instant_or_none(self.contact.properties.get("createdate")) or EPOCH
        return self._created

    def entered(self, name: str) -> datetime | Missing:
        """Since when the property has its present value; createdate where it was never set (design 4)."""
        line = self._lines.get(name)
        if line is None:
            found = self.line(name)
            if isinstance(found, Missing):
                return found
            line = found
        return line[-1].at if line else self.created

    def previous(self, name: str) -> str | Missing | None:
        """The last other value of the property, None where there was none; empty values are passed over."""
        line = self.line(name)
        if isinstance(line, Missing):
            return line
        stay = lines.before(line)
        return stay.value if stay else None

    def author(self, name: str) -> str | Missing | None:
        """Who set the present value, None where it was never set."""
        line = self.line(name)
        if isinstance(line, Missing):
            return line
        return line[-1].by if line else None

    def settled_at(self, names: frozenset[str], quiet: timedelta) -> datetime | Missing | None:
        """When the properties may be judged, if that is still to come (D7); what hubsync wrote needs no quiet time."""
        key = (names, quiet)
        if key not in self._settled:
            self._settled[key] = self._settled_at(names, quiet)
        return self._settled[key]

    def _settled_at(self, names: frozenset[str], quiet: timedelta) -> datetime | Missing | None:
        latest: datetime | None = None
        for name in names:
            line = self.line(name)
            if isinstance(line, Missing):
                return line
            if line and line[-1].by != lines.HUBSYNC:
                until = line[-1].written_at + quiet
                if until > self.now and (latest is None or until > latest):
                    latest = until
        return latest

    def cycle(self) -> datetime | Missing:
        """When the present work cycle began (D6): last entry into new or recycled, or into MQL; else createdate."""
        if self._cycle is not None:
            return self._cycle
        status, stage = self.line(STATUS), self.line(STAGE)
        if isinstance(status, Missing) or isinstance(stage, Missing):
            return NO_HISTORY
        begins = [s.at for s in status if s.value in self.policy.cycle_statuses]
        begins += [s.at for s in stage if s.value in self.policy.cycle_stages]
        self._cycle = max(begins, default=self.created)
        return self._cycle

    def cell(self) -> Cell | None:
        """The rules that can matter at the present combination, None at an unmapped option."""
        if self._cell is None:
            cell = self.policy.cells.get((self.status, self.stage))
            self._cell = cell.dealless if cell is not None and self.dealless else cell
        return self._cell

    @property
    def dealless(self) -> bool:
        """Whether the contact is known to have no deal."""
        if self._dealless is None:
            self._dealless = has_no_deals(self.policy, self.contact)
        return self._dealless

    def deals(self) -> DealSummary | Missing:
        """What the contact's deals say; nothing to read where HubSpot counts none (`num_associated_deals`)."""
        if self._deals is None:
            if self.dealless:
                self._deals = NO_DEAL_AT_ALL
            elif self.contact.deals is None:
                return NO_DEALS
            else:
                self._deals = summarise(self.contact.deals, self.policy.deals)
        return self._deals

    def engagements(self) -> tuple[Engagement, ...] | Missing:
        """E-mails, calls and communications; nothing to read where neither contact nor reply was ever logged."""
        if self.contact.engagements is not None:
            return self.contact.engagements
        silent = self.policy.counts_replies and not self.properties.get("hs_sales_email_last_replied")
        return () if silent and self.never_contacted() else NO_ENGAGEMENTS

    def meetings(self) -> tuple[Engagement, ...] | Missing:
        """Meetings, past and to come; nothing to read where HubSpot knows of none (hubspot-api 4)."""
        if self.contact.meetings is not None:
            return self.contact.meetings
        get = self.properties.get
        if self.policy.counts_meetings:
            known = get("hs_latest_meeting_activity") or get("engagements_last_meeting_booked")
            return NO_MEETINGS if known else ()
        return () if self.never_contacted() else NO_MEETINGS

    def others_tasks(self) -> tuple[Engagement, ...] | Missing:
        """Open tasks that aren't hubsync's; cheap properties never tell of them for sure."""
        return self.contact.others_tasks if self.contact.others_tasks is not None else NO_TASKS

    def never_contacted(self) -> bool:
        """Whether HubSpot's counters say that no contact was ever logged."""
        get = self.properties.get
        return (
            self.policy.counts_contacts
            and not _positive(get("num_contacted_notes"))
            and not get("hs_first_outreach_date")
            and not get("notes_last_contacted")
        )


Answer = TypeVar("Answer")


def once(get: Callable[[View], Answer]) -> Callable[[View], Answer]:
    """A getter that is worked out once a view, however many rules ask: its answer stays until a change is decided."""

    @wraps(get)
    def answer(view: View) -> Answer:
        asked = view._asked  # the memory is the view's, and this is its one way in
        if get in asked:
            known: Answer = asked[get]
            return known
        asked[get] = found = get(view)
        return found

    return answer


def has_no_deals(policy: Policy, contact: Contact) -> bool:
    """Whether the contact is known to have no deal: none was read, or HubSpot counts none (`num_associated_deals`)."""
    if contact.deals is not None:
        return not contact.deals
    return policy.counts_deals and not _positive(contact.properties.get("num_associated_deals"))


def _positive(text: str | None) -> bool:
    if not text:
        return False
    try:
        return float(text) > 0
    except ValueError:
        return False
