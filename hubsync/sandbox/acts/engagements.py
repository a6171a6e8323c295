"""What reps and leads say to each other: mails, calls, messages, meetings, notes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from hubsync.sandbox.acts import sources
from hubsync.sandbox.object_properties import CALL_OUTCOMES
from hubsync.sandbox.records import Source
from hubsync.sandbox.state import Portal
from hubsync.sandbox.times import from_ms, iso, parse_ms

_LOGGED_MAIL = Source("EMAIL_INTEGRATION", "inbox", "Email integration")
_MEETINGS_TOOL = Source("MEETINGS", "meetings", "Meetings")


def rep_sends_email(
    portal: Portal,
    contact: str,
    owner: str | None,
    *,
    subject: str = "Hello",
    text: str = "",
    status: str | None = "SENT",
    by_sequence: bool = False,
    sequence: str = "9001",
    at: datetime | None = None,
) -> str:
    """A rep sends a one-to-one mail, by hand or by a sequence in the rep's name. BCC-logged mail has `status` None."""
    sender = portal.directory.owners.get(owner or "")
    values = {
        "hs_email_direction": "EMAIL",
        "hs_email_status": status,
        "hs_email_subject": subject,
        "hs_email_text": text,
        "hs_email_from_email": sender.email if sender else None,
        "hs_email_to_email": portal.get("contacts", contact).values.get("email"),
        "hs_sequence_id": sequence if by_sequence else None,
        "hubspot_owner_id": owner,
    }
    source = Source("SEQUENCES", sequence, "Sequences", sender.user_id if sender else None) if by_sequence else None
    return _log(portal, "emails", contact, values, source or sources.person(portal, owner), at)


def email_bounces(
    portal: Portal, contact: str, email: str, *, notify: bool = True, at: datetime | None = None
) -> str | None:
    """The mail comes back: its status turns BOUNCED; with `notify` the failure is logged as an incoming mail."""
    portal.update("emails", email, {"hs_email_status": "BOUNCED"}, source=_LOGGED_MAIL, at=at)
    if not notify:
        return None
    subject = f"Undeliverable: {portal.get('emails', email).values.get('hs_email_subject', '')}"
    headers = {"from": {"email": "mailer-daemon@googlemail.com"}, "auto-submitted": "auto-replied"}
    return lead_replies(
        portal,
        contact,
        subject,
        "Delivery has failed: address not found.",
        headers,
        sender="mailer-daemon@googlemail.com",
        at=at,
    )


def lead_replies(
    portal: Portal,
    contact: str,
    subject: str = "Re: Hello",
    text: str = "Thank you, let us talk.",
    headers: Mapping[str, object] | None = None,
    *,
    sender: str | None = None,
    owner: str | None = None,
    at: datetime | None = None,
) -> str:
    """The lead answers a mail. `headers` end up as the JSON text of `hs_email_headers`."""
    values = {
        "hs_email_direction": "INCOMING_EMAIL",
        "hs_email_status": "SENT",
        "hs_email_subject": subject,
        "hs_email_text": text,
        "hs_email_from_email": sender or portal.get("contacts", contact).values.get("email"),
        "hs_email_headers": json.dumps(dict(headers)) if headers is not None else None,
        "hubspot_owner_id": owner or portal.get("contacts", contact).values.get("hubspot_owner_id"),
    }
    return _log(portal, "emails", contact, values, _LOGGED_MAIL, at)


def lead_opts_out(
    portal: Portal,
    contact: str,
    text: str = "Please unsubscribe me.",
    *,
    subject: str = "Unsubscribe",
    at: datetime | None = None,
) -> str:
    """The lead answers that they want no more mail."""
    return lead_replies(portal, contact, subject, text, at=at)


def lead_auto_replies(
    portal: Portal,
    contact: str,
    subject: str = "Automatic reply: Hello",
    text: str = "I am out of the office.",
    *,
    at: datetime | None = None,
) -> str:
    """The lead's mailbox answers by itself."""
    return lead_replies(portal, contact, subject, text, {"Auto-Submitted": "auto-replied"}, at=at)


