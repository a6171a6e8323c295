"""What the shipped rules say in other languages: nothing is missing, nothing too much, and every fact is kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from string import Formatter

import pytest

from hubsync.errors import RuleFileError
from hubsync.policy.ruleset import RuleSet
from hubsync.policy.sentences import NONE, SENTENCES
from hubsync.policy.spec import CellSpec, Language, RuleSpec, Spec, TextsSpec
from hubsync.policy.wording import placeholders
from hubsync.rulefiles.advice import advise
from hubsync.rulefiles.load import LANGUAGES, LoadedRules, load_rules
from hubsync.rulefiles.packs import names
from hubsync.settings import default_rules

SHIPPED = load_rules(default_rules())
PACKS = names(default_rules())
OTHERS = PACKS[1:]
DEFINED = ("meaning", "use_when", "example", "data", "next_step", "red_flag")
"""What defines a Lead status in the status guide."""


def english_of_rule(rule: RuleSpec) -> Iterator[tuple[str, str]]:
    """What a rule says, by the key of its translation."""
    yield "says", rule.says
    if rule.ask:
        yield "ask", rule.ask
    for action in rule.then:
        if action.finding is not None:
            yield "finding", action.finding if isinstance(action.finding, str) else action.finding.message
        for kind, notice in (("digest", action.digest), ("alert", action.alert)):
            if notice is not None and notice.text is not None:
                yield kind, notice.text


def english(files: RuleSet) -> dict[tuple[str, str, str], str]:
    """Every text of the rule files: (section, id, key) → text."""
    found: dict[tuple[str, str, str], str] = {}
    for content in files.rules.values():
        for rule in content.rules:
            found |= {("rules", rule.id, key): text for key, text in english_of_rule(rule)}
        for name, template in content.templates.items():
            keys = ("subject", "body", "text")
            found |= {("templates", name, key): text for key in keys if (text := getattr(template, key))}
    for status, spec in files.portal.statuses.items():
        found |= {("statuses", status, key): text for key in DEFINED if (text := getattr(spec, key))}
    return found


def said(texts: TextsSpec) -> dict[tuple[str, str, str], str]:
    """Every text of a language."""
    sections: dict[str, dict[str, Spec]] = {
        "rules": {**texts.rules},
        "templates": {**texts.templates},
        "statuses": {**texts.statuses},
    }
    return {
        (section, name, key): str(text)
        for section, entries in sections.items()
        for name, entry in entries.items()
        for key, text in entry.model_dump(exclude_none=True, exclude={"starts"}).items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("pack", PACKS)
def test_every_text_of_the_rules_is_there_in_every_language(
    pack: str, language: Language, made: Callable[[str], Path]
) -> None:
    files = load_rules(made(pack)).files
    there = said(files.texts[language])
    assert sorted(english(files).keys() - there.keys()) == []
    assert sorted(there.keys() - english(files).keys()) == []
    assert files.texts[language].requirements.keys() == files.portal.requirements.keys()
    assert [place for place, text in there.items() if not text.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("pack", PACKS)
def test_a_translation_tells_the_same_facts(pack: str, language: Language, made: Callable[[str], Path]) -> None:
    files = load_rules(made(pack)).files
    there = said(files.texts[language])
    differ = {
        place: sorted(set(placeholders(there[place])) ^ set(placeholders(text)))
        for place, text in english(files).items()
        if place in there
    }
    assert {place: names for place, names in differ.items() if names} == {}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("pack", OTHERS)
def test_a_pack_translates_what_it_says_otherwise(pack: str, language: Language, made: Callable[[str], Path]) -> None:
    """Where its English differs from the shipped one, so does the translation."""
    own, shipped = load_rules(made(pack)).files, SHIPPED.files
    was, there = english(shipped), said(own.texts[language])
    before = said(shipped.texts[language])
    common = {place: text for place, text in english(own).items() if place in was}
    stale = [place for place, text in common.items() if text != was[place] and there[place] == before[place]]
    assert stale == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_rules_compile_in_every_language_and_speak_it(language: Language) -> None:
    files = SHIPPED.files
    spoken = replace(files, portal=files.portal.model_copy(update={"language": language}))
    policy = LoadedRules(SHIPPED.folder, spoken, SHIPPED.documents).compile()
    first = policy.rule("first_contact_task")
    assert first is not None
    told = files.texts[language]
    assert first.says == told.rules["first_contact_task"].says
    assert [task.subject.text for task in first.tasks] == [told.templates["first_contact"].subject]


def sentences(files: RuleSet) -> set[str]:
    """What the matrix reports, and what hubsync itself says."""
    cells = [c for row in files.matrix.matrix for c in row.cells.values() if isinstance(c, CellSpec)]
    return {*SENTENCES, *(text for cell in cells for text in (cell.report, cell.ask_deal) if text)}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("pack", PACKS)
def test_every_sentence_is_there_with_its_words_and_none_is_left_over(
    pack: str, language: Language, made: Callable[[str], Path]
) -> None:
    files = load_rules(made(pack)).files
    there = files.texts[language].sentences
    assert sorted(sentences(files) ^ there.keys()) == []
    assert [english for english, text in there.items() if fields(english) != fields(text)] == []


def test_a_cell_of_the_matrix_proposes_in_the_language_of_the_portal() -> None:
    files = SHIPPED.files
    spoken = replace(files, portal=files.portal.model_copy(update={"language": "de"}))
    policy = LoadedRules(SHIPPED.folder, spoken, SHIPPED.documents).compile()
    cell = policy.rule("cell_sql_new")
    assert cell is not None
    said = "Sales-qualifizierter Lead und Neu passen nicht zusammen. Der Leadstatus sollte In Bearbeitung sein."
    assert cell.says == said
    assert policy.say(NONE) == "keiner"


def test_a_misspelt_id_an_unknown_key_and_an_unknown_language_are_told_with_their_line(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    shutil.copytree(default_rules(), folder)
    fr = folder / "texts" / "fr.yaml"
    written = fr.read_text(encoding="utf-8")
    fr.write_text(written.replace("  new_on_becoming_mql:", "  new_on_becoming_mqll:"), encoding="utf-8")
    line = written[: written.index("  new_on_becoming_mql:")].count("\n") + 1
    told = [(Path(p.file).name, p.line, p.message) for p in advise(load_rules(folder)) if "fr.yaml" in p.file]
    assert told == [
        ("fr.yaml", line, '"new_on_becoming_mqll" is none of the rules; did you mean "new_on_becoming_mql"?')
    ]
    fr.write_text("rules:\n  new_on_becoming_mql: {sais: Bonjour.}\n", encoding="utf-8")
    (folder / "texts" / "es.yaml").write_text("rules: {}\n", encoding="utf-8")
    with pytest.raises(RuleFileError) as caught:
        load_rules(folder)
    assert [(Path(p.file).name, p.line) for p in caught.value.problems] == [("es.yaml", 1), ("fr.yaml", 2)]
