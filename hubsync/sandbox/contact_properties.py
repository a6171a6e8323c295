"""The contact properties that a new portal ships, as far as they matter here (hubspot-api.md 3 and 4).

Data alone: a row is `name | label | type | field type | group | flags`; flags: r read-only, c calculated, h hidden.
"""

from __future__ import annotations

from hubsync.sandbox.schema import Option, Property

LEAD_STATUSES = (
    ("NEW", "New"),
    ("OPEN", "Open"),
    ("IN_PROGRESS", "In Progress"),
    ("OPEN_DEAL", "Open Deal"),
    ("UNQUALIFIED", "Unqualified"),
    ("ATTEMPTED_TO_CONTACT", "Attempted to Contact"),
    ("CONNECTED", "Connected"),
    ("BAD_TIMING", "Bad Timing"),
)
LIFECYCLE_STAGES = (
    ("subscriber", "Subscriber"),
    ("lead", "Lead"),
    ("marketingqualifiedlead", "Marketing Qualified Lead"),
    ("salesqualifiedlead", "Sales Qualified Lead"),
    ("opportunity", "Opportunity"),
    ("customer", "Customer"),
    ("evangelist", "Evangelist"),
    ("other", "Other"),
)
ENGAGEMENT_KINDS = ("CALL", "CONFERENCE_SESSION", "EMAIL", "LINKEDIN_MESSAGE", "MEETING", "SMS", "WHATS_APP")

_ROWS = """
email | Email | string | text | contactinformation |
firstname | First Name | string | text | contactinformation |
lastname | Last Name | string | text | contactinformation |
phone | Phone Number | string | phonenumber | contactinformation |
mobilephone | Mobile Phone Number | string | phonenumber | contactinformation |
company | Company Name | string | text | contactinformation |
jobtitle | Job Title | string | text | contactinformation |
salutation | Salutation | string | text | contactinformation |
website | Website URL | string | text | contactinformation |
address | Street Address | string | text | contactinformation |
city | City | string | text | contactinformation |
state | State/Region | string | text | contactinformation |
zip | Postal Code | string | text | contactinformation |
country | Country/Region | string | text | contactinformation |
industry | Industry | string | text | contactinformation |
hs_language | Preferred language | string | text | contactinformation |
hs_timezone | Time Zone | string | text | contactinformation |
annualrevenue | Annual Revenue | string | text | contactinformation |
numemployees | Number of Employees | string | text | contactinformation |
message | Message | string | textarea | contactinformation |
hs_email_domain | Email Domain | string | text | contactinformation | rc
hs_linkedin_url | LinkedIn URL | string | text | contactinformation |
hs_persona | Persona | string | text | contactinformation |
associatedcompanyid | Primary Associated Company ID | number | number | contactinformation | r
createdate | Create Date | datetime | date | contactinformation | r
hs_createdate | Object create date/time | datetime | date | contactinformation | rh
lastmodifieddate | Last Modified Date | datetime | date | contactinformation | r
hs_lastmodifieddate | Object last modified date/time | datetime | date | contactinformation | rh
hs_object_id | Record ID | number | number | contactinformation | r
hs_object_source | Record creation source | string | text | contactinformation | rh
hs_object_source_id | Record creation source ID | string | text | contactinformation | rh
hs_object_source_label | Record source | string | text | contactinformation | r
hs_created_by_user_id | Created by user ID | number | number | contactinformation | r
hs_updated_by_user_id | Updated by user ID | number | number | contactinformation | r
hs_merged_object_ids | Merged record IDs | string | text | contactinformation | r
hs_calculated_merged_vids | Merged vids with timestamps | string | text | contactinformation | rch
hs_all_contact_vids | All vids for a contact | string | text | contactinformation | rch
hs_email_optout | Unsubscribed from all email | bool | booleancheckbox | emailinformation | r
hs_email_bounce | Marketing emails bounced | number | number | emailinformation | r
hs_email_first_send_date | First marketing email send date | datetime | date | emailinformation | r
hs_email_last_send_date | Last marketing email send date | datetime | date | emailinformation | r
hs_email_last_open_date | Last marketing email open date | datetime | date | emailinformation | r
hs_email_last_click_date | Last marketing email click date | datetime | date | emailinformation | r
hs_email_last_reply_date | Last marketing email reply date | datetime | date | emailinformation | r
hs_email_sends_since_last_engagement | Sends since last engagement | number | number | emailinformation | r
hs_analytics_source | Original Source | string | text | analyticsinformation | r
hs_latest_source | Latest Source | string | text | analyticsinformation | r
num_conversion_events | Number of Form Submissions | number | number | conversioninformation | r
num_unique_conversion_events | Number of Unique Forms Submitted | number | number | conversioninformation | r
first_conversion_date | First Conversion Date | datetime | date | conversioninformation | r
first_conversion_event_name | First Conversion | string | text | conversioninformation | r
recent_conversion_date | Recent Conversion Date | datetime | date | conversioninformation | r
recent_conversion_event_name | Recent Conversion | string | text | conversioninformation | r
hubspotscore | HubSpot Score | number | number | contactinformation | rc
hubspot_owner_assigneddate | Owner Assigned Date | datetime | date | sales_properties | r
hubspot_team_id | HubSpot Team | enumeration | select | sales_properties | ro
hs_first_outreach_date | Date of first outreach | datetime | date | sales_properties | rch
hs_sa_first_engagement_date | Date of first engagement | datetime | date | sales_properties | r
hs_sa_first_engagement_descr | Description of first engagement | enumeration | select | sales_properties | rco
hs_sa_first_engagement_object_type | Type of first engagement | enumeration | select | sales_properties | rco
hs_first_engagement_object_id | ID of first engagement | number | number | sales_properties | rc
hs_time_to_first_engagement | Lead response time | number | number | sales_properties | rc
notes_last_contacted | Last Contacted | datetime | date | sales_properties | r
notes_last_updated | Last Activity Date | datetime | date | sales_properties | r
notes_next_activity_date | Next Activity Date | datetime | date | sales_properties | r
num_contacted_notes | Number of times contacted | number | number | sales_properties | r
num_notes | Number of Sales Activities | number | number | sales_properties | r
hs_sales_email_last_replied | Recent Sales Email Replied Date | datetime | date | sales_properties | r
hs_sales_email_last_opened | Recent Sales Email Opened Date | datetime | date | sales_properties | r
hs_sales_email_last_clicked | Recent Sales Email Clicked Date | datetime | date | sales_properties | r
hs_last_sales_activity_timestamp | Last Engagement Date | datetime | date | sales_properties | r
hs_last_sales_activity_type | Last Engagement Type | enumeration | select | sales_properties | ro
hs_last_sales_activity_date | Last sales activity date old | datetime | date | sales_properties | rh
engagements_last_meeting_booked | Date of last meeting booked in meetings tool | datetime | date | sales_properties | r
hs_latest_meeting_activity | Latest meeting activity | datetime | date | sales_properties | rh
hs_sequences_is_enrolled | Currently in Sequence | bool | booleancheckbox | sales_properties | rc
hs_sequences_enrolled_count | Number of sequences enrolled | number | number | sales_properties | r
hs_latest_sequence_enrolled_date | Last sequence enrolled date | datetime | date | sales_properties | r
hs_is_unworked | Contact unworked | bool | booleancheckbox | sales_properties | rc
num_associated_deals | Number of Associated Deals | number | number | deal_information | r
first_deal_created_date | First Deal Created Date | datetime | date | deal_information | r
recent_deal_close_date | Recent Deal Close Date | datetime | date | deal_information | r
recent_deal_amount | Recent Deal Amount | number | number | deal_information | r
total_revenue | Total Revenue | number | number | deal_information | r
hs_latest_qualified_lead_date | Latest qualified lead date | datetime | date | sales_properties | r
hs_latest_open_lead_date | Latest open lead date | datetime | date | sales_properties | r
hs_latest_disqualified_lead_date | Latest disqualified lead date | datetime | date | sales_properties | r
closedate | Close Date | datetime | date | contactinformation |
hs_pipeline | Pipeline | enumeration | select | contactinformation | rho
hs_v2_date_entered_current_stage | Date entered current stage | datetime | date | contactlcs | rc
hs_v2_time_in_current_stage | Time in current stage | datetime | date | contactlcs | rc
"""


