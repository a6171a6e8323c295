"""Causes that are older than the retention are backlog; fingerprints know what fired and can't be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hubsync.policy.decide import decide
from hubsync.policy.faded import faded, faded_key
from hubsync.policy.policy import Horizon
from hubsync.policy.retention import RETENTION, kept_within
from tests.builders import EVER, NOW, a_contact, ago, policy

DAY = timedelta(days=1)


@pytest.mark.parametrize(("since", "expected"), [(ago(800), NOW - RETENTION), (ago(700), ago(700)), (None, None)])
def test_a_horizon_reaches_no_further_back_than_the_retention(since: object, expected: object) -> None:
    assert kept_within(Horizon(since), NOW, RETENTION).since == expected  # type: ignore[arg-type]


def test_the_retention_holds_for_every_rule_and_leaves_later_moments_of_rules_alone() -> None:
    horizon = kept_within(Horizon(ago(900), {"young": ago(3), "old": ago(800)}), NOW, 100 * DAY)
    assert [horizon.is_backlog(rule, ago(50)) for rule in ("young", "old", "other")] == [True, False, False]
    assert [horizon.is_backlog(rule, ago(101)) for rule in ("young", "old", "other")] == [True, True, True]


def test_a_cause_on_either_side_of_the_retention_is_backlog_or_fires() -> None:
    contact = a_contact(stage="mql", owner="11")
    (change,) = decide(policy(), contact, NOW, EVER).changes
    age = NOW - change.cause.at
    for kept, written in ((age - DAY, {}), (age + DAY, {change.property: change.new})):
        decision = decide(policy(), contact, NOW, kept_within(EVER, NOW, kept))
        assert {c.property: c.new for c in decision.changes} == written
        assert any(finding.backlog for finding in decision.findings) is not bool(written)


def test_a_contact_knows_a_fired_cause_by_its_fingerprint_and_no_other() -> None:
    contact = replace(a_contact(), spent=frozenset({"r|a|t"}), faded=frozenset({faded("r|b|t")}))
    asked = ("r|a|t", "r|b|t", "r|c|t", "s|b|t", "r|b|u")
    assert [contact.has_fired(key) for key in asked] == [True, True, False, False, False]


def test_a_fingerprint_never_changes() -> None:
    assert faded("rule|first_rep_outreach:900|hs_lead_status") == "rule|" + faded_key(
        "first_rep_outreach:900", "hs_lead_status"
    )
    assert faded_key("first_rep_outreach:900", "hs_lead_status") == "ac64b4779f18edcf3bda452a11d6d243"


def test_a_fingerprint_stands_for_the_row_in_every_decision() -> None:
    contact = a_contact(stage="mql", owner="11")
    first = decide(policy(), contact, NOW, EVER)
    keys = [f"{c.rule}|{c.cause.key}|{c.property}" for c in first.changes]
    keys += [f"{t.rule}|{t.cause.key}|{t.template}" for t in first.tasks]
    assert len(keys) == 2
    with_rows = decide(policy(), replace(contact, spent=frozenset(keys)), NOW, EVER)
    assert decide(policy(), replace(contact, faded=frozenset(map(faded, keys))), NOW, EVER) == with_rows != first
