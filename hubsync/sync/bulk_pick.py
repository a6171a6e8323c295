"""Which contacts a bulk change is about, and what it would do to each (playbook G4).

Reads and judges, writes nothing. Contacts stream through in pages; only those that the conditions may mean wait, a few
hundred at a time, for their history and for the dear facts a condition hangs on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hubsync.policy.conditions import Test
from hubsync.policy.contact import Contact
from hubsync.policy.rules import Rule, all_of, always
from hubsync.policy.timeline import PERSON, writer
from hubsync.policy.view import HISTORY, Missing, View
from hubsync.policy.vocabulary import STATUS
from hubsync.sync.book import Book, Dresser, NoBook
from hubsync.sync.bulk_list import Listed
from hubsync.sync.bulk_where import Where
from hubsync.sync.dear import fetch
from hubsync.sync.looking import WAITING_ROOM
from hubsync.sync.plan import Seen, seen_in
from hubsync.sync.reconcile import Session
from hubsync.sync.standing import author, moment

REASON = "hubsync_reason"
OWNER = "hubspot_owner_id"
HOLD = "hubsync_hold"
HELD_BACK = "hands off: hubsync_hold is set on the contact"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: a status, or an owner, for the contacts of which all conditions hold, or those of a list.

    `value` is HubSpot's, "" for none; a list names its own. `target` is the Lead status or OWNER.
    """

    value: str
    reason: str = ""
    where: Where | None = None
    texts: tuple[str, ...] = ()
    listed: Listed | None = None
    target: str = STATUS

    @property
    def kind(self) -> str:
        """What a run that does it is called."""
        return kind_of(self.target)

    def wanted(self, contact: str) -> tuple[str, str]:
        """The value a contact is to get, and why."""
        if self.listed is None:
            return self.value, self.reason
        entry = self.listed.entries[contact]
        return entry.value, entry.reason


