"""How fast tasks may come: caps and bursts as portal.yaml says, always; business hours with a rollout.yaml (B4–B7)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hubsync.rulefiles.load import load_rules
from hubsync.settings import default_rules


@pytest.mark.parametrize("rollout", [True, False])
def test_caps_and_bursts_hold_with_or_without_a_rollout_file_and_business_hours_with_it(
    tmp_path: Path, rollout: bool
) -> None:
    folder = tmp_path / "rules"
    shutil.copytree(default_rules(), folder)
    if rollout:
        (folder / "rollout.yaml").write_text("rollout: {default: auto}\n")
    pace = load_rules(folder).pace("Europe/Paris", {})
    assert (pace.per_owner, pace.burst, pace.in_hours) == (15, 50, rollout)
