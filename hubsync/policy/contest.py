"""Which of several rules gets a property: the one with the latest cause, as if hubsync had looked in time (design 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hubsync.policy.changes import Cause, Conflict, SetProperty, Superseded
from hubsync.policy.rules import Rule
from hubsync.policy.vocabulary import STAGE, STATUS


@dataclass(frozen=True, slots=True)
class Want:
    """A rule that wants a property to have a value."""

    rule: Rule
    cause: Cause
    property: str
    old: str
    value: str


@dataclass(slots=True)
class Verdict:
    """Who writes, who is spent without writing, and what can't be told apart."""

    winners: list[Want] = field(default_factory=list)
    superseded: list[Superseded] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)


def contest(wants: Sequence[Want], applied: Mapping[str, SetProperty]) -> Verdict:
    """Settle who writes each property. `applied` are the changes already made in this decision.

    A rule that loses Lead status or Lifecycle stage also loses the other properties it would have set with it.
    """
    verdict = Verdict()
    losers: set[tuple[str, str]] = set()
    by_property: dict[str, list[Want]] = {}
    for want in wants:
        by_property.setdefault(want.property, []).append(want)
    for name in sorted(by_property, key=lambda n: (n not in {STATUS, STAGE}, n)):
        rivals = [w for w in by_property[name] if (w.rule.id, w.cause.key) not in losers]
        winner = _winner(rivals, applied.get(name), verdict)
        if winner is not None:
            verdict.winners.append(winner)
        for want in rivals:
            if want is winner:
                continue
            if winner is None or want.value != winner.value:
                losers.add((want.rule.id, want.cause.key))
            if winner is not None:
                verdict.superseded.append(_spent(want, winner.rule.id))
    return verdict


def _winner(rivals: Sequence[Want], before: SetProperty | None, verdict: Verdict) -> Want | None:
    fresh = []
    for want in rivals:
        if before is not None and before.cause.at > want.cause.at and not want.rule.hard:
            verdict.superseded.append(_spent(want, before.rule))
        else:
            fresh.append(want)
    if not fresh:
        return None
    latest = max(w.cause.at for w in fresh)
    finalists = [w for w in fresh if w.cause.at == latest]
    if len({w.value for w in finalists}) == 1:
        return finalists[0]
    for want in finalists:
        others = {w.rule.id for w in finalists if w.value != want.value}
        if others <= want.rule.outranks:
            return want
    verdict.conflicts.append(Conflict(finalists[0].property, tuple((w.rule.id, w.value) for w in finalists), latest))
    return None


def _spent(want: Want, by: str) -> Superseded:
    return Superseded(want.rule.id, want.rule.playbook, want.cause, want.property, want.value, by)
