"""Setting the Lead status of many contacts at once: planned, guarded, then written through the outbox (playbook G4).

What an administrator asks for is a person's decision: it is written whatever the rules would choose, counts as a
person's choice afterwards, and never replaces what another person wrote after the plan was made. A run can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hubsync.policy.contact import Contact, RawEntry
from hubsync.policy.timeline import INTEGRATION, PERSON, writer
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.portal.values import Outcome, Update
from hubsync.store.store import Store
from hubsync.store.values import NewWrite, RunState, Settlement, Write, WriteState
from hubsync.sync.binding import BoundPortal
from hubsync.sync.book import BY_A_PERSON
from hubsync.sync.bulk_pick import Asked, Dropped, Picked, Picker, Setting, batches
from hubsync.sync.guard import Limits
from hubsync.sync.lease import PortalLease
from hubsync.sync.pacing import refuse_frozen
from hubsync.sync.plan import Row
from hubsync.sync.reconcile import Session
from hubsync.sync.recovery import recover, settle_values
from hubsync.sync.spool import Spool
from hubsync.sync.standing import author, moment
from hubsync.sync.writing import BATCH, LAST_ACTION

RULE, PLAYBOOK = "set_status", "G4"
KIND = "set-status"
"""The kind of the run."""
LOOKED_AT_ONCE = 500
GOOD_STATES = frozenset({"planned", "applied"})
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class BulkChange:
    """One property of one contact: planned, applied, not_applied, refused, uncertain, skipped or held.

    `warning` says what doesn't fit with the new status, or why it was not written.
    """

    contact: str
    setting: Setting
    state: str
    warning: str

    def row(self) -> Row:
        """As JSON has it; null stands for empty."""
        return {
            "contact": self.contact,
            "property": self.setting.property,
            "from": self.setting.old or None,
            "to": self.setting.new or None,
            "state": self.state,
            "warning": self.warning or None,
        }


@dataclass(slots=True)
class Bulk:
    """What a bulk change comes to, or came to. `run` is None where nothing was written; `already`: as asked before."""

    run: int | None = None
    contacts: int = 0
    in_scope: int = 0
    already: int = 0
    overwrote: int = 0
    """Values of people that were written over unseen, between the last read and the write; each is named."""
    changes: list[BulkChange] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing was refused, skipped or held, and nobody's value written over unseen."""
        return not self.overwrote and all(c.state in GOOD_STATES for c in self.changes)

    def states(self) -> dict[str, int]:
        """How many changes ended in each state."""
        found: dict[str, int] = {}
        for change in self.changes:
            found[change.state] = found.get(change.state, 0) + 1
        return found

    def note(self, picked: Picked, state: str, why: str = "") -> None:
        """Record what becomes of a contact's changes."""
        told = why or picked.warning
        self.changes += [BulkChange(picked.contact.id, setting, state, told) for setting in picked.settings]


def plan_bulk(session: Session, asked: Asked, advance: Advance = lambda _n: None) -> Bulk:
    """What would change; nothing is written. Raises SettingsError for a list that can't be carried out as a whole."""
    bulk = Bulk()
    picker = Picker(session, asked)
    for picked in _changing(picker, bulk, advance):
        bulk.note(picked, "planned")
    bulk.contacts, bulk.in_scope = picker.looked, picker.in_scope
    return bulk


def write_bulk(
    session: Session, store: Store, asked: Asked, limits: Limits, advance: Advance = lambda _n: None
) -> Bulk:
    """Plan, pass the guard, write. Nothing to do makes no run.

    Raises SettingsError as `plan_bulk`, UnsafePlan before the first write where too much would change, StoreError where
    another run is writing to the portal. A KeyboardInterrupt passes through with a text that says how far it came.
    """
    portal = session.portal
    with PortalLease(store, portal.id, f"hubsync {KIND} --write") as lease, Spool[Picked]() as spool:
        started = session.portal_now()
        refuse_frozen(session.pace, started)
        store.close_dead_runs(portal.id, started)
        recover(session.gateway, store, portal.id, started, fence=lease.transaction)
        bulk = Bulk()
        picker = Picker(session, asked)
        for picked in _changing(picker, bulk, advance):
            spool.append(picked)
        bulk.contacts, bulk.in_scope = picker.looked, picker.in_scope
        limits.refuse_too_much(spool.count, _base(store, portal.id, bulk), 0)
        if not spool.count:
            return bulk
        store.remember_portal(portal.id, at=started, time_zone=portal.account.time_zone)
        bulk.run = store.start_run(portal.id, KIND, _args(asked), portal.policy.digest, started, epoch=lease.epoch)
        state: RunState = "failed"
        try:
            _Writer(session, store, lease, picker, bulk, started).write_all(spool)
            state = "done"
        except KeyboardInterrupt as stop:
            state = "interrupted"
            raise KeyboardInterrupt(_how_far(bulk, spool.count)) from stop
        finally:
            with lease.transaction():
                counts = _counts(bulk, everything=asked.listed is None)
                store.finish_run(portal.id, bulk.run, state, counts, session.portal_now())
    return bulk