def options(pairs: tuple[tuple[str, str], ...]) -> tuple[Option, ...]:
    """(value, label) pairs as options in that order."""
    return tuple(Option(value, label, order) for order, (value, label) in enumerate(pairs))


def from_rows(rows: str) -> list[Property]:
    """Property definitions from rows of text (see the module's docstring; flag o = options aren't checked)."""
    found = []
    for row in rows.strip().splitlines():
        name, label, kind, field_type, group, flags = (part.strip() for part in row.split("|"))
        found.append(
            Property(
                name,
                label,
                kind,
                field_type,
                group,
                options=options((("true", "True"), ("false", "False"))) if kind == "bool" else (),
                read_only="r" in flags,
                calculated="c" in flags,
                hidden="h" in flags,
                open_options="o" in flags,
            )
        )
    return found


def stage_properties(stage: str, label: str, *, shipped: bool) -> list[Property]:
    """The read-only date properties that come with a lifecycle stage; the older "Became a …" only with the eight."""
    rows = [
        f"hs_v2_date_entered_{stage} | Date entered '{label}' | datetime | date | contactlcs | rc",
        f"hs_v2_date_exited_{stage} | Date exited '{label}' | datetime | date | contactlcs | rc",
        f"hs_v2_latest_time_in_{stage} | Latest time in '{label}' | number | number | contactlcs | rc",
        f"hs_v2_cumulative_time_in_{stage} | Cumulative time in '{label}' | number | number | contactlcs | rc",
    ]
    if shipped:
        rows.append(f"hs_lifecyclestage_{stage}_date | Became a {label} Date | datetime | date | contactlcs | r")
    return from_rows("\n".join(rows))


def contact_properties() -> list[Property]:
    """Every contact property of a fresh portal."""
    found = from_rows(_ROWS)
    found.append(
        Property(
            "hs_lead_status",
            "Lead Status",
            "enumeration",
            "radio",
            "sales_properties",
            options(LEAD_STATUSES),
            description="The contact's sales, prospecting or outreach status",
        )
    )
    found.append(
        Property("lifecyclestage", "Lifecycle Stage", "enumeration", "radio", options=options(LIFECYCLE_STAGES))
    )
    found.append(
        Property(
            "hubspot_owner_id",
            "Contact owner",
            "enumeration",
            "select",
            "sales_properties",
            referenced="OWNER",
            open_options=True,
        )
    )
    for value, label in LIFECYCLE_STAGES:
        found.extend(stage_properties(value, label, shipped=True))
    return found
