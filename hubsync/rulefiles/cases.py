"""The cases beside the rule files, read and made ready to run: `hubsync rules test` (style.md idiom 5).

It must not need a portal, a database or a clock: the portal is the one that the rule files describe, in UTC. What it
takes to pass is playing.py's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hubsync.errors import Problem, RuleFileError
from hubsync.policy.compile import MATRIX, PORTAL
from hubsync.policy.policy import Horizon, Policy
from hubsync.policy.portal_spec import PortalSpec
from hubsync.policy.words import did_you_mean
from hubsync.rulefiles import coverage
from hubsync.rulefiles.case_spec import EXPECTATIONS, CaseSpec, CasesSpec, Expectation
from hubsync.rulefiles.lines import Document, KeyPath, read
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.rulefiles.models import validate
from hubsync.rulefiles.playing import Case, CaseResult, Played, Step, play
from hubsync.rulefiles.situations import SituationFault, build, staged

__all__ = ["Case", "CaseResult", "load_cases", "results_of", "run_case", "run_cases"]

BEFORE_EVERYTHING = datetime(1970, 1, 1, tzinfo=UTC)


def load_cases(folder: Path, rules: LoadedRules | None = None) -> list[Case]:
    """Every case of a folder of rule files, in order. Raises RuleFileError with the faults of all files."""
    loader = _Loader(rules or load_rules(folder))
    cases = [case for path in sorted(folder.glob("*_test.yaml")) for case in loader.file(path)]
    if loader.problems:
        raise RuleFileError(sorted(loader.problems, key=lambda p: (p.file, p.line, p.column)))
    return cases


def run_case(case: Case) -> CaseResult:
    """Look at the case's contact, at every step of a story, and compare what is decided with what it expects."""
    return play(case).result


def run_cases(folder: Path) -> list[CaseResult]:
    """Every case of a folder, then every rule and cell that no case tries.

    Raises RuleFileError with every fault where rule files or cases can't be used.
    """
    rules = load_rules(folder)
    return results_of(rules, [play(case) for case in load_cases(folder, rules)])


def results_of(rules: LoadedRules, played: Sequence[Played]) -> list[CaseResult]:
    """What became of every case, then every rule and cell that none of them tries."""
    results = [one.result for one in played]
    looks = [look for one in played for look in one.looks]
    return results + [
        CaseResult(gap.file, gap.line, gap.name, False, gap.message) for gap in coverage.gaps(rules, looks)
    ]


@dataclass(slots=True)
class _Loader:
    """Reads files of cases; faults are collected, none stops the rest."""

    rules: LoadedRules
    problems: list[Problem] = field(default_factory=list)
    policies: dict[str, tuple[LoadedRules, Policy]] = field(default_factory=dict)

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
            _check_about(self.rules, case.about or file.about, () if not case.about else here)
            rules, policy = self._policy(case.portal, case.enable, here)
        except RuleFileError as error:
            what = "; ".join(p.message for p in error.problems)
            self.problems.append(document.problem((*here, "portal"), f"the rules can't be used with this: {what}"))
            return
        except SituationFault as fault:
            self.problems.append(document.problem(fault.path, str(fault)))
            return
        for values in product(*case.each.values()):
            chosen = dict(zip(case.each, values, strict=True))
            try:
                yield _case(rules, policy, document, file, case, number, chosen)
            except SituationFault as fault:
                path = ("each", *fault.path[1:]) if fault.path[-1] in case.each else fault.path
                self.problems.append(document.problem((*here, *path), str(fault)))
                return

    def _policy(self, portal: Mapping[str, Any], enable: Sequence[str], here: KeyPath) -> tuple[LoadedRules, Policy]:
        """The files with `portal` laid over portal.yaml and the rules of `enable` switched on, and their policy.

        Raises RuleFileError for a portal that can't be so, SituationFault for an unknown rule.
        """
        files = self.rules.files
        known = [spec.id for content in files.rules.values() for spec in content.rules]
        for number, name in enumerate(enable):
            if name not in known:
                raise SituationFault((*here, "enable", number), f'"{name}" is no rule{did_you_mean(name, known)}')
        key = repr((portal, enable))
        if key not in self.policies:
            changed = replace(files.enabling(enable), portal=self._portal(portal))
            rules = LoadedRules(self.rules.folder, changed, self.rules.documents)
            self.policies[key] = rules, staged(rules.compile(rolled_out=True))
        return self.policies[key]

    def _portal(self, portal: Mapping[str, Any]) -> PortalSpec:
        """portal.yaml with this laid over it. Raises RuleFileError."""
        if not portal:
            return self.rules.files.portal
        changed = _merged(self.rules.files.portal.model_dump(exclude_unset=True), portal)
        try:
            return PortalSpec.model_validate(changed)
        except ValidationError as error:
            places = [".".join(map(str, e["loc"])) for e in error.errors()]
            raise RuleFileError([Problem(PORTAL, 1, 1, f"{', '.join(places)} can't be so")]) from error


def _check_about(rules: LoadedRules, about: Sequence[str], here: KeyPath) -> None:
    """Raise SituationFault for a file of rules that isn't there."""
    known = [name.removesuffix(".yaml") for name in (MATRIX, *rules.files.rules)]
    for number, name in enumerate(about):
        if name not in known:
            raise SituationFault((*here, "about", number), f'"{name}" is no file of rules{did_you_mean(name, known)}')


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both, key by key at every depth; where both say something, what lies above counts."""
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], Mapping) and isinstance(above[key], Mapping):
            merged[key] = _merged(below[key], above[key])
    return merged


def _case(
    rules: LoadedRules,
    policy: Policy,
    document: Document,
    file: CasesSpec,
    case: CaseSpec,
    number: int,
    chosen: Mapping[str, str],
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
        steps=tuple(
            Step(
                wait=step.after or step.at or now,
                acts=tuple(step.acts),
                expect=tuple(_filled(one, chosen) for one in step.expect),
                look_again=step.look_again,
                line=document.where(("cases", number, "steps", index))[0],
            )
            for index, step in enumerate(case.steps)
        ),
        rules=rules,
        about=frozenset(case.about or file.about),
    )


def _filled(expectation: Expectation, chosen: Mapping[str, str]) -> Expectation:
    """The expectation with {lead_status} and the like replaced by what `each` has chosen."""

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(text) for key, text in value.items()}
        for name, word in chosen.items() if isinstance(value, str) else ():
            value = value.replace("{" + name + "}", word)
        return value

    named = (*EXPECTATIONS, "rule")
    return expectation.model_copy(update={n: fill(getattr(expectation, n)) for n in named if n != "task"})
