"""One record at a time, and the list: `/crm/v3/objects/{type}` and `/{id}`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from hubsync.sandbox import merge
from hubsync.sandbox.http import problems
from hubsync.sandbox.http.call import Call, Reply, json_reply
from hubsync.sandbox.http.wire import Shape
from hubsync.sandbox.http.writes import checked_properties, create_one, echo, rule_faults
from hubsync.sandbox.records import Record
from hubsync.sandbox.state import EmailTakenError, Portal


def list_page(call: Call, kind: str) -> Reply:
    """GET: ascending by id; `after` is the id that the next page starts at (or an opaque text, by switch)."""
    shape = _shape(call, kind)
    limit = call.number("limit", 10, 100)
    if shape.with_history and limit > 50:
        raise problems.too_many_inputs(50, histories=True)
    start = _cursor(call.portal, call.one("after"))
    records, following = call.portal.tables[kind].page(start, limit, archived=call.flag("archived"))
    body: dict[str, Any] = {"results": [shape.show(record) for record in records]}
    if following is not None:
        after = _opaque(following) if call.portal.switches.opaque_cursors else str(following)
        body["paging"] = {"next": {"after": after, "link": f"https://api.hubapi.com{call.path}?after={after}"}}
    return json_reply(200, body)


def get(call: Call, kind: str, record_id: str) -> Reply:
    """GET one: by id (a merged contact's old id finds the survivor) or by `idProperty=email`."""
    shape = _shape(call, kind)
    record = find(call.portal, kind, record_id, call.one("idProperty"), archived=call.flag("archived"))
    if record is None:
        raise problems.no_object()
    return json_reply(200, shape.show(record))


def create(call: Call, kind: str) -> Reply:
    """POST one: 201, or 400/409."""
    body = call.body("properties", "associations", "objectWriteTraceId")
    record = create_one(call, kind, body)
    return json_reply(201, echo(call.portal, record, body.get("properties") or {}))


def update(call: Call, kind: str, record_id: str) -> Reply:
    """PATCH one: 200 with the resulting values (a backward stage shows the old one)."""
    body = call.body("properties", "objectWriteTraceId")
    record = find(call.portal, kind, record_id, call.one("idProperty"))
    if record is None:
        raise problems.no_object()
    changes = checked_properties(call.portal, kind, body.get("properties"))
    if faults := rule_faults(call, kind, record.values, changes):
        raise problems.invalid_properties(faults)
    apply(call, kind, record, changes)
    return json_reply(200, echo(call.portal, record, changes))


def apply(call: Call, kind: str, record: Record, changes: Mapping[str, str]) -> None:
    """Write checked changes as the calling app; note the id where something changed."""
    try:
        changed = call.portal.update(kind, record.id, changes)
    except EmailTakenError as error:
        raise problems.contact_exists(error.existing) from error
    if changed:
        call.written.append(record.id)


def archive(call: Call, kind: str, record_id: str) -> Reply:
    """DELETE: 204; a record that isn't there is 204 too, as HubSpot answers."""
    record = find(call.portal, kind, record_id, "")
    if record is not None:
        archive_one(call.portal, kind, record)
        call.written.append(record.id)
    return Reply(204, b"")


def archive_one(portal: Portal, kind: str, record: Record) -> None:
    """Delete; deleting an e-mail is permanent."""
    if kind == "emails":
        portal.purge(kind, record.id)
    else:
        portal.archive(kind, record.id)


def merge_pair(call: Call, kind: str) -> Reply:
    """POST merge: two contacts become one."""
    body = call.body("primaryObjectId", "objectIdToMerge")
    if kind != "contacts":
        raise problems.no_route()
    try:
        survivor = merge.merge_contacts(call.portal, str(body["primaryObjectId"]), str(body["objectIdToMerge"]))
    except KeyError as error:
        raise problems.no_object() from error
    except ValueError as error:
        raise problems.validation(str(error)) from error
    call.written.append(survivor)
    return json_reply(200, Shape(call.portal, kind).show(call.portal.get(kind, survivor)))


def gdpr_delete(call: Call, kind: str) -> Reply:
    """POST gdpr-delete: 204, the contact is gone for good."""
    body = call.body("objectId", "idProperty")
    record = find(call.portal, kind, str(body.get("objectId")), str(body.get("idProperty") or ""))
    if kind != "contacts" or record is None:
        raise problems.no_object()
    call.portal.purge(kind, record.id)
    call.written.append(record.id)
    return Reply(204, b"")


def find(portal: Portal, kind: str, record_id: str, id_property: str, *, archived: bool = False) -> Record | None:
    """A record by id or by another identifying property. Raises a 400 for a property that doesn't identify."""
    if id_property and id_property != "hs_object_id":
        if (kind, id_property) != ("contacts", "email"):
            raise problems.validation(f"idProperty {id_property} isn't a unique property of {kind}")
        record_id = portal.emails.get(record_id.lower(), "")
    try:
        return portal.get(kind, record_id, archived=archived)
    except KeyError:
        return None


def _shape(call: Call, kind: str) -> Shape:
    return Shape(
        call.portal, kind, call.many("properties"), call.many("propertiesWithHistory"), call.many("associations")
    )


def _cursor(portal: Portal, after: str) -> int:
    if not after:
        return 0
    if portal.switches.opaque_cursors:
        try:
            return int(base64.urlsafe_b64decode(after.encode()).decode().removeprefix("page:")[::-1])
        except (ValueError, binascii.Error) as error:
            raise problems.validation("The paging cursor is invalid") from error
    if not (after.isascii() and after.isdigit()):
        raise problems.validation("The paging cursor is invalid")
    return int(after)


def _opaque(record_id: int) -> str:
    return base64.urlsafe_b64encode(f"page:{str(record_id)[::-1]}".encode()).decode()
