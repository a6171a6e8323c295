"""What becomes of a contact: looked at, written to, answered by the portal, looked at again, until everything rests.

This is the loop of `serve` on one contact, with the real decider, a clock that jumps to the next look, and the declared
workflows of the portal (rules/foreign.yaml) answering a minute after every change. It judges only whether it rests;
what else must never happen is checks.py's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hubsync.policy.changes import Decision
from hubsync.policy.decide import decide
from hubsync.policy.policy import Horizon, Policy
from hubsync.policy.rules import Foreign
from hubsync.policy.view import View
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.proving.options import act
from hubsync.rulefiles.case_spec import ActSpec
from hubsync.rulefiles.situations import Situation, after, later

ANSWERS_AFTER = timedelta(minutes=1)
"""How long a workflow of the portal's takes: less than any quiet time (D7)."""
AS_LONG_AS = timedelta(days=400)
"""How far into the future a contact is followed: past every duration that rules name."""
MOST_LOOKS = 120
"""Far more than a contact at rest ever takes: past it, it is restless."""
MOST_ANSWERS = 8
"""So many answers of workflows in a row, with nothing of ours between them: they fight among themselves."""
TIMES = 3
"""So many times the same state, each time written to in between, is a loop."""

KEYS = {STATUS: "lead_status", STAGE: "lifecycle_stage"}


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the contact: when, what was decided, and the workflow that had answered before it, if one had."""

    situation: Situation
    decision: Decision
    answered: tuple[Foreign, ActSpec] | None = None

    @property
    def decides(self) -> bool:
        """Whether anything was written, or not for a conflict."""
        return self.decision.acts or bool(self.decision.conflicts)


@dataclass(slots=True)
class Course:
    """Everything from the first look to rest.

    `loop` is the index of the look at which an endless round begins, `round` of that at which it begins anew.
    """

    looks: list[Look] = field(default_factory=list)
    loop: int | None = None
    round: int = 0
    restless: bool = False
    end: Situation | None = None
    habits: tuple[Foreign, ...] = ()
    """HubSpot's own that were on (habits.py)."""

    @property
    def rests(self) -> bool:
        """Whether everything came to rest."""
        return self.loop is None and not self.restless

    @property
    def steps(self) -> int:
        """How many looks wrote something."""
        return sum(look.decision.acts for look in self.looks)


def follow(
    situation: Situation, horizon: Horizon, until: datetime | None = None, habits: tuple[Foreign, ...] = ()
) -> Course:
    """Look, write and wait until nothing moves any more, or the contact goes round in a circle, or `until` comes.

    hubsync looks first: where a workflow was faster, its write is part of another start. Each of the `habits` answers
    once, workflows whenever they can.
    """
    course = Course(habits=habits)
    until = until or situation.now + AS_LONG_AS
    seen: dict[tuple[object, ...], list[int]] = {}
    idle = 0
    while len(course.looks) < MOST_LOOKS and idle < MOST_ANSWERS:
        answered = answer(situation, (*situation.policy.foreign, *habits)) if course.looks else None
        if answered is not None:
            habits = tuple(habit for habit in habits if habit is not answered[0])
            situation = later(situation, answered[1].at, [answered[1]])
        decision = decide(situation.policy, situation.contact, situation.now, horizon)
        course.looks.append(Look(situation, decision, answered))
        idle = idle + 1 if answered is not None and not decision.acts else 0
        if decision.acts:
            situation = after(situation, decision)
            if _again(course, seen, situation, decision):
                break
        elif answered is None:
            again = decision.look_again
            if again is None or not situation.now < again <= until:
                break
            situation = Situation(situation.policy, situation.contact, again)
    else:
        course.restless = idle < MOST_ANSWERS
    course.end = situation
    return course


def _again(course: Course, seen: dict[tuple[object, ...], list[int]], situation: Situation, decision: Decision) -> bool:
    """Whether the contact has been brought to the same state by the same rules before, and will be for ever."""
    if not any(change.property in KEYS for change in decision.changes):
        return False
    contact = situation.contact
    state = (
        contact.properties.get(STATUS),
        contact.properties.get(STAGE),
        tuple((c.rule, c.property, c.new) for c in decision.changes),
    )
    times = seen.setdefault(state, [])
    times.append(len(course.looks) - 1)
    if len(times) < TIMES:
        return False
    course.loop, course.round = times[0], times[1]
    return True


def answer(situation: Situation, flows: Sequence[Foreign]) -> tuple[Foreign, ActSpec] | None:
    """The first of the portal's workflows that would change something now, and its write."""
    if not flows:
        return None
    policy = situation.policy
    view = View(policy, situation.contact, situation.now)
    for flow in flows:
        if flow.test(view) > 0 and (wanted := _differing(policy, flow, situation)):
            return flow, act("set", wanted, situation.now + ANSWERS_AFTER, "automation")
    return None


def _differing(policy: Policy, flow: Foreign, situation: Situation) -> dict[str, str]:
    """What the workflow sets that isn't so already, in the words of a case."""
    properties = situation.contact.properties
    found: dict[str, str] = {}
    for name, value in flow.values.items():
        if (properties.get(name) or "") != value:
            terms = {STATUS: policy.statuses, STAGE: policy.stages}.get(name)
            found[KEYS.get(name, name)] = (terms.key(value) if terms is not None else value) or "none"
    return found


def final(course: Course) -> tuple[str | None, str | None]:
    """Where the contact ended: Lead status and Lifecycle stage as HubSpot's values."""
    end = course.end
    properties = end.contact.properties if end is not None else {}
    return properties.get(STATUS) or None, properties.get(STAGE) or None
