"""The rule reference against the code: nothing is left out, nothing made up, and every example works."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hubsync.policy.causes import CAUSES
from hubsync.policy.conditions import ALL_OPERATORS
from hubsync.policy.facts import documented
from hubsync.policy.portal_spec import PortalSpec
from hubsync.policy.spec import ActionSpec, CellSpec, MatrixSpec, RuleSpec, ServiceLevelSpec, TextsSpec
from hubsync.rulefiles.case_spec import ACTS, EXPECTATIONS, CaseSpec, StepSpec
from hubsync.rulefiles.cases import load_cases, run_case
from hubsync.rulefiles.lines import Document, compose
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.rulefiles.situations import STATED

RULES = Path(__file__).parents[1] / "rules"
TEXT = "\n".join((RULES / name).read_text(encoding="utf-8") for name in ("README.md", "TESTING.md"))
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def entries(head: str) -> list[str]:
    """The names in the first column of the table whose first heading this is."""
    _, _, rest = TEXT.partition(f"\n| {head} |")
    table = rest.partition("\n\n")[0]
    return re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)


def _kinds(data: dict[str, Any]) -> set[str]:
    """What an example is of: its sections, or `texts` where rules stand by their ids, as in texts/fr.yaml."""
    return {"texts"} if isinstance(data.get("rules"), dict) else set(data)


def examples_of(*keys: str) -> list[Any]:
    found = []
    for number, text in enumerate(EXAMPLES):
        document = compose(text, f"example {number + 1}")
        if isinstance(document.data, dict) and _kinds(document.data) & set(keys):
            found.append(pytest.param(document, text, id=document.file))
    return found


def rules_with(tmp_path: Path, *, without: Iterable[str] = (), **files: str) -> Path:
    """The shipped rule files, some left out, with others beside them."""
    folder = tmp_path / "rules"
    shutil.copytree(RULES, folder, ignore=shutil.ignore_patterns("*_test.yaml", *without))
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


FIRST_COLUMN = {
    "operator": list(ALL_OPERATORS),
    "fact": [fact.name for fact in documented()],
    "cause": list(CAUSES),
    "action": list(ActionSpec.model_fields),
    "key": [*RuleSpec.model_fields],
    "cell": ["fits", *(field.alias or name for name, field in CellSpec.model_fields.items())],
    "section": list(PortalSpec.model_fields),
    "in another language": list(TextsSpec.model_fields),
    "act": list(ACTS),
    "expectation": list(EXPECTATIONS),
    "in a service level": list(ServiceLevelSpec.model_fields),
    "step": list(StepSpec.model_fields),
}


@pytest.mark.parametrize("head", FIRST_COLUMN)
def test_everything_a_rule_file_may_say_has_its_entry_and_nothing_else_has(head: str) -> None:
    assert sorted(entries(head)) == sorted(FIRST_COLUMN[head])


def test_every_key_of_a_case_has_its_entry() -> None:
    cases = TEXT[TEXT.index("\n## Cases") :]
    table = cases.partition("\n| key |")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)) == sorted(CaseSpec.model_fields)


def test_every_fact_that_a_case_may_state_is_named() -> None:
    sentence = TEXT.partition("Facts that `contact` takes:")[2].partition("What isn't said")[0]
    named = set(re.findall(r"`([a-z_]+)`", sentence))
    ends = {name for name in named if name.startswith("_")}
    states = {"lead_status", "lifecycle_stage"}
    assert (named - ends) | {state + end for state in states for end in ends} == STATED


@pytest.mark.parametrize(
    ("operator", "example"), re.findall(r"^\| `(is_\w+|is|contains_\w+)` \| `(.+?)` \|", TEXT, re.MULTILINE)
)
def test_the_example_of_an_operator_can_be_used_in_a_rule(tmp_path: Path, operator: str, example: str) -> None:
    assert f"{{{operator}: " in example
    rule = f"""
rules:
  - id: example
    playbook: A1
    says: An example.
    when: {{{example}}}
    cause: lead_status_entered
    then: [{{finding: An example.}}]
