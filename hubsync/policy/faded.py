"""What stays of a fired cause when its row of the ledger is purged: enough to know it again, too little to read.

It must never change: databases hold these fingerprints for good.
"""

from __future__ import annotations

from hashlib import sha256

KEPT = 32
"""Hexadecimal digits of the SHA-256 that are kept: 128 bits."""


def faded_key(cause_key: str, target: str) -> str:
    """The fingerprint of a cause and a target. The rule's id isn't part of it: a renamed rule keeps its past."""
    return sha256(f"{cause_key}|{target}".encode()).hexdigest()[:KEPT]


def faded(ledger_key: str) -> str:
    """A whole ledger key ("rule|cause|target", causes.ledger_key) with all but the rule's id made unreadable."""
    rule, _, rest = ledger_key.partition("|")
    return f"{rule}|{sha256(rest.encode()).hexdigest()[:KEPT]}"
