"""What must never happen on the way to rest (playbook C2, C4, C5, A17, T11, B1): each check looks at one course."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import Decision
from hubsync.policy.contest import Want
from hubsync.policy.decide import decide
from hubsync.policy.policy import Horizon, Policy
from hubsync.policy.settlement import Settlement
from hubsync.policy.view import View
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.proving.course import KEYS, Course, Look, answer, final, follow
from hubsync.proving.ground import Ground
from hubsync.proving.options import NOW
from hubsync.proving.starts import Start
from hubsync.rulefiles.situations import Situation, after, later

TERMINATION, DETERMINISM, COVERAGE, SAFETY = "termination", "determinism", "coverage", "safety"
NOTE = "note"
"""Worth knowing, and no fault."""
EVER = Horizon(NOW - timedelta(days=10_000))
"""No cause is too old to act on."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something the rules must not do: what it is, the rules that do it, and the start that shows it.

    `look` is the index of the look at which it shows, and `at` when that is; None where no course shows it. `acts` says
    whether anything is decided at it.
    """

    kind: str
    message: str
    rules: tuple[str, ...]
    start: Start | None = None
    look: int = 0
    at: datetime | None = None
    acts: bool = False
    habits: bool = False
    """Whether HubSpot's own habits were on."""

    @classmethod
    def seen(
        cls, kind: str, message: str, rules: tuple[str, ...], start: Start, course: Course, look: int = 0
    ) -> Fault:
        """A fault that a look of a course shows."""
        shows = course.looks[look]
        return cls(kind, message, rules, start, look, shows.situation.now, shows.decides, bool(course.habits))

    @property
    def length(self) -> tuple[int, int, int]:
        """How much there is to tell: the shortest counterexample is told."""
        acts = len(self.start.acts) if self.start else 0
        return self.look, acts, len(self.start.contact) if self.start else 0


def faults_of(ground: Ground, start: Start, course: Course, horizon: Horizon) -> Iterator[Fault]:
    """Everything that is wrong with one course."""
    if not course.rests:
        yield _endless(start, course)
    tasks: set[str] = set()
    for number, look in enumerate(course.looks):
        decision, situation = look.decision, look.situation
        for kind, message, rules in (*_disputes(ground, look, horizon), *_moves(ground, decision, situation)):
            yield Fault.seen(kind, message, rules, start, course, number)
        for task in decision.tasks:
            key = ledger_key(task.rule, task.cause, task.template)
            if key in tasks:
                message = f"{task.rule} creates the task {task.template} twice for one cause (T11)"
                yield Fault.seen(SAFETY, message, (task.rule,), start, course, number)
            tasks.add(key)


def _endless(start: Start, course: Course) -> Fault:
    begins = course.loop or 0
    round_ = course.looks[begins : course.round + 1 if course.round else None]
    rules = sorted(
        {change.rule for look in round_ for change in look.decision.changes}
        | {lost.rule for look in round_ for lost in look.decision.superseded}
    )
    flows = dict.fromkeys(look.answered[0].id for look in round_ if look.answered is not None)
    who = " and ".join([*rules, *(f"the workflow {flow}" for flow in flows)])
    look = course.round or len(course.looks) - 1
    return Fault.seen(TERMINATION, f"{who} go round in a circle for ever", (*rules, *flows), start, course, look)