@dataclass(frozen=True, slots=True)
class Setting:
    """One property to set; values are HubSpot's, "" for empty."""

    property: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Picked:
    """A contact that a bulk change is about. Without `settings` it is as asked already. `warning`: what won't fit."""

    contact: Contact
    settings: tuple[Setting, ...] = ()
    reason: str = ""
    warning: str = ""
    held: bool = False

    @property
    def seen(self) -> Seen:
        """The newest entries of the history it was judged by."""
        return seen_in(self.contact)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A contact that is not written after all, and why; `picked` as it was when planned."""

    picked: Picked
    why: str


@dataclass(slots=True)
class Picker:
    """Picks the contacts of one bulk change. Used once."""

    session: Session
    asked: Asked
    looked: int = 0
    in_scope: int = 0
    test: Test = field(init=False)
    names: tuple[str, ...] = field(init=False)
    history: tuple[str, ...] = field(init=False)
    dresser: Dresser = field(init=False)
    _judges: tuple[Rule, ...] = field(init=False)

    def __post_init__(self) -> None:
        session, policy = self.session, self.session.portal.policy
        where = self.asked.where
        extra = {HOLD, REASON, self.asked.target, *(where.asks if where is not None else ())} & set(
            session.portal.definitions
        )
        self.test = all_of(where.conditions) if where is not None else always
        self.names = tuple(sorted({*policy.properties, *extra}))
        self.history = tuple(sorted({*policy.history, STATUS, *(extra & {REASON, self.asked.target})}))
        store, now = session.store, session.portal_now()
        self.dresser = Book(store, session.portal.id, None, now=now) if store is not None else NoBook()
        self._judges = tuple(r for r in policy.rules if r.matrix or r.hard)

    def all(self, advance: Callable[[int], None]) -> Iterator[list[Picked]]:
        """Every contact the change is about. Raises SettingsError, at the end, where a list can't be carried out."""
        if self.asked.listed is None:
            yield from self._meeting(advance)
        else:
            yield from self._listed(self.asked.listed, advance)

    def _meeting(self, advance: Callable[[int], None]) -> Iterator[list[Picked]]:
        waiting: list[Contact] = []
        for page in self.session.gateway.all_contacts(self.names):
            self._count(page)
            waiting += [c for c in page if self.test(self._view(c)) != 0]
            while len(waiting) >= WAITING_ROOM:
                yield self._complete(waiting[:WAITING_ROOM])
                del waiting[:WAITING_ROOM]
            advance(len(page))
        if waiting:
            yield self._complete(waiting)

    def _listed(self, listed: Listed, advance: Callable[[int], None]) -> Iterator[list[Picked]]:
        entries = list(listed.entries.values())
        for start in range(0, len(entries), WAITING_ROOM):
            part = entries[start : start + WAITING_ROOM]
            read = self.session.gateway.read_contacts([e.contact for e in part], self.names, self.history).found
            for entry in part:
                found = read.get(entry.contact)
                if found is None:
                    listed.faults.append((entry.line, f"contact {entry.contact} is not in the portal"))
                elif found.id != entry.contact:
                    merged = f"contact {entry.contact} was merged into {found.id}; write that id"
                    listed.faults.append((entry.line, merged))
            usable = [c for id_, c in read.items() if c.id == id_]
            self._count(usable)
            advance(len(part))
            if not listed.faults:
                yield self._complete(self.dresser.dress(usable))
        listed.refuse_faults()

    def again(self, planned: Sequence[Picked]) -> tuple[list[Picked], list[Dropped]]:
        """The contacts as they are just before they are written, judged anew; and those that are left alone now.

        What a person wrote since stays; where anything else moved, the conditions decide again.
        """
        ids = [p.contact.id for p in planned]
        found = self.session.gateway.read_contacts(ids, self.names, self.history).found
        dropped: list[Dropped] = []
        fresh: list[Contact] = []
        for picked in planned:
            now = found.get(picked.contact.id)
            why = self._in_the_way(picked, now)
            if why or now is None:
                dropped.append(Dropped(picked, why))
            elif seen_in(now) == picked.seen:
                before = picked.contact
                fresh.append(
                    replace(
                        now,
                        deals=before.deals,
                        engagements=before.engagements,
                        meetings=before.meetings,
                        others_tasks=before.others_tasks,
                    )
                )
            else:
                fresh.append(now)
        picked_now = self._complete(self.dresser.dress(fresh))
        still = {p.contact.id for p in picked_now}
        left = {c.id for c in fresh} - still
        dropped += [
            Dropped(p, "the conditions don't hold any more: it changed just before")
            for p in planned
            if p.contact.id in left
        ]
        return picked_now, dropped

    def _in_the_way(self, picked: Picked, now: Contact | None) -> str:
        """Why a contact must not be written, as far as its history tells; "" for no reason."""
        if now is None:
            return "the contact was deleted just before"
        if now.id != picked.contact.id:
            return f"the contact was merged into {now.id} just before"
        portal = self.session.portal
        for setting in picked.settings:
            _, known = picked.seen.get(setting.property, ("", ""))
            for entry in (now.history or {}).get(setting.property, ()):
                if str(entry["timestamp"]) == known:
                    break
                if writer(entry, portal.policy.writers) == PERSON:
                    return f"changed by {author(entry, portal)} {moment(entry, portal)}, after the plan was made"
        return ""

    def _count(self, contacts: Sequence[Contact]) -> None:
        self.looked += len(contacts)
        self.in_scope += sum(self.session.portal.policy.in_scope(c) for c in contacts)

    def _view(self, contact: Contact) -> View:
        return View(self.session.portal.policy, contact, self.session.portal_now())

    def _complete(self, contacts: Sequence[Contact]) -> list[Picked]:
        """Fetch what is missing and judge again, until nothing is; contacts that vanish meanwhile are left out."""
        picked: list[Picked] = []
        waiting = list(contacts)
        while waiting:
            needs: dict[str, int] = {}
            for contact in waiting:
                verdict = self._judge(contact)
                if isinstance(verdict, Missing):
                    needs[contact.id] = verdict.mask
                elif verdict is not None:
                    picked.append(verdict)
            waiting = self._fetch([c for c in waiting if c.id in needs], needs) if needs else []
        return picked

    def _judge(self, contact: Contact) -> Picked | Missing | None:
        """What the change does to a contact; None where the conditions don't hold."""
        truth = self.test(self._view(contact))
        if truth == 0:
            return None
        missing = (-truth if truth < 0 else 0) | (HISTORY if contact.history is None else 0)
        if missing:
            return Missing(missing)
        name = self.asked.target
        value, reason = self.asked.wanted(contact.id)
        old = contact.properties.get(name) or ""
        if old == value:
            return Picked(contact)
        warning = self._warning(contact, value) if name == STATUS else ""
        if isinstance(warning, Missing):
            return warning
        settings = [Setting(name, old, value)]
        said = contact.properties.get(REASON) or ""
        option = reason_option(self.session, reason)
        if name == STATUS and option and option != said:
            settings.append(Setting(REASON, said, option))
        held = contact.properties.get(HOLD) == "true"
        return Picked(contact, tuple(settings), reason, HELD_BACK if held else warning, held)

    def _warning(self, contact: Contact, value: str) -> str | Missing:
        """Cells of the matrix and hard corrections that the contact would fall under in its new status, by name."""
        view = self._view(contact)
        view.write(STATUS, value, view.now)
        found: list[str] = []
        missing = 0
        for rule in self._judges:
            answer = rule.test(view)
            if answer < 0:
                missing |= -answer
            elif answer > 0:
                found.append(f"{rule.says} ({rule.playbook}, {rule.id})")
        return Missing(missing) if missing else " ".join(found)

    def _fetch(self, contacts: Sequence[Contact], needs: Mapping[str, int]) -> list[Contact]:
        """The contacts with what they lack; with a history comes what the ledger knows."""
        found = fetch(self.session.gateway, contacts, needs, self.names, self.history)
        return [
            *self.dresser.dress([c for c in found if needs[c.id] & HISTORY]),
            *(c for c in found if not needs[c.id] & HISTORY),
        ]


def kind_of(name: str) -> str:
    """What setting a property for many contacts is called: set-status, or set-owner."""
    return "set-owner" if name == OWNER else "set-status"


def reason_option(session: Session, reason: str) -> str:
    """The option of hubsync_reason that a reason names by value or label; "" where the portal has none."""
    definition = session.portal.definitions.get(REASON)
    word = reason.strip().casefold()
    if definition is None or not word:
        return ""
    return next((o.value for o in definition.options if word in {o.value.casefold(), o.label.casefold()}), "")


def batches(picked: Iterable[Picked], size: int) -> Iterator[list[Picked]]:
    """Contacts in batches."""
    batch: list[Picked] = []
    for one in picked:
        batch.append(one)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
