"""What a fact is: a name for something known of a contact, how to get it, and what reading it may cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hubsync.policy.view import View

Getter = Callable[[View], Any]

STATUS_KEYS, STAGE_KEYS, TEXT, NUMBER, MOMENT = "status", "stage", "text", "number", "moment"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: how to get it, what kind of value it is, and what reading it may cost (`mask`, 0 = nothing)."""

    name: str
    get: Getter
    kind: str
    mask: int
    says: str
    property: str | None = None
    """The property whose quiet time (D7) the fact shares."""
    bound: Getter | None = None
    """A cheap bound, so that little is read in vain: of a moment the earliest it can be, of a number the greatest."""
    reads: tuple[str, ...] = ()
    """Contact properties that the fact leans on, beside those that are always read."""
    text_of: str = ""
    """The contact property whose text it is, as HubSpot holds it; "" for what is more than that."""
    changes: Callable[[View], datetime | None] | None = None
    """When it changes by itself as time passes, of a fact that does."""
