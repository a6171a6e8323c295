"""Which cases would tell of a change to some rules, the likeliest first: few then have to be played for a mutant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hubsync.policy.cells import Place
from hubsync.policy.policy import Policy
from hubsync.policy.rules import Rule
from hubsync.policy.view import View
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.rulefiles.outcomes import done
from hubsync.rulefiles.playing import Case, Played, play


@dataclass(frozen=True, slots=True, eq=False)
class Witness:
    """A case, and how it went with the rules as they are."""

    case: Case
    views: tuple[View, ...]
    stands: frozenset[Place]
    """The combinations that come up in it."""
    acted: frozenset[str]
    """The rules that act in it."""

    @classmethod
    def of(cls, played: Played) -> Witness:
        """What a case that was played can tell."""
        views = tuple(View(s.policy, s.contact, s.now) for s in (look.situation for look in played.looks))
        return cls(played.case, views, _stands(played), _acted(played))

    @property
    def policy(self) -> Policy:
        """The rules that the case is played with."""
        return self.case.situation.policy

    def hears(self, file: str, rules: frozenset[str]) -> bool:
        """Whether it counts in the case what these rules of a file do."""
        about = self.case.about
        return not about or file.removesuffix(".yaml") in about or any(map(self.case.mentions, rules & self.acted))


@dataclass(frozen=True, slots=True)
class Change:
    """Some rules of a policy in the place of others: `policy` comes of `former`.

    `rival` is the rule that those before outrank, and those after don't, where that is all that changes.
    """

    former: Policy
    before: tuple[Rule, ...]
    after: tuple[Rule, ...]
    policy: Policy
    rival: str = ""

    def caught_by(self, witness: Witness) -> bool:
        """Whether a case of the former policy fails now. It can't where none of the rules, or no rival, is asked."""
        cells = (policy.cells.get(at) for at in witness.stands for policy in (self.former, self.policy))
        asked = {r.rule.id for cell in cells if cell is not None for r in cell.everything}
        if asked.isdisjoint(r.id for r in (*self.before, *self.after)) or (self.rival and self.rival not in asked):
            return False
        situation = replace(witness.case.situation, policy=self.policy)
        return not play(replace(witness.case, situation=situation)).result.ok

    def turns(self, view: View) -> bool:
        """Whether the rules hold here where they didn't, or the other way round."""
        return _hold(self.before, view) != _hold(self.after, view)


def acting(change: Change, heard: Sequence[Witness]) -> list[Witness]:
    """Of the cases in which it counts what the rules of a change do: those in which they acted before it."""
    names = {r.id for r in change.before}
    return [one for one in heard if not names.isdisjoint(one.acted)]


def likeliest(change: Change, heard: Sequence[Witness], *, conditions: bool) -> Iterator[Witness]:
    """The cases that promise to tell of a change, of those in which it counts: the likeliest first, some twice.

    `conditions`: all that changes is where the rules hold, or since when.
    """
    acting_now = acting(change, heard)
    rival = change.former.rule(change.rival)
    if rival is not None:
        yield from (one for one in heard if any(_hold(change.before, v) and rival.test(v) > 0 for v in one.views))
        return
    if not conditions:
        yield from acting_now
    for some in (acting_now, heard):
        yield from (one for one in some if any(map(change.turns, one.views)))
    if not conditions:
        yield from (one for one in heard if any(_hold(change.before, view) for view in one.views))


def _hold(rules: Sequence[Rule], view: View) -> bool:
    return any(rule.test(view) > 0 for rule in rules)


def _stands(played: Played) -> frozenset[Place]:
    """Every combination of the values that Lead status and Lifecycle stage have, or are wanted to have, in a case."""
    found: set[Place] = set()
    for look in played.looks:
        values = {name: {look.situation.contact.properties.get(name) or ""} for name in (STATUS, STAGE)}
        for name, value in (
            *((c.property, c.new) for c in look.decision.changes),
            *((s.target, s.value) for s in look.decision.superseded),
        ):
            if name in values:
                values[name].add(value)
        found |= {(status, stage) for status in values[STATUS] for stage in values[STAGE]}
    return frozenset(found)


def _acted(played: Played) -> frozenset[str]:
    return frozenset(
        outcome.rule
        for look in played.looks
        for outcome in done(look.decision, look.situation.policy)
        if outcome.rule is not None and outcome.kind != "withdrawn"
    )
