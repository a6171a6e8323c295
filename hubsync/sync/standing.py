"""What still stands of a change that hubsync made: told by its position in the property's history, never by clocks.

Ours is the entry with our value directly above the entry that we had read before we wrote (`Write.below`). What an undo
put back counts as never changed, so that runs can be undone one after the other, the latest first. Pure: it reads
nothing and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hubsync.policy.contact import Contact, RawEntry
from hubsync.policy.instants import parse_instant
from hubsync.policy.sentences import A_FORM, A_PERSON, AN_APP, AN_AUTOMATION, AN_IMPORT
from hubsync.policy.timeline import AUTOMATION, FORM, IMPORT, INTEGRATION, writer
from hubsync.policy.vocabulary import STAGE
from hubsync.portal.writing import same_value
from hubsync.store.values import Write
from hubsync.sync.binding import BoundPortal

HAPPENED = frozenset({"applied", "undone", "overridden"})
CLEARS = ":clear"
"""Ends the cause of an undo's first step, which empties a stage so that the second may set an earlier one."""

Standing = Literal["planned", "done", "skipped", "refused"]
KINDS = {AUTOMATION: AN_AUTOMATION, IMPORT: AN_IMPORT, INTEGRATION: AN_APP, FORM: A_FORM}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What undoing one change comes to.

    `planned`: it can be put back, above the history entry stamped `below`, with `clears` in two steps; `done`: HubSpot
    has it back, only the ledger lags behind; `skipped` and `refused` say `why`. `now` is the property's present value.
    """

    state: Standing
    why: str
    now: str | None = None
    below: str = ""
    clears: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a history with the time stamp of the entry beneath it, "" where there is none."""

    raw: RawEntry
    below: str

    @property
    def value(self) -> str:
        """Its value, "" for empty."""
        return str(self.raw.get("value") or "")

    @property
    def at(self) -> str:
        """Its time stamp, as HubSpot wrote it."""
        return str(self.raw["timestamp"])

    def is_of(self, row: Write) -> bool:
        """Whether this entry is what the row of the ledger wrote."""
        return self.below == row.below and same_value(row.after or "", self.value)


def undo_key(row: Write) -> str:
    """The cause under which a write is undone: once, and never in the way of the cause that is undone."""
    return f"undo:{row.id}"


def undone_by(row: Write) -> int:
    """The write that a row of an undo takes back."""
    return int(row.cause_id or 0)


def is_clearing(row: Write) -> bool:
    """Whether the row is the first of an undo's two steps."""
    return row.kind == "undo" and row.cause_key.endswith(CLEARS)


def is_restoring(row: Write) -> bool:
    """Whether the row put a former value back for good: not over what somebody had set unseen, which was put back."""
    return row.kind == "undo" and not is_clearing(row) and row.state != "overridden"


def standing(entries: Sequence[RawEntry], rows: Sequence[Write]) -> list[Entry]:
    """The history of a property, newest first, without what was undone and the undoing itself.

    `entries` are newest first, `rows` the contact's rows of the ledger for this property.
    """
    restored = [r for r in rows if is_restoring(r) and r.state in HAPPENED]
    kept: list[Entry] = []
    for index in range(len(entries) - 1, -1, -1):
        entry = Entry(entries[index], str(entries[index + 1]["timestamp"]) if index + 1 < len(entries) else "")
        if any(entry.is_of(row) for row in restored):
            while kept and kept[-1].value != entry.value:
                kept.pop()
        else:
            kept.append(entry)
    return kept[::-1]