def _changing(picker: Picker, bulk: Bulk, advance: Advance) -> Iterator[Picked]:
    """The contacts to be changed; the others are counted or noted."""
    for page in picker.all(advance):
        for picked in page:
            if _is_to_change(picked, bulk):
                yield picked


def _is_to_change(picked: Picked, bulk: Bulk) -> bool:
    if picked.held:
        bulk.note(picked, "held")
    elif not picked.settings:
        bulk.already += 1
    else:
        return True
    return False


def _base(store: Store, portal: int, bulk: Bulk) -> int:
    """Contacts in scope for the guard: as counted now, or by the last run that looked at all of them."""
    known = next((r.counts.get("in_scope", 0) for r in store.runs(portal, 200) if r.counts.get("all")), 0)
    return max(known, bulk.in_scope)


def _args(asked: Asked) -> dict[str, Any]:
    return {
        "status": None if asked.listed is not None else asked.value,
        "where": list(asked.texts),
        "from": asked.listed.file if asked.listed is not None else None,
        "reason": asked.reason,
    }


def _counts(bulk: Bulk, *, everything: bool) -> dict[str, int]:
    return {
        "contacts": bulk.contacts,
        "in_scope": bulk.in_scope,
        "already": bulk.already,
        "all": int(everything),
        **{f"changes_{state}": count for state, count in bulk.states().items()},
    }


