"""The situations from which everything is followed: one for each class that the rules can tell apart.

A start is a combination of Lead status and Lifecycle stage, since when and by whom it was entered, what was before, and
what else is true of the contact or happened to it, in every order of the moments. Branches that no rule asks are not
taken: once the rules that can still hold ask nothing more, the class is whole.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations, product

from hubsync.policy.conditions import Condition
from hubsync.policy.facts import FACTS
from hubsync.policy.policy import Policy
from hubsync.policy.timeline import AUTOMATION, PERSON
from hubsync.policy.view import View
from hubsync.proving.derived import DERIVED, ENGAGEMENT
from hubsync.proving.ground import NONE, Alive, Ground, Place
from hubsync.proving.options import LONG_AGO, NOW, OWNER, Option, entered, happening
from hubsync.proving.subjects import subject_of
from hubsync.rulefiles.case_spec import ActSpec
from hubsync.rulefiles.situations import Situation, SituationFault, build

STATUS_ENTRY, STAGE_ENTRY = "lead_status", "lifecycle_stage"
PAST = LONG_AGO + timedelta(days=100)
"""When what has been so for long came about."""
Rank = int
AT_ONCE = 2
"""So many moments lie near one another in a start, in every order; whatever else is so has been so for long."""
APART = timedelta(hours=1)
"""How far events of one start lie from one another: past every quiet time, short of every age."""


OF_THE_STATUS = frozenset(
    {"lead_status", "lead_status_entered", "lead_status_by", "lead_status_before", "idle_since", "lifecycle_stage"}
)
"""Facts to which it doesn't matter since when, by whom and after what the stage stands."""


@dataclass(frozen=True, slots=True)
class Start:
    """One representative: words of a case. `since`: from when on causes count (B1); None: always.

    `happened` is what `acts` say, with each one's moment, so that starts of one combination are told apart quickly.
    """

    place: Place
    contact: tuple[tuple[str, str], ...]
    acts: tuple[ActSpec, ...]
    since: datetime | None = None
    happened: tuple[tuple[datetime, Hashable], ...] = ()

    @property
    def key(self) -> Hashable:
        """What tells it from the other starts of its combination."""
        return self.contact, self.happened

    def situation(self, policy: Policy) -> Situation | None:
        """The contact as a decision by these rules sees it, None where none can be so."""
        try:
            return build(policy, NOW, dict(self.contact), self.acts)
        except SituationFault:
            return None


@dataclass(frozen=True, slots=True)
class Entry:
    """How the status or the stage was entered: by whom, `before` what; `rank` among the start's moments, None: ever."""

    name: str
    by: str = AUTOMATION
    rank: Rank | None = None
    before: str = NONE


def laid(
    ground: Ground,
    place: Place,
    entries: Sequence[Entry],
    things: Sequence[tuple[Option, Rank | None]],
    since: datetime | None = None,
) -> Start:
    """A start from its parts. Ranks count back from the latest moment; a thing without a rank is true ever since."""
    words = {
        **ground.managed,
        "owner": OWNER,
        "createdate": _text(LONG_AGO),
        STATUS_ENTRY: place[0],
        STAGE_ENTRY: place[1],
    }
    happened: list[tuple[datetime, int, Hashable, tuple[ActSpec, ...]]] = []
    ranks = [e.rank for e in entries if e.rank is not None] + [rank for _, rank in things if rank is not None]
    last = max(ranks, default=0)
    for entry in entries:
        if entry.before != NONE:
            words[f"{entry.name}_before"] = entry.before
        if entry.rank is not None:
            at = NOW - APART * (1 + last - entry.rank)
            here = place[0] if entry.name == STATUS_ENTRY else place[1]
            happened.append((at, 0, (entry.name, entry.by), (entered(entry.name, here, at, entry.by),)))
    for option, rank in things:
        words |= option.contact
        if option.acts:
            at = PAST if rank is None else NOW - APART * (1 + last - rank)
            happened.append((at, 1, option, happening(option, at)))
    happened.sort(key=lambda h: (h[0], h[1]))
    acts = tuple(one for *_, acts in happened for one in acts)
    return Start(place, tuple(words.items()), acts, since, tuple((at, what) for at, _, what, _ in happened))


