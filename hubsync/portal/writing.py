"""Writing properties of contacts, and saying for each what became of it.

HubSpot may answer 200 and keep the old value, refuse a whole batch for one option, or land part of a batch: none of
that is taken for success. Writing the same properties again changes nothing, so these calls are tried again on any
temporary error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hubsync.errors import PortalError, PortalPermanentError, PortalTemporaryError, RateLimited, WriteRefused
from hubsync.portal import decoding
from hubsync.portal.answers import Answer, Json, reason
from hubsync.portal.asking import Asker
from hubsync.portal.reading import read_contacts
from hubsync.portal.transport import WRITES
from hubsync.portal.values import Outcome, Update

BATCH = 100
STAGE = "lifecyclestage"
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def update_contacts(asker: Asker, updates: Sequence[Update], stage_order: Sequence[str] = ()) -> list[Outcome]:
    """Write `updates` and tell what became of each, in their order.

    `stage_order` lists the lifecycle stages' values in display order: where the answer shows a later stage than asked,
    the portal's own automation moved on, and that is satisfied. A contact named twice is written twice, in order.
    Raises PortalPermanentError or RateLimited only where nothing at all was written yet.
    """
    outcomes: dict[int, Outcome] = {}
    position = {update.trace: number for number, update in enumerate(updates)}
    if len(position) < len(updates):
        raise ValueError("each update needs a trace of its own")
    for batch in _batches(updates):
        try:
            done = _write(asker, batch, stage_order)
        except (PortalPermanentError, RateLimited) as error:
            if not any(o.state == "applied" for o in outcomes.values()):
                raise
            done = [_refused(update, error) for update in batch]
        outcomes.update((position[outcome.trace], outcome) for outcome in done)
    return [outcomes[number] for number in range(len(updates))]


def _batches(updates: Sequence[Update]) -> list[list[Update]]:
    """Batches in which no contact occurs twice (HubSpot refuses those); a contact's updates keep their order."""
    batches: list[list[Update]] = []
    members: list[set[str]] = []
    earliest: dict[str, int] = {}
    for update in updates:
        number = earliest.get(update.id, 0)
        while number < len(batches) and (len(batches[number]) >= BATCH or update.id in members[number]):
            number += 1
        if number == len(batches):
            batches.append([])
            members.append(set())
        batches[number].append(update)
        members[number].add(update.id)
        earliest[update.id] = number + 1
    return batches


def _write(asker: Asker, updates: Sequence[Update], stage_order: Sequence[str]) -> list[Outcome]:
    """One batch. Where HubSpot refuses all of it for some values, those are split off and the rest is sent again."""
    done: list[Outcome] = []
    queue = [list(updates)]
    while queue:
        batch = queue.pop()
        try:
            answered, echoes = _send(asker, batch)
        except WriteRefused as error:
            guilty, rest = split(batch, error)
            done.extend(_refused(update, error) for update in guilty)
            queue.extend(part for part in rest if part)
        except (RateLimited, PortalPermanentError) as error:
            if not done:
                raise
            done.extend(_refused(update, error) for update in batch)
        except PortalTemporaryError as error:
            done.extend(Outcome(u.id, u.trace, "uncertain", answer=str(error)) for u in batch)
        else:
            done.extend(answered)
            done.extend(_judge(asker, echoes, stage_order))
    return done


def split(updates: Sequence[Update], error: WriteRefused) -> tuple[list[Update], list[list[Update]]]:
    """Who is to blame for a refused batch, and what to send again: by the values named, else by halves."""
    blamed: set[str] = set()
    for name, value, _, _ in error.problems:
        holders = [u for u in updates if name in u.properties]
        exact = [u for u in holders if value is not None and u.properties[name] == value]
        blamed.update(u.trace for u in exact or holders)
    if not blamed:
        if len(updates) == 1:
            return list(updates), []
        middle = len(updates) // 2
        return [], [list(updates[:middle]), list(updates[middle:])]
    return [u for u in updates if u.trace in blamed], [[u for u in updates if u.trace not in blamed]]