def _how_far(bulk: Bulk, planned: int) -> str:
    written = sum(c.state == "applied" and c.setting.property == STATUS for c in bulk.changes)
    return (
        f"Stopped. Run {bulk.run} had set {written:,} of {planned:,} contacts. The same command goes on with the rest: "
        f"what is set already is left alone. To take back what was written: hubsync undo {bulk.run}"
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One change on its way, with its row in the ledger."""

    picked: Picked
    setting: Setting
    id: int


class _Writer:
    """Writes one bulk change. Used once."""

    def __init__(
        self, session: Session, store: Store, lease: PortalLease, picker: Picker, bulk: Bulk, started: datetime
    ) -> None:
        self.session = session
        self.portal = session.portal
        self.store = store
        self.lease = lease
        self.picker = picker
        self.bulk = bulk
        self.run = bulk.run or 0
        self.started = started
        self._uncertain: list[_Row] = []

    def write_all(self, spool: Spool[Picked]) -> None:
        """Write everything planned, 100 contacts at a time, each batch as it is just before."""
        for batch in batches(spool, BATCH):
            picked, dropped = self.picker.again(batch)
            self._leave(dropped)
            self._write([p for p in picked if _is_to_change(p, self.bulk)])
        self._find_out()
        self._look_after()

    def _leave(self, dropped: Sequence[Dropped]) -> None:
        for one in dropped:
            self.bulk.note(one.picked, "skipped", one.why)

    def _write(self, picked: Sequence[Picked]) -> None:
        """Record, send, settle: one update per contact."""
        if not picked:
            return
        rows = self._record(picked)
        updates = [
            Update(some[0].picked.contact.id, self._values(some), trace=f"{self.run}-{some[0].id}")
            for some in rows.values()
        ]
        with self.lease.transaction():
            sent = [row.id for some in rows.values() for row in some]
            self.store.mark_sent(self.portal.id, sent, self.session.portal_now())
        results: list[Settlement] = []
        for outcome in self.session.gateway.update_contacts(updates):
            results += self._settled(outcome, rows[outcome.id])
        with self.lease.transaction():
            self.store.settle(self.portal.id, results)

    def _record(self, picked: Sequence[Picked]) -> dict[str, list[_Row]]:
        """Rows in the ledger, by contact; the key holds the run's number, so that none is held by another run."""
        wanted = [(one, setting) for one in picked for setting in one.settings]
        with self.lease.transaction():
            planned = self.store.plan_writes(self.portal.id, self.run, [self._new_write(o, s) for o, s in wanted])
        rows: dict[str, list[_Row]] = {}
        for (one, setting), entry in zip(wanted, planned, strict=True):
            rows.setdefault(one.contact.id, []).append(_Row(one, setting, entry.id))
        return rows

    def _new_write(self, picked: Picked, setting: Setting) -> NewWrite:
        contact = picked.contact
        entries = (contact.history or {}).get(setting.property, ())
        facts = {STATUS: contact.properties.get(STATUS), STAGE: contact.properties.get(STAGE)}
        return NewWrite(
            contact=contact.id,
            kind="set",
            rule=RULE,
            playbook=PLAYBOOK,
            cause_key=f"{BY_A_PERSON}:{self.run}",
            cause_kind=BY_A_PERSON,
            cause_at=self.started,
            target=setting.property,
            before=setting.old or None,
            after=setting.new or None,
            below=str(entries[0]["timestamp"]) if entries else "",
            facts=facts | ({"reason": picked.reason} if picked.reason else {}),
            rules_digest=self.portal.policy.digest,
            note=picked.reason or None,
        )

    def _values(self, rows: Sequence[_Row]) -> dict[str, str]:
        """What goes into one contact's update: the changes, and a line for the record itself (G2)."""
        values = {row.setting.property: row.setting.new for row in rows}
        if LAST_ACTION in self.portal.definitions:
            values[LAST_ACTION] = self._last_action(values[STATUS], rows[0].picked.reason)
        return values

    def _last_action(self, value: str, reason: str) -> str:
        policy = self.portal.policy
        label = next((o.label for o in self.portal.definitions[STATUS].options if o.value == value), value or "None")
        day = self.started.astimezone(policy.zone)
        why = f" because of {reason}" if reason else ""
        return f"{label}: set for many contacts at once{why} ({day.day} {day:%B %Y}, {PLAYBOOK})"

    def _settled(self, outcome: Outcome, rows: Sequence[_Row]) -> list[Settlement]:
        """What became of a contact's rows; where no answer came, nothing yet."""
        state: WriteState
        match outcome.state:
            case "uncertain":
                self._uncertain += rows
                return []
            case "gone":
                state = "refused"
            case "applied" | "not_applied" | "refused":
                state = outcome.state
        for row in rows:
            self._tell(row, state, "" if state == "applied" else outcome.answer)
        now = self.session.portal_now()
        return [Settlement(row.id, state, now, answer=outcome.answer or None) for row in rows]

    def _find_out(self) -> None:
        """Ask HubSpot what became of writes that no answer came to: history shows them or it doesn't."""
        rows = {row.id: row for row in self._uncertain}
        if not rows:
            return
        sent = [w for w in self.store.writes_of_run(self.portal.id, self.run) if w.id in rows]
        results = list(settle_values(self.session.gateway, sent, self.session.portal_now()))
        with self.lease.transaction():
            self.store.settle(self.portal.id, results)
        for result in results:
            applied = result.state == "applied"
            self._tell(rows[result.id], result.state, "" if applied else "HubSpot gave no answer, and shows no change")

    def _look_after(self) -> None:
        """Name what people wrote in the instant between the last read and the write: ⌈contacts/50⌉ calls."""
        rows = [w for w in self.store.writes_of_run(self.portal.id, self.run) if w.state == "applied"]
        names = sorted({w.target for w in rows})
        over: dict[tuple[str, str], str] = {}
        for start in range(0, len(rows), LOOKED_AT_ONCE):
            part = rows[start : start + LOOKED_AT_ONCE]
            found = self.session.gateway.read_contacts({w.contact for w in part}, names, names).found
            for row in part:
                contact = found.get(row.contact)
                entry = written_over(row, contact, self.portal) if contact is not None else None
                if entry is not None:
                    who = f"{author(entry, self.portal)} {moment(entry, self.portal)}"
                    over[row.contact, row.target] = (
                        f'"{entry.get("value") or ""}", set by {who}, was written over unseen'
                    )
        self.bulk.overwrote = len(over)
        self.bulk.changes = [
            replace(c, warning=f"{over[c.contact, c.setting.property]}. {c.warning}".strip())
            if (c.contact, c.setting.property) in over
            else c
            for c in self.bulk.changes
        ]

    def _tell(self, row: _Row, state: str, why: str) -> None:
        told = why or row.picked.warning
        self.bulk.changes.append(BulkChange(row.picked.contact.id, row.setting, state, told))


def written_over(row: Write, contact: Contact, portal: BoundPortal) -> RawEntry | None:
    """A person's entry that lies between ours and the one it was to lie above. Positions decide, not clocks."""
    beneath: list[RawEntry] = []
    for entry in (contact.history or {}).get(row.target, ()):
        if str(entry["timestamp"]) == row.below:
            break
        beneath.append(entry)
    ours = next((n for n, e in enumerate(beneath) if _may_be_ours(e, row, portal)), len(beneath))
    return next((e for e in beneath[ours + 1 :] if writer(e, portal.policy.writers) == PERSON), None)


def _may_be_ours(entry: RawEntry, row: Write, portal: BoundPortal) -> bool:
    return (entry.get("value") or "") == (row.after or "") and writer(entry, portal.policy.writers) == INTEGRATION
