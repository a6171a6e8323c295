"""What a workflow's webhook action asks hubsync to look at (hubspot-api.md 7.3): one record, in whatever shape.

HubSpot sends contacts in the old v1 shape (`vid`, `canonical-vid`), deals in theirs, or just the fields that somebody
chose, in the body or as query parameters. Pure, and without exceptions, as events.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from hubsync.service.intake import Hint
from hubsync.web.events import KINDS, Expected, Parsed, id_of, text_of

CONTACT_FIELDS = ("canonical-vid", "contactId", "vid")
"""Fields that hold a contact's id whatever the record is; of a merged contact the survivor's comes first."""
DEAL_FIELDS = ("dealId",)
RECORD_FIELDS = ("hs_object_id", "objectId", "id", "properties.hs_object_id")
"""Fields that hold the record's own id: a contact's, unless an objectTypeId says otherwise."""
WHY = "workflow"
MOST_PARAMETERS = 1_000


def parse_workflow(body: bytes, query: bytes, expected: Expected, id_field: str | None = None) -> Parsed:
    """The record that a workflow sent, by the body, else by the query. `id_field` may lead into objects with dots."""
    reasons = []
    for record in (*_in_body(body), *_in_query(query)):
        if any(
            record.get(name) is not None and text_of(record[name]) != str(expected.portal)
            for name in ("portal-id", "portalId")
        ):
            return _ignored("of another portal")
        if (item := _item(record, id_field)) is not None:
            return Parsed((Hint((item,), WHY),), used=1)
        reasons.append("without a usable id")
    return _ignored(reasons[0] if reasons else "not a record")


def _ignored(reason: str) -> Parsed:
    return Parsed(ignored=((reason, 1),))


def _in_body(body: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if isinstance(document, dict):
        yield document


def _in_query(query: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        pairs = parse_qsl(query.decode("ascii"), max_num_fields=MOST_PARAMETERS)
    except ValueError:  # not ASCII, or more parameters than any workflow sends
        return
    if pairs:
        yield dict(pairs)


def _item(record: Mapping[str, Any], id_field: str | None) -> str | None:
    if id_field is None:
        if (contact := _first_id(record, CONTACT_FIELDS)) is not None:
            return contact
        if (deal := _first_id(record, DEAL_FIELDS)) is not None:
            return f"deals:{deal}"
    id_ = _first_id(record, RECORD_FIELDS if id_field is None else (id_field,))
    kind = KINDS.get(text_of(record.get("objectTypeId", "0-1")) or "")
    if id_ is None or kind is None:
        return None
    return id_ if kind == "contacts" else f"{kind}:{id_}"


def _first_id(record: Mapping[str, Any], fields: Iterable[str]) -> str | None:
    return next((id_ for name in fields if (id_ := id_of(_value(record, name))) is not None), None)


def _value(record: Mapping[str, Any], name: str) -> object:
    """The value of a field, by its name as it stands, else step by step at its dots; of `{"value": …}` the value."""
    value: object = record.get(name)
    if value is None:
        value = record
        for step in name.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
    return value.get("value") if isinstance(value, Mapping) else value