def _send(asker: Asker, batch: Sequence[Update]) -> tuple[list[Outcome], list[tuple[Update, Outcome]]]:
    """Outcomes that need no judging, and updates with what HubSpot's answer shows of them."""
    inputs = [{"id": u.id, "properties": dict(u.properties), "objectWriteTraceId": u.trace} for u in batch]
    by_id = {update.id: update for update in batch}

    def decode(answer: Answer) -> tuple[list[Outcome], list[tuple[Update, Outcome]]]:
        echoes: list[tuple[Update, Outcome]] = []
        for item in decoding.results(answer):
            update = by_id.get(decoding.identifier(item.get("id")))
            if update is not None:
                values = decoding.properties(item)
                shown = {name: values[name] for name in update.properties if name in values}
                at = decoding.moment(item.get("updatedAt"))
                echoes.append((update, Outcome(update.id, update.trace, "not_applied", shown, updated_at=at)))
        told = {update.id for update, _ in echoes}
        rest = [update for update in batch if update.id not in told]
        return _without_result(rest, decoding.errors(answer)), echoes

    return asker.ask(asker.transport.batch.update, "contacts", {"inputs": inputs}, decode=decode, manner=WRITES)


def _without_result(updates: Iterable[Update], errors: Sequence[Json]) -> list[Outcome]:
    """Outcomes of updates that a 207 has no result for, by the errors that name their id or trace."""
    outcomes = []
    for update in updates:
        own = next((e for e in errors if _names(e, update)), None)
        if own is None:  # part of an answer: what it leaves out may have been written all the same
            said = reason(errors[0]) if errors else "HubSpot's answer doesn't mention the contact"
            outcomes.append(Outcome(update.id, update.trace, "uncertain", answer=said))
        else:
            state = "gone" if own.get("category") == "OBJECT_NOT_FOUND" else "refused"
            outcomes.append(Outcome(update.id, update.trace, state, answer=reason(own)))  # type: ignore[arg-type]
    return outcomes


def _names(error: Json, update: Update) -> bool:
    return update.id in decoding.context(error, "ids") or update.trace in decoding.context(error, "objectWriteTraceId")


def _judge(asker: Asker, echoes: Sequence[tuple[Update, Outcome]], stage_order: Sequence[str]) -> list[Outcome]:
    """Applied or not, by the values shown. Values that an answer leaves out are read."""
    silent = [update for update, outcome in echoes if len(outcome.values) < len(update.properties)]
    read: Mapping[str, Mapping[str, str | None]] = {}
    if silent:
        names = sorted({name for update in silent for name in update.properties})
        found = read_contacts(asker, [update.id for update in silent], names).found
        read = {id_: contact.properties for id_, contact in found.items()}
    judged = []
    for update, outcome in echoes:
        values = {n: outcome.values.get(n, read.get(update.id, {}).get(n)) for n in update.properties}
        kept = [n for n, asked in update.properties.items() if not _satisfied(n, asked, values[n], stage_order)]
        answer = f"HubSpot kept another value of {', '.join(kept)}" if kept else ""
        judged.append(replace(outcome, state="not_applied" if kept else "applied", values=values, answer=answer))
    return judged


def _satisfied(name: str, asked: str, shown: str | None, stage_order: Sequence[str]) -> bool:
    if same_value(asked, shown):
        return True
    if name == STAGE and asked in stage_order and shown in stage_order:
        return stage_order.index(shown) > stage_order.index(asked)
    return False


def same_value(asked: str, shown: str | None) -> bool:
    """Whether HubSpot's text `shown` says what was `asked`: it writes instants, numbers and lists in its own form."""
    shown = shown or ""
    if asked.strip() == shown.strip():
        return True
    if not asked or not shown:
        return False
    if ";" in asked or ";" in shown:
        return {part for part in asked.split(";") if part} == {part for part in shown.split(";") if part}
    if _NUMBER.fullmatch(asked) and _NUMBER.fullmatch(shown):
        return Decimal(asked) == Decimal(shown)
    try:
        one, other = decoding.moment(asked), decoding.moment(shown)
    except ValueError:
        return False  # two texts
    return one is not None and other is not None and abs(one - other) < timedelta(milliseconds=1)


def _refused(update: Update, error: PortalError) -> Outcome:
    """Refused, with the part of HubSpot's reason that concerns this update."""
    own = [
        message for name, value, _, message in getattr(error, "problems", ()) if update.properties.get(name) == value
    ]
    own = own or [message for name, _, _, message in getattr(error, "problems", ()) if name in update.properties]
    return Outcome(update.id, update.trace, "refused", answer="; ".join(own) or str(error))
