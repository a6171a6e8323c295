"""What is left of an erased contact: a hash and a date, so that a late event doesn't bring it back."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import Connection, select

from hubsync.store.sql import chunked, insert_into
from hubsync.store.tables import tombstone

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def bury(tx: Connection, portal: int, contacts: Collection[str], until: datetime) -> None:
    """Sets tombstones, or moves the date of those that stand."""
    statement = insert_into(tx, tombstone)
    upsert = statement.on_conflict_do_update(
        index_elements=[tombstone.c.portal_id, tombstone.c.contact_hash], set_={"until": statement.excluded.until}
    )
    graves = [{"portal_id": portal, "contact_hash": _hash(portal, id_), "until": until} for id_ in contacts]
    if graves:
        tx.execute(upsert, graves)


def buried(tx: Connection, portal: int, contacts: Iterable[str], now: datetime) -> frozenset[str]:
    """Which of these contacts have a tombstone that is still in force."""
    c = tombstone.c
    standing = (c.portal_id == portal, c.until > now)
    if tx.execute(select(c.portal_id).where(*standing).limit(1)).one_or_none() is None:
        return frozenset()
    hashes = {_hash(portal, id_): id_ for id_ in contacts}
    found: set[str] = set()
    for chunk in chunked(hashes):
        found.update(tx.execute(select(c.contact_hash).where(*standing, c.contact_hash.in_(chunk))).scalars())
    return frozenset(hashes[hash_] for hash_ in found)


def ever_buried(tx: Connection, portal: int, contacts: Iterable[str]) -> frozenset[str]:
    """Which of these contacts have a tombstone, whether or not it is still in force."""
    return buried(tx, portal, contacts, _EVER)


def _hash(portal: int, id_: str) -> str:
    return sha256(f"{portal}:{id_}".encode()).hexdigest()