def _disputes(ground: Ground, look: Look, horizon: Horizon) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Conflicts: rules that want different values at one moment, and rules that undo one another (C5)."""
    for conflict in look.decision.conflicts:
        name = KEYS.get(conflict.property, conflict.property)
        rules = tuple(sorted({rule for rule, _ in conflict.wants}))
        values = {value for _, value in conflict.wants}
        endless = not all(ground.policy.rule(rule) for rule in rules)
        if endless:
            rules = tuple(sorted({want.rule.id for want in _trail(look, horizon)}))
        if endless or (look.situation.contact.properties.get(conflict.property) or "") in values:
            message = f"{' and '.join(rules)} undo one another's {name} for one and the same cause"
            yield TERMINATION, message, rules
        else:
            message = f"{' and '.join(rules)} want different values of {name} at one moment, without an order"
            yield DETERMINISM, message, rules


def _moves(ground: Ground, decision: Decision, situation: Situation) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Stages moved backward (C4), and locks that our own write breaks (A17)."""
    order = ground.policy.stage_order
    for change in decision.changes:
        if change.property == STAGE and change.old and order.get(change.new, -1) < order.get(change.old, 99):
            yield SAFETY, f"{change.rule} moves the Lifecycle stage backward (C4)", (change.rule,)
    moved = [c for c in decision.changes if c.property == STATUS]
    locks = [k for k in ground.locks if moved and moved[0].rule != k.id and moved[0].old == ground.locked_value(k)]
    if not locks:
        return
    done = after(situation, decision)
    view = View(ground.policy, done.contact, done.now)
    for lock in locks:
        if lock.test(view) > 0:
            yield SAFETY, f"{moved[0].rule} breaks the lock of {lock.id} (A17)", (moved[0].rule, lock.id)


def order_of_rules(turned: Policy, start: Start, course: Course, horizon: Horizon) -> Iterator[Fault]:
    """Whether the same rules `turned`, in another order, decide otherwise."""
    for number, look in enumerate(course.looks):
        if len(look.decision.changes) + len(look.decision.superseded) > 1 or look.decision.conflicts:
            other = decide(turned, look.situation.contact, look.situation.now, horizon)
            if _outcome(other) != _outcome(look.decision):
                rules = tuple(sorted({c.rule for c in (*other.changes, *look.decision.changes)}))
                message = f"the order in which {' and '.join(rules)} stand in the files decides"
                yield Fault.seen(DETERMINISM, message, rules, start, course, number)
            return


def _outcome(decision: Decision) -> tuple[object, ...]:
    return (
        frozenset((c.property, c.new, c.rule) for c in decision.changes),
        frozenset(c.property for c in decision.conflicts),
    )


def backlog(ground: Ground, start: Start, course: Course) -> Iterator[Fault]:
    """Whether anything is written for causes that all lie before the moment from which they count (B1)."""
    first = course.looks[0]
    if first.decision.acts:
        decision = decide(ground.policy, first.situation.contact, first.situation.now, Horizon(NOW))
        if decision.changes or decision.tasks:
            rules = tuple(sorted({c.rule for c in decision.changes} | {t.rule for t in decision.tasks}))
            message = f"{' and '.join(rules)} act on causes that are backlog (B1)"
            yield Fault.seen(SAFETY, message, rules, start, course)


def one_by_one(ground: Ground, start: Start, course: Course, halves: dict[Hashable, Course]) -> Iterator[Fault]:
    """Whether two things that happened one after the other end elsewhere if hubsync looks in between.

    Later causes win, so that it must not matter how many of them one look finds. Rules are asked what is so, not what
    was so in passing: where the rule that wrote in between doesn't hold any more once both have happened, or was a
    cell of the matrix, which judges what automations leave (C2), that is a note. `halves` keeps what came of the first
    thing alone, which is the same whatever comes next.
    """
    moments = sorted({one.at for one in start.acts})
    if len(moments) != 2 or not course.rests:
        return
    key = start.contact, tuple(one for one in start.happened if one[0] == moments[0])
    if key not in halves:
        halves[key] = _half(start, course.looks[0].situation.policy, moments)
    half = halves[key]
    if half.end is None or not any(look.decision.acts for look in half.looks):
        return
    whole = follow(later(half.end, NOW, [one for one in start.acts if one.at > moments[0]]), EVER)
    if final(whole) != final(course):
        rules = _writers(course) | _writers(half) | _writers(whole)
        ends = [" at ".join(_words(ground, c)) for c in (course, whole)]
        message = f"looked at once, it ends as {ends[0]}; looked at in between, as {ends[1]}"
        kind = DETERMINISM if _hold(ground, course, _writers(half)) else NOTE
        yield Fault.seen(kind, f"{' and '.join(sorted(rules))}: {message}", tuple(sorted(rules)), start, course)


