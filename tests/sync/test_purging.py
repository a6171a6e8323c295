"""After a purge a portal is as it was: nothing fires again, runs can be undone, and nobody waits for long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from hubsync.sandbox import acts
from hubsync.store import PlanEntry, Write
from hubsync.store.purging import Purging, Slice
from hubsync.sync import purging
from hubsync.sync.holding import Holding, Waiting, read_holding, save_holding
from hubsync.sync.purging import cut_for, erase, purge
from hubsync.sync.scope import PURGED
from hubsync.sync.undo import plan_undo, write_undo
from tests.sync.desk import GENEROUS, MQL, SQL, STATUS, Desk, acted, ago

QUARTER = timedelta(days=90)


def history(desk: Desk) -> list[str]:
    """Leads of every kind that hubsync wrote to, and whose tasks were completed, a quarter ago."""
    fresh = desk.lead("", MQL, at=ago(hours=1), email="1@example.com")
    mailed = desk.lead("NEW", at=ago(days=1), email="2@example.com")
    acts.rep_sends_email(desk.portal, mailed, desk.rep, at=ago(hours=1))
    qualified = desk.lead("CONNECTED", email="3@example.com")
    desk.sets(qualified, STATUS, "QUALIFIED", at=ago(hours=1))
    sold = desk.lead("IN_PROGRESS", SQL, email="4@example.com")
    acts.create_deal(desk.portal, sold, owner=desk.rep, at=ago(hours=1))
    both = desk.lead("NEW", at=ago(days=1), email="5@example.com")
    acts.rep_sends_email(desk.portal, both, desk.rep, at=ago(hours=3))
    acts.create_deal(desk.portal, both, owner=desk.rep, at=ago(hours=1))
    left = [fresh, mailed, qualified, sold, both]
    desk.sync()
    for contact in left:
        for task in desk.tasks(contact):
            acts.complete_task(desk.portal, task.id)
    desk.later(days=1)
    desk.sync()
    desk.later(days=89)
    desk.sync()
    return left


def purged(desk: Desk, days: int = 60) -> dict[str, int]:
    now = desk.clock.now()
    return purge(desk.store, desk.portal.portal_id, cut_for(now, timedelta(days=days)), pause=lambda _s: None)


def forgets_what_faded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a purge left no fingerprints."""
    monkeypatch.setattr(Purging, "faded", lambda _self, _contacts: {})


def open_again(desk: Desk) -> list[Write]:
    return [row for row in desk.ledger(*desk.portal.tables["contacts"].records) if row.kind == "task"]


def test_after_a_purge_of_everything_old_nothing_fires_again(desk: Desk) -> None:
    contacts = history(desk)
    before = {c: (desk.status(c), desk.stage(c), len(desk.tasks(c))) for c in contacts}
    assert acted(desk.sync()) == []
    gone = purged(desk)
    assert gone["write"] >= 2
    assert gone["run"] >= 1
    assert open_again(desk) == []
    written = len(desk.written())
    for outcome in (desk.plan(), desk.sync(), desk.sync()):
        assert acted(outcome) == []
    assert len(desk.written()) == written
    assert {c: (desk.status(c), desk.stage(c), len(desk.tasks(c))) for c in contacts} == before


def test_it_is_the_fingerprints_that_keep_a_task_from_being_written_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(desk)
    purged(desk)
    desk.store.set_cursor(desk.portal.portal_id, PURGED, "")
    assert acted(desk.plan()) == []
    forgets_what_faded(monkeypatch)
    assert "planned" in acted(desk.plan())


