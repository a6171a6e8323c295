"""Runs in processes of their own: Ctrl-C, kill -9, two at once, and what lies about on the machine they run on."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from hubsync.sandbox import Portal
from hubsync.store import Store
from hubsync.store.values import Write
from tests.e2e.conftest import Hubsync
from tests.sync.desk import SQL, STAGE, STATUS, Desk, ago

Start = Callable[..., "subprocess.Popen[str]"]
LEADS = 150
"""More than one batch of a hundred, so that a run can end between two."""
WRITING = r"/(contacts/batch/update|tasks/batch/create)"


def a_day_of_work(desk: Desk) -> tuple[list[str], list[str]]:
    """Leads whose stage is to move, and leads that are to get a task."""
    moving = []
    for _ in range(LEADS):
        contact = desk.lead("CONNECTED")
        desk.sets(contact, STATUS, "QUALIFIED", at=ago(hours=1))
        moving.append(contact)
    return moving, [desk.lead("NEW", at=ago(hours=1)) for _ in range(LEADS)]


def wait_for(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Until it has happened; fails when the process ends first."""
    end = time.monotonic() + 60
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def written(portal: Portal) -> int:
    return sum(1 for w in list(portal.journal.writes) if w.property == STAGE and w.source == portal.app_source)


def tasks_made(portal: Portal) -> int:
    return len(portal.tables["tasks"].records)


def lease_runs_out(folder: Path) -> None:
    """As if the twenty seconds had passed for which a killed run keeps others out."""
    with sqlite3.connect(folder / "hubsync.db") as connection:
        connection.execute("UPDATE lease SET until = 0")
    connection.close()


def assert_all_done_once(desk: Desk, moving: list[str], new: list[str]) -> None:
    assert {desk.stage(c) for c in moving} == {SQL}
    assert {len(desk.tasks(c)) for c in new} == {1}
    assert set(Counter((w.id, w.property) for w in desk.written()).values()) == {1}


MOMENTS: dict[str, tuple[int, Callable[[Portal], bool]]] = {
    "before the first write": (0, lambda _portal: True),
    "after the first batch": (1, lambda portal: written(portal) >= 100),
    "among the tasks": (3, lambda portal: tasks_made(portal) >= 100),
}
"""How many writing calls pass, and what the portal shows then."""


def begun(desk: Desk, start: Start, moment: str) -> subprocess.Popen[str]:
    """A run that has come so far, and waits there for an answer of the portal."""
    skip, far_enough = MOMENTS[moment]
    desk.box.fail("slow", path=WRITING, skip=skip, times=1, seconds=1.0)
    seen = len(desk.portal.journal.requests)
    process = start("sync", "--write", "--full", "--allow-changes", "1000", "--allow-tasks", "1000")
    wait_for(lambda: far_enough(desk.portal) and desk.box.service.faults.struck == 1, process)
    assert len(desk.portal.journal.requests) > seen
    return process


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_ends_with_130_says_how_far_the_run_came_and_the_next_one_finishes_it(
    desk: Desk, hubsync: Hubsync, start: Start, database: Callable[[], Store], moment: str
) -> None:
    moving, new = a_day_of_work(desk)
    process = begun(desk, start, moment)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    changes = sum(r.state == "applied" for r in rows(database(), moving))
    tasks = sum(r.state == "applied" for r in rows(database(), new))
    assert f"Stopped. Run 1 had looked at {2 * LEADS} contacts, written {changes} changes and {tasks} tasks." in said
    assert "Traceback" not in said
    [run] = database().runs(62515)
    assert run.state == "interrupted"
    finishes(desk, hubsync, moving, new)


def rows(store: Store, contacts: list[str]) -> list[Write]:
    return [row for found in store.ledger_of(62515, contacts).values() for row in found]


