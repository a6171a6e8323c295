"""Search: `/crm/v3/objects/{type}/search` over an index that lags behind (hubspot-api.md 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hubsync.sandbox.http import problems
from hubsync.sandbox.http.call import Call, Reply, fields, json_reply, text_list
from hubsync.sandbox.http.wire import Shape
from hubsync.sandbox.object_properties import KINDS
from hubsync.sandbox.schema import Property
from hubsync.sandbox.state import Portal
from hubsync.sandbox.tables import Indexed
from hubsync.sandbox.times import iso, parse_ms

MOST_RESULTS = 10_000
_UNSEARCHABLE = frozenset(("hs_email_html", "hs_body_preview", "hs_body_preview_html"))
_OPERATORS = frozenset(
    [
        "EQ",
        "NEQ",
        "LT",
        "LTE",
        "GT",
        "GTE",
        "BETWEEN",
        "IN",
        "NOT_IN",
        "HAS_PROPERTY",
        "NOT_HAS_PROPERTY",
        "CONTAINS_TOKEN",
        "NOT_CONTAINS_TOKEN",
    ]
)
_MODIFIED = ("lastmodifieddate", "hs_lastmodifieddate")

Reader = Callable[[Indexed], str | None]
Test = Callable[[Indexed], bool]
Key = int | float | str


def search(call: Call, kind: str) -> Reply:
    """POST search. Raises 400 for anything over HubSpot's documented limits."""
    if len(call.raw.decode("utf-8", "replace")) > 3000:
        raise problems.validation("The request body is too large: the maximum is 3000 characters")
    body = call.body("filterGroups", "filters", "sorts", "query", "properties", "limit", "after")
    limit = _integer(body, "limit", 10)
    if not 0 < limit <= 200:
        raise problems.validation(f"Search limit {limit} is out of range: it must be from 1 to 200")
    after = _integer(body, "after", 0)
    if after + limit > MOST_RESULTS:
        raise problems.validation(f"Cannot page past {MOST_RESULTS} results of a search")
    shape = Shape(call.portal, kind, text_list(body, "properties"))
    found = _cached(call.portal, kind, body)
    page = found[after : after + limit]
    answer: dict[str, Any] = {
        "total": len(found),
        "results": [shape.show(each.record, each.values, each.updated) for each in page],
    }
    if after + limit < min(len(found), MOST_RESULTS):
        answer["paging"] = {"next": {"after": str(after + limit)}}
    return json_reply(200, answer)


