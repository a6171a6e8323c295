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
from hubsync.policy.policy import Policy
from hubsync.policy.rules import Rule
from hubsync.policy.sentences import NONE, SECOND_WRITE, THE_STAGE, THE_STATUS, TO_AND_FRO
from hubsync.policy.timeline import HUBSYNC
from hubsync.policy.view import Missing, View
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.policy.wording import date_in

ONCE_IN = timedelta(days=7)
"""A rule writes to a contact at most once in this time (C2, A18)."""
NAMES = {STATUS: THE_STATUS, STAGE: THE_STAGE}


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
        view.policy.say(
            SECOND_WRITE,
            property=_named(view.policy, name),
            first=date_in(view.policy, lately),
            until=date_in(view.policy, until),
        ),
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
    values = [(terms.label(terms.key(v)) if terms else v) if v else policy.say(NONE) for v in found.values]
    one, other = (writer.named(policy.say) for writer in found.writers)
    return Braked(
        found.until,
        policy.say(
            TO_AND_FRO,
            property=_named(policy, name),
            one=one,
            value=values[0],
            other=other,
            another=values[1],
            count=len(found.times),
            since=date_in(policy, found.times[0]),
            until=date_in(policy, found.until),
        ),
    )


def _named(policy: Policy, name: str) -> str:
    return policy.say(NAMES[name]) if name in NAMES else name
