"""The ledger and the outbox in one table: every write, recorded before its call, and what became of it.

A cause fires once: the key (portal, contact, rule, cause_key, target) is unique among the rows that aren't `refused` or
`not_applied`; what a purge leaves of a key (fading.py) holds it too. Rows are never deleted here, and their states only
move forward.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Column, Connection, bindparam, func, or_, select, update
from sqlalchemy.sql import Executable

from hubsync.store import fading
from hubsync.store.runs import dead
from hubsync.store.sql import ROWS_PER_STATEMENT, chunked, insert_into
from hubsync.store.tables import HOLDS_KEY, IS_OPEN, LEDGER_KEY, faded, override, write
from hubsync.store.tables import run as run_table
from hubsync.store.tombstones import ever_buried
from hubsync.store.values import (
    FORMER,
    FREE_STATES,
    NewWrite,
    Override,
    Planned,
    Settlement,
    Write,
    WriteState,
)

_LABELS = {"contact_id": "contact", "run_id": "run"}
_BY_NAME = {_LABELS.get(column.name, column.name): column for column in write.c}
COLUMNS = tuple(_BY_NAME[name].label(name) for name in Write.__dataclass_fields__)
"""In the order of `Write`'s fields."""
OVERRIDE_COLUMNS = tuple(
    override.c[name]
    for name in ("contact_id", "rule", "property", "at", "by", "before", "after", "cause_key", "write_id")
)
_KEY = ("contact", "rule", "cause_key", "target")

_LEADS_TO: dict[WriteState, frozenset[WriteState]] = {
    "planned": frozenset({"applied", "not_applied", "refused", "superseded"}),
    "sent": frozenset({"applied", "not_applied", "refused", "superseded"}),
    "applied": frozenset({"not_applied", "overridden", "undone"}),
}
COMPLETED = "completed"
"""The note of a task that a person completed; `closed_at` is when they did."""
PURGED = Planned(0, False, "superseded")
"""The answer where the row that held the key was purged: its cause is spent, and that is all that is known."""
_AFTERTHOUGHTS: frozenset[WriteState] = frozenset({"overridden", "undone"})
"""States that come long after HubSpot's answer and leave its time alone."""


def plan(tx: Connection, portal: int, run: int, rows: Sequence[NewWrite]) -> tuple[Planned, ...]:
    """Inserts what may be inserted; see Store.plan_writes."""
    spent = fading.among(tx, portal, rows)
    gone = ever_buried(tx, portal, [row.contact for row in rows])  # erased while somebody was looking at them
    inserted = _insert(tx, portal, run, [r for r in rows if _key(r) not in spent and r.contact not in gone])
    done: list[Planned | None] = []
    for row in rows:  # of equal keys the first took the row
        id_ = inserted.pop(_key(row), None)
        done.append(None if id_ is None else Planned(id_, True, row.state))
    if None not in done:
        return tuple(answer for answer in done if answer is not None)
    held = _holders(tx, portal, [row for row, answer in zip(rows, done, strict=True) if answer is None])
    return tuple(answer or held.get(_key(row), PURGED) for row, answer in zip(rows, done, strict=True))


def mark_sent(tx: Connection, portal: int, ids: Collection[int], at: datetime) -> None:
    """planned → sent."""
    for chunk in chunked(ids):
        statement = update(write).where(write.c.portal_id == portal, write.c.id.in_(chunk), write.c.state == "planned")
        tx.execute(statement.values(state="sent", sent_at=at))


def settle(tx: Connection, portal: int, results: Sequence[Settlement]) -> tuple[int, ...]:
    """Records outcomes; see Store.settle."""
    states: dict[int, WriteState] = {}
    for chunk in chunked(result.id for result in results):
        found = select(write.c.id, write.c.state).where(write.c.portal_id == portal, write.c.id.in_(chunk))
        states.update((id_, state) for id_, state in tx.execute(found.with_for_update()))
    left, changes = [], []
    for result in results:
        before = states.get(result.id)
        if before is None or result.state not in _LEADS_TO.get(before, ()):
            left.append(result.id)
            continue
        states[result.id] = result.state
        changes.append(
            {
                "id_": result.id,
                "state": result.state,
                "answer_": result.answer,
                "object_": result.object_id,
                "note_": result.note,
                "at_": None if result.state in _AFTERTHOUGHTS else result.at,
            }
        )
    if changes:
        tx.execute(_SETTLE, changes)
    return tuple(left)