def rep_calls(
    portal: Portal,
    contact: str,
    owner: str | None,
    *,
    outcome: str = "no_answer",
    direction: str | None = "OUTBOUND",
    duration: timedelta = timedelta(0),
    body: str = "",
    at: datetime | None = None,
) -> str:
    """A call is logged. `outcome` is a key of CALL_OUTCOMES or a disposition id of the portal's own."""
    values = {
        "hs_call_direction": direction,
        "hs_call_status": "COMPLETED",
        "hs_call_disposition": CALL_OUTCOMES.get(outcome, outcome),
        "hs_call_duration": str(duration // timedelta(milliseconds=1)),
        "hs_call_body": body,
        "hubspot_owner_id": owner,
    }
    return _log(portal, "calls", contact, values, sources.person(portal, owner), at)


def rep_messages(
    portal: Portal,
    contact: str,
    owner: str | None,
    channel: str = "LINKEDIN_MESSAGE",
    *,
    text: str = "",
    at: datetime | None = None,
) -> str:
    """A rep logs a message; `channel` is WHATS_APP, LINKEDIN_MESSAGE or SMS."""
    values = {
        "hs_communication_channel_type": channel,
        "hs_communication_logged_from": "CRM",
        "hs_communication_body": text,
        "hubspot_owner_id": owner,
    }
    return _log(portal, "communications", contact, values, sources.person(portal, owner), at)


def book_meeting(
    portal: Portal,
    contact: str,
    owner: str | None,
    start: datetime,
    *,
    minutes: int = 30,
    title: str = "Meeting",
    through_tool: bool = True,
    outcome: str | None = "SCHEDULED",
    at: datetime | None = None,
) -> str:
    """A meeting is booked for `start`, by the lead through the meetings tool or by the rep."""
    begin = portal.moment(start)
    values = {
        "hs_meeting_title": title,
        "hs_meeting_start_time": iso(begin),
        "hs_meeting_end_time": iso(begin + minutes * 60_000),
        "hs_meeting_outcome": outcome,
        "hs_meeting_source": "MEETINGS_PUBLIC" if through_tool else "CRM_UI",
        "hubspot_owner_id": owner,
        "hs_timestamp": iso(begin),
    }
    return _log(
        portal, "meetings", contact, values, _MEETINGS_TOOL if through_tool else sources.person(portal, owner), at
    )


def hold_meeting(portal: Portal, meeting: str, user: str | None = None, *, at: datetime | None = None) -> None:
    """The rep marks the meeting as held (default: at its end, if that has passed)."""
    _outcome(portal, meeting, "COMPLETED", user, at)


def miss_meeting(portal: Portal, meeting: str, user: str | None = None, *, at: datetime | None = None) -> None:
    """The rep marks that the lead didn't come."""
    _outcome(portal, meeting, "NO_SHOW", user, at)


def log_note(portal: Portal, contact: str, body: str, owner: str | None = None, *, at: datetime | None = None) -> str:
    """A rep writes a note."""
    values = {"hs_note_body": body, "hubspot_owner_id": owner}
    return _log(portal, "notes", contact, values, sources.person(portal, owner), at)


def _outcome(portal: Portal, meeting: str, outcome: str, user: str | None, at: datetime | None) -> None:
    with portal.lock:
        record = portal.get("meetings", meeting)
        end = parse_ms(record.values["hs_meeting_end_time"])
        moment = at or (from_ms(end) if end <= portal.now_ms() else None)
        actor = sources.person(portal, user or record.values.get("hubspot_owner_id"))
        portal.update("meetings", meeting, {"hs_meeting_outcome": outcome}, source=actor, at=moment)


def _log(
    portal: Portal, kind: str, contact: str, values: Mapping[str, str | None], source: Source, at: datetime | None
) -> str:
    with portal.lock:
        moment = portal.moment(at)
        stamped = {"hs_timestamp": iso(moment), **values}
        return portal.create(kind, stamped, source=source, at=moment, to=[("contacts", contact)])
