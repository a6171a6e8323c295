"""`only_for`: a rule for one team sees the contacts of that team's owners and no others."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hubsync.policy.contact import Contact
from hubsync.policy.decide import decide
from hubsync.policy.policy import Horizon, Policy, Schema
from hubsync.policy.ruleset import ideal_schema
from hubsync.rulefiles.load import load_rules
from hubsync.settings import default_rules

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)


def _compiled(folder: Path, teams: dict[str, tuple[str, ...]]) -> Policy:
    rules = load_rules(folder)
    schema: Schema = replace(ideal_schema(rules.files.portal), owner_teams=teams)
    return rules.compile(schema)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped rules, with A9 for the team Paris alone."""
    copy = tmp_path / "rules"
    shutil.copytree(default_rules(), copy)
    automations = copy / "automations.yaml"
    text = automations.read_text()
    automations.write_text(text.replace("    playbook: A9\n", "    playbook: A9\n    only_for: Paris\n"))
    matrix = copy / "matrix.yaml"  # the cells would do what A9 leaves
    matrix.write_text(
        matrix.read_text().replace("qualified: {set: {lifecycle_stage: qualified_stage}}", "qualified: fits")
    )
    return copy


@pytest.mark.parametrize(
    ("teams", "moved"),
    [
        ({"7": ("Paris",)}, True),
        ({"7": ("Berlin", "paris")}, True),
        ({"7": ("Berlin",)}, False),
        ({}, False),
    ],
    ids=["main team", "another team, in other case", "not in it", "no teams known"],
)
def test_a_rule_for_a_team_sees_the_contacts_of_its_owners_alone(
    folder: Path, teams: dict[str, tuple[str, ...]], moved: bool
) -> None:
    history = {
        "hs_lead_status": [{"value": "QUALIFIED", "timestamp": "2026-03-02T09:00:00Z", "sourceType": "CRM_UI"}],
        "lifecyclestage": [{"value": "lead", "timestamp": "2026-02-02T09:00:00Z", "sourceType": "FORM"}],
    }
    properties = {"hs_lead_status": "QUALIFIED", "lifecyclestage": "lead", "hubspot_owner_id": "7"}
    contact = Contact("1", properties, history=history, deals=(), engagements=())
    decision = decide(_compiled(folder, teams), contact, NOW, Horizon(datetime(2020, 1, 1, tzinfo=UTC)))
    assert [(c.property, c.new) for c in decision.changes] == (
        [("lifecyclestage", "salesqualifiedlead")] if moved else []
    )
