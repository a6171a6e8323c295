"""What populate says of a contact holds in the portal: the untidy by their facts, the tidy by the matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from hubsync.sandbox.clock import SandboxClock
from hubsync.sandbox.population import UNTIDY, Population, populate
from hubsync.sandbox.records import Record
from hubsync.sandbox.state import Portal
from hubsync.sandbox.times import from_ms, parse_ms, to_ms

NOW = datetime(2026, 11, 18, 10, 41, tzinfo=UTC)
LEAD, MQL, SAL, SQL, OPP = "lead", "marketingqualifiedlead", "1077045801", "salesqualifiedlead", "opportunity"
BEFORE_SQL = {LEAD, MQL, SAL}
WORKED = {"ATTEMPTED_TO_CONTACT", "CONNECTED", "IN_PROGRESS"}


@dataclass(frozen=True)
class Facts:
    """What a rule could see of one contact."""

    portal: Portal
    record: Record

    @property
    def stage(self) -> str:
        return self.record.values.get("lifecyclestage", "")

    @property
    def status(self) -> str:
        return self.record.values.get("hs_lead_status", "")

    @property
    def statuses(self) -> list[str]:
        return [entry.value for entry in self.record.entries("hs_lead_status")]

    @property
    def stages(self) -> list[str]:
        return [entry.value for entry in self.record.entries("lifecyclestage")]

    @property
    def owned(self) -> bool:
        return "hubspot_owner_id" in self.record.values

    def last(self, name: str) -> int:
        return self.record.entries(name)[-1].at

    def deals(self, *steps: str) -> list[Record]:
        """Deals in one of the closed steps given, or the open ones."""
        found = [self.portal.get("deals", each) for each in self.record.linked("deals")]
        if steps:
            return [deal for deal in found if deal.values["dealstage"] in steps]
        return [deal for deal in found if not deal.values["dealstage"].startswith("closed")]

    @property
    def deal_moved(self) -> int:
        return max(deal.entries("dealstage")[-1].at for deal in self.deals("closedwon", "closedlost"))

    @property
    def outreach(self) -> list[int]:
        """Moments when a rep reached out."""
        mails = [self.portal.get("emails", each) for each in self.record.linked("emails")]
        sent = [mail.created for mail in mails if mail.values["hs_email_direction"] == "EMAIL"]
        others = [
            self.portal.get(kind, each) for kind in ("calls", "communications") for each in self.record.linked(kind)
        ]
        return sorted(sent + [other.created for other in others])

    @property
    def answers(self) -> list[Record]:
        """Incoming mails."""
        mails = [self.portal.get("emails", each) for each in self.record.linked("emails")]
        return [mail for mail in mails if mail.values["hs_email_direction"] == "INCOMING_EMAIL"]

    @property
    def activity(self) -> int:
        """The last thing anybody did with the contact or its deals, tasks left out."""
        kinds = ("emails", "calls", "meetings", "communications", "notes", "deals")
        return max(self.portal.get(kind, each).updated for kind in kinds for each in self.record.linked(kind))

    def idle_for(self, days: int) -> bool:
        return self.activity < to_ms(NOW - timedelta(days=days))

    def untouched(self) -> bool:
        return not self.outreach and not self.record.linked("meetings")

    def in_status_for(self, days: int) -> bool:
        return self.last("hs_lead_status") < to_ms(NOW - timedelta(days=days))


def _stage_dropped(facts: Facts) -> bool:
    return (
        SQL in facts.stages
        and facts.stages[-2:] == ["", MQL]
        and facts.last("lifecyclestage") > facts.last("hs_lead_status")
    )


def _lost(facts: Facts, *words: str) -> bool:
    lost = facts.deals("closedlost")
    told = " ".join(deal.values["closed_lost_reason"] for deal in lost).lower()
    return (
        facts.status == "OPEN_DEAL"
        and bool(lost)
        and not facts.deals()
        and not facts.deals("closedwon")
        and facts.deal_moved > facts.last("hs_lead_status")
        and (not words or any(word in told for word in words))
    )


def _review(facts: Facts) -> str:
    return facts.record.values["hubsync_review_date"]


COMPETITOR = ("competitor", "another vendor", "wettbewerb", "konkurrenz", "concurren", "pesaing", "kompetitor")
FIT = ("fit", "passt nicht", "pas adapté", "ne correspond pas", "tidak cocok", "tidak sesuai")

HOLDS: dict[str, Callable[[Facts], bool]] = {
    "lead_without_status": lambda f: (
        f.stage == LEAD and not f.statuses and f.owned and f.record.source.type != "IMPORT"
    ),
    "imported_without_status": lambda f: (
        f.stage == LEAD and not f.statuses and f.owned and f.record.source.type in {"IMPORT", "INTEGRATION"}
    ),
    "mql_without_status": lambda f: f.stage == MQL and not f.statuses and f.owned and f.untouched(),
    "outreach_but_new": lambda f: (
        f.stage in {LEAD, MQL}
        and f.status == "NEW"
        and f.outreach[0] > max(f.last("hs_lead_status"), f.last("lifecyclestage"))
    ),
    "outreach_without_status": lambda f: f.stage == MQL and not f.statuses and f.outreach[0] > f.last("lifecyclestage"),
    "replied_still_attempting": lambda f: (
        f.status == "ATTEMPTED_TO_CONTACT"
        and max([each.created for each in f.answers] + f.outreach) > f.last("hs_lead_status")
    ),
    "meeting_held_still_connected": lambda f: (
        f.status == "CONNECTED"
        and any(
            f.portal.get("meetings", each).values["hs_meeting_outcome"] == "COMPLETED"
            for each in f.record.linked("meetings")
        )
    ),
    "stale_working": lambda f: f.status == "IN_PROGRESS" and f.idle_for(30),
    "open_deal_but_working": lambda f: f.status in {"CONNECTED", "IN_PROGRESS"} and len(f.deals()) == 1,
    "open_deal_but_qualified": lambda f: f.status == "QUALIFIED" and f.stage == SQL and len(f.deals()) == 1,
    "qualified_below_sql": lambda f: f.status == "QUALIFIED" and f.stage in BEFORE_SQL,
    "promoted_still_new": lambda f: (
        f.stage == SQL and f.status == "NEW" and f.last("lifecyclestage") > f.last("hs_lead_status")
    ),
    "sql_without_status": lambda f: f.stage == SQL and not f.statuses,
    "sql_set_back_to_new": lambda f: (
        f.stage == SQL and f.status == "NEW" and f.last("hs_lead_status") > f.last("lifecyclestage")
    ),
    "back_to_mql": _stage_dropped,
    "lost_but_converted": _lost,
    "lost_to_competitor": lambda f: _lost(f, *COMPETITOR),
    "lost_for_fit": lambda f: _lost(f, *FIT),
    "won_not_customer": lambda f: (
        f.stage == OPP
        and f.status == "OPEN_DEAL"
        and len(f.deals("closedwon")) == 1
        and f.deal_moved > f.last("hs_lead_status")
    ),
    "bad_timing_replied": lambda f: (
        f.status == "BAD_TIMING" and max(each.created for each in f.answers) > f.last("hs_lead_status")
    ),
    "review_date_arrived": lambda f: f.status == "BAD_TIMING" and _review(f) < NOW.date().isoformat(),
    "nurture_came_back": lambda f: (
        f.status == "NURTURE"
        and max(
            [each.created for each in f.answers]
            + [parse_ms(f.record.values.get("recent_conversion_date", "1970-01-01"))]
        )
        > f.last("hs_lead_status")
    ),
    "converted_moved_back": lambda f: f.statuses[-2] == "OPEN_DEAL" and f.status in WORKED and len(f.deals()) == 1,
    "converted_parked": lambda f: f.statuses[-2:] == ["OPEN_DEAL", "BAD_TIMING"] and len(f.deals()) == 1,
    "undecided": lambda f: f.status == "UNQUALIFIED" and f.in_status_for(3),
    "mql_converted_with_deal": lambda f: f.stage == MQL and f.status == "OPEN_DEAL" and len(f.deals()) == 1,
    "converted_without_deal": lambda f: (
        f.stage in {LEAD, MQL} and f.status == "OPEN_DEAL" and not f.record.linked("deals")
    ),
    "subscriber_new": lambda f: (f.stage, f.status) == ("subscriber", "NEW"),
    "customer_attempting": lambda f: (f.stage, f.status) == ("customer", "ATTEMPTED_TO_CONTACT"),
    "no_stage_working": lambda f: (f.stage, f.status) == ("", "ATTEMPTED_TO_CONTACT"),
    "opportunity_new": lambda f: (f.stage, f.status) == (OPP, "NEW") and not f.record.linked("deals"),
    "without_owner": lambda f: f.status == "NEW" and not f.owned and f.record.values["num_conversion_events"] == "1",
    "new_too_long": lambda f: f.status == "NEW" and f.untouched() and f.in_status_for(3),
    "attempting_too_long": lambda f: f.status == "ATTEMPTED_TO_CONTACT" and f.in_status_for(7),
    "tried_too_often": lambda f: f.status == "ATTEMPTED_TO_CONTACT" and len(f.outreach) > 8 and not f.answers,
    "connected_too_long": lambda f: f.status == "CONNECTED" and f.in_status_for(14),
    "stalled_deal": lambda f: f.status == "OPEN_DEAL" and len(f.deals()) == 1 and f.idle_for(30),
    "without_next_action": lambda f: f.status == "IN_PROGRESS" and not f.record.linked("tasks"),
    "left_with_former_rep": lambda f: (
        f.status == "RECYCLED" and f.portal.directory.owners[f.record.values["hubspot_owner_id"]].archived
    ),
    "ping_pong": lambda f: f.statuses[-6:] == ["IN_PROGRESS", "CONNECTED"] * 3,
    "unmapped_option": lambda f: f.statuses == ["OPEN"],
    "on_hold": lambda f: f.record.values["hubsync_hold"] == "true" and f.stage == MQL and not f.statuses,
    "excluded_domain": lambda f: f.stage == MQL and not f.statuses,
    "put_back_to_new": lambda f: f.status == "NEW" and f.last("hs_lead_status") > f.outreach[-1],
    "parked_after_loss": lambda f: f.status == "NURTURE" and f.last("hs_lead_status") > f.deal_moved,
    "auto_reply_only": lambda f: all("Auto-Submitted" in each.values["hs_email_headers"] for each in f.answers),
    "opted_out": lambda f: len(f.answers) == 1 and f.status == "ATTEMPTED_TO_CONTACT",
    "bounced": lambda f: f.answers[0].values["hs_email_from_email"].startswith("mailer-daemon"),
    "opportunity_without_status": lambda f: f.stage == OPP and not f.statuses and len(f.deals()) == 1,
    "renewal": lambda f: (f.stage, f.status) == ("customer", "OPEN_DEAL") and len(f.deals()) == 1,
    "cleared_then_set": lambda f: f.statuses[-3:] == ["ATTEMPTED_TO_CONTACT", "", "CONNECTED"],
    "merged": lambda f: f.record.values["hs_merged_object_ids"] != "" and f.status == "ATTEMPTED_TO_CONTACT",
}

NONE, PARKED = "", {"UNQUALIFIED", "NURTURE", "BAD_TIMING", "DISQUALIFIED"}
BEFORE_SQL_FITS = {"NEW", *WORKED, *PARKED, "RECYCLED"}
FITS: dict[str, set[str]] = {
    "": {NONE},
    "subscriber": {NONE, *PARKED},
    LEAD: {NONE, *BEFORE_SQL_FITS},
    MQL: BEFORE_SQL_FITS,
    SAL: BEFORE_SQL_FITS,
    SQL: {*WORKED, "QUALIFIED", *PARKED, "RECYCLED"},
    "customer": {NONE, "OPEN_DEAL", "CUSTOMER", "RECYCLED"},
    "evangelist": {NONE, "OPEN_DEAL", "CUSTOMER", "RECYCLED"},
}
"""The cells of C1 that fit, deals apart."""


@pytest.fixture(scope="module")
def world() -> tuple[Portal, Population]:
    portal = Portal(clock=SandboxClock(NOW, frozen=True), seed=3)
    return portal, populate(portal, 1000)


@pytest.fixture(scope="module")
def portal(world: tuple[Portal, Population]) -> Portal:
    return world[0]


@pytest.fixture(scope="module")
def population(world: tuple[Portal, Population]) -> Population:
    return world[1]


@pytest.mark.parametrize("kind", [kind.name for kind in UNTIDY])
def test_every_contact_of_a_kind_is_untidy_in_just_that_way(portal: Portal, population: Population, kind: str) -> None:
    for contact in population.of(kind):
        facts = Facts(portal, portal.get("contacts", contact))
        assert HOLDS[kind](facts), (contact, facts.stages, facts.statuses)


def test_tidy_contacts_fit_the_matrix(portal: Portal, population: Population) -> None:
    for contact, state in population.tidy.items():
        facts = Facts(portal, portal.get("contacts", contact))
        if facts.stage == "other":
            continue
        with_deal = {"OPEN_DEAL"} if facts.deals() else PARKED
        fits = with_deal if facts.stage == OPP else FITS[facts.stage]
        assert facts.status in fits, (contact, state, facts.stage)


def test_tidy_leads_are_not_late(portal: Portal, population: Population) -> None:
    limits = {"NEW": 5, "ATTEMPTED_TO_CONTACT": 8, "CONNECTED": 12, "QUALIFIED": 6, "UNQUALIFIED": 4}
    for contact, state in population.tidy.items():
        facts = Facts(portal, portal.get("contacts", contact))
        if days := limits.get(facts.status):
            assert not facts.in_status_for(days), (contact, state)
        if facts.status == "IN_PROGRESS":
            assert not facts.idle_for(14), (contact, state)


def test_tidy_active_leads_have_a_next_action(portal: Portal, population: Population) -> None:
    planned = 0
    for contact in population.tidy:
        record = portal.get("contacts", contact)
        if (
            record.values.get("hs_lead_status") in {*WORKED, "QUALIFIED", "OPEN_DEAL"}
            and "customer" not in record.values["lifecyclestage"]
        ):
            assert record.values.get("notes_next_activity_date", "") > NOW.isoformat(), contact
            planned += 1
    assert planned > 200


def test_first_outreach_of_a_tidy_lead_comes_before_the_status_says_so(portal: Portal, population: Population) -> None:
    for state in ("attempting", "connected", "working"):
        for contact in population.of(state):
            facts = Facts(portal, portal.get("contacts", contact))
            tried = next(
                entry.at for entry in facts.record.entries("hs_lead_status") if entry.value == "ATTEMPTED_TO_CONTACT"
            )
            assert facts.outreach[0] <= tried, contact
            assert from_ms(facts.outreach[0]) > from_ms(facts.record.created)


def test_a_mqls_loss_of_status_is_told_even_where_the_status_was_emptied(
    portal: Portal, population: Population
) -> None:
    emptied = [
        facts
        for contact in population.of("back_to_mql")
        if not (facts := Facts(portal, portal.get("contacts", contact))).status
    ]
    assert emptied
    assert all(facts.stage == MQL for facts in emptied)
