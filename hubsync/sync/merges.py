"""Contacts that were merged: what hubsync knows of the ones that are gone follows the survivor (design 4).

HubSpot names them in the survivor's `hs_merged_object_ids`, so that a merge is noticed whenever the survivor is looked
at, whoever is asked for. Without this a cause that had fired for the former contact could fire again for the survivor.
Of several merges in a row it may name the last alone: an old id that was asked for, and our own aliases, tell the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hubsync.policy.contact import Contact
from hubsync.store.store import Store
from hubsync.store.values import Write

MERGED = "hs_merged_object_ids"


def former_ids(contacts: Iterable[Contact]) -> dict[str, tuple[str, ...]]:
    """By contact that others were merged into: their ids."""
    found: dict[str, tuple[str, ...]] = {}
    for contact in contacts:
        ids = tuple(id_.strip() for id_ in (contact.properties.get(MERGED) or "").split(";"))
        if former := tuple(id_ for id_ in ids if id_ and id_ != contact.id):
            found[contact.id] = former
    return found


def as_one_each(found: Mapping[str, Contact]) -> list[Contact]:
    """Contacts as read by id, each once; one that answered for other ids names these among its former ones."""
    contacts = {contact.id: contact for contact in found.values()}
    for asked, contact in found.items():
        if asked != contact.id:
            known = contacts[contact.id]
            names = ";".join(filter(None, (known.properties.get(MERGED), asked)))
            contacts[contact.id] = replace(known, properties={**known.properties, MERGED: names})
    return list(contacts.values())


def with_aliases(store: Store, portal: int, former: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """The former ids of contacts, with those that had become one of these, as noted before."""
    return {
        survivor: tuple(
            dict.fromkeys((*ids, *(a for i in (survivor, *ids) for a in store.merged_into(portal, i) if a != survivor)))
        )
        for survivor, ids in former.items()
    }


def follow(store: Store, portal: int, former: Mapping[str, Sequence[str]]) -> None:
    """Let the ledger and all else follow the survivors; what was noted before is left as it is."""
    known = store.survivors(portal, [old for ids in former.values() for old in ids])
    for survivor, ids in former.items():
        for old in ids:
            if known.get(old) != survivor:
                store.merge(portal, old, survivor)


def ledger_of(
    store: Store, portal: int, contacts: Sequence[Contact], former: Mapping[str, Sequence[str]]
) -> dict[str, tuple[Write, ...]]:
    """The ledger of contacts, rows that still stand under a former id included, oldest first."""
    asked = {contact.id for contact in contacts}.union(*former.values())
    rows = store.ledger_of(portal, asked)
    for survivor, ids in former.items():
        whole = sorted((row for id_ in (survivor, *ids) for row in rows.get(id_, ())), key=lambda row: row.id)
        if whole:
            rows[survivor] = tuple(whole)
    return rows
