"""High-value leads and whose word counts (T8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from hubsync.policy.approval import approved_by_listed_approver, high_value
from hubsync.policy.contact import Contact
from hubsync.policy.policy import Policy
from hubsync.policy.ruleset import ideal_schema
from hubsync.policy.view import HISTORY, Missing, View
from tests.builders import NOW, a_contact, ago, compile_text, policy, policy_with, shipped, stamp


def approving(*approvers: str) -> Policy:
    return policy_with(approvers=list(approvers), high_value=[{"annualrevenue": {"is_at_least": "1000000"}}])


def signed(user: str, at: datetime, source: str = "CRM_UI", value: str = "approved") -> dict[str, Any]:
    return {"value": value, "timestamp": stamp(at), "sourceType": source, "updatedByUserId": user}


def a_lead(*entries: dict[str, Any]) -> Contact:
    """A lead whose cycle began ten days ago, with these entries of its approval, newest first."""
    value = entries[0]["value"] if entries else None
    return a_contact("recycled", history={"hubsync_approval": entries}, hubsync_approval=value)


def approved(contact: Contact, of: Policy | None = None) -> str | Missing:
    return approved_by_listed_approver(View(of or approving("77"), contact, NOW))


@pytest.mark.parametrize(
    ("entries", "counts"),
    [
        ([signed("77", ago(1))], "true"),
        ([signed("78", ago(1))], "false"),
        ([signed("77", ago(1), source="AUTOMATION_PLATFORM")], "false"),
        ([signed("77", ago(1), value="refused"), signed("77", ago(2))], "false"),
        ([signed("78", ago(1)), signed("77", ago(2), value="refused")], "false"),
        ([signed("77", ago(11))], "false"),
        ([], "false"),
    ],
    ids=[
        "listed",
        "somebody else",
        "a workflow",
        "refused since",
        "overruled by somebody else",
        "earlier cycle",
        "none",
    ],
)
def test_the_newest_entry_counts_if_a_listed_approver_made_it_in_this_cycle(
    entries: list[dict[str, Any]], counts: str
) -> None:
    assert approved(a_lead(*entries)) == counts


def test_the_user_may_stand_in_the_entrys_source_alone() -> None:
    one = {"value": "approved", "timestamp": stamp(ago(1)), "sourceType": "CRM_UI", "sourceId": "userId:77"}
    assert approved(a_lead(one)) == "true"


def test_history_is_read_only_where_somebody_approved() -> None:
    assert approved(replace(a_lead(), history=None)) == "false"
    assert approved(replace(a_lead(signed("77", ago(1))), history=None)) == Missing(HISTORY)


def test_approvers_are_found_by_owner_id_or_address_and_strangers_are_gaps() -> None:
    faults: list[str] = []
    schema = replace(
        ideal_schema(shipped().files.portal),
        complete=True,
        owner_ids={"boss@example.com": "41", "41": "41", "42": "42"},
        owner_users={"41": "9001", "42": "9002"},
    )
    of = compile_text("", faults, schema=schema, approvers=["Boss@example.com", "42", "gone@example.com"])
    assert faults == []
    assert (of.data.approvers, of.data.approver) == (frozenset({"9001", "9002"}), "41")
    assert 'an owner "gone@example.com" (approvers)' in {gap.needs for gap in of.gaps}


def test_high_value_is_what_the_filter_says_and_nothing_without_one() -> None:
    rich = a_contact("new", annualrevenue="2500000")
    assert high_value(View(approving("77"), rich, NOW)) == "true"
    assert high_value(View(approving("77"), a_contact("new", annualrevenue="10"), NOW)) == "false"
    assert high_value(View(policy(), rich, NOW)) == "false"
