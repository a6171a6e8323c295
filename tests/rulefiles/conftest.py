"""Folders of rule files for tests of their cases."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

SHIPPED = Path(__file__).parents[2] / "rules"

RULE = """
rules:
  - id: new_on_becoming_mql
    playbook: A2
    says: The contact became an MQL.
    when: {lifecycle_stage: {is: mql}, lead_status: {is_unknown: true}}
    cause: lifecycle_stage_entered
    then: [{set: {lead_status: new}}]
"""


@pytest.fixture
def rules_folder(tmp_path: Path) -> Path:
    """The shipped portal and matrix, and one rule."""
    home = tmp_path / "rules"
    home.mkdir()
    for name in ("portal.yaml", "matrix.yaml"):
        shutil.copy(SHIPPED / name, home / name)
    (home / "new.yaml").write_text(RULE, encoding="utf-8")
    return home


@pytest.fixture
def write_cases(rules_folder: Path) -> Callable[..., Path]:
    """Write cases; `head` goes before them, a `now` and an owner by default."""

    def put(text: str, head: str = 'now: 2026-03-03T10:00:00Z\ncontact: {owner: "11"}', name: str = "new") -> Path:
        (rules_folder / f"{name}_test.yaml").write_text(f"{head}\ncases:\n{dedent(text).strip()}\n", encoding="utf-8")
        return rules_folder

    return put
