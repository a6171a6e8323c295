"""Times, troubles and commands as the pages say them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from markupsafe import Markup, escape

_STEPS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def moment(at: datetime) -> str:
    """To the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def span(time: timedelta) -> str:
    """How long, in the largest whole unit; what lies ahead counts as no time."""
    seconds = max(0, int(time.total_seconds()))
    for name, length in _STEPS:
        if seconds >= length:
            count = seconds // length
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    return "less than a second"


def age(at: datetime, now: datetime) -> str:
    """How long ago."""
    return "just now" if now - at < timedelta(seconds=1) else f"{span(now - at)} ago"


def trouble(name: str) -> str:
    """The name of what is wrong, as a heading: "held *" is the guard's word for all rules together."""
    kind, _, rule = name.partition(" ")
    if kind == "held" and rule:
        return "All rules together are held" if rule == "*" else f"{rule} is held"
    return name[:1].upper() + name[1:]


def commands(text: str) -> Markup:
    """A text with what stands between backticks as commands to type."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  (escaped before)
