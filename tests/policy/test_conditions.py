"""Conditions in the words of HubSpot's list filters (design 6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hubsync.policy.conditions import ALL_OPERATORS, Fault, compile_condition
from hubsync.policy.rules import all_of, any_of
from hubsync.policy.view import DEALS, HISTORY, View
from hubsync.policy.vocabulary import Terms
from tests.builders import NOW, a_contact, a_deal, a_mail, ago, policy, stamp


class Words:
    """The shipped words, with a list and a name."""

    statuses: Terms = policy().statuses
    stages: Terms = policy().stages
    lists = {"early": ("new", "attempting")}  # noqa: RUF012 (a plain stand-in)
    names = {"goal": "sql"}  # noqa: RUF012


def holds(name: str, operator: str, operand: Any, **contact: Any) -> bool:
    status, stage = contact.pop("status", "new"), contact.pop("stage", "mql")
    view = View(policy(), a_contact(status, stage, **contact), NOW)
    return bool(compile_condition(name, operator, operand, Words()).test(view))


@pytest.mark.parametrize(
    ("operator", "operand", "value", "expected"),
    [
        ("is", "Lyon", "lyon", True),
        ("is", "Lyon", "Paris", False),
        ("is", "Lyon", None, False),
        ("is", "none", None, True),
        ("is_not", "Lyon", "Paris", True),
        ("is_not", "Lyon", None, True),
        ("is_any_of", ["Lyon", "Paris"], "PARIS", True),
        ("is_any_of", ["Lyon", "none"], "", True),
        ("is_none_of", ["Lyon"], "Lyon", False),
        ("is_none_of", ["Lyon"], None, True),
        ("is_known", "true", "x", True),
        ("is_known", "true", "", False),
        ("is_known", "false", None, True),
        ("is_unknown", "true", None, True),
        ("is_unknown", "true", "x", False),
        ("is_more_than", "5", "5.5", True),
        ("is_more_than", "5", "5", False),
        ("is_more_than", "5", None, False),
        ("is_more_than", "5", "many", False),
        ("is_less_than", "5", "4", True),
        ("is_less_than", "5", None, False),
        ("is_at_least", "5", "5", True),
        ("is_at_most", "5", "5", True),
        ("is_at_most", "5", "6", False),
        ("is_between", ["1", "3"], "3", True),
        ("is_between", ["1", "3"], "3.1", False),
        ("is_between", ["1", "3"], None, False),
        ("contains_any_of", ["RED", "blue"], "infrared", True),
        ("contains_any_of", "red", None, False),
        ("contains_none_of", ["red"], "infrared", False),
        ("contains_none_of", ["red"], None, True),
        ("is_before", "2026-01-01", "2025-12-31T23:59:59Z", True),
        ("is_before", "2026-01-01", None, False),
        ("is_after", "2026-01-01", "2026-01-01T00:00:01Z", True),
        ("is_after", "2026-01-01", "soon", False),
        ("is_between", ["2026-01-01", "2026-02-01"], "2026-01-15", True),
        ("is_between", ["2026-01-01", "2026-02-01"], "2026-02-02", False),
    ],
)
def test_operators_on_properties(operator: str, operand: Any, value: str | None, expected: bool) -> None:
    assert holds("a_property", operator, operand, a_property=value) is expected


@pytest.mark.parametrize(
    ("operator", "operand", "status", "expected"),
    [
        ("is", "new", "new", True),
        ("is_any_of", "early", "attempting", True),
        ("is_any_of", ["none"], "none", True),
        ("is_none_of", ["new"], "none", True),
        ("is_unknown", "true", "none", True),
        ("is", "new", "OPEN", False),
        ("is_none_of", ["new"], "OPEN", True),
    ],
)
def test_operators_on_statuses(operator: str, operand: Any, status: str, expected: bool) -> None:
    assert holds("lead_status", operator, operand, status=status) is expected


@pytest.mark.parametrize(
    ("operator", "operand", "stage", "expected"),
    [
        ("is_below", "goal", "mql", True),
        ("is_below", "goal", "sql", False),
        ("is_at_least", "goal", "opportunity", True),
        ("is_at_most", "mql", "mql", True),
        ("is_above", "mql", "mql", False),
        ("is_above", "mql", "customer", True),
        ("is_below", "goal", "other", False),
        ("is_above", "lead", "custom-42", False),
        ("is_below", "customer", "none", False),
    ],
)
def test_stages_compare_by_their_order(operator: str, operand: str, stage: str, expected: bool) -> None:
    assert holds("lifecycle_stage", operator, operand, stage=stage) is expected


@pytest.mark.parametrize(
    ("operator", "operand", "at", "expected", "flips"),
    [
        ("is_more_than_ago", "2 days", ago(3), True, None),
        ("is_more_than_ago", "2 days", ago(2), True, None),
        ("is_more_than_ago", "2 days", ago(1), False, ago(-1)),
        ("is_less_than_ago", "2 days", ago(1), True, ago(-1)),
        ("is_less_than_ago", "2 days", ago(3), False, None),
        ("is_less_than_ago", "2 days", ago(-1), False, ago(-1)),
        ("is_more_than_from_now", "2 days", ago(-3), True, ago(-1)),
        ("is_more_than_from_now", "2 days", ago(-1), False, ago(-1)),
        ("is_less_than_from_now", "2 days", ago(-1), True, ago(-1)),
        ("is_less_than_from_now", "2 days", ago(1), False, None),
        ("is_more_than_ago", "1 business day", ago(0.9), False, datetime.fromisoformat("2026-03-04T14:24:00Z")),
    ],
)
def test_conditions_on_time_hold_and_say_when_they_change(
    operator: str, operand: str, at: datetime, expected: bool, flips: datetime | None
) -> None:
    condition = compile_condition("a_property", operator, operand, Words())
    view = View(policy(), a_contact(a_property=stamp(at)), NOW)
    assert condition.flip is not None
    assert (bool(condition.test(view)), condition.flip(view)) == (expected, flips)
    assert view.changes_at == flips  # asking is noting


@pytest.mark.parametrize(
    "length", ["9 days", "3 business days", "2 months", "80% of 5 business days", "2 business hours"]
)
def test_never_and_the_year_one_are_dates_like_others(length: str) -> None:
    """What people write into dates for "never" stops nothing, wherever on earth the portal is."""
    for text, ago_, ahead in (
        ("9999-12-31", False, True),
        ("9999-12-31T23:59:59Z", False, True),
        ("253402300799999", False, True),
        ("0001-01-01", True, False),
        ("0001-01-01T05:00:00Z", True, False),
    ):
        for zone in ("Pacific/Auckland", "America/Los_Angeles"):
            view = View(replace(policy(), zone=ZoneInfo(zone)), a_contact(a_property=text), NOW)
            for operator, expected in (
                ("is_more_than_ago", ago_),
                ("is_less_than_ago", False),
                ("is_more_than_from_now", ahead),
                ("is_less_than_from_now", False),
            ):
                condition = compile_condition("a_property", operator, length, Words())
                assert bool(condition.test(view)) is expected, (text, operator)
            assert view.changes_at is None or view.changes_at > NOW


def test_of_many_conditions_the_view_knows_the_one_that_changes_first() -> None:
    texts = ("9 days", "3 business days", "80% of 5 business days", "1 month", "4 days")
    conditions = [compile_condition("a_property", "is_more_than_ago", text, Words()) for text in texts]
    for order in permutations(conditions):
        view = View(policy(), a_contact(a_property=stamp(ago(1))), NOW)
        assert [c.test(view) for c in order] == [0] * len(texts)
        assert view.changes_at == min(at for c in order if c.flip is not None and (at := c.flip(view)) is not None)


def test_nobody_looks_again_for_a_time_that_another_condition_makes_irrelevant() -> None:
    waits = compile_condition("createdate", "is_more_than_ago", "9 days", Words())
    written = compile_condition("first_rep_outreach", "is_known", "true", Words())
    for mails, expected in ([a_mail(ago(0.5))], ago(-8)), ([], None):
        view = View(policy(), a_contact("new", engagements=mails, createdate=stamp(ago(1))), NOW)
        assert all_of([written, waits])(view) == 0
        assert view.changes_at == expected


def test_a_moment_that_is_empty_or_no_moment_neither_holds_nor_changes() -> None:
    for text in (None, "", "soon"):
        view = View(policy(), a_contact(a_property=text), NOW)
        for operator in ("is_more_than_ago", "is_less_than_ago", "is_more_than_from_now", "is_less_than_from_now"):
            condition = compile_condition("a_property", operator, "1 day", Words())
            assert condition.flip is not None
            assert (condition.test(view), condition.flip(view)) == (0, None)


@pytest.mark.parametrize(
    ("operator", "operand", "message"),
    [
        ("is_more_than", "many", '"many" is not a number'),
        ("is_between", "3", "is_between takes two values"),
        ("is_between", ["1"], "is_between takes two values"),
        ("is_known", "yes", 'is_known and is_unknown take "true"'),
        ("is_any_of", [], "a list of values is needed"),
        ("is_any_of", {"a": "b"}, "a list of values is needed"),
        ("is_before", "yesterday", '"yesterday" is not a date'),
        ("is_more_than_ago", "a while", '"a while" is not a duration'),
        ("is_more_than_ago", "2 business weeks", "business time is counted in minutes, hours or days"),
    ],
)
def test_an_operand_that_cannot_be_used_says_what_to_write(operator: str, operand: Any, message: str) -> None:
    with pytest.raises(Fault, match=message.replace("(", "\\(")):
        compile_condition("a_property", operator, operand, Words())


def test_every_operator_has_a_meaning() -> None:
    assert all(says and not says.endswith(".") for says in ALL_OPERATORS.values())


def test_cheap_conditions_are_asked_before_dear_ones_and_the_cheapest_unknown_is_named() -> None:
    conditions = [
        compile_condition("lead_status_before", "is", "new", Words()),
        compile_condition("open_deals", "is", "1", Words()),
        compile_condition("city", "is", "Lyon", Words()),
    ]
    unread = replace(a_contact(num_associated_deals="1", city="Lyon"), history=None, deals=None)
    assert all_of(conditions)(View(policy(), unread, NOW)) == -DEALS
    with_deals = replace(unread, deals=(a_deal(),))
    assert all_of(conditions)(View(policy(), with_deals, NOW)) == -HISTORY
    elsewhere = replace(unread, properties={**unread.properties, "city": "Paris"})
    assert all_of(conditions)(View(policy(), elsewhere, NOW)) == 0
    assert any_of([all_of(conditions[1:2]), all_of(conditions[2:])])(View(policy(), unread, NOW)) == 1
    assert any_of([all_of(conditions[1:2]), all_of(conditions[2:])])(View(policy(), elsewhere, NOW)) == -DEALS


def test_history_is_asked_for_former_stages_only_if_hubspots_dates_allow_it() -> None:
    condition = compile_condition("lifecycle_stage_before", "is_above", "mql", Words())
    fresh = replace(a_contact("new", "mql"), history=None)
    assert condition.test(View(policy(), fresh, NOW)) == 0
    back = replace(a_contact("new", [("sql", ago(9)), ("mql", ago(2))]), history=None)
    assert condition.test(View(policy(), back, NOW)) == -HISTORY
