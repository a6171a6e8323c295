"""One representative of each class of something that may be true of a contact: how a case states it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from hubsync.policy.timeline import AUTOMATION
from hubsync.rulefiles.case_spec import ActSpec

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
"""When the rules first look: a Wednesday morning, in business hours."""
LONG_AGO = NOW - timedelta(days=400)
"""Since when everything stands that no act has set: older than any duration that matters."""
OWNER = "11"
Words = tuple[tuple[str, str], ...]
"""What a case says under `contact`."""


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """One class of a subject: words for `contact`, or acts (kind and detail) that happen at one moment.

    Equal to itself alone.
    """

    subject: str
    says: str
    contact: Words = ()
    acts: tuple[tuple[str, Any], ...] = ()

    @property
    def timed(self) -> bool:
        """Whether it is something that happened at a moment."""
        return bool(self.acts)


@lru_cache(maxsize=4_096)
def happening(option: Option, at: datetime) -> tuple[ActSpec, ...]:
    """The acts of an option at a moment. Made once for all starts: nothing changes them."""
    return tuple(act(kind, detail, at, AUTOMATION) for kind, detail in option.acts)


@lru_cache(maxsize=4_096)
def entered(name: str, value: str, at: datetime, by: str) -> ActSpec:
    """The entry of the status or the stage, made once for all starts."""
    return act("set", {name: value}, at, by)


def act(kind: str, detail: Any, at: datetime, by: str = "person") -> ActSpec:
    """Something that happens at a moment; `{at}` among its values stands for that."""
    if kind == "set":
        detail = {name: value.replace("{at}", at.isoformat()) for name, value in detail.items()}
    return ActSpec.model_validate({"at": at.isoformat(), kind: detail, **({"by": by} if kind == "set" else {})})
