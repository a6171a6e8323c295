"""The line that hubsync leaves on a record beside what it writes there (playbook G2), in the portal's language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hubsync.policy.changes import SetProperty
from hubsync.policy.sentences import (
    DONE,
    HAD_SET,
    NONE,
    OWNER,
    PUT_BACK,
    PUT_BACK_BY,
    SET_FOR_MANY,
    SET_FOR_MANY_BECAUSE,
    TAKEN_BACK,
)
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.policy.wording import date_in
from hubsync.store.values import Write
from hubsync.sync.binding import BoundPortal

LAST_ACTION = "hubsync_last_action"
OTHERS = 2
"""The rank of a property that is none of the two main ones."""


def of_changes(portal: BoundPortal, changes: Sequence[SetProperty]) -> str:
    """What rules did to a contact in one call: the foremost of it."""
    change = min(changes, key=lambda c: _rank(c.property))
    policy = portal.policy
    return policy.say(
        DONE,
        value=_label(portal, change.property, change.new) if _rank(change.property) < OTHERS else change.property,
        says=change.says,
        day=date_in(policy, change.cause.at),
        playbook=change.playbook,
    )


def of_undo(portal: BoundPortal, rows: Sequence[Write], at: datetime) -> str:
    """What of a run was taken back in one call: the foremost of it."""
    row, policy = min(rows, key=lambda r: _rank(r.target)), portal.policy
    name = portal.definitions[row.target].label
    what = policy.say(PUT_BACK, property=name)
    if _rank(row.target) < OTHERS:
        before, after = (_label(portal, row.target, value) for value in (row.before, row.after))
        what = f"{name} {after} → {before}"
    return policy.say(TAKEN_BACK, run=row.run, playbook=row.playbook, what=what, day=date_in(policy, at))


def of_repair(portal: BoundPortal, names: Sequence[str], change: SetProperty, *, put_back: bool) -> str:
    """What was set in the place of a value that lay over another's unseen: that one, or what rules say to it."""
    labels = ", ".join(portal.definitions[name].label for name in names)
    if not put_back:
        return f"{change.says} ({change.playbook})"
    return portal.policy.say(PUT_BACK_BY, property=labels, says=change.says, playbook=change.playbook)


def had_set(portal: BoundPortal, who: str, at: datetime) -> str:
    """Whose value that one is, and since when."""
    day = f"{date_in(portal.policy, at)} {at.astimezone(portal.policy.zone):%H:%M}"
    return portal.policy.say(HAD_SET, who=who, day=day)


def of_many(portal: BoundPortal, what: str, reason: str, at: datetime, playbook: str) -> str:
    """What somebody set for many at once."""
    words = {"value": what, "day": date_in(portal.policy, at), "playbook": playbook}
    if reason:
        return portal.policy.say(SET_FOR_MANY_BECAUSE, reason=reason, **words)
    return portal.policy.say(SET_FOR_MANY, **words)


def value_of(portal: BoundPortal, name: str, value: str, *, owner: bool) -> str:
    """A value that somebody chose, as its option or its owner is called."""
    if owner:
        return portal.policy.say(OWNER, name=portal.owner_name(value))
    option = next((o for o in portal.definitions[name].options if o.value == value), None)
    return option.label if option is not None else value or portal.policy.say(NONE)


def _rank(name: str) -> int:
    """The Lead status before the stage, and both before all others."""
    return {STATUS: 0, STAGE: 1}.get(name, OTHERS)


def _label(portal: BoundPortal, name: str, value: str | None) -> str:
    terms = portal.policy.statuses if name == STATUS else portal.policy.stages
    return terms.label(terms.key(value)) if value else portal.policy.say(NONE)
