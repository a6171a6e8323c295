"""What a contact's deals say of it (playbook D8, A7, A12, A13)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hubsync.policy.contact import StageVisit
from hubsync.policy.deals import DealSummary, Milestone, category, outcome, reached, summarise
from hubsync.policy.vocabulary import STAGE, STATUS
from tests.builders import a_contact, a_deal, ago, looked_at, policy, policy_with, sets

TERMS = policy().deals


def test_no_deal_says_nothing() -> None:
    assert summarise((), TERMS) == DealSummary()


def test_deals_are_counted_by_outcome_and_the_latest_of_each_is_named() -> None:
    deals = [a_deal("open", ago(3), id="1"), a_deal("open", ago(2), id="2"), a_deal("won", ago(5), id="3")]
    found = summarise(deals, TERMS)
    assert (found.open, found.won, found.lost) == (2, 1, 0)
    assert (found.opened, found.last_won, found.last_lost) == (Milestone("2", ago(2)), Milestone("3", ago(5)), None)


def test_equal_moments_are_ordered_by_the_deals_id() -> None:
    deals = [a_deal("lost", ago(2), id="5", reason="spam"), a_deal("lost", ago(2), id="4", reason="no budget")]
    for order in (deals, deals[::-1]):
        found = summarise(order, TERMS)
        assert (found.last_lost, found.loss_category) == (Milestone("5", ago(2)), "spam")


def test_a_deal_of_another_pipeline_or_under_ignored_labels_alone_does_not_count() -> None:
    terms = replace(TERMS, ignored_labels=frozenset({"lawyer"}))
    deals = [
        a_deal(id="1", pipeline="renewals"),
        a_deal(id="2", labels=["lawyer"]),
        a_deal(id="3", labels=["lawyer", "buyer"]),
    ]
    assert summarise(deals, terms).opened == Milestone("3", ago(1))
    assert summarise(deals, terms).open == 1
    assert summarise(deals, replace(terms, pipelines=frozenset({"all"}))).open == 2


def test_a_step_the_pipelines_do_not_list_falls_back_on_hubspots_flags() -> None:
    def unlisted(**flags: str) -> str:
        deal = a_deal()
        return outcome(replace(deal, properties={"dealstage": "x", **flags}), TERMS)

    assert unlisted(hs_is_closed_won="true", hs_is_closed="true") == "won"
    assert unlisted(hs_is_closed="true") == "lost"
    assert unlisted() == "open"


def test_a_deal_is_open_since_it_was_last_opened_and_lost_since_it_was_last_lost() -> None:
    visits = (
        StageVisit("closedlost", ago(1)),
        StageVisit("closedlost", ago(2)),
        StageVisit("appointmentscheduled", ago(5)),
        StageVisit("closedlost", ago(8)),
        StageVisit("appointmentscheduled", ago(9)),
    )
    terms = replace(TERMS, stages={**TERMS.stages, "appointmentscheduled": "open"})
    assert reached(replace(a_deal("lost"), stage_history=visits), "lost", terms) == ago(2)
    assert reached(replace(a_deal(), stage_history=visits[2:]), "open", terms) == ago(5)


def test_without_history_a_deal_counts_from_its_creation() -> None:
    assert reached(replace(a_deal(at=ago(3)), stage_history=()), "open", TERMS) == ago(3)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Went with a COMPETITOR", "competitor"),
        ("passt nicht zu uns", "wrong_fit"),
        ("trop cher", "budget"),
        ("the dog ate it", "other"),
        (None, "other"),
    ],
)
def test_the_free_text_of_a_loss_is_mapped_to_a_category(reason: str | None, expected: str) -> None:
    assert category(reason, TERMS.categories) == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("no budget", {STATUS: "bad_timing", "hubsync_review_date": "2026-06-02"}),
        ("went with a competitor", {STATUS: "disqualified", "hubsync_reason": "competitor"}),
        ("not a fit", {STATUS: "disqualified", "hubsync_reason": "wrong_fit"}),
        (None, {STATUS: "bad_timing", "hubsync_review_date": "2026-06-02"}),
    ],
)
def test_lost_deals_set_bad_timing_with_a_review_date_or_disqualify(
    reason: str | None, expected: dict[str, str]
) -> None:
    contact = a_contact("converted", "opportunity", deals=[a_deal("lost", ago(2), reason=reason)])
    assert sets(looked_at(contact)) == expected


@pytest.mark.parametrize("status", ["customer", "disqualified"])
def test_lost_deals_leave_customers_and_the_disqualified_alone(status: str) -> None:
    assert sets(looked_at(a_contact(status, "opportunity", deals=[a_deal("lost")]))) == {}


def test_one_deal_still_open_keeps_lost_ones_from_counting() -> None:
    deals = [a_deal("lost", id="1"), a_deal("open", ago(20), id="2")]
    assert sets(looked_at(a_contact("converted", "opportunity", deals=deals))) == {}


CONVERTED = {STATUS: "converted", STAGE: "opportunity"}


@pytest.mark.parametrize(
    ("setting", "status", "deal", "covered"),
    [
        ("with_status", "working", {}, True),
        ("with_status", "none", {}, False),
        ("all", "none", {}, True),
        ("primary", "working", {}, False),
        ("primary", "working", {"primary": True}, True),
        ("labelled", "working", {"labels": ["lawyer"]}, False),
        ("labelled", "working", {"labels": ["buyer"]}, True),
    ],
)
def test_whom_an_open_deal_speaks_for_is_a_setting(
    setting: str, status: str, deal: dict[str, bool], covered: bool
) -> None:
    deals = {"sales_pipelines": ["default"], "contacts": setting, "labels": ["buyer"]}
    speaks = policy_with(deals=deals)
    contact = a_contact(status, "lead", deals=[a_deal(**deal)], of=speaks)  # type: ignore[arg-type]
    assert sets(looked_at(contact, of=speaks)) == (CONVERTED if covered else {})


def test_a_deal_won_makes_a_customer_and_a_renewal_leaves_one() -> None:
    won = a_contact("converted", "opportunity", deals=[a_deal("won")])
    assert sets(looked_at(won)) == {STAGE: "customer", STATUS: "customer"}
    renewal = a_contact("customer", "customer", deals=[a_deal("won", id="1"), a_deal("open", id="2")])
    assert looked_at(renewal).changes == ()
