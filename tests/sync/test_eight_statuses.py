"""A portal with HubSpot's eight Lead statuses: what it lacks is skipped whole, never half done or done otherwise."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubsync.sandbox import acts
from tests.sync.desk import MQL, SQL, STAGE, Desk, ago


def test_who_was_moved_back_to_mql_is_not_made_new_where_nurture_is_missing(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(added_statuses=False)
    lead = desk.lead(stage=SQL)
    acts.clear_then_set(desk.portal, lead, STAGE, MQL, at=ago(days=2))
    desk.sync()
    assert (desk.stage(lead), desk.status(lead) or "", desk.tasks(lead)) == (MQL, "", [])


@pytest.mark.parametrize(
    ("added", "expected"),
    [(False, ("OPEN_DEAL", "")), (True, ("DISQUALIFIED", "competitor"))],
    ids=["disqualified is missing", "it is there"],
)
def test_a_rule_whose_status_is_missing_sets_nothing_else_either(
    make_desk: Callable[..., Desk], added: bool, expected: tuple[str, str]
) -> None:
    desk = make_desk(added_statuses=added)
    lead = desk.lead("OPEN_DEAL", "opportunity")
    deal = acts.create_deal(desk.portal, lead, owner=desk.rep, at=ago(days=5))
    acts.lose_deal(desk.portal, deal, "went to a competitor", at=ago(days=2))
    desk.sync()
    assert (desk.status(lead), desk.value(lead, "hubsync_reason") or "") == expected