_SETTLE = (
    update(write)
    .where(write.c.id == bindparam("id_"))
    .values(
        state=bindparam("state"),
        answer=func.coalesce(bindparam("answer_", type_=write.c.answer.type), write.c.answer),
        object_id=func.coalesce(bindparam("object_", type_=write.c.object_id.type), write.c.object_id),
        note=func.coalesce(bindparam("note_", type_=write.c.note.type), write.c.note),
        answered_at=func.coalesce(bindparam("at_", type_=write.c.answered_at.type), write.c.answered_at),
    )
)


def annotate(tx: Connection, portal: int, notes: Mapping[int, str]) -> None:
    """Replaces the notes of rows; their states stay."""
    for id_, note in notes.items():
        tx.execute(update(write).where(write.c.portal_id == portal, write.c.id == id_).values(note=note))


def move_above(tx: Connection, portal: int, below: Mapping[int, str]) -> None:
    """Notes above which entry of the history rows really lie."""
    for id_, stamp in below.items():
        tx.execute(update(write).where(write.c.portal_id == portal, write.c.id == id_).values(below=stamp))


def close_tasks(tx: Connection, portal: int, closed: Mapping[int, datetime], note: str | None) -> None:
    """Notes since when tasks are no longer open; the first time it was found stays."""
    if closed:
        mine = (write.c.id == bindparam("id_"), write.c.portal_id == portal, write.c.kind == "task")
        statement = update(write).where(*mine, write.c.closed_at.is_(None))
        statement = statement.values(closed_at=bindparam("at_"), note=func.coalesce(note, write.c.note))
        tx.execute(statement, [{"id_": id_, "at_": at} for id_, at in closed.items()])


def unsettled(tx: Connection, portal: int) -> tuple[Write, ...]:
    """Open rows of dead runs."""
    dead_runs = select(run_table.c.id).where(run_table.c.portal_id == portal, dead(tx, portal))
    statement = select(*COLUMNS).where(write.c.portal_id == portal, IS_OPEN, write.c.run_id.in_(dead_runs))
    return tuple(_read(tx, statement.order_by(write.c.id)))


def of_contacts(tx: Connection, portal: int, contacts: Collection[str]) -> dict[str, tuple[Write, ...]]:
    """Rows by contact."""
    found: defaultdict[str, list[Write]] = defaultdict(list)
    for chunk in chunked(contacts):
        statement = select(*COLUMNS).where(write.c.portal_id == portal, write.c.contact_id.in_(chunk))
        for row in _read(tx, statement.order_by(write.c.id)):
            found[row.contact].append(row)
    return {contact: tuple(rows) for contact, rows in found.items()}


def of_run(tx: Connection, portal: int, run: int) -> tuple[Write, ...]:
    """Rows of a run."""
    statement = select(*COLUMNS).where(write.c.portal_id == portal, write.c.run_id == run)
    return tuple(_read(tx, statement.order_by(write.c.id)))


def open_tasks(tx: Connection, portal: int, contacts: Collection[str]) -> dict[str, tuple[Write, ...]]:
    """Tasks that may still be open, by contact."""
    found: defaultdict[str, list[Write]] = defaultdict(list)
    for chunk in chunked(contacts):
        statement = select(*COLUMNS).where(
            write.c.portal_id == portal,
            write.c.contact_id.in_(chunk),
            write.c.kind == "task",
            write.c.state.in_(("planned", "sent", "applied")),
            write.c.closed_at.is_(None),
        )
        for row in _read(tx, statement.order_by(write.c.id)):
            found[row.contact].append(row)
    return {contact: tuple(rows) for contact, rows in found.items()}


def tasks_since(tx: Connection, portal: int, since: datetime) -> tuple[Write, ...]:
    """Tasks created, or perhaps created, since a moment, oldest first. Older runs are passed over by their end."""
    late = or_(run_table.c.finished_at.is_(None), run_table.c.finished_at >= since)
    late_runs = select(run_table.c.id).where(run_table.c.portal_id == portal, late)
    statement = select(*COLUMNS).where(
        write.c.portal_id == portal,
        write.c.run_id.in_(late_runs),
        write.c.kind == "task",
        write.c.state.not_in(FREE_STATES),
        write.c.sent_at >= since,
    )
    return tuple(_read(tx, statement.order_by(write.c.id)))


