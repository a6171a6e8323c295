"""Running the cases beside the rule files: `hubsync rules test` (style.md idiom 5).

A case passes if the rules do exactly what it expects, no more and no less, and rest once that is done (C5). It must not
need a portal, a database or a clock: the portal is the one that the rule files describe, in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hubsync.errors import Problem, RuleFileError
from hubsync.policy.changes import Decision
from hubsync.policy.compile import PORTAL
from hubsync.policy.decide import decide
from hubsync.policy.policy import Horizon, Policy
from hubsync.policy.spec import PortalSpec
from hubsync.policy.view import View
from hubsync.rulefiles import coverage
from hubsync.rulefiles.case_spec import CaseSpec, CasesSpec, Expectation
from hubsync.rulefiles.lines import Document, read
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.rulefiles.models import validate
from hubsync.rulefiles.outcomes import Outcome, compare, done, failing, moment, wanted, why_not
from hubsync.rulefiles.situations import Situation, SituationFault, after, build, staged

BEFORE_EVERYTHING = datetime(1970, 1, 1, tzinfo=UTC)


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

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.name}: {self.message or 'passed'}"


@dataclass(frozen=True, slots=True)
class Case:
    """One case, or one combination of its `each`, ready to run."""

    name: str
    file: str
    line: int
    situation: Situation
    horizon: Horizon
    expect: tuple[Expectation, ...]
    look_again: datetime | None = None


def load_cases(folder: Path, rules: LoadedRules | None = None) -> list[Case]:
    """Every case of a folder of rule files, in order. Raises RuleFileError with the faults of all files."""
    loader = _Loader(rules or load_rules(folder))
    cases = [case for path in sorted(folder.glob("*_test.yaml")) for case in loader.file(path)]
    if loader.problems:
        raise RuleFileError(sorted(loader.problems, key=lambda p: (p.file, p.line, p.column)))
    return cases


def run_case(case: Case) -> CaseResult:
    """Decide on the case's contact, compare with what it expects, and see whether the rules rest once that is done."""
    return _play(case)[0]


def run_cases(folder: Path) -> list[CaseResult]:
    """Every case of a folder, then every rule and cell that no case tries.

    Raises RuleFileError with every fault where rule files or cases can't be used.
    """
    rules = load_rules(folder)
    played = [(case, *_play(case)) for case in load_cases(folder, rules)]
    results = [result for _, result, _ in played]
    for gap in coverage.gaps(rules, [(case, decision) for case, _, decision in played]):
        results += [CaseResult(gap.file, gap.line, gap.name, False, gap.message)]
    return results


def _play(case: Case) -> tuple[CaseResult, Decision]:
    before = case.situation
    decision = decide(before.policy, before.contact, before.now, case.horizon)
    faults = list(_faults(case, decision))
    if not faults:
        rest = after(before, decision)
        second = decide(rest.policy, rest.contact, rest.now, case.horizon)
        if second.acts:
            acts = (
                ", ".join(str(o) for o in done(second, rest.policy) if o.kind in {"set", "task"}) or "a task is deleted"
            )
            faults.append(f"once that is done, the rules don't rest: {acts}")
    return CaseResult(case.file, case.line, case.name, not faults, "\n  ".join(faults)), decision


def _faults(case: Case, decision: Decision) -> Iterator[str]:
    missing, unexpected = compare(list(wanted(case.expect)), list(done(decision, case.situation.policy)))
    for outcome in missing:
        yield f"expected {outcome}, which didn't come{_why(case, outcome)}"
    for outcome in unexpected:
        yield f"didn't expect {outcome}"
    if case.look_again is not None and decision.look_again != case.look_again:
        yield f"expected another look at {moment(case.look_again)}, not at {moment(decision.look_again)}"


def _why(case: Case, outcome: Outcome) -> str:
    """Why an expected outcome may not have come: by the rule named, else by the one that is nearest to holding."""
    policy = case.situation.policy
    view = View(policy, case.situation.contact, case.situation.now)
    if policy.managed(view) == 0:
        return "; the contact isn't managed (scope in portal.yaml)"
    named = outcome.about if outcome.kind == "finding" else outcome.rule
    rules = [r for r in policy.rules if r.id == named or (named is None and not r.matrix)]
    if not rules:
        return f"; there is no rule {named}, or it is off"
    nearest = min(rules, key=lambda r: len(failing(r, view)))
    return f"; {nearest.id} {why_not(nearest, view, case.horizon)}"


