"""`hubsync init`: a folder to edit, nothing overwritten, HubSpot's Open mapped as asked."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hubsync.cli.main import run
from hubsync.rulefiles.load import load_rules
from hubsync.settings import default_rules, load_settings


def test_init_writes_rules_that_compile_and_an_env_that_points_at_them(isolated: Path) -> None:
    assert run(["init", "mine"]) == 0
    settings = load_settings(isolated / "mine" / ".env", environ={})
    assert settings.rules == isolated / "mine" / "rules"
    assert load_rules(settings.rules).digest == load_rules(default_rules()).digest
    assert load_rules(settings.rules).compile().rule("attempting_on_first_rep_outreach") is not None


def test_the_env_that_will_hold_a_token_is_readable_by_its_owner_alone(isolated: Path) -> None:
    run(["init", "mine"])
    assert stat.S_IMODE((isolated / "mine" / ".env").stat().st_mode) == 0o600


def test_init_overwrites_nothing_and_says_so(isolated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (isolated / "mine").mkdir()
    (isolated / "mine" / ".env").write_text("HUBSYNC_ACCESS_TOKEN=keep-me\n")
    assert run(["init", "mine"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (isolated / "mine" / ".env").read_text() == "HUBSYNC_ACCESS_TOKEN=keep-me\n"
    assert not (isolated / "mine" / "rules").exists()


@pytest.mark.parametrize("meaning", ["new", "attempting", "working"])
def test_open_becomes_another_word_for_what_the_portal_uses_it_for(isolated: Path, meaning: str) -> None:
    assert run(["init", "mine", "--open-means", meaning]) == 0
    policy = load_rules(isolated / "mine" / "rules").compile()
    assert policy.statuses.key("OPEN") == "open"
    assert policy.statuses.like("open") == meaning


def test_open_stays_unmanaged_where_nobody_says_what_it_means(isolated: Path) -> None:
    run(["init", "mine"])
    assert not load_rules(isolated / "mine" / "rules").compile().statuses.is_mapped("OPEN")


def test_a_folder_that_cannot_be_made_is_a_clear_error(isolated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (isolated / "file").write_text("")
    assert run(["init", "file/inside"]) == 2
    assert "can't be written" in capsys.readouterr().err