def _hangs(fact: str) -> bool:
    """Whether a fact may hang on when the status or the stage was entered; properties and their points don't."""
    return fact in FACTS and DERIVED.get(fact) != ENGAGEMENT


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def orders(count: int) -> Iterator[tuple[Rank, ...]]:
    """Every order of so many moments, coinciding ones included: the rank of each."""
    for ranks in product(range(count), repeat=count):
        if set(ranks) == set(range(max(ranks, default=-1) + 1)):
            yield ranks


class Classes:
    """The starts of one combination for a team of rules: those of it that can write there or where writes lead."""

    def __init__(self, ground: Ground, place: Place, team: frozenset[str]) -> None:
        self.ground = ground
        self.place = place
        alive = [alive for there in sorted(ground.reached(place)) for alive in ground.alive[there]]
        self.rules = tuple(one for one in alive if one.rule.id in team)
        self.waited = {subject_of(one.cause) for one in self.rules if one.rule.id in ground.waiting}
        """What rules wait after."""
        self.flows = ground.policy.foreign
        asked = {fact for one in self.rules for fact in one.facts}
        self.of_entries = {
            STATUS_ENTRY: team == ground.core or any(_hangs(fact) for fact in asked),
            STAGE_ENTRY: team == ground.core or any(_hangs(fact) for fact in asked - OF_THE_STATUS),
        }
        """Whether it matters to the rules since when and by whom, and after what, each of the two fields stands."""

    def alone(self) -> Iterator[Start]:
        """At most one thing happened: in every order with the entries of the status and the stage, by whomever.

        Where a rule waits after it, it may also be long past and what the rule waited for overdue.
        """
        for event in (None, *self._events()):
            happened = [event] if event else []
            left = self._left(self.rules, self._assigned(happened))
            for context in self._contexts(left, happened):
                for entries, rank in self._around(event, left):
                    things = [(event, rank), *context] if event is not None else context
                    yield laid(self.ground, self.place, entries, things)
                if event is not None and event.subject in self.waited:
                    for entries in self._entries(left):
                        yield laid(self.ground, self.place, entries, [(event, None), *context])

    def together(self) -> Iterator[Start]:
        """Two things happened to a contact that was left alone before: one after the other, or at one moment.

        Or a rule waits after one of them, and what it waited for is overdue. What the status and the stage were before
        matters as far as rules of either event ask.
        """
        for one, other in combinations(self._events(), 2):
            if one.subject == other.subject:
                continue
            theirs = [k for k in self.rules if {subject_of(f) for f in k.facts} & {one.subject, other.subject}]
            long_ago = self._long_ago(self._left(theirs, self._assigned([one, other])))
            for context, entries in product(self._contexts(self.rules, [one, other]), long_ago):
                for ranks in orders(2):
                    yield laid(self.ground, self.place, entries, [(one, ranks[0]), (other, ranks[1]), *context])
                for first, last in ((one, other), (other, one)):
                    if first.subject in self.waited:
                        yield laid(self.ground, self.place, entries, [(first, None), (last, 0), *context])

    def recurring(self) -> Iterator[Start]:
        """Whatever happened is long past and spent; what counts is what hubsync's own writes bring about."""
        rules = [alive for alive in self.rules if alive.recurs]
        if not rules and not self.flows:
            return
        since = NOW - timedelta(days=1)
        for things in self._products(rules):
            for entries in self._entries(self._left(rules, {option.subject: option for option in things})):
                if any(entry.rank is not None for entry in entries):
                    yield laid(self.ground, self.place, entries, [(option, None) for option in things], since)

    def _events(self) -> list[Option]:
        """What may have happened, as far as a rule that can write asks."""
        asked = {subject_of(fact) for alive in self.rules for fact in alive.facts}
        asked |= {subject_of(c.fact.name) for flow in self.flows for group in flow.groups for c in group}
        return [o for n, s in sorted(self.ground.classes.items()) if n in asked for o in s.options if o.timed]

    def _contexts(self, rules: Sequence[Alive], events: Sequence[Option]) -> Iterator[list[tuple[Option, Rank | None]]]:
        """Everything that merely is so, as far as rules ask that these events leave possible."""
        for things in self._tree(rules, self._assigned(events)):
            yield [(option, None) for option in things if not option.timed and option.contact]

    def _assigned(self, events: Sequence[Option]) -> dict[str, Option]:
        """These events and no others."""
        nothing = {name: s.options[0] for name, s in self.ground.classes.items() if s.timed}
        return nothing | {event.subject: event for event in events}

    def _left(self, rules: Sequence[Alive], assigned: dict[str, Option]) -> list[Alive]:
        """The rules that may hold where this is so."""
        return [alive for alive in rules if self._possible(alive.groups, assigned)]

    def _products(self, rules: Sequence[Alive]) -> Iterator[list[Option]]:
        return self._tree(rules, {})

    def _tree(self, rules: Sequence[Alive], assigned: dict[str, Option]) -> Iterator[list[Option]]:
        """The leaves of the tree of decisions: subjects are branched on only while a rule that may hold asks them."""
        left = self._left(rules, assigned)
        asked = [subject_of(c.fact.name) for alive in left for g in alive.groups if self._open(g, assigned) for c in g]
        asked += [subject_of(c.fact.name) for flow in self.flows for g in flow.groups for c in g]
        name = next((n for n in asked if n and n not in assigned), None)
        if name is None:
            yield list(assigned.values())
            return
        for option in self.ground.classes[name].options:
            yield from self._tree(left, {**assigned, name: option})

    def _possible(self, groups: Iterable[Sequence[Condition]], assigned: dict[str, Option]) -> bool:
        return any(self._open(group, assigned) for group in groups)

    def _open(self, group: Sequence[Condition], assigned: dict[str, Option]) -> bool:
        """Whether no condition of the group is known to fail."""
        truth = self.ground.truth
        for condition in group:
            option = assigned.get(subject_of(condition.fact.name) or "")
            if option is not None and truth.get((id(condition), option), 1) == 0:
                return False
        return True

    def _around(self, event: Option | None, rules: Sequence[Alive]) -> Iterator[tuple[list[Entry], Rank]]:
        """How the two fields may have been entered around an event: long before, or near it, by whom it matters."""
        count = 1 if event is not None else 0
        for entries in self._entries(rules):
            timed = [e for e in entries if e.rank is not None]
            if len(timed) + count > AT_ONCE:
                continue
            if not timed:
                yield entries, 0
                continue
            for ranks in orders(len(timed) + count):
                placed = iter(ranks)
                shifted = [e if e.rank is None else Entry(e.name, e.by, next(placed), e.before) for e in entries]
                yield shifted, ranks[-1]

    def _entries(self, rules: Sequence[Alive]) -> Iterator[list[Entry]]:
        """Since when, by whom and after what the status and the stage stand, as far as the rules ask."""
        status = list(self._ways(STATUS_ENTRY, self.place[0], rules))
        stage = list(self._ways(STAGE_ENTRY, self.place[1], rules))
        for one, other in product(status, stage):
            yield [one, other]

    def _long_ago(self, rules: Sequence[Alive]) -> list[list[Entry]]:
        """After what the status and the stage were entered, where both have stood for long, as far as the rules ask."""
        status, stage = (
            [entry for entry in self._ways(name, here, rules) if entry.rank is None]
            for name, here in zip((STATUS_ENTRY, STAGE_ENTRY), self.place, strict=True)
        )
        return [list(both) for both in product(status, stage)]

    def _ways(self, name: str, here: str, rules: Sequence[Alive]) -> Iterator[Entry]:
        if not self.of_entries[name]:
            yield Entry(name)
            return
        for before in self._befores(name, here, rules):
            yield Entry(name, AUTOMATION, None, before)
            if here == NONE and before == NONE:
                continue
            for by in (AUTOMATION, PERSON):
                yield Entry(name, by, 0, before)

    def _befores(self, name: str, here: str, rules: Sequence[Alive]) -> Sequence[str]:
        """One former value for each class that conditions tell apart, of rules that may hold before it is written."""
        asked = [
            c
            for alive in rules
            for g in alive.groups
            for c in g
            if c.fact.name == f"{name}_before" and here == alive.place[0 if name == STATUS_ENTRY else 1]
        ]
        asked += [c for flow in self.flows for g in flow.groups for c in g if c.fact.name == f"{name}_before"]
        if not asked:
            return (NONE,)
        terms = self.ground.policy.statuses if name == STATUS_ENTRY else self.ground.policy.stages
        kept: dict[tuple[int, ...], str] = {}
        for before in (NONE, *terms.by_key):
            start = laid(self.ground, self.place, [Entry(name, AUTOMATION, None, before)], [])
            situation = start.situation(self.ground.policy) if before != here else None
            if situation is not None:
                view = View(self.ground.policy, situation.contact, NOW)
                kept.setdefault(tuple(c.test(view) for c in asked), before)
        return list(kept.values())
