"""`hubsync init`: a folder to edit, nothing overwritten, HubSpot's Open mapped as asked, a draft from the portal."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubsync.cli.main import run
from hubsync.rulefiles.load import load_rules
from hubsync.sandbox import Portal, Sandbox
from hubsync.sandbox.http.limits import ALL_SCOPES
from hubsync.sandbox.population import populate
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


# From a portal -----------------------------------------------------------------------------------------------------


@pytest.fixture
def portal() -> Portal:
    """HubSpot's eight statuses and some of the portal's own, 60 leads."""
    portal = Portal(seed=5)
    populate(portal, contacts=60, days=80, default_statuses_only=True, hubsync_properties=False)
    portal.schemas.add_option("contacts", "hs_lead_status", "Demo Scheduled", "Demo scheduled")
    portal.schemas.add_option("contacts", "hs_lead_status", "warm", "Nurturing")
    portal.schemas.add_stage("1077045802", "Trial", after="salesqualifiedlead")
    return portal


@pytest.fixture
def box(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(portal, searches=1000) as running:
        monkeypatch.setenv("HUBSYNC_API_URL", running.url)
        monkeypatch.setenv("HUBSYNC_ACCESS_TOKEN", running.token)
        yield running


def test_a_draft_loads_passes_its_cases_and_leaves_no_option_of_the_portal_unmapped_that_is_clear(
    box: Sandbox, isolated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", "mine", "--from-portal", "--open-means", "attempting"]) == 0
    said = capsys.readouterr().out
    assert (
        "Guessed, please check: Nurturing is nurture, Open is like attempting, Demo scheduled is like connected" in said
    )
    assert "Not in the portal: Lead status qualified" in said
    monkeypatch.setenv("HUBSYNC_RULES", str(isolated / "mine" / "rules"))
    assert run(["rules", "check", "--no-proof"]) == 0
    assert run(["rules", "test"]) == 0
    capsys.readouterr()
    run(["check"])
    assert "Options in use that no key of portal.yaml maps" not in capsys.readouterr().out


def test_a_setup_after_a_draft_adds_only_what_the_draft_says_is_not_there(
    box: Sandbox, portal: Portal, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(["init", "mine", "--from-portal"])
    monkeypatch.setenv("HUBSYNC_RULES", str(isolated / "mine" / "rules"))
    assert run(["setup", "--write"]) == 0
    values = [o.value for o in portal.schemas.properties["contacts"]["hs_lead_status"].options]
    assert values[-4:] == ["QUALIFIED", "DISQUALIFIED", "RECYCLED", "CUSTOMER"]
    assert "NURTURE" not in values


def test_drafting_writes_nothing_to_the_portal(box: Sandbox, portal: Portal) -> None:
    portal.journal.clear()
    run(["init", "mine", "--from-portal"])
    assert list(portal.journal.writes) == []
    assert {r.method for r in portal.journal.requests if not r.path.endswith("/search")} == {"GET"}


def test_the_draft_keeps_the_other_files_and_the_token_out_of_the_folder(box: Sandbox, isolated: Path) -> None:
    run(["init", "mine", "--from-portal"])
    made = {path.name for path in (isolated / "mine" / "rules").iterdir()}
    assert {"portal.yaml", "matrix.yaml", "automations.yaml", "tasks.yaml", "README.md"} <= made
    assert [p for p in (isolated / "mine").rglob("*") if p.is_file() and box.token in p.read_text()] == []


def test_nothing_is_written_where_the_portal_cannot_be_read(
    isolated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HUBSYNC_ACCESS_TOKEN", "pat-na1-made-up")
    with Sandbox(Portal(), scopes=set(ALL_SCOPES)) as box:
        monkeypatch.setenv("HUBSYNC_API_URL", box.url)
        assert run(["init", "mine", "--from-portal"]) == 3
    assert "401" in capsys.readouterr().err
    assert not (isolated / "mine").exists()


def test_without_a_token_a_draft_says_what_is_missing(isolated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "mine", "--from-portal"]) == 2
    assert "HUBSYNC_ACCESS_TOKEN is missing" in capsys.readouterr().err
    assert not (isolated / "mine").exists()


def test_a_draft_of_another_portal_than_named_is_refused(
    box: Sandbox, isolated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--portal", "1", "init", "mine", "--from-portal"]) == 2
    assert "--portal 1: the access token belongs to portal" in capsys.readouterr().err
    assert not (isolated / "mine").exists()
