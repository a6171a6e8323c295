"""What reps and leads say to each other: outreach, replies, meetings (playbook A3 to A5, D6, D9).

Everything counts within the present work cycle. Cheap properties, which HubSpot derives, are necessary conditions that
save the reading, never the answer (design 4 "Dear facts").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hubsync.policy.contact import Engagement
from hubsync.policy.instants import instant_or_none
from hubsync.policy.mailkinds import REPLY, Mail, MailWords
from hubsync.policy.view import Missing, View, once

NOT_SENT = frozenset({"BOUNCED", "FAILED", "SCHEDULED", "SENDING", "DRAFT"})
"""E-mail states in which nothing reached the lead (hubspot-api 5.1); None, as on logged mail, counts as sent."""
NOT_CALLED = frozenset({"QUEUED", "CANCELED", "FAILED"})
AS_LONG = timedelta(minutes=30)
"""How long a meeting takes whose end nobody gave."""


@dataclass(frozen=True, slots=True)
class EngagementTerms:
    """How to read engagements: `connected` call dispositions, what marks an incoming message, the words of mails."""

    connected: frozenset[str]
    mails: MailWords
    incoming_property: str = ""
    incoming_values: frozenset[str] = frozenset()

    def is_incoming(self, mark: Engagement) -> bool:
        """Whether a logged message came from the lead; HubSpot itself doesn't say (hubspot-api 5.3a)."""
        value = mark.properties.get(self.incoming_property) if self.incoming_property else None
        return (value or "").casefold() in self.incoming_values


def is_rep_outreach(mark: Engagement, owner_emails: frozenset[str], terms: EngagementTerms) -> bool:
    """Whether a rep reached out one to one (A3): a sent e-mail, an outbound call, a logged message, by somebody.

    Marketing e-mail is no engagement object; an engagement without an owner, a user or an owner's address is an
    integration's log, not a rep's work.
    """
    get = mark.properties.get
    somebody = bool(
        get("hubspot_owner_id")
        or get("hs_created_by_user_id")
        or (get("hs_email_from_email") or "").casefold() in owner_emails
    )
    if not somebody:
        return False
    if mark.kind == "emails":
        return get("hs_email_direction") == "EMAIL" and (get("hs_email_status") or "SENT") not in NOT_SENT
    if mark.kind == "calls":
        return (get("hs_call_direction") or "OUTBOUND") == "OUTBOUND" and get("hs_call_status") not in NOT_CALLED
    return mark.kind == "communications" and not terms.is_incoming(mark)


@once
def outreaches(view: View) -> list[Engagement] | Missing:
    """The rep outreaches of the present cycle, oldest first."""
    if view.contact.engagements is None and view.never_contacted():
        return []
    marks = view.engagements()
    if isinstance(marks, Missing):
        return marks
    policy = view.policy
    found = [m for m in marks if m.at <= view.now and is_rep_outreach(m, policy.owner_emails, policy.engagements)]
    if not found:
        return []
    begins = view.cycle()
    return begins if isinstance(begins, Missing) else _in_order(m for m in found if m.at >= begins)


@once
def replies(view: View) -> list[Engagement] | Missing:
    """The real replies of the cycle, oldest first: a person's mails, calls that connected, incoming messages (A4)."""
    if not may_have_answered(view, view.created):
        return []
    begins = view.cycle()
    return begins if isinstance(begins, Missing) else replies_since(view, begins)


def replies_since(view: View, since: datetime) -> list[Engagement] | Missing:
    """The real replies from a moment on, oldest first."""
    if not may_have_answered(view, since):
        return []
    marks = view.engagements()
    if isinstance(marks, Missing):
        return marks
    return _in_order(m for m in marks if since <= m.at <= view.now and is_reply(view, m))


def may_have_answered(view: View, since: datetime) -> bool:
    """Whether HubSpot's properties leave it open that the lead answered from a moment on (hubspot-api 4).

    A mail of the lead moves `hs_sales_email_last_replied`; a call or message moves `notes_last_contacted`, unless all
    that was ever logged is one e-mail.
    """
    policy, get = view.policy, view.properties.get
    replied = instant_or_none(get("hs_sales_email_last_replied"))
    if view.contact.engagements is not None:
        return any(mark.at >= since for mark in view.contact.engagements)
    if not policy.counts_replies or (replied is not None and replied >= since):
        return True
    if view.never_contacted():
        return False
    contacted = instant_or_none(get("notes_last_contacted"))
    if policy.counts_contacts and contacted is not None and contacted < since:
        return False
    only_one = get("num_contacted_notes") == "1"
    return not (only_one and (get("hs_sa_first_engagement_object_type") or "").upper() == "EMAIL")


def is_reply(view: View, mark: Engagement) -> bool:
    """Whether the lead answered with it: no opt-out, auto-reply or bounce, nor a mail in which somebody else writes."""
    terms = view.policy.engagements
    if mark.kind == "emails":
        return _incoming(view, mark) and mail_kind(view, mark) == REPLY and not _from_someone_else(view, mark)
    if mark.kind == "calls":
        return mark.properties.get("hs_call_disposition") in terms.connected
    return terms.is_incoming(mark)


