"""What people and machines do to the contacts of a portal, drawn from a seed: nothing here looks at what hubsync wrote.

Steady contacts walk forward through the funnel, each rule's cause at most once: where they end doesn't hang on when
hubsync looked. Wild ones are set, cleared, moved back, deleted and dealt with at random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from hubsync.sandbox import Portal, acts
from hubsync.sandbox.population.story import STATUSES
from hubsync.sandbox.times import from_ms

STATUS, STAGE = "hs_lead_status", "lifecyclestage"
STAGES = ("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer")
REPS = 20
SET_BY = (STATUS, STAGE, "hubsync_review_date", "hubsync_reason")
"""The properties that hubsync's rules set."""
LOSSES = ("No budget this year", "Went with a competitor", "Not a fit for them", "")


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody does something to the contact of this number. `what` is a method of World."""

    contact: int
    what: str
    value: str = ""


class World:
    """The portal's contacts by number, their deals, and how each act is done there. `at` is when."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.reps = [portal.directory.add_owner(f"rep{n}@example.com", f"Rep{n}", "Sales").id for n in range(REPS)]
        self.contacts: list[str] = []
        self.deals: dict[int, str] = {}

    def create(self, source: str, stage: str, status: str, *, owned: bool, at: datetime) -> None:
        """A contact comes into being."""
        given = {STAGE: stage, STATUS: status, "hubspot_owner_id": self.rep(len(self.contacts)) if owned else ""}
        values = {name: value for name, value in given.items() if value}
        self.contacts.append(acts.create_contact(self.portal, values, source=source, user=self.reps[0], at=at))  # type: ignore[arg-type]

    def rep(self, number: int) -> str:
        """Whose contact this is."""
        return self.reps[number % len(self.reps)]

    def do(self, act: Act, at: datetime) -> datetime:
        """Let it happen, at `at` or as soon after it as the clock and the contact's history allow: when it was.

        To a contact that is deleted nothing happens.
        """
        with self.portal.lock:
            at = max(at, self.portal.clock.now())
            if act.what == "born":
                self.born(act, at)
                return at
            contact = self.portal.tables["contacts"].records.get(self.contacts[act.contact])
            if contact is None or (contact.archived_at is not None and act.what != "restored"):
                return at
            at = max(at, from_ms(contact.updated))
            getattr(self, act.what)(act, contact.id, self.rep(act.contact), at)
            return at

    def born(self, act: Act, at: datetime) -> None:
        """A contact comes into being, with the next number; the value says how: source,stage,status,owned."""
        assert act.contact == len(self.contacts)
        source, stage, status, owned = act.value.split(",")
        self.create(source, stage, status, owned=bool(owned), at=at)

    def status(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The rep sets the Lead status."""
        acts.person_sets(self.portal, contact, STATUS, act.value, rep, at=at)

    def stage(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The rep sets the Lifecycle stage."""
        acts.person_sets(self.portal, contact, STAGE, act.value, rep, at=at)

    def workflow_status(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """A workflow sets the Lead status."""
        acts.workflow_sets(self.portal, contact, STATUS, act.value, at=at)

    def workflow_stage(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """A workflow sets the Lifecycle stage."""
        acts.workflow_sets(self.portal, contact, STAGE, act.value, at=at)

    def app_status(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """Another app sets the Lead status."""
        acts.integration_sets(self.portal, contact, STATUS, act.value, at=at)

    def cleared_and_set(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """Another app clears the Lifecycle stage and sets it."""
        acts.clear_then_set(self.portal, contact, STAGE, act.value, gap=0.5, at=at)

    def mail(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The rep writes."""
        acts.rep_sends_email(self.portal, contact, rep, by_sequence=act.value == "sequence", at=at)

    def call(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The rep calls."""
        acts.rep_calls(self.portal, contact, rep, at=at)

    def reply(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The lead replies, or their mailbox does."""
        answers = acts.lead_auto_replies if act.value == "auto" else acts.lead_replies
        answers(self.portal, contact, at=at)

    def meeting(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The lead books a meeting for tomorrow."""
        acts.book_meeting(self.portal, contact, rep, at + timedelta(days=1), at=at)

    def form(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The lead submits a form."""
        acts.submit_form(self.portal, contact, at=at)

    def merged(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The contact is merged into the one of another number, which has both numbers from then on."""
        into = self.portal.tables["contacts"].records.get(self.contacts[int(act.value)])
        if into is not None and into.archived_at is None and into.id != contact:
            at = max(at, from_ms(into.updated))
            survivor = acts.merge_contacts(self.portal, into.id, contact, at=at, new_id=act.contact % 2 == 1)
            self.contacts = [survivor if id_ in (contact, into.id) else id_ for id_ in self.contacts]

    def erased(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The contact is deleted for good, as the law allows them to ask."""
        acts.privacy_delete(self.portal, contact, at=at)

    def owner(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The contact is given to its rep, or taken away."""
        acts.assign_owner(self.portal, contact, rep if act.value else "", self.reps[0], at=at)

    def hold(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """Somebody says hands off, or takes it back."""
        acts.person_sets(self.portal, contact, "hubsync_hold", act.value, rep, at=at)

    def deal(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """A deal is opened, unless the contact has one."""
        if act.contact not in self.deals:
            self.deals[act.contact] = acts.create_deal(self.portal, contact, owner=rep, at=at)

    def won(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The deal is won."""
        if deal := self.deals.pop(act.contact, ""):
            acts.win_deal(self.portal, deal, at=at)

    def lost(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The deal is lost."""
        if deal := self.deals.pop(act.contact, ""):
            acts.lose_deal(self.portal, deal, act.value, at=at)

    def finished(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The rep completes the contact's tasks."""
        for task in self.portal.get("contacts", contact).linked("tasks"):
            if self.portal.tables["tasks"].records[task].archived_at is None:
                acts.complete_task(self.portal, task, rep, at=at)

    def deleted(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """The contact is deleted."""
        acts.delete_contact(self.portal, contact, rep, at=at)

    def restored(self, act: Act, contact: str, rep: str, at: datetime) -> None:
        """A deleted contact comes back."""
        if self.portal.tables["contacts"].records[contact].archived_at is not None:
            acts.restore_contact(self.portal, contact, at=at)


def steady(number: int, rng: Random) -> list[Act]:
    """A walk forward through the funnel, some steps left out, ended anywhere.

    No deal without a Lead status that the rep set before: A7 is about contacts with a status, so that for the others
    the end would hang on whether hubsync had looked, and written one, before the deal was opened.
    """
    steps: list[tuple[str, str]] = [
        ("workflow_stage", "marketingqualifiedlead"),
        ("mail", rng.choice(("", "sequence"))),
        ("status", "CONNECTED"),
        rng.choice((("status", "QUALIFIED"), ("stage", "salesqualifiedlead"))),
        ("deal", ""),
        rng.choice((("won", ""), ("lost", rng.choice(LOSSES)))),
    ]
    kept = [step for step in steps if rng.random() < 0.75]
    if not any(what == "status" for what, _ in kept):
        kept = [step for step in kept if step[0] not in {"deal", "won", "lost"}]
    return [Act(number, *step) for step in kept[: rng.randint(0, len(kept))]]


def wild(number: int, rng: Random) -> Act:
    """Anything."""
    draw: Callable[[], tuple[str, str]] = rng.choice(
        (
            lambda: ("status", rng.choice(("", *STATUSES.values()))),
            lambda: ("status", rng.choice(("NEW", "QUALIFIED", "CONNECTED"))),
            lambda: ("stage", rng.choice(STAGES)),
            lambda: ("workflow_status", rng.choice(("", "NEW", "RECYCLED", "QUALIFIED"))),
            lambda: ("workflow_stage", rng.choice(STAGES[1:4])),
            lambda: ("app_status", rng.choice(("NEW", "NURTURE", "IN_PROGRESS"))),
            lambda: ("cleared_and_set", rng.choice(STAGES[1:5])),
            lambda: ("mail", ""),
            lambda: ("call", ""),
            lambda: ("owner", rng.choice(("", "yes", "yes"))),
            lambda: ("hold", rng.choice(("", "true"))),
            lambda: ("deal", ""),
            lambda: ("won", ""),
            lambda: ("lost", rng.choice(LOSSES)),
            lambda: ("finished", ""),
            lambda: ("deleted", ""),
            lambda: ("restored", ""),
        )
    )
    return Act(number, *draw())
