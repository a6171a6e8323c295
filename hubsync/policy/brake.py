"""The brake: hubsync never fights (playbook A18). What keeps a rule from writing although its cause is new.

One rule rewrites a contact at most once in seven days, whatever the cause, hard or not; and a property that two writers
set to and fro is left alone. Either way what would have been written becomes a finding for the manager. Asked by
decisions and by their explanation; it writes nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hubsync.policy.changes import Cause
from hubsync.policy.pingpong import ping_pong
from hubsync.policy.rules import Rule
from hubsync.policy.timeline import HUBSYNC
from hubsync.policy.view import Missing, View
from hubsync.policy.vocabulary import STAGE, STATUS

ONCE_IN = timedelta(days=7)
"""A rule writes to a contact at most once in this time (C2, A18)."""
NAMES = {STATUS: "The Lead status", STAGE: "The Lifecycle stage"}


@dataclass(frozen=True, slots=True)
class Braked:
    """Why a rule doesn't write a property that it wants to, and from when on it may."""

    until: datetime
    why: str


def braked(view: View, rule: Rule, name: str, cause: Cause) -> Braked | None:
    """What keeps the rule from writing the property for this cause; None where nothing does.

    A write for the same cause is no second one: it completes what was written in part. Where two writers are at odds,
    that is what is told, and the later of the two moments is when to look again.
    """
    if not view.policy.brakes:
        return None
    lately = None if _keeps_up(view, name) else written_lately(view, rule, cause)
    found = at_odds(view, name)
    if lately is None:
        return found
    until = lately + ONCE_IN
    if found is not None:
        return replace(found, until=max(found.until, until))
    return Braked(
        until,
        f"{NAMES.get(name, name)} would be written a second time within 7 days by the same rule "
        f"(first on {_day(view, lately)}); it is left as it is until {_day(view, until)}: see who changes it back.",
    )


def written_lately(view: View, rule: Rule, cause: Cause) -> datetime | None:
    """When the rule last wrote to this contact for another cause, if that is less than seven days ago."""
    targets = {action.property for action in rule.sets}
    written = (
        o.written_at
        for o in view.contact.ours
        if o.rule == rule.id and not o.restores and o.property in targets and o.effective_at != cause.at
    )
    return max((at for at in written if view.now - at < ONCE_IN), default=None)


def _keeps_up(view: View, name: str) -> bool:
    """Whether the property, none of the two main ones, holds what hubsync wrote: then there is nobody to fight with.

    A score follows what happens, as often as it happens (P1).
    """
    if name in NAMES:
        return False
    line = view.line(name)
    return not isinstance(line, Missing) and bool(line) and line[-1].by == HUBSYNC


def at_odds(view: View, name: str) -> Braked | None:
    """Who sets a property to and fro, and until when it is left alone; None where nobody does, or history is unread."""
    policy = view.policy
    ours = [o for o in view.contact.ours if o.property == name]
    entries = (view.contact.history or {}).get(name) or ()
    found = ping_pong(name, entries, ours, policy.writers, policy.quiet_status, view.now)
    if found is None:
        return None
    terms = policy.statuses if name == STATUS else policy.stages if name == STAGE else None
    one, other = ((terms.label(terms.key(v)) if terms else v) or "none" for v in found.values)
    writers = found.writers
    return Braked(
        found.until,
        f"{NAMES.get(name, name)} goes to and fro: {writers[0].name} sets {one}, {writers[1].name} sets {other}, "
        f"{len(found.times)} times since {_day(view, found.times[0])}. hubsync leaves it alone until "
        f"{_day(view, found.until)}: switch one of the two off.",
    )


def _day(view: View, at: datetime) -> str:
    local = at.astimezone(view.policy.zone)
    return f"{local.day} {local:%B %Y}"