def mail_kind(view: View, mark: Engagement) -> str:
    """What an incoming mail is: reply, opt_out, auto_reply or bounce."""
    get = mark.properties.get
    mail = Mail(
        get("hs_email_subject") or "",
        get("hs_email_text") or "",
        get("hs_email_from_email") or "",
        get("hs_email_headers") or "",
    )
    return view.policy.engagements.mails.kind(mail)


def last_reply_kind(view: View) -> str | Missing | None:
    """What the last incoming mail was, in whichever cycle; None where none came."""
    silent = view.policy.counts_replies and not view.properties.get("hs_sales_email_last_replied")
    if view.contact.engagements is None and silent:
        return None
    marks = view.engagements()
    if isinstance(marks, Missing):
        return marks
    mails = _in_order(m for m in marks if m.at <= view.now and _incoming(view, m))
    return mail_kind(view, mails[-1]) if mails else None


def _incoming(view: View, mark: Engagement) -> bool:
    """A mail to us that isn't a colleague's."""
    get = mark.properties.get
    sender = (get("hs_email_from_email") or "").casefold()
    return get("hs_email_direction") == "INCOMING_EMAIL" and sender not in view.policy.owner_emails


def _from_someone_else(view: View, mark: Engagement) -> bool:
    """Whether the contact only stands among the recipients: somebody else wrote it."""
    own = (view.properties.get("email") or "").casefold()
    get = mark.properties.get
    others = f"{get('hs_email_to_email') or ''};{get('hs_email_cc_email') or ''}".casefold()
    return bool(own) and (get("hs_email_from_email") or own).casefold() != own and own in others.split(";")


def booked(view: View) -> list[tuple[datetime, Engagement]] | Missing:
    """The cycle's meetings with the moments they were booked, in that order; cancelled ones never were.

    One that was booked before the cycle and takes place in it counts as booked when the cycle began.
    """
    found = _meetings_of_the_cycle(view)
    if isinstance(found, Missing):
        return found
    marks = [(max(_booked_at(m), begins), m) for m, begins in found if _outcome(m) != "CANCELED"]
    return sorted(((at, m) for at, m in marks if at <= view.now), key=lambda pair: (pair[0], pair[1].id))


def booked_after(view: View, since: datetime) -> tuple[datetime, Engagement] | Missing | None:
    """The first meeting booked after a moment."""
    marks = view.meetings() if _may_have_met(view, since) else ()
    if isinstance(marks, Missing):
        return marks
    found = [(_booked_at(m), m) for m in marks if _outcome(m) != "CANCELED" and since < _booked_at(m) <= view.now]
    return min(found, key=lambda pair: (pair[0], pair[1].id), default=None)


def held(view: View) -> list[tuple[datetime, Engagement]] | Missing:
    """The cycle's meetings that took place, with the moments they ended, in that order."""
    found = _meetings_of_the_cycle(view)
    if isinstance(found, Missing):
        return found
    took_place = [m for m, _ in found if _outcome(m) == "COMPLETED" and starts_at(m) <= view.now]
    marks = [(min(ends_at(m), view.now), m) for m in took_place]
    return sorted(marks, key=lambda pair: (pair[0], pair[1].id))


def without_outcome(view: View) -> Engagement | Missing | None:
    """The meeting of the cycle that ended last and has no outcome; else the next one to come."""
    found = _meetings_of_the_cycle(view)
    if isinstance(found, Missing):
        return found
    open_ones = [m for m, _ in found if _outcome(m) in {"", "SCHEDULED"}]
    past = [m for m in open_ones if ends_at(m) <= view.now]
    if past:
        return max(past, key=lambda m: (ends_at(m), m.id))
    return min(open_ones, key=lambda m: (ends_at(m), m.id), default=None)


def starts_at(mark: Engagement) -> datetime:
    """When a meeting begins."""
    return instant_or_none(mark.properties.get("hs_meeting_start_time")) or mark.at


def ends_at(mark: Engagement) -> datetime:
    """When a meeting ends."""
    return instant_or_none(mark.properties.get("hs_meeting_end_time")) or starts_at(mark) + AS_LONG


def _booked_at(mark: Engagement) -> datetime:
    """When a meeting was booked; one that was logged afterwards, when it began."""
    return min(instant_or_none(mark.properties.get("hs_createdate")) or starts_at(mark), starts_at(mark))


def _outcome(mark: Engagement) -> str:
    return (mark.properties.get("hs_meeting_outcome") or "").upper()


@once
def _meetings_of_the_cycle(view: View) -> list[tuple[Engagement, datetime]] | Missing:
    """The meetings that begin within the cycle, each with the cycle's beginning."""
    if view.meetings() == ():
        return []
    begins = view.cycle()
    if isinstance(begins, Missing):
        return begins
    marks = view.meetings() if _may_have_met(view, begins) else ()
    return marks if isinstance(marks, Missing) else [(m, begins) for m in marks if starts_at(m) >= begins]


def _may_have_met(view: View, since: datetime) -> bool:
    """Whether HubSpot's dates leave it open that a meeting begins after a moment (hubspot-api 4)."""
    get = view.properties.get
    latest = instant_or_none(get("hs_latest_meeting_activity"))
    lately = instant_or_none(get("engagements_last_meeting_booked"))
    known = view.contact.meetings is not None
    return known or latest is None or latest >= since or (lately is not None and lately >= since)


def _in_order(marks: Iterable[Engagement]) -> list[Engagement]:
    return sorted(marks, key=lambda m: (m.at, m.id))
