"""The playbook against the rules: every id that decides about one contact has its rule, its case and its row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from benchmarks.rule_costs import ALL_CELLS, NOT_STAGED, rows, table_in
from hubsync.rulefiles.outcomes import done
from tests.cases import RULES, loaded, played

ROOT = Path(__file__).parents[1]
README = (RULES / "README.md").read_text(encoding="utf-8")
IDS = [
    *(f"A{n}" for n in range(1, 21)),
    *(f"C{n}" for n in range(1, 7)),
    *(f"L{n}" for n in range(1, 4)),
    *(f"P{n}" for n in range(1, 4)),
    *(f"S{n}" for n in range(1, 16)),
    *("T1", "T2", "T3", "T7", "T8", "T10", "T11", "T14", "T15", "T16"),
]


def cells_of(head: str) -> list[list[str]]:
    """The rows of the table that begins with this line of heads."""
    text = README.partition(f"{head}\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()[1:]]


MECHANISMS = cells_of("| id | what it is | where | test |")


def ids_in(text: str) -> set[str]:
    return set(re.findall(r"\b[ACLPST]\d+\b", text))


def test_every_id_has_a_rule_or_a_row_that_says_where_it_lives() -> None:
    ruled = {id_ for row in rows(loaded()) for id_ in ids_in(row.playbook)}
    told = {id_ for row in MECHANISMS for id_ in ids_in(row[0])}
    assert set(IDS) - ruled - told == set()


def test_every_rule_does_something_in_a_case() -> None:
    acted = {
        outcome.rule for one in played() for look in one.looks for outcome in done(look.decision, look.situation.policy)
    }
    assert {row.rule for row in rows(loaded()) if row.rule != ALL_CELLS} - acted == set()


def test_the_table_of_costs_names_every_rule_as_it_is() -> None:
    shown = [line.rsplit("|", 3)[0] for line in table_in(README).splitlines()[2:]]
    assert shown == [row.line("", "").rsplit("|", 3)[0] for row in rows(loaded())]


def test_the_table_of_costs_holds_numbers() -> None:
    numbers = [cells[-2:] for cells in cells_of("| playbook | rule | mode | what it does | to look | to act |")]
    assert numbers
    for look, act in numbers:
        assert (look, act) == (NOT_STAGED, NOT_STAGED) or float(look) >= 1 <= 1 + float(act)


@pytest.mark.parametrize("row", MECHANISMS, ids=lambda row: str(row[0]))
def test_what_is_no_rule_lives_where_it_is_said_and_is_tested(row: list[str]) -> None:
    _, _, where, test = row
    folder = ROOT
    for path in re.findall(r"`([^`]+)`", where):
        file = ROOT / path if "/" in path else folder / path
        assert file.is_file(), path
        folder = file.parent
    file_name, _, name = test.strip("`").partition("::")
    tree = ast.parse((ROOT / file_name).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
