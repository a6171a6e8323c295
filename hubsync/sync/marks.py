"""From when on a changed rule counts: what its fingerprint was at the last run, and since when it is what it is (B1).

A rule that was changed, or that was away for a while, acts only on causes that nobody has looked at under its former
meaning: older ones are backlog, shown and never written. Kept in one cursor of the database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hubsync.policy.fingerprints import Fingerprint
from hubsync.policy.policy import Policy
from hubsync.store.store import Store

CURSOR = "rules.marks"


@dataclass(frozen=True, slots=True)
class Mark:
    """A rule's fingerprint; `since`: causes before it are backlog (None: no such moment); `tuned`: last changed."""

    fingerprint: Fingerprint
    since: datetime | None = None
    tuned: datetime | None = None


def marks(store: Store, portal: int) -> dict[str, Mark]:
    """What the last writing run left; empty before the first."""
    text = store.cursor(portal, CURSOR)
    return {rule: _read(values) for rule, values in json.loads(text).items()} if text else {}


def renewed(known: Mapping[str, Mark], policy: Policy, looked: datetime, now: datetime) -> dict[str, Mark]:
    """The marks of the policy's rules: those of a changed rule begin with `looked`, when all was last looked at.

    A rule under a new id takes over the mark of its former one (`was:`).
    """
    found: dict[str, Mark] = {}
    for rule, now_is in policy.fingerprints.items():
        former = next((known[name] for name in (rule, *policy.renamed.get(rule, ())) if name in known), None)
        if former is None:
            found[rule] = Mark(now_is, looked if known else None, None)
            continue
        since = former.since if now_is.fires_as(former.fingerprint) else looked
        found[rule] = Mark(now_is, since, former.tuned if former.fingerprint.whole == now_is.whole else now)
    return found


def keep(store: Store, portal: int, policy: Policy, looked: datetime, now: datetime) -> None:
    """Record the marks of the rules in force; nothing is written where they are what they were."""
    known = marks(store, portal)
    found = renewed(known, policy, looked, now)
    if found != known:
        store.set_cursor(portal, CURSOR, json.dumps({rule: _written(mark) for rule, mark in found.items()}))


def since_changed(store: Store, portal: int, policy: Policy, looked: datetime, now: datetime) -> dict[str, datetime]:
    """By rule that was changed since it is known: the moment before which its causes are backlog."""
    found = renewed(marks(store, portal), policy, looked, now)
    return {rule: mark.since for rule, mark in found.items() if mark.since is not None}


def tuned_at(store: Store, portal: int) -> dict[str, datetime]:
    """By rule: when it was last changed in any way that matters to what it writes."""
    return {rule: mark.tuned for rule, mark in marks(store, portal).items() if mark.tuned is not None}


def notices(store: Store | None, portal: int, policy: Policy) -> list[str]:
    """What a run says of rules whose meaning changed since the last writing run, and what to do about it."""
    known = marks(store, portal) if store is not None else {}
    pairs = {
        rule: (former.fingerprint, now_is)
        for rule, now_is in policy.fingerprints.items()
        for former in [next((known[n] for n in (rule, *policy.renamed.get(rule, ())) if n in known), None)]
        if former is not None
    }
    said: list[str] = []
    if any(not now_is.sees_as(former) for former, now_is in pairs.values()):
        said.append(
            "The scope in portal.yaml changed since the last run. What came before that run is backlog for every rule: "
            "see `hubsync backlog`. What of it should be treated all the same: `hubsync backlog --treat CATEGORY`."
        )
    if changed := [rule for rule, (former, now_is) in pairs.items() if former.when != now_is.when]:
        said.append(
            f"Changed since the last run: {', '.join(changed)}. What came before that run is backlog for it: see "
            "`hubsync backlog`."
        )
    return said


def _read(values: Mapping[str, str | None]) -> Mark:
    moments = [datetime.fromisoformat(text) if (text := values.get(name)) else None for name in ("since", "tuned")]
    return Mark(Fingerprint(values["when"] or "", values["whole"] or "", values.get("scope") or ""), *moments)


def _written(mark: Mark) -> dict[str, str | None]:
    return {
        "when": mark.fingerprint.when,
        "whole": mark.fingerprint.whole,
        "scope": mark.fingerprint.scope,
        "since": mark.since.isoformat() if mark.since else None,
        "tuned": mark.tuned.isoformat() if mark.tuned else None,
    }
