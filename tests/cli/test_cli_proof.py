"""`hubsync sync --write` by rules of which it is known that they aren't proved."""

from __future__ import annotations

import pytest

from hubsync.cli.main import run
from hubsync.rulefiles.load import load_rules
from hubsync.settings import default_rules
from hubsync.sync.proofs import KnownProof, keep_proof
from tests.sync.desk import Desk

SAYS = "The rules in force are not proved to settle: 1 fault. a.yaml:3: coverage: a is dead."


def said(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    capsys.readouterr()
    assert run(["sync", *options]) == 0
    return capsys.readouterr().err


def test_a_run_that_writes_says_it_and_a_plan_does_not(cli_desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    rules = load_rules(default_rules()).digest
    keep_proof(cli_desk.store, cli_desk.portal.portal_id, KnownProof(rules, 1, 0, "a.yaml:3: coverage: a is dead"))
    assert said(capsys, "--write").startswith(SAYS)
    assert SAYS not in said(capsys)


@pytest.mark.parametrize("known", [None, "other rules", "proved"])
def test_nothing_is_said_of_rules_that_are_proved_or_of_which_nothing_is_known(
    cli_desk: Desk, capsys: pytest.CaptureFixture[str], known: str | None
) -> None:
    rules = load_rules(default_rules()).digest
    if known is not None:
        proof = KnownProof("0000", 1, 0, "x") if known == "other rules" else KnownProof(rules, 0, 0)
        keep_proof(cli_desk.store, cli_desk.portal.portal_id, proof)
    assert "settle" not in said(capsys, "--write")