def with_habits(ground: Ground, start: Start, course: Course, horizon: Horizon) -> Iterator[Fault]:
    """The same contact where HubSpot's own habits are on and answer on the way, if they ever would.

    That it ends elsewhere where HubSpot came before hubsync is a note: nobody can say which of them will.
    """
    stands = [*(look.situation for look in course.looks[1:]), *filter(None, [course.end])]
    if len(stands) < 2 or not any(answer(stand, ground.habits) for stand in stands):
        return
    first = course.looks[0].situation
    behind = follow(first, horizon, habits=ground.habits)
    yield from faults_of(ground, start, behind, horizon)
    answered = next((look.answered for look in behind.looks if look.answered is not None), None)
    if answered is None or not behind.rests or not answered[0].test(View(first.policy, first.contact, NOW)) > 0:
        return
    habit, written = answered
    rest = tuple(one for one in ground.habits if one is not habit)
    ahead = follow(later(first, written.at, [written]), horizon, habits=rest)
    if final(ahead) != final(behind):
        ends = [" at ".join(_words(ground, c)) for c in (behind, ahead)]
        message = f"where {habit.says}: after hubsync's look, it ends as {ends[0]}; before, as {ends[1]}"
        yield Fault.seen(NOTE, message, (habit.id,), start, behind, len(behind.looks) - 1)


def _half(start: Start, policy: Policy, moments: Sequence[datetime]) -> Course:
    """What comes of the first of two moments until the second; nothing where no contact can be so."""
    first = tuple(one for one in start.acts if one.at == moments[0])
    between = Start(start.place, start.contact, first).situation(policy)
    if between is None:
        return Course()
    return follow(Situation(policy, between.contact, moments[0] + timedelta(minutes=30)), EVER, moments[1])


def _hold(ground: Ground, course: Course, rules: Iterable[str]) -> bool:
    """Whether these are automations that all hold where both things are found at once."""
    first = course.looks[0].situation
    view = View(ground.policy, first.contact, first.now)
    found = [rule for rule in ground.policy.rules if rule.id in rules]
    return all(not rule.matrix and rule.test(view) > 0 for rule in found)


def _writers(course: Course) -> set[str]:
    return {c.rule for look in course.looks for c in look.decision.changes if c.property in KEYS}


def _words(ground: Ground, course: Course) -> tuple[str, str]:
    status, stage = final(course)
    return ground.key(STATUS, status), ground.key(STAGE, stage)


class _Traced(Settlement):
    """A settlement that notes every value it writes on the way."""

    def __init__(self, view: View, horizon: Horizon) -> None:
        super().__init__(view, horizon)
        self.trail: list[Want] = []

    def _apply(self, want: Want, live: bool) -> None:
        self.trail.append(want)
        super()._apply(want, live)


def _trail(look: Look, horizon: Horizon) -> list[Want]:
    """Everything that one decision writes on its way, in order; where it writes nothing, what the backlog would."""
    traced = _Traced(View(look.situation.policy, look.situation.contact, look.situation.now), horizon)
    traced.settle(live=True)
    if traced.backlog and not traced.trail:
        traced.settle(live=False)
    return traced.trail


def circles(start: Start, course: Course, horizon: Horizon) -> Iterator[Fault]:
    """Whether one decision comes back to a value that it has just left, with no cause but its own writes."""
    for number, look in enumerate(course.looks):
        for name in (STATUS, STAGE):
            if sum(s.target == name for s in look.decision.superseded) < 2:
                continue
            wants = [w for w in _trail(look, horizon) if w.target == name]
            values = [wants[0].old, *(w.value for w in wants)] if wants else []
            steps = [v for n, v in enumerate(values) if n == 0 or values[n - 1] != v]
            if len(set(steps)) < len(steps):
                rules = tuple(sorted({w.rule.id for w in wants}))
                message = f"{' and '.join(rules)} undo one another's {KEYS[name]} for one and the same cause"
                yield Fault.seen(TERMINATION, message, rules, start, course, number)