def finishes(desk: Desk, hubsync: Hubsync, moving: list[str], new: list[str]) -> None:
    """The next run does what is left, once; the one after it nothing."""
    end = time.monotonic() + 30
    while [r.fault for r in list(desk.portal.journal.requests)].count("slow") < desk.box.service.faults.struck:
        assert time.monotonic() < end
        time.sleep(0.01)  # the portal goes on executing what the ended run had asked for …
    desk.box.service.faults.clear()
    desk.later(minutes=10)  # … and that is over by the time the next run believes what it sees
    again = hubsync("sync", "--write", "--full", "--allow-changes", "1000", "--allow-tasks", "1000")
    assert again.code == 0, again.err
    assert_all_done_once(desk, moving, new)
    last = hubsync("sync", "--write", "--full", "--format", "json")
    assert (last.json["changes"], last.json["tasks"]) == ([], [])


@pytest.mark.parametrize("moment", MOMENTS)
def test_kill_9_leaves_nothing_that_the_next_run_does_not_settle(
    desk: Desk, hubsync: Hubsync, start: Start, database: Callable[[], Store], isolated: Path, moment: str
) -> None:
    moving, new = a_day_of_work(desk)
    process = begun(desk, start, moment)
    process.kill()
    process.communicate()
    lease_runs_out(isolated)
    finishes(desk, hubsync, moving, new)
    first, *_ = reversed(database().runs(62515))
    assert first.state == "interrupted"
    assert [r for r in rows(database(), [*moving, *new]) if r.state in {"planned", "sent"}] == []


def test_ctrl_c_while_reading_writes_nothing(desk: Desk, start: Start) -> None:
    a_day_of_work(desk)
    desk.box.fail("slow", path=r"objects/contacts\?", seconds=1.0)
    process = start("sync", "--write", "--full")
    wait_for(lambda: desk.box.service.faults.struck > 0, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "written 0 changes and 0 tasks" in said
    assert desk.written() == []


def test_ctrl_c_during_an_audit_is_quiet(desk: Desk, start: Start) -> None:
    a_day_of_work(desk)
    desk.box.fail("slow", path=r"objects/contacts\?", seconds=1.0)
    process = start("audit")
    wait_for(lambda: desk.box.service.faults.struck > 0, process)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=30)
    assert (process.returncode, out, said) == (130, "", "Stopped.\n")


def test_two_writers_at_once_write_everything_once(desk: Desk, start: Start, hubsync: Hubsync) -> None:
    moving, new = a_day_of_work(desk)
    desk.box.fail("slow", path=WRITING, times=1, seconds=1.0)
    both = [
        start("sync", "--write", "--full", "--allow-changes", "1000", "--allow-tasks", "1000", "--format", "json")
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert_all_done_once(desk, moving, new)


def test_a_netrc_in_the_home_folder_does_not_replace_the_token(desk: Desk, start: Start, isolated: Path) -> None:
    netrc = isolated / "home" / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\ndefault login other password thing\n")
    netrc.chmod(0o600)
    process = start("audit")
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "")
    assert {r.token for r in desk.portal.journal.requests} == {"main"}
    assert {r.status for r in desk.portal.journal.requests} == {200}


def test_proxies_of_the_environment_are_not_used(desk: Desk, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.0)
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
        process = start("audit", **dict.fromkeys(names, address))
        _, said = process.communicate(timeout=30)
        assert (process.returncode, said) == (0, "")
        with pytest.raises(BlockingIOError):
            proxy.accept()
    assert len(desk.portal.journal.requests) > 3


def test_an_env_file_of_the_folder_is_all_that_a_run_needs(
    desk: Desk, start: Start, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HUBSYNC_API_URL", "HUBSYNC_ACCESS_TOKEN", "HUBSYNC_EFFECTIVE_SINCE"):
        monkeypatch.delenv(name)
    (isolated / ".env").write_text(f"HUBSYNC_API_URL={desk.box.url}\nHUBSYNC_ACCESS_TOKEN={desk.box.token}\n")
    process = start("--log-level", "debug", "sync", "--write")
    out, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert (isolated / "hubsync.db").exists()
    assert desk.box.token not in out + said
