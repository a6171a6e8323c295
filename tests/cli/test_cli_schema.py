"""`hubsync rules schema`: an editor finds every shipped file right, and a misspelt word wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from hubsync.cli.main import run
from hubsync.cli.schema import SchemaKind
from hubsync.rulefiles.packs import names
from hubsync.rulefiles.schemas import MODELS
from hubsync.settings import default_rules

PACKS = names(default_rules())
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


class EditorLoader(yaml.SafeLoader):
    """YAML as editors read it: numbers and truth values are such, moments and dates are text."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own way)
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":value", ":merge"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def as_edited(text: str) -> Any:
    """The content of a file, as an editor hands it to the schema."""
    return yaml.load(text, Loader=EditorLoader)  # noqa: S506  (a safe one)


def faults(kind: str, text: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the schema that the command prints has against a text."""
    capsys.readouterr()
    assert run(["rules", "schema", kind]) == 0
    validator = jsonschema_rs.Draft202012Validator(json.loads(capsys.readouterr().out))
    return [error.message for error in validator.iter_errors(as_edited(text))]


@pytest.mark.parametrize("pack", PACKS)
def test_every_file_that_init_writes_is_right_by_the_schema_it_names(isolated: Path, pack: str) -> None:
    assert run(["init", "mine", "--pack", pack]) == 0
    wrong = []
    files = sorted((isolated / "mine" / "rules").rglob("*.yaml"))
    assert len(files) > 10
    for file in files:
        text = file.read_text(encoding="utf-8")
        modeline = MODELINE.match(text)
        assert modeline, f"{file.name} names no schema"
        schema = json.loads((file.parent / modeline[1]).read_text(encoding="utf-8"))
        validator = jsonschema_rs.Draft202012Validator(schema)
        wrong += [f"{file.name}: {e.instance_path} {e.message}" for e in validator.iter_errors(as_edited(text))]
    assert wrong == []


@pytest.mark.parametrize("pack", [name for name in PACKS if name != "universal"])
def test_what_a_pack_says_of_itself_is_right(isolated: Path, capsys: pytest.CaptureFixture[str], pack: str) -> None:
    text = (default_rules() / "packs" / pack / "pack.yaml").read_text(encoding="utf-8")
    assert faults("pack", text, capsys) == []


RULE = """
rules:
  - id: some_rule
    playbook: A1
    when: {lead_status: {is: new}, some_property: {is_more_than: 3}}
    cause: lead_status_entered
    hard: true
    then:
      - set: {lead_status: attempting, some_date: {after_cause: 2 days}}
"""
PORTAL = (default_rules() / "portal.yaml").read_text(encoding="utf-8")
MATRIX = (default_rules() / "matrix.yaml").read_text(encoding="utf-8")
CASE = "cases: [{name: a, contact: {score: 20}, acts: [{at: 2026-03-01, rep_call: {}}], expect: [{finding: b}]}]"


@pytest.mark.parametrize(
    ("kind", "text", "right", "wrong"),
    [
        ("rules", RULE, "playbook:", "playbok:"),
        ("rules", RULE, "{is: new}", "{iss: new}"),
        ("rules", RULE, "is_more_than", "is_greater_than"),
        ("rules", RULE, "- set:", "- sett:"),
        ("rules", RULE, "- set:", "- finding: both\n        set:"),
        ("rules", RULE, "cause: lead_status_entered", "cause: lead_status_enterd"),
        ("rules", RULE, "after_cause", "after_case"),
        ("rules", RULE, "hard: true", "hard: perhaps"),
        ("rules", RULE, "hard: true", "mode: automatic"),
        ("portal", PORTAL, "\nscope:", "\nscopes:"),
        ("portal", PORTAL, "    meaning:", "    meening:"),
        ("matrix", MATRIX, "propose:", "proposes:"),
        ("rollout", "rollout: {default: report}", "report", "reports"),
        ("texts", "rules: {some_rule: {says: Ah}}", "says", "say"),
        ("cases", CASE, "rep_call", "rep_cal"),
        ("cases", CASE, "finding", "findings"),
        ("pack", "says: a\ntakes: [b]", "takes", "take"),
    ],
)
def test_a_wrong_word_is_a_fault(
    isolated: Path, capsys: pytest.CaptureFixture[str], kind: str, text: str, right: str, wrong: str
) -> None:
    assert faults(kind, text, capsys) == []
    assert right in text
    assert len(faults(kind, text.replace(right, wrong, 1), capsys)) >= 1


@pytest.mark.parametrize(("written", "right"), [("20", True), ('"20"', True), ("twenty", False), ("0", False)])
def test_numbers_may_be_quoted(isolated: Path, capsys: pytest.CaptureFixture[str], written: str, right: bool) -> None:
    scoring = f"scoring: {{property: my_score, window: 1 year, threshold: {written}, points: []}}"
    assert (faults("rules", scoring, capsys) == []) == right


def test_a_file_takes_the_schema_of_its_kind(isolated: Path) -> None:
    assert run(["rules", "schema", "matrix", "--out", "matrix.json"]) == 0
    schema = json.loads(Path("matrix.json").read_text(encoding="utf-8"))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["matrix"]


def test_without_a_kind_a_folder_takes_all_of_them(isolated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "schema"]) == 2
    assert "--out DIR" in capsys.readouterr().err
    assert run(["rules", "schema", "--out", "made/here"]) == 0
    assert {path.stem for path in Path("made/here").iterdir()} == set(MODELS)


def test_a_folder_that_cannot_be_made_is_a_clear_error(isolated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    assert run(["rules", "schema", "--out", "file/inside"]) == 2
    assert "can't be written" in capsys.readouterr().err


def test_every_kind_can_be_asked_for() -> None:
    assert [kind.value for kind in SchemaKind] == list(MODELS)
