"""Reading what is asked for by id, and what describes the portal itself: account, properties, owners, pipelines.

Reads only. Batches are as large as HubSpot takes them (100, and 50 with history).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hubsync.errors import ContactGone
from hubsync.policy.contact import Contact
from hubsync.portal import decoding
from hubsync.portal.answers import Answer, Json
from hubsync.portal.asking import Asker, chunks
from hubsync.portal.values import Account, ContactsRead, Owner, Pipeline, PropertyDefinition

T = TypeVar("T")

BATCH = 100
BATCH_WITH_HISTORY = 50
OWNERS_A_PAGE = 100


def account(asker: Asker) -> Account:
    """Which portal the token belongs to."""
    return asker.ask(asker.transport.get, "/account-info/v3/details", decode=decoding.account)


def property_definitions(asker: Asker, kind: str) -> dict[str, PropertyDefinition]:
    """Every property of `kind` by its internal name. One call: HubSpot doesn't page this list."""

    def decode(answer: Answer) -> dict[str, PropertyDefinition]:
        return {p.name: p for p in map(decoding.property_definition, decoding.results(answer))}

    return asker.ask(asker.transport.properties.get_all, kind, decode=decode)


def owners(asker: Asker) -> tuple[Owner, ...]:
    """All owners: the active ones, then the archived ones (deactivated users are listed only there)."""
    found: dict[str, Owner] = {}
    for archived in (False, True):
        after: str | None = None
        while True:
            more: dict[str, Any] = {"after": after} if after else {}
            page, after = asker.ask(
                asker.transport.owners.get_page, limit=OWNERS_A_PAGE, archived=archived, decode=_owners, **more
            )
            for owner in page:
                found.setdefault(owner.id, owner)
            if after is None:
                break
    return tuple(found.values())


def _owners(answer: Answer) -> tuple[list[Owner], str | None]:
    return [decoding.owner(item) for item in decoding.results(answer)], decoding.next_after(decoding.body(answer))


def company_owners(asker: Asker, ids: Iterable[str]) -> dict[str, str]:
    """The owners of companies, those that have one."""

    def owner_of(item: Json) -> str:
        return str(decoding.properties(item).get("hubspot_owner_id") or "")

    read = read_objects(asker, "companies", ids, ("hubspot_owner_id",), decode=owner_of)
    return {id_: owner for id_, owner in read.items() if owner}


def deal_pipelines(asker: Asker) -> tuple[Pipeline, ...]:
    """All deal pipelines with their steps."""

    def decode(answer: Answer) -> tuple[Pipeline, ...]:
        return tuple(decoding.pipeline(item) for item in decoding.results(answer))

    return asker.ask(asker.transport.pipelines.get_all, "deals", decode=decode)


def read_contacts(
    asker: Asker, ids: Iterable[str], properties: Sequence[str], history: Sequence[str] = ()
) -> ContactsRead:
    """The contacts of `ids`; those merged away come as their survivor, under the id that was asked for."""
    asked = list(dict.fromkeys(ids))
    found: dict[str, Contact] = {}
    missing: list[str] = []
    size = BATCH_WITH_HISTORY if history else BATCH

    def read(batch: Sequence[str]) -> _Batch:
        return _read_batch(asker, batch, properties, history)

    for part in asker.each(read, chunks(asked, size)):
        found.update(part.found)
        missing.extend(part.missing)
        for unresolved in part.unresolved:
            survivor = _read_one(asker, unresolved, properties, history)
            if survivor is None:
                missing.append(unresolved)
            else:
                found[unresolved] = survivor
    return ContactsRead(found, tuple(missing))


@dataclass(frozen=True, slots=True)
class _Batch:
    found: dict[str, Contact]
    missing: list[str]
    unresolved: list[str]


def _read_batch(asker: Asker, ids: Sequence[str], properties: Sequence[str], history: Sequence[str]) -> _Batch:
    request: Json = {"properties": list(properties), "inputs": [{"id": id_} for id_ in ids]}
    if history:
        request["propertiesWithHistory"] = list(history)

    def decode(answer: Answer) -> _Batch:
        read = {contact.id: contact for contact in decoding.contacts(answer, history=bool(history))}
        gone = {id_ for error in decoding.errors(answer) for id_ in decoding.context(error, "ids")}
        found = {id_: read.pop(id_) for id_ in ids if id_ in read}
        rest = [id_ for id_ in ids if id_ not in found and id_ not in gone]
        if len(rest) == 1 and len(read) == 1:  # one asked for and one come: it is its survivor
            found[rest.pop()] = read.popitem()[1]
        return _Batch(found, [id_ for id_ in ids if id_ in gone and id_ not in found], rest)

    return asker.ask(asker.transport.batch.read, "contacts", request, decode=decode)


def _read_one(asker: Asker, id_: str, properties: Sequence[str], history: Sequence[str]) -> Contact | None:
    named: dict[str, Any] = {"properties": list(properties)}
    if history:
        named["properties_with_history"] = list(history)
    try:
        return asker.ask(
            asker.transport.basic.get_by_id,
            "contacts",
            id_,
            decode=lambda answer: decoding.contact(answer, history=bool(history)),
            **named,
        )
    except ContactGone:
        return None


@dataclass(frozen=True, slots=True)
class Wanted(Generic[T]):
    """Objects of one kind: their ids, what is read of them, and `decode`, which makes a value of HubSpot's JSON."""

    kind: str
    ids: Iterable[str]
    properties: Sequence[str]
    decode: Callable[[Json], T]
    history: Sequence[str] = ()


def read_objects(
    asker: Asker,
    kind: str,
    ids: Iterable[str],
    properties: Sequence[str],
    history: Sequence[str] = (),
    *,
    decode: Callable[[Json], T],
) -> dict[str, T]:
    """Objects of any kind by id, each as `decode` makes it from HubSpot's JSON; those that are gone are left out."""
    return read_each(asker, [Wanted(kind, ids, properties, decode, history)])[kind]


def read_each(asker: Asker, wanted: Sequence[Wanted[T]]) -> dict[str, dict[str, T]]:
    """The same for several kinds at once, by kind: what can be asked beside one another is."""
    found: dict[str, dict[str, T]] = {one.kind: {} for one in wanted}
    batches = [
        (one, batch)
        for one in wanted
        for batch in chunks(list(dict.fromkeys(one.ids)), BATCH_WITH_HISTORY if one.history else BATCH)
    ]

    def read(question: tuple[Wanted[T], Sequence[str]]) -> tuple[str, dict[str, T]]:
        one, batch = question

        def decode_all(answer: Answer) -> dict[str, T]:
            decoding.nothing_unread(answer, one.kind)
            return {decoding.identifier(item.get("id")): one.decode(item) for item in decoding.results(answer)}

        request: Json = {"properties": list(one.properties), "inputs": [{"id": id_} for id_ in batch]}
        if one.history:
            request["propertiesWithHistory"] = list(one.history)
        return one.kind, asker.ask(asker.transport.batch.read, one.kind, request, decode=decode_all)

    for kind, part in asker.each(read, batches):
        found[kind].update(part)
    return found
