"""Kinds of object other than contacts: their properties, type ids and association types (hubspot-api.md 5 and 6)."""

from __future__ import annotations

from dataclasses import replace

from hubsync.sandbox.contact_properties import LIFECYCLE_STAGES, contact_properties, from_rows, options
from hubsync.sandbox.schema import Property

TYPE_IDS = {
    "contacts": "0-1",
    "companies": "0-2",
    "deals": "0-3",
    "communications": "0-18",
    "tasks": "0-27",
    "notes": "0-46",
    "meetings": "0-47",
    "calls": "0-48",
    "emails": "0-49",
}
SINGULAR = {
    "contacts": "contact",
    "companies": "company",
    "deals": "deal",
    "communications": "communication",
    "tasks": "task",
    "notes": "note",
    "meetings": "meeting",
    "calls": "call",
    "emails": "email",
}
KINDS = {
    **{kind: kind for kind in TYPE_IDS},
    **{type_id: kind for kind, type_id in TYPE_IDS.items()},
    **{name: kind for kind, name in SINGULAR.items()},
}
"""Every spelling of an object type in a path → the kind."""

ENGAGEMENTS = ("emails", "calls", "meetings", "communications", "notes", "tasks")

ASSOCIATION_TYPES: dict[tuple[str, str], int] = {
    ("contacts", "tasks"): 203,
    ("tasks", "contacts"): 204,
    ("contacts", "emails"): 197,
    ("emails", "contacts"): 198,
    ("contacts", "calls"): 193,
    ("calls", "contacts"): 194,
    ("contacts", "meetings"): 199,
    ("meetings", "contacts"): 200,
    ("contacts", "notes"): 201,
    ("notes", "contacts"): 202,
    ("contacts", "communications"): 82,
    ("communications", "contacts"): 81,
    ("contacts", "deals"): 4,
    ("deals", "contacts"): 3,
    ("contacts", "companies"): 279,
    ("companies", "contacts"): 280,
    ("deals", "companies"): 341,
    ("companies", "deals"): 342,
    ("companies", "tasks"): 191,
    ("tasks", "companies"): 192,
    ("deals", "tasks"): 215,
    ("tasks", "deals"): 216,
}
"""Default (unlabelled) type id by direction."""

PRIMARY_TYPES = {
    ("contacts", "companies"): 1,
    ("companies", "contacts"): 2,
    ("deals", "companies"): 5,
    ("companies", "deals"): 6,
}

CALL_OUTCOMES = {
    "busy": "9d9162e7-6cf3-4944-bf63-4dff82258764",
    "connected": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    "left_live_message": "a4c4c377-d246-4b32-a13b-75a56a4cd0ff",
    "left_voicemail": "b2cf5968-551e-4856-9783-52b3da59a7d0",
    "no_answer": "73a0d17f-1163-4015-bdd5-ec830791da20",
    "wrong_number": "17b47fee-58de-441e-a44c-c6300d46f273",
}

