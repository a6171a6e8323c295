"""What must hold after any weather: the portal's journal and histories against hubsync's ledger.

The journal is the portal's own and knows nothing of hubsync; each check gives one line for every breach it finds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from hubsync.sandbox.journal import Write as PortalWrite
from hubsync.sandbox.records import Entry, Record
from hubsync.sandbox.times import from_ms, to_ms
from hubsync.store.values import Write
from tests.chaos.arena import Arena
from tests.chaos.lives import SET_BY, STAGE, STAGES, STATUS

PERSON = "CRM_UI"
A_MINUTE = timedelta(minutes=1)
ON_ITS_WAY = timedelta(seconds=2)
"""So long may pass between the look before a write and the write itself."""
HAPPENED = frozenset(("applied", "undone", "overridden"))
UNRECORDED = frozenset(("", "hubsync_last_action"))
"""Creations and deletions, and the line of text that goes with a change: no rows of the ledger."""
ONE_RUN = 60_000
"""Milliseconds on the portal's clock: a run is over by then, and the next begins minutes later."""
VALUES = frozenset(("set", "undo"))
HARD = frozenset(("converted_is_locked",))
REFERENCE = re.compile(r"\[hubsync ([A-Z2-7]{10})\]")


def breaches(arena: Arena) -> list[str]:
    """Everything that doesn't hold, one line each. Of contacts that were erased for good nothing is asked here."""
    ledger = [row for row in arena.ledger() if not arena.is_gone(row.contact)]
    return [
        *(f"row {r.id} was never settled: {told(r)}" for r in ledger if is_left_open(arena, r)),
        *writes_differ(arena, ledger),
        *tasks_differ(arena, ledger),
        *fired_twice(ledger),
        *edits_lost(arena, ledger),
        *left_wrong(arena.audit()),
    ]


def writes_differ(arena: Arena, ledger: list[Write]) -> Iterator[str]:
    """Each value that hubsync really changed has one row that says applied, and each such row one change. A write that
    was sent again because its answer was lost counts once, whatever happened between the two tries; where the portal's
    clock is in a hurry these may be as far apart as two writes, so that they may count twice.
    """
    journal: Counter[tuple[str, str, str]] = Counter()
    again: Counter[tuple[str, str, str]] = Counter()
    last: dict[tuple[str, str], tuple[str, int]] = {}
    for w in arena.portal.journal.writes:
        ours = w.kind == "contacts" and w.source == arena.portal.app_source and w.property not in UNRECORDED
        if ours and not arena.is_gone(w.id):
            before, at = last.get((w.id, w.property), ("", -ONE_RUN * arena.haste))
            repeated = before == w.after and w.at - at < ONE_RUN * arena.haste
            (again if repeated else journal)[arena.portal.survivor(w.id), w.property, w.after] += 1
            last[w.id, w.property] = (w.after, w.at)
    values = _values(arena)
    written = [r for r in ledger if r.kind in VALUES and r.state in HAPPENED and not outrun(arena, r, values)]
    rows = Counter((arena.portal.survivor(r.contact), r.target, r.after or "") for r in written)
    for key in sorted(journal.keys() | rows.keys()):
        most = journal[key] + (again[key] if arena.haste > 1 else 0)
        if not journal[key] <= rows[key] <= most:
            about = [told(r) for r in ledger if (arena.portal.survivor(r.contact), r.target) == key[:2]]
            yield f"{key}: written {most} times, {rows[key]} in the ledger: {about} {history(arena, *key[:2])}"


def is_left_open(arena: Arena, row: Write) -> bool:
    """Whether nobody found out what became of a write. Of a task that can be its contact's, in the recycle bin."""
    waits = row.kind == "task" and row.state == "sent" and arena.is_deleted(row.contact)
    return row.state in ("planned", "sent") and not waits


def outrun(arena: Arena, row: Write, values: Mapping[tuple[str, str], list[PortalWrite]]) -> bool:
    """Whether somebody was just ahead: what was asked for is so, and was never written.

    A person set the very value while it was on its way, or the portal itself moved the stage beyond it.
    """
    if row.sent_at is None:
        return False
    writes = values.get((arena.portal.survivor(row.contact), row.target), [])
    near = [w for w in writes if abs(from_ms(w.at) - row.sent_at) < A_MINUTE * arena.haste]
    ours = arena.portal.app_source
    if any(w.after == row.after and w.source == ours for w in near):
        return False
    if any(w.after == row.after and abs(from_ms(w.at) - row.sent_at) < ON_ITS_WAY * arena.haste for w in near):
        return True
    later = STAGES[STAGES.index(row.after) + 1 :] if row.target == STAGE and row.after in STAGES else ()
    return any(w.after in later and w.source.type == "DEALS" for w in near)


def _values(arena: Arena) -> Mapping[tuple[str, str], list[PortalWrite]]:
    """By contact, or by the one that it was merged into, and property: every write."""
    found: dict[tuple[str, str], list[PortalWrite]] = {}
    for write in arena.portal.journal.writes:
        if write.kind == "contacts":
            found.setdefault((arena.portal.survivor(write.id), write.property), []).append(write)
    return found


