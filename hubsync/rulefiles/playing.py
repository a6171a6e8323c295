"""Playing cases: what is decided at each look, held against what the case expects, in plain words.

A case passes if the rules do exactly what it expects, no more and no less, at each of its looks, and rest once that is
done (C5). A story's later looks see what its earlier ones decided, as the real loop would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter

from hubsync.policy.changes import Decision
from hubsync.policy.decide import decide
from hubsync.policy.policy import Horizon
from hubsync.policy.view import View
from hubsync.policy.worktime import parse_duration
from hubsync.rulefiles.case_spec import ActSpec, Expectation
from hubsync.rulefiles.lines import KeyPath
from hubsync.rulefiles.load import LoadedRules
from hubsync.rulefiles.outcomes import Outcome, compare, done, failing, moment, wanted, why_not
from hubsync.rulefiles.situations import Situation, SituationFault, after, later

ACTS = frozenset({"set", "task", "withdrawn", "digest", "alert"})
"""Outcomes that are written, and must not come again at once."""


@dataclass(frozen=True, slots=True)
class Step:
    """A further look of a story: so long after the look before (`wait`, a duration) or at a moment.

    `line` is where it stands.
    """

    wait: str | datetime
    acts: tuple[ActSpec, ...]
    expect: tuple[Expectation, ...]
    look_again: datetime | None
    line: int


@dataclass(frozen=True, slots=True)
class Case:
    """One case, or one combination of its `each`, ready to run. `situation` and `expect` are those of its first look.

    `rules` are the rule files it is played with, the case's own `portal` laid over them.
    """

    name: str
    file: str
    line: int
    situation: Situation
    horizon: Horizon
    expect: tuple[Expectation, ...]
    look_again: datetime | None = None
    steps: tuple[Step, ...] = ()
    rules: LoadedRules | None = field(default=None, repr=False)
    about: frozenset[str] = frozenset()
    """Files of rules, without `.yaml`: what rules of other files do counts only where it is expected; empty: all."""

    def mentions(self, text: str) -> bool:
        """Whether the text stands in the case's name, its file or a rule that it expects; capitals don't matter."""
        expected = (one for expect in (self.expect, *(s.expect for s in self.steps)) for one in expect)
        words = [self.name, self.file, *(w for one in expected for w in (one.rule, one.finding) if w is not None)]
        return any(text.casefold() in word.casefold() for word in words)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one case, or of something that no case tries.

    `message` is "" where all is fine, else it says what was expected, what came and why; as text the result says where.
    """

    file: str
    line: int
    name: str
    ok: bool
    message: str = ""
    seconds: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.name}: {self.message or 'passed'}"


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a case's contact: what was there, and what was decided."""

    situation: Situation
    decision: Decision
    horizon: Horizon


@dataclass(frozen=True, slots=True)
class Played:
    """A case, what became of it, and every look that was made."""

    case: Case
    result: CaseResult
    looks: tuple[Look, ...]


def play(case: Case) -> Played:
    """Play a case to its end, or to the first look at which something is wrong."""
    began = perf_counter()
    looks: list[Look] = []
    situation, line, where = case.situation, case.line, ""
    faults = _look(case, situation, case.expect, case.look_again, looks)
    for number, step in enumerate(case.steps, start=1):
        if faults:
            break
        line, where = step.line, f"step {number}"
        situation = after(situation, looks[-1].decision)
        try:
            situation = later(situation, _moment(situation, step.wait), step.acts)
        except SituationFault as fault:
            faults = [f"{_shown(fault.path)}: {fault}"]
            break
        where += f", {moment(situation.now)}"
        faults = _look(case, situation, step.expect, step.look_again, looks)
    message = "\n  ".join(f"{where}: {fault}" if where else fault for fault in faults)
    at = line if faults else case.line
    result = CaseResult(case.file, at, case.name, not faults, message, perf_counter() - began)
    return Played(case, result, tuple(looks))


def _moment(situation: Situation, wait: str | datetime) -> datetime:
    if isinstance(wait, datetime):
        return wait
    policy = situation.policy
    return parse_duration(wait).after(situation.now, policy.calendar, policy.zone)


def _shown(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)


def _look(
    case: Case, situation: Situation, expect: Sequence[Expectation], look_again: datetime | None, looks: list[Look]
) -> list[str]:
    """Decide, note it in `looks`, and tell everything that is not as expected."""
    decision = decide(situation.policy, situation.contact, situation.now, case.horizon)
    looks.append(Look(situation, decision, case.horizon))
    faults = list(_faults(looks[-1], expect, look_again, case.about))
    if not faults:
        rest = after(situation, decision)
        second = decide(rest.policy, rest.contact, rest.now, case.horizon)
        if second.acts:
            acts = ", ".join(str(o) for o in done(second, rest.policy) if o.kind in ACTS)
            faults.append(f"once that is done, the rules don't rest: {acts}")
    return faults


def _faults(
    look: Look, expect: Sequence[Expectation], look_again: datetime | None, about: frozenset[str]
) -> Iterator[str]:
    missing, unexpected = compare(list(wanted(expect)), list(done(look.decision, look.situation.policy)))
    for outcome in missing:
        yield f"expected {outcome}, which didn't come{_why(look, outcome)}"
    for outcome in unexpected:
        if not about or _file(look, outcome) in about | {""}:
            yield f"didn't expect {outcome}"
    if look_again is not None and look.decision.look_again != look_again:
        yield f"expected another look at {moment(look_again)}, not at {moment(look.decision.look_again)}"


def _file(look: Look, outcome: Outcome) -> str:
    """The file of the rule that did something, without `.yaml`; "" where no single rule did it."""
    rule = look.situation.policy.rule(outcome.rule) if outcome.rule is not None else None
    return rule.where.partition(".yaml:")[0] if rule is not None else ""


def _why(look: Look, outcome: Outcome) -> str:
    """Why an expected outcome may not have come: by the rule named, else by the one that is nearest to holding."""
    policy = look.situation.policy
    view = View(policy, look.situation.contact, look.situation.now)
    if policy.managed(view) == 0:
        return "; the contact isn't managed (scope in portal.yaml)"
    named = outcome.about if outcome.kind == "finding" else outcome.rule
    rules = [r for r in policy.rules if r.id == named or (named is None and not r.matrix)]
    if not rules:
        return f"; there is no rule {named}, or it is off"
    nearest = min(rules, key=lambda r: len(failing(r, view)))
    return f"; {nearest.id} {why_not(nearest, view, look.horizon)}"
