"""From the text of rule files to a policy for one portal.

Every fault is collected with the path that leads to it, none stops the rest. What the portal lacks is no fault but a
gap: an action whose property is missing is left out, a rule of which nothing remains is off, by name (design 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hubsync.policy import cells, matrix
from hubsync.policy.ages import parse_ages
from hubsync.policy.automations import compile_automations
from hubsync.policy.conditions import Condition, Test
from hubsync.policy.data import DataTerms
from hubsync.policy.data_terms import compile_data, meanings
from hubsync.policy.deals import DealTerms
from hubsync.policy.engagements import EngagementTerms
from hubsync.policy.facts import STAGE_KEYS, STATUS_KEYS
from hubsync.policy.fingerprints import fingerprints, scope_mark
from hubsync.policy.foreign import compile_foreign
from hubsync.policy.gaps import PORTAL, check_portal, gaps_of
from hubsync.policy.groups import KeyPath, Report, compile_group
from hubsync.policy.levels import compile_levels
from hubsync.policy.mailkinds import MailWords
from hubsync.policy.policy import Gap, Policy, Schema
from hubsync.policy.rollout import ROLLOUT, capped, caps_of, mark_of, names_of
from hubsync.policy.rules import Rule, all_of, any_of
from hubsync.policy.ruleset import RuleSet, ideal_schema
from hubsync.policy.spec import Conditions
from hubsync.policy.texts import Texts
from hubsync.policy.vocabulary import ANSWER, PROPOSAL, STAGE, STATUS, Terms, Wanted, resolve
from hubsync.policy.words import did_you_mean
from hubsync.policy.worktime import Calendars, parse_duration

MATRIX = "matrix.yaml"
__all__ = ["MATRIX", "PORTAL", "KeyPath", "Report", "compile_policy"]

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
    "notes_next_activity_date",
    "hs_sales_email_last_replied",
    "hs_latest_meeting_activity",
    "engagements_last_meeting_booked",
    "hs_sa_first_engagement_object_type",
    "hs_merged_object_ids",
)
"""Cheap properties that facts lean on, besides those that rules name."""
PERSONAL = frozenset({"email", "phone", "mobilephone", "firstname", "lastname", "address", "hs_email_domain"})
"""Properties that say who somebody is; the mirror never holds them (design 4)."""


def compile_policy(
    files: RuleSet, schema: Schema | None, calendars: Calendars, report: Report, settle: timedelta | None = None
) -> Policy:
    """Compile rule files for a portal; `schema` None stands for the portal they describe.

    Faults go to `report`; the policy is only worth using if none came. `settle` overrides every quiet time (D7).
    """
    return _Compiler(files, schema or ideal_schema(files.portal), calendars, report, settle).policy()


def compile_rules(files: RuleSet, whole: Policy, report: Report) -> tuple[Rule, ...]:
    """The rules and cells of the matrix of a part of some rule files, each in its own mode.

    `whole` is the policy of all of the files, for the portal that they describe.
    """
    compiler = _Compiler(files, ideal_schema(files.portal), whole.calendars, report, None)
    compiler.data = whole.data
    return compiler.rules()


@dataclass(slots=True)
class _Compiler:
    files: RuleSet
    schema: Schema
    calendars: Calendars
    report: Report
    settle: timedelta | None
    gaps: list[Gap] = field(default_factory=list)
    statuses: Terms = field(init=False)
    stages: Terms = field(init=False)
    absent: dict[str, frozenset[str]] = field(init=False)
    texts: Texts = field(init=False)
    asked: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    data: DataTerms = field(default_factory=DataTerms)
    quiet_status: timedelta = timedelta()

    def __post_init__(self) -> None:
        portal = self.files.portal
        self.texts = Texts.of(portal.language, self.files.texts, self.report)
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
        check_portal(portal, self.report)
        self.gaps += gaps_of(portal, self.schema, self.absent)
        managed = self._managed()
        self.data = compile_data(self)
        own = self.rules()
        foreign = compile_foreign(self)
        rules = self._capped(own)
        specs = {r.id: r for f in self.files.rules.values() for r in f.rules}
        seen = scope_mark(portal.scope, [key for key, stage in portal.stages.items() if stage.managed], self)
        general = Policy(
            rules=rules,
            cells=cells.lay_out(rules, self.statuses, self.stages, portal),
            statuses=self.statuses,
            stages=self.stages,
            stage_order={t.value: t.order for t in self.stages.terms if t.order is not None},
            managed=managed,
            writers=dict(portal.writers),
            quiet_status=self.quiet_status,
            deals=self._deal_terms(),
            data=self.data,
            engagements=self._engagement_terms(),
            churn=(portal.churn.property, frozenset(portal.churn.values)) if portal.churn else None,
            cycle_statuses=frozenset(t.value for t in self.statuses.terms if t.like in {"new", "recycled"}),
            cycle_stages=frozenset(t.value for t in self.stages.terms if t.like == "mql"),
            calendars=self.calendars,
            zone=ZoneInfo(self.schema.zone),
            properties=self._properties(),
            history=self._history(),
            shapes=self.schema.properties,
            owner_emails=self.schema.owner_emails,
            owner_teams=self.schema.owner_teams,
            counts_deals=self.schema.has("num_associated_deals"),
            counts_contacts=self.schema.has("num_contacted_notes"),
            counts_meetings=self.schema.has("hs_latest_meeting_activity")
            or self.schema.has("engagements_last_meeting_booked"),
            counts_replies=self.schema.has("hs_sales_email_last_replied"),
            dates_stages=self.schema.has("hs_v2_date_entered_salesqualifiedlead"),
            backlog_tests=self._backlog(),
            gaps=tuple(self.gaps),
            mirrored=frozenset(self._properties()) - PERSONAL - self.data.free_text,
            renamed={id_: tuple(spec.was) for id_, spec in specs.items() if spec.was},
            managed_stages=self._managed_stages(),
            managers=dict(portal.managers),
            language=portal.language,
            sentences=dict(self.texts.translated.sentences),
            digest=self.files.digest + mark_of(self.files.rollout),
            fingerprints=fingerprints(own, specs, self, seen, meanings(self)),
            foreign=foreign,
            levels=compile_levels(self),
        )
        return replace(general, by_team=self._teams(own, general))

    def rules(self) -> tuple[Rule, ...]:
        """Every rule and every cell of the matrix that can run, in order, whatever the roll-out says."""
        settling = self.files.portal.settling
        self.quiet_status = self.quiet(settling.status, PORTAL, ("settling", "status"))
        combination = self.quiet(settling.combination, PORTAL, ("settling", "combination"))
        automations = compile_automations(self, self.quiet_status)
        return (*automations, *matrix.compile_matrix(self, self.files.matrix, combination))

    def _managed_stages(self) -> frozenset[str]:
        stages = self.files.portal.stages
        return frozenset(t.value for t in self.stages.terms if stages[t.like if t.like in stages else t.key].managed)

    def _capped(self, own: tuple[Rule, ...]) -> tuple[Rule, ...]:
        """The rules as far as the roll-out lets them go (B6)."""
        spec = self.files.rollout
        if spec is None:
            return own
        known = names_of(own) | {g.rule for g in self.gaps}
        said: list[tuple[KeyPath, Mapping[str, str]]] = [(("rollout", "rules"), spec.rules)]
        said += [(("rollout", "teams", team, "rules"), caps.rules) for team, caps in spec.teams.items()]
        for path, names in said:
            for name in names:
                if name not in known:
                    hint = did_you_mean(name, known)
                    self.report(ROLLOUT, (*path, name), f'"{name}" is neither a rule nor a playbook id of one{hint}')
        return capped(own, caps_of(spec))

    def _teams(self, own: tuple[Rule, ...], general: Policy) -> dict[str, Policy]:
        """For each team with caps of its own: the same policy under those."""
        spec = self.files.rollout
        found: dict[str, Policy] = {}
        for team in spec.teams if spec is not None else ():
            rules = capped(own, caps_of(spec, team))
            table = cells.lay_out(rules, self.statuses, self.stages, self.files.portal)
            found[team.casefold()] = replace(general, rules=rules, cells=table)
        return found

    def quiet(self, text: str, source: str, path: KeyPath) -> timedelta:
        """A quiet time (D7); a fault is reported and counts as none."""
        if self.settle is not None:
            return self.settle
        try:
            duration = parse_duration(text)
        except ValueError as error:
            self.report(source, path, str(error))
            return timedelta()
        if duration.business or duration.share != 100 or duration.unit in {"month", "year"}:
            self.report(source, path, f'"{text}": a quiet time is calendar time, such as "15 minutes"')
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
            kept_out = refused(view) if refused is not None else 0
            if kept_out > 0:
                return 0
            let_in = wanted(view) if wanted is not None else 1
            return let_in if let_in == 0 or kept_out == 0 else kept_out

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

    def conditions(self, group: Conditions, source: str, path: KeyPath) -> list[Condition]:
        """Compile a group of conditions, all of which must hold; faults are reported."""
        found, asked = compile_group(group, self, self.report, source, path)
        self.asked |= asked
        return found

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

    def _engagement_terms(self) -> EngagementTerms:
        said = self.files.portal.engagements
        messages = said.incoming_messages
        return EngagementTerms(
            connected=frozenset(said.connected_calls),
            mails=MailWords([f.mails for f in self.files.rules.values() if f.mails is not None]),
            incoming_property=messages.property if messages is not None else "",
            incoming_values=frozenset(v.casefold() for v in messages.values) if messages is not None else frozenset(),
        )

    def _properties(self) -> tuple[str, ...]:
        names = {*ALWAYS_READ, *self.asked, *self.written}
        if self.files.portal.churn:
            names.add(self.files.portal.churn.property)
        for term in self.stages.terms:
            if term.order is not None:
                names |= {f"hs_v2_date_entered_{term.value}", f"hs_lifecyclestage_{term.value}_date"}
        return tuple(sorted(n for n in names | self._asking() if self.schema.has(n)))

    def _history(self) -> tuple[str, ...]:
        names = {STATUS, STAGE, *self.written, *self.data.history}
        if self.files.portal.churn:
            names.add(self.files.portal.churn.property)
        return tuple(sorted(n for n in names | self._asking() if self.schema.has(n)))

    def _asking(self) -> set[str]:
        """The properties by which people are asked, where the portal has them (A19)."""
        return {PROPOSAL, ANSWER} if self.schema.complete else set()
