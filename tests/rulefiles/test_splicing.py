"""Splicing: some rules of a policy in the place of others, as if all rule files had been compiled anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hubsync.policy.cells import lay_out
from hubsync.policy.policy import Policy
from hubsync.policy.rules import Cell
from hubsync.policy.spec import MatrixSpec
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.rulefiles.splicing import compiled_row, compiled_rule, spliced
from hubsync.settings import default_rules

Asked = list[list[str]]


@pytest.fixture(scope="module")
def shipped() -> LoadedRules:
    return load_rules(default_rules())


def asked(cell: Cell) -> Asked:
    """The ids of the rules of a cell, tier by tier; their order, and a compiled condition, have no meaning."""
    tiers = (cell.autos, cell.cells, cell.notes, cell.tasks)
    without = (cell.dealless.everything,) if cell.dealless is not None else ()
    return [sorted(r.rule.id for r in tier) for tier in (*tiers, *without)]


def table(policy: Policy) -> dict[tuple[str, str], Asked]:
    return {place: asked(cell) for place, cell in policy.cells.items()}


def with_rule(rules: LoadedRules, file: str, number: int, **changes: Any) -> LoadedRules:
    content = rules.files.rules[file]
    spec = content.rules[number].model_copy(update=changes)
    others = [spec if n == number else rule for n, rule in enumerate(content.rules)]
    files = {**rules.files.rules, file: content.model_copy(update={"rules": others})}
    return LoadedRules(rules.folder, replace(rules.files, rules=files), rules.documents)


@pytest.mark.parametrize(
    "changes",
    [
        {"when": {"lead_status": {"is": "nurture"}}},
        {"when": [{"lifecycle_stage": {"is": "mql"}}, {"open_deals": {"is_more_than": "0"}}]},
        {"mode": "report"},
        {"enabled": False},
    ],
)
def test_a_rule_in_the_place_of_another_is_asked_where_it_would_be_if_all_were_compiled(
    shipped: LoadedRules, changes: dict[str, Any]
) -> None:
    changed = with_rule(shipped, "automations.yaml", 2, **changes)
    spec = changed.files.rules["automations.yaml"].rules[2]
    policy = shipped.compile(rolled_out=True)
    before = tuple(rule for rule in policy.rules if rule.id == spec.id)
    after = compiled_rule(spec, "automations.yaml", shipped.files, policy)
    assert after is not None
    assert (len(before), len(after)) == (1, 0 if "enabled" in changes else 1)
    found = table(spliced(policy, before, after, shipped.files.portal))
    assert found == table(changed.compile(rolled_out=True))
    assert found != table(policy)


def test_a_row_in_the_place_of_another_is_asked_where_it_would_be_if_all_were_compiled(shipped: LoadedRules) -> None:
    policy, portal, rows = shipped.compile(rolled_out=True), shipped.files.portal, shipped.files.matrix.matrix
    fits = rows[4].model_copy(update={"cells": dict.fromkeys(rows[4].cells, "fits")})
    before, after = (compiled_row(row, shipped.files, policy) for row in (rows[4], fits))
    assert before
    assert after == ()
    matrix = MatrixSpec(matrix=[fits if row is rows[4] else row for row in rows])
    changed = LoadedRules(shipped.folder, replace(shipped.files, matrix=matrix), shipped.documents)
    assert table(spliced(policy, before, after, portal)) == table(changed.compile(rolled_out=True))


def test_a_rule_that_the_files_would_refuse_is_refused(shipped: LoadedRules) -> None:
    changed = with_rule(shipped, "automations.yaml", 2, when={"lead_status": {"is": "no such status"}})
    spec = changed.files.rules["automations.yaml"].rules[2]
    assert compiled_rule(spec, "automations.yaml", shipped.files, shipped.compile(rolled_out=True)) is None


def test_one_combination_laid_out_by_itself_is_that_of_the_whole_table(shipped: LoadedRules) -> None:
    policy = shipped.compile(rolled_out=True)
    for place, cell in policy.cells.items():
        alone = lay_out(policy.rules, policy.statuses, policy.stages, shipped.files.portal, place)
        assert list(alone) == [place]
        assert asked(alone[place]) == asked(cell)
