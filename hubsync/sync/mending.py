"""What to do about a value that hubsync wrote over unseen: put it back, decide anew, or tell (design 5 "Writing").

A person's value is put back, once, unless it doesn't fit or the stage would move backward. Over another writer's a rule
decides as if it had been seen in time; what an administrator or an undo asked for stays, and the other is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hubsync.errors import PortalTemporaryError
from hubsync.policy.changes import Cause, SetProperty
from hubsync.policy.contact import Contact, RawEntry
from hubsync.policy.gates import moves_backward
from hubsync.policy.instants import parse_instant
from hubsync.policy.invalid import hard_cell
from hubsync.policy.rules import Rule
from hubsync.policy.view import Missing
from hubsync.portal.values import Outcome, Update
from hubsync.portal.writing import same_value
from hubsync.store.values import NewWrite, Override, Settlement, Write
from hubsync.sync.book import BY_A_PERSON, REPAIR, SET_STATUS, UNDO, key_of
from hubsync.sync.looking import Look, Looker
from hubsync.sync.pen import Pen
from hubsync.sync.plan import Tally, change_row, finding_row
from hubsync.sync.position import value
from hubsync.sync.signing import LAST_ACTION, had_set, of_repair
from hubsync.sync.standing import author, moment
from hubsync.sync.writing import state_of


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


class Mender:
    """Mends what one run, or one that was cut short before, wrote over. Without a looker no rule is asked."""

    def __init__(self, pen: Pen, tally: Tally, looker: Looker | None = None) -> None:
        self.pen = pen
        self.tally = tally
        self.looker = looker

    def mend(self, contacts: Mapping[str, Contact], lost: Mapping[str, Sequence[Lost]]) -> list[Write]:
        """Mend, and tell what can't be; the rows written. `contacts` as read after the write, with their histories.

        Raises PortalTemporaryError where HubSpot gave no answer: the next run finds out.
        """
        decided = self._decided(contacts, lost)
        repairs: list[Repair] = []
        for id_, contact in contacts.items():
            look = decided.get(id_)
            if look is None and any(self._asks_rules(one.row) for one in lost[id_]):
                continue  # vanished since
            seen = look.contact if look is not None else _as_if(contact, lost[id_])
            hard = self._hard(seen)
            changes = {c.property: c for c in look.decision.changes} if look is not None else {}
            undecided = look is not None and look.decision.waiting is not None
            for one in lost[id_]:
                change = changes.get(one.row.target) if self._asks_rules(one.row) else None
                if one.by_person or not undecided or change is not None:
                    repair = self._repair(one, change, hard)
                    repairs += [repair] if repair is not None else []
        return self._write(repairs)

    def _asks_rules(self, row: Write) -> bool:
        return self.looker is not None and not is_asked_for(row)

    def _decided(self, contacts: Mapping[str, Contact], lost: Mapping[str, Sequence[Lost]]) -> dict[str, Look]:
        """Decide on contacts that rules wrote to as if the lost values had been seen."""
        asking = [c for c in contacts.values() if any(self._asks_rules(one.row) for one in lost[c.id])]
        if self.looker is None or not asking:
            return {}
        return {look.contact.id: look for look in self.looker.again(asking, lambda c: _as_if(c, lost[c.id]))}

    def tell(self, lost: Lost, why: str) -> None:
        """Something that hubsync overwrote and can't give back: a finding, and a note on the row."""
        row, portal = lost.row, self.pen.portal
        message = (
            f'{author(lost.entry, portal)} set {row.target} to "{lost.value}" '
            f'{moment(lost.entry, portal)}, and run {row.run} wrote "{row.after or ""}" over it unseen; {why}.'
        )
        self.tally.findings.append(finding_row(row, message))
        with self.pen.lease.transaction():
            self.pen.store.annotate(portal.id, {row.id: message})
            if lost.by_person:
                self.pen.store.log_overrides(portal.id, [override_of(row, lost.entry)])

    def _hard(self, contact: Contact) -> frozenset[str]:
        """What a hard cell of the matrix would set on the contact."""
        policy, now = self.pen.portal.policy, self.pen.now()
        rule = hard_cell(policy, contact, now)
        if isinstance(rule, Missing):
            deals = self.pen.gateway.deals_of([contact.id]).get(contact.id, ())
            rule = hard_cell(policy, replace(contact, deals=deals), now)
        return frozenset(a.property for a in rule.sets) if isinstance(rule, Rule) else frozenset()

    def _repair(self, lost: Lost, change: SetProperty | None, hard: frozenset[str]) -> Repair | None:
        row = lost.row
        if not lost.by_person and not self._asks_rules(row):
            self.tell(lost, "what was asked for stays")
        elif not lost.by_person and change is not None:
            return None if same_value(change.new, row.after or "") else Repair(lost, change.new, change)
        elif lost.by_person and row.target in hard:
            self.tell(lost, "it doesn't fit the stage, so it was not put back")
        elif moves_backward(self.pen.portal.policy, row.target, row.after or "", lost.value):
            self.tell(lost, "putting it back would move the stage backward, so it was not")
        else:
            return Repair(lost, lost.value)
        return None

    def _write(self, repairs: Sequence[Repair]) -> list[Write]:
        """Record, send, settle: one update per contact; the rows written."""
        if not repairs:
            return []
        pen, now, portal = self.pen, self.pen.now(), self.pen.portal.id
        with pen.lease.transaction():
            planned = pen.store.plan_writes(portal, pen.run, [self._row(repair, now) for repair in repairs])
            fresh = {entry.id: repair for entry, repair in zip(planned, repairs, strict=True) if entry.fresh}
            pen.store.mark_sent(portal, list(fresh), now)
        by_contact: dict[str, dict[int, Repair]] = {}
        for id_, repair in fresh.items():
            by_contact.setdefault(repair.lost.row.contact, {})[id_] = repair
        updates = [
            Update(contact, self._values(list(some.values())), trace=f"{pen.run}-{min(some)}")
            for contact, some in by_contact.items()
        ]
        results: list[Settlement] = []
        for outcome in pen.gateway.update_contacts(updates):
            for id_, repair in by_contact[outcome.id].items():
                results += self._settled(id_, repair, outcome, now)
        with pen.lease.transaction():
            pen.store.settle(portal, results)
            pen.store.log_overrides(
                portal, [override_of(r.lost.row, r.lost.entry) for r in fresh.values() if r.lost.by_person]
            )
        if not {r.id for r in results} >= set(fresh):
            raise PortalTemporaryError(
                "HubSpot gave no answer when values that others had set were to be put back; the next run finds out."
            )
        return [w for w in pen.store.writes_of_run(portal, pen.run) if w.id in fresh]

    def _settled(self, id_: int, repair: Repair, outcome: Outcome, now: datetime) -> Iterator[Settlement]:
        """What became of a repair: of its own row, and of the row that it takes the place of."""
        state = state_of(outcome)
        self.tally.changes.append(change_row(outcome.id, self._change(repair, now), state or "uncertain"))
        if state is None:
            return
        yield Settlement(id_, state, now, answer=outcome.answer or None)
        if state == "applied":
            who = author(repair.lost.entry, self.pen.portal)
            note = f"{who} had just set another value: {'put back' if repair.by is None else 'decided anew'}"
            yield Settlement(repair.lost.row.id, "overridden", now, note=note)
        else:
            self.tell(repair.lost, f"HubSpot would not have it put back: {outcome.answer}")

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
            rules_digest=self.pen.portal.policy.digest,
        )

    def _change(self, repair: Repair, now: datetime) -> SetProperty:
        row, portal = repair.lost.row, self.pen.portal
        if repair.by is not None:
            return replace(repair.by, old=row.after or "")
        cause = Cause(REPAIR, now, f"{REPAIR}:{row.id}", str(row.id))
        entry = repair.lost.entry
        says = had_set(portal, author(entry, portal, portal.policy.say), parse_instant(str(entry["timestamp"])))
        return SetProperty(row.target, row.after or "", repair.value, row.rule, row.playbook, cause, says)

    def _values(self, repairs: Sequence[Repair]) -> dict[str, str]:
        values = {repair.lost.row.target: repair.value for repair in repairs}
        if LAST_ACTION in self.pen.portal.definitions:
            change, put_back = self._change(repairs[-1], self.pen.now()), repairs[-1].by is None
            values[LAST_ACTION] = of_repair(self.pen.portal, [*values], change, put_back=put_back)
        return values


