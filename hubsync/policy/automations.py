"""The rules of automations.yaml and its like, compiled: what each waits for, under which cause, and what it does.

What the portal lacks, or what is left to be chosen, is a gap; faults are reported with the path that leads to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from hubsync.policy import causes
from hubsync.policy.actions import ActionCompiler, lacks_a_key, said_by_its_name
from hubsync.policy.causes import Source
from hubsync.policy.conditions import Condition, for_team
from hubsync.policy.data_terms import unset
from hubsync.policy.groups import impossible
from hubsync.policy.policy import Gap
from hubsync.policy.rules import PROPOSE, Rule, SetAction
from hubsync.policy.spec import RuleSpec
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.policy.waiting import overdue, waited
from hubsync.policy.words import did_you_mean

if TYPE_CHECKING:
    from hubsync.policy.compile import KeyPath, _Compiler


def compile_automations(owner: _Compiler, quiet: timedelta) -> list[Rule]:
    """Every rule that can run, in the order of the files; `quiet` is the settling time of rules that name none."""
    rules: list[Rule] = []
    seen: dict[str, str] = {}
    templates = {n: (name, t) for name, f in owner.files.rules.items() for n, t in f.templates.items()}
    compiler = _Automations(owner, quiet, ActionCompiler(owner, templates))
    for source, content in owner.files.rules.items():
        for number, spec in enumerate(content.rules):
            path: KeyPath = ("rules", number)
            if spec.id in seen:
                owner.report(source, (*path, "id"), f'"{spec.id}" is already the id of a rule in {seen[spec.id]}')
            seen[spec.id] = source
            rule = compiler.rule(spec, source, path)
            if rule is not None:
                rules.append(rule)
    known = {r.id for r in rules} | set(seen)
    for source, content in owner.files.rules.items():
        for number, spec in enumerate(content.rules):
            for index, other in enumerate(spec.outranks):
                if other not in known:
                    where: KeyPath = ("rules", number, "outranks", index)
                    owner.report(source, where, f'"{other}" is no rule{did_you_mean(other, known)}')
    return rules


@dataclass(frozen=True, slots=True)
class _Automations:
    owner: _Compiler
    quiet: timedelta
    actions: ActionCompiler

    def rule(self, spec: RuleSpec, source: str, path: KeyPath) -> Rule | None:
        """The rule, or None where it can't run; one that is not enabled is checked all the same."""
        if spec.enabled:
            return self._rule(spec, source, path)
        owner = self.owner
        asked, written, gaps = set(owner.asked), set(owner.written), list(owner.gaps)
        self._rule(spec, source, path)
        owner.asked, owner.written, owner.gaps = asked, written, gaps
        owner.gaps.append(Gap(spec.id, spec.playbook, f"enabled: true in {source}", off=True, opt_in=True))
        return None

    def _rule(self, spec: RuleSpec, source: str, path: KeyPath) -> Rule | None:
        owner = self.owner
        groups = self._groups(spec, source, path)
        cause = self._cause(spec, source, path)
        if cause is None or spec.cause is None:
            return None
        if spec.after is not None:
            wait = self.actions.duration(spec.after, source, (*path, "after"))
            if wait is None:
                return None
            groups = [[*group, overdue(spec.cause, cause, wait)] for group in groups]
            cause = waited(cause, wait)
        if not spec.then:
            owner.report(source, (*path, "then"), "a rule needs at least one action")
        needs = self._unset(spec.cause, groups)
        if needs is not None:
            owner.gaps.append(Gap(spec.id, spec.playbook, needs, off=True, opt_in=True))
            return None
        compiled, lacking, proposes = self.actions.compile(spec, source, path)
        compiled_sets = [a.property for a in compiled if isinstance(a, SetAction)]
        owner.written.update(compiled_sets)
        live = [g for g in groups if not impossible(g, owner)]
        off = not compiled or lacks_a_key(lacking)
        for need in lacking:
            owner.gaps.append(Gap(spec.id, spec.playbook, need, off=off))
        if off:
            return None
        if groups and not live and all(groups):
            keys = sorted({k for g in groups for k in impossible(g, owner)})
            owner.gaps.append(Gap(spec.id, spec.playbook, ", ".join(keys), off=True))
            return None
        watches = {c.fact.property for g in groups for c in g if c.fact.property} | set(compiled_sets)
        return Rule(
            id=spec.id,
            playbook=spec.playbook,
            says=owner.texts.said(spec.id, "says", spec.says or said_by_its_name(spec.id)),
            mode=PROPOSE if proposes else spec.mode,
            cause=cause,
            groups=tuple(tuple(g) for g in live),
            actions=tuple(compiled),
            quiet=owner.quiet(spec.settle, source, (*path, "settle")) if spec.settle else self.quiet,
            watches=frozenset(watches & {STATUS, STAGE}),
            hard=spec.hard,
            outranks=frozenset(spec.outranks),
            where=f"{source}:{spec.id}",
            says_cause=causes.CAUSES[spec.cause][1],
            ask=owner.texts.said(spec.id, "ask", spec.ask or ""),
        )

    def _unset(self, cause: str, groups: list[list[Condition]]) -> str | None:
        """The section of the rule files without which the rule can't tell anything, None where all is said."""
        if cause == "churn" and self.owner.files.portal.churn is None:
            return "churn: in portal.yaml (which property marks a lost customer)"
        missing = unset(self.owner)
        named = [cause, *(c.fact.name for group in groups for c in group)]
        return next((missing[name] for name in named if name in missing), None)

    def _cause(self, spec: RuleSpec, source: str, path: KeyPath) -> Source | None:
        """What makes the rule fire, remembered as often as `once_per` says; None with a fault reported."""
        if spec.cause is None:
            known = ", ".join(causes.CAUSES)
            self.owner.report(source, path, f"rule {spec.id} names no cause; write one of {known}")
            return None
        if spec.cause not in causes.CAUSES:
            near = did_you_mean(spec.cause, causes.CAUSES)
            self.owner.report(source, (*path, "cause"), f'"{spec.cause}" is not a cause{near}')
            return None
        cause = causes.CAUSES[spec.cause][0]
        match spec.once_per:
            case "deal":
                return causes.once_per_deal(cause)
            case "status":
                return causes.once_per_status(cause)
        return cause

    def _groups(self, spec: RuleSpec, source: str, path: KeyPath) -> list[list[Condition]]:
        """The groups of `when`, narrowed to the team of `only_for`."""
        listed = isinstance(spec.when, list)
        written = spec.when if isinstance(spec.when, list) else [spec.when]
        if not written:
            self.owner.report(source, (*path, "when"), "a rule needs at least one condition")
        groups = [
            self.owner.conditions(g, source, (*path, "when", n) if listed else (*path, "when"))
            for n, g in enumerate(written)
        ]
        return groups if spec.only_for is None else [[*group, for_team(spec.only_for)] for group in groups]
