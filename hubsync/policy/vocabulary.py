"""The policy's words for a portal's options: Lead status and Lifecycle stage as keys (playbook D1–D4, S1–S14).

Everything else in `policy/` speaks in keys (`new`, `mql`); HubSpot's internal values appear here and at the edge only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

STATUS = "hs_lead_status"
STAGE = "lifecyclestage"
REVIEW_DATE = "hubsync_review_date"
"""The contact property that says when to look at a lead again (S8, S9)."""
PROPOSAL, ANSWER = "hubsync_proposal", "hubsync_proposal_answer"
"""Contact properties of hubsync's own: what it proposes, and what a person says to that (A19)."""


@dataclass(frozen=True, slots=True)
class Term:
    """One status or stage: its key, HubSpot's internal value, a label, and the key it behaves like (itself if none)."""

    key: str
    value: str
    label: str
    like: str
    order: int | None = None
    """Position in the buyer's journey, for stages; None stands aside (`other`) or has no order (statuses)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The statuses, or the stages, that both the policy and the portal know."""

    property: str
    terms: tuple[Term, ...]
    by_key: Mapping[str, Term] = field(init=False)
    by_value: Mapping[str, Term] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_key", {t.key: t for t in self.terms})
        object.__setattr__(self, "by_value", {t.value: t for t in self.terms})

    def key(self, value: str | None) -> str | None:
        """The key of an internal value; None for empty; the value itself for an option that no key maps."""
        if not value:
            return None
        term = self.by_value.get(value)
        return term.key if term else value

    def value(self, key: str | None) -> str:
        """The internal value of a key, "" for None."""
        return self.by_key[key].value if key else ""

    def is_mapped(self, value: str | None) -> bool:
        """Whether a key maps the value; empty counts as mapped (D4: an unmapped option is left alone)."""
        return not value or value in self.by_value

    def alike(self, keys: Iterable[str]) -> frozenset[str]:
        """The keys named, and every key that behaves like one of them."""
        wanted = set(keys)
        return frozenset(wanted) | {t.key for t in self.terms if t.like in wanted}

    def order(self, key: str | None) -> int | None:
        """Position of a stage; None for empty, unmapped, or a stage that stands aside."""
        term = self.by_key.get(key) if key else None
        return term.order if term else None

    def like(self, key: str | None) -> str | None:
        """The key whose place in the matrix this key takes."""
        term = self.by_key.get(key) if key else None
        return term.like if term else key

    def label(self, key: str | None) -> str:
        """A readable name for a key, for messages."""
        if not key:
            return "none"
        term = self.by_key.get(key)
        return term.label if term else key


@dataclass(frozen=True, slots=True)
class Option:
    """An option of an enumeration property, as the portal defines it."""

    value: str
    label: str
    order: int = 0
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A status or stage the rule files speak of: how to find it among the portal's options."""

    key: str
    value: str | None
    labels: tuple[str, ...]
    like: str | None = None
    optional: bool = False
    aside: bool = False


def resolve(
    property_name: str, wanted: Sequence[Wanted], options: Sequence[Option]
) -> tuple[Terms, tuple[Wanted, ...]]:
    """Map the policy's keys to a portal's options, by value first, then by label (labels are renamed, values stay).

    Returns the terms found, and the keys for which the portal has no option.
    """
    by_value = {o.value: o for o in options}
    taken: set[str] = set()
    found: dict[str, Option] = {}
    for want in wanted:
        if want.value is not None and want.value in by_value:
            found[want.key] = by_value[want.value]
            taken.add(want.value)
    by_label = {o.label.casefold().strip(): o for o in options if o.value not in taken}
    for want in wanted:
        if want.key in found:
            continue
        option = next((by_label[w] for w in (label.casefold() for label in want.labels) if w in by_label), None)
        if option is not None and option.value not in taken:
            found[want.key] = option
            taken.add(option.value)
    terms = tuple(
        Term(
            key=w.key,
            value=found[w.key].value,
            label=found[w.key].label or w.key,
            like=w.like or w.key,
            order=None if w.aside else found[w.key].order,
        )
        for w in wanted
        if w.key in found
    )
    return Terms(property_name, terms), tuple(w for w in wanted if w.key not in found)
