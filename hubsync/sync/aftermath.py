"""The look after the write (design 5 "Writing"): was anything overwritten that nobody had seen?

Between the re-read of a contact and our write to it somebody may have written too. History tells, by position: the
entry directly below ours must be the one that was read. A person's value there is put back, once; another writer's is
decided on as if it had been seen in time. What people changed after us is logged as an override. Clocks are not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hubsync.errors import PortalTemporaryError
from hubsync.policy.changes import Cause, SetProperty
from hubsync.policy.contact import Contact, RawEntry
from hubsync.policy.gates import moves_backward
from hubsync.policy.instants import parse_instant
from hubsync.policy.invalid import hard_cell
from hubsync.policy.rules import Rule
from hubsync.policy.timeline import PERSON, writer
from hubsync.policy.view import Missing
from hubsync.portal.gateway import Gateway
from hubsync.portal.values import Update
from hubsync.portal.writing import same_value
from hubsync.store.store import Store
from hubsync.store.values import NewWrite, Override, Settlement, Write
from hubsync.sync.binding import BoundPortal
from hubsync.sync.book import BY_A_PERSON, key_of
from hubsync.sync.lease import PortalLease
from hubsync.sync.looking import Looker
from hubsync.sync.plan import Tally, change_row, finding_row
from hubsync.sync.position import app_behind, find, lies_where_meant, stamp, value, wrote_again
from hubsync.sync.standing import author, moment
from hubsync.sync.writing import LAST_ACTION, state_of

LOOKED_AT_ONCE = 500
"""Contacts: ten reads with history, 50 each."""
ROUNDS = 3
"""What is put back is looked at in its turn; somebody who is quicker three times in a row keeps what hubsync wrote."""
REPAIR = "repair"
RUNS_BACK = 50

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Lost:
    """A value that our write (`row`, now the newest entry) went over unseen. `entry` holds it, `kept` it and below."""

    row: Write
    entry: RawEntry
    kept: Sequence[RawEntry]
    by_person: bool
    above: str
    """Time stamp of our entry."""

    @property
    def value(self) -> str:
        """The value that was overwritten."""
        return value(self.entry)


@dataclass(frozen=True, slots=True)
class Repair:
    """What is to be written in place of ours: the lost value itself, or what a rule (`by`) makes of it."""

    lost: Lost
    value: str
    by: SetProperty | None = None


class Aftermath:
    """Looks after the writes of one run, and after those of runs that were cut short before they could."""

    def __init__(
        self,
        gateway: Gateway,
        store: Store,
        portal: BoundPortal,
        lease: PortalLease,
        run: int,
        looker: Looker,
        tally: Tally,
    ) -> None:
        self.gateway = gateway
        self.store = store
        self.portal = portal
        self.lease = lease
        self.run = run
        self.looker = looker
        self.tally = tally
        self._app = next((p.app_id for p in store.portals() if p.id == portal.id), None)

    def catch_up(self) -> None:
        """Look after the runs that ended before their own look, back to the last one that was completed."""
        rows: list[Write] = []
        for run in self.store.runs(self.portal.id, RUNS_BACK):
            if run.id == self.run or run.kind != "sync":
                continue
            if run.state == "done":
                break
            rows += self.store.writes_of_run(self.portal.id, run.id)
        self._round(rows)

    def look(self, advance: Advance = lambda _n: None) -> None:
        """Look after this run's writes: ⌈contacts/50⌉ reads, and nothing more where nobody was quicker."""
        rows: Sequence[Write] = self.store.writes_of_run(self.portal.id, self.run)
        for _ in range(ROUNDS):
            rows = self._round(rows)
            advance(0)
            if not rows:
                return

    def _round(self, rows: Iterable[Write]) -> list[Write]:
        """Look after some rows; the rows written because of it."""
        written: list[Write] = []
        for batch in _batches(row for row in rows if _is_watched(row)):
            written += self._after(batch)
        return written

    def _after(self, rows: Sequence[Write]) -> list[Write]:
        names = sorted({*self.portal.policy.history, *(row.target for row in rows)})
        contacts = list(dict.fromkeys(row.contact for row in rows))
        found = self.gateway.read_contacts(contacts, self.portal.policy.properties, names).found
        self._learn_app(rows, found)
        lost: dict[str, list[Lost]] = {}
        overrides: list[Override] = []
        strangers: list[Settlement] = []
        moved: dict[int, str] = {}
        superseded: list[Lost] = []
        for row in rows:
            contact = found.get(row.contact)
            entries = (contact.history or {}).get(row.target, ()) if contact is not None else ()
            index = find(entries, row, self._app)
            if contact is None or contact.id != row.contact:
                continue  # deleted or merged away since
            if index is None:
                strangers += self._set_by_another(entries, row)
                continue
            index = self._last_try(entries, index, row)
            if index > 0 and self._is_by_person(entries[index - 1]):
                overrides.append(override_of(row, entries[index - 1]))
            if lies_where_meant(entries, index, row):
                continue
            seen = entries[index + 1 :]
            if index == 0 and seen and not same_value(row.after or "", value(seen[0])):
                one = Lost(row, seen[0], seen, self._is_by_person(seen[0]), stamp(entries, 0))
                lost.setdefault(row.contact, []).append(one)
            else:
                moved[row.id] = stamp(entries, index + 1)
                superseded += self._covered(entries, index, row)
        for one in superseded:
            self._tell(one, "another value came later, so it was not put back")
        with self.lease.transaction():
            self.store.log_overrides(self.portal.id, overrides)
            self.store.move_above(self.portal.id, moved)
            self.store.settle(self.portal.id, strangers)
        if not lost:
            return []
        mended = self._mend(self._repairs({id_: found[id_] for id_ in lost}, lost))
        with self.lease.transaction():  # only now: where a run ends before, the next one must find the loss again
            self.store.move_above(
                self.portal.id, {one.row.id: stamp(one.kept, 0) for some in lost.values() for one in some}
            )
        return mended

    def _covered(self, entries: Sequence[RawEntry], index: int, row: Write) -> Iterator[Lost]:
        """A person's value under ours, where by now something else than a person's choice lies above both."""
        seen = entries[index + 1 :]
        if index == 0 or not seen or same_value(row.after or "", value(seen[0])):
            return
        if self._is_by_person(seen[0]) and not self._is_by_person(entries[index - 1]):
            yield Lost(row, seen[0], seen, by_person=True, above=stamp(entries, index))

    def _last_try(self, entries: Sequence[RawEntry], index: int, row: Write) -> int:
        """Where our entry really ended: the newest, where an unanswered write was sent again over somebody's edit."""
        if index == 0 or not wrote_again(entries, row, self._app):
            return index
        rows = self.store.ledger_of(self.portal.id, [row.contact]).get(row.contact, ())
        known = any(r.id != row.id and r.target == row.target and lies_where_meant(entries, 0, r) for r in rows)
        return index if known else 0

    def _learn_app(self, rows: Sequence[Write], found: Mapping[str, Contact]) -> None:
        """Our app's number, from entries that lie just where ours were meant to lie (design 4)."""
        if self._app is not None:
            return
        ours = []
        for row in rows:
            contact = found.get(row.contact)
            entries = (contact.history or {}).get(row.target, ()) if contact is not None else ()
            index = find(entries, row, None)
            if index is not None and lies_where_meant(entries, index, row):
                ours.append(entries[index])
        self._app = app_behind(ours)
        if self._app is not None:
            with self.lease.transaction():
                self.store.remember_portal(self.portal.id, at=self.looker.now(), app_id=self._app)

    def _set_by_another(self, entries: Sequence[RawEntry], row: Write) -> Iterator[Settlement]:
        """Where somebody set the very value just before us, HubSpot noted no entry of ours: theirs stands."""
        for index, entry in enumerate(entries):
            if lies_where_meant(entries, index, row) and same_value(row.after or "", value(entry)):
                who = author(entry, self.portal)
                yield Settlement(row.id, "not_applied", self.looker.now(), note=f"{who} had just set the same value")
                return

    def _is_by_person(self, entry: RawEntry) -> bool:
        return writer(entry, self.portal.policy.writers) == PERSON

    # What to do about it -----------------------------------------------------------------------------------------

    def _repairs(self, contacts: dict[str, Contact], lost: dict[str, list[Lost]]) -> list[Repair]:
        """Decide on contacts as if the lost values had been seen; a person's is put back whatever the rules say."""

        def as_if(contact: Contact) -> Contact:
            ours = lost[contact.id]
            rows = {key_of(one.row) for one in ours}
            lies = {(one.row.target, one.row.after or "") for one in ours}
            return replace(
                contact,
                properties={**contact.properties, **{one.row.target: one.value or None for one in ours}},
                history={**(contact.history or {}), **{one.row.target: one.kept for one in ours}},
                spent=contact.spent - rows,
                ours=tuple(o for o in contact.ours if (o.property, o.value) not in lies),
            )

        repairs: list[Repair] = []
        for look in self.looker.again(list(contacts.values()), as_if):
            changes = {change.property: change for change in look.decision.changes}
            undecided = look.decision.waiting is not None
            hard = self._hard(look.contact)
            for one in lost[look.contact.id]:
                if one.by_person or not undecided or one.row.target in changes:
                    repair = self._repair(one, changes.get(one.row.target), hard)
                    repairs += [repair] if repair is not None else []
        return repairs

    def _hard(self, contact: Contact) -> frozenset[str]:
        """What a hard cell of the matrix would set on the contact."""
        rule = hard_cell(self.portal.policy, contact, self.looker.now())
        if isinstance(rule, Missing):
            deals = self.gateway.deals_of([contact.id]).get(contact.id, ())
            rule = hard_cell(self.portal.policy, replace(contact, deals=deals), self.looker.now())
        return frozenset(a.property for a in rule.sets) if isinstance(rule, Rule) else frozenset()

    def _repair(self, lost: Lost, change: SetProperty | None, hard: frozenset[str]) -> Repair | None:
        row = lost.row
        backward = moves_backward(self.portal.policy, row.target, row.after or "", lost.value)
        if lost.by_person and row.target in hard:
            self._tell(lost, "it doesn't fit the stage, so it was not put back")
        elif not lost.by_person and change is not None:
            return None if same_value(change.new, row.after or "") else Repair(lost, change.new, change)
        elif backward:
            self._tell(lost, "putting it back would move the stage backward, so it was not")
        else:
            return Repair(lost, lost.value)
        return None

    def _tell(self, lost: Lost, why: str) -> None:
        """Something that hubsync overwrote and can't give back: a finding, and a note on the row."""
        row = lost.row
        message = (
            f'{author(lost.entry, self.portal)} set {row.target} to "{lost.value}" '
            f'{moment(lost.entry, self.portal)}, and run {row.run} wrote "{row.after or ""}" over it unseen; {why}.'
        )
        self.tally.findings.append(finding_row(row, message))
        with self.lease.transaction():
            self.store.annotate(self.portal.id, {row.id: message})
            if lost.by_person:
                self.store.log_overrides(self.portal.id, [override_of(row, lost.entry)])

    def _mend(self, repairs: Sequence[Repair]) -> list[Write]:
        """Record, send, settle: one update per contact; the rows written. Raises where HubSpot gave no answer."""
        if not repairs:
            return []
        now = self.looker.now()
        portal = self.portal.id
        with self.lease.transaction():
            planned = self.store.plan_writes(portal, self.run, [self._row(repair, now) for repair in repairs])
            fresh = {entry.id: repair for entry, repair in zip(planned, repairs, strict=True) if entry.fresh}
            self.store.mark_sent(portal, list(fresh), now)
        by_contact: dict[str, dict[int, Repair]] = {}
        for id_, repair in fresh.items():
            by_contact.setdefault(repair.lost.row.contact, {})[id_] = repair
        updates = [
            Update(contact, self._values(list(some.values())), trace=f"{self.run}-{min(some)}")
            for contact, some in by_contact.items()
        ]
        results: list[Settlement] = []
        mended: list[Settlement] = []
        overrides: list[Override] = []
        for outcome in self.gateway.update_contacts(updates):
            state = state_of(outcome)
            for id_, repair in by_contact[outcome.id].items():
                self.tally.changes.append(change_row(outcome.id, self._change(repair, now), state or "uncertain"))
                if state is not None:
                    results.append(Settlement(id_, state, now, answer=outcome.answer or None))
                if state == "applied":
                    who = author(repair.lost.entry, self.portal)
                    note = f"{who} had just set another value: {'put back' if repair.by is None else 'decided anew'}"
                    mended.append(Settlement(repair.lost.row.id, "overridden", now, note=note))
                elif state is not None:
                    self._tell(repair.lost, f"HubSpot would not have it put back: {outcome.answer}")
                if repair.lost.by_person:
                    overrides.append(override_of(repair.lost.row, repair.lost.entry))
        with self.lease.transaction():
            self.store.settle(portal, [*results, *mended])
            self.store.log_overrides(portal, overrides)
        if len(results) < len(fresh):
            raise PortalTemporaryError(
                "HubSpot gave no answer when values that others had set were to be put back; the next run finds out."
            )
        return [w for w in self.store.writes_of_run(portal, self.run) if w.id in fresh]

    def _row(self, repair: Repair, now: datetime) -> NewWrite:
        change, row = self._change(repair, now), repair.lost.row
        return NewWrite(
            contact=row.contact,
            kind="undo" if repair.by is None else "set",
            rule=change.rule,
            playbook=change.playbook,
            cause_key=change.cause.key,
            cause_kind=change.cause.kind,
            cause_at=change.cause.at,
            cause_id=change.cause.id,
            target=row.target,
            before=row.after,
            after=repair.value or None,
            below=repair.lost.above,
            effective_at=change.cause.at if repair.by is not None else None,
            rules_digest=self.portal.policy.digest,
        )

    def _change(self, repair: Repair, now: datetime) -> SetProperty:
        row = repair.lost.row
        if repair.by is not None:
            return replace(repair.by, old=row.after or "")
        cause = Cause(REPAIR, now, f"{REPAIR}:{row.id}", str(row.id))
        says = f"{author(repair.lost.entry, self.portal)} had set it {moment(repair.lost.entry, self.portal)}."
        return SetProperty(row.target, row.after or "", repair.value, row.rule, row.playbook, cause, says)

    def _values(self, repairs: Sequence[Repair]) -> dict[str, str]:
        values = {repair.lost.row.target: repair.value for repair in repairs}
        if LAST_ACTION in self.portal.definitions:
            names = ", ".join(self.portal.definitions[name].label for name in values)
            change = self._change(repairs[-1], self.looker.now())
            what = f"{names} put back: " if repairs[-1].by is None else ""
            values[LAST_ACTION] = f"{what}{change.says} ({change.playbook})"
        return values


def override_of(row: Write, entry: RawEntry) -> Override:
    """The record that somebody's choice (`entry`) stands against what `row` wrote."""
    return Override(
        contact=row.contact,
        rule=row.rule,
        property=row.target,
        at=parse_instant(str(entry["timestamp"])),
        by=":".join(str(part) for part in (entry.get("sourceType"), entry.get("sourceId")) if part),
        before=row.after,
        after=value(entry) or None,
        cause_key=row.cause_key,
        write=row.id,
    )


def _is_watched(row: Write) -> bool:
    """Values that a rule wrote, and those that were put back; not what an administrator or an undo asked for."""
    by_rule = row.kind == "set" and row.cause_kind != BY_A_PERSON
    return row.state == "applied" and (by_rule or (row.kind == "undo" and row.cause_kind == REPAIR))


def _batches(rows: Iterable[Write]) -> Iterator[list[Write]]:
    """Rows in batches of so many contacts, a contact's rows together."""
    contacts: dict[str, list[Write]] = {}
    for row in rows:
        contacts.setdefault(row.contact, []).append(row)
    groups = list(contacts.values())
    for start in range(0, len(groups), LOOKED_AT_ONCE):
        yield [row for group in groups[start : start + LOOKED_AT_ONCE] for row in group]
