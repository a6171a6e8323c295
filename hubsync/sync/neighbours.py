"""May this database write to the portal at all? A second hubsync beside it is found from histories, and refused.

Two hubsyncs with databases of their own would write over one another, each taking the other for an integration. What
each writes stands in the history of the record, with `hubsync_last_action` (G2) as its signature: entries that our
ledger can't account for, by position or else by time, are another hubsync's, whatever token it uses. Only reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hubsync.errors import StoreError
from hubsync.policy.contact import Contact, RawEntry
from hubsync.policy.instants import parse_instant
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.portal.writing import same_value
from hubsync.store.store import Store
from hubsync.store.values import Write
from hubsync.sync.adopting import ADOPTED, admit
from hubsync.sync.lease import PortalLease
from hubsync.sync.merges import MERGED
from hubsync.sync.plan import instant
from hubsync.sync.position import INTEGRATION, stamp, value
from hubsync.sync.recovery import SKEW, UNDER_WAY
from hubsync.sync.signing import LAST_ACTION

if TYPE_CHECKING:
    from hubsync.sync.reconcile import Session

ALONE = "neighbours.alone"
"""Cursor: when no second hubsync was found last."""
ASKED_AGAIN = timedelta(hours=1)
LATELY = timedelta(days=30)
LOOKED_AT = 100
"""Contacts whose histories are read: one search, two reads."""
AT_LATEST = timedelta(hours=1)
"""So long after it was sent a write may still have landed, tries included."""
TOGETHER = timedelta(seconds=1)
"""Properties of one update bear the same time stamp, give or take."""
NAMES = (STATUS, STAGE, LAST_ACTION)


def admit_alone(
    session: Session, store: Store, lease: PortalLease, now: datetime, *, adopt: bool = False
) -> str | None:
    """Let a run write, and give the number of our app where it is known. Up to three calls, at most once an hour.

    After a run that failed it is asked anew, since that run may have met the other one.
    Raises StoreError where the database has seen no run but the portal shows traces of a hubsync (`admit`), and where
    one that isn't this database's wrote to a contact lately; `adopt` takes over what was written until now, and what
    comes afterwards is another's again. `now` is the portal's time.
    """
    gateway, portal = session.gateway, session.portal
    app_id = admit(gateway, store, portal, session.app_id, now, adopt=adopt)
    if adopt or LAST_ACTION not in portal.definitions or _asked_lately(store, portal.id, now):
        return app_id
    since = max(now - min(LATELY, portal.retention), _adopted(store, portal.id) or now - LATELY)
    read = gateway.read_contacts(gateway.newest_having(LAST_ACTION, LOOKED_AT), (*NAMES, MERGED), NAMES)
    ledger = store.ledger_of(portal.id, [contact.id for contact in read.found.values()])
    for contact in read.found.values():
        found = foreign(contact, ledger.get(contact.id, ()), app_id, since)
        if found is not None:
            raise StoreError(_refusal(portal.id, contact, *found))
    with lease.transaction():
        store.set_cursor(portal.id, ALONE, now.isoformat())
    return app_id


def foreign(
    contact: Contact, rows: Sequence[Write], app_id: str | None, since: datetime
) -> tuple[str, RawEntry] | None:
    """The newest entry after `since` that some hubsync wrote and `rows`, the contact's ledger, don't account for.

    None for a contact that others were merged into: its history is a mixture, whose rows stand under several ids.
    """
    if contact.properties.get(MERGED):
        return None
    history = contact.history or {}
    sent = [row for row in rows if row.sent_at is not None and row.kind in {"set", "undo"}]
    signed = [e for e in history.get(LAST_ACTION, ()) if e.get("sourceType") == INTEGRATION]
    accounted: list[datetime] = []
    for name in (STATUS, STAGE):
        entries = history.get(name, ())
        mine = _placed(entries, [row for row in sent if row.target == name])
        accounted += [_at(entries[index]) for index in mine]
        for index, entry in enumerate(entries):
            if _at(entry) <= since:
                break
            if index not in mine and _is_hubsyncs(entry, app_id, signed) and not _timely(entry, name, sent):
                return name, entry
    for entry in history.get(LAST_ACTION, ()):
        if (at := _at(entry)) <= since:
            break
        known = any(abs(at - moment) <= TOGETHER for moment in accounted) or any(_around(at, row) for row in sent)
        if entry.get("sourceType") == INTEGRATION and not known:
            return LAST_ACTION, entry
    return None


def _placed(entries: Sequence[RawEntry], rows: Sequence[Write]) -> frozenset[int]:
    """The indexes that our rows, oldest first, account for by value and position; each for one entry at most."""
    mine: set[int] = set()
    for row in rows:
        bottom = next((n for n in range(len(entries), -1, -1) if stamp(entries, n) == row.below), 0)
        above = (n for n in range(bottom - 1, -1, -1) if n not in mine)
        mine.update([n for n in above if same_value(row.after or "", value(entries[n]))][:1])
    return frozenset(mine)


def _is_hubsyncs(entry: RawEntry, app_id: str | None, signed: Sequence[RawEntry]) -> bool:
    """Whether a hubsync wrote it: our app, or an app that signed it with its last action at that moment.

    An app that reacts to a write of ours within the second has signed nothing: signature and entry name one app.
    """
    if entry.get("sourceType") != INTEGRATION:
        return False
    by_our_app = app_id is not None and str(entry.get("sourceId")) == app_id
    return by_our_app or any(abs(_at(entry) - _at(one)) <= TOGETHER and _by_one_app(entry, one) for one in signed)


def _by_one_app(entry: RawEntry, other: RawEntry) -> bool:
    """Whether both may be one app's: an entry that names none may be anyone's."""
    return len({str(e["sourceId"]) for e in (entry, other) if e.get("sourceId")}) < 2


def _timely(entry: RawEntry, name: str, sent: Sequence[Write]) -> bool:
    """Whether one of our writes of that value, or of an emptying on the way to another, was under way just then."""
    at, text = _at(entry), value(entry)
    return any(
        row.target == name and (not text or same_value(row.after or "", text)) and _around(at, row) for row in sent
    )


def _around(at: datetime, row: Write) -> bool:
    """Whether a write may have landed at a moment."""
    if row.sent_at is None:
        return False
    until = max(row.sent_at + UNDER_WAY, min(row.answered_at or row.sent_at, row.sent_at + AT_LATEST))
    return row.sent_at - SKEW <= at <= until + SKEW


def _at(entry: Mapping[str, object]) -> datetime:
    return parse_instant(str(entry["timestamp"]))


def _asked_lately(store: Store, portal: int, now: datetime) -> bool:
    """Whether that is known well enough: not after a run that failed, since it may have found the other one."""
    if any(run.state == "failed" for run in store.runs(portal, 1)):
        return False
    text = store.cursor(portal, ALONE)
    return text is not None and timedelta() <= now - datetime.fromisoformat(text) <= ASKED_AGAIN


def _adopted(store: Store, portal: int) -> datetime | None:
    text = store.cursor(portal, ADOPTED)
    return datetime.fromisoformat(text) if text else None


def _refusal(portal: int, contact: Contact, name: str, entry: RawEntry) -> str:
    app = str(entry.get("sourceId") or "") or "of an unknown number"
    return (
        f'app {app} set {name} of contact {contact.id} to "{value(entry)}" at {instant(_at(entry))} as a hubsync does, '
        f"and this database knows nothing of it: a second hubsync is at work on portal {portal}. Nothing was written. "
        "Stop one of the two. If this database was restored from a backup, or the other hubsync has been stopped for "
        "good, run `hubsync sync --write --adopt` once: what was written until then is taken as it is."
    )
