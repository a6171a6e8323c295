"""Questions that HubSpot's search index answers: how many, and which changed since.

The index lags by seconds, so values of it are never used, only ids. Five searches a second for the whole account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hubsync.portal import decoding
from hubsync.portal.answers import Answer, Json, no_answer
from hubsync.portal.asking import Asker

T = TypeVar("T")

PAGE = 200
_EPOCH = datetime.fromtimestamp(0, UTC)
_MILLISECOND = timedelta(milliseconds=1)

MODIFIED = {"contacts": "lastmodifieddate"}  # every other object has hs_lastmodifieddate


def milliseconds(at: datetime) -> str:
    """An instant as search filters take it: whole milliseconds since 1970, cut off."""
    return str((at - _EPOCH) // _MILLISECOND)


def count_contacts(asker: Asker) -> int:
    """How many contacts there are, archived ones aside."""
    return _search(asker, "contacts", [], limit=1, decode=decoding.total)


def count_having(asker: Asker, name: str, value: str | None = None, kind: str = "contacts") -> int:
    """How many records of `kind` have `value` of the property `name`, or any where that is None.

    Options are compared with their case.
    """
    filters = [_filter(name, "EQ", value) if value is not None else {"propertyName": name, "operator": "HAS_PROPERTY"}]
    return _search(asker, kind, filters, limit=1, decode=decoding.total)


def newest_having(asker: Asker, name: str, limit: int) -> list[str]:
    """Ids of up to `limit` (at most 200) contacts with any value of a property, the one changed last first."""
    filters = [{"propertyName": name, "operator": "HAS_PROPERTY"}]

    def decode(answer: Answer) -> list[str]:
        return [decoding.identifier(item.get("id")) for item in decoding.results(answer)]

    newest_first = (MODIFIED["contacts"], "DESCENDING")
    return _search(asker, "contacts", filters, limit=limit, sort=newest_first, decode=decode)


@dataclass(frozen=True, slots=True)
class Counted:
    """How many contacts the index has, and the highest id among them (0 without any)."""

    contacts: int
    highest: int


def count_created(asker: Asker, before: datetime | None = None) -> Counted:
    """Counts contacts; only those created before a moment, where one is given."""
    filters = [] if before is None else [_filter("createdate", "LT", milliseconds(before))]

    def decode(answer: Answer) -> Counted:
        ids = (int(decoding.identifier(item.get("id"))) for item in decoding.results(answer))
        return Counted(decoding.total(answer), max(ids, default=0))

    return _search(asker, "contacts", filters, limit=1, sort=("hs_object_id", "DESCENDING"), decode=decode)


def modified_since(asker: Asker, kind: str, at: datetime) -> Iterator[Mapping[str, datetime]]:
    """What of `kind` changed at or after `at`, oldest change first: pages of id → when it changed, each change once.

    Each page is asked for by the last moment seen, not by an offset: records that change meanwhile move to the end, and
    an offset would skip others for it (and HubSpot ends offsets at 10,000). Where a whole page shares one moment, that
    moment is gone through by id.
    """
    name = MODIFIED.get(kind, "hs_lastmodifieddate")
    since = at
    seen: dict[str, datetime] = {}

    def page(filters: Sequence[Json], sort: str) -> dict[str, datetime]:
        def decode(answer: Answer) -> dict[str, datetime]:
            return {decoding.identifier(i.get("id")): _changed(i, name) for i in decoding.results(answer)}

        return _search(asker, kind, filters, limit=PAGE, sort=(sort, "ASCENDING"), properties=[name], decode=decode)

    while True:
        found = page([_filter(name, "GTE", milliseconds(since))], name)
        fresh = {id_: changed for id_, changed in found.items() if seen.get(id_) != changed}
        if fresh:
            yield fresh
        if len(found) < PAGE:
            return
        last = max(found.values())
        if last > since:
            seen = {id_: changed for id_, changed in found.items() if changed == last}
            since = last
            continue
        yield from _sharing(page, name, since, seen | found)
        since, seen = since + _MILLISECOND, {}


def _sharing(
    page: Callable[[Sequence[Json], str], dict[str, datetime]], name: str, at: datetime, seen: Mapping[str, datetime]
) -> Iterator[Mapping[str, datetime]]:
    """All that changed within the one millisecond `at`, by ascending id, without what was seen already."""
    moment = [_filter(name, "GTE", milliseconds(at)), _filter(name, "LT", milliseconds(at + _MILLISECOND))]
    highest = 0
    while True:
        found = page([*moment, _filter("hs_object_id", "GT", str(highest))], "hs_object_id")
        if fresh := {id_: changed for id_, changed in found.items() if id_ not in seen}:
            yield fresh
        if len(found) < PAGE:
            return
        highest = max(map(int, found))


def _search(
    asker: Asker,
    kind: str,
    filters: Sequence[Json],
    *,
    decode: Callable[[Answer], T],
    limit: int,
    sort: tuple[str, str] | None = None,
    properties: Sequence[str] = (),
) -> T:
    request: Json = {"limit": limit, "properties": list(properties)}
    if filters:
        request["filterGroups"] = [{"filters": list(filters)}]
    if sort is not None:
        request["sorts"] = [{"propertyName": sort[0], "direction": sort[1]}]
    return asker.ask(asker.transport.search.do_search, kind, request, decode=decode)


def _filter(name: str, operator: str, value: str) -> Json:
    return {"propertyName": name, "operator": operator, "value": value}


def _changed(item: Json, name: str) -> datetime:
    at = decoding.moment(decoding.properties(item).get(name))
    if at is None:
        no_answer(f"a record tells no {name}")
    return at
