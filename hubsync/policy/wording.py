"""Texts with facts in them, as tasks, digests, alerts and findings carry: `{days}` and `{attempts}` are filled in.

A placeholder is a fact's name, or one of `WORDS`, which speak of the rule's cause. Days are written as the text's
language writes them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

from hubsync.policy.changes import Cause
from hubsync.policy.facts import FACTS, MOMENT, STAGE_KEYS, STATUS_KEYS, Fact
from hubsync.policy.spec import Language
from hubsync.policy.view import Missing, View, once
from hubsync.policy.worktime import hours_and_minutes

if TYPE_CHECKING:
    from hubsync.policy.policy import Policy

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
NOTHING = "–"
"""What stands for a fact that is empty."""

_MONTHS: dict[Language, str] = {
    "en": "January February March April May June July August September October November December",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "id": "Januari Februari Maret April Mei Juni Juli Agustus September Oktober November Desember",
}


def day_of(at: datetime, zone: tzinfo, language: Language) -> str:
    """The day of a moment in a zone: "3 March", "3 mars", "3. März", "3 Maret"."""
    return _written(at.astimezone(zone).date(), language)


@lru_cache(maxsize=4_096)
def _written(local: date, language: Language) -> str:
    end = {"de": ".", "fr": "er" if local.day == 1 else ""}.get(language, "")
    return f"{local.day}{end} {_MONTHS[language].split()[local.month - 1]}"


def date_in(policy: Policy, at: datetime) -> str:
    """The date of a moment in the portal's zone and language: "3 March 2026"."""
    return f"{day_of(at, policy.zone, policy.language)} {at.astimezone(policy.zone).year}"


Word = Callable[[View, Cause, Language], str]

WORDS: dict[str, tuple[Word, str]] = {
    "status": (lambda v, _c, _l: v.policy.statuses.label(v.policy.statuses.key(v.status)), "the Lead status's label"),
    "stage": (lambda v, _c, _l: v.policy.stages.label(v.policy.stages.key(v.stage)), "the Lifecycle stage's label"),
    "day": (lambda v, c, language: day_of(c.happened, v.policy.zone, language), "the day of the cause"),
    "days": (lambda v, c, _l: str(_days(v, c)), "calendar days since the cause"),
    "business_days": (
        lambda v, c, _l: str(v.calendar.days_elapsed(c.happened, v.now)),
        "business days since the cause",
    ),
    "due": (lambda v, c, language: _moment(c.due, v, language), "when the time that the rule waits for is over"),
    "left": (lambda v, c, _l: _business_time(v, v.now, c.due), "business time until then"),
    "over": (lambda v, c, _l: _business_time(v, c.due, v.now), "business time since then"),
}
"""What a placeholder may name besides facts, with its meaning. A cause is counted from when it happened (`after`)."""


def _moment(at: datetime, view: View, language: Language) -> str:
    """A moment on the wall of the team's clock: "3 March, 14:30"."""
    wall = at.astimezone(view.calendar.zone)
    return f"{_written(wall.date(), language)}, {wall.hour:02}:{wall.minute:02}"


def _business_time(view: View, since: datetime, until: datetime) -> str:
    return hours_and_minutes(max(view.calendar.elapsed(since, until), timedelta()))


@once
def _today(view: View) -> date:
    return view.now.astimezone(view.policy.zone).date()


def _days(view: View, cause: Cause) -> int:
    return (_today(view) - cause.happened.astimezone(view.policy.zone).date()).days


@dataclass(frozen=True, slots=True)
class Wording:
    """A text in one language, with placeholders in braces."""

    text: str
    language: Language = "en"

    def fill(self, view: View, cause: Cause) -> str | Missing:
        """The text with its placeholders filled, or what must be read for that."""
        if "{" not in self.text:
            return self.text
        around, words = _parts(self.text)
        filled = tuple([word(view, cause, self.language) for word in words])
        missing = 0
        for one in filled:
            if isinstance(one, Missing):
                missing |= one.mask
        return Missing(missing) if missing else around % filled


@lru_cache(maxsize=4_096)
def _parts(text: str) -> tuple[str, tuple[Callable[[View, Cause, Language], str | Missing], ...]]:
    """A text with %s for its placeholders, and what fills each."""
    literals, names = (pieces := _PLACEHOLDER.split(text))[::2], pieces[1::2]
    around = "%s".join(literal.replace("%", "%%") for literal in literals)
    return around, tuple(WORDS[name][0] if name in WORDS else _shown(FACTS[name]) for name in names)


def _shown(fact: Fact) -> Callable[[View, Cause, Language], str | Missing]:
    """A fact's value as people read it."""
    get, kind = fact.get, fact.kind

    def word(view: View, _cause: Cause, language: Language) -> str | Missing:
        value = get(view)
        if isinstance(value, Missing):
            return value
        if value is None or value == "":
            return NOTHING
        if kind in {STATUS_KEYS, STAGE_KEYS}:
            return (view.policy.statuses if kind == STATUS_KEYS else view.policy.stages).label(value)
        if kind == MOMENT:
            return day_of(value, view.policy.zone, language)
        return f"{value:g}" if isinstance(value, float) else str(value)

    return word


def placeholders(text: str) -> Iterator[str]:
    """The names in braces."""
    return (match[1] for match in _PLACEHOLDER.finditer(text))


def unknown(text: str) -> list[str]:
    """Placeholders that nothing fills."""
    return [name for name in placeholders(text) if name not in WORDS and name not in FACTS]
