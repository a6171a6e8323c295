"""Contacts that merge, are deleted, or must be erased: what follows them and what goes.

Merging keeps every row of the ledger; only `erase`, for a privacy deletion, takes rows out of it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from hubsync.store import history
from hubsync.store.ledger import rename_contact
from hubsync.store.sql import chunked, insert_into
from hubsync.store.tables import contact, contact_alias, faded, override, plan_entry, work, write
from hubsync.store.tombstones import bury
from hubsync.store.work import hint


def merge(tx: Connection, portal: int, old: str, survivor: str) -> None:
    """Re-keys one contact to another. ValueError for a contact that would merge into itself."""
    if old == survivor:
        raise ValueError(f"contact {old} can't be merged into itself")
    rename_contact(tx, portal, old, survivor)
    _move_overrides(tx, portal, old, survivor)
    _move_hint(tx, portal, old, survivor)
    forget(tx, portal, [old])
    _clear_hints(tx, portal, [old])
    c = contact_alias.c
    tx.execute(update(contact_alias).where(c.portal_id == portal, c.survivor == old).values(survivor=survivor))
    tx.execute(delete(contact_alias).where(c.portal_id == portal, c.contact_id == survivor))
    statement = insert_into(tx, contact_alias).values(portal_id=portal, contact_id=old, survivor=survivor)
    tx.execute(statement.on_conflict_do_update(index_elements=[c.portal_id, c.contact_id], set_={"survivor": survivor}))


def survivors(tx: Connection, portal: int, contacts: Collection[str]) -> dict[str, str]:
    """Merged id → present id."""
    found: dict[str, str] = {}
    c = contact_alias.c
    for chunk in chunked(contacts):
        rows = tx.execute(select(c.contact_id, c.survivor).where(c.portal_id == portal, c.contact_id.in_(chunk)))
        found.update((old, survivor) for old, survivor in rows)
    return found


def merged_into(tx: Connection, portal: int, survivor: str) -> tuple[str, ...]:
    """Former ids of one contact."""
    c = contact_alias.c
    statement = select(c.contact_id).where(c.portal_id == portal, c.survivor == survivor).order_by(c.contact_id)
    return tuple(tx.execute(statement).scalars())


def forget(tx: Connection, portal: int, contacts: Collection[str]) -> None:
    """Deletes mirror rows and history. Hints stay: one may be newer than the look that found the contact gone."""
    history.clear(tx, portal, contacts)
    for chunk in chunked(contacts):
        tx.execute(delete(contact).where(contact.c.portal_id == portal, contact.c.contact_id.in_(chunk)))


def erase(tx: Connection, portal: int, contacts: Collection[str], until: datetime) -> None:
    """Deletes every row of these contacts and of their former ids, and buries them."""
    everyone = set(contacts)
    for chunk in chunked(contacts):
        c = contact_alias.c
        everyone.update(tx.execute(select(c.contact_id).where(c.portal_id == portal, c.survivor.in_(chunk))).scalars())
    forget(tx, portal, everyone)
    _clear_hints(tx, portal, everyone)
    for chunk in chunked(everyone):
        for table in (write, faded, override, plan_entry, contact_alias):
            tx.execute(delete(table).where(table.c.portal_id == portal, table.c.contact_id.in_(chunk)))
    bury(tx, portal, everyone, until)


def _move_overrides(tx: Connection, portal: int, old: str, survivor: str) -> None:
    """Overrides go over, except those that the survivor has at the same moment."""
    theirs = override.alias("theirs")
    clash = (
        select(theirs.c.at)
        .where(
            theirs.c.portal_id == portal,
            theirs.c.contact_id == survivor,
            theirs.c.property == override.c.property,
            theirs.c.at == override.c.at,
        )
        .correlate(override)
        .exists()
    )
    statement = update(override).where(override.c.portal_id == portal, override.c.contact_id == old, ~clash)
    tx.execute(statement.values(contact_id=survivor))


def _clear_hints(tx: Connection, portal: int, contacts: Collection[str]) -> None:
    """Nobody looks at these any more."""
    for chunk in chunked(contacts):
        tx.execute(delete(work).where(work.c.portal_id == portal, work.c.contact_id.in_(chunk)))


def _move_hint(tx: Connection, portal: int, old: str, survivor: str) -> None:
    """A hint for the old id becomes one for the survivor."""
    statement = select(work.c.due_at, work.c.why).where(work.c.portal_id == portal, work.c.contact_id == old)
    if (row := tx.execute(statement).one_or_none()) is not None:
        hint(tx, portal, [survivor], row.due_at, row.why)