"""
    policy = load_rules(rules_with(tmp_path, example=rule)).compile()
    found = policy.rule("example")
    assert found is not None
    assert [condition.operator for group in found.groups for condition in group] == [operator]


@pytest.mark.parametrize(("document", "text"), examples_of("rules"))
def test_an_example_of_rules_loads_and_compiles(tmp_path: Path, document: Document, text: str) -> None:
    shipped = [path.name for path in RULES.glob("*.yaml") if path.name not in {"portal.yaml", "matrix.yaml"}]
    policy = load_rules(rules_with(tmp_path, without=shipped, example=text)).compile()
    rules: Any = document.at(("rules",))
    assert {rule["id"] for rule in rules} <= {rule.id for rule in policy.rules}
    assert [gap for gap in policy.gaps if not gap.opt_in] == []


@pytest.mark.parametrize(("document", "text"), examples_of("texts"))
def test_an_example_of_texts_is_what_hubsync_then_writes(tmp_path: Path, document: Document, text: str) -> None:
    folder = rules_with(tmp_path)
    (folder / "texts").mkdir(exist_ok=True)
    (folder / "texts" / "fr.yaml").write_text(text, encoding="utf-8")
    written = (folder / "portal.yaml").read_text(encoding="utf-8")
    (folder / "portal.yaml").write_text(written.replace("\nlanguage: en\n", "\nlanguage: fr\n"), encoding="utf-8")
    policy = load_rules(folder).compile()
    rules: Any = document.at(("rules",))
    for id_, said in rules.items():
        rule = policy.rule(id_)
        assert rule is not None
        assert rule.says == said["says"]
        assert [action.message.text for action in rule.findings] == [said["finding"]]


@pytest.mark.parametrize(("document", "text"), examples_of("service_levels"))
def test_an_example_of_service_levels_loads_and_compiles(tmp_path: Path, document: Document, text: str) -> None:
    policy = load_rules(rules_with(tmp_path, example=text)).compile()
    levels: Any = document.at(("service_levels",))
    assert {level["id"] for level in levels} <= {level.id for level in policy.levels}
    assert all(policy.rule(f"{level['id']}_{part}") for level in levels for part in ("warning", "breach"))


@pytest.mark.parametrize(("document", "text"), examples_of("matrix"))
def test_an_example_of_the_matrix_can_stand_for_the_shipped_row(document: Document, text: str) -> None:
    shipped = load_rules(RULES)
    (row,) = MatrixSpec.model_validate(document.data).matrix
    rows = [row if other.row == row.row else other for other in shipped.files.matrix.matrix]
    assert row in rows
    files = replace(shipped.files, matrix=MatrixSpec(matrix=rows))
    documents = {**shipped.documents, "matrix.yaml": document}
    policy = LoadedRules(shipped.folder, files, documents).compile()
    assert {"cell_sql_none", "cell_sql_qualified", "cell_sql_customer"} <= {rule.id for rule in policy.rules}


@pytest.mark.parametrize(("document", "text"), examples_of("statuses", "lists", "scope", "work_hours"))
def test_an_example_of_the_portal_can_be_laid_over_the_shipped_one(
    tmp_path: Path, document: Document, text: str
) -> None:
    portal = (RULES / "portal.yaml").read_text(encoding="utf-8")
    assert isinstance(document.data, dict)
    for section in document.data:
        said = re.search(rf"^{section}:.*\n((?:[ ].*\n|\n(?=[ ]))*)", text, re.MULTILINE)
        assert said is not None
        if section == "statuses":
            portal = portal.replace("\nstatuses:\n", f"\nstatuses:\n{said[1]}", 1)
        elif section == "lists":
            portal = re.sub(r"^  excluded_domains:.*$", said[1].rstrip(), portal, count=1, flags=re.MULTILINE)
        else:
            portal = re.sub(rf"^{section}:.*\n(?:[ ].*\n)*", "", portal, count=1, flags=re.MULTILINE) + said[0]
    policy = load_rules(rules_with(tmp_path, without=["portal.yaml"], portal=portal)).compile()
    assert policy.statuses.like("demo_scheduled") == "connected"
    assert policy.churn == ("account_state", frozenset({"cancelled"}))
    assert policy.calendar.zone.key == "Europe/Paris"
    assert [gap for gap in policy.gaps if not gap.opt_in] == []


@pytest.mark.parametrize(("document", "text"), examples_of("foreign"))
def test_an_example_of_other_writers_loads_and_compiles(tmp_path: Path, document: Document, text: str) -> None:
    policy = load_rules(rules_with(tmp_path, without=["foreign.yaml"], example=text)).compile()
    flows: Any = document.at(("foreign",))
    assert [flow.id for flow in policy.foreign] == [flow["id"] for flow in flows]


@pytest.mark.parametrize(("document", "text"), examples_of("cases"))
def test_an_example_of_cases_passes(tmp_path: Path, document: Document, text: str) -> None:
    results = [run_case(case) for case in load_cases(rules_with(tmp_path, example_test=text))]
    assert [str(result) for result in results if not result.ok] == []
    assert len(results) >= len(document.at(("cases",)))


@pytest.mark.parametrize(("document", "text"), examples_of("scoring"))
def test_an_example_of_scoring_counts_its_points(tmp_path: Path, document: Document, text: str) -> None:
    rules = (RULES / "scoring.yaml").read_text(encoding="utf-8").partition("\nrules:")[2]
    policy = load_rules(rules_with(tmp_path, without=["scoring.yaml"], example=f"{text}\nrules:{rules}")).compile()
    scoring = policy.data.scoring
    assert scoring is not None
    assert [(one.id, one.points) for one in scoring.points] == [
        ("pricing_page", 15),
        ("meeting_booked", 20),
        ("subscribed", 5),
    ]
    assert scoring.half_life == timedelta(days=10)


def test_every_example_is_of_a_kind_that_is_tried() -> None:
    kinds = ("rules", "texts", "service_levels", "matrix", "cases", "statuses", "foreign", "scoring")
    assert sum(len(examples_of(kind)) for kind in kinds) == len(EXAMPLES)


def test_the_reference_can_be_read_in_one_go() -> None:
    for name in ("README.md", "TESTING.md"):
        lines = (RULES / name).read_text(encoding="utf-8").splitlines()
        assert len([line for line in lines if not line.startswith("|")]) < 400  # tables are looked up
