"""Errors in the middle of a run: it stops and says how far it came, or goes on; the next run does the rest, once."""

from __future__ import annotations

from collections import Counter

import pytest

from hubsync.cli.main import run as command_line
from hubsync.cli.sync import landed
from hubsync.errors import PortalTemporaryError, RateLimited, TokenRefused
from hubsync.portal.gateway import Gateway
from hubsync.sandbox.schema import ConditionalRule
from hubsync.sync.scope import Scope
from tests.sync.desk import SQL, STAGE, STATUS, Desk, Patience, ago

UPDATE = r"/contacts/batch/update"
CREATE = r"/tasks/batch/create"


def qualified(desk: Desk, count: int) -> list[str]:
    """Leads that were qualified an hour ago, so that their stage is to become SQL."""
    contacts = [desk.lead("CONNECTED") for _ in range(count)]
    for contact in contacts:
        desk.sets(contact, STATUS, "QUALIFIED", at=ago(hours=1))
    return contacts


def words(error: BaseException) -> str:
    """An error as the command line tells it."""
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


def assert_written_once(desk: Desk) -> None:
    """Each property of each contact was effectively written once at most, and no contact has two tasks."""
    assert set(Counter((w.id, w.property) for w in desk.written()).values()) <= {1}
    assert all(len(desk.tasks(contact)) <= 1 for contact in desk.portal.contacts())


def states(desk: Desk, contacts: list[str]) -> Counter[str]:
    """States of the rows of these contacts."""
    return Counter(row.state for row in desk.ledger(*contacts))


def test_a_401_in_the_middle_stops_the_run_says_how_far_and_the_next_one_resumes(desk: Desk) -> None:
    contacts = qualified(desk, 150)
    desk.box.fail("unauthorized", path=UPDATE, skip=1)
    with pytest.raises(TokenRefused) as stopped:
        desk.sync()
    said = words(stopped.value)
    assert "written 100 changes and 0 tasks" in said
    assert "nothing is written twice" in said
    assert "With a token that HubSpot accepts in HUBSYNC_ACCESS_TOKEN, run it again." in said
    assert states(desk, contacts) == {"applied": 100, "sent": 50}
    desk.box.service.faults.clear()
    desk.later(minutes=5)
    outcome = desk.sync()
    assert {desk.stage(c) for c in contacts} == {SQL}
    assert states(desk, contacts) == {"applied": 150, "not_applied": 50}
    assert len(outcome.tally.changes) == 50
    assert_written_once(desk)


def test_a_spent_day_stops_the_run_and_says_when_it_may_go_on_in_the_portals_time(desk: Desk) -> None:
    contacts = qualified(desk, 3)
    desk.box.fail("daily_limited", path=UPDATE)
    with pytest.raises(RateLimited) as stopped:
        desk.sync()
    assert "Run it again after 3 March 2026 00:00 (US/Eastern)." in words(stopped.value)
    desk.box.service.faults.clear()
    desk.later(hours=15)
    desk.new_gateway()
    desk.sync()
    assert {desk.stage(c) for c in contacts} == {SQL}
    assert_written_once(desk)


def test_tasks_that_a_spent_day_kept_from_being_sent_are_created_by_the_next_run_at_once(desk: Desk) -> None:
    contact = desk.lead("NEW", at=ago(hours=1))
    desk.box.fail("daily_limited", path=CREATE)
    with pytest.raises(RateLimited):
        desk.sync()
    [row] = desk.ledger(contact)
    assert row.state == "not_applied"
    assert (row.note or "").startswith("not created: ")
    desk.box.service.faults.clear()
    desk.new_gateway()
    assert [t["state"] for t in desk.sync().tally.tasks] == ["applied"]


@pytest.mark.parametrize("status", [502, 503, 521, 522, 523, 524])
def test_errors_of_the_edge_on_writes_are_outlasted(desk: Desk, status: int) -> None:
    contacts = qualified(desk, 3)
    desk.box.fail("error_html", path=UPDATE, status=status, times=2)
    assert landed(desk.sync())
    assert {desk.stage(c) for c in contacts} == {SQL}
    assert_written_once(desk)


def test_a_524_that_hides_a_write_is_not_written_again(desk: Desk) -> None:
    contacts = qualified(desk, 3)
    desk.box.fail("error_after", path=UPDATE, status=524)
    outcome = desk.sync()
    assert [c["state"] for c in outcome.tally.changes] == ["applied"] * 3
    assert states(desk, contacts) == {"applied": 3}
    assert_written_once(desk)


