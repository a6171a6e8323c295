"""Batches: `/crm/v3/objects/{type}/batch/{read,create,update,archive}`. Refused whole, or answered 200, 201, 207."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from hubsync.sandbox.http import problems
from hubsync.sandbox.http.call import Call, Reply, fields, json_reply, text_list
from hubsync.sandbox.http.objects import apply, archive_one, find
from hubsync.sandbox.http.problems import ApiProblemError
from hubsync.sandbox.http.wire import Shape
from hubsync.sandbox.http.writes import (
    Target,
    checked_associations,
    checked_new,
    echo,
    property_faults,
    rule_faults,
    write_new,
)
from hubsync.sandbox.object_properties import SINGULAR
from hubsync.sandbox.records import Record
from hubsync.sandbox.times import iso

_INPUT_KEYS = ("id", "properties", "idProperty", "objectWriteTraceId", "associations")


def inputs_of(body: Mapping[str, Any], limit: int, *keys: str) -> list[dict[str, Any]]:
    """The inputs of a batch, at most `limit`. Raises 400."""
    found = body.get("inputs")
    if not isinstance(found, list):
        raise problems.bad_json('"inputs" must be a list')
    if len(found) > limit:
        raise problems.too_many_inputs(limit)
    return [fields(item, *keys) for item in found]


def answer(
    call: Call, status: int, results: Sequence[Mapping[str, Any]], errors: Sequence[Mapping[str, Any]], started: int
) -> Reply:
    """A batch's answer: `status`, or 207 where there are errors."""
    body: dict[str, Any] = {"status": "COMPLETE", "results": results}
    if errors:
        body["numErrors"] = len(errors)
        body["errors"] = errors
    body["startedAt"] = iso(started)
    body["completedAt"] = iso(call.portal.now_ms())
    return json_reply(207 if errors else status, body)


def read(call: Call, kind: str) -> Reply:
    """POST read: 200, or 207 with the ids that don't exist; in no particular order, each record once."""
    body = call.body("properties", "propertiesWithHistory", "idProperty", "inputs")
    started = call.portal.now_ms()
    history = text_list(body, "propertiesWithHistory")
    inputs = inputs_of(body, 100, "id")
    if history and len(inputs) > 50:
        raise problems.too_many_inputs(50, histories=True)
    shape = Shape(call.portal, kind, text_list(body, "properties"), history)
    archived = call.flag("archived")
    found: dict[str, Record] = {}
    missing = []
    for item in inputs:
        asked = str(item.get("id", ""))
        record = find(call.portal, kind, asked, str(body.get("idProperty") or ""), archived=archived)
        if record is None:
            missing.append(asked)
        else:
            found[record.id] = record
    ordered = sorted(found.values(), key=lambda record: crc32(record.id.encode()))
    errors = [problems.missing_ids(SINGULAR[kind].upper(), missing)] if missing else []
    return answer(call, 200, [shape.show(record) for record in ordered], errors, started)


def _traced(inputs: Sequence[Mapping[str, Any]]) -> bool:
    traces = [item.get("objectWriteTraceId") for item in inputs]
    return bool(traces) and all(traces) and len(set(traces)) == len(traces)


def _item_error(error: ApiProblemError, trace: str) -> dict[str, Any]:
    body = dict(error.body)
    body["context"] = {**body.get("context", {}), "objectWriteTraceId": [trace]}
    return body


def update(call: Call, kind: str) -> Reply:
    """POST update: one bad property refuses all, unless every input has its own objectWriteTraceId (then 207)."""
    inputs = inputs_of(call.body("inputs"), 100, *_INPUT_KEYS)
    started = call.portal.now_ms()
    counted = Counter(str(item.get("id", "")) for item in inputs)
    if twice := [each for each, count in counted.items() if count > 1]:
        raise problems.duplicate_ids(twice)
    traced = _traced(inputs)
    ready: list[tuple[Record, dict[str, str], str]] = []
    errors: list[dict[str, Any]] = []
    faults: list[dict[str, Any]] = []
    missing: list[str] = []
    for item in inputs:
        trace = str(item.get("objectWriteTraceId") or "")
        changes, wrong = property_faults(call.portal, kind, item.get("properties"))
        record = _for_update(call, kind, item)
        if record is not None:
            wrong += rule_faults(call, kind, record.values, changes)
        if wrong:
            faults.extend(wrong)
            errors.append(_item_error(problems.invalid_properties(wrong), trace))
        elif record is None:
            missing.append(str(item.get("id", "")))
        else:
            ready.append((record, changes, trace))
    if faults and not traced:
        raise problems.invalid_properties(faults)
    if missing:
        errors.append(problems.missing_ids(SINGULAR[kind].upper(), missing))
    results = []
    for record, changes, trace in ready:
        try:
            apply(call, kind, record, changes)
        except ApiProblemError as error:
            if not traced:
                raise
            errors.append(_item_error(error, trace))
        else:
            results.append(_with_trace(echo(call.portal, record, changes), trace))
    return answer(call, 200, results, errors, started)


def _for_update(call: Call, kind: str, item: Mapping[str, Any]) -> Record | None:
    asked = str(item.get("id", ""))
    record = find(call.portal, kind, asked, str(item.get("idProperty") or ""))
    if record is not None and not item.get("idProperty") and record.id != asked:
        return None  # a merged contact's old id is refused in batch updates
    return record


def _with_trace(body: dict[str, Any], trace: str) -> dict[str, Any]:
    if trace:
        body["objectWriteTraceId"] = trace
    return body


def create(call: Call, kind: str) -> Reply:
    """POST create: 201; one bad input refuses all, unless every input has its own objectWriteTraceId (then 207)."""
    inputs = inputs_of(call.body("inputs"), 100, *_INPUT_KEYS)
    started = call.portal.now_ms()
    traced = _traced(inputs)
    ready: list[tuple[dict[str, Any], dict[str, str], list[Target]]] = []
    errors: list[dict[str, Any]] = []
    claimed: set[str] = set()
    for item in inputs:
        try:
            values = checked_new(call, kind, item.get("properties"))
            targets = checked_associations(call.portal, kind, item.get("associations"))
            _claim(call, kind, values, claimed)
        except ApiProblemError as error:
            if not traced:
                raise
            errors.append(_item_error(error, str(item["objectWriteTraceId"])))
        else:
            ready.append((item, values, targets))
    results = []
    for item, values, targets in ready:
        record = write_new(call, kind, values, targets)
        results.append(_with_trace(echo(call.portal, record, values), str(item.get("objectWriteTraceId") or "")))
    return answer(call, 201, results, errors, started)


def _claim(call: Call, kind: str, values: Mapping[str, str], claimed: set[str]) -> None:
    email = values.get("email", "").lower()
    if kind != "contacts" or not email:
        return
    if existing := call.portal.emails.get(email):
        raise problems.contact_exists(existing)
    if email in claimed:
        raise problems.validation(f"Duplicate values found in batch input for email: [{email}]")
    claimed.add(email)


def archive(call: Call, kind: str) -> Reply:
    """POST archive: 204, whether or not the records exist."""
    for item in inputs_of(call.body("inputs"), 100, "id"):
        record = find(call.portal, kind, str(item.get("id", "")), "")
        if record is not None:
            archive_one(call.portal, kind, record)
            call.written.append(record.id)
    return Reply(204, b"")
