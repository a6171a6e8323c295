"""Whose contacts are managed, and what is seen of the others (playbook D5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hubsync.policy.decide import decide
from hubsync.policy.policy import Schema
from hubsync.policy.ruleset import ideal_schema
from hubsync.policy.view import DEALS
from hubsync.policy.vocabulary import STAGE, STATUS
from tests.builders import EVER, NOW, a_contact, a_deal, ago, found, looked_at, policy, policy_with, sets, shipped


@pytest.mark.parametrize(
    "hand",
    [
        {"num_conversion_events": "1"},
        {"hs_sales_email_last_replied": "2026-01-01T00:00:00Z"},
        {"engagements_last_meeting_booked": "2026-01-01T00:00:00Z"},
    ],
)
def test_an_owner_or_a_raised_hand_makes_a_contact_managed(hand: dict[str, str]) -> None:
    assert sets(looked_at(a_contact("none", "mql"))) == {STATUS: "new"}
    assert sets(looked_at(a_contact("none", "mql", owner=None))) == {}
    assert sets(looked_at(a_contact("none", "mql", owner=None, **hand))) == {STATUS: "new"}  # type: ignore[arg-type]


def test_hold_and_excluded_domains_outweigh_everything() -> None:
    for properties in ({"hubsync_hold": "true"}, {"email": "Ada@Example.INVALID"}):
        contact = a_contact("none", "mql", num_conversion_events="3", **properties)  # type: ignore[arg-type]
        assert not policy().in_scope(contact)
        assert looked_at(contact).findings == ()
    assert policy().in_scope(a_contact("none", "mql", hubsync_hold="false", email="ada@example.org"))


@pytest.mark.parametrize("stage", ["none", "subscriber"])
def test_below_lead_only_the_matrix_is_asked(stage: str) -> None:
    decision = looked_at(a_contact("new", stage, deals=[a_deal()]))
    assert (decision.changes, decision.tasks) == ((), ())
    assert found(decision) == {f"cell_{stage}_new": "propose"}


def test_customers_see_the_deal_won_and_churn_rules_and_reports_only() -> None:
    assert sets(looked_at(a_contact("working", "customer", deals=[a_deal("won")]))) == {STATUS: "customer"}
    assert found(looked_at(a_contact("working", "customer"))) == {"cell_customer_working": "report"}
    assert looked_at(a_contact("new", "customer")).tasks == ()


def test_churn_is_proposed_where_the_portal_marks_it() -> None:
    marked = policy_with(churn={"property": "account_state", "values": ["cancelled"]})
    history = {"account_state": [{"value": "cancelled", "timestamp": "2026-03-01T00:00:00Z", "sourceType": "CRM_UI"}]}
    left = a_contact("customer", "customer", account_state="cancelled", history=history, of=marked)
    decision = looked_at(left, of=marked)
    assert [(f.rule, f.kind, f.fix) for f in decision.findings] == [
        ("churned_customer", "propose", (STATUS, "CUSTOMER", "RECYCLED"))
    ]
    assert looked_at(a_contact("customer", "customer", account_state="active", of=marked), of=marked).findings == ()


def test_in_scope_counts_managed_stages_only() -> None:
    scope = {stage: policy().in_scope(a_contact("new", stage)) for stage in policy().stages.by_key}
    assert {stage for stage, inside in scope.items() if inside} == {"lead", "mql", "sal", "sql", "opportunity"}


def test_a_scope_that_hangs_on_a_dear_fact_asks_for_it() -> None:
    asks = policy_with(
        scope={"managed_if": [{"owner": {"is_known": "true"}}], "unless": [{"won_deals": {"is_more_than": "0"}}]}
    )
    contact = a_contact("qualified", "lead", num_associated_deals="1", of=asks)
    assert decide(asks, replace(contact, deals=None), NOW, EVER).needs & DEALS
    assert not looked_at(replace(contact, deals=(a_deal("won"),)), of=asks).acts


def _portal_without(*statuses: str) -> Schema:
    whole = ideal_schema(shipped().files.portal)
    known = {name: shape for name, shape in whole.properties.items() if name != "hubsync_review_date"}
    return replace(
        whole, statuses=tuple(o for o in whole.statuses if o.value not in statuses), properties=known, complete=True
    )


def test_what_the_portal_lacks_is_named_and_the_rest_runs() -> None:
    bare = shipped().compile(_portal_without("NURTURE"))
    needs = {(g.rule, g.needs, g.off) for g in bare.gaps}
    assert ("", 'Lead status "nurture" (NURTURE)', False) in needs
    assert ("", "property hubsync_review_date", False) in needs
    assert ("nurture_on_moving_back_to_mql", 'Lead status "nurture"', True) in needs
    assert ("all_deals_lost", "property hubsync_review_date", False) in needs
    lost = a_contact("converted", "opportunity", deals=[a_deal("lost", ago(2))], of=bare)
    assert sets(looked_at(lost, of=bare), bare) == {STATUS: "bad_timing"}
    back = a_contact("new", [("sql", ago(9)), ("mql", ago(2))], of=bare)
    assert STAGE not in sets(looked_at(back, of=bare), bare)
