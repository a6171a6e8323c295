"""What is known of whether the rules settle: the verdict of the last proof, kept for the rules that it was about.

`hubsync serve --write` has its rules proved (service/proof.py); whoever writes by the same rules later only asks here.
A verdict counts for this version of hubsync alone, as what is proved is that this decider settles.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from hubsync import __version__
from hubsync.store.store import Store

CURSOR = "rules.proof"
"""Cursor: the last verdict."""


@dataclass(frozen=True, slots=True)
class KnownProof:
    """What a proof of the rules with this digest found; `first` is the first fault's sentence with its file:line."""

    rules: str
    faults: int
    unproved: int
    first: str = ""

    @property
    def holds(self) -> bool:
        """Whether the rules are proved."""
        return not (self.faults or self.unproved)

    @property
    def says(self) -> str:
        """It, for people; "" where the rules are proved."""
        if self.holds:
            return ""
        faults = f"{self.faults} fault{'' if self.faults == 1 else 's'}" if self.faults else ""
        gaps = f"{self.unproved} left unproved" if self.unproved else ""
        return (
            f"The rules in force are not proved to settle: {', '.join(filter(None, (faults, gaps)))}. "
            f"{self.first}. `hubsync rules prove` tells how it comes about."
        )


def known_proof(store: Store, portal: int, rules: str) -> KnownProof | None:
    """The verdict on the rules with this digest; None where they weren't proved, or by another version of hubsync."""
    text = store.cursor(portal, CURSOR)
    kept = json.loads(text) if text else {}
    if (kept.get("hubsync"), kept.get("rules")) != (__version__, rules):
        return None
    return KnownProof(rules, kept["faults"], kept["unproved"], kept["first"])


def keep_proof(store: Store, portal: int, proof: KnownProof) -> None:
    """Keep a verdict, in the place of the one before it. Raises StoreError."""
    store.set_cursor(portal, CURSOR, json.dumps({"hubsync": __version__, **asdict(proof)}))
