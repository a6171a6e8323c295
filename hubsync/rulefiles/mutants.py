"""Whether the cases would notice a mistake: mutants of the rules, each played against the cases that can see it.

A mutant is caught if some case fails on it. One that provably decides the same (equivalence.py), or that the rule files
refuse, isn't counted. The verdicts don't depend on how many processes share the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hubsync.policy.cells import lay_out
from hubsync.policy.compile import MATRIX, compile_policy
from hubsync.policy.groups import KeyPath
from hubsync.policy.policy import Policy
from hubsync.policy.portal_spec import PortalSpec
from hubsync.policy.rules import Cell, Residual, Rule
from hubsync.policy.ruleset import RuleSet
from hubsync.policy.spec import MatrixSpec
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.rulefiles.cases import Case, load_cases
from hubsync.rulefiles.equivalence import Asking
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.rulefiles.mutations import Mutation, Words, of_row, of_rule
from hubsync.rulefiles.outcomes import done
from hubsync.rulefiles.playing import Played, play

CAUGHT, SURVIVED, SAME, REFUSED = "caught", "survived", "same", "refused"
"""What becomes of a mutant: some case fails; none does; it decides the same by construction; it is no rule."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mutant and what became of it. `about` is the rule's id, or the row of the matrix."""

    file: str
    line: int
    about: str
    says: str
    verdict: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.about}: {self.says}: no case notices"


def try_mutants(folder: Path, about: str | None = None, jobs: int = 1) -> list[Mutant]:
    """Every mutant of the rules in a folder with its verdict, in the order of the files.

    `about` narrows it to rules (or the matrix) with this text in their id, playbook id or file. The cases must pass.
    """
    bench = Bench(folder)
    wanted = [number for number, target in enumerate(bench.targets) if about is None or target.mentions(about)]
    if jobs <= 1 or len(wanted) < 2 * jobs:
        return [bench.verdict(number) for number in wanted]
    with ProcessPoolExecutor(jobs, get_context("spawn"), _start, (folder,)) as pool:
        return list(pool.map(_verdict, wanted, chunksize=8))


def share(mutants: Sequence[Mutant]) -> float:
    """How many of 100 that count are caught; 100 of none."""
    counted = [m for m in mutants if m.verdict in {CAUGHT, SURVIVED}]
    return 100 * sum(m.verdict == CAUGHT for m in counted) / len(counted) if counted else 100.0


_bench: Bench


def _start(folder: Path) -> None:
    """What each process of a pool begins with."""
    global _bench
    _bench = Bench(folder)


def _verdict(number: int) -> Mutant:
    return _bench.verdict(number)


@dataclass(frozen=True, slots=True)
class _Target:
    """A mutation and what it is made to: rule `number` of a file, or row `number` of the matrix."""

    file: str
    number: int
    about: str
    playbook: str
    cause: str
    mutation: Mutation

    def mentions(self, text: str) -> bool:
        return any(text.casefold() in word.casefold() for word in (self.file, self.about, self.playbook))


@dataclass(frozen=True, slots=True)
class _Ground:
    """A policy that some cases are played with, the mutant in it, and the rules before and after."""

    case: Case
    before: tuple[Rule, ...]
    after: tuple[Rule, ...]
    policy: Policy

    def matters(self, former: Policy, stands: Iterable[tuple[str, str]]) -> bool:
        """Whether any of these rules is asked at one of these combinations, before or after."""
        names = {r.id for r in (*self.before, *self.after)}
        return any(_asks(policy.cells.get(at), names) for at in stands for policy in (former, self.policy))


