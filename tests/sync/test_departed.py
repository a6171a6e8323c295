"""Contacts that a look at everything doesn't show any more: merged several times over unseen, deleted, restored."""

from __future__ import annotations

from dataclasses import replace

from hubsync.sandbox import acts
from hubsync.store.values import Look
from hubsync.sync.scope import Scope
from tests.sync.desk import STATUS, Desk, acted, ago


def merged_twice(desk: Desk, *, apart: int = 0) -> tuple[str, str, str]:
    """Three leads; the cause of the first fired, then it was merged into the second, and that into the third.

    The mail that made the first Attempting comes along with it; the third is still New, since the same moment, or some
    seconds `apart`.
    """
    first, second, third = (
        desk.lead("NEW", at=ago(days=1, seconds=n * apart), email=f"{n}@example.com") for n in range(3)
    )
    acts.rep_sends_email(desk.portal, first, desk.rep, at=ago(hours=1))
    desk.sync()
    assert [desk.status(c) for c in (first, second, third)] == ["ATTEMPTED_TO_CONTACT", "NEW", "NEW"]
    desk.later(hours=1)
    acts.merge_contacts(desk.portal, second, first)
    acts.merge_contacts(desk.portal, third, second)
    assert desk.value(third, "hs_merged_object_ids") == second
    return first, second, third


def statuses_written(desk: Desk, contact: str) -> list[str]:
    return [w.after for w in desk.written(STATUS) if w.id == contact]


def test_a_merge_of_a_merge_takes_the_ledger_aliases_and_mirror_of_the_first_to_the_last(desk: Desk) -> None:
    first, second, third = merged_twice(desk, apart=1)
    rows = {row.id for row in desk.ledger(first, second, third)}
    desk.later(hours=1)
    desk.sync()
    portal = desk.portal.portal_id
    assert desk.store.survivors(portal, [first, second]) == {first: third, second: third}
    assert set(desk.store.looks(portal, [first, second, third])) == {third}
    assert rows <= {row.id for row in desk.ledger(third)}


def test_a_cause_that_fired_two_merges_ago_fires_no_second_time(desk: Desk) -> None:
    _first, _second, third = merged_twice(desk)
    for _ in range(3):
        desk.later(hours=1)
        desk.sync()
    assert statuses_written(desk, third) == []
    assert desk.status(third) == "NEW"


def test_a_timer_of_the_first_of_three_takes_it_to_the_last(desk: Desk) -> None:
    first, second, third = merged_twice(desk)
    desk.store.save_looks(desk.portal.portal_id, [due_now(desk, first)])
    desk.later(hours=1)
    desk.sync(scope=Scope())
    assert desk.store.survivors(desk.portal.portal_id, [first, second]) == {first: third, second: third}
    assert statuses_written(desk, third) == []


def due_now(desk: Desk, contact: str) -> Look:
    [row] = desk.store.looks(desk.portal.portal_id, [contact]).values()
    return replace(row, next_look_at=desk.clock.now())


def test_a_deleted_contact_leaves_the_mirror_with_the_next_look_at_everything(desk: Desk) -> None:
    gone, stays = (desk.lead("NEW", at=ago(days=1), email=f"{n}@example.com") for n in range(2))
    desk.sync()
    portal, rows = desk.portal.portal_id, desk.ledger(gone)
    assert rows
    acts.delete_contact(desk.portal, gone, desk.rep)
    desk.later(minutes=5)
    desk.sync(scope=Scope())
    assert set(desk.store.looks(portal, [gone, stays])) == {gone, stays}, "what changed shows no deletions"
    desk.sync()
    assert set(desk.store.looks(portal, [gone, stays])) == {stays}
    assert desk.ledger(gone) == rows


def test_a_restored_contact_is_back_as_it_was_with_its_ledger(desk: Desk) -> None:
    contact = desk.lead("NEW", at=ago(days=1))
    acts.rep_sends_email(desk.portal, contact, desk.rep, at=ago(hours=1))
    desk.sync()
    desk.later(minutes=5)
    desk.sync()
    portal, rows = desk.portal.portal_id, desk.ledger(contact)
    [before] = desk.store.looks(portal, [contact]).values()
    acts.delete_contact(desk.portal, contact, desk.rep)
    desk.later(minutes=5)
    desk.sync()
    assert desk.store.looks(portal, [contact]) == {}
    acts.restore_contact(desk.portal, contact)
    desk.later(minutes=5)
    assert acted(desk.sync()) == []
    [after] = desk.store.looks(portal, [contact]).values()
    assert after.properties[STATUS] == before.properties[STATUS] == "ATTEMPTED_TO_CONTACT"
    assert after.next_look_at == before.next_look_at
    assert desk.ledger(contact) == rows
