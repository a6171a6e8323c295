"""What is associated with what (v4): ids and labels only, for many records at once.

HubSpot answers 207 as soon as one record has no association: that is the normal case, not a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hubsync.portal import decoding
from hubsync.portal.answers import Answer, Json
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
    return associated_each(asker, kind, ids, (to,))[to]


def associated_each(
    asker: Asker, kind: str, ids: Iterable[str], kinds: Sequence[str]
) -> dict[str, dict[str, tuple[Link, ...]]]:
    """The same for several kinds at once, by kind: what can be asked beside one another is."""
    asked = list(dict.fromkeys(ids))
    found: dict[str, dict[str, dict[str, Link]]] = {to: {id_: {} for id_ in asked} for to in kinds}
    waiting: list[tuple[str, Sequence[Json]]] = [
        (to, batch) for to in kinds for batch in chunks([{"id": id_} for id_ in asked], BATCH)
    ]

    def read(question: tuple[str, Sequence[Json]]) -> tuple[str, _Page]:
        to, batch = question
        get_page = asker.transport.associations.get_page
        return to, asker.ask(get_page, kind, to, {"inputs": list(batch)}, decode=_decode)

    while waiting:
        more: dict[str, list[Json]] = {}
        for to, page in asker.each(read, waiting):
            for id_, links in page.links:
                found[to].setdefault(id_, {}).update((link.id, link) for link in links)
            more.setdefault(to, []).extend(page.more)
        waiting = [(to, batch) for to, inputs in more.items() for batch in chunks(inputs, BATCH)]
    return {to: {id_: tuple(links.values()) for id_, links in some.items()} for to, some in found.items()}


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
    decoding.nothing_unread(answer, "associations")
    return page


def _link(to: Json) -> Link:
    labels = (kind.get("label") for kind in to.get("associationTypes") or ())
    return Link(decoding.identifier(to["toObjectId"]), frozenset(str(label) for label in labels if label))
