"""HubSpot's JSON into values, once, with its shape checked: what is not as documented never becomes data.

Every function raises PortalTemporaryError (or KeyError, TypeError, ValueError, which the transport turns into one) for
an answer of another shape. Unknown fields are passed over. Nothing is called from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hubsync.errors import PortalPermanentError, PortalTemporaryError
from hubsync.policy.contact import Contact, Deal, Engagement, StageVisit
from hubsync.portal.answers import Answer, Json, no_answer, quoted
from hubsync.portal.values import Account, Option, Owner, Pipeline, PipelineStage, PropertyDefinition, Task, Team

_REFUSED = frozenset({"VALIDATION_ERROR", "MISSING_SCOPES"})
"""Categories of a 207's errors for which another try changes nothing."""


def body(answer: Answer) -> Json:
    """The answer's body, a JSON object."""
    if not isinstance(answer.body, dict):
        no_answer("it is not a JSON object")
    return answer.body


def results(answer: Answer) -> list[Json]:
    """The objects under `results`."""
    found = body(answer).get("results")
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        no_answer("it has no list of results")
    return found


def errors(answer: Answer) -> list[Json]:
    """The objects under `errors` of a 207; none in any other answer."""
    found = body(answer).get("errors") or []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        no_answer("its errors are not a list")
    return found


def nothing_unread(answer: Answer, what: str) -> None:
    """Raise where a 207 says more than that something isn't there: what it leaves out may be there all the same.

    PortalPermanentError for a question HubSpot won't answer, PortalTemporaryError for anything else.
    """
    for error in errors(answer):
        category = error.get("category")
        if category == "OBJECT_NOT_FOUND":
            continue
        kind = PortalPermanentError if category in _REFUSED else PortalTemporaryError
        raise kind(f"HubSpot could not read {what}: {quoted(error.get('message'))}", status=207)


def context(error: Json, name: str) -> tuple[str, ...]:
    """The list that an error's `context` holds under `name`, as text."""
    found = error.get("context")
    values = found.get(name) if isinstance(found, dict) else None
    if values is None:
        return ()
    return tuple(map(str, values)) if isinstance(values, list) else (str(values),)


def next_after(paged: Json) -> str | None:
    """The cursor of the next page; None on the last page, which has no `paging`."""
    paging = paged.get("paging")
    if paging is None:
        return None
    following = paging.get("next")
    return None if following is None else identifier(following["after"])


def total(answer: Answer) -> int:
    """The `total` of a search."""
    count = body(answer).get("total")
    if type(count) is not int or count < 0:
        no_answer("it has no total")
    return count


def identifier(value: object) -> str:
    """An id or cursor as text: v4 and owners have numbers where v3 has text."""
    if type(value) is int:
        return str(value)
    if type(value) is not str or not value:
        no_answer("a record has no id")
    return value


def contacts(answer: Answer, *, history: bool) -> list[Contact]:
    """The contacts under `results`, raw values and history entries as they came."""
    return [_contact(item, history) for item in results(answer)]


def contact(answer: Answer, *, history: bool) -> Contact:
    """One contact that is the whole answer."""
    return _contact(body(answer), history)


def _contact(item: Json, history: bool) -> Contact:
    entries = item.get("propertiesWithHistory")
    if history and type(entries) is not dict:
        no_answer("a contact came without the history that was asked for")
    return Contact(identifier(item.get("id")), properties(item), entries if history else None)


def properties(item: Json) -> Mapping[str, str | None]:
    """An object's property values: text or None."""
    found = item.get("properties")
    if type(found) is not dict:
        no_answer("a record has no properties")
    return found


def moment(value: object) -> datetime | None:
    """An instant as HubSpot writes it: ISO 8601, or milliseconds since 1970; None where it is empty."""
    if value is None or value == "":
        return None
    text = str(value)
    if text.isascii() and text.lstrip("-").isdigit():
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def deal(item: Json) -> Deal:
    """A deal read with the history of its stage, not yet tied to a contact."""
    values = properties(item)
    entries = item["propertiesWithHistory"].get("dealstage", ())
    visits = ((str(entry["value"] or ""), moment(entry["timestamp"])) for entry in entries)
    return Deal(
        id=identifier(item.get("id")),
        pipeline=values.get("pipeline") or "",
        properties=values,
        stage_history=tuple(StageVisit(stage, at) for stage, at in visits if at is not None),
    )


