"""One service a database, on both kinds of database: the second one is refused, with the reason."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubsync.errors import StoreError
from hubsync.store import Store
from hubsync.store.database import open_store, upgrade

HOLDER = """
import sys, time
from pathlib import Path
from hubsync.store.database import open_store
with open_store(sys.argv[1], base=Path(sys.argv[2])) as store, store.occupied("hubsync serve (process 1 on there)"):
    print("there", flush=True)
    time.sleep(600)
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def elsewhere(database_url: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A service in a process of its own, which holds the database."""
    upgrade(database_url, base=tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, database_url, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    yield process
    process.kill()
    process.communicate()


def refuses_one_more(store: Store) -> None:
    """The database is held, by whom it may be."""
    with pytest.raises(StoreError, match="can't share one"), store.occupied("one more"):
        pass


def test_the_second_service_is_refused_and_told_what_to_do(
    elsewhere: subprocess.Popen[str], database_url: str, tmp_path: Path
) -> None:
    with (
        open_store(database_url, base=tmp_path) as store,
        pytest.raises(StoreError, match=r"two services can't share one\. Stop it first") as refused,
        store.occupied("a second one"),
    ):
        pass
    if database_url.startswith("sqlite"):
        assert str(refused.value).startswith("hubsync serve (process 1 on there) works with the database")


def test_after_kill_9_the_database_is_free(elsewhere: subprocess.Popen[str], database_url: str, tmp_path: Path) -> None:
    elsewhere.kill()
    elsewhere.wait()
    with open_store(database_url, base=tmp_path) as store, store.occupied("the next one"):
        refuses_one_more(store)


def test_other_commands_work_beside_it(elsewhere: subprocess.Popen[str], database_url: str, tmp_path: Path) -> None:
    with open_store(database_url, base=tmp_path) as store:
        store.set_cursor(1, "name", "value")
        assert store.cursor(1, "name") == "value"


def test_who_has_left_makes_room(database_url: str, tmp_path: Path) -> None:
    with open_store(database_url, base=tmp_path, migrate=True) as store:
        for name in ("first", "second"):
            with store.occupied(name):
                refuses_one_more(store)
