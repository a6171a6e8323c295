"""From the text of rule files to a policy for one portal.

Every fault is collected with the path that leads to it, none stops the rest. What the portal lacks is no fault but a
gap: an action whose property is missing is left out, a rule of which nothing remains is off, by name (design 6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hubsync.policy import causes, cells, matrix
from hubsync.policy.actions import ActionCompiler
from hubsync.policy.ages import parse_ages
from hubsync.policy.conditions import ALL_OPERATORS, Condition, Fault, Test, compile_condition
from hubsync.policy.deals import DealTerms
from hubsync.policy.facts import FACTS, STAGE_KEYS, STATUS_KEYS
from hubsync.policy.policy import Gap, Policy, Schema
from hubsync.policy.rules import PROPOSE, Rule, SetAction, all_of, any_of
from hubsync.policy.ruleset import RuleSet, ideal_schema
from hubsync.policy.spec import Conditions, RuleSpec
from hubsync.policy.vocabulary import STAGE, STATUS, Terms, Wanted, resolve
from hubsync.policy.words import did_you_mean
from hubsync.policy.worktime import Calendar, parse_duration

KeyPath = tuple[str | int, ...]
Report = Callable[[str, KeyPath, str], None]
"""Takes a fault: the file it is in, the path inside the file, the message."""

PORTAL, MATRIX = "portal.yaml", "matrix.yaml"

ALWAYS_READ = (
    STATUS,
    STAGE,
    "createdate",
    "lastmodifieddate",
    "hubspot_owner_id",
    "hs_object_source",
    "hs_object_source_id",
    "num_associated_deals",
    "num_contacted_notes",
    "hs_first_outreach_date",
    "notes_last_contacted",
)
"""Cheap properties that facts lean on, besides those that rules name."""
PERSONAL = frozenset({"email", "phone", "mobilephone", "firstname", "lastname", "address", "hs_email_domain"})
"""Properties that say who somebody is; the mirror never holds them (design 4)."""


def compile_policy(
    files: RuleSet, schema: Schema | None, calendar: Calendar, report: Report, settle: timedelta | None = None
) -> Policy:
    """Compile rule files for a portal; `schema` None stands for the portal they describe.

    Faults go to `report`; the policy is only worth using if none came. `settle` overrides every quiet time (D7).
    """
    return _Compiler(files, schema or ideal_schema(files.portal), calendar, report, settle).policy()


@dataclass(slots=True)
class _Compiler:
    files: RuleSet
    schema: Schema
    calendar: Calendar
    report: Report
    settle: timedelta | None
    gaps: list[Gap] = field(default_factory=list)
    statuses: Terms = field(init=False)
    stages: Terms = field(init=False)
    absent: dict[str, frozenset[str]] = field(init=False)
    asked: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        portal = self.files.portal
        wanted_statuses = [Wanted(key, s.value, tuple(s.labels.values()), s.like) for key, s in portal.statuses.items()]
        wanted_stages = [
            Wanted(key, s.value, tuple(s.labels.values()), s.like, s.optional, s.aside)
            for key, s in portal.stages.items()
        ]
        if not self.schema.complete:
            wanted_statuses = [Wanted(w.key, w.value or w.key, w.labels, w.like) for w in wanted_statuses]
            wanted_stages = [
                Wanted(w.key, w.value or w.key, w.labels, w.like, w.optional, w.aside) for w in wanted_stages
            ]
        self.statuses, no_status = resolve(STATUS, wanted_statuses, self.schema.statuses)
        self.stages, no_stage = resolve(STAGE, wanted_stages, self.schema.stages)
        self.absent = {
            STATUS_KEYS: frozenset(w.key for w in no_status),
            STAGE_KEYS: frozenset(w.key for w in no_stage),
        }

    # What conditions need to know (conditions.Words).
    @property
    def lists(self) -> Mapping[str, tuple[str, ...]]:
        return {name: tuple(values) for name, values in self.files.portal.lists.items()}

    @property
    def names(self) -> Mapping[str, str]:
        return self.files.portal.names

    def policy(self) -> Policy:
        portal = self.files.portal
        self._check_portal()
        quiet = self._quiet(portal.settling.status, (PORTAL, ("settling", "status")))
        combination = self._quiet(portal.settling.combination, (PORTAL, ("settling", "combination")))
        managed = self._managed()
        automations = self._automations(quiet)
        table = matrix.compile_matrix(self, self.files.matrix, combination)
        rules = (*automations, *table)
        return Policy(
            rules=rules,
            cells=cells.lay_out(rules, self.statuses, self.stages, portal),
            statuses=self.statuses,
            stages=self.stages,
            stage_order={t.value: t.order for t in self.stages.terms if t.order is not None},
            managed=managed,
            writers=dict(portal.writers),
            quiet_status=quiet,
            deals=self._deal_terms(),
            churn=(portal.churn.property, frozenset(portal.churn.values)) if portal.churn else None,
            cycle_statuses=frozenset(t.value for t in self.statuses.terms if t.like in {"new", "recycled"}),
            cycle_stages=frozenset(t.value for t in self.stages.terms if t.like == "mql"),
            calendar=self.calendar,
            zone=ZoneInfo(self.schema.zone),
            properties=self._properties(),
            history=self._history(),
            shapes=self.schema.properties,
            owner_emails=self.schema.owner_emails,
            counts_deals=self.schema.has("num_associated_deals"),
            counts_contacts=self.schema.has("num_contacted_notes"),
            dates_stages=self.schema.has("hs_v2_date_entered_salesqualifiedlead"),
            backlog_tests=self._backlog(),
            gaps=tuple(self.gaps),
            mirrored=frozenset(self._properties()) - PERSONAL,
            renamed={r.id: tuple(r.was) for f in self.files.rules.values() for r in f.rules if r.was},
            managed_stages=frozenset(
                t.value
                for t in self.stages.terms
                if portal.stages[t.like if t.like in portal.stages else t.key].managed
            ),
            digest=self.files.digest,
        )

    def _check_portal(self) -> None:
        portal = self.files.portal
        for kind, table in (("statuses", portal.statuses), ("stages", portal.stages)):
            for key, term in table.items():
                if term.like is not None and term.like not in table:
                    self.report(
                        PORTAL,
                        (kind, key, "like"),
                        f'"{term.like}" is not one of the {kind}{did_you_mean(term.like, table)}',
                    )
                if key == "none":
                    self.report(
                        PORTAL, (kind, key), '"none" stands for an empty property and can\'t name one of the ' + kind
                    )
        for name, key in portal.names.items():
            if key not in portal.statuses and key not in portal.stages:
                self.report(
                    PORTAL,
                    ("names", name),
                    f'"{key}" is no status or stage{did_you_mean(key, [*portal.statuses, *portal.stages])}',
                )
        if self.schema.complete:
            for key in sorted(self.absent[STATUS_KEYS]):
                self.gaps.append(Gap("", "", f'Lead status "{key}" ({portal.statuses[key].value or key})', off=False))
            for key in sorted(self.absent[STAGE_KEYS]):
                if not portal.stages[key].optional:
                    self.gaps.append(Gap("", "", f'Lifecycle stage "{key}"', off=False))
            for name in portal.properties:
                if not self.schema.has(name):
                    self.gaps.append(Gap("", "", f"property {name}", off=False))

    def _quiet(self, text: str, where: tuple[str, KeyPath]) -> timedelta:
        if self.settle is not None:
            return self.settle
        try:
            duration = parse_duration(text)
        except ValueError as error:
            self.report(*where, str(error))
            return timedelta()
        if duration.business or duration.unit in {"month", "year"}:
            self.report(*where, f'"{text}": a quiet time is calendar time, such as "15 minutes"')
            return timedelta()
        minutes = {"minute": 1, "hour": 60, "day": 1440, "week": 10080}[duration.unit]
        return timedelta(minutes=duration.amount * minutes)

    def _managed(self) -> Any:
        scope = self.files.portal.scope
        inside = [
            all_of(self.conditions(group, PORTAL, ("scope", "managed_if", n)))
            for n, group in enumerate(scope.managed_if)
        ]
        outside = [
            all_of(self.conditions(group, PORTAL, ("scope", "unless", n))) for n, group in enumerate(scope.unless)
        ]
        wanted = any_of(inside) if inside else None
        refused = any_of(outside) if outside else None

        def managed(view: Any) -> int:
            if refused is not None and refused(view) > 0:
                return 0
            return 1 if wanted is None else wanted(view)

        return managed

    def _backlog(self) -> dict[str, Test]:
        tests: dict[str, Test] = {}
        for name, spec in self.files.portal.backlog.items():
            path: KeyPath = ("backlog", name)
            try:
                parse_ages(spec.age)
            except ValueError as error:
                self.report(PORTAL, (*path, "age"), str(error))
            groups = spec.when if isinstance(spec.when, list) else [spec.when]
            listed = isinstance(spec.when, list)
            tests[name] = any_of(
                [
                    all_of(self.conditions(g, PORTAL, (*path, "when", n) if listed else (*path, "when")))
                    for n, g in enumerate(groups)
                ]
            )
        return tests

    def _automations(self, quiet: timedelta) -> list[Rule]:
        rules: list[Rule] = []
        seen: dict[str, str] = {}
        for source, content in self.files.rules.items():
            templates = {n: t for f in self.files.rules.values() for n, t in f.templates.items()}
            for number, spec in enumerate(content.rules):
                path: KeyPath = ("rules", number)
                if spec.id in seen:
                    self.report(source, (*path, "id"), f'"{spec.id}" is already the id of a rule in {seen[spec.id]}')
                seen[spec.id] = source
                rule = self._rule(spec, source, path, quiet, ActionCompiler(self, templates))
                if rule is not None:
                    rules.append(rule)
        known = {r.id for r in rules} | set(seen)
        for source, content in self.files.rules.items():
            for number, spec in enumerate(content.rules):
                for index, other in enumerate(spec.outranks):
                    if other not in known:
                        self.report(
                            source,
                            ("rules", number, "outranks", index),
                            f'"{other}" is no rule{did_you_mean(other, known)}',
                        )
        return rules

    def _rule(
        self, spec: RuleSpec, source: str, path: KeyPath, quiet: timedelta, actions: ActionCompiler
    ) -> Rule | None:
        groups_spec = spec.when if isinstance(spec.when, list) else [spec.when]
        listed = isinstance(spec.when, list)
        groups = [
            self.conditions(g, source, (*path, "when", n) if listed else (*path, "when"))
            for n, g in enumerate(groups_spec)
        ]
        if not groups_spec:
            self.report(source, (*path, "when"), "a rule needs at least one condition")
        if spec.cause is None:
            self.report(source, path, f"rule {spec.id} names no cause; write one of {', '.join(causes.CAUSES)}")
            return None
        if spec.cause not in causes.CAUSES:
            self.report(
                source, (*path, "cause"), f'"{spec.cause}" is not a cause{did_you_mean(spec.cause, causes.CAUSES)}'
            )
            return None
        if not spec.then:
            self.report(source, (*path, "then"), "a rule needs at least one action")
        cause, says_cause = causes.CAUSES[spec.cause]
        if spec.once_per == "deal":
            cause = causes.once_per_deal(cause)
        if spec.cause == "churn" and self.files.portal.churn is None:
            self.gaps.append(
                Gap(spec.id, spec.playbook, "churn: in portal.yaml (which property marks a lost customer)", off=True)
            )
            return None
        compiled, lacking, proposes = actions.compile(spec.then, source, (*path, "then"))
        compiled_sets = [a.property for a in compiled if isinstance(a, SetAction)]
        self.written.update(compiled_sets)
        live = [g for g in groups if not self._impossible(g)]
        for need in lacking:
            self.gaps.append(Gap(spec.id, spec.playbook, need, off=not compiled))
        if groups and not live and all(groups):
            keys = sorted({k for g in groups for k in self._impossible(g)})
            self.gaps.append(Gap(spec.id, spec.playbook, ", ".join(keys), off=True))
            return None
        if not compiled:
            return None
        settle = self._quiet(spec.settle, (source, (*path, "settle"))) if spec.settle else quiet
        watches = {c.fact.property for g in groups for c in g if c.fact.property} | set(compiled_sets)
        return Rule(
            id=spec.id,
            playbook=spec.playbook,
            says=spec.says,
            mode=PROPOSE if proposes else spec.mode,
            cause=cause,
            groups=tuple(tuple(g) for g in live),
            actions=tuple(compiled),
            quiet=settle,
            watches=frozenset(watches & {STATUS, STAGE}),
            hard=spec.hard,
            outranks=frozenset(spec.outranks),
            where=f"{source}:{spec.id}",
            says_cause=says_cause,
            ask=spec.ask or "",
        )

    def conditions(self, group: Conditions, source: str, path: KeyPath) -> list[Condition]:
        """Compile a group of conditions, all of which must hold; faults are reported."""
        found: list[Condition] = []
        for name, operators in group.items():
            if name not in FACTS:
                near = did_you_mean(name, FACTS, cutoff=0.8)
                if near or not name.replace("_", "").isalnum() or name != name.lower():
                    self.report(source, (*path, name), f'"{name}" is no fact and no property name{near}')
                    continue
                self.asked.add(name)
            elif name == "email_domain":
                self.asked.add("email")
            for operator, operand in operators.items():
                where = (*path, name, operator)
                if operator not in ALL_OPERATORS:
                    self.report(
                        source, where, f'"{operator}" is not an operator{did_you_mean(operator, ALL_OPERATORS)}'
                    )
                    continue
                if not self._known_keys(name, operator, operand, source, where):
                    continue
                try:
                    found.append(compile_condition(name, operator, operand, self))
                except Fault as fault:
                    self.report(source, where, str(fault))
        return found

    def _known_keys(self, name: str, operator: str, operand: Any, source: str, where: KeyPath) -> bool:
        kind = FACTS[name].kind if name in FACTS else ""
        if kind not in {STATUS_KEYS, STAGE_KEYS} or operator in {"is_known", "is_unknown"}:
            return True
        table: Mapping[str, Any] = self.files.portal.statuses if kind == STATUS_KEYS else self.files.portal.stages
        values = self.lists.get(operand, (operand,)) if isinstance(operand, str) else operand
        if not isinstance(values, Sequence):
            self.report(source, where, "a key or a list of keys is needed")
            return False
        fine = True
        for index, value in enumerate(values):
            if value == "none" or value in table or self.names.get(str(value)) in table:
                continue
            spot = where if isinstance(operand, str) else (*where, index)
            what = "Lead status" if kind == STATUS_KEYS else "Lifecycle stage"
            self.report(
                source, spot, f'"{value}" is no {what} of portal.yaml{did_you_mean(str(value), [*table, *self.names])}'
            )
            fine = False
        return fine

    def _impossible(self, group: Sequence[Condition]) -> list[str]:
        """Names of the statuses and stages that the portal lacks and without which the group can never hold."""
        needs: list[str] = []
        for condition in group:
            absent = self.absent.get(condition.fact.kind)
            if not absent or condition.operator not in {
                "is",
                "is_any_of",
                "is_below",
                "is_above",
                "is_at_least",
                "is_at_most",
            }:
                continue
            operand = condition.operand
            values = self.lists.get(operand, (operand,)) if isinstance(operand, str) else operand
            keys = [self.names.get(v, v) for v in values]
            if keys and all(k in absent for k in keys):
                what = "Lead status" if condition.fact.kind == STATUS_KEYS else "Lifecycle stage"
                needs += [f'{what} "{k}"' for k in keys]
        return needs

    def _deal_terms(self) -> DealTerms:
        deals = self.files.portal.deals
        return DealTerms(
            pipelines=frozenset(deals.sales_pipelines),
            stages=self.schema.deal_stages,
            categories={name: tuple(words) for name, words in deals.loss_categories.items()},
            ignored_labels=frozenset(deals.ignored_labels),
            contacts=deals.contacts,
            labels=frozenset(deals.labels),
        )

    def _properties(self) -> tuple[str, ...]:
        names = {*ALWAYS_READ, *self.asked, *self.written}
        if self.files.portal.churn:
            names.add(self.files.portal.churn.property)
        for term in self.stages.terms:
            if term.order is not None:
                names |= {f"hs_v2_date_entered_{term.value}", f"hs_lifecyclestage_{term.value}_date"}
        return tuple(sorted(n for n in names if self.schema.has(n)))

    def _history(self) -> tuple[str, ...]:
        names = {STATUS, STAGE, *self.written}
        if self.files.portal.churn:
            names.add(self.files.portal.churn.property)
        return tuple(sorted(n for n in names if self.schema.has(n)))