def _integer(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not str(value).isascii() or not str(value).isdigit():
        raise problems.validation(f"{name} must be an integer, but was: {value}")
    return int(value)


_CACHE_SIZE = 8


def _cached(portal: Portal, kind: str, body: Mapping[str, Any]) -> list[Indexed]:
    """All matches in order; kept while nothing changes, so that paging doesn't scan anew."""
    asked = {name: value for name, value in body.items() if name in ("filterGroups", "filters", "sorts", "query")}
    key = f"{kind}:{asked!r}"
    revision = portal.tables[kind].index_revision(portal.now_ms())
    cache: dict[str, tuple[tuple[int, int], list[Indexed]]] = portal.search_cache
    if (held := cache.get(key)) and held[0] == revision:
        return held[1]
    found = _matches(portal, kind, asked)
    while len(cache) >= _CACHE_SIZE:
        del cache[next(iter(cache))]
    cache[key] = (revision, found)
    return found


def _matches(portal: Portal, kind: str, body: Mapping[str, Any]) -> list[Indexed]:
    groups = _groups(body)
    tests = [[_test(portal, kind, each) for each in group] for group in groups]
    order = _order(portal, kind, body.get("sorts"))
    query = str(body.get("query") or "").lower()
    indexed = portal.tables[kind].indexed(portal.now_ms())
    if not tests:
        found = list(indexed)
    elif len(tests) == 1 and len(tests[0]) == 1:
        only = tests[0][0]
        found = [each for each in indexed if only(each)]
    else:
        found = [each for each in indexed if any(all(test(each) for test in group) for group in tests)]
    if query:
        found = [each for each in found if any(query in value.lower() for value in each.values.values())]
    if order:
        reader, descending = order
        known = [each for each in found if reader(each) is not None]
        unknown = [each for each in found if reader(each) is None]
        known.sort(key=reader, reverse=descending)  # type: ignore[arg-type]
        return known + unknown
    return sorted(found, key=lambda each: each.record.created)


def _groups(body: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    groups = [
        [fields(each, "propertyName", "operator", "value", "values", "highValue") for each in _list(group, "filters")]
        for group in (fields(item, "filters") for item in _list(body, "filterGroups"))
    ]
    if bare := _list(body, "filters"):
        groups.append([fields(each, "propertyName", "operator", "value", "values", "highValue") for each in bare])
    if len(groups) > 5:
        raise problems.validation(f"Too many filterGroups: {len(groups)}. The maximum is 5")
    if any(len(group) > 6 for group in groups):
        raise problems.validation("Too many filters in one group: the maximum is 6")
    if sum(map(len, groups)) > 18:
        raise problems.validation("Too many filters: the maximum is 18 in all groups together")
    return [group for group in groups if group]


def _list(found: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = found.get(name) or []
    if not isinstance(value, list):
        raise problems.bad_json(f'"{name}" must be a list')
    return value


def _order(portal: Portal, kind: str, sorts: Any) -> tuple[Callable[[Indexed], Key | None], bool] | None:
    if not sorts:
        return None
    if not isinstance(sorts, list) or len(sorts) > 1:
        raise problems.validation("Only one sort is supported")
    chosen = {"propertyName": sorts[0]} if isinstance(sorts[0], str) else fields(sorts[0], "propertyName", "direction")
    direction = chosen.get("direction", "ASCENDING")
    if direction not in ("ASCENDING", "DESCENDING"):
        raise problems.validation(f"{direction} isn't a sort direction")
    name = str(chosen.get("propertyName"))
    prop = _definition(portal, kind, name)
    if name in _MODIFIED:
        return (lambda each: each.updated), direction == "DESCENDING"
    reader = _reader(portal, kind, name)

    def key(each: Indexed) -> Key | None:
        value = reader(each)
        return None if value is None else _comparable(prop, value)

    return key, direction == "DESCENDING"


def _definition(portal: Portal, kind: str, name: str) -> Property:
    prop = portal.schemas.properties[kind].get(name)
    if prop is None or name in _UNSEARCHABLE:
        raise problems.validation(
            f"There was a problem with the request: property {name} can't be searched",
            errors=[{"message": f"Property {name} does not exist", "code": "PROPERTY_DOESNT_EXIST"}],
        )
    return prop


def _reader(portal: Portal, kind: str, name: str) -> Reader:
    virtual = portal.schemas.virtual[kind].get(name)
    if name in _MODIFIED:
        return lambda each: iso(each.updated)
    if virtual is None:
        return lambda each: each.values.get(name)

    def read(each: Indexed) -> str | None:
        value = each.values.get(name)
        return virtual(each.record) if value is None else value

    return read


def _comparable(prop: Property, value: str) -> Key:
    if prop.type in ("datetime", "date"):
        return parse_ms(value)
    if prop.type == "number":
        return float(value)
    return value if prop.type == "enumeration" else value.lower()


def _given(prop: Property, value: Any) -> Key:
    try:
        return _comparable(prop, str(value))
    except ValueError as error:
        raise problems.validation(f"{value} isn't a value of property {prop.name} ({prop.type})") from error


def _test(portal: Portal, kind: str, item: Mapping[str, Any]) -> Test:
    operator, name = item.get("operator"), str(item.get("propertyName"))
    if operator not in _OPERATORS:
        raise problems.bad_json(f"{operator} isn't an operator")
    if name.startswith("associations."):
        return _association_test(name.removeprefix("associations."), item)
    prop = _definition(portal, kind, name)
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        if "value" in item or "values" in item:
            raise problems.validation(f"operator {operator} doesn't take a value")
        reader, wanted = _reader(portal, kind, name), operator == "HAS_PROPERTY"
        return lambda each: (reader(each) is not None) is wanted
    if name in _MODIFIED and operator in ("GT", "GTE") and item.get("value") is not None:
        low = int(_given(prop, item["value"])) + (operator == "GT")  # every poll asks this: keep it quick
        return lambda each: each.updated >= low
    if name in _MODIFIED and operator in ("LT", "LTE", "EQ", "BETWEEN"):
        return _compare(operator, prop, item, lambda each: each.updated)
    reader = _reader(portal, kind, name)

    def key(each: Indexed) -> Key | None:
        value = reader(each)
        return None if value is None else _comparable(prop, value)

    return _compare(str(operator), prop, item, key)


def _association_test(name: str, item: Mapping[str, Any]) -> Test:
    to_kind = KINDS.get(name)
    if to_kind is None or item.get("operator") not in ("EQ", "IN"):
        raise problems.validation(f"associations.{name} can't be filtered by {item.get('operator')}")
    wanted = item["values"] if item.get("operator") == "IN" else [item.get("value")]
    ids = {str(each) for each in wanted}
    return lambda each: not ids.isdisjoint(each.record.linked(to_kind))


def _compare(operator: str, prop: Property, item: Mapping[str, Any], key: Callable[[Indexed], Key | None]) -> Test:
    """A test for the operators that compare; records without a value never match, NEQ and NOT_IN included."""
    if operator in ("IN", "NOT_IN"):
        chosen = item.get("values")
        if not isinstance(chosen, list) or not chosen:
            raise problems.validation(f"operator {operator} needs values")
        # HubSpot compares texts in lower case but doesn't lower the values given: they must come that way.
        texts = prop.type == "string"
        several = {str(each) if texts else _given(prop, each) for each in chosen}
        wanted = operator == "IN"
        return lambda each: (value := key(each)) is not None and (value in several) is wanted
    if item.get("value") is None:
        raise problems.validation(f"operator {operator} needs a value")
    if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
        token = str(item["value"]).lower().strip("*")
        holds = operator == "CONTAINS_TOKEN"
        return lambda each: (value := key(each)) is not None and (token in str(value).lower()) is holds
    low: Any = _given(prop, item["value"])
    high: Any = _given(prop, item["highValue"]) if operator == "BETWEEN" and item.get("highValue") is not None else None
    if operator == "BETWEEN" and high is None:
        raise problems.validation("operator BETWEEN needs a highValue")
    compare: dict[str, Callable[[Any], bool]] = {
        "EQ": lambda value: value == low,
        "NEQ": lambda value: value != low,
        "LT": lambda value: value < low,
        "LTE": lambda value: value <= low,
        "GT": lambda value: value > low,
        "GTE": lambda value: value >= low,
        "BETWEEN": lambda value: low <= value <= high,
    }
    holds_for = compare[operator]
    return lambda each: (value := key(each)) is not None and holds_for(value)