@dataclass(slots=True)
class Bench:
    """The rules of a folder, their cases, played once, and everything that can be changed."""

    folder: Path
    rules: LoadedRules = field(init=False)
    played: list[Played] = field(init=False)
    targets: list[_Target] = field(init=False)
    stands: list[frozenset[tuple[str, str]]] = field(init=False)
    """Per case: the combinations of Lead status and Lifecycle stage that come up in it."""
    acted: list[frozenset[str]] = field(init=False)
    """Per case: the rules that act in it."""
    _rows: dict[tuple[int, int], Policy | None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.rules = load_rules(self.folder)
        self.played = [play(case) for case in load_cases(self.folder, self.rules)]
        self.stands = [_stands(one) for one in self.played]
        self.acted = [_acted(one) for one in self.played]
        self.targets = list(self._targets())

    def _targets(self) -> Iterator[_Target]:
        files = self.rules.files
        words = Words(files.portal, [name for content in files.rules.values() for name in content.templates])
        for file, content in files.rules.items():
            for number, spec in enumerate(content.rules):
                for mutation in of_rule(spec, words):
                    yield _Target(file, number, spec.id, spec.playbook, spec.cause or "", mutation)
        for number, row in enumerate(files.matrix.matrix):
            for mutation in of_row(row, words):
                yield _Target(MATRIX, number, f"row {number + 1}", "C1", "", mutation)

    def verdict(self, number: int) -> Mutant:
        """The mutant of a target, judged."""
        target = self.targets[number]
        document = self.rules.documents[target.file]
        path: KeyPath = ("matrix" if target.file == MATRIX else "rules", target.number, *target.mutation.path)
        line = document.where(path, key=True)[0]
        return Mutant(document.file, line, target.about, target.mutation.says, self._judge(target))

    def _judge(self, target: _Target) -> str:
        grounds: dict[int, _Ground | None] = {}
        acting = [n for n in range(len(self.played)) if target.about in self.acted[n]]
        others = [n for n in range(len(self.played)) if target.about not in self.acted[n]]
        for numbers in (acting, others):
            verdict = self._verdict_of(numbers, target, grounds)
            if verdict:
                return verdict
            if self._changes_nothing(target, [ground for ground in grounds.values() if ground is not None]):
                return SAME
        return SURVIVED

    def _verdict_of(self, numbers: Iterable[int], target: _Target, grounds: dict[int, _Ground | None]) -> str:
        """Caught or refused, if one of these cases tells; "" otherwise."""
        for number in numbers:
            case = self.played[number].case
            policy = case.situation.policy
            if id(policy) not in grounds:
                grounds[id(policy)] = self._ground(case, target)
            ground = grounds[id(policy)]
            if ground is None:
                return REFUSED
            if not ground.matters(policy, self.stands[number]):
                continue
            if not play(replace(case, situation=replace(case.situation, policy=ground.policy))).result.ok:
                return CAUGHT
        return ""

    def _ground(self, case: Case, target: _Target) -> _Ground | None:
        """The policy of a case with the mutant in it; None where the rule files refuse the mutant."""
        files, policy = _files(case), case.situation.policy
        change: Callable[[Any], Any] = target.mutation.change
        if target.file == MATRIX:
            row = files.matrix.matrix[target.number]
            key = id(policy), target.number
            if key not in self._rows:
                self._rows[key] = _part(case, replace(files, rules={}, matrix=MatrixSpec(matrix=[row])), MATRIX)
            old = self._rows[key]
            before = old.rules if old is not None else ()
            part = _part(case, replace(files, rules={}, matrix=MatrixSpec(matrix=[change(row)])), MATRIX)
        else:
            spec = change(files.rules[target.file].rules[target.number])
            content = {name: one.model_copy(update={"rules": []}) for name, one in files.rules.items()}
            rules = [spec] if spec is not None else []
            content[target.file] = content[target.file].model_copy(update={"rules": rules})
            before = tuple(r for r in policy.rules if r.id == target.about)
            part = _part(case, replace(files, rules=content, matrix=MatrixSpec(matrix=[])), target.file)
        if part is None:
            return None
        after = tuple(r for r in part.rules if r.matrix or r.id == target.about)
        return _Ground(case, before, after, _spliced(policy, before, after, files.portal))

    def _changes_nothing(self, target: _Target, grounds: Sequence[_Ground]) -> bool:
        """Whether the mutant decides the same by construction, wherever the rule is on."""
        on = [ground for ground in grounds if ground.before]
        if target.mutation.also:
            return bool(on) and all(self._never_meet(g.case, g.before[0], target) for g in on)
        return bool(on) and all(_same(g.case, g.before, g.after, target) for g in on)

    def _never_meet(self, case: Case, rule: Rule, target: _Target) -> bool:
        """Whether the rule and the one it outranks can't want different values at once."""
        policy = case.situation.policy
        other = policy.rule(target.mutation.also)
        specs = {spec.id: spec for content in self.rules.files.rules.values() for spec in content.rules}
        one, two = specs[rule.id], specs[target.mutation.also]
        mine, theirs = ({n: v for a in s.then for n, v in (a.set or {}).items()} for s in (one, two))
        if all(mine[name] == theirs[name] for name in mine.keys() & theirs.keys()):
            return True
        if other is None:
            return True
        return not Asking(policy, _files(case).portal).meet(rule, other, (one.cause or "", two.cause or ""))


def _same(case: Case, before: Sequence[Rule], after: Sequence[Rule], target: _Target) -> bool:
    if target.mutation.path[:1] == ("settle",):
        return [r.quiet for r in before] == [r.quiet for r in after]
    if not target.mutation.asks or [r.watches for r in before] != [r.watches for r in after]:
        return False
    files, policy = _files(case), case.situation.policy
    asking = Asking(policy, files.portal, {target.about: _fixed(files, policy, target)})
    mine, theirs = ([(rule, target.cause) for rule in rules] for rules in (before, after))
    return asking.same(mine, theirs)


def _fixed(files: RuleSet, policy: Policy, target: _Target) -> dict[str, str]:
    """The Lead status and Lifecycle stage that a rule sets as constants; nothing for the matrix."""
    found: dict[str, str] = {}
    for action in files.rules[target.file].rules[target.number].then if target.file != MATRIX else ():
        for name, value in (action.set or action.propose or {}).items():
            terms = {"lead_status": policy.statuses, "lifecycle_stage": policy.stages}.get(name)
            if terms is not None and isinstance(value, str):
                key = files.portal.names.get(value, value)
                found[terms.property] = "" if key == "none" else terms.value(key)
    return found


def _files(case: Case) -> RuleSet:
    if case.rules is None:
        raise TypeError(f"{case.name}: a case without its rule files can't be played against a mutant")
    return case.rules.files


def _part(case: Case, files: RuleSet, file: str) -> Policy | None:
    """A part of the files, compiled; None where that part has a fault of its own."""
    faults: list[KeyPath] = []

    def report(where: str, path: KeyPath, _message: str) -> None:
        if where == file and path != ("matrix",) and "outranks" not in path:
            faults.append(path)

    policy = compile_policy(replace(files, rollout=None), None, case.situation.policy.calendars, report)
    return None if faults else policy


def _spliced(policy: Policy, before: Sequence[Rule], after: Sequence[Rule], portal: PortalSpec) -> Policy:
    """The policy with some rules in the place of others."""
    gone = {r.id for r in before}
    cells = dict(policy.cells)
    for key, fresh in lay_out(after, policy.statuses, policy.stages, portal).items():
        if fresh.everything or _asks(cells[key], gone):
            cells[key] = _merged(cells[key], fresh, gone)
    return replace(policy, rules=(*(r for r in policy.rules if r.id not in gone), *after), cells=cells)


def _merged(cell: Cell, fresh: Cell, gone: set[str]) -> Cell:
    """A cell without the rules that are gone and with those of another."""

    def both(old: Iterable[Residual], new: Iterable[Residual]) -> tuple[Residual, ...]:
        return (*(r for r in old if r.rule.id not in gone), *new)

    return Cell(
        autos=both(cell.autos, fresh.autos),
        cells=both(cell.cells, fresh.cells),
        notes=tuple(sorted(both(cell.notes, fresh.notes), key=lambda r: (r.rule.matrix, r.rule.id))),
        tasks=both(cell.tasks, fresh.tasks),
        dealless=_merged(cell.dealless, fresh.dealless, gone) if cell.dealless and fresh.dealless else cell.dealless,
    )


def _asks(cell: Cell | None, rules: set[str]) -> bool:
    return cell is not None and any(r.rule.id in rules for r in cell.everything)


def _stands(played: Played) -> frozenset[tuple[str, str]]:
    """Every combination of the values that Lead status and Lifecycle stage have, or are wanted to have, in a case."""
    found: set[tuple[str, str]] = set()
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
