"""What a workflow's webhook carries: the contact in the old v1 shape, or a few properties under names of one's choice.

The v1 shape is inferred (hubspot-api.md 7.3): every value with its versions, newest first, moments in milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hubsync.sandbox.records import Entry, Record
from hubsync.sandbox.state import Portal
from hubsync.sandbox.times import parse_ms


def old_contact(portal: Portal, record: Record) -> dict[str, Any]:
    """A contact as the old contacts API had it. To be called under the portal's lock."""
    vid = int(record.id)
    email = record.values.get("email")
    identities = [{"type": "EMAIL", "value": email, "timestamp": record.created, "is-primary": True}] if email else []
    merged = [int(each) for each in record.values.get("hs_merged_object_ids", "").split(";") if each]
    return {
        "vid": vid,
        "canonical-vid": vid,
        "merged-vids": merged,
        "portal-id": portal.portal_id,
        "is-contact": True,
        "properties": {name: _with_versions(portal, record, name) for name in sorted(record.values)},
        "form-submissions": [],
        "list-memberships": [],
        "identity-profiles": [
            {"vid": vid, "saved-at-timestamp": record.updated, "deleted-changed-timestamp": 0, "identities": identities}
        ],
        "merge-audits": [],
    }


def chosen_values(portal: Portal, record: Record, id_field: str, properties: Sequence[str]) -> dict[str, Any]:
    """`id_field` and the properties asked for; None = no value. To be called under the portal's lock."""
    return {id_field: int(record.id), **{name: portal.value(record, name) for name in properties}}


def _with_versions(portal: Portal, record: Record, name: str) -> dict[str, Any]:
    definition = portal.schemas.properties[record.kind].get(name)
    moment = definition is not None and definition.type == "datetime"
    versions = [_version(entry, moment=moment) for entry in reversed(record.entries(name))]
    return {"value": _shown(record.values[name], moment=moment), "versions": versions}


def _version(entry: Entry, *, moment: bool) -> dict[str, Any]:
    return {
        "value": _shown(entry.value, moment=moment),
        "source-type": entry.source.type,
        "source-id": entry.source.id,
        "source-label": entry.source.label,
        "updated-by-user-id": entry.source.user_id,
        "timestamp": entry.at,
        "selected": False,
    }


def _shown(value: str, *, moment: bool) -> str:
    return str(parse_ms(value)) if moment and value else value
