"""The read-only address properties of a logged mail, which the portal fills from its headers (hubspot-api.md 5.1)."""

from __future__ import annotations

import json
from typing import Any

from hubsync.sandbox.records import Record


def fill_addresses(email: Record) -> None:
    """Fill sender and recipients from `hs_email_headers`; headers that aren't a JSON object fill nothing."""
    text = email.values.get("hs_email_headers")
    if not text:
        return
    try:
        headers = json.loads(text)
    except ValueError:
        return
    if not isinstance(headers, dict):
        return
    sender = headers.get("from")
    if isinstance(sender, dict):
        _fill(email, "hs_email_from_email", sender.get("email"))
        _fill(email, "hs_email_sender_email", sender.get("email"))
        _fill(email, "hs_email_from_firstname", sender.get("firstName"))
        _fill(email, "hs_email_from_lastname", sender.get("lastName"))
    to = headers.get("to")
    if isinstance(to, list):
        addresses = [str(each["email"]) for each in to if isinstance(each, dict) and each.get("email")]
        _fill(email, "hs_email_to_email", ";".join(addresses))


def _fill(email: Record, name: str, value: Any) -> None:
    if value and name not in email.values:
        email.store(name, str(value))
