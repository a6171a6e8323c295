"""Values, moments and entries of a history as HubSpot would hold them, for contacts that cases make up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from hubsync.policy.vocabulary import STAGE


def enter_stages(properties: dict[str, str | None], history: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Add HubSpot's dates of stages, which say that a contact ever was there (hubspot-api 3.2)."""
    for one in history.get(STAGE, ()):
        if one["value"]:
            properties.setdefault(f"hs_v2_date_entered_{one['value']}", one["timestamp"])


def filled(text: str) -> str:
    """A value as HubSpot holds it; `none` stands for empty."""
    return "" if text == "none" else text


def entry(value: str, at: datetime, source: str, user: str | None = None) -> dict[str, Any]:
    """One entry of a history; `user` is the id of the user who made it."""
    made = {"value": value, "timestamp": iso(at), "sourceType": source}
    return {**made, "updatedByUserId": user} if user else made


@lru_cache(maxsize=4_096)
def iso(at: datetime) -> str:
    """A moment as HubSpot writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
