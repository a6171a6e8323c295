"""What is to be proved of: a policy without its brakes, and which rules and subjects matter at which combination.

The brake of A18 (once in 7 days) and the one on ping-pong are switched off, so that rules which would fight for ever do
so here. Which rules can write where follows from the dispatch table that decisions use as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from hubsync.policy.compile import ALWAYS_READ
from hubsync.policy.conditions import Condition
from hubsync.policy.facts import FACTS
from hubsync.policy.policy import Policy
from hubsync.policy.rules import AUTO, Cell, Foreign, Residual, Rule, SetAction
from hubsync.policy.spec import RuleSpec
from hubsync.policy.view import View
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.proving.derived import DATA, DERIVED, QUALIFICATION, behind
from hubsync.proving.habits import habits
from hubsync.proving.options import LONG_AGO, NOW, OWNER, Option
from hubsync.proving.subjects import OF_THE_START, Subject, bare, certain, subject_of, subjects, truths
from hubsync.rulefiles.load import LoadedRules
from hubsync.rulefiles.situations import build, staged

Place = tuple[str, str]
"""A combination: Lead status and Lifecycle stage as policy keys, "none" for empty."""
NONE = "none"

OWN = frozenset({"lead_status_entered", "lifecycle_stage_entered"})
"""Causes that a write of our own can bring about."""


@dataclass(frozen=True, slots=True)
class Alive:
    """A rule that can hold at a combination: the conditions left of each of its groups, and what its cause hangs on."""

    rule: Rule
    place: Place
    groups: tuple[tuple[Condition, ...], ...]
    cause: str
    """The cause's name; "" for a cell of the matrix."""

    @property
    def facts(self) -> set[str]:
        """Everything that it asks, its cause included."""
        return {c.fact.name for group in self.groups for c in group} | ({self.cause} if self.cause else set())

    @property
    def recurs(self) -> bool:
        """Whether a write may bring about its cause anew. Only what surely hangs on an event outside does not."""
        return self.cause in {"", *OWN} or subject_of(self.cause) in {"", None}


