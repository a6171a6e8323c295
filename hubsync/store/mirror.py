"""The mirror: what each contact looked like when it was last looked at, and when to look again.

It holds the properties the policy names, personal ones never by value; the dear facts under their stamps; and the
digest of the last decision. It can be lost: a full read makes it anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from hubsync.store.sql import ROWS_PER_STATEMENT, chunked, insert_into
from hubsync.store.tables import contact
from hubsync.store.tombstones import buried
from hubsync.store.values import Look

if TYPE_CHECKING:
    from hubsync.store.engine import Database

_COLUMNS = (
    contact.c.contact_id,
    contact.c.properties,
    contact.c.lastmodified,
    contact.c.digest,
    contact.c.read_at,
    contact.c.next_look_at,
    contact.c.facts,
)


def save(tx: Connection, portal: int, looks: Sequence[Look]) -> None:
    """Upserts rows; facts of None leave those stored."""
    statement = insert_into(tx, contact)
    new = statement.excluded
    upsert = statement.on_conflict_do_update(
        index_elements=[contact.c.portal_id, contact.c.contact_id],
        set_={
            **{name: new[name] for name in ("properties", "lastmodified", "digest", "read_at", "next_look_at")},
            "facts": func.coalesce(new.facts, contact.c.facts),
        },
    )
    latest = {look.contact: look for look in looks}
    for chunk in chunked(latest.values(), ROWS_PER_STATEMENT):
        gone = buried(tx, portal, [look.contact for look in chunk], min(look.read_at for look in chunk))
        values = [_values(portal, look) for look in chunk if look.contact not in gone]
        if values:
            tx.execute(upsert, values)


def of_contacts(tx: Connection, portal: int, contacts: Collection[str]) -> dict[str, Look]:
    """Rows by contact."""
    found: dict[str, Look] = {}
    for chunk in chunked(contacts):
        statement = select(*_COLUMNS).where(contact.c.portal_id == portal, contact.c.contact_id.in_(chunk))
        found.update((row.contact_id, Look(*row)) for row in tx.execute(statement))
    return found


def lastmodified(tx: Connection, portal: int, contacts: Collection[str]) -> dict[str, datetime]:
    """contact → the lastmodifieddate looked at."""
    found: dict[str, datetime] = {}
    for chunk in chunked(contacts):
        statement = select(contact.c.contact_id, contact.c.lastmodified)
        rows = tx.execute(statement.where(contact.c.portal_id == portal, contact.c.contact_id.in_(chunk)))
        found.update((id_, moment) for id_, moment in rows)
    return found


def due(tx: Connection, portal: int, now: datetime, limit: int) -> tuple[str, ...]:
    """Contacts to look at again."""
    statement = select(contact.c.contact_id).where(contact.c.portal_id == portal, contact.c.next_look_at <= now)
    ordered = statement.order_by(contact.c.next_look_at, contact.c.contact_id).limit(limit)
    return tuple(tx.execute(ordered).scalars())


def chunks(database: Database, portal: int, size: int) -> Iterator[Look]:
    """Every row; no transaction is open while the caller works on one."""
    statement = select(*_COLUMNS).where(contact.c.portal_id == portal).order_by(contact.c.contact_id).limit(size)
    last = ""
    while True:
        with database.read() as tx:
            rows = tx.execute(statement.where(contact.c.contact_id > last)).all()
        for row in rows:
            yield Look(*row)
        if len(rows) < size:
            return
        last = rows[-1].contact_id


def _values(portal: int, look: Look) -> dict[str, object]:
    return {
        "portal_id": portal,
        "contact_id": look.contact,
        "properties": dict(look.properties),
        "facts": None if look.facts is None else dict(look.facts),
        "lastmodified": look.lastmodified,
        "digest": look.digest,
        "read_at": look.read_at,
        "next_look_at": look.next_look_at,
    }
