"""The mirror, its timers, and the history behind the reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from hubsync.store import PlanCount, PlanEntry, StatusChange, Stint, Store
from tests.store.builders import MINUTE, NOW, PORTAL, a_look, a_run, a_write


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Every statement that reaches a database meanwhile, BEGIN apart."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_a_look_comes_back_as_it_was_saved(store: Store) -> None:
    look = a_look(
        properties={"hs_lead_status": "NEW", "email": "known", "jobtitle": None, "city": "Zürich ✓"},
        next_look_at=NOW + MINUTE,
        facts={"history": {"stamp": "7", "value": [1, None, {"a": "b"}]}},
    )
    store.save_looks(PORTAL, [look])
    assert store.looks(PORTAL, ["101", "102"]) == {"101": look}
    assert store.looked(PORTAL, ["101", "102"]) == {"101": NOW}


def test_a_later_look_replaces_the_earlier_and_keeps_the_facts_it_does_not_know(store: Store) -> None:
    store.save_looks(PORTAL, [a_look(next_look_at=NOW, facts={"deals": {"stamp": "1", "value": []}})])
    store.save_looks(PORTAL, [a_look(digest="d2", properties={"hs_lead_status": None}, read_at=NOW + MINUTE)])
    found = store.looks(PORTAL, ["101"])["101"]
    assert (found.digest, found.properties, found.read_at) == ("d2", {"hs_lead_status": None}, NOW + MINUTE)
    assert found.next_look_at is None
    assert found.facts == {"deals": {"stamp": "1", "value": []}}
    store.save_looks(PORTAL, [a_look(facts={})])
    assert store.looks(PORTAL, ["101"])["101"].facts == {}


def test_of_equal_contacts_in_one_call_the_last_is_kept(store: Store) -> None:
    store.save_looks(PORTAL, [a_look(digest="first"), a_look(digest="last")])
    assert store.looks(PORTAL, ["101"])["101"].digest == "last"


def test_timers_that_fell_due_come_longest_due_first(store: Store) -> None:
    store.save_looks(
        PORTAL,
        [
            a_look("101", next_look_at=NOW),
            a_look("102", next_look_at=NOW - MINUTE),
            a_look("103", next_look_at=NOW + MINUTE),
            a_look("104"),
        ],
    )
    store.save_looks(99, [a_look("105", next_look_at=NOW)])
    assert store.due(PORTAL, NOW, 10) == ("102", "101")
    assert store.due(PORTAL, NOW, 1) == ("102",)
    store.save_looks(PORTAL, [a_look("102", next_look_at=NOW + MINUTE)])
    assert store.due(PORTAL, NOW, 10) == ("101",)


def test_the_mirror_is_read_whole_in_chunks(store: Store) -> None:
    ids = [str(number) for number in range(1, 26)]
    store.save_looks(PORTAL, [a_look(id_) for id_ in ids])
    store.save_looks(99, [a_look("7")])
    with counted_statements() as statements:
        found = [look.contact for look in store.mirror(PORTAL, chunk=10)]
    assert sorted(found, key=int) == ids
    assert len(statements) == 3
    assert [look.contact for look in store.mirror(PORTAL, chunk=25)] == found


def test_one_can_write_while_reading_the_mirror(store: Store) -> None:
    store.save_looks(PORTAL, [a_look(str(number)) for number in range(20)])
    for look in store.mirror(PORTAL, chunk=5):
        store.save_looks(PORTAL, [a_look(look.contact, digest="seen")])
    assert {look.digest for look in store.mirror(PORTAL)} == {"seen"}


def test_the_history_of_a_contact_is_replaced_as_a_whole(store: Store) -> None:
    changes = [
        StatusChange("101", "hs_lead_status", position, value, NOW + position * MINUTE, "CRM_UI", "userId:7", "7")
        for position, value in enumerate(["NEW", None, "CONNECTED"])
    ]
    stints = [Stint("101", "hs_lead_status", 0, "NEW", NOW, NOW + MINUTE, "9", "team", "FORM")]
    kept = StatusChange("102", "hs_lead_status", 0, "NEW", NOW, "FORM")
    store.save_history(PORTAL, ["101", "102"], [*changes, kept], stints)
    assert store.status_changes(PORTAL, ["101", "102"]) == {"101": tuple(changes), "102": (kept,)}
    assert store.stints(PORTAL, ["101", "102"]) == {"101": tuple(stints)}
    store.save_history(PORTAL, ["101"], changes[:1], [])
    assert store.status_changes(PORTAL, ["101", "102"]) == {"101": tuple(changes[:1]), "102": (kept,)}
    assert store.stints(PORTAL, ["101"]) == {}


def test_a_plan_is_spooled_in_order_and_read_in_chunks(store: Store) -> None:
    run, other = a_run(store), a_run(store)
    entries = [PlanEntry(str(number % 7), "change", "rule", {"to": number}) for number in range(25)]
    finding = PlanEntry(None, "finding", None, {"message": "the portal lacks an option"})
    store.append_plan(PORTAL, run, entries[:10])
    store.append_plan(PORTAL, run, entries[10:])
    store.append_plan(PORTAL, run, [])
    store.append_plan(PORTAL, run, [finding])
    store.append_plan(PORTAL, other, entries[:1])
    with counted_statements() as statements:
        assert list(store.plan(PORTAL, run, chunk=10)) == [*entries, finding]
    assert len(statements) == 3
    assert store.plan_counts(PORTAL, run) == {"change": PlanCount(25, 7), "finding": PlanCount(1, 0)}
    assert list(store.plan(PORTAL, other)) == entries[:1]


def test_lists_of_any_length_cost_few_statements(store: Store) -> None:
    ids = [str(number) for number in range(5_001)]
    run = a_run(store)
    store.plan_writes(PORTAL, run, [a_write(id_) for id_ in ids[-1_001:]])
    with counted_statements() as statements:
        assert len(store.ledger_of(PORTAL, ids[:5_000])) == 1_000
    assert len(statements) == 1
    with counted_statements() as statements:
        assert len(store.ledger_of(PORTAL, ids)) == 1_001
    assert len(statements) == 2


def test_a_text_with_a_nul_character_does_not_sink_the_batch(store: Store) -> None:
    odd = a_look("101", properties={"jobtitle": "\x00 boss \\u0000"})
    store.save_looks(PORTAL, [odd, a_look("102")])
    assert store.looks(PORTAL, ["101", "102"]) == {"101": odd, "102": a_look("102")}
