"""What `populate` answers: who is in the portal, and what was meant to be wrong with whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hubsync.sandbox.population.furniture import Offices
from hubsync.sandbox.population.kinds import Answer


@dataclass(frozen=True, slots=True)
class Truth:
    """What was meant with an untidy contact: the kind, the playbook's statement that handles it, and how."""

    kind: str
    playbook: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Population:
    """Who is in the portal. Companies and contacts are ids in the order of creation."""

    seed: int
    days: int
    since: datetime
    """No act of any lead is older."""
    offices: Offices
    """Owner ids: all, managers, the rep who left, and each rep's manager."""
    companies: tuple[str, ...]
    contacts: tuple[str, ...]
    truth: Mapping[str, Truth]
    """Every untidy contact, and every lure (answer "leave")."""
    tidy: Mapping[str, str]
    """Every other contact → the state it is in (the names in TIDY)."""
    merged: Mapping[str, str]
    """Contact that was merged away → the survivor."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Kind of untidiness → how many contacts."""
        return Counter(truth.kind for truth in self.truth.values())

    def of(self, kind: str) -> tuple[str, ...]:
        """Ids of the contacts of a kind of untidiness, or of a tidy state. Raises KeyError for one that isn't there."""
        found = [contact for contact, truth in self.truth.items() if truth.kind == kind]
        found += [contact for contact, state in self.tidy.items() if state == kind]
        if not found:
            raise KeyError(kind)
        return tuple(found)

    def handled_by(self, playbook: str) -> tuple[str, ...]:
        """Ids of the contacts that a statement of the playbook handles, lures left out."""
        return tuple(
            contact for contact, truth in self.truth.items() if truth.playbook == playbook and truth.answer != "leave"
        )
