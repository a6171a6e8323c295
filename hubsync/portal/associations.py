"""What is associated with what (v4): ids and labels only, for many records at once.

HubSpot answers 207 as soon as one record has no association: that is the normal case, not a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hubsync.errors import PortalPermanentError
from hubsync.portal import decoding
from hubsync.portal.answers import Answer, Json, quoted
from hubsync.portal.asking import Asker, chunks

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Link:
    """One association: the other record's id and the labels it was given in the portal."""

    id: str
    labels: frozenset[str] = frozenset()


def associated(asker: Asker, kind: str, ids: Iterable[str], to: str) -> dict[str, tuple[Link, ...]]:
    """The records of kind `to` that each of `ids` (of `kind`) is associated with; every id asked for has an entry.

    A record with more than HubSpot tells at once (500) is asked for again by its own cursor.
    """
    asked = list(dict.fromkeys(ids))
    found: dict[str, dict[str, Link]] = {id_: {} for id_ in asked}
    inputs: list[Json] = [{"id": id_} for id_ in asked]
    while inputs:

        def read(batch: Sequence[Json]) -> _Page:
            return asker.ask(asker.transport.associations.get_page, kind, to, {"inputs": list(batch)}, decode=_decode)

        more: list[Json] = []
        for page in asker.each(read, chunks(inputs, BATCH)):
            for id_, links in page.links:
                found.setdefault(id_, {}).update((link.id, link) for link in links)
            more.extend(page.more)
        inputs = more
    return {id_: tuple(links.values()) for id_, links in found.items()}


@dataclass(frozen=True, slots=True)
class _Page:
    links: list[tuple[str, list[Link]]]
    more: list[Json]


def _decode(answer: Answer) -> _Page:
    page = _Page([], [])
    for item in decoding.results(answer):
        id_ = decoding.identifier(item["from"]["id"])
        page.links.append((id_, [_link(to) for to in item["to"]]))
        after = decoding.next_after(item)
        if after is not None:
            page.more.append({"id": id_, "after": after})
    for error in decoding.errors(answer):
        if error.get("category") != "OBJECT_NOT_FOUND":
            raise PortalPermanentError(
                f"HubSpot could not read associations: {quoted(error.get('message'))}", status=207
            )
    return page


def _link(to: Json) -> Link:
    labels = (kind.get("label") for kind in to.get("associationTypes") or ())
    return Link(decoding.identifier(to["toObjectId"]), frozenset(str(label) for label in labels if label))
