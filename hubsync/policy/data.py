"""What a policy knows of a lead's data: what a status requires, how engagement is scored, whose approval counts.

A plain value, made by policy/data_terms.py; policy/requirements.py, scoring.py and approval.py ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from hubsync.policy.worktime import Duration

if TYPE_CHECKING:
    from hubsync.policy.view import View

FORM_DATE, FORM_NAME = "recent_conversion_date", "recent_conversion_event_name"
"""HubSpot's properties of the last form that was sent; their histories hold the earlier ones (hubspot-api 5.1)."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that must be on record. `label` is what people read; `test` tells whether it is there.

    `properties` are the contact properties that can hold it; any of them suffices.
    """

    id: str
    label: str
    test: Callable[[View], int]
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Points:
    """Points for one kind of event: a date property's dates, a property's entry into `values`, or a form by its name.

    Exactly one of `date`, `property` and `form` is given; `form` holds words of the form's name, in lower case.
    """

    id: str
    points: int
    date: str = ""
    property: str = ""
    values: frozenset[str] = frozenset()
    form: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scoring:
    """How engagement is scored: `window` or `half_life` is given, never both.

    `target` is the property hubsync writes the score to, `hubspot_score` the portal's own score ("" for none),
    `threshold` what makes an MQL.
    """

    target: str
    points: tuple[Points, ...]
    threshold: int
    window: Duration | None = None
    half_life: timedelta | None = None
    hubspot_score: str = ""

    @property
    def history(self) -> frozenset[str]:
        """Contact properties whose history tells what happened and when."""
        names = {self.target, self.hubspot_score} | {p.date or p.property for p in self.points}
        if any(p.form for p in self.points):
            names |= {FORM_DATE, FORM_NAME}
        return frozenset(names - {""})


@dataclass(frozen=True, slots=True)
class DataTerms:
    """`required` is by Lead status, HubSpot's value; `qualification` is the list of P2.

    `approvers` are user ids, `approver` is the owner id of the first of them, whose the tasks are (T8).
    """

    required: Mapping[str, tuple[Requirement, ...]] = field(default_factory=dict)
    qualification: tuple[Requirement, ...] = ()
    scoring: Scoring | None = None
    high_value: Callable[[View], int] | None = None
    approvers: frozenset[str] = frozenset()
    approver: str | None = None
    history: frozenset[str] = frozenset()
    """Contact properties whose history is asked."""
    free_text: frozenset[str] = frozenset()
    """Properties that may hold anything a person wrote: only whether they are known is asked, and no copy is kept."""
