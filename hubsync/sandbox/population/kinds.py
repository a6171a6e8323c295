"""Every way to be untidy: which statement of the playbook answers it, how, and how often it occurs.

Data alone; the stories are in untidy.py and lures.py. `needs` lists statuses that HubSpot doesn't ship and
without which the state, or its answer, can't exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from hubsync.sandbox.population import lures, untidy
from hubsync.sandbox.population.people import EXCLUDED_DOMAINS
from hubsync.sandbox.population.story import Story

Answer = Literal["correct", "propose", "report", "task", "leave"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to be untidy. `answer` is what the playbook does; leave = no property is written.

    `ended` = how many hours ago the last act was, from … to; None = any time. `domains` = mail domains such leads have.
    """

    name: str
    playbook: str
    answer: Answer
    share: float
    write: Callable[[Story], object]
    ended: tuple[float, float] | None = None
    needs: frozenset[str] = frozenset()
    own_properties: bool = False
    domains: tuple[str, ...] = ()


_FRESH: Final = (2.0, 50.0)
_QUALIFIED, _NURTURE, _CUSTOMER = (frozenset({key}) for key in ("qualified", "nurture", "customer"))
_DISQUALIFIED, _RECYCLED = frozenset({"disqualified"}), frozenset({"recycled"})

UNTIDY: Final = (
    Kind("lead_without_status", "A1", "correct", 3, untidy.lead_without_status),
    Kind("imported_without_status", "A1", "report", 2, untidy.imported_without_status),
    Kind("mql_without_status", "A2", "correct", 8, untidy.mql_without_status),
    Kind("outreach_but_new", "A3", "correct", 8, untidy.outreach_but_new),
    Kind("outreach_without_status", "A3", "correct", 3, untidy.outreach_without_status),
    Kind("replied_still_attempting", "A4", "correct", 5, untidy.replied_still_attempting),
    Kind("meeting_held_still_connected", "A5", "correct", 3, untidy.meeting_held_still_connected),
    Kind("stale_working", "A6", "task", 3, untidy.stale_working, (35 * 24, 70 * 24)),
    Kind("open_deal_but_working", "A7", "correct", 5, untidy.open_deal_but_working),
    Kind("open_deal_but_qualified", "A7", "correct", 2, untidy.open_deal_but_qualified, needs=_QUALIFIED),
    Kind("qualified_below_sql", "A9", "correct", 5, untidy.qualified_below_sql, needs=_QUALIFIED),
    Kind("promoted_still_new", "A10", "correct", 4, untidy.promoted_still_new),
    Kind("sql_without_status", "A10", "correct", 3, untidy.sql_without_status),
    Kind("sql_set_back_to_new", "C1", "correct", 3, untidy.sql_set_back_to_new),
    Kind("back_to_mql", "A11", "correct", 3, untidy.back_to_mql, needs=_NURTURE),
    Kind("lost_but_converted", "A12", "correct", 4, untidy.lost_but_converted),
    Kind("lost_to_competitor", "A12", "correct", 2, untidy.lost_to_competitor, needs=_DISQUALIFIED),
    Kind("lost_for_fit", "A12", "correct", 2, untidy.lost_for_fit, needs=_DISQUALIFIED),
    Kind("won_not_customer", "A13", "correct", 3, untidy.won_not_customer),
    Kind("bad_timing_replied", "A14", "propose", 2, untidy.bad_timing_replied, needs=_RECYCLED),
    Kind("review_date_arrived", "A14", "propose", 1, untidy.review_date_arrived, (20 * 24, 50 * 24), _RECYCLED, True),
    Kind("nurture_came_back", "A14", "propose", 2, untidy.nurture_came_back, needs=_NURTURE),
    Kind("converted_moved_back", "A17", "correct", 3, untidy.converted_moved_back),
    Kind("converted_parked", "A17", "propose", 1, untidy.converted_parked),
    Kind("undecided", "A20", "task", 1, untidy.undecided, (6 * 24, 20 * 24)),
    Kind("mql_converted_with_deal", "C3", "correct", 3, untidy.mql_converted_with_deal),
    Kind("converted_without_deal", "C3", "propose", 3, untidy.converted_without_deal),
    Kind("subscriber_new", "C1", "propose", 2, untidy.subscriber_new),
    Kind("customer_attempting", "C1", "report", 2, untidy.customer_attempting),
    Kind("no_stage_working", "C1", "propose", 1, untidy.no_stage_working),
    Kind("opportunity_new", "C1", "report", 1, untidy.opportunity_new),
    Kind("without_owner", "T12", "report", 3, untidy.without_owner),
    Kind("new_too_long", "S1", "report", 2, untidy.new_too_long, (6 * 24, 20 * 24)),
    Kind("attempting_too_long", "T2", "report", 3, untidy.attempting_too_long, (10 * 24, 30 * 24)),
    Kind("tried_too_often", "T14", "propose", 1, untidy.tried_too_often, _FRESH),
    Kind("connected_too_long", "S3", "report", 2, untidy.connected_too_long, (18 * 24, 40 * 24)),
    Kind("stalled_deal", "S7", "report", 1, untidy.stalled_deal, (35 * 24, 60 * 24)),
    Kind("without_next_action", "T10", "task", 2, untidy.without_next_action, (4, 60)),
    Kind("left_with_former_rep", "T6", "propose", 1, untidy.left_with_former_rep, (2, 30), _RECYCLED),
    Kind("ping_pong", "A18", "report", 1, lures.ping_pong),
    Kind("unmapped_option", "D4", "leave", 2, lures.unmapped_option),
    Kind("on_hold", "D5", "leave", 2, lures.on_hold, own_properties=True),
    Kind("excluded_domain", "D5", "leave", 2, lures.excluded_domain, domains=EXCLUDED_DOMAINS),
    Kind("put_back_to_new", "A18", "leave", 1, lures.put_back_to_new, _FRESH),
    Kind("parked_after_loss", "A18", "leave", 1, lures.parked_after_loss, needs=_NURTURE),
    Kind("auto_reply_only", "A4", "leave", 2, lures.auto_reply_only, _FRESH),
    Kind("opted_out", "A4", "leave", 1, lures.opted_out, _FRESH),
    Kind("bounced", "A4", "leave", 1, lures.bounced, _FRESH),
    Kind("opportunity_without_status", "C1", "leave", 1, lures.opportunity_without_status),
    Kind("renewal", "C1", "leave", 1, lures.renewal, needs=_CUSTOMER),
    Kind("cleared_then_set", "D7", "leave", 1, lures.cleared_then_set, _FRESH),
    Kind("merged", "D6", "leave", 2, lures.merged, _FRESH),
)
"""Every kind, in the order of the playbook's answers. Shares are parts of the untidy whole."""
