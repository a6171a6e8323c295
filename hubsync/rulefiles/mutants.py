"""Whether the cases would notice a mistake: mutants of the rules, each played against the cases that can see it.

A mutant is caught if some case fails on it. One that provably decides the same (equivalence.py), or that the rule files
refuse, isn't counted. The verdicts don't depend on how many processes share the work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hubsync.policy.compile import MATRIX
from hubsync.policy.groups import KeyPath
from hubsync.policy.policy import Policy
from hubsync.policy.rules import Rule
from hubsync.policy.ruleset import RuleSet
from hubsync.rulefiles.cases import load_cases
from hubsync.rulefiles.equivalence import Asking
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.rulefiles.mutations import Mutation, Words, alone, of_row, of_rule
from hubsync.rulefiles.playing import Case, play
from hubsync.rulefiles.splicing import compiled_row, compiled_rule, spliced
from hubsync.rulefiles.witnesses import Change, Witness, acting, likeliest

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


def try_mutants(folder: Path, about: str | None = None, jobs: int = 1, *, briefly: bool = False) -> list[Mutant]:
    """Every mutant of the rules in a folder with its verdict, in the order of the files.

    `about` narrows it to rules (or the matrix) with this text in their id, playbook id or file. The cases must pass.
    `briefly`: only cases that promise to tell are played; some other one may notice what they don't.
    """
    targets = _targets(load_rules(folder))
    wanted = [number for number, target in enumerate(targets) if about is None or target.mentions(about)]
    if jobs <= 1 or len(wanted) < 2 * jobs:
        bench = _Bench(folder, briefly)
        return [bench.verdict(number) for number in wanted]
    with ProcessPoolExecutor(jobs, get_context("spawn"), _start, (folder, briefly)) as pool:
        return list(pool.map(_verdict, wanted, chunksize=8))


def share(mutants: Sequence[Mutant]) -> float:
    """How many of 100 that count are caught; 100 of none."""
    counted = [m for m in mutants if m.verdict in {CAUGHT, SURVIVED}]
    return 100 * sum(m.verdict == CAUGHT for m in counted) / len(counted) if counted else 100.0


_bench: _Bench


def _start(folder: Path, briefly: bool) -> None:
    """What each process of a pool begins with."""
    global _bench
    _bench = _Bench(folder, briefly)


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


def _targets(rules: LoadedRules) -> Iterator[_Target]:
    """Everything that can be changed, in the order of the files."""
    files = rules.files
    words = Words(files.portal, [name for content in files.rules.values() for name in content.templates])
    for file, content in files.rules.items():
        for number, spec in enumerate(content.rules):
            for mutation in of_rule(spec, words):
                yield _Target(file, number, spec.id, spec.playbook, spec.cause or "", mutation)
    for number, row in enumerate(files.matrix.matrix):
        for mutation in of_row(row, words):
            yield _Target(MATRIX, number, f"row {number + 1}", "C1", "", mutation)


@dataclass(slots=True)
class _Bench:
    """The rules of a folder, their cases, played once, and what can be changed, judged one by one."""

    folder: Path
    briefly: bool = False
    rules: LoadedRules = field(init=False)
    witnesses: list[Witness] = field(init=False)
    targets: list[_Target] = field(init=False)
    policies: list[Case] = field(init=False)
    """A case for each policy that cases are played with, the one of most cases first."""
    _hearing: dict[tuple[str, frozenset[str]], list[Witness]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.rules = load_rules(self.folder)
        self.witnesses = [Witness.of(play(case)) for case in load_cases(self.folder, self.rules)]
        count = Counter(id(one.policy) for one in self.witnesses)
        first = {id(one.policy): one.case for one in reversed(self.witnesses)}
        self.policies = [first[policy] for policy, _ in count.most_common()]
        self.targets = list(_targets(self.rules))

    def verdict(self, number: int) -> Mutant:
        """The mutant of a target, judged."""
        target = self.targets[number]
        document = self.rules.documents[target.file]
        path: KeyPath = ("matrix" if target.file == MATRIX else "rules", target.number, *target.mutation.path)
        line = document.where(path, key=True)[0]
        return Mutant(document.file, line, target.about, target.mutation.says, self._judge(target))

    def _judge(self, target: _Target) -> str:
        """What becomes of a mutant: first by the cases that promise to tell, then by all others."""
        mutant = _Grown(target)
        home = next((c for c in map(mutant.change, self.policies) if c is None or c.before or c.after), None)
        if home is None:
            return REFUSED
        heard = self._heard(target.file, frozenset(r.id for r in home.before))
        verdict = mutant.verdict(likeliest(home, heard, conditions=target.mutation.asks))
        if verdict:
            return verdict
        stirred = acting(home, heard)
        if self._changes_nothing(target, mutant.grown(one.case for one in stirred)):
            return SAME
        return mutant.verdict(stirred if self.briefly else (*stirred, *self.witnesses)) or SURVIVED

    def _heard(self, file: str, rules: frozenset[str]) -> list[Witness]:
        """The cases in which it counts what these rules of a file do."""
        if (file, rules) not in self._hearing:
            self._hearing[file, rules] = [one for one in self.witnesses if one.hears(file, rules)]
        return self._hearing[file, rules]

    def _changes_nothing(self, target: _Target, changes: Sequence[tuple[Case, Change]]) -> bool:
        """Whether the mutant decides the same by construction, wherever the rule is on."""
        on = [(case, change) for case, change in changes if change.before]
        if target.mutation.also:
            return bool(on) and all(self._never_meet(case, change.before[0], target) for case, change in on)
        return bool(on) and all(_same(case, change, target) for case, change in on)

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


@dataclass(slots=True)
class _Grown:
    """A mutant in every policy that it was tried in so far."""

    target: _Target
    changes: dict[int, tuple[Case, Change | None]] = field(default_factory=dict)
    """By the policy's id: a case that is played with it, and the mutant in it, None where the rule files refuse it."""
    tried: set[int] = field(default_factory=set)

    def change(self, case: Case) -> Change | None:
        """The policy of a case with the mutant in it; None where the rule files refuse the mutant."""
        key = id(case.situation.policy)
        if key not in self.changes:
            self.changes[key] = case, _change(case, self.target)
        return self.changes[key][1]

    def grown(self, cases: Iterable[Case]) -> list[tuple[Case, Change]]:
        """The mutant in the policies of these cases and in those before, each with a case of it."""
        for case in cases:
            self.change(case)
        return [(case, change) for case, change in self.changes.values() if change is not None]

    def verdict(self, witnesses: Iterable[Witness]) -> str:
        """Caught or refused, if one of these cases tells; "" otherwise."""
        for one in witnesses:
            if id(one) not in self.tried:
                self.tried.add(id(one))
                change = self.change(one.case)
                if change is None:
                    return REFUSED
                if change.caught_by(one):
                    return CAUGHT
        return ""


def _change(case: Case, target: _Target) -> Change | None:
    files, policy = _files(case), case.situation.policy
    mutated: Callable[[Any], Any] = target.mutation.change
    if target.file == MATRIX:
        row, status = files.matrix.matrix[target.number], target.mutation.status
        before = compiled_row(alone(row, status), files, policy) or ()
        after = compiled_row(alone(mutated(row), status), files, policy)
    else:
        spec = mutated(files.rules[target.file].rules[target.number])
        before = tuple(r for r in policy.rules if r.id == target.about)
        after = compiled_rule(spec, target.file, files, policy) if spec is not None else ()
    if after is None:
        return None
    return Change(policy, before, after, spliced(policy, before, after, files.portal), target.mutation.also)


def _same(case: Case, change: Change, target: _Target) -> bool:
    before, after = change.before, change.after
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