@dataclass(slots=True)
class _Loader:
    """Reads files of cases; faults are collected, none stops the rest."""

    rules: LoadedRules
    problems: list[Problem] = field(default_factory=list)
    policies: dict[str, Policy] = field(default_factory=dict)

    def file(self, path: Path) -> Iterator[Case]:
        shown = self.rules.documents[PORTAL].file.removesuffix(PORTAL) + path.name
        try:
            document = read(path, shown)
        except RuleFileError as error:
            self.problems += error.problems
            return
        spec, faults = validate(CasesSpec, document)
        self.problems += faults
        if spec is not None:
            for number, case in enumerate(spec.cases):
                yield from self._combinations(document, spec, case, number)

    def _combinations(self, document: Document, file: CasesSpec, case: CaseSpec, number: int) -> Iterator[Case]:
        """The case once for every combination of its `each`; a fault is told once."""
        here = ("cases", number)
        try:
            policy = self._policy(case.portal)
        except RuleFileError as error:
            what = "; ".join(p.message for p in error.problems)
            self.problems.append(document.problem((*here, "portal"), f"the rules can't be used with this: {what}"))
            return
        for values in product(*case.each.values()):
            chosen = dict(zip(case.each, values, strict=True))
            try:
                yield _case(policy, document, file, case, number, chosen)
            except SituationFault as fault:
                path = ("each", *fault.path[1:]) if fault.path[-1] in case.each else fault.path
                self.problems.append(document.problem((*here, *path), str(fault)))
                return

    def _policy(self, portal: Mapping[str, Any]) -> Policy:
        """The policy of the files, with `portal` laid over portal.yaml. Raises RuleFileError."""
        key = repr(portal)
        if key not in self.policies:
            rules = self.rules
            if portal:
                changed = _merged(rules.files.portal.model_dump(exclude_unset=True), portal)
                try:
                    spec = PortalSpec.model_validate(changed)
                except ValidationError as error:
                    places = [".".join(map(str, e["loc"])) for e in error.errors()]
                    raise RuleFileError([Problem(PORTAL, 1, 1, f"{', '.join(places)} can't be so")]) from error
                rules = LoadedRules(rules.folder, replace(rules.files, portal=spec), rules.documents)
            self.policies[key] = staged(rules.compile(rolled_out=True))
        return self.policies[key]


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both, key by key at every depth; where both say something, what lies above counts."""
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], Mapping) and isinstance(above[key], Mapping):
            merged[key] = _merged(below[key], above[key])
    return merged


def _case(
    policy: Policy, document: Document, file: CasesSpec, case: CaseSpec, number: int, chosen: Mapping[str, str]
) -> Case:
    now = case.now or file.now
    if now is None:
        raise SituationFault(("name",), "neither the case nor the file says what time it is; write now: …")
    which = ", ".join(f"{key} {value}" for key, value in chosen.items())
    return Case(
        name=f"{case.name} [{which}]" if which else case.name,
        file=document.file,
        line=document.where(("cases", number))[0],
        situation=build(policy, now, {**file.contact, **case.contact, **chosen}, case.acts, case.fired),
        horizon=Horizon(case.since or BEFORE_EVERYTHING),
        expect=tuple(_filled(one, chosen) for one in case.expect),
        look_again=case.look_again,
    )


def _filled(expectation: Expectation, chosen: Mapping[str, str]) -> Expectation:
    """The expectation with {lead_status} and the like replaced by what `each` has chosen."""

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(text) for key, text in value.items()}
        for name, word in chosen.items() if isinstance(value, str) else ():
            value = value.replace("{" + name + "}", word)
        return value

    named = ("set", "propose", "backlog", "finding", "conflict", "rule")
    return expectation.model_copy(update={name: fill(getattr(expectation, name)) for name in named})
