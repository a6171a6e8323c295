"""Setting the Lead status, or owner, of many contacts at once: planned, guarded, written through the outbox (G4).

What an administrator asks for is a person's decision: it is written whatever the rules would choose, counts as a
person's choice afterwards, and never replaces what another person wrote after the plan was made. A run can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hubsync.errors import UnsafePlan
from hubsync.policy.contact import Contact
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.portal.values import Outcome, Update
from hubsync.store.store import Store
from hubsync.store.values import NewWrite, RunState, Settlement, WriteState
from hubsync.sync.aftermath import Aftermath
from hubsync.sync.book import BY_A_PERSON, SET_STATUS
from hubsync.sync.bulk_pick import OWNER, Asked, Dropped, Picked, Picker, Setting, batches
from hubsync.sync.guard import Limits
from hubsync.sync.lease import PortalLease
from hubsync.sync.neighbours import admit_alone
from hubsync.sync.others import SAMPLE
from hubsync.sync.pacing import refuse_frozen
from hubsync.sync.pen import Pen
from hubsync.sync.plan import Row, Tally
from hubsync.sync.reconcile import Session
from hubsync.sync.recovery import known_app, recover, settle_values
from hubsync.sync.signing import LAST_ACTION, of_many, value_of
from hubsync.sync.spool import Spool
from hubsync.sync.writing import BATCH

RULE, PLAYBOOK = SET_STATUS, "G4"
GOOD_STATES = frozenset({"planned", "applied"})
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class BulkChange:
    """One property of one contact: planned, applied, not_applied, refused, uncertain, skipped, held or overridden.

    overridden: a person had set another value at that moment, which was put back. `warning` says what doesn't fit with
    the new status, or why it was not written.
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
    """Values written over unseen, between the last read and the write, that were not put back; each is named."""
    changes: list[BulkChange] = field(default_factory=list)
    chosen: int = 0
    """Contacts to be changed, as planned."""
    sample: list[Contact] = field(default_factory=list)
    """The first of them, with their histories."""

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


class BulkRefused(UnsafePlan):
    """The guard stopped a run before its first write; `bulk` is what it refused."""

    def __init__(self, message: str, bulk: Bulk) -> None:
        super().__init__(message)
        self.bulk = bulk


def plan_bulk(session: Session, asked: Asked, advance: Advance = lambda _n: None) -> Bulk:
    """What would change; nothing is written. Raises SettingsError for a list that can't be carried out as a whole."""
    bulk = Bulk()
    picker = Picker(session, asked)
    for picked in _changing(picker, bulk, advance):
        bulk.note(picked, "planned")
    bulk.contacts, bulk.in_scope = picker.looked, picker.in_scope
    return bulk


def write_bulk(
    session: Session,
    store: Store,
    asked: Asked,
    limits: Limits,
    advance: Advance = lambda _n: None,
    *,
    announce: Callable[[Bulk], None] = lambda _bulk: None,
) -> Bulk:
    """Plan, pass the guard, write. Nothing to do makes no run; `announce` gets the plan before the first write.

    Raises SettingsError as `plan_bulk`, UnsafePlan before the first write where too much would change, StoreError where
    another run is writing to the portal, or another hubsync did. A KeyboardInterrupt passes through with a text that
    says how far it came.
    """
    portal = session.portal
    with PortalLease(store, portal.id, f"hubsync {asked.kind} --write") as lease, Spool[Picked]() as spool:
        started = session.portal_now()
        refuse_frozen(session.pace, started)
        store.close_dead_runs(portal.id, started)
        recover(session.gateway, store, portal.id, started, fence=lease.transaction)
        admit_alone(session, store, lease, started)
        bulk = Bulk()
        picker = Picker(session, asked)
        for picked in _changing(picker, bulk, advance):
            spool.append(picked)
        bulk.contacts, bulk.in_scope = picker.looked, picker.in_scope
        _pass_guard(limits, _base(store, portal.id, bulk), bulk, spool)
        if not spool.count:
            return bulk
        announce(bulk)
        store.remember_portal(
            portal.id, at=started, time_zone=portal.account.time_zone, ui_domain=portal.account.ui_domain
        )
        bulk.run = store.start_run(
            portal.id, asked.kind, _args(asked), portal.policy.digest, started, epoch=lease.epoch
        )
        state: RunState = "failed"
        try:
            pen = Pen(session.gateway, store, portal, lease, bulk.run, session.portal_now)
            _Writer(pen, picker, bulk, started).write_all(spool)
            state = "done"
        except KeyboardInterrupt as stop:
            state = "interrupted"
            raise KeyboardInterrupt(_how_far(bulk, asked.target, spool.count)) from stop
        finally:
            with lease.transaction():
                counts = _counts(bulk, everything=asked.listed is None)
                store.finish_run(portal.id, bulk.run, state, counts, session.portal_now())
    return bulk


