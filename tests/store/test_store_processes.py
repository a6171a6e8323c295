"""Several processes and threads on one database, and processes that die."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hubsync.store import LeaseLost, Store, open_store, upgrade
from hubsync.store.schema import REVISIONS
from tests.store.builders import NOW, PORTAL, a_run, a_write

ROOT = Path(__file__).parents[2]


def start(script: str, url: str, base: Path) -> subprocess.Popen[str]:
    preamble = "import sys; from pathlib import Path; from hubsync.store import *; from tests.store.builders import *; "
    opening = "store = open_store(sys.argv[1], base=Path(sys.argv[2]))\n"
    return subprocess.Popen(
        [sys.executable, "-c", preamble + opening + script, url, str(base)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_that_create_the_database_at_once_all_find_it_made(database_url: str, tmp_path: Path) -> None:
    processes = [start("print(a_run(store))", database_url, tmp_path) for _ in range(2)]
    answers = [process.communicate(timeout=60) for process in processes]
    assert [error for _, error in answers if error] == []
    assert sorted(int(out) for out, _ in answers) == [1, 2]
    assert upgrade(database_url, base=tmp_path) == (REVISIONS[-1], REVISIONS[-1])


def test_rows_planned_by_a_process_that_was_killed_are_there_and_unsettled(database_url: str, tmp_path: Path) -> None:
    script = """
epoch = store.acquire_lease(PORTAL, "doomed", 0)
run = a_run(store, epoch=epoch)
store.plan_writes(PORTAL, run, [a_write("101"), a_write("102")])
with store.begin():
    store.plan_writes(PORTAL, run, [a_write("103")])
    print("planned", flush=True)
    sys.stdin.read()
"""
    process = start(script, database_url, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "planned\n", process.communicate()[1]
    process.kill()
    process.communicate(timeout=30)
    with open_store(database_url, base=tmp_path) as store:
        assert [(row.contact, row.state) for row in store.unsettled(PORTAL)] == [("101", "planned"), ("102", "planned")]
        assert store.ledger_of(PORTAL, ["103"]) == {}, "what was not committed is gone"
        [again] = store.plan_writes(PORTAL, a_run(store), [a_write("101")])
        assert not again.fresh


def test_of_many_that_reach_for_the_lease_at_once_one_gets_it(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        epochs = list(pool.map(lambda number: store.acquire_lease(PORTAL, f"worker {number}", 60), range(8)))
    assert sorted(epochs, key=str) == [1, *[None] * 7]


def test_threads_that_write_at_once_take_turns(store: Store) -> None:
    run = a_run(store)

    def plan(number: int) -> bool:
        return all(
            answer.fresh for answer in store.plan_writes(PORTAL, run, [a_write(str(number)), a_write(f"x{number}")])
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(plan, range(40)))
    assert len(store.writes_of_run(PORTAL, run)) == 80


def test_of_threads_that_plan_the_same_cause_at_once_one_records_it(store: Store) -> None:
    run = a_run(store)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: store.plan_writes(PORTAL, run, [a_write()])[0], range(16)))
    assert sorted(answer.fresh for answer in answers) == [False] * 15 + [True]
    assert len({answer.id for answer in answers}) == 1


def test_calls_inside_begin_land_together_or_not_at_all(store: Store) -> None:
    def half_way() -> None:
        with store.begin():
            run = a_run(store)
            store.plan_writes(PORTAL, run, [a_write()])
            assert len(store.ledger_of(PORTAL, ["101"])["101"]) == 1, "it sees its own rows"
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        half_way()
    assert store.runs(PORTAL) == ()
    assert store.ledger_of(PORTAL, ["101"]) == {}
    with store.begin():
        store.plan_writes(PORTAL, a_run(store), [a_write()])
    assert len(store.ledger_of(PORTAL, ["101"])["101"]) == 1


def test_another_thread_sees_nothing_of_an_open_group(store: Store) -> None:
    with store.begin(), ThreadPoolExecutor(1) as pool:
        store.set_cursor(PORTAL, "poll", "new")
        assert pool.submit(store.cursor, PORTAL, "poll").result() is None
    assert store.cursor(PORTAL, "poll") == "new"


def test_a_group_inside_a_group_is_a_defect(store: Store) -> None:
    with store.begin(), pytest.raises(RuntimeError, match="begin"), store.begin():
        pass


def test_a_group_fenced_by_the_live_lease_writes(store: Store) -> None:
    epoch = store.acquire_lease(PORTAL, "one", 60)
    with store.begin(portal=PORTAL, epoch=epoch):
        store.set_cursor(PORTAL, "poll", "mine")
    assert store.cursor(PORTAL, "poll") == "mine"


def test_a_holder_that_lost_its_lease_writes_nothing(store: Store) -> None:
    old = store.acquire_lease(PORTAL, "asleep", 0)
    new = store.acquire_lease(PORTAL, "awake", 60)
    assert (old, new) == (1, 2)
    with pytest.raises(LeaseLost), store.begin(portal=PORTAL, epoch=old):
        store.set_cursor(PORTAL, "poll", "stale")
    assert store.cursor(PORTAL, "poll") is None
    with store.begin(portal=PORTAL, epoch=new):
        store.set_cursor(PORTAL, "poll", "mine")


def test_a_lease_that_ran_out_unclaimed_fences_too(store: Store) -> None:
    epoch = store.acquire_lease(PORTAL, "one", 0)
    with pytest.raises(LeaseLost), store.begin(portal=PORTAL, epoch=epoch):
        pass


def test_a_lease_cannot_change_hands_inside_a_fenced_group(store: Store) -> None:
    epoch = store.acquire_lease(PORTAL, "one", 60)
    assert epoch is not None
    order: list[str] = []
    reached = threading.Event()

    def take_over() -> int | None:
        reached.set()
        store.release_lease(PORTAL, epoch)
        order.append("released")
        return store.acquire_lease(PORTAL, "two", 60)

    with ThreadPoolExecutor(1) as pool:
        with store.begin(portal=PORTAL, epoch=epoch):
            taken = pool.submit(take_over)
            assert reached.wait(10)
            threading.Event().wait(0.1)
            store.set_cursor(PORTAL, "poll", "mine")
            order.append("wrote")
        assert taken.result(10) == 2
    assert order == ["wrote", "released"]


def test_a_fence_needs_the_portal_and_the_epoch(store: Store) -> None:
    with pytest.raises(ValueError, match="fence"), store.begin(portal=PORTAL):
        pass


def test_what_threads_remember_of_a_portal_is_merged(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: store.remember_portal(PORTAL, at=NOW, time_zone="Europe/Paris"), range(8)))
        list(pool.map(lambda _: store.remember_portal(PORTAL, at=NOW, app_id="54321"), range(8)))
    [portal] = store.portals()
    assert (portal.time_zone, portal.app_id) == ("Europe/Paris", "54321")