def engagement(kind: str, item: Json) -> Engagement | None:
    """An e-mail, call, meeting or communication; None for one that tells no time."""
    values = properties(item)
    at = moment(values.get("hs_timestamp") or values.get("hs_createdate") or item.get("createdAt"))
    return None if at is None else Engagement(kind, identifier(item.get("id")), at, values)


def task(item: Json) -> Task:
    """A task."""
    values = properties(item)
    return Task(
        id=identifier(item.get("id")),
        subject=values.get("hs_task_subject") or "",
        body=values.get("hs_task_body") or "",
        status=values.get("hs_task_status") or "",
        owner_id=values.get("hubspot_owner_id") or None,
        due=moment(values.get("hs_timestamp")),
        priority=values.get("hs_task_priority") or "NONE",
        type=values.get("hs_task_type") or "TODO",
        created_at=moment(values.get("hs_createdate") or item.get("createdAt")),
        modified_at=moment(values.get("hs_lastmodifieddate") or item.get("updatedAt")),
        source=values.get("hs_object_source") or "",
        source_id=values.get("hs_object_source_id") or "",
        completed_at=moment(values.get("hs_task_completion_date")),
    )


def account(answer: Answer) -> Account:
    """The portal's details."""
    found = body(answer)
    return Account(
        portal_id=int(found["portalId"]),
        time_zone=str(found["timeZone"]),
        ui_domain=str(found.get("uiDomain") or "app.hubspot.com"),
        currency=str(found.get("companyCurrency") or ""),
        account_type=str(found.get("accountType") or ""),
    )


def property_definition(item: Json) -> PropertyDefinition:
    """A property's definition, options in display order."""
    options = (
        Option(str(o["value"]), str(o.get("label") or o["value"]), _order(o), bool(o.get("hidden")))
        for o in item.get("options") or ()
    )
    metadata = item.get("modificationMetadata") or {}
    return PropertyDefinition(
        name=identifier(item["name"]),
        label=str(item.get("label") or item["name"]),
        type=str(item["type"]),
        field_type=str(item.get("fieldType") or ""),
        group=str(item.get("groupName") or ""),
        options=tuple(sorted(options, key=lambda option: option.order)),
        read_only=bool(metadata.get("readOnlyValue")),
        calculated=bool(item.get("calculated")),
        hidden=bool(item.get("hidden")),
    )


def owner(item: Json) -> Owner:
    """An owner, active or not."""
    user = item.get("userId") or item.get("userIdIncludingInactive")
    teams = (
        Team(identifier(t["id"]), str(t.get("name") or ""), bool(t.get("primary"))) for t in item.get("teams") or ()
    )
    return Owner(
        id=identifier(item.get("id")),
        email=str(item.get("email") or ""),
        first_name=str(item.get("firstName") or ""),
        last_name=str(item.get("lastName") or ""),
        user_id=None if user is None else identifier(user),
        archived=bool(item.get("archived")),
        teams=tuple(teams),
    )


def pipeline(item: Json) -> Pipeline:
    """A deal pipeline. HubSpot gives a step's probability and whether it is closed as text."""
    stages = (_stage(stage) for stage in item["stages"] if not stage.get("archived"))
    return Pipeline(
        id=identifier(item["id"]),
        label=str(item.get("label") or item["id"]),
        stages=tuple(sorted(stages, key=lambda stage: stage.order)),
    )


def _stage(item: Json) -> PipelineStage:
    metadata = item.get("metadata") or {}
    closed = str(metadata.get("isClosed", "")).lower() == "true"
    won = closed and float(metadata.get("probability") or 0) == 1.0
    return PipelineStage(identifier(item["id"]), str(item.get("label") or item["id"]), _order(item), closed, won)


def _order(item: Json) -> int:
    order: Any = item.get("displayOrder")
    return int(order) if order is not None else 0