def log_overrides(tx: Connection, portal: int, rows: Sequence[Override]) -> None:
    """Inserts what isn't logged yet."""
    statement = insert_into(tx, override).on_conflict_do_nothing(
        index_elements=[override.c.portal_id, override.c.contact_id, override.c.property, override.c.at]
    )
    gone = ever_buried(tx, portal, [row.contact for row in rows])
    values = []
    for row in (row for row in rows if row.contact not in gone):
        fields = asdict(row)
        values.append(
            {"portal_id": portal, "contact_id": fields.pop("contact"), "write_id": fields.pop("write"), **fields}
        )
    if values:
        tx.execute(statement, values)


def overrides(tx: Connection, portal: int, since: datetime | None) -> tuple[Override, ...]:
    """Logged overrides."""
    c = override.c
    statement = select(*OVERRIDE_COLUMNS).where(c.portal_id == portal).order_by(c.at, c.contact_id, c.property)
    if since is not None:
        statement = statement.where(c.at >= since)
    return tuple(Override(*row) for row in tx.execute(statement))


def rename_rule(tx: Connection, portal: int, old: str, new: str) -> None:
    """Ledger and overrides of a rule go over to its new id."""
    _rekey(tx, portal, write.c.rule, old, new)
    fading.rename(tx, portal, faded.c.rule, old, new)
    tx.execute(update(override).where(override.c.portal_id == portal, override.c.rule == old).values(rule=new))


def rename_contact(tx: Connection, portal: int, old: str, new: str) -> None:
    """The ledger of a contact goes over to the one it was merged into; values that were written to it say so."""
    note = func.coalesce(write.c.note + "; ", "") + f"{FORMER}{old}"
    mine = (write.c.portal_id == portal, write.c.contact_id == old)
    values = (write.c.kind.in_(("set", "undo")), write.c.state == "applied")
    tx.execute(update(write).where(*mine, *values).values(note=note))
    _rekey(tx, portal, write.c.contact_id, old, new)
    fading.rename(tx, portal, faded.c.contact_id, old, new)


def _rekey(tx: Connection, portal: int, column: Column[str], old: str, new: str) -> None:
    """Moves rows to another key, except those whose new key is held: these stay where they are, as history."""
    holder = write.alias("holder")
    same = [holder.c[part.name] == part for part in LEDGER_KEY if part.name != column.name]
    taken = (
        select(holder.c.id)
        .where(*same, holder.c[column.name] == new, holder.c.state.not_in(FREE_STATES))
        .correlate(write)
        .exists()
    )
    statement = update(write).where(write.c.portal_id == portal, column == old)
    tx.execute(statement.where(or_(write.c.state.in_(FREE_STATES), ~taken)).values({column.name: new}))


def _insert(tx: Connection, portal: int, run: int, rows: Sequence[NewWrite]) -> dict[tuple[str, ...], int]:
    statement = (
        insert_into(tx, write)
        .on_conflict_do_nothing(index_elements=LEDGER_KEY, index_where=HOLDS_KEY)
        .returning(write.c.contact_id, write.c.rule, write.c.cause_key, write.c.target, write.c.id)
    )
    inserted: dict[tuple[str, ...], int] = {}
    for chunk in chunked(rows, ROWS_PER_STATEMENT):
        values = [_values(portal, run, row) for row in chunk]
        inserted.update((tuple(key), id_) for *key, id_ in tx.execute(statement, values))
    return inserted


def _values(portal: int, run: int, row: NewWrite) -> dict[str, object]:
    return {
        "portal_id": portal,
        "run_id": run,
        "contact_id": row.contact,
        "facts": dict(row.facts),
        **{name: getattr(row, name) for name in _COPIED},
    }


_COPIED = tuple(name for name in NewWrite.__dataclass_fields__ if name not in {"contact", "facts"})


def _holders(tx: Connection, portal: int, rows: Sequence[NewWrite]) -> dict[tuple[str, ...], Planned]:
    """The rows that hold the keys of these contacts."""
    held: dict[tuple[str, ...], Planned] = {}
    for chunk in chunked({row.contact for row in rows}):
        columns = (write.c.contact_id, write.c.rule, write.c.cause_key, write.c.target, write.c.id, write.c.state)
        statement = select(*columns).where(write.c.portal_id == portal, write.c.contact_id.in_(chunk), HOLDS_KEY)
        held.update((tuple(key), Planned(id_, False, state)) for *key, id_, state in tx.execute(statement))
    return held


def _key(row: NewWrite) -> tuple[str, ...]:
    return (row.contact, row.rule, row.cause_key, row.target)


def _read(tx: Connection, statement: Executable) -> Iterable[Write]:
    return (Write(*row) for row in tx.execute(statement))
