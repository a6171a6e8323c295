"""What lies around a contact: its deals, and the e-mails, calls, meetings and messages on its timeline.

Dear facts: association ids first, then the records themselves, each read once however many contacts share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from hubsync.policy.contact import Deal, Engagement
from hubsync.portal import decoding
from hubsync.portal.asking import Asker
from hubsync.portal.associations import associated, associated_each
from hubsync.portal.reading import Wanted, read_each, read_objects

DEAL_PROPERTIES = (
    "dealname",
    "dealstage",
    "pipeline",
    "amount",
    "closedate",
    "createdate",
    "closed_lost_reason",
    "hubspot_owner_id",
    "hs_is_closed",
    "hs_is_closed_won",
    "hs_lastmodifieddate",
)

_COMMON = (
    "hs_timestamp",
    "hs_createdate",
    "hs_lastmodifieddate",
    "hubspot_owner_id",
    "hs_created_by_user_id",
    "hs_object_source",
    "hs_object_source_id",
)

ENGAGEMENT_PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "emails": (
        *_COMMON,
        "hs_email_direction",
        "hs_email_status",
        "hs_email_subject",
        "hs_email_text",
        "hs_email_headers",
    ),
    "calls": (*_COMMON, "hs_call_direction", "hs_call_status", "hs_call_disposition", "hs_call_duration"),
    "meetings": (*_COMMON, "hs_meeting_start_time", "hs_meeting_end_time", "hs_meeting_outcome", "hs_meeting_title"),
    "communications": (*_COMMON, "hs_communication_channel_type", "hs_communication_logged_from"),
}
"""What the rules on outreach, replies and meetings need to know (playbook A3 to A5), by kind."""


def deals_of(asker: Asker, contact_ids: Iterable[str], properties: Sequence[str] = ()) -> dict[str, tuple[Deal, ...]]:
    """Each contact's deals with the history of their stage; a contact without any has an empty tuple."""
    links = associated(asker, "contacts", contact_ids, "deals")
    wanted = list(dict.fromkeys((*DEAL_PROPERTIES, *properties)))
    ids = {link.id for found in links.values() for link in found}
    deals = read_objects(asker, "deals", sorted(ids), wanted, ("dealstage",), decode=decoding.deal)
    return {
        contact: tuple(
            replace(deals[link.id], labels=link.labels, primary="Primary" in link.labels)
            for link in found
            if link.id in deals
        )
        for contact, found in links.items()
    }


def engagements_of(
    asker: Asker,
    contact_ids: Iterable[str],
    kinds: Sequence[str] = tuple(ENGAGEMENT_PROPERTIES),
    properties: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, tuple[Engagement, ...]]:
    """Each contact's engagements of `kinds`, oldest first. `properties` adds to what is read, by kind."""
    asked = list(dict.fromkeys(contact_ids))
    links = associated_each(asker, "contacts", asked, kinds)
    wanted = [
        Wanted(
            kind,
            sorted({link.id for some in links[kind].values() for link in some}),
            list(dict.fromkeys((*ENGAGEMENT_PROPERTIES[kind], *(properties or {}).get(kind, ())))),
            partial(decoding.engagement, kind),
        )
        for kind in kinds
    ]
    read = read_each(asker, wanted)
    found: dict[str, list[Engagement]] = {id_: [] for id_ in asked}
    for kind in kinds:
        for contact, some in links[kind].items():
            found[contact].extend(e for link in some if (e := read[kind].get(link.id)) is not None)
    return {id_: tuple(sorted(some, key=lambda e: (e.at, e.kind, e.id))) for id_, some in found.items()}


def contacts_of(asker: Asker, kind: str, ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The contacts that each record of `kind` belongs to."""
    return {id_: tuple(link.id for link in links) for id_, links in associated(asker, kind, ids, "contacts").items()}