def _pass_guard(limits: Limits, base: int, bulk: Bulk, spool: Spool[Picked]) -> None:
    """Raise BulkRefused where the guard stops the run: with all that it would write, as a preview lists it."""
    try:
        limits.refuse_too_much(spool.count, base, 0)
    except UnsafePlan as stop:
        for picked in spool:
            bulk.note(picked, "planned")
        raise BulkRefused(str(stop), bulk) from stop


def _changing(picker: Picker, bulk: Bulk, advance: Advance) -> Iterator[Picked]:
    """The contacts to be changed; the others are counted or noted."""
    for page in picker.all(advance):
        for picked in page:
            if _is_to_change(picked, bulk):
                bulk.chosen += 1
                if len(bulk.sample) < SAMPLE:
                    bulk.sample.append(picked.contact)
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


def _how_far(bulk: Bulk, name: str, planned: int) -> str:
    written = sum(c.state == "applied" and c.setting.property == name for c in bulk.changes)
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

    def __init__(self, pen: Pen, picker: Picker, bulk: Bulk, started: datetime) -> None:
        self.pen = pen
        self.picker = picker
        self.bulk = bulk
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
            Update(some[0].picked.contact.id, self._values(some), trace=f"{self.pen.run}-{some[0].id}")
            for some in rows.values()
        ]
        with self.pen.lease.transaction():
            sent = [row.id for some in rows.values() for row in some]
            self.pen.store.mark_sent(self.pen.portal.id, sent, self.pen.now())
        results: list[Settlement] = []
        for outcome in self.pen.gateway.update_contacts(updates):
            results += self._settled(outcome, rows[outcome.id])
        with self.pen.lease.transaction():
            self.pen.store.settle(self.pen.portal.id, results)

    def _record(self, picked: Sequence[Picked]) -> dict[str, list[_Row]]:
        """Rows in the ledger, by contact; the key holds the run's number, so that none is held by another run."""
        wanted = [(one, setting) for one in picked for setting in one.settings]
        with self.pen.lease.transaction():
            planned = self.pen.store.plan_writes(
                self.pen.portal.id, self.pen.run, [self._new_write(o, s) for o, s in wanted]
            )
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
            cause_key=f"{BY_A_PERSON}:{self.pen.run}",
            cause_kind=BY_A_PERSON,
            cause_at=self.started,
            target=setting.property,
            before=setting.old or None,
            after=setting.new or None,
            below=str(entries[0]["timestamp"]) if entries else "",
            facts=facts | ({"reason": picked.reason} if picked.reason else {}),
            rules_digest=self.pen.portal.policy.digest,
            note=picked.reason or None,
        )

    def _values(self, rows: Sequence[_Row]) -> dict[str, str]:
        """What goes into one contact's update: the changes, and a line for the record itself (G2)."""
        values = {row.setting.property: row.setting.new for row in rows}
        if LAST_ACTION in self.pen.portal.definitions:
            name = self.picker.asked.target
            what = value_of(self.pen.portal, name, values[name], owner=name == OWNER)
            values[LAST_ACTION] = of_many(self.pen.portal, what, rows[0].picked.reason, self.started, PLAYBOOK)
        return values

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
        now = self.pen.now()
        return [Settlement(row.id, state, now, answer=outcome.answer or None) for row in rows]

    def _find_out(self) -> None:
        """Ask HubSpot what became of writes that no answer came to: history shows them or it doesn't."""
        rows = {row.id: row for row in self._uncertain}
        if not rows:
            return
        sent = [w for w in self.pen.store.writes_of_run(self.pen.portal.id, self.pen.run) if w.id in rows]
        results = list(
            settle_values(self.pen.gateway, sent, self.pen.now(), known_app(self.pen.store, self.pen.portal.id))
        )
        with self.pen.lease.transaction():
            self.pen.store.settle(self.pen.portal.id, results)
        for result in results:
            applied = result.state == "applied"
            self._tell(rows[result.id], result.state, "" if applied else "HubSpot gave no answer, and shows no change")

    def _look_after(self) -> None:
        """What was written in the instant between the last read and the write: a person's is put back, all is named."""
        tally = Tally()
        Aftermath(self.pen, tally).look()
        told = {(f["contact"], f["property"]): str(f["message"]) for f in tally.findings}
        rows = self.pen.store.writes_of_run(self.pen.portal.id, self.pen.run)
        back = {(w.contact, w.target): w.note or "" for w in rows if w.kind == "set" and w.state == "overridden"}
        self.bulk.overwrote = len(told)
        for number, change in enumerate(self.bulk.changes):
            key = (change.contact, change.setting.property)
            happened = told.get(key) or back.get(key)
            if happened and change.state == "applied":
                state = "overridden" if key in back else change.state
                self.bulk.changes[number] = replace(change, state=state, warning=f"{happened} {change.warning}".strip())

    def _tell(self, row: _Row, state: str, why: str) -> None:
        told = why or row.picked.warning
        self.bulk.changes.append(BulkChange(row.picked.contact.id, row.setting, state, told))
