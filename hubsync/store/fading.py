"""Fingerprints of fired causes whose ledger rows were purged, so that no cause fires again (policy/faded.py).

They follow a contact that is merged and a rule that is renamed, and go with a contact that is erased.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Column, Connection, delete, literal, select

from hubsync.policy.faded import faded_key
from hubsync.store.sql import ROWS_PER_STATEMENT, chunked, insert_into
from hubsync.store.tables import faded
from hubsync.store.values import NewWrite

Key = tuple[str, str, str, str]
"""contact, rule, cause key, target."""


def keep(tx: Connection, portal: int, keys: Sequence[Key]) -> None:
    """Notes these causes as fired; those noted before stay as they are."""
    statement = insert_into(tx, faded).on_conflict_do_nothing()
    for chunk in chunked(keys, ROWS_PER_STATEMENT):
        rows = [
            {"portal_id": portal, "contact_id": contact, "rule": rule, "fingerprint": faded_key(cause, target)}
            for contact, rule, cause, target in chunk
        ]
        tx.execute(statement, rows)


def of_contacts(tx: Connection, portal: int, contacts: Collection[str]) -> dict[str, frozenset[str]]:
    """By contact: "rule|fingerprint" of every purged cause. One look at the index where nothing was ever purged."""
    c = faded.c
    if tx.execute(select(c.portal_id).where(c.portal_id == portal).limit(1)).one_or_none() is None:
        return {}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for chunk in chunked(contacts):
        statement = select(c.contact_id, c.rule, c.fingerprint).where(c.portal_id == portal, c.contact_id.in_(chunk))
        for contact, rule, mark in tx.execute(statement):
            found[contact].add(f"{rule}|{mark}")
    return {contact: frozenset(marks) for contact, marks in found.items()}


def among(tx: Connection, portal: int, rows: Sequence[NewWrite]) -> frozenset[Key]:
    """Which of these writes have a cause that is known by its fingerprint alone."""
    known = of_contacts(tx, portal, {row.contact for row in rows})
    if not known:
        return frozenset()
    return frozenset(
        (row.contact, row.rule, row.cause_key, row.target)
        for row in rows
        if f"{row.rule}|{faded_key(row.cause_key, row.target)}" in known.get(row.contact, ())
    )


def rename(tx: Connection, portal: int, column: Column[str], old: str, new: str) -> None:
    """The fingerprints of a contact or of a rule go over to its new id."""
    here = (faded.c.portal_id == portal, column == old)
    moved = [literal(new).label(c.name) if c.name == column.name else c for c in faded.c]
    names = [c.name for c in faded.c]
    tx.execute(insert_into(tx, faded).from_select(names, select(*moved).where(*here)).on_conflict_do_nothing())
    tx.execute(delete(faded).where(*here))