def is_asked_for(row: Write) -> bool:
    """Whether an administrator or an undo asked for it, so that no rule is asked again. What put such back is too."""
    return row.cause_kind in {BY_A_PERSON, UNDO} or row.rule == SET_STATUS


def override_of(row: Write, entry: RawEntry) -> Override:
    """The record that somebody's choice (`entry`) stands against what `row` wrote. An undo's is no rule's."""
    return Override(
        contact=row.contact,
        rule=UNDO if row.cause_kind == UNDO else row.rule,
        property=row.target,
        at=parse_instant(str(entry["timestamp"])),
        by=":".join(str(part) for part in (entry.get("sourceType"), entry.get("sourceId")) if part),
        before=row.after,
        after=value(entry) or None,
        cause_key=row.cause_key,
        write=row.id,
    )


def _as_if(contact: Contact, lost: Sequence[Lost]) -> Contact:
    """The contact as if the lost values had never been written over."""
    rows = {key_of(one.row) for one in lost}
    lies = {(one.row.target, one.row.after or "") for one in lost}
    return replace(
        contact,
        properties={**contact.properties, **{one.row.target: one.value or None for one in lost}},
        history={**(contact.history or {}), **{one.row.target: one.kept for one in lost}},
        spent=contact.spent - rows,
        ours=tuple(o for o in contact.ours if (o.property, o.value) not in lies),
    )