def test_a_portal_that_is_being_moved_stops_the_run_until_it_is_there(desk: Desk) -> None:
    contacts = qualified(desk, 3)
    desk.box.fail("migrating", path=UPDATE)
    with pytest.raises(PortalTemporaryError) as stopped:
        desk.sync()
    assert "run it again in a while" in words(stopped.value)
    desk.box.service.faults.clear()
    desk.new_gateway()
    desk.sync()
    assert {desk.stage(c) for c in contacts} == {SQL}
    assert_written_once(desk)


@pytest.mark.parametrize("kind", ["partial", "truncated", "shortened", "html_ok"])
def test_what_half_an_answer_leaves_out_is_looked_up_in_the_history(desk: Desk, kind: str) -> None:
    contacts = qualified(desk, 7)
    desk.box.fail(kind, path=UPDATE, times=1)
    outcome = desk.sync()
    assert [c["state"] for c in outcome.tally.changes] == ["applied"] * 7
    assert states(desk, contacts) == {"applied": 7}
    assert len(desk.written(STAGE)) == 7
    assert_written_once(desk)


def test_tasks_that_half_an_answer_leaves_out_are_found_and_not_created_again(desk: Desk) -> None:
    contacts = [desk.lead("NEW", at=ago(hours=1)) for _ in range(7)]
    desk.box.fail("partial", path=CREATE, times=1)
    outcome = desk.sync()
    assert Counter(t["state"] for t in outcome.tally.tasks) == {"applied": 4, "uncertain": 3}
    assert outcome.tally.uncertain == 3
    desk.later(minutes=10)
    again = desk.sync()
    assert (again.tally.tasks, again.tally.uncertain) == ([], 0)
    assert states(desk, contacts) == {"applied": 7}
    assert_written_once(desk)


def test_a_validation_rule_of_the_portal_is_a_named_refusal_of_its_contact_alone(desk: Desk) -> None:
    """Dated paths hold the portal's validation rules (hubspot-api 0)."""
    contacts = qualified(desk, 3)
    desk.sync(contacts[0])  # v3 knows nothing of them
    desk.portal.schemas.rules["contacts"].append(ConditionalRule(STAGE, (SQL,), "jobtitle"))
    desk.portal.update("contacts", contacts[2], {"jobtitle": "Buyer"})
    desk.gateway.close()
    patience = Patience()
    desk.gateway = Gateway(
        desk.box.url,
        lambda: desk.box.token,
        api_version="2026-09",
        clock=patience.clock,
        sleep=patience.sleep,
        now=desk.clock.now,
    )
    outcome = desk.sync()
    found = {c["contact"]: c["state"] for c in outcome.tally.changes}
    assert found == {contacts[1]: "refused", contacts[2]: "applied"}
    [row] = desk.ledger(contacts[1])
    assert "jobtitle" in (row.answer or "")
    assert not landed(outcome)


def test_a_page_that_moves_while_it_is_read_writes_nothing_twice_and_the_rest_comes_next(desk: Desk) -> None:
    contacts = qualified(desk, 30)
    desk.box.fail("moved", path=r"objects/contacts\?", times=1)
    desk.sync()
    assert len(desk.written(STAGE)) == 29
    assert_written_once(desk)
    desk.later(minutes=10)
    desk.sync()
    assert {desk.stage(c) for c in contacts} == {SQL}
    assert_written_once(desk)


def test_a_stale_index_delays_a_contact_and_its_old_values_decide_nothing(desk: Desk) -> None:
    desk.portal.switches.search_lag = 60.0
    contact = desk.lead("CONNECTED", at=ago(hours=2))
    desk.sync(scope=Scope())
    desk.later(minutes=30)
    desk.sets(contact, STATUS, "QUALIFIED")
    desk.later(seconds=10)
    assert desk.sync(scope=Scope()).tally.changes == []  # the index doesn't show the change yet
    desk.later(minutes=5)
    desk.sync(scope=Scope())
    assert desk.stage(contact) == SQL
    assert_written_once(desk)


def test_the_command_line_tells_the_whole_of_it(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    qualified(desk, 2)
    desk.store.close()
    settings = desk.folder / "settings.env"
    settings.write_text(
        f"HUBSYNC_ACCESS_TOKEN={desk.box.token}\nHUBSYNC_API_URL={desk.box.url}\n"
        f"HUBSYNC_DATABASE_URL={desk.url}\nHUBSYNC_EFFECTIVE_SINCE=2020-01-01T00:00:00Z\n"
    )
    desk.box.fail("unauthorized", path=UPDATE)
    assert command_line(["--env-file", str(settings), "sync", "--write", "--full"]) == 3
    told = capsys.readouterr().err
    assert "HubSpot refused the token (401)" in told
    assert "Run 1 had looked at 2 contacts, written 0 changes and 0 tasks" in told
