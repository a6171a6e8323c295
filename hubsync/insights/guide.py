"""The status guide (S15): what each Lead status means and what happens to it, written from the rules in force.

Definitions are portal.yaml's (texts/ in other languages); what changes or starts by itself is read from the compiled
rules, so that the guide can't say anything else than what is enforced. Pure; guide_pages.py draws it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from hubsync.insights.guide_words import WORDS, GuideWords
from hubsync.policy.policy import Policy
from hubsync.policy.portal_spec import StatusSpec
from hubsync.policy.rules import AUTO, PROPOSE, Rule
from hubsync.policy.spec import Language, RuleSpec, ServiceLevelSpec, StatusTextSpec, TextsSpec
from hubsync.rulefiles.load import LoadedRules

NONE = "none"


@dataclass(frozen=True, slots=True)
class Line:
    """A rule in the guide: what it says, the label of the status it leads to ("" for none), its id, how it acts."""

    says: str
    to: str
    playbook: str
    how: str


@dataclass(frozen=True, slots=True)
class Required:
    """Something that must be on record (A16): what people call it, and the properties any of which can hold it.

    A property is its label, as HubSpot shows it ("" where the rule files don't know it), and its internal name.
    """

    label: str
    properties: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One Lead status in the guide."""

    key: str
    label: str
    value: str
    definition: tuple[tuple[str, str], ...]
    """Heading and text: meaning, when to use it, example, data required."""
    required: tuple[Required, ...]
    """What of that hubsync checks."""
    by_hand: bool
    """Whether no rule sets it, so that it is always a person's choice."""
    enters: tuple[Line, ...]
    leaves: tuple[Line, ...]
    starts: tuple[Line, ...]
    clocks: tuple[str, ...]
    stages: tuple[str, ...]
    advice: tuple[tuple[str, str], ...]
    """Heading and text: next step, red flag."""


@dataclass(frozen=True, slots=True)
class Guide:
    """The whole guide in one language; `digest` names the version of the rules, `day` the day it was written."""

    language: Language
    words: GuideWords
    digest: str
    day: date
    entries: tuple[Entry, ...]
    everywhere: tuple[Line, ...]


def write_guide(rules: LoadedRules, language: Language, day: date) -> Guide:
    """The guide for the portal that the rule files describe. Raises RuleFileError where they can't be used."""
    portal = rules.files.portal.model_copy(update={"language": language})
    policy = LoadedRules(rules.folder, replace(rules.files, portal=portal), rules.documents).compile()
    writer = _Writer(rules, policy, language)
    entries = tuple(writer.entry(key, spec) for key, spec in portal.statuses.items())
    return Guide(language, writer.words, rules.digest, day, entries, tuple(writer.everywhere()))


class _Writer:
    def __init__(self, rules: LoadedRules, policy: Policy, language: Language) -> None:
        self.rules = rules
        self.policy = policy
        self.language = language
        self.words = WORDS[language]
        self.texts = rules.files.texts.get(language, TextsSpec())
        self.own = [r for r in policy.rules if not r.matrix]
        self.at = {key: self._asked(key) for key in rules.files.portal.statuses}
        """By status: the rules that are asked there and name the Lead status in their conditions."""

    def entry(self, key: str, spec: StatusSpec) -> Entry:
        enters = tuple(self._line(r) for r in self.own if key in self._targets(r))
        mine = self.at[key]
        return Entry(
            key=key,
            label=self.label(key),
            value=self.policy.statuses.value(key),
            definition=tuple(self._definition(key, spec)),
            required=tuple(self._required(key)),
            by_hand=not any(r.mode == AUTO and key in self._targets(r) for r in self.policy.rules),
            enters=enters,
            leaves=tuple(self._line(r, to) for r in mine for to in sorted(self._targets(r) - {key})),
            starts=tuple(self._line(r) for r in mine if not self._targets(r)),
            clocks=tuple(self._clocks(key)),
            stages=tuple(self._stages(key, spec)),
            advice=tuple(self._said(key, spec, ("next_step", "red_flag"))),
        )

    def everywhere(self) -> Iterator[Line]:
        """Rules that don't ask for the Lead status, and set none."""
        named = {rule.id for rules in self.at.values() for rule in rules}
        for rule in self.own:
            if rule.id not in named and not self._targets(rule) and not self._is_clock(rule):
                yield self._line(rule)

    def label(self, key: str) -> str:
        """What people read in HubSpot, in the guide's language."""
        labels = self.rules.files.portal.statuses[key].labels
        return labels.get(self.language) or labels.get("en") or key

    def _asked(self, key: str) -> list[Rule]:
        value = self.policy.statuses.value(key)
        seen = {
            residual.rule.id
            for (status, _), cell in self.policy.cells.items()
            if status == value
            for residual in cell.everything
        }
        return [r for r in self.own if r.id in seen and self._names_status(r) and not self._is_clock(r)]

    def _names_status(self, rule: Rule) -> bool:
        return any(c.fact.name == "lead_status" for group in rule.groups for c in group)

    def _is_clock(self, rule: Rule) -> bool:
        """Whether the rule tells of a service level, which the guide shows as a clock."""
        return any(rule.id in {f"{level.id}_warning", f"{level.id}_breach"} for level in self._levels())

    def _levels(self) -> Iterator[ServiceLevelSpec]:
        for content in self.rules.files.rules.values():
            yield from content.service_levels

    def _targets(self, rule: Rule) -> set[str]:
        """The keys of the Lead statuses that a rule sets: constants, as far as they can be told from the rule."""
        spec = self._specs().get(rule.id)
        if spec is None:
            return set()
        values = [(a.set or a.propose or {}).get("lead_status") for a in spec.then]
        names = self.rules.files.portal.names
        return {names.get(v, v) for v in values if isinstance(v, str) and v != NONE}

    def _specs(self) -> dict[str, RuleSpec]:
        return {spec.id: spec for content in self.rules.files.rules.values() for spec in content.rules}

    def _line(self, rule: Rule, to: str = "") -> Line:
        how = {AUTO: self.words.set, PROPOSE: self.words.propose}.get(rule.mode, self.words.report)
        if rule.hard and rule.mode == AUTO:
            how = self.words.lock
        says = f"{rule.says} {rule.ask}".strip()
        return Line(says, self.label(to) if to else "", rule.playbook, how)

    def _definition(self, key: str, spec: StatusSpec) -> Iterator[tuple[str, str]]:
        yield from self._said(key, spec, ("meaning", "use_when", "example", "data"))

    def _required(self, key: str) -> Iterator[Required]:
        """What `required_data:` asks for in a status, where a rule asks whether it is missing."""
        if any(c.fact.name == "missing_data" for r in self.own for group in r.groups for c in group):
            own = self.rules.files.portal.properties
            for one in self.policy.data.required.get(self.policy.statuses.value(key), ()):
                names = [(own[name].label if name in own else "", name) for name in one.properties]
                yield Required(one.label, tuple(names))

    def _said(self, key: str, spec: StatusSpec, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Heading and text of what portal.yaml says of a status, in the guide's language where texts/ has it."""
        other = self.texts.statuses.get(key, StatusTextSpec())
        for name in names:
            text = getattr(other, name) or getattr(spec, name)
            if text:
                yield getattr(self.words, name), text

    def _clocks(self, key: str) -> Iterator[str]:
        """The service levels whose clock runs in a status."""
        for level in self._levels():
            if level.enabled and key in level.starts.get("lead_status", ()):
                other = self.texts.rules.get(f"{level.id}_breach")
                says = (other.says if other is not None else None) or level.says
                yield f"{says} ({self.words.duration(level.within)}, {level.playbook})"

    def _stages(self, key: str, spec: StatusSpec) -> Iterator[str]:
        """With which Lifecycle stages the status goes, and with which it doesn't (the matrix)."""
        if spec.like is not None:
            yield self.words.like.format(status=self.label(spec.like))
            key = spec.like
        fits: list[str] = []
        others: list[str] = []
        for row in self.rules.files.matrix.matrix:
            named = row.row.lifecycle_stage
            cell = next((c for names, c in row.cells.items() if key in {n.strip() for n in names.split(",")}), "fits")
            for stage in [named] if isinstance(named, str) else named:
                (fits if cell == "fits" else others).append(self._stage(stage))
        others = [stage for stage in dict.fromkeys(others) if stage not in fits]
        if fits:
            yield self.words.fits.format(stages=", ".join(dict.fromkeys(fits)))
        if others:
            yield self.words.otherwise.format(stages=", ".join(others))

    def _stage(self, key: str) -> str:
        if key == NONE:
            return self.words.no_stage
        labels = self.rules.files.portal.stages[key].labels
        return labels.get(self.language) or labels.get("en") or key