def tasks_differ(arena: Arena, ledger: list[Write]) -> Iterator[str]:
    """Each task that hubsync made has one row with its number, and no task was made twice."""
    ours = arena.portal.app_source
    made = {w.id for w in arena.portal.journal.writes if (w.kind, w.after, w.source) == ("tasks", "created", ours)}
    rows = Counter(r.object_id for r in ledger if r.kind == "task" and r.state in HAPPENED)
    records = [arena.portal.tables["tasks"].records[id_] for id_ in sorted(made)]
    waiting = {r.ref for r in ledger if r.kind == "task" and r.state == "sent"}
    erased = {record.id for record in records if not record.linked("contacts")}
    erased |= {r.id for r in records if (m := REFERENCE.search(r.values.get("hs_task_body", ""))) and m[1] in waiting}
    yield from (f"task {id_} is in no row" for id_ in sorted(made - erased - rows.keys()))
    yield from (f"rows name a task {id_} that isn't hubsync's" for id_ in rows.keys() - made)
    yield from (f"{count} rows name task {id_}" for id_, count in rows.items() if count > 1)
    references = Counter(m[1] for r in records if (m := REFERENCE.search(r.values.get("hs_task_body", ""))))
    yield from (f"the reference {ref} stands in {count} tasks" for ref, count in references.items() if count > 1)
    merged = {arena.portal.survivor(id_) for id_ in arena.portal.aliases}  # has the tasks of all that it was
    alike = Counter(
        (*sorted(r.linked("contacts")), r.values["hs_task_subject"], r.values["hs_timestamp"])
        for r in records
        if r.linked("contacts") and not merged.intersection(r.linked("contacts"))
    )
    yield from (f"{count} tasks alike: {key}" for key, count in alike.items() if count > 1)


def fired_twice(ledger: list[Write]) -> Iterator[str]:
    """A cause fires once for each target."""
    for key, count in Counter(
        (r.contact, r.rule, r.cause_key, r.target) for r in ledger if r.state in HAPPENED
    ).items():
        if count > 1:
            yield f"fired {count} times: {key}"


def edits_lost(arena: Arena, ledger: list[Write]) -> Iterator[str]:
    """What a person set after a rule's cause stands, was put back, or is on record as an override of ours.

    A merge rewrites histories, so that positions in them tell nothing: merged contacts aren't asked.
    """
    logged = {(o.contact, o.property, to_ms(o.at)) for o in arena.overrides()}
    merged = {arena.portal.survivor(id_) for id_ in arena.portal.aliases}
    for row in ledger:
        if arena.portal.survivor(row.contact) in merged:
            continue
        if row.kind != "set" or row.state not in HAPPENED or row.rule in HARD or row.cause_at is None:
            continue
        entries = entries_of(arena, row.contact, row.target)
        place = _place(entries, row, arena)
        if not place or entries[place - 1].source.type != PERSON or from_ms(entries[place - 1].at) <= row.cause_at:
            continue
        lost, later = entries[place - 1], entries[place + 1 :]
        put_back = any(e.value == lost.value and e.source == arena.portal.app_source for e in later)
        known = {(row.contact, row.target, e.at) for e in (lost, *later[:1])} & logged
        if not put_back and not known:
            yield f"lost {lost.value!r} of a person to {told(row)}: {history(arena, row.contact, row.target)}"


def left_wrong(findings: list[dict[str, Any]]) -> Iterator[str]:
    """After rest nothing is left that a rule corrects."""
    for finding in findings:
        if finding["kind"] == "correct" and not finding["backlog"]:
            yield f"left as it is: {finding}"


def end_state(arena: Arena) -> Mapping[int, Any]:
    """How the steady contacts ended, by number: their values and their tasks. When a task is due hangs on which of the
    causes of one and the same value hubsync saw first.
    """
    return {number: _as_it_is(arena, arena.world.contacts[number]) for number in arena.script.steady}


def ended_otherwise(arena: Arena, calm: Arena) -> Iterator[str]:
    """The steady contacts that ended otherwise than in peace, one line each."""
    ended, expected = end_state(arena), end_state(calm)
    for number in sorted(expected):
        if ended[number] != expected[number]:
            contact = arena.world.contacts[number]
            told_of = " | ".join(f"{name}: {history(arena, contact, name)}" for name in (STATUS, STAGE))
            yield f"contact {contact} ended as {ended[number]}, in peace as {expected[number]}: {told_of}"


def _as_it_is(arena: Arena, contact: str) -> tuple[Any, ...]:
    record = arena.portal.get("contacts", contact)
    tasks = [arena.portal.tables["tasks"].records[id_] for id_ in record.linked("tasks")]
    opened = sorted(t.values["hs_task_subject"] for t in tasks if t.archived_at is None)
    return (*(record.values.get(name, "") for name in SET_BY), *opened)


def entries_of(arena: Arena, contact: str, prop: str) -> list[Entry]:
    """The history of a property, oldest first; also of a deleted contact."""
    record: Record = arena.portal.tables["contacts"].records[arena.portal.survivor(contact)]
    return record.entries(prop)


def history(arena: Arena, contact: str, prop: str) -> str:
    """The same to be read."""
    return " < ".join(
        f"{e.value or '-'} ({e.source.type} {from_ms(e.at):%dT%H:%M:%S.%f})" for e in entries_of(arena, contact, prop)
    )


def told(row: Write) -> str:
    """A row to be read."""
    about = f"{row.id}, run {row.run}, {row.state}: {row.contact} {row.target} {row.before!r} to {row.after!r}"
    return (
        f"({about} by {row.rule} for {row.cause_key}, above {row.below}, sent {row.sent_at:%dT%H:%M:%S}, {row.note})"
        if row.sent_at
        else f"({about}, {row.cause_key}, {row.note})"
    )


def _place(entries: list[Entry], row: Write, arena: Arena) -> int | None:
    """Where in the history the row's entry lies: ours, of its value, nearest to when it was answered."""
    ours = [n for n, e in enumerate(entries) if e.source == arena.portal.app_source and e.value == (row.after or "")]
    moment = row.answered_at or row.sent_at
    assert moment is not None
    return min(ours, key=lambda n: abs(from_ms(entries[n].at) - moment), default=None)
