"""Two hubsyncs on one portal, each with a database of its own: whichever comes second is refused before it writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hubsync.errors import StoreError
from hubsync.sandbox import acts
from hubsync.sandbox.acts.sources import integration
from hubsync.store.database import open_store
from hubsync.sync import reconcile
from hubsync.sync.backlog import Categories
from hubsync.sync.lease import PortalLease
from hubsync.sync.neighbours import ALONE, admit_alone
from hubsync.sync.reconcile import Outcome
from hubsync.sync.scope import Scope
from hubsync.sync.treating import treatment_of, write_treatment
from tests.sync.bulk_desk import asked
from tests.sync.bulk_desk import write as set_status
from tests.sync.desk import GENEROUS, MQL, SQL, STAGE, STATUS, Desk, ago
from tests.sync.undoing import LAST_ACTION, undo

RECENT = Scope()


@pytest.fixture
def other(desk: Desk, tmp_path: Path) -> Iterator[Callable[..., Outcome]]:
    """`other(adopt=False)`: another hubsync with the same token, which looks at everything."""
    with open_store("sqlite:///other.db", base=tmp_path) as store:

        def sync(*, adopt: bool = False) -> Outcome:
            session = reconcile.Session(desk.gateway, desk.bound(), store, desk.clock.now, desk.effective_since)
            return reconcile.write(session, store, Scope(full=True), GENEROUS, adopt=adopt)

        yield sync


def both_at_work(desk: Desk, other: Callable[..., Outcome]) -> str:
    """The contact that the other hubsync wrote to half an hour ago; ours wrote to another one before."""
    ours, theirs = (desk.lead("CONNECTED", email=f"{n}@example.com") for n in range(2))
    desk.sets(ours, STATUS, "QUALIFIED", at=ago(hours=1))
    desk.sync()
    desk.later(hours=2)
    desk.sets(theirs, STATUS, "QUALIFIED")
    desk.later(minutes=30)
    other(adopt=True)
    assert desk.stage(theirs) == "salesqualifiedlead"
    desk.later(minutes=30)
    return theirs


def treat(desk: Desk) -> None:
    categories = Categories(desk.bound().policy, desk.loaded.files.portal.backlog)
    treatment = treatment_of(desk.bound(), categories, "mql_without_status", None)
    write_treatment(desk.session(), desk.store, categories, treatment, GENEROUS)


COMMANDS: dict[str, Callable[[Desk], object]] = {
    "sync": lambda desk: desk.sync(),
    "sync of what is new": lambda desk: desk.sync(scope=RECENT),
    "set-status": lambda desk: set_status(desk, asked(desk, "nurture", "lead_status is connected")),
    "backlog --treat": treat,
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_second_hubsync_with_the_same_token_stops_every_command_that_writes(
    desk: Desk, other: Callable[..., Outcome], command: Callable[[Desk], object]
) -> None:
    theirs = both_at_work(desk, other)
    written, runs = len(desk.portal.journal.writes), desk.store.runs(desk.portal.portal_id)
    with pytest.raises(StoreError) as refused:
        command(desk)
    message = str(refused.value)
    assert f"app {desk.portal.app_id} set lifecyclestage of contact {theirs}" in message
    assert 'to "salesqualifiedlead" at 2026-03-02T17:30' in message
    assert "a second hubsync is at work on portal" in message
    assert "hubsync sync --write --adopt" in message
    assert refused.value.exit_code == 3
    assert (len(desk.portal.journal.writes), desk.store.runs(desk.portal.portal_id)) == (written, runs)


def test_a_second_hubsync_with_a_token_of_its_own_is_told_by_its_signature(desk: Desk) -> None:
    desk.lead("NEW", at=ago(hours=1))
    desk.sync()
    theirs = desk.lead("CONNECTED", email="theirs@example.com")
    desk.later(hours=2)
    source = integration("4711", "Another key")
    desk.portal.update("contacts", theirs, {"hubsync_reason": "", LAST_ACTION: "Working: … (A10)"}, source=source)
    desk.later(minutes=1)
    with pytest.raises(StoreError, match=f"app 4711 set {LAST_ACTION} of contact {theirs}"):
        desk.sync()


def test_an_app_that_sets_the_status_without_the_signature_is_no_hubsync(desk: Desk) -> None:
    contact = desk.lead("NEW", at=ago(days=1))
    desk.sets(contact, STAGE, MQL, at=ago(hours=1))
    desk.sync()
    desk.later(hours=2)
    acts.integration_sets(desk.portal, contact, STATUS, "CONNECTED", app_id="4711")
    acts.person_sets(desk.portal, contact, LAST_ACTION, "I did this", desk.rep)
    desk.later(hours=2)
    assert desk.sync().tally.contacts == 1
    assert desk.status(contact) == "CONNECTED"


def test_an_app_that_reacts_to_our_write_within_a_second_is_no_hubsync(desk: Desk) -> None:
    contact = desk.lead("", MQL, at=ago(days=1))
    desk.sync()  # becomes New (A2), signed
    acts.integration_sets(desk.portal, contact, STAGE, SQL, app_id="4711")
    desk.later(hours=2)
    acts.person_sets(desk.portal, contact, STATUS, "CONNECTED", desk.rep)
    desk.sync()
    assert desk.status(contact) == "CONNECTED"


def test_once_adopted_what_came_before_is_ours_and_what_comes_after_is_anothers(
    desk: Desk, other: Callable[..., Outcome]
) -> None:
    theirs = both_at_work(desk, other)
    session = desk.session()
    reconcile.write(session, desk.store, Scope(full=True), GENEROUS, adopt=True)
    desk.later(hours=2)
    ours = desk.lead("QUALIFIED", "lead", email="ours@example.com")
    desk.sync()
    desk.later(minutes=1)
    with pytest.raises(StoreError, match=f"of contact {ours}.*a second hubsync"):
        other()  # for which our entries are another's in its turn
    desk.later(hours=2)
    source = integration(desk.portal.app_id, "hubsync")
    desk.portal.update("contacts", theirs, {STATUS: "NURTURE", LAST_ACTION: "Nurture: …"}, source=source)
    desk.later(minutes=1)
    with pytest.raises(StoreError, match=f"hs_lead_status of contact {theirs}"):
        desk.sync()


def test_whose_last_write_is_a_month_old_is_at_work_no_more(desk: Desk, other: Callable[..., Outcome]) -> None:
    theirs = both_at_work(desk, other)
    with pytest.raises(StoreError, match=f"of contact {theirs}"):
        desk.sync()
    desk.later(days=31)
    assert desk.sync().run is not None


def test_a_new_database_is_refused_by_set_status_as_by_sync(desk: Desk, tmp_path: Path) -> None:
    contact = desk.lead("QUALIFIED", "lead")
    desk.sync()
    assert desk.value(contact, LAST_ACTION)
    desk.later(days=40)
    desk.store.close()
    desk.store = open_store("sqlite:///new.db", base=tmp_path)
    with pytest.raises(StoreError, match=r"1 contact with hubsync_last_action.*--adopt"):
        set_status(desk, asked(desk, "nurture", "lead_status is qualified"))
    assert desk.store.runs(desk.portal.portal_id) == ()


def test_nothing_of_what_hubsync_itself_writes_is_taken_for_anothers(desk: Desk) -> None:
    """Rules, undo with its two steps, set-status, a person who is put right, and the same rule a week later."""
    contact = desk.lead("QUALIFIED", "lead")
    first = desk.sync().run
    desk.later(hours=2)
    undo(desk, first, allow_backward=True)
    desk.later(hours=2)
    set_status(desk, asked(desk, "new", "lead_status is qualified"))
    desk.later(hours=2)
    acts.rep_sends_email(desk.portal, contact, desk.rep)
    for _ in range(3):
        desk.later(hours=2)
        desk.sync()
    desk.sets(contact, STATUS, "NEW")
    desk.later(days=8)
    acts.rep_sends_email(desk.portal, contact, desk.rep)
    for _ in range(3):
        desk.later(hours=2)
        desk.sync()
    assert len(desk.written(LAST_ACTION)) >= 4


def test_it_costs_three_calls_an_hour_at_most(desk: Desk) -> None:
    for n in range(60):
        desk.lead("QUALIFIED", "lead", email=f"{n}@example.com")
    desk.sync()
    costs = []
    for wait in (timedelta(), timedelta(minutes=59), timedelta(minutes=2), timedelta(minutes=30)):
        desk.clock.advance(wait)
        costs.append(calls_for_it(desk))
    assert costs == [0, 0, 3, 0]
    desk.store.set_cursor(desk.portal.portal_id, ALONE, (desk.clock.now() + timedelta(hours=3)).isoformat())
    assert calls_for_it(desk) == 3, "an answer from the future counts for nothing"


def calls_for_it(desk: Desk) -> int:
    session = desk.session()
    before = desk.gateway.calls
    with PortalLease(desk.store, session.portal.id, "a test") as lease:
        admit_alone(session, desk.store, lease, desk.clock.now())
    return desk.gateway.calls - before
