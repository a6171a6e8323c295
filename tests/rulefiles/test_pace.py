"""How fast tasks may come: at the pace of portal.yaml where rollout.yaml is there, at once where it isn't (B4–B7)."""

from __future__ import annotations

import shutil
from pathlib import Path

from hubsync.rulefiles.load import UNLIMITED, load_rules
from hubsync.settings import default_rules


def test_without_a_rollout_file_tasks_come_at_once() -> None:
    pace = load_rules(default_rules()).pace("Europe/Paris", {})
    assert (pace.per_owner, pace.burst, pace.in_hours) == (UNLIMITED, UNLIMITED, False)


def test_with_a_rollout_file_caps_bursts_and_business_hours_hold(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    shutil.copytree(default_rules(), folder)
    (folder / "rollout.yaml").write_text("rollout: {default: auto}\n")
    pace = load_rules(folder).pace("Europe/Paris", {})
    assert (pace.per_owner, pace.burst, pace.in_hours) == (15, 50, True)