def test_without_fingerprints_what_lies_before_the_purge_does_not_fire(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(desk)
    cut = desk.clock.now() - timedelta(days=60)
    purged(desk)
    purged(desk, days=80)  # an older cut takes nothing of it back
    forgets_what_faded(monkeypatch)
    outcome = desk.plan()
    assert acted(outcome) == []
    assert outcome.since == cut


def test_a_moment_that_somebody_set_reaches_beyond_the_retention_as_long_as_nothing_was_purged(desk: Desk) -> None:
    lead = desk.lead("", MQL, at=ago(days=1_000))
    assert [(c["contact"], c["state"]) for c in desk.plan().tally.changes] == [(lead, "planned")]


def test_a_lead_that_is_merged_after_a_purge_brings_its_fired_causes_along(desk: Desk) -> None:
    gone = desk.lead("NEW", at=ago(hours=1), email="gone@example.com")
    desk.sync()
    [task] = desk.tasks(gone)
    acts.complete_task(desk.portal, task.id)
    desk.later(days=1)
    desk.sync()
    desk.later(days=90)
    assert purged(desk)["write"] == 1
    kept = desk.lead("", at=desk.clock.now(), email="kept@example.com")
    survivor = acts.merge_contacts(desk.portal, kept, gone)
    desk.store.merge(desk.portal.portal_id, gone, survivor)
    assert desk.store.purging(desk.portal.portal_id).faded([survivor]).keys() == {survivor}


def test_a_run_is_undone_after_a_purge_as_before_it(desk: Desk) -> None:
    contacts = history(desk)
    session = desk.session()
    before = plan_undo(session, desk.store, 1)
    purged(desk)
    after = plan_undo(desk.session(), desk.store, 1)
    told = {(c.write.contact, c.write.target): (c.state, c.write.before) for c in after.changes}
    assert told == {(c.write.contact, c.write.target): (c.state, c.write.before) for c in before.changes}
    assert (before.purged, after.purged > 0) == (0, True)
    write_undo(desk.session(), desk.store, 1, GENEROUS)
    assert not desk.status(contacts[0])
    assert desk.status(contacts[1]) == "NEW"


def test_a_task_that_is_still_open_stays_and_is_withdrawn_when_its_reason_goes(desk: Desk) -> None:
    contact = desk.lead("NEW", at=ago(hours=1))
    desk.sync()
    desk.later(days=90)
    purged(desk)
    assert len(desk.tasks(contact)) == 1
    desk.sets(contact, STATUS, "CONNECTED")
    desk.later(days=1)
    desk.sync()
    assert desk.tasks(contact) == []


def test_setups_keep_their_plans(desk: Desk) -> None:
    portal = desk.portal.portal_id
    run = desk.store.start_run(portal, "setup", {}, "r", ago(days=900))
    desk.store.append_plan(portal, run, [PlanEntry(None, "adding", None, {"what": "property"})])
    desk.store.finish_run(portal, run, "done", {}, ago(days=900))
    assert purged(desk) == {"tombstone": 0}
    assert len(list(desk.store.plan(portal, run))) == 1


def test_slices_shrink_when_they_take_long_and_whoever_waits_gets_a_turn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    rests: list[float] = []

    def slices(_self: Purging, _cut: object, size: Callable[[], int], _clock: object) -> Iterator[Slice]:
        for seconds in (0.001, 0.040, 0.010, 9.0):
            sizes.append(size())
            yield Slice("write", sizes[-1], seconds)

    monkeypatch.setattr(Purging, "slices", slices)
    purge(desk.store, 1, cut_for(ago(), QUARTER), pause=rests.append)
    assert sizes == [50, 100, 25, 25]
    assert rests == [0.001, 0.040, 0.010, purging.LONGEST_PAUSE]


def test_nothing_younger_than_sixty_days_is_ever_purged() -> None:
    assert cut_for(ago(), timedelta(days=1)).before == ago(days=60)
    assert cut_for(ago(), timedelta(days=61)).before == ago(days=61)


def test_an_erased_contact_is_not_held_back_any_more(desk: Desk) -> None:
    portal = desk.portal.portal_id
    tasks = tuple(Waiting(c, "rule", "Call", None, "hours", None) for c in ("1", "2", "3"))
    save_holding(desk.store, portal, replace(Holding(), tasks=tasks))
    desk.store.merge(portal, "1", "2")
    erase(desk.store, portal, ["2"], ago())
    assert [t.contact for t in read_holding(desk.store, portal).tasks] == ["3"]
    assert desk.store.buried(portal, ["1", "2", "3"], ago()) == {"1", "2"}
