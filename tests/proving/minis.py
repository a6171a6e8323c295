"""A portal small enough to try everything in it: four Lead statuses, three stages, and whatever rules a test writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from hubsync.policy.portal_spec import PortalSpec
from hubsync.policy.ruleset import RuleSet
from hubsync.policy.spec import MatrixSpec, RulesSpec
from hubsync.rulefiles.lines import compose
from hubsync.rulefiles.load import LoadedRules

STATUSES = ("new", "attempting", "working", "nurture")
STAGES = ("lead", "mql", "sql")

PORTAL: dict[str, Any] = {
    "statuses": {
        key: {"value": key.upper(), "labels": {"en": key}, "meaning": "m", "use_when": "u"} for key in STATUSES
    },
    "stages": {key: {"value": key, "labels": {"en": key}, "managed": "true"} for key in STAGES},
    "scope": {"managed_if": [{"owner": {"is_known": "true"}}]},
    "settling": {"status": "2 minutes", "combination": "15 minutes"},
    "deals": {"sales_pipelines": ["default"], "contacts": "all"},
}
FITS = {", ".join(("none", *STATUSES)): "fits"}
MATRIX: dict[str, Any] = {"matrix": [{"row": {"lifecycle_stage": ["none", *STAGES]}, "cells": FITS}]}

SETTLING = """
rules:
  - id: up
    playbook: X1
    when: {lead_status: {is: new}}
    cause: lead_status_entered
    then: [{set: {lead_status: working}}]
"""
"""Rules of which nothing is wrong."""
BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))


def text_of(path: Path) -> str:
    """The rules of a file, without the line that says what is wrong with them."""
    return "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("wrong:"))


def broken(name: str) -> str:
    """The rules of one of `BROKEN`."""
    return text_of(BROKEN[0].with_name(f"{name}.yaml"))


def mini(rules: str, matrix: dict[str, Any] | None = None) -> LoadedRules:
    """A rule set of these rules (YAML with `rules:` and `foreign:`), as if read from rules.yaml of a folder."""
    texts = {
        "portal.yaml": yaml.safe_dump(PORTAL, sort_keys=False),
        "matrix.yaml": yaml.safe_dump(matrix or MATRIX, sort_keys=False, width=1000),
        "rules.yaml": rules,
    }
    documents = {name: compose(text, name) for name, text in texts.items()}
    data: dict[str, Any] = {name: document.data for name, document in documents.items()}
    files = RuleSet(
        PortalSpec.model_validate(data["portal.yaml"]),
        MatrixSpec.model_validate(data["matrix.yaml"]),
        {"rules.yaml": RulesSpec.model_validate(data["rules.yaml"])},
        "mini",
    )
    return LoadedRules(Path("mini"), files, documents)


def written(rules: LoadedRules, folder: Path) -> Path:
    """The same rule set as files of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in rules.documents.items():
        (folder / name).write_text(yaml.safe_dump(document.data, sort_keys=False, width=1000), encoding="utf-8")
    return folder
