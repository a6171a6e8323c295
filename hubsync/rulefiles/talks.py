"""What reps and leads say to each other in a case, and what HubSpot derives from it (hubspot-api.md 4 and 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hubsync.policy.contact import Contact, Engagement
from hubsync.policy.engagements import ends_at, starts_at
from hubsync.policy.instants import instant_or_none
from hubsync.policy.policy import Policy
from hubsync.rulefiles.case_spec import ActSpec, MeetingAct
from hubsync.rulefiles.records import filled, iso

TALKS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "rep_email": ("emails", {"hs_email_direction": "EMAIL", "hs_email_status": "SENT"}),
    "rep_call": ("calls", {"hs_call_direction": "OUTBOUND", "hs_call_status": "COMPLETED"}),
    "rep_message": ("communications", {"hs_communication_channel_type": "WHATS_APP"}),
    "lead_email": (
        "emails",
        {
            "hs_email_direction": "INCOMING_EMAIL",
            "hs_email_subject": "Re: Hello",
            "hs_email_text": "Thank you, let us talk.",
        },
    ),
    "connected_call": ("calls", {"hs_call_direction": "OUTBOUND", "hs_call_status": "COMPLETED"}),
}
"""Acts that become an engagement, with what it holds where the case doesn't say."""

CLICKS: Mapping[str, str] = {"form_sent": "recent_conversion_date", "marketing_click": "hs_email_last_click_date"}
"""Acts of which HubSpot keeps the last moment alone, and where."""


@dataclass(slots=True)
class Talks:
    """The engagements and meetings of a contact in a case."""

    policy: Policy
    engagements: list[Engagement] = field(default_factory=list)
    meetings: dict[str, Engagement] = field(default_factory=dict)

    def play(self, act: ActSpec, owner: str) -> None:
        """Log one engagement; a call that connects has the first disposition of portal.yaml."""
        kind, defaults = TALKS[act.kind]
        given = {**defaults, "hubspot_owner_id": owner, **getattr(act, act.kind)}
        if act.kind == "connected_call":
            given.setdefault("hs_call_disposition", min(self.policy.engagements.connected, default=""))
        shown = {name: filled(value) or None for name, value in given.items()}
        self.engagements.append(Engagement(kind, str(len(self.engagements) + 1), act.at, shown))

    def meet(self, act: ActSpec, meeting: MeetingAct, owner: str) -> None:
        """Book a meeting, or say what became of it; one that was never booked was logged when it ended."""
        known = self.meetings.get(meeting.id)
        booked = act.kind == "meeting_booked"
        properties: dict[str, str | None] = {"hs_createdate": iso(act.at), "hubspot_owner_id": owner}
        properties |= known.properties if known is not None else {}
        if booked or known is None:
            start = meeting.start or (act.at + timedelta(days=1) if booked else act.at - timedelta(minutes=30))
            end = meeting.end or start + timedelta(minutes=30)
            properties |= {"hs_meeting_start_time": iso(start), "hs_meeting_end_time": iso(end)}
        outcome = meeting.outcome or ("SCHEDULED" if booked else "COMPLETED")
        properties["hs_meeting_outcome"] = None if outcome == "none" else outcome
        start = instant_or_none(properties["hs_meeting_start_time"]) or act.at
        self.meetings[meeting.id] = Engagement("meetings", meeting.id, start, properties)

    def resume(self, contact: Contact) -> None:
        """Go on from a contact that was looked at before."""
        self.engagements = list(contact.engagements or ())
        self.meetings = {mark.id: mark for mark in contact.meetings or ()}

    def logged(self) -> tuple[Engagement, ...]:
        """The engagements, oldest first."""
        return tuple(sorted(self.engagements, key=lambda e: (e.at, e.id)))

    def met(self) -> tuple[Engagement, ...]:
        """The meetings, in the order in which they begin."""
        return tuple(sorted(self.meetings.values(), key=lambda e: (e.at, e.id)))

    def derived(self, now: datetime) -> dict[str, str]:
        """What HubSpot derives from them as of now, where there is anything."""
        theirs = [e for e in self.engagements if e.properties.get("hs_email_direction") == "INCOMING_EMAIL"]
        ours = [e for e in self.engagements if e not in theirs]
        past = [m for m in self.meetings.values() if ends_at(m) <= now]
        moments = {
            "hs_sales_email_last_replied": _latest(e.at for e in theirs),
            "notes_last_contacted": _latest([*(e.at for e in ours), *(starts_at(m) for m in past)]),
            "hs_latest_meeting_activity": _latest(starts_at(m) for m in self.meetings.values()),
        }
        return {"num_contacted_notes": str(len(ours) + len(past)), **{n: iso(at) for n, at in moments.items() if at}}


def _latest(moments: Iterable[datetime]) -> datetime | None:
    return max(moments, default=None)
