"""What cases touch: rules, conditions, actions, operators and cells, one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hubsync.rulefiles.cases import load_cases
from hubsync.rulefiles.load import load_rules
from hubsync.rulefiles.playing import play
from hubsync.rulefiles.touched import Item, measure, share

Write = Callable[..., Path]

FIRES = "- {name: fires, contact: {lifecycle_stage: mql}, expect: [{set: {lead_status: new}}]}"
NEARLY = "- {name: nearly, contact: {lifecycle_stage: mql, lead_status: working}, expect: []}"


def items(folder: Path) -> dict[tuple[str, str], Item]:
    rules = load_rules(folder)
    found = measure(rules, [look for case in load_cases(folder, rules) for look in play(case).looks])
    return {(item.kind, item.name): item for item in found}


def test_a_rule_is_touched_where_it_fires_and_nearly_fires(write_cases: Write) -> None:
    rule = ("rule", "new_on_becoming_mql")
    assert items(write_cases(FIRES))[rule].missing == "no case in which it nearly fires"
    assert items(write_cases(NEARLY))[rule].missing == "no case in which it fires"
    assert items(write_cases(f"{FIRES}\n{NEARLY}"))[rule].missing == ""


def test_a_condition_is_touched_where_it_holds_and_where_it_alone_stops_the_rule(write_cases: Write) -> None:
    text = "new_on_becoming_mql: lifecycle_stage is mql"
    both = items(write_cases(f"{FIRES}\n{NEARLY}"))
    assert both["condition", "new_on_becoming_mql: lead_status is unknown"].missing == ""
    assert both["condition", text].missing == "no case in which it alone stops the rule"
    assert (Path(both["condition", text].file).name, both["condition", text].line) == ("new.yaml", 6)


def test_an_action_is_touched_where_it_is_done(write_cases: Write) -> None:
    action = ("action", "new_on_becoming_mql: set lead_status")
    assert items(write_cases(FIRES))[action].missing == ""
    assert items(write_cases(NEARLY))[action].missing == "no case in which it is done"


def test_a_cell_that_fits_wants_a_visit_and_any_other_its_answer(write_cases: Write) -> None:
    found = items(write_cases(FIRES))
    assert found["cell", "mql × new"].missing == "no case that gets there"
    assert found["cell", "cell_mql_none"].missing == "no case that gets there"  # the rule was there first
    assert ("cell", "mql × none") not in found


def test_the_share_counts_what_is_touched(write_cases: Write) -> None:
    found = list(items(write_cases(FIRES)).values())
    assert share(found) == 100 * sum(not item.missing for item in found) / len(found)
    assert share([]) == 100
