"""What hubsync writes to people, in the language of portal.yaml: English stands in the rule files, the rest in texts/.

A text that a language lacks is written in English. Placeholders that nothing fills are faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hubsync.policy.facts import FACTS
from hubsync.policy.groups import KeyPath, Report
from hubsync.policy.spec import Language, Spec, TemplateSpec, TextsSpec
from hubsync.policy.wording import WORDS, Wording, unknown
from hubsync.policy.words import did_you_mean


def file_of(language: Language) -> str:
    """The file of a language's texts, as messages and documents name it."""
    return f"texts/{language}.yaml"


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of all rules and templates in one language."""

    language: Language
    translated: TextsSpec
    report: Report

    @classmethod
    def of(cls, language: Language, texts: Mapping[Language, TextsSpec], report: Report) -> Texts:
        """The texts for a language; English, and one that texts/ doesn't hold, are the rule files' own."""
        return cls(language, texts.get(language, TextsSpec()), report)

    def said(self, rule: str, key: str, text: str) -> str:
        """A rule's `says` or `ask`."""
        return self._translated("rules", rule, key) or text

    def sentence(self, english: str) -> str:
        """What matrix.yaml or hubsync itself says."""
        return self.translated.sentences.get(english, english)

    def of_rule(self, rule: str, key: str, text: str, source: str, path: KeyPath) -> Wording:
        """A rule's finding, digest or alert; `source` and `path` lead to its English."""
        return self._wording(text, source, path, ("rules", rule, key))

    def of_template(self, name: str, key: str, template: TemplateSpec, source: str) -> Wording:
        """A template's subject, body or text."""
        path: KeyPath = ("templates", name, key)
        return self._wording(str(getattr(template, key)), source, path, path)

    def _wording(self, text: str, source: str, path: KeyPath, place: KeyPath) -> Wording:
        self._check(text, source, path)
        other = self._translated(*map(str, place))
        if not other:
            return Wording(text)
        self._check(other, file_of(self.language), place)
        return Wording(other, self.language)

    def _translated(self, section: str, name: str, key: str) -> str | None:
        entry: Spec | None = getattr(self.translated, section).get(name)
        return getattr(entry, key) if entry is not None else None

    def _check(self, text: str, source: str, path: KeyPath) -> None:
        for name in unknown(text):
            near = did_you_mean(name, [*WORDS, *FACTS])
            known = f"one of {', '.join(WORDS)}, or a fact"
            self.report(source, path, f'"{{{name}}}" is filled by nothing{near or f"; write {known}"}')
