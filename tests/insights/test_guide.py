"""The status guide: what it says of each Lead status follows from the rules in force, in four languages."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path
from typing import get_args

import pytest

from hubsync.insights.guide import Entry, Guide, write_guide
from hubsync.insights.guide_pages import as_html, as_markdown
from hubsync.policy.spec import Language
from hubsync.rulefiles.load import load_rules

RULES = Path(__file__).parents[2] / "rules"
DAY = date(2026, 3, 3)
LANGUAGES: tuple[Language, ...] = get_args(Language)


def guide(language: Language = "en", folder: Path = RULES) -> Guide:
    return write_guide(load_rules(folder), language, DAY)


def entry(key: str, language: Language = "en", folder: Path = RULES) -> Entry:
    return next(e for e in guide(language, folder).entries if e.key == key)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A copy of the shipped rules to change."""
    folder = tmp_path / "rules"
    shutil.copytree(RULES, folder)
    return folder


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_what_sets_and_what_changes_a_status_is_read_from_the_rules() -> None:
    attempting = entry("attempting")
    assert ("A3", "", "automatic") in [(line.playbook, line.to, line.how) for line in attempting.enters]
    assert ("A7", "Converted (open deal)", "automatic") in [(x.playbook, x.to, x.how) for x in attempting.leaves]
    assert any(line.how.startswith("automatic lock") and line.playbook == "A17" for line in attempting.leaves)
    assert not attempting.by_hand


def test_a_rule_that_is_changed_changes_the_guide(rules: Path) -> None:
    change(rules / "automations.yaml", "- set: {lead_status: attempting}", "- set: {lead_status: connected}")
    assert "A3" not in {line.playbook for line in entry("attempting", folder=rules).enters}
    assert "A3" in {line.playbook for line in entry("connected", folder=rules).enters}


def test_what_a_status_starts_is_read_from_the_rules(rules: Path) -> None:
    task = "A new lead is contacted within two business hours."
    assert task in [line.says for line in entry("new").starts]
    assert task not in [line.says for line in entry("connected").starts]
    change(rules / "tasks.yaml", "lead_status: {is: new}", "lead_status: {is: connected}")
    assert task in [line.says for line in entry("connected", folder=rules).starts]


def test_the_roll_out_says_how_much_a_rule_may_do(rules: Path) -> None:
    (rules / "rollout.yaml").write_text("rollout: {default: propose, rules: {A3: report}}\n", encoding="utf-8")
    how = {line.playbook: line.how for line in entry("attempting", folder=rules).enters}
    assert how["A3"] == "reported only"
    assert {line.how for line in entry("converted", folder=rules).enters} == {"proposed, a person decides"}
    assert entry("converted", folder=rules).by_hand


def required(found: Entry) -> dict[str, tuple[tuple[str, str], ...]]:
    return {one.label: one.properties for one in found.required}


def test_what_must_be_on_record_is_shown_with_the_properties_that_hold_it() -> None:
    assert required(entry("new")) == {
        "a name": (("", "firstname"), ("", "lastname")),
        "an e-mail address or a phone number": (("", "email"), ("", "phone"), ("", "mobilephone")),
    }
    found = required(entry("qualified"))
    assert list(found) == [
        "the budget",
        "the decision-makers",
        "the need",
        "the time line",
        "why the lead is qualified",
    ]
    assert found["the budget"] == (("hubsync: budget", "hubsync_budget"),)
    assert required(entry("converted"))["the deal"] == ()
    assert required(entry("customer")) == {}


def test_what_must_be_on_record_is_named_in_the_language_of_the_guide() -> None:
    assert list(required(entry("new", "fr"))) == ["un nom", "une adresse e-mail ou un numéro de téléphone"]
    assert "- **Vérifié par hubsync**:\n  - un nom: `firstname`, `lastname`" in as_markdown(guide("fr"))


def test_what_is_required_follows_the_rule_files(rules: Path) -> None:
    change(rules / "portal.yaml", "  new: [name, way_to_contact]", "  new: [budget]")
    assert list(required(entry("new", folder=rules))) == ["the budget"]
    change(rules / "data.yaml", "missing_data: {is_known: true}", "email: {is_known: true}")
    change(rules / "next_action.yaml", "missing_data: {is_unknown: true}", "email: {is_known: true}")
    assert required(entry("new", folder=rules)) == {}, "nothing asks for it"


def test_the_properties_of_what_is_required_stand_on_both_pages() -> None:
    assert "  - the budget: hubsync: budget (`hubsync_budget`)" in as_markdown(guide())
    assert "<li>the budget: hubsync: budget<code>hubsync_budget</code></li>" in as_html(guide())


def test_a_status_that_no_rule_sets_is_a_persons_choice() -> None:
    assert entry("unqualified").by_hand


def test_the_lifecycle_stages_are_those_of_the_matrix() -> None:
    fits, other = entry("customer").stages
    assert fits == "Goes with Customer, Evangelist."
    assert "Sales Qualified Lead" in other


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_status_is_defined_in_every_language(language: Language) -> None:
    english = {e.key: e for e in guide("en").entries}
    for found in guide(language).entries:
        same = english[found.key]
        assert [len(part) for part in (found.definition, found.advice)] == [4, 2]
        for mine, theirs in zip((*found.definition, *found.advice), (*same.definition, *same.advice), strict=True):
            assert mine[1]
            assert language == "en" or mine[1] != theirs[1], f"{found.key}: {mine[0]} stands in English"


def test_the_promises_of_a_status_are_told_in_the_guides_language() -> None:
    assert any("binnen" in one or "innerhalb" in one for one in entry("new", "de").clocks)
    assert not any("within" in one for one in entry("new", "de").clocks)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_guide_says_its_version_and_its_day(language: Language) -> None:
    written = guide(language)
    for text in (as_markdown(written), as_html(written)):
        assert written.digest in text
        assert "2026-03-03" in text


def test_markdown_has_a_heading_for_every_status_and_nothing_that_acts() -> None:
    text = as_markdown(guide())
    assert re.findall(r"^## (.*)$", text, re.MULTILINE)[:3] == ["New", "Attempting contact", "Connected"]
    assert "- **Red flag**: Weeks without a verdict." in text


def test_markup_in_the_rule_files_is_text_in_the_guide(rules: Path) -> None:
    change(rules / "portal.yaml", "red_flag: Weeks without a verdict.", 'red_flag: "<script>*a*</script>"')
    written = guide(folder=rules)
    assert "<script>" not in as_html(written)
    assert r"\<script\>\*a\*\</script\>" in as_markdown(written)


def test_a_status_of_ones_own_says_whom_it_is_like(rules: Path) -> None:
    own = "  demo: {value: DEMO, labels: {en: Demo}, like: connected, meaning: m, use_when: u}\n"
    change(rules / "portal.yaml", "\nstatuses:\n", f"\nstatuses:\n{own}")
    demo = entry("demo", folder=rules)
    assert demo.stages[0] == "Behaves like Connected in every rule."
    assert demo.stages[1:] == entry("connected", folder=rules).stages
    assert {line.playbook for line in demo.leaves} == {line.playbook for line in entry("connected").leaves}
