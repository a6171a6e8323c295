"""Contact properties that the portal derives from engagements and deals (hubspot-api.md 4).

Pure: records in, values out. Always computed anew from all of a contact's records, so that they can't drift.
What the references leave open is decided here: an incoming e-mail counts as activity but not as a contact made,
a bounced mail counts as sent, a meeting counts once it has begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hubsync.sandbox.records import Record
from hubsync.sandbox.times import iso, parse_ms

UNSENT = ("SCHEDULED", "SENDING", "FAILED")
DERIVED = (
    "notes_last_contacted",
    "num_contacted_notes",
    "hs_first_outreach_date",
    "notes_last_updated",
    "num_notes",
    "notes_next_activity_date",
    "hs_sales_email_last_replied",
    "hs_latest_meeting_activity",
    "engagements_last_meeting_booked",
    "hs_last_sales_activity_timestamp",
    "hs_last_sales_activity_type",
    "hs_sa_first_engagement_date",
    "hs_sa_first_engagement_object_type",
    "hs_first_engagement_object_id",
    "hs_time_to_first_engagement",
    "hs_is_unworked",
    "num_associated_deals",
    "first_deal_created_date",
    "recent_deal_close_date",
    "recent_deal_amount",
)


@dataclass(slots=True)
class _Tally:
    """What was seen of a contact's engagements. Moments are (milliseconds, kind, id) so that ties are stable."""

    contacted: list[tuple[int, str, str, str]] = field(default_factory=list)
    outreach: list[int] = field(default_factory=list)
    activity: list[int] = field(default_factory=list)
    upcoming: list[int] = field(default_factory=list)
    replies: list[int] = field(default_factory=list)
    meetings: list[int] = field(default_factory=list)
    booked: list[int] = field(default_factory=list)
    count: int = 0


def engagement_time(record: Record) -> int:
    """Where an engagement stands on the timeline: `hs_timestamp`, else its creation (milliseconds)."""
    stamp = record.values.get("hs_timestamp") or record.values.get("hs_meeting_start_time")
    return parse_ms(stamp) if stamp else record.created


def _add(tally: _Tally, record: Record, now: int) -> None:
    values = record.values
    at = engagement_time(record)
    owner = values.get("hubspot_owner_id", "")
    tally.count += 1
    match record.kind:
        case "emails":
            direction = values.get("hs_email_direction")
            tally.activity.append(at)
            if direction == "INCOMING_EMAIL":
                tally.replies.append(at)
            elif direction == "EMAIL" and values.get("hs_email_status") not in UNSENT:
                tally.contacted.append((at, "EMAIL", record.id, owner))
                tally.outreach.append(at)
        case "calls":
            tally.activity.append(at)
            tally.contacted.append((at, "CALL", record.id, owner))
            if values.get("hs_call_direction") != "INBOUND":
                tally.outreach.append(at)
        case "communications":
            tally.activity.append(at)
            tally.contacted.append((at, values.get("hs_communication_channel_type", "SMS"), record.id, owner))
            if owner:
                tally.outreach.append(at)
        case "meetings":
            _add_meeting(tally, record, at, owner, now)
        case "tasks":
            tally.activity.append(record.created)
            if values.get("hs_task_status") != "COMPLETED" and at >= now:
                tally.upcoming.append(at)
        case "notes":
            tally.activity.append(at)


def _add_meeting(tally: _Tally, record: Record, at: int, owner: str, now: int) -> None:
    tally.meetings.append(at)
    if record.values.get("hs_meeting_source") == "MEETINGS_PUBLIC":
        tally.booked.append(record.created)
    if record.values.get("hs_meeting_outcome") == "CANCELED":
        return
    if at > now:
        tally.upcoming.append(at)
        return
    tally.activity.append(at)
    tally.contacted.append((at, "MEETING", record.id, owner))
    tally.outreach.append(at)


def _latest(moments: Iterable[int]) -> str:
    return iso(max(moments, default=-1)) if moments else ""


def _first_engagement(values: dict[str, str], contact: Mapping[str, str], tally: _Tally) -> None:
    owner = contact.get("hubspot_owner_id", "")
    assigned = contact.get("hubspot_owner_assigneddate")
    since = parse_ms(assigned) if assigned else 0
    theirs = [each for each in tally.contacted if each[3] == owner and each[0] >= since] if owner else []
    values["hs_is_unworked"] = "false" if theirs else "true"
    if not theirs:
        return
    at, kind, record_id, _ = min(theirs)
    values["hs_sa_first_engagement_date"] = iso(at)
    values["hs_sa_first_engagement_object_type"] = kind
    values["hs_first_engagement_object_id"] = record_id
    values["hs_time_to_first_engagement"] = str(at - since) if assigned else ""


def derive(
    contact: Mapping[str, str], engagements: Iterable[Record], deals: Iterable[Record], closed: frozenset[str], now: int
) -> dict[str, str]:
    """All of DERIVED for a contact ("" = no value), as of `now` (ms). `closed` holds the ids of closed deals."""
    tally = _Tally()
    for record in engagements:
        _add(tally, record, now)
    values = dict.fromkeys(DERIVED, "")
    if tally.count:
        values["num_notes"] = str(tally.count)
        values["notes_last_updated"] = _latest(tally.activity)
    if tally.contacted:
        values["num_contacted_notes"] = str(len(tally.contacted))
        values["notes_last_contacted"] = _latest([each[0] for each in tally.contacted])
    if tally.outreach:
        values["hs_first_outreach_date"] = iso(min(tally.outreach))
    if tally.upcoming:
        values["notes_next_activity_date"] = iso(min(tally.upcoming))
    values["hs_sales_email_last_replied"] = _latest(tally.replies)
    values["hs_latest_meeting_activity"] = _latest(tally.meetings)
    values["engagements_last_meeting_booked"] = _latest(tally.booked)
    theirs = [(at, "EMAIL_REPLY") for at in tally.replies] + [(at, "MEETING_BOOKED") for at in tally.booked]
    if submitted := contact.get("recent_conversion_date"):
        theirs.append((parse_ms(submitted), "FORM_SUBMITTED"))
    if theirs:
        at, kind = max(theirs)
        values["hs_last_sales_activity_timestamp"], values["hs_last_sales_activity_type"] = iso(at), kind
    _first_engagement(values, contact, tally)
    _deals(values, list(deals), closed)
    return values


def _deals(values: dict[str, str], deals: list[Record], closed: frozenset[str]) -> None:
    if not deals:
        return
    values["num_associated_deals"] = str(len(deals))
    values["first_deal_created_date"] = iso(min(deal.created for deal in deals))
    finished = [deal for deal in deals if deal.id in closed and deal.values.get("closedate")]
    if finished:
        last = max(finished, key=lambda deal: (deal.values["closedate"], deal.id))
        values["recent_deal_close_date"] = last.values["closedate"]
        values["recent_deal_amount"] = last.values.get("amount", "")
