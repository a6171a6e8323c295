"""What keeps a rule from writing although it holds: a choice made after its cause, and the one way of the stages.

Asked by decisions and by their explanation, so that both tell the same (design 1 "Freshness", playbook C2, C4, A18).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hubsync.policy import timeline
from hubsync.policy.changes import Cause
from hubsync.policy.policy import Policy
from hubsync.policy.rules import Rule
from hubsync.policy.sentences import CHOSEN, MOVED_BACK, UNDONE
from hubsync.policy.view import Missing, View
from hubsync.policy.vocabulary import STAGE


@dataclass(frozen=True, slots=True)
class Overruled:
    """A later choice: when, and by what (`how` completes "… on 3 March, so it stays.")."""

    at: datetime
    how: str


BY_PERSON, BY_BACKWARD_MOVE, BY_UNDO = "A person chose it", "The stage was moved back", "It was undone"
STAYS = {BY_PERSON: CHOSEN, BY_BACKWARD_MOVE: MOVED_BACK, BY_UNDO: UNDONE}
"""What a finding says of each."""


def overruled(view: View, rule: Rule, name: str, cause: Cause) -> Overruled | Missing | None:
    """The latest choice that is newer than the cause: a person's, a backward move of the stage by anyone, or an undo.

    Equal moments fire; `hard` rules are exempt.
    """
    if rule.hard:
        return None
    line = view.line(name)
    if isinstance(line, Missing):
        return line
    latest: Overruled | None = None
    for at, how in (
        (timeline.last_by_person(line), BY_PERSON),
        (timeline.last_backward(line, view.policy.stage_order) if name == STAGE else None, BY_BACKWARD_MOVE),
        (last_restored(view, name), BY_UNDO),
    ):
        if at is not None and at > cause.at and (latest is None or at > latest.at):
            latest = Overruled(at, how)
    return latest


def last_restored(view: View, name: str) -> datetime | None:
    """When a former value was last put back (undo, repair): whatever caused a rule before must not write it again."""
    if not view.contact.ours:
        return None
    return max((o.written_at for o in view.contact.ours if o.restores and o.property == name), default=None)


def moves_backward(policy: Policy, name: str, old: str, new: str) -> bool:
    """Whether a write would move the stage backward (C4), or out of one that stands aside."""
    if name != STAGE or not old:
        return False
    order = policy.stage_order
    return old not in order or new not in order or order[new] < order[old]
