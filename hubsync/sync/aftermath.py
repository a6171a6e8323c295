"""The look after the write (design 5 "Writing"): was anything overwritten that nobody had seen?

Between the re-read of a contact and our write to it somebody may have written too. History tells, by position: the
entry directly below ours must be the one that was read. A person's value there is put back, once; another writer's is
decided on as if it had been seen in time. What people changed after us is logged as an override. Clocks are not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from hubsync.policy.contact import Contact, RawEntry
from hubsync.policy.timeline import PERSON, writer
from hubsync.portal.writing import same_value
from hubsync.store.values import FORMER, Override, Settlement, Write
from hubsync.sync.looking import Looker
from hubsync.sync.mending import Lost, Mender, override_of
from hubsync.sync.pen import Pen
from hubsync.sync.plan import Tally
from hubsync.sync.position import app_behind, find, lies_where_meant, stamp, value, wrote_again
from hubsync.sync.recovery import known_app
from hubsync.sync.standing import author

LOOKED_AT_ONCE = 500
"""Contacts: ten reads with history, 50 each."""
ROUNDS = 3
"""What is put back is looked at in its turn; somebody who is quicker three times in a row keeps what hubsync wrote."""
RUNS_BACK = 50
SYNC = "sync"
SERVE = "serve"
LOOKED_AFTER = frozenset({SYNC, SERVE, "backlog", "set-status", "set-owner", "undo"})
"""Kinds of runs that look after their writes, and after which a sync looks where they could not."""

Advance = Callable[[int], None]


class Aftermath:
    """Looks after the writes of one run, and after those of runs that were cut short before they could.

    Without a looker no rule is asked: for runs that write what somebody asked for.
    """

    def __init__(self, pen: Pen, tally: Tally, looker: Looker | None = None) -> None:
        self.pen = pen
        self.mender = Mender(pen, tally, looker)
        self._app = known_app(pen.store, pen.portal.id)

    def catch_up(self) -> None:
        """Look after the runs that ended before their own look, back to the last sync that was completed."""
        rows: list[Write] = []
        for run in self.pen.store.runs(self.pen.portal.id, RUNS_BACK):
            if run.id == self.pen.run or run.kind not in LOOKED_AFTER:
                continue
            if run.state != "done":
                rows += self.pen.store.writes_of_run(self.pen.portal.id, run.id)
            elif run.kind in {SYNC, SERVE}:
                break  # it looked after its own writes, and at its beginning after all before it
        self._round(rows)

    def look(self, advance: Advance = lambda _n: None) -> None:
        """Look after this run's writes: ⌈contacts/50⌉ reads, and nothing more where nobody was quicker."""
        self.after(self.pen.store.writes_of_run(self.pen.portal.id, self.pen.run), advance)

    def after(self, rows: Sequence[Write], advance: Advance = lambda _n: None) -> None:
        """Look after these rows of the run, and after those that are written because of it."""
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
        names = sorted({*self.pen.portal.policy.history, *(row.target for row in rows)})
        contacts = list(dict.fromkeys(row.contact for row in rows))
        found = self.pen.gateway.read_contacts(contacts, self.pen.portal.policy.properties, names).found
        return self.check(rows, found)

    def check(self, rows: Sequence[Write], found: Mapping[str, Contact]) -> list[Write]:
        """Look after rows by contacts as just read, with the history of what was written; the rows written for it."""
        rows = [row for row in rows if _is_watched(row)]
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
            self.mender.tell(one, "another value came later, so it was not put back")
        with self.pen.lease.transaction():
            self.pen.store.log_overrides(self.pen.portal.id, overrides)
            self.pen.store.move_above(self.pen.portal.id, moved)
            self.pen.store.settle(self.pen.portal.id, strangers)
        if not lost:
            return []
        mended = self.mender.mend({id_: found[id_] for id_ in lost}, lost)
        with self.pen.lease.transaction():  # only now: where a run ends before, the next one must find the loss again
            self.pen.store.move_above(
                self.pen.portal.id, {one.row.id: stamp(one.kept, 0) for some in lost.values() for one in some}
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
        rows = self.pen.store.ledger_of(self.pen.portal.id, [row.contact]).get(row.contact, ())
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
            with self.pen.lease.transaction():
                self.pen.store.remember_portal(self.pen.portal.id, at=self.pen.now(), app_id=self._app)

    def _set_by_another(self, entries: Sequence[RawEntry], row: Write) -> Iterator[Settlement]:
        """Where somebody set the very value just before us, HubSpot noted no entry of ours: theirs stands."""
        for index, entry in enumerate(entries):
            if lies_where_meant(entries, index, row) and same_value(row.after or "", value(entry)):
                who = author(entry, self.pen.portal)
                yield Settlement(row.id, "not_applied", self.pen.now(), note=f"{who} had just set the same value")
                return

    def _is_by_person(self, entry: RawEntry) -> bool:
        return writer(entry, self.pen.portal.policy.writers) == PERSON


def _is_watched(row: Write) -> bool:
    """Values that were written, by a rule or because somebody asked; not a proposal's withdrawal or a task.

    Nor what was written to a contact that was merged away since: its history went with it.
    """
    return row.state == "applied" and row.kind in {"set", "undo"} and FORMER not in (row.note or "")


def _batches(rows: Iterable[Write]) -> Iterator[list[Write]]:
    """Rows in batches of so many contacts, a contact's rows together."""
    contacts: dict[str, list[Write]] = {}
    for row in rows:
        contacts.setdefault(row.contact, []).append(row)
    groups = list(contacts.values())
    for start in range(0, len(groups), LOOKED_AT_ONCE):
        yield [row for group in groups[start : start + LOOKED_AT_ONCE] for row in group]
