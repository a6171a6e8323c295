"""The cases beside the shipped rules, read and played once a process: tests that ask of them share them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hubsync.rulefiles.cases import load_cases
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.rulefiles.playing import Played, play

RULES = Path(__file__).parents[1] / "rules"


@cache
def loaded() -> LoadedRules:
    """The shipped rules."""
    return load_rules(RULES)


@cache
def played() -> tuple[Played, ...]:
    """Every case beside them, with what became of it."""
    return tuple(play(case) for case in load_cases(RULES, loaded()))
