"""What a purge takes and what it leaves; that no cause is spent twice because of it; and that a kill does no harm."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hubsync.policy.faded import faded
from hubsync.store import NewWrite, Override, PlanEntry, Settlement, StatusChange, Stint, Store, open_store
from hubsync.store.purging import COUNTED, LAST_RUN, Cut
from tests.store.builders import NOW, PORTAL, a_look, a_run, a_write

ROOT = Path(__file__).parents[2]
OLD = NOW - timedelta(days=800)
CUT = Cut(before=NOW - timedelta(days=730), now=NOW, by_value=frozenset({"hs_lead_status"}))


def ran(store: Store, rows: Sequence[NewWrite], at: datetime = OLD, *, kind: str = "sync") -> int:
    """A finished run that wrote these rows, all of them applied unless they are planned superseded."""
    run = store.start_run(PORTAL, kind, {}, "rules-1", at)
    planned = store.plan_writes(PORTAL, run, rows)
    sent = [p.id for p in planned if p.state == "planned"]
    store.mark_sent(PORTAL, sent, at)
    store.settle(PORTAL, [Settlement(id_, "applied", at, object_id=f"t{id_}") for id_ in sent])
    store.finish_run(PORTAL, run, "done", {"changes_applied": len(sent)}, at)
    return run


def purge(store: Store, cut: Cut = CUT, size: int = 2) -> dict[str, int]:
    gone: dict[str, int] = {}
    for part in store.purging(PORTAL).slices(cut, lambda: size):
        gone[part.table] = gone.get(part.table, 0) + part.rows
    return {table: rows for table, rows in gone.items() if rows}


def previewed(store: Store, cut: Cut = CUT) -> dict[str, int]:
    return {table: rows for table, rows in store.purging(PORTAL).preview(cut).items() if rows}


def causes(store: Store, *contacts: str) -> list[str]:
    return [row.cause_key for rows in store.ledger_of(PORTAL, contacts or ["101"]).values() for row in rows]


def test_the_latest_write_of_each_value_stays_and_what_it_replaced_goes(store: Store) -> None:
    rows = [a_write(cause_key=f"c:{n}", after=value) for n, value in enumerate(("NEW", "CONNECTED", "NEW"))]
    ran(store, rows)
    assert previewed(store) == purge(store) == {"write": 1}
    assert causes(store) == ["c:1", "c:2"]


def test_of_any_other_property_the_latest_write_alone_stays(store: Store) -> None:
    rows = [a_write(cause_key=f"c:{n}", target="hubsync_review_date", after=f"2024-01-0{n + 1}") for n in range(3)]
    ran(store, rows)
    assert purge(store) == {"write": 2}
    assert causes(store) == ["c:2"]


def test_a_cause_whose_row_was_purged_is_not_spent_again(store: Store) -> None:
    rows = [a_write(cause_key=f"c:{n}", after="NEW") for n in range(3)]
    ran(store, rows)
    purge(store)
    mark = faded("attempting_on_first_rep_outreach|c:0|hs_lead_status")
    assert mark in store.purging(PORTAL).faded(["101", "102"])["101"]
    answers = store.plan_writes(
        PORTAL, a_run(store), [rows[0], a_write("102", cause_key="c:0"), a_write(cause_key="n")]
    )
    assert [answer.fresh for answer in answers] == [False, True, True]
    assert (answers[0].id, answers[0].state) == (0, "superseded")


@pytest.mark.parametrize(("state", "fresh"), [("refused", True), ("not_applied", True), ("undone", False)])
def test_a_row_that_had_freed_its_key_leaves_it_free(store: Store, state: str, fresh: bool) -> None:
    run = store.start_run(PORTAL, "sync", {}, "rules-1", OLD)
    [row] = store.plan_writes(PORTAL, run, [a_write(kind="task", target="first_contact")])
    store.settle(PORTAL, [Settlement(row.id, "applied", OLD)])
    store.close_tasks(PORTAL, {row.id: OLD})
    if state != "undone":
        [row] = store.plan_writes(PORTAL, run, [a_write("102", kind="task", target="first_contact")])
    store.settle(PORTAL, [Settlement(row.id, state, OLD)])  # type: ignore[arg-type]
    store.finish_run(PORTAL, run, "done", {}, OLD)
    purge(store)
    contact = "101" if state == "undone" else "102"
    again = store.plan_writes(PORTAL, a_run(store), [a_write(contact, kind="task", target="first_contact")])
    assert again[0].fresh is fresh


def test_a_spent_cause_without_a_write_goes_and_stays_spent(store: Store) -> None:
    ran(store, [a_write(state="superseded")])
    assert purge(store) == {"write": 1, "run": 1}
    assert not store.plan_writes(PORTAL, a_run(store), [a_write()])[0].fresh


def test_what_is_needed_stays_however_old_it_is(store: Store) -> None:
    task = a_write(cause_key="task", kind="task", target="first_contact")
    undo = [a_write(cause_key=f"undo:{n}", kind="undo", after="NEW") for n in (1, 2)]
    run = ran(store, [task, *undo])
    store.plan_writes(PORTAL, run, [a_write(cause_key="uncertain")])
    assert previewed(store) == purge(store) == {}
    assert causes(store) == ["task", "undo:1", "undo:2", "uncertain"]
    store.close_tasks(PORTAL, {store.ledger_of(PORTAL, ["101"])["101"][0].id: NOW})
    assert purge(store) == {"write": 1}


def test_a_write_that_only_an_undone_one_followed_stays(store: Store) -> None:
    ran(store, [a_write(cause_key="a", after="NEW")])
    ran(store, [a_write(cause_key="b", after="NEW")])
    last = store.ledger_of(PORTAL, ["101"])["101"][-1]
    store.settle(PORTAL, [Settlement(last.id, "undone", OLD)])
    assert purge(store) == {}


def test_rows_of_younger_and_of_unfinished_runs_stay(store: Store) -> None:
    ran(store, [a_write(cause_key=f"c:{n}", state="superseded") for n in range(2)], NOW - timedelta(days=700))
    store.plan_writes(
        PORTAL, store.start_run(PORTAL, "sync", {}, "r", OLD), [a_write(cause_key="open", state="superseded")]
    )
    assert previewed(store) == purge(store) == {}
    assert len(causes(store)) == 3


def test_runs_go_with_their_plans_and_a_kept_kind_keeps_both(store: Store) -> None:
    for kind in ("sync", "setup"):
        run = ran(store, [], kind=kind)
        store.append_plan(PORTAL, run, [PlanEntry(None, "adding", None, {"n": n}) for n in range(5)])
    cut = Cut(before=CUT.before, now=NOW, kept_kinds=frozenset({"setup"}))
    assert previewed(store, cut) == purge(store, cut) == {"plan_entry": 5, "run": 1}
    assert [run.kind for run in store.runs(PORTAL)] == ["setup"]
    assert len(list(store.plan(PORTAL, run))) == 5
    assert store.cursor(PORTAL, LAST_RUN) == "1"


def test_a_run_of_which_something_stays_says_how_much_of_it_went(store: Store) -> None:
    run = ran(store, [a_write(cause_key=f"c:{n}", after="NEW") for n in range(4)])
    purge(store)
    kept = store.run(PORTAL, run)
    assert kept is not None
    assert kept.counts == {"changes_applied": 4, COUNTED: 3}


def test_overrides_ended_stays_and_graves_go_and_the_value_in_force_stays(store: Store) -> None:
    for at in (OLD, NOW):
        store.log_overrides(PORTAL, [Override("101", "r", "hs_lead_status", at, "CRM_UI", "NEW", "OPEN", "c")])
    changes = [
        StatusChange("101", "hs_lead_status", n, f"v{n}", OLD + timedelta(days=n * 60), "CRM_UI") for n in range(3)
    ]
    stints = [Stint("101", "hs_lead_status", n, "v", OLD, left) for n, left in enumerate((OLD, NOW, None))]
    store.save_history(PORTAL, ["101"], changes, stints)
    store.save_looks(PORTAL, [a_look("909")])
    store.erase(PORTAL, ["909"], until=NOW - timedelta(days=1))
    expected = {"override": 1, "status_change": 1, "stint": 1, "tombstone": 1}
    assert previewed(store) == expected
    assert purge(store) == expected
    assert [o.at for o in store.overrides(PORTAL)] == [NOW]
    assert [c.position for c in store.status_changes(PORTAL, ["101"])["101"]] == [1, 2]
    assert [s.left_at for s in store.stints(PORTAL, ["101"])["101"]] == [NOW, None]


def test_another_portal_is_left_alone(store: Store) -> None:
    run = store.start_run(99, "sync", {}, "r", OLD)
    store.plan_writes(99, run, [a_write(state="superseded")])
    store.finish_run(99, run, "done", {}, OLD)
    assert purge(store) == {}
    assert len(store.ledger_of(99, ["101"])["101"]) == 1


def test_fingerprints_follow_a_merge_and_a_renamed_rule_and_go_with_an_erasure(store: Store) -> None:
    both = [a_write(contact, cause_key="c", rule="old", state="superseded") for contact in ("101", "202")]
    ran(store, [*both, a_write("101", cause_key="d", rule="old", state="superseded")])
    purge(store)
    store.merge(PORTAL, "101", "202")
    store.activate_rules(PORTAL, ["old"], OLD)
    store.activate_rules(PORTAL, ["new"], NOW, was={"new": ["old"]})
    again = [a_write("202", cause_key=cause, rule="new") for cause in ("c", "d")]
    assert [answer.fresh for answer in store.plan_writes(PORTAL, a_run(store), again)] == [False, False]
    assert store.purging(PORTAL).of_contacts(["202", "101"])["faded"] == 2
    store.erase(PORTAL, ["202"], until=NOW)
    assert set(store.purging(PORTAL).of_contacts(["202", "101"]).values()) == {0}


def test_pages_that_became_free_are_given_back_to_the_disk(tmp_path: Path) -> None:
    with open_store("sqlite:///hubsync.db", base=tmp_path) as store:
        run = ran(store, [])
        store.append_plan(PORTAL, run, [PlanEntry(None, "change", None, {"text": "x" * 900}) for _ in range(2_000)])
        purge(store, size=500)
        assert store.purging(PORTAL).give_back(10) == 10
        assert store.purging(PORTAL).give_back(10_000) > 300
        assert store.purging(PORTAL).give_back(10_000) == 0


def test_a_purge_that_is_killed_is_run_again_and_nothing_is_lost(database_url: str, tmp_path: Path) -> None:
    with open_store(database_url, base=tmp_path) as store:
        ran(store, [a_write(str(c), cause_key=f"c:{n}", after="NEW") for c in range(20) for n in range(5)])
    script = """
import sys
from pathlib import Path
from hubsync.store import open_store
from tests.store.test_store_purging import CUT, PORTAL
store = open_store(sys.argv[1], base=Path(sys.argv[2]))
for number, part in enumerate(store.purging(PORTAL).slices(CUT, lambda: 3)):
    if number == 7:
        store.begin().__enter__()
        print(part.rows, flush=True)
        sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, database_url, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "3\n", process.communicate()[1]
    process.kill()
    process.communicate(timeout=30)
    with open_store(database_url, base=tmp_path) as store:
        everyone = [str(c) for c in range(20)]
        assert len(causes(store, *everyone)) == 100 - 8 * 3
        assert purge(store) == {"write": 80 - 8 * 3}
        rows = [a_write(c, cause_key=f"c:{n}", after="NEW") for c in everyone for n in range(5)]
        assert not any(answer.fresh for answer in store.plan_writes(PORTAL, a_run(store), rows))
        run = store.run(PORTAL, 1)
        assert run is not None
        assert run.counts[COUNTED] == 80
