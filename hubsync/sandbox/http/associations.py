"""Associations v4 (hubspot-api.md 5.5): batch read and create, one record's list, default association."""

from __future__ import annotations

from typing import Any

from hubsync.sandbox.http import problems
from hubsync.sandbox.http.batch import answer, inputs_of
from hubsync.sandbox.http.call import Call, Reply, fields, json_reply
from hubsync.sandbox.http.objects import find
from hubsync.sandbox.http.writes import association_target
from hubsync.sandbox.object_properties import ASSOCIATION_TYPES, PRIMARY_TYPES, SINGULAR
from hubsync.sandbox.records import Record
from hubsync.sandbox.state import Portal

PAGE = 500


def batch_read(call: Call, kind: str, to_kind: str) -> Reply:
    """POST batch/read: up to 1,000 records; those without associations make it a 207 and are only in `errors`."""
    inputs = inputs_of(call.body("inputs"), 1000, "id", "after")
    started = call.portal.now_ms()
    results, errors = [], []
    for item in inputs:
        asked = str(item.get("id", ""))
        record = find(call.portal, kind, asked, "")
        targets, following = _page(call.portal, record, to_kind, item.get("after"), PAGE)
        if not targets:
            errors.append(_none_found(kind, to_kind, asked))
            continue
        found: dict[str, Any] = {"from": {"id": asked}, "to": targets}
        if following:
            link = f"https://api.hubapi.com/crm/v4/objects/{kind}/{asked}/associations/{to_kind}?after={following}"
            found["paging"] = {"next": {"after": following, "link": link}}
        results.append(found)
    return answer(call, 200, results, errors, started)


def _none_found(kind: str, to_kind: str, asked: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {SINGULAR[to_kind]} is associated with {SINGULAR[kind]} {asked}.",
        "context": {
            "fromObjectId": [asked],
            "fromObjectType": [SINGULAR[kind]],
            "toObjectType": [SINGULAR[to_kind]],
        },
    }


def _page(
    portal: Portal, record: Record | None, to_kind: str, after: Any, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    if record is None:
        return [], None
    start = int(after) if str(after or "").isdigit() else 0
    targets = [each for each in portal.links.targets(record, to_kind) if each[0] >= start]
    shown = [
        {"toObjectId": target, "associationTypes": [_type_json(portal, record.kind, to_kind, each) for each in types]}
        for target, types in targets[:limit]
    ]
    return shown, str(targets[limit][0]) if len(targets) > limit else None


def _type_json(portal: Portal, kind: str, to_kind: str, type_id: int) -> dict[str, Any]:
    own = portal.links.labels.get((kind, to_kind, type_id))
    if own is not None:
        return {"category": "USER_DEFINED", "typeId": type_id, "label": own}
    label = "Primary" if PRIMARY_TYPES.get((kind, to_kind)) == type_id else None
    return {"category": "HUBSPOT_DEFINED", "typeId": type_id, "label": label}


def one_side(call: Call, kind: str, record_id: str, to_kind: str) -> Reply:
    """GET objects/{type}/{id}/associations/{to}: 404 for a record that isn't there, empty where it has none."""
    record = find(call.portal, kind, record_id, "")
    if record is None:
        raise problems.no_object()
    limit = call.number("limit", PAGE, PAGE)
    targets, following = _page(call.portal, record, to_kind, call.one("after"), limit)
    body: dict[str, Any] = {"results": targets}
    if following:
        body["paging"] = {"next": {"after": following, "link": f"https://api.hubapi.com{call.path}?after={following}"}}
    return json_reply(200, body)


def batch_create(call: Call, kind: str, to_kind: str) -> Reply:
    """POST batch/create: up to 2,000; a wrong type or a missing record refuses the whole batch."""
    inputs = inputs_of(call.body("inputs"), 2000, "from", "to", "types")
    started = call.portal.now_ms()
    ready = []
    for item in inputs:
        one = str(fields(item.get("from")).get("id", ""))
        other = str(fields(item.get("to")).get("id", ""))
        _known(call.portal, kind, one)
        for chosen in item.get("types") or []:
            found, target, type_id = association_target(call.portal, kind, other, fields(chosen))
            if found != to_kind:
                raise problems.validation(f"Association type {type_id} doesn't lead to {to_kind}")
            ready.append((one, target, type_id))
    for one, target, type_id in ready:
        call.portal.links.add(kind, one, to_kind, target, type_id=type_id)
        call.written.append(one)
    results = [_made(call.portal, kind, one, to_kind, target) for one, target, _ in ready]
    return answer(call, 201, results, [], started)


def batch_archive(call: Call, kind: str, to_kind: str) -> Reply:
    """POST batch/archive: 204."""
    for item in inputs_of(call.body("inputs"), 2000, "from", "to"):
        one = str(fields(item.get("from")).get("id", ""))
        targets = item.get("to") or []
        for other in targets if isinstance(targets, list) else [targets]:
            call.portal.links.remove(kind, one, to_kind, str(fields(other).get("id", "")))
            call.written.append(one)
    return Reply(204, b"")


def put_default(call: Call, kind: str, record_id: str, to_kind: str, to_id: str) -> Reply:
    """PUT associations/default: the unlabelled association of the two kinds."""
    _known(call.portal, kind, record_id)
    _known(call.portal, to_kind, to_id)
    started = call.portal.now_ms()
    call.portal.links.add(kind, record_id, to_kind, to_id)
    call.written.append(record_id)
    made = [
        {
            "from": {"id": one},
            "to": {"id": other},
            "associationSpec": {
                "associationCategory": "HUBSPOT_DEFINED",
                "associationTypeId": ASSOCIATION_TYPES[pair],
            },
        }
        for one, other, pair in ((record_id, to_id, (kind, to_kind)), (to_id, record_id, (to_kind, kind)))
    ]
    return answer(call, 200, made, [], started)


def remove(call: Call, kind: str, record_id: str, to_kind: str, to_id: str) -> Reply:
    """DELETE one association: 204."""
    _known(call.portal, kind, record_id)
    _known(call.portal, to_kind, to_id)
    call.portal.links.remove(kind, record_id, to_kind, to_id)
    call.written.append(record_id)
    return Reply(204, b"")


def labels(call: Call, kind: str, to_kind: str) -> Reply:
    """GET the association types of a direction, the portal's own labels among them."""
    types = [ASSOCIATION_TYPES[kind, to_kind]] if (kind, to_kind) in ASSOCIATION_TYPES else []
    if (kind, to_kind) in PRIMARY_TYPES:
        types.append(PRIMARY_TYPES[kind, to_kind])
    types += [type_id for own, to, type_id in call.portal.links.labels if (own, to) == (kind, to_kind)]
    return json_reply(200, {"results": [_type_json(call.portal, kind, to_kind, each) for each in types]})


def _known(portal: Portal, kind: str, record_id: str) -> None:
    if find(portal, kind, record_id, "") is None:
        raise problems.validation(f"No {SINGULAR[kind]} with ID {record_id} exists.", context={"ids": [record_id]})


def _made(portal: Portal, kind: str, one: str, to_kind: str, other: str) -> dict[str, Any]:
    types = portal.get(kind, one).linked(to_kind)[portal.get(to_kind, other).id]
    shown = [_type_json(portal, kind, to_kind, each) for each in types]
    return {
        "fromObjectTypeId": kind,
        "fromObjectId": int(one),
        "toObjectTypeId": to_kind,
        "toObjectId": int(other),
        "labels": [each["label"] for each in shown if each["label"]],
    }
