"""Compiling what a rule does: `set`, `propose`, `create_task`, `finding`, `digest`, `alert` (design 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hubsync.policy import facts
from hubsync.policy.changes import Cause
from hubsync.policy.instants import day_in, milliseconds
from hubsync.policy.rules import Action, FindingAction, NoticeAction, Resolve, SetAction, TaskAction
from hubsync.policy.ruleset import service_levels
from hubsync.policy.spec import ActionSpec, AfterCause, FactValue, LevelDue, RuleSpec, TaskSpec, TemplateSpec
from hubsync.policy.view import Missing, View
from hubsync.policy.vocabulary import STAGE, STATUS, Terms
from hubsync.policy.wording import Wording
from hubsync.policy.words import did_you_mean
from hubsync.policy.worktime import Duration, parse_duration

if TYPE_CHECKING:
    from hubsync.policy.compile import KeyPath, _Compiler

KEYED = {"lead_status": STATUS, "lifecycle_stage": STAGE}
"""The two facts that rules set by policy key, and their properties."""
KINDS = {"lead_status": "Lead status", "lifecycle_stage": "Lifecycle stage"}
"""What their keys are called in messages."""


ACTIONS = ("set", "create_task", "propose", "finding", "digest", "alert")


class ActionCompiler:
    """Compiles the actions of rules; `templates` are those of all files, each with the file it stands in."""

    def __init__(self, owner: _Compiler, templates: Mapping[str, tuple[str, TemplateSpec]]) -> None:
        self.owner = owner
        self.templates = templates

    def compile(self, rule: RuleSpec, source: str, path: KeyPath) -> tuple[list[Action], list[str], bool]:
        """The actions the portal can take, the names of what it lacks for the others, and whether they only propose."""
        found: list[Action] = []
        lacking: list[str] = []
        proposes = False
        for number, spec in enumerate(rule.then):
            where = (*path, "then", number)
            given = [name for name in ACTIONS if getattr(spec, name) is not None]
            if len(given) != 1:
                self.owner.report(source, where, f"an action is exactly one of {', '.join(ACTIONS)}")
                continue
            if spec.set is not None or spec.propose is not None:
                proposes = proposes or spec.propose is not None
                values = spec.set if spec.set is not None else spec.propose or {}
                sets, missing = self.sets(values, source, (*where, given[0]))
                found += sets
                lacking += missing
                continue
            action = self._told(rule.id, spec, given[0], source, (*where, given[0]))
            if action is not None:
                found.append(action)
        self._one_text_each(rule, source, path)
        return found, lacking, proposes

    def _told(self, rule: str, spec: ActionSpec, kind: str, source: str, path: KeyPath) -> Action | None:
        """The action that tells people something."""
        if spec.create_task is not None:
            return self._task(spec.create_task, source, path)
        if spec.finding is not None:
            text = spec.finding if isinstance(spec.finding, str) else spec.finding.message
            return FindingAction(self.owner.texts.of_rule(rule, "finding", text, source, path))
        notice = spec.digest or spec.alert
        assert notice is not None  # noqa: S101  (exactly one is given)
        if notice.text is not None:
            wording = self.owner.texts.of_rule(rule, kind, notice.text, source, (*path, "text"))
            return NoticeAction(kind, notice.to, wording)
        template = self._template(notice.template or "", "text", source, path)
        return NoticeAction(kind, notice.to, template) if template is not None else None

    def _one_text_each(self, rule: RuleSpec, source: str, path: KeyPath) -> None:
        """A translation stands under the rule's id: so a rule has one finding, one digest, one alert of its own."""
        texts = {
            "finding": [a for a in rule.then if a.finding is not None],
            "digest": [a for a in rule.then if a.digest is not None and a.digest.text is not None],
            "alert": [a for a in rule.then if a.alert is not None and a.alert.text is not None],
        }
        for kind, some in texts.items():
            if len(some) > 1:
                self.owner.report(source, (*path, "then"), f"a rule has one {kind} in words of its own; use a template")
        targets = [(k, n.to) for a in rule.then for k, n in (("digest", a.digest), ("alert", a.alert)) if n is not None]
        if len(set(targets)) < len(targets):
            self.owner.report(source, (*path, "then"), "a rule tells the same people twice; say it in one text")

    def sets(self, values: Mapping[str, Any], source: str, path: KeyPath) -> tuple[list[SetAction], list[str]]:
        """The properties to set, and the names of what the portal lacks for the rest."""
        found: list[SetAction] = []
        lacking: list[str] = []
        if not values:
            self.owner.report(source, path, "names nothing to set")
        for name, value in values.items():
            where = (*path, name)
            if name in KEYED:
                resolve, missing = self._keyed(name, value, source, where)
            elif name in facts.FACTS:
                self.owner.report(source, where, f'"{name}" is a fact, not a property that can be set')
                continue
            elif not self.owner.schema.has(name):
                resolve, missing = None, f"property {name}"
            else:
                resolve, missing = self._plain(name, value, source, where), None
            if missing:
                lacking.append(missing)
            elif resolve is not None:
                found.append(SetAction(KEYED.get(name, name), resolve))
        return found, lacking

    def _keyed(self, name: str, value: Any, source: str, path: KeyPath) -> tuple[Resolve | None, str | None]:
        is_status = name == "lead_status"
        terms = self.owner.statuses if is_status else self.owner.stages
        table: Mapping[str, Any] = self.owner.files.portal.statuses if is_status else self.owner.files.portal.stages
        what = KINDS[name]
        if isinstance(value, dict) and set(value) == {"fact"}:
            return self._fact(value["fact"], source, path, terms, facts.FACTS[name].kind), None
        if not isinstance(value, str):
            self.owner.report(source, path, f"a {what} of portal.yaml is needed, or {{fact: name}}")
            return None, None
        key = self.owner.names.get(value, value)
        if key == "none":
            return _constant(""), None
        if key not in table:
            self.owner.report(
                source, path, f'"{value}" is no {what} of portal.yaml{did_you_mean(value, [*table, *self.owner.names])}'
            )
            return None, None
        if key not in terms.by_key:
            return None, f'{what} "{key}"'
        return _constant(terms.value(key)), None

    def _plain(self, name: str, value: Any, source: str, path: KeyPath) -> Resolve | None:
        shape = self.owner.schema.properties.get(name)
        if isinstance(value, str):
            if shape is not None and shape.options and value not in shape.options:
                self.owner.report(
                    source, path, f'"{value}" is not an option of {name}{did_you_mean(value, shape.options)}'
                )
                return None
            return _constant(value)
        try:
            if isinstance(value, dict) and "fact" in value:
                return self._fact(FactValue.model_validate(value).fact, source, path)
            if isinstance(value, dict) and "after_cause" in value:
                duration = self.duration(AfterCause.model_validate(value).after_cause, source, (*path, "after_cause"))
                return _after_cause(duration, shape.type if shape else "date") if duration else None
        except ValidationError:
            pass
        self.owner.report(source, path, "write a value, {fact: name} or {after_cause: duration}")
        return None

    def _fact(
        self, name: Any, source: str, path: KeyPath, terms: Terms | None = None, kind: str | None = None
    ) -> Resolve | None:
        """The value of a fact; for a property that is set by key (`terms`), of one whose values are such keys."""
        if name not in facts.FACTS:
            self.owner.report(source, (*path, "fact"), f'"{name}" is no fact{did_you_mean(str(name), facts.FACTS)}')
            return None
        if kind is not None and facts.FACTS[name].kind != kind:
            fit = ", ".join(n for n, f in facts.FACTS.items() if f.kind == kind)
            self.owner.report(source, (*path, "fact"), f'"{name}" holds something else; write one of {fit}')
            return None
        get = facts.FACTS[name].get

        def resolve(view: View, _cause: Cause) -> str | Missing | None:
            value = get(view)
            if value is None or isinstance(value, Missing):
                return value
            if terms is None:
                return str(value)
            return terms.value(value) if value in terms.by_key else None  # an option that no key maps isn't ours (D4)

        return resolve

    def _task(self, spec: TaskSpec, source: str, path: KeyPath) -> TaskAction | None:
        subject = self._template(spec.template, "subject", source, path)
        due = self._due(spec.due, source, (*path, "due"))
        if due is None or subject is None:
            return None
        file, template = self.templates[spec.template]
        body = self.owner.texts.of_template(spec.template, "body", template, file)
        return TaskAction(spec.template, subject, body, template.priority, due, spec.owner)

    def _template(self, name: str, key: str, source: str, path: KeyPath) -> Wording | None:
        """A template's text, which must be there; faults are reported where it is used."""
        if name not in self.templates:
            known = did_you_mean(name, self.templates)
            self.owner.report(source, (*path, "template"), f'"{name}" is no template of `templates:`{known}')
            return None
        file, template = self.templates[name]
        if not getattr(template, key):
            self.owner.report(source, (*path, "template"), f'template "{name}" has no {key}')
            return None
        return self.owner.texts.of_template(name, key, template, file)

    def _due(self, spec: AfterCause | LevelDue, source: str, path: KeyPath) -> Duration | None:
        if isinstance(spec, AfterCause):
            return self.duration(spec.after_cause, source, (*path, "after_cause"))
        known = service_levels(self.owner.files)
        if spec.service_level not in known:
            near = did_you_mean(spec.service_level, known)
            self.owner.report(source, (*path, "service_level"), f'"{spec.service_level}" is no service level{near}')
            return None
        return self.duration(known[spec.service_level].within, source, path)

    def duration(self, text: str, source: str, path: KeyPath) -> Duration | None:
        """A duration, or None with a fault reported."""
        try:
            return parse_duration(text)
        except ValueError as error:
            self.owner.report(source, path, str(error))
            return None


def lacks_a_key(lacking: Sequence[str]) -> bool:
    """Whether a status or stage is among what the portal lacks: then the rule is skipped whole, not half applied."""
    return any(need.startswith(tuple(KINDS.values())) for need in lacking)


def said_by_its_name(rule: str) -> str:
    """What a rule without `says` says: its id as words."""
    return rule.replace("_", " ").capitalize() + "."


def _constant(value: str) -> Resolve:
    return lambda _view, _cause: value


def _after_cause(duration: Duration, kind: str) -> Resolve:
    def resolve(view: View, cause: Cause) -> str:
        moment = duration.after(cause.at, view.calendar, view.policy.zone)
        if kind == "datetime":
            return str(milliseconds(moment))
        return day_in(moment, view.policy.zone.key).isoformat()

    return resolve
