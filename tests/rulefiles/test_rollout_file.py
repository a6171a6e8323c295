"""Editing rollout.yaml: one mode moves, everything else stays as somebody wrote it."""

from __future__ import annotations

import pytest

from hubsync.rulefiles.lines import compose
from hubsync.rulefiles.rollout_file import START, moved

BLOCK = """\
# ours
rollout:
  # careful
  default: 'report'  # until March
  rules:
    # A2 first
    A2: report # then more
  teams:
    Paris:
      default: auto
"""


def read(text: str) -> object:
    """What the file says."""
    return compose(text, "rollout.yaml").at(("rollout",))


def test_what_init_writes_holds_every_rule_at_report() -> None:
    assert read(START) == {"default": "report", "rules": {}, "teams": {}}


def test_moves_add_up_in_the_file_that_init_wrote() -> None:
    text = START
    for names, mode, team in (
        (["A2"], "auto", None),
        (["A3"], "propose", None),
        (["A2"], "propose", "Paris"),
        ([], "auto", "Berlin Süd"),
        (["A9"], "report", "paris"),
    ):
        text = moved(text, "rollout.yaml", names, mode, team)
    assert read(text) == {
        "default": "report",
        "rules": {"A2": "auto", "A3": "propose"},
        "teams": {"Paris": {"rules": {"A2": "propose", "A9": "report"}}, "Berlin Süd": {"default": "auto"}},
    }
    assert text.splitlines()[:7] == START.splitlines()[:7]


def test_comments_and_other_lines_stay_as_they_are() -> None:
    text = moved(moved(BLOCK, "rollout.yaml", ["A2"], "auto"), "rollout.yaml", ["A9"], "propose")
    assert text == BLOCK.replace("    A2: report # then", "    A9: propose\n    A2: auto # then").replace(
        "    # A2 first\n    A9: propose\n", "    # A2 first\n    A9: propose\n"
    )


def test_all_moves_the_default_and_every_exception_but_no_teams() -> None:
    text = moved(BLOCK, "rollout.yaml", [], "propose")
    assert read(text) == {"default": "propose", "rules": {"A2": "propose"}, "teams": {"Paris": {"default": "auto"}}}
    assert "# until March" in text


@pytest.mark.parametrize("text", ["rollout:\n", "rollout: {}\n", "rollout:\n  rules:\n", "rollout: {default: auto}\n"])
def test_what_is_missing_above_a_mode_is_made(text: str) -> None:
    said = read(moved(text, "rollout.yaml", ["A2"], "report"))
    assert isinstance(said, dict)
    assert said["rules"] == {"A2": "report"}
