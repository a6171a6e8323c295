"""A portal, hubsync beside it in processes that can be killed, and a script played on both: stormy or calm."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hubsync.sandbox import Portal, Sandbox, SandboxClock
from hubsync.sandbox.population.furniture import define_own_properties, define_statuses
from hubsync.store.database import open_store
from hubsync.store.values import Override, Write
from tests.chaos.lives import Act, World
from tests.chaos.runner import Job, Runner
from tests.chaos.script import Round, Script
from tests.chaos.storm import Storm
from tests.sync.desk import NOW

GENEROUS = ("--allow-changes", "100000", "--allow-tasks", "100000")
PAUSES = (*[timedelta(minutes=21)] * 3, *[timedelta(hours=5)] * 9)
"""Before each run at the end: longer than any settling time, then on to the next business hours for the tasks."""
INDEXED = timedelta(seconds=10)
"""After which the search index knows what has happened (waiting for it costs hubsync no time here)."""
EXPECTED = frozenset((0, 1, 3))
"""Exit codes of a run in a storm: fine, something refused, could not go on."""


class Defect(AssertionError):
    """hubsync did what it never may; the message begins with the seed."""


@dataclass(slots=True)
class Played:
    """What playing came to: how runs ended, and how many calm ones it took until nothing was left."""

    ended: list[int] = field(default_factory=list)
    calm_runs: int = 0

    @property
    def killed(self) -> int:
        """Runs that were killed."""
        return sum(code < 0 for code in self.ended)


class Arena:
    """`play` the script of a seed; afterwards `portal`, `ledger()` and `audit()` tell what came of it."""

    def __init__(
        self, script: Script, runner: Runner, folder: Path, *, rules: Path | None = None, frozen: bool = True
    ) -> None:
        self.script, self.runner, self.folder = script, runner, folder
        self.settings = {"HUBSYNC_EFFECTIVE_SINCE": "2020-01-01"} | ({"HUBSYNC_RULES": str(rules)} if rules else {})
        self.clock = SandboxClock(NOW, frozen=frozen)
        self.haste = 1
        """How many of the portal's seconds pass in a real one while hubsync is at work (at most)."""
        self.portal = Portal(clock=self.clock, seed=script.seed)
        define_statuses(self.portal)
        define_own_properties(self.portal)
        self.world = World(self.portal)
        for birth in sorted(script.births, key=lambda b: b.at):
            self.world.create(birth.source, birth.stage, birth.status, owned=birth.owned, at=birth.at)
        self.portal.journal.clear()
        self.box = Sandbox(self.portal, allowance=10**9, searches=10**9, daily=10**9)
        self.storm = Storm(self.box, self.clock, self.world.do, self._wild, script.seed)
        self.played = Played()

    def __enter__(self) -> Self:
        self.box.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.box.stop()

    def play(self, *, stormy: bool) -> Played:
        """Play every round, then let hubsync run in peace until it finds nothing more to do. Raises Defect."""
        for each in self.script.rounds:
            for at, act in each.before:
                self._at(at, act)
            if stormy:
                self.run(each)
            else:
                for _, at, act in each.during:
                    self._at(at, act)
                self._in_peace(*each.command)
        self.settle()
        return self.played

    def hubsync(self, *arguments: str, skew: timedelta = timedelta(0)) -> int:
        """Start hubsync on this portal; its process id."""
        settings = {**self.settings, "HUBSYNC_API_URL": self.box.url, "HUBSYNC_ACCESS_TOKEN": self.box.token}
        now = self.clock.now() + skew
        return self.runner.start(Job(arguments, settings, str(self.folder), now.isoformat()))

    def ledger(self) -> list[Write]:
        """Every row of the ledger, oldest first."""
        contacts = [*self.portal.tables["contacts"].records, *self.portal.aliases]
        with open_store("sqlite:///hubsync.db", base=self.folder) as store:
            found = store.ledger_of(self.portal.portal_id, contacts)
        return sorted((row for rows in found.values() for row in rows), key=lambda row: row.id)

    def is_gone(self, contact: str) -> bool:
        """Whether nobody of this id, nor whoever it was merged into, is there any more: erased for good."""
        return self.portal.survivor(contact) not in self.portal.tables["contacts"].records

    def is_deleted(self, contact: str) -> bool:
        """Whether the contact, or whoever it was merged into, lies in the recycle bin: nobody can tell what it has."""
        record = self.portal.tables["contacts"].records.get(self.portal.survivor(contact))
        return record is not None and record.archived_at is not None

    def overrides(self) -> tuple[Override, ...]:
        """What hubsync has on record of people's choices against its own."""
        with open_store("sqlite:///hubsync.db", base=self.folder) as store:
            return store.overrides(self.portal.portal_id)

    def audit(self) -> list[dict[str, Any]]:
        """What `hubsync audit` finds now."""
        self.hubsync("audit", "--format", "json")
        ended = self.runner.wait()
        self._must(ended.code in (0, 1), f"audit ended with {ended.code}: {ended.err}")
        found: list[dict[str, Any]] = json.loads(ended.out)["findings"]
        return found

    # Inside ------------------------------------------------------------------------------------------------------

    def _wild(self, contact: str) -> int | None:
        if contact not in self.world.contacts:  # merged away just now
            return None
        number = self.world.contacts.index(contact)
        return None if number in self.script.steady else number

    def _at(self, at: datetime, act: Act) -> None:
        self.clock.set(max(self.clock.now(), at))
        self.world.do(act, self.clock.now())

    def run(self, each: Round) -> None:
        """The run of a round, with all that befalls it. Raises Defect where it ended as none may."""
        self.clock.set(max(self.clock.now(), each.moment))
        self.storm.brew(each)
        self.storm.strikes_at(self.hubsync(*each.command, *GENEROUS, skew=each.skew))
        ended = self.runner.wait()
        self.storm.over()
        self.played.ended.append(ended.code)
        fault = "fault of its own" in ended.err
        self._must(ended.killed or (ended.code in EXPECTED and not fault), f"{ended.code}: {ended.err}")
        if ended.killed:
            self.lease_runs_out()

    def _in_peace(self, *command: str) -> dict[str, Any]:
        self.clock.advance(INDEXED)
        self.hubsync(*command, *GENEROUS, "--format", "json")
        ended = self.runner.wait()
        self._must(ended.code in (0, 1), f"a run in peace ended with {ended.code}: {ended.err}")
        said: dict[str, Any] = json.loads(ended.out)
        return said

    def settle(self) -> None:
        """Let hubsync run in peace until it finds nothing more to do. Raises Defect where that never comes."""
        said: list[Any] = []
        for self.played.calm_runs, pause in enumerate(PAUSES, start=1):
            self.clock.advance(pause)
            answer = self._in_peace("sync", "--write", "--full")
            said = [r for r in (*answer["changes"], *answer["tasks"]) if r["state"] not in ("proposed", "superseded")]
            if not said and not answer["waiting"] and not answer["held"]:
                return
        self._must(False, f"it never came to rest; the last run still wanted {said}")

    def lease_runs_out(self) -> None:
        """As if the seconds had passed for which a killed run keeps others out."""
        path = self.folder / "hubsync.db"
        if path.exists():
            connection = sqlite3.connect(path)
            with connection:
                tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'lease'").fetchall()
                if tables:
                    connection.execute("UPDATE lease SET until = 0")
            connection.close()

    def _must(self, holds: bool, message: str) -> None:
        if not holds:
            raise Defect(f"seed {self.script.seed}: {message}")