def judge(
    row: Write, contact: Contact | None, rows: Sequence[Write], portal: BoundPortal, *, allow_backward: bool
) -> Verdict:
    """What undoing `row` comes to. `contact` as read now, with the history of the property; None where it is gone.

    `rows` are the contact's rows of the ledger, of every property.
    """
    if contact is None:
        return Verdict("skipped", "the contact was deleted")
    if contact.id != row.contact:
        return Verdict("skipped", f"the contact was merged into {contact.id}")
    if row.target not in portal.definitions:
        return Verdict("skipped", f"the portal no longer has the property {row.target}")
    now = contact.properties.get(row.target)
    same = [r for r in rows if r.target == row.target and r.kind in {"set", "undo"}]
    earlier = {r.cause_key: r for r in same if r.kind == "undo" and r.state in {"sent", *HAPPENED}}
    undone = earlier.get(undo_key(row))
    if undone is not None:
        if undone.state == "sent":
            return Verdict("skipped", f"run {undone.run} sent it back; whether it arrived isn't known yet", now)
        return Verdict("done", f"put back by run {undone.run}", now)
    entries = (contact.history or {}).get(row.target, ())
    kept = standing(entries, same)
    if not kept:
        return Verdict("skipped", "HubSpot shows no history of it", now)
    cleared = earlier.get(undo_key(row) + CLEARS)
    if cleared is not None and len(kept) > 1 and kept[0].is_of(cleared) and kept[1].is_of(row):
        return Verdict("planned", f"put back; run {cleared.run} was cut short after clearing it", now, kept[0].at)
    if not kept[0].is_of(row):
        return Verdict("skipped", _changed(row, kept, same, portal), now)
    return _put_back(row, portal, now, str(entries[0]["timestamp"]), allow_backward)


def _put_back(row: Write, portal: BoundPortal, now: str | None, below: str, allow_backward: bool) -> Verdict:
    rule = portal.policy.rule(row.rule)
    if rule is not None and rule.hard and rule.mode == "auto":
        return Verdict("refused", f"hard correction while rule {rule.id} is on", now)
    options = {o.value for o in portal.definitions[row.target].options}
    if row.before and options and row.before not in options:
        return Verdict("refused", f'the portal no longer has the option "{row.before}"', now)
    if not moves_backward(row, portal):
        return Verdict("planned", "put back", now, below)
    if not allow_backward:
        return Verdict("refused", "stage: needs --allow-backward", now)
    how = "put back (cleared, then set)" if row.before else "cleared"
    return Verdict("planned", how, now, below, clears=bool(row.before))


def moves_backward(row: Write, portal: BoundPortal) -> bool:
    """Whether undoing the row moves the Lifecycle stage backward, or to none."""
    if row.target != STAGE:
        return False
    order = portal.policy.stage_order
    here, there = order.get(row.after or ""), order.get(row.before or "")
    return here is None or there is None or there < here


def _changed(row: Write, kept: Sequence[Entry], rows: Sequence[Write], portal: BoundPortal) -> str:
    """Who changed the property since, or just before."""
    newest = kept[0]
    by = next((r for r in reversed(rows) if r.state in HAPPENED and newest.is_of(r)), None)
    if by is not None:
        return f"run {by.run} changed it later"
    if same_value(row.after or "", newest.value) and len(kept) > 1 and not any(e.is_of(row) for e in kept):
        return (
            f"changed by {author(kept[1].raw, portal)} {moment(kept[1].raw, portal)}, just before run {row.run} wrote"
        )
    return f"changed since by {author(newest.raw, portal)} {moment(newest.raw, portal)}"


def author(entry: RawEntry, portal: BoundPortal, say: Callable[[str], str] = str) -> str:
    """Who wrote an entry of a history: an owner's name, a source's label, else what kind of writer it was.

    `say` puts words of policy/sentences.py into the portal's language.
    """
    user = entry.get("updatedByUserId") or str(entry.get("sourceId") or "").partition("userId:")[2]
    owner = next((o for o in portal.owners if user and o.user_id == str(user)), None)
    if owner is not None:
        return f"{owner.first_name} {owner.last_name}".strip() or f"owner {owner.id}"
    kind = KINDS.get(writer(entry, portal.policy.writers), A_PERSON)
    label = str(entry.get("sourceLabel") or "")
    return f"{say(kind)} ({label})" if label and kind != A_PERSON else say(kind)


def moment(entry: RawEntry, portal: BoundPortal) -> str:
    """When an entry was written, in the portal's time zone, for the end of a sentence."""
    return f"on {said(parse_instant(str(entry['timestamp'])), portal)}"


def said(at: datetime, portal: BoundPortal) -> str:
    """A moment as people say it, in the portal's time zone."""
    local = at.astimezone(portal.policy.zone)
    return f"{local.day} {local:%B %Y %H:%M}"
