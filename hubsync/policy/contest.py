"""Which of several rules writes next, as if hubsync had looked in time (design 1 "Several causes at once").

Causes are taken in the order of their moments, so a later one overrides an earlier one, unless what the earlier one
wrote keeps the later rule from holding: a deal opened on Saturday, a mail sent on Sunday, and the lead is Converted,
as it would have been on a day like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import Cause, Conflict, Superseded
from hubsync.policy.rules import Rule
from hubsync.policy.vocabulary import STAGE, STATUS

MAIN = frozenset({STATUS, STAGE})


@dataclass(frozen=True, slots=True, eq=False)
class Want:
    """A rule that wants a property (`target`) to have a value. `key` is what the ledger knows it by."""

    rule: Rule
    cause: Cause
    target: str
    old: str
    value: str

    @property
    def key(self) -> str:
        """The ledger's key."""
        return ledger_key(self.rule.id, self.cause, self.target)

    @property
    def firing(self) -> tuple[str, str]:
        """The rule and the cause: what wins or loses as a whole."""
        return self.rule.id, self.cause.key

    def spent_by(self, winner: str) -> Superseded:
        """The record that this want lost to another rule."""
        return Superseded(self.rule.id, self.rule.playbook, self.cause, self.target, self.value, winner)


@dataclass(slots=True)
class Verdict:
    """Who writes now, who lost to whom, and who can't be told apart."""

    winners: list[Want] = field(default_factory=list)
    lost: list[tuple[Want, str]] = field(default_factory=list)
    disputed: list[list[Want]] = field(default_factory=list)


def contest(wants: Sequence[Want]) -> Verdict:
    """Settle who writes what at the earliest moment of all wants; the others are asked again afterwards.

    A rule that loses Lead status or Lifecycle stage also loses what it would have set with it. Of rules that want the
    same value one after the other, the last carries it.
    """
    if len(wants) == 1:
        return Verdict(winners=list(wants))
    first = min(want.cause.at for want in wants)
    ordered = sorted(wants, key=lambda w: (w.cause.at, w.rule.id))
    verdict = Verdict()
    acting = {w.firing for w in ordered if w.cause.at == first}
    losers: dict[tuple[str, str], str] = {}
    for name in sorted({w.target for w in wants}, key=lambda n: (n not in MAIN, n)):
        rivals = [w for w in ordered if w.target == name and w.firing in acting and w.firing not in losers]
        if not rivals:
            continue
        winner = _winner([w for w in rivals if w.cause.at == first] or rivals[-1:])
        if winner is None:
            verdict.disputed.append(rivals)
            losers |= {w.firing: "" for w in rivals if name in MAIN}
            continue
        carrier = _carrier(winner, [w for w in ordered if w.target == name and w.cause.at > first])
        acting.add(carrier.firing)
        verdict.winners.append(carrier)
        for want in rivals:
            if name in MAIN and want.value != winner.value:
                losers[want.firing] = winner.rule.id
            elif want is not carrier:
                verdict.lost.append((want, carrier.rule.id))
    verdict.lost += [(w, losers[w.firing]) for w in ordered if losers.get(w.firing) and w not in verdict.winners]
    return verdict


def _winner(rivals: Sequence[Want]) -> Want | None:
    """Of causes at one moment, the rule that outranks all that want another value; None where no order is declared."""
    for want in rivals:
        others = {w.rule.id for w in rivals if w.value != want.value}
        if others <= want.rule.outranks:
            return want
    return None


def _carrier(winner: Want, later: Iterable[Want]) -> Want:
    """The last of the wants that follow with the same value before any other value is wanted."""
    for want in later:
        if want.value != winner.value:
            break
        winner = want
    return winner


def conflict(rivals: Sequence[Want]) -> Conflict:
    """The record of rules that want different values at one moment."""
    return Conflict(rivals[0].target, tuple((w.rule.id, w.value) for w in rivals), rivals[0].cause.at)