@dataclass
class Ground:
    """The rules to be proved, with all that is worked out about them once."""

    loaded: LoadedRules
    policy: Policy
    causes: Mapping[str, str] = field(default_factory=dict)
    """By rule, the name of its cause."""
    waiting: frozenset[str] = frozenset()
    """Rules that wait after their cause."""
    copied: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By rule, the facts whose values it writes."""

    @classmethod
    def of(cls, loaded: LoadedRules) -> Ground:
        """The rules of a folder, each in its own mode, brakes off."""
        specs = [spec for content in loaded.files.rules.values() for spec in content.rules]
        policy = replace(staged(loaded.compile(rolled_out=True)), brakes=False)
        here = {rule.id for rule in policy.rules}
        specs = [spec for spec in specs if spec.id in here]
        copied = {spec.id: frozenset(_copied(spec)) for spec in specs}
        waiting = frozenset(spec.id for spec in specs if spec.after)
        return cls(loaded, policy, {spec.id: spec.cause or "" for spec in specs}, waiting, copied)

    @property
    def places(self) -> Iterator[Place]:
        """Every combination, custom statuses and stages included."""
        for stage in (NONE, *self.policy.stages.by_key):
            for status in (NONE, *self.policy.statuses.by_key):
                yield status, stage

    def value(self, name: str, key: str) -> str:
        """HubSpot's value of a policy key; "" for none."""
        terms = self.policy.statuses if name == STATUS else self.policy.stages
        return "" if key == NONE else terms.value(key)

    def key(self, name: str, value: str | None) -> str:
        """The policy key of a value; "none" for empty."""
        terms = self.policy.statuses if name == STATUS else self.policy.stages
        return terms.key(value) or NONE

    @cached_property
    def conditions(self) -> list[Condition]:
        """Every condition of every rule and of every declared workflow."""
        return self._conditions(self.policy.rules)

    def _conditions(self, rules: Iterable[Rule]) -> list[Condition]:
        found = [c for rule in rules for group in rule.groups for c in group]
        return found + [c for flow in self.policy.foreign for group in flow.groups for c in group]

    @cached_property
    def classes(self) -> dict[str, Subject]:
        """What may be true of a contact, as far as a rule asks that writes by itself, or a declared workflow."""
        writers = [rule for rule in self.policy.rules if rule.sets and rule.mode == AUTO]
        return self._subjects(self._conditions(writers))

    @cached_property
    def subjects(self) -> dict[str, Subject]:
        """What may be true of a contact, as far as any rule asks."""
        return self._subjects(self.conditions)

    def _subjects(self, conditions: list[Condition]) -> dict[str, Subject]:
        lists = self.loaded.files.portal.lists
        found = subjects(self.policy, conditions, lists)
        for name in {subject_of(cause) for cause in self.causes.values()} - {None, ""} - set(found):
            found[str(name)] = bare(self.policy, str(name))
        return found

    def asks(self, rule: Rule) -> frozenset[str]:
        """The facts and properties on which it hangs whether a rule writes, and what."""
        facts = {c.fact.name for group in rule.groups for c in group} | {self.causes.get(rule.id, "")}
        facts |= self.copied.get(rule.id, frozenset())
        portal = self.loaded.files.portal
        hanging = {DERIVED.get(fact) for fact in facts}
        needed = portal.requirements if DATA in hanging else portal.qualification if QUALIFICATION in hanging else ()
        needs = [portal.requirements[id_] for id_ in needed]
        facts |= {name for one in needs for name in (*one.any_of, *(one.when or ()))}
        known = [FACTS[name] for name in facts & FACTS.keys()]
        read = {name for fact in known for name in (*fact.reads, *filter(None, [fact.property]))}
        return frozenset(facts | read | {name for fact in facts for name in behind(self.policy, fact)})

    @cached_property
    def core(self) -> frozenset[str]:
        """The rules on which Lead status and Lifecycle stage hang: those that write them, or what such rules ask.

        All others write what none of these asks, such as signals for lists: nothing they do can change the two fields.
        """
        scope = self.loaded.files.portal.scope
        properties = {
            STATUS,
            STAGE,
            *ALWAYS_READ,
            *(name for group in (*scope.managed_if, *scope.unless) for name in group),
        }
        properties |= {c.fact.name for flow in self.policy.foreign for g in flow.groups for c in g}
        found: set[str] = set()
        while more := [r for r in self.policy.rules if r.id not in found and {a.property for a in r.sets} & properties]:
            for rule in more:
                found.add(rule.id)
                properties |= self.asks(rule)
        return frozenset(found)

    @cached_property
    def teams(self) -> tuple[frozenset[str], ...]:
        """The rules that write, the core first, then in groups of which none writes what another one writes or asks."""
        teams: list[list[Rule]] = []
        for rule in self.policy.rules:
            if rule.sets and rule.mode == AUTO and rule.id not in self.core:
                own = [team for team in teams if any(self._meet(rule, other) for other in team)]
                teams = [team for team in teams if team not in own] + [[*(r for team in own for r in team), rule]]
        return (self.core, *(frozenset(rule.id for rule in team) for team in teams))

    def _meet(self, one: Rule, other: Rule) -> bool:
        """Whether what one of them writes matters to the other."""
        writes = [{action.property for action in rule.sets} for rule in (one, other)]
        return bool(writes[0] & (writes[1] | self.asks(other)) or writes[1] & self.asks(one))

    @cached_property
    def unstated(self) -> dict[str, list[str]]:
        """Facts that no case can state, with the rules that write by themselves and ask them.

        What only shows, asks or reminds writes nothing, so that nothing can follow from it.
        """
        found: dict[str, list[str]] = {}
        for rule in (r for r in self.policy.rules if r.sets and r.mode == AUTO):
            asked = {c.fact.name for group in rule.groups for c in group} | {self.causes.get(rule.id, "")} - {""}
            for fact in sorted(asked):
                if fact not in OWN and subject_of(fact) is None:
                    found.setdefault(fact, []).append(rule.id)
        return found

    @cached_property
    def truth(self) -> dict[tuple[int, Option], int]:
        """What a condition answers, by its identity, wherever an option is so, if that option alone decides it."""
        table: dict[tuple[int, Option], int] = {}
        for subject in (*self.subjects.values(), *self.classes.values()):
            name = subject.name
            for option in subject.options:
                asked = [c for c in self.conditions if subject_of(c.fact.name) == name and certain(c, option)]
                answers = truths(self.policy, option, asked) or ()
                table |= {(id(c), option): answer for c, answer in zip(asked, answers, strict=True)}
        return table

    def writing(self, team: frozenset[str]) -> Policy:
        """The rules by which a team's contacts are decided: the core and the team.

        Left out is what only shows, asks or reminds, and what other teams write: their values are the same without it.
        """
        return self._bare(team, self.policy)

    def turned(self, team: frozenset[str]) -> Policy:
        """The same with files, rules and rows in the opposite order."""
        return self._bare(team, self.reversed)

    def _bare(self, team: frozenset[str], policy: Policy) -> Policy:
        key = team, policy is self.policy
        if key not in self._bared:
            self._bared[key] = _writing(policy, self.core | team)
        return self._bared[key]

    @cached_property
    def _bared(self) -> dict[tuple[frozenset[str], bool], Policy]:
        return {}

    @cached_property
    def managed(self) -> dict[str, str]:
        """Words that let a contact be managed whoever owns it (D5), as far as portal.yaml knows any."""
        for group in self.loaded.files.portal.scope.managed_if:
            for value in ("1", "true", _text(NOW)):
                words = {name: value for name in group if name not in {"owner", *OF_THE_START}}
                if words and self._is_managed(words):
                    return words
        return {}

    def _is_managed(self, words: dict[str, str]) -> bool:
        contact = build(self.policy, NOW, words, ()).contact
        return self.policy.managed(View(self.policy, contact, NOW)) > 0

    def where(self, rule: Rule) -> list[Place]:
        """The combinations at which a rule can matter."""
        table = self.policy.cells
        places = [(p, table[self.value(STATUS, p[0]), self.value(STAGE, p[1])]) for p in self.places]
        return [place for place, cell in places if any(r.rule is rule for r in cell.everything)]

    @cached_property
    def reversed(self) -> Policy:
        """The policy with files, rules and rows in the opposite order."""
        files = self.loaded.files
        rules = {n: f.model_copy(update={"rules": f.rules[::-1]}) for n, f in reversed(tuple(files.rules.items()))}
        matrix = files.matrix.model_copy(update={"matrix": files.matrix.matrix[::-1]})
        turned = replace(files, rules=rules, matrix=matrix)
        loaded = LoadedRules(self.loaded.folder, turned, self.loaded.documents)
        return replace(staged(loaded.compile(rolled_out=True)), brakes=False)

    @cached_property
    def habits(self) -> tuple[Foreign, ...]:
        """What HubSpot itself may do to the stage because of deals."""
        return habits(self.policy)

    @cached_property
    def locks(self) -> tuple[Rule, ...]:
        """Automations that put back what anybody changes: hard, and no cells of the matrix."""
        return tuple(
            r for r in self.policy.rules if r.hard and not r.matrix and any(a.property == STATUS for a in r.sets)
        )

    def locked_value(self, lock: Rule) -> str | None:
        """The status that a lock keeps."""
        return next((constant(a) for a in lock.sets if a.property == STATUS), None)

    @cached_property
    def alive(self) -> dict[Place, tuple[Alive, ...]]:
        """By combination, the rules that write there by themselves, automations and cells of the matrix."""
        return {place: tuple(self._alive(place)) for place in self.places}

    def _alive(self, place: Place) -> Iterator[Alive]:
        cell = self.policy.cells[self.value(STATUS, place[0]), self.value(STAGE, place[1])]
        for residual in (*cell.autos, *cell.cells):
            yield self.at(residual.rule, place)

    def at(self, rule: Rule, place: Place) -> Alive:
        """What is left of a rule at a combination."""
        return Alive(rule, place, tuple(self._left(rule.groups, place)), self.causes.get(rule.id, ""))

    def _left(self, groups: Sequence[Sequence[Condition]], place: Place) -> Iterator[tuple[Condition, ...]]:
        """The groups that a combination leaves open, with what is left of each."""
        words = {
            "owner": OWNER,
            "createdate": LONG_AGO.isoformat(),
            "lead_status": place[0],
            "lifecycle_stage": place[1],
        }
        view = View(self.policy, build(self.policy, NOW, words, ()).contact, NOW)
        for group in groups:
            own = [c for c in group if c.fact.name in {"lead_status", "lifecycle_stage"}]
            if all(c.test(view) > 0 for c in own):
                yield tuple(c for c in group if c not in own)

    def targets(self, rule: Rule, place: Place) -> Place:
        """Where a rule takes a contact that it writes to."""
        return self._there(place, {a.property: value for a in rule.sets if (value := constant(a)) is not None})

    def _there(self, place: Place, written: Mapping[str, str]) -> Place:
        """The combination after some properties were set, from one before."""
        status, stage = (
            self.key(name, written[name]) if name in written else here
            for name, here in zip((STATUS, STAGE), place, strict=True)
        )
        return status, stage

    def reached(self, place: Place) -> frozenset[Place]:
        """The combinations to which our own writes and the portal's workflows can lead from here, this one included."""
        if place not in self._reached:
            found, waiting = {place}, [place]
            while waiting:
                here = waiting.pop()
                ours = {self.targets(alive.rule, here) for alive in self.alive[here]}
                theirs = {self._there(here, f.values) for f in self.policy.foreign if [*self._left(f.groups, here)]}
                new = {there for there in ours | theirs if there in self.alive} - found
                found |= new
                waiting += new
            self._reached[place] = frozenset(found)
        return self._reached[place]

    @cached_property
    def _reached(self) -> dict[Place, frozenset[Place]]:
        return {}


def _copied(spec: RuleSpec) -> Iterator[str]:
    """The facts that stand as `{fact: name}` among the values that a rule sets."""
    for action in spec.then:
        for value in (action.set or {}).values():
            if isinstance(value, dict) and "fact" in value:
                yield str(value["fact"])


def constant(action: SetAction) -> str | None:
    """What an action sets whatever the contact; None where that hangs on the contact."""
    try:
        value = action.resolve(None, None)  # type: ignore[arg-type]
    except AttributeError:
        return None
    return value if isinstance(value, str) else None


def _writing(policy: Policy, only: frozenset[str]) -> Policy:
    def left(residuals: tuple[Residual, ...]) -> tuple[Residual, ...]:
        return tuple(r for r in residuals if r.rule.id in only)

    def bare_of(cell: Cell) -> Cell:
        dealless = bare_of(cell.dealless) if cell.dealless is not None else None
        return Cell(left(cell.autos), left(cell.cells), dealless=dealless)

    return replace(policy, cells={place: bare_of(cell) for place, cell in policy.cells.items()})


def _combination(place: Place) -> dict[str, str]:
    return {"lead_status": place[0], "lifecycle_stage": place[1]}


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