_COMMON = """
hs_createdate | Object create date/time | datetime | date | {group} | r
hs_lastmodifieddate | Last modified date | datetime | date | {group} | r
hs_object_id | Record ID | number | number | {group} | r
hs_object_source | Record creation source | string | text | {group} | rh
hs_object_source_id | Record creation source ID | string | text | {group} | rh
hs_object_source_label | Record source | string | text | {group} | r
hs_created_by_user_id | Created by user ID | number | number | {group} | r
hs_updated_by_user_id | Updated by user ID | number | number | {group} | r
hubspot_owner_id | Owner | enumeration | select | {group} | o
hubspot_owner_assigneddate | Owner assigned date | datetime | date | {group} | r
hubspot_team_id | HubSpot team | enumeration | select | {group} | ro
"""
_ROWS = {
    "companies": """
name | Company name | string | text | companyinformation |
domain | Company Domain Name | string | text | companyinformation |
industry | Industry | string | text | companyinformation |
country | Country/Region | string | text | companyinformation |
city | City | string | text | companyinformation |
annualrevenue | Annual Revenue | number | number | companyinformation |
numberofemployees | Number of Employees | number | number | companyinformation |
createdate | Create Date | datetime | date | companyinformation | r
num_associated_contacts | Number of Associated Contacts | number | number | companyinformation | rc
""",
    "deals": """
dealname | Deal Name | string | text | dealinformation |
dealstage | Deal Stage | enumeration | radio | dealinformation | o
pipeline | Pipeline | enumeration | select | dealinformation | o
amount | Amount | number | number | dealinformation |
closedate | Close Date | datetime | date | dealinformation |
createdate | Create Date | datetime | date | dealinformation |
closed_lost_reason | Closed Lost Reason | string | textarea | dealinformation |
closed_won_reason | Closed Won Reason | string | textarea | dealinformation |
dealtype | Deal Type | enumeration | radio | dealinformation | o
hs_is_closed | Is Deal Closed? | bool | booleancheckbox | dealinformation | rc
hs_is_closed_won | Is Closed Won | bool | booleancheckbox | dealinformation | rc
hs_deal_stage_probability | Deal probability | number | number | dealinformation | rc
num_associated_contacts | Number of Associated Contacts | number | number | dealinformation | rc
""",
    "emails": """
hs_timestamp | Activity date | datetime | date | engagement |
hs_email_direction | Email direction | enumeration | select | engagement | o
hs_email_status | Email send status | enumeration | select | engagement | o
hs_email_subject | Email subject | string | text | engagement |
hs_email_text | Text body | string | textarea | engagement |
hs_email_html | Email body | string | html | engagement |
hs_email_headers | Email headers | string | text | engagement |
hs_email_from_email | Email from address | string | text | engagement | r
hs_email_from_firstname | Email from first name | string | text | engagement | r
hs_email_from_lastname | Email from last name | string | text | engagement | r
hs_email_sender_email | Email sender address | string | text | engagement | r
hs_email_to_email | Email to address | string | text | engagement | r
hs_email_thread_id | Email thread ID | string | text | engagement |
hs_email_bounce_error_detail_message | Bounce message | string | text | engagement |
hs_sequence_id | Sequence ID | number | number | engagement |
hs_body_preview | Body preview | string | text | engagement | r
""",
    "calls": """
hs_timestamp | Activity date | datetime | date | engagement |
hs_call_title | Call title | string | text | engagement |
hs_call_body | Call notes | string | html | engagement |
hs_call_direction | Call direction | enumeration | select | engagement | o
hs_call_status | Call status | enumeration | select | engagement | o
hs_call_disposition | Call outcome | enumeration | select | engagement | o
hs_call_duration | Call duration | number | number | engagement |
hs_call_from_number | From number | string | text | engagement |
hs_call_to_number | To number | string | text | engagement |
""",
    "meetings": """
hs_timestamp | Activity date | datetime | date | engagement |
hs_meeting_title | Meeting name | string | text | engagement |
hs_meeting_body | Meeting description | string | html | engagement |
hs_internal_meeting_notes | Internal meeting notes | string | html | engagement |
hs_meeting_start_time | Meeting start time | datetime | date | engagement |
hs_meeting_end_time | Meeting end time | datetime | date | engagement |
hs_meeting_outcome | Meeting outcome | enumeration | select | engagement | o
hs_meeting_source | Meeting source | enumeration | select | engagement | o
hs_meeting_location | Meeting location | string | text | engagement |
""",
    "communications": """
hs_timestamp | Activity date | datetime | date | engagement |
hs_communication_channel_type | Channel type | enumeration | select | engagement |
hs_communication_logged_from | Logged from | enumeration | select | engagement |
hs_communication_body | Body | string | html | engagement |
""",
    "notes": """
hs_timestamp | Activity date | datetime | date | engagement |
hs_note_body | Note body | string | html | engagement |
hs_body_preview | Body preview | string | text | engagement | r
""",
    "tasks": """
hs_timestamp | Activity date | datetime | date | engagement |
hs_task_subject | Task title | string | text | task |
hs_task_body | Notes | string | html | task |
hs_task_status | Task status | enumeration | select | task |
hs_task_priority | Priority | enumeration | select | task |
hs_task_type | Task type | enumeration | select | task |
hs_task_reminders | Reminders | string | text | task |
hs_task_completion_date | Completed at | datetime | date | task | r
hs_task_is_completed | Is completed | number | number | task | rc
""",
}
_OPTIONS = {
    "hs_task_status": ("NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED", "COMPLETED"),
    "hs_task_priority": ("NONE", "LOW", "MEDIUM", "HIGH"),
    "hs_task_type": ("TODO", "CALL", "EMAIL", "LINKED_IN", "LINKED_IN_CONNECT", "LINKED_IN_MESSAGE"),
    "hs_communication_channel_type": ("WHATS_APP", "LINKEDIN_MESSAGE", "SMS"),
    "hs_communication_logged_from": ("CRM",),
}
_GROUPS = {"companies": "companyinformation", "deals": "dealinformation"}
REQUIRED_ON_CREATE = {
    "tasks": ("hs_timestamp",),
    "emails": ("hs_timestamp", "hs_email_direction"),
    "calls": ("hs_timestamp",),
    "meetings": (),
    "communications": ("hs_communication_channel_type",),
    "notes": ("hs_timestamp",),
}


def shipped_properties(kind: str) -> dict[str, Property]:
    """The property definitions of a fresh portal for one kind of object, by name."""
    if kind == "contacts":
        return {prop.name: prop for prop in contact_properties()}
    group = _GROUPS.get(kind, "engagement")
    rows = "\n".join(row for row in (_ROWS[kind] + _COMMON.format(group=group)).splitlines() if row.strip())
    found = {prop.name: prop for prop in from_rows(rows)}
    for name, values in _OPTIONS.items():
        if name in found:
            pairs = tuple((value, value.replace("_", " ").capitalize()) for value in values)
            found[name] = found[name].with_options(options(pairs))
    if kind == "companies":
        found["lifecyclestage"] = Property(
            "lifecyclestage",
            "Lifecycle Stage",
            "enumeration",
            "radio",
            "companyinformation",
            options(LIFECYCLE_STAGES),
        )
    found["hubspot_owner_id"] = replace(found["hubspot_owner_id"], referenced="OWNER")
    return found
