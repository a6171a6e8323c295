"""Rolling out (playbook B6): a cap on what rules may do, for all, by rule, and by team, and the path to raise it along.

A cap only lowers: a rule whose own mode is propose never becomes auto by it. Pure; rules/rollout.yaml is read, and
edited, by rulefiles/.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hubsync.policy.rules import AUTO, PROPOSE, REPORT, Rule
from hubsync.policy.spec import CapsSpec, RolloutSpec

ROLLOUT = "rollout.yaml"
MODES = (REPORT, PROPOSE, AUTO)
"""From the least a rule may do to the most."""
FIRST = ("A2", "A3", "A4", "A7", "A9")
"""Playbook ids that go to auto first (B6)."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that rules may do: `rules` by rule id or playbook id (the rule id counts first), the rest `default`."""

    default: str = AUTO
    rules: Mapping[str, str] = field(default_factory=dict)

    def of(self, rule: Rule) -> str:
        """The cap of one rule."""
        return self.rules.get(rule.id) or self.rules.get(rule.playbook) or self.default


def caps_of(spec: RolloutSpec | None, team: str | None = None) -> Caps:
    """The caps for contacts of a team's owners, or of nobody's team. What a team says stands before what all say."""
    if spec is None:
        return Caps()
    own: CapsSpec | None = spec.teams.get(team) if team is not None else None
    if own is None:
        return Caps(spec.default, spec.rules)
    if own.default is not None:  # a team at a level of its own: only its own exceptions count
        return Caps(own.default, own.rules)
    return Caps(spec.default, {**spec.rules, **own.rules})


def mark_of(spec: RolloutSpec | None) -> str:
    """What the roll-out adds to the rules' fingerprint: the same rules under other caps are other rules in force."""
    if spec is None:
        return ""
    return "+" + hashlib.sha256(spec.model_dump_json().encode()).hexdigest()[:8]


def lower(mode: str, cap: str) -> str:
    """The lesser of two modes."""
    return min(mode, cap, key=MODES.index)


def capped(rules: Iterable[Rule], caps: Caps) -> tuple[Rule, ...]:
    """The rules with their modes lowered to the caps."""
    return tuple(_capped(rule, caps.of(rule)) for rule in rules)


def _capped(rule: Rule, cap: str) -> Rule:
    mode = lower(rule.mode, cap)
    return rule if mode == rule.mode else replace(rule, mode=mode, lowered=True)


def names_of(rules: Iterable[Rule]) -> frozenset[str]:
    """What caps may be given by: the rules' ids and playbook ids."""
    return frozenset(name for rule in rules for name in (rule.id, rule.playbook))


@dataclass(frozen=True, slots=True)
class Standing:
    """One rule in the roll-out: its own mode, its cap, and what comes next for it, "" for nothing."""

    rule: str
    playbook: str
    own: str
    cap: str
    next: str

    @property
    def mode(self) -> str:
        """What the rule does now."""
        return lower(self.own, self.cap)


def standings(rules: Sequence[Rule], caps: Caps) -> list[Standing]:
    """Where every rule stands. `rules` with their own modes, not lowered."""
    waits = any(r.playbook in FIRST and lower(r.mode, caps.of(r)) != r.mode for r in rules)
    return [Standing(r.id, r.playbook, r.mode, caps.of(r), _next(r, caps.of(r), waits)) for r in rules]


def _next(rule: Rule, cap: str, others_first: bool) -> str:
    if lower(rule.mode, cap) == rule.mode:
        return ""
    if cap == REPORT:
        return PROPOSE
    return AUTO if rule.playbook in FIRST or not others_first else f"{AUTO}, after {', '.join(FIRST)}"


def next_step(rules: Sequence[Rule], caps: Caps) -> tuple[str, ...]:
    """What to type next on the suggested path, as arguments of `hubsync rollout`; empty where it is at its end."""
    lowered = [r for r in rules if lower(r.mode, caps.of(r)) != r.mode]
    if not lowered:
        return ()
    if any(caps.of(r) == REPORT for r in lowered):
        return (f"--all {PROPOSE}",)
    first = tuple(dict.fromkeys(p for p in FIRST if any(r.playbook == p for r in lowered)))
    return tuple(f"{playbook} {AUTO}" for playbook in first) or (f"--all {AUTO}",)
