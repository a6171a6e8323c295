"""`hubsync report digests`: who is to be told what, from the database alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hubsync.cli.main import run
from tests.sync.desk import Desk, ago, all_rules

Json = Callable[..., tuple[int, Any]]


@pytest.fixture
def told(cli_desk: Desk) -> tuple[str, str]:
    """A lead silent for five business days, whose rep has no manager, and one Unqualified for two."""
    cli_desk.rebind(loaded=all_rules())
    silent = cli_desk.lead("ATTEMPTED_TO_CONTACT", at=ago(days=7, hours=1))
    unqualified = cli_desk.lead("UNQUALIFIED", at=ago(days=5), email="u@example.com")
    cli_desk.sync()
    return silent, unqualified


def test_every_entry_is_listed_by_recipient_with_a_link(
    cli_desk: Desk, told: tuple[str, str], hubsync_json: Json
) -> None:
    code, document = hubsync_json("report", "digests")
    assert (code, document["portal"], document["since"]) == (0, cli_desk.portal.portal_id, None)
    silent, unqualified = told
    site = f"https://app.hubspot.com/contacts/{cli_desk.portal.portal_id}/record/0-1"
    assert [(d["to"], d["recipient"], d["contact"], d["link"]) for d in document["digests"]] == [
        ("owner", cli_desk.rep, silent, f"{site}/{silent}"),
        ("owner", cli_desk.rep, unqualified, f"{site}/{unqualified}"),
        ("ops", None, silent, f"{site}/{silent}"),
    ]
    next_action, owners, _ = document["digests"]
    assert next_action["playbook"] == "T10"
    assert (owners["day"], owners["kind"], owners["playbook"]) == ("2026-03-02", "digest", "A20")
    assert owners["delivered"] is None
    assert owners["text"] == "Unqualified since 25 February: choose Nurture or Disqualified, and give the reason."


def test_links_lead_to_where_the_portal_is_seen(cli_desk: Desk, hubsync_json: Json) -> None:
    cli_desk.portal.ui_domain = "app-eu1.hubspot.com"
    contact = cli_desk.lead("ATTEMPTED_TO_CONTACT", at=ago(days=7, hours=1))
    assert run(["sync", "--full", "--write"]) == 0
    links = {d["link"] for d in hubsync_json("report", "digests")[1]["digests"]}
    assert links == {f"https://app-eu1.hubspot.com/contacts/{cli_desk.portal.portal_id}/record/0-1/{contact}"}


def test_only_one_kind_of_recipient_may_be_asked_for(told: tuple[str, str], hubsync_json: Json) -> None:
    assert [d["contact"] for d in hubsync_json("report", "digests", "--to", "ops")[1]["digests"]] == [told[0]]
    assert hubsync_json("report", "digests", "--to", "manager")[1]["digests"] == []


def test_what_was_recorded_before_a_moment_is_left_out(told: tuple[str, str], hubsync_json: Json) -> None:
    assert hubsync_json("report", "digests", "--since", "2026-03-03")[1]["digests"] == []
    assert len(hubsync_json("report", "digests", "--since", "2026-03-02")[1]["digests"]) == 3


def test_the_table_says_what_waits(told: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "digests"]) == 0
    printed = capsys.readouterr().out
    assert "3, 3 not delivered yet" in printed
    assert "choose Nurture or Disqualified" in printed


def test_the_sync_that_records_them_lists_them(cli_desk: Desk, hubsync_json: Json) -> None:
    contact = cli_desk.lead("ATTEMPTED_TO_CONTACT", at=ago(days=7, hours=1))
    _, document = hubsync_json("sync", "--full", "--write")
    assert [(d["contact"], d["kind"], d["to"], d["state"]) for d in document["digests"]] == [
        (contact, "digest", "owner", "recorded"),
        (contact, "digest", "manager", "recorded"),
    ]
    _, again = hubsync_json("sync", "--full", "--write")
    assert again["digests"] == []
