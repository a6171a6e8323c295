"""The service left alone for a while: a portal's life in a hurry, and afterwards nothing lost and nothing done twice.

The real command serves a sandbox portal of this process, whose clock runs so and so many times too fast. People act,
webhooks come doubled, late, out of order or not at all, calls fail, edits fall into the middle of writes, and the
service is killed and started again. It knows nothing of what hubsync decides: verdict.py judges the end.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from hubsync.sandbox import Fault, acts
from hubsync.sandbox.webhooks import AppSender, Mischief
from tests.chaos.arena import Arena, Defect
from tests.chaos.course import Course, as_script, write_course
from tests.chaos.lives import Act
from tests.chaos.runner import ROOT, Runner
from tests.chaos.script import Kill, Round
from tests.chaos.serving import Serving
from tests.chaos.storm import KINDS
from tests.chaos.verdict import breaches, ended_otherwise
from tests.sync.desk import NOW

HASTY = (*KINDS[1:], lambda _rng: Fault("rate_limited", retry_after="1"))
"""The faults, of which none makes the service wait for as long as a busy hour of the portal takes here."""
GUARD = re.compile(r"^guard: \{.*\}$", re.MULTILINE)
WIDE_OPEN = (
    "guard: {share: 100%, at_least: 100000, tasks: 1000000, tasks_per_owner: 100000, burst: 100000, "
    "rule_an_hour: 1000000, all_a_day: 1000000}"
)
TABLES = ("contact", "write", "override", "plan_entry", "contact_alias")
"""Of the database: all that may tell of a contact, but for hints."""
TICK = 0.1
UP_WITHIN, DEAD_WITHIN, AT_REST_WITHIN = 40.0, 5.0, 120.0
"""Seconds for the service to answer, for a request that brings death, and to come to rest."""
QUIET = 1.5
"""Seconds without work or calls that count as rest."""
PAUSES = (timedelta(minutes=21), timedelta(minutes=21), *[timedelta(hours=5)] * 6)
"""Between looks at whether anything was left: longer than any settling time, then on to timers of hours."""
FAULTS_OF_ITS_OWN = re.compile(r'Traceback|"(worker|contact|stretch|aftermath|alerts|housekeeping)\.failed"')


@dataclass(frozen=True, slots=True)
class Soaked:
    """What it came to. `wrong` is empty where all is well; each line names the seed."""

    wrong: tuple[str, ...]
    told: Counter[str]
    figures: dict[str, float]


@dataclass(slots=True)
class Soak:
    """One course, played on a running service; `pace` and all else as `soak` has it."""

    course: Course
    arena: Arena
    pace: float
    faults: float
    waits_for_lease: bool
    happened: list[tuple[datetime, Act]] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    _serving: Serving = field(init=False)
    _sender: AppSender = field(init=False)
    _rng: Random = field(init=False)
    _canary: str = ""
    _kills: list[tuple[datetime, Kill]] = field(default_factory=list)
    _struck_at: float | None = None
    _back_at: float | None = None

    def __post_init__(self) -> None:
        self._rng = Random(f"soaking:{self.course.seed}")
        self._kills = list(self.course.kills)
        self.arena.storm.kinds = HASTY

    # Playing -----------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """The whole course, then rest. Raises Defect."""
        arena = self.arena
        settings = {
            **arena.settings,
            "HUBSYNC_API_URL": arena.box.url,
            "HUBSYNC_ACCESS_TOKEN": arena.box.token,
            "HUBSYNC_CLIENT_SECRET": arena.box.client_secret,
            "HUBSYNC_POLL_SECONDS": "5",
            "HUBSYNC_INDEX_LAG_SECONDS": "5",
        }
        self._serving = Serving(arena.folder, settings)
        self._canary = acts.create_contact(arena.portal, {"lifecyclestage": "subscriber"}, at=NOW)
        try:
            self._begin()
            self._sender = arena.box.subscribe(
                f"{self._serving.url}/webhooks/hubspot",
                form="both",
                mischief=Mischief(
                    seed=self.course.seed, lost=0.05, doubled=0.1, delayed=0.2, delay=(0.1, 3.0), doubled_batches=0.05
                ),
                retry_after=lambda attempt: min(4.0, 0.5 * 2**attempt),
            )
            self._live()
            self._calm_down()
            self._come_to_rest()
            code, seconds = self._serving.end()
            self._must(code == 0 and seconds < 10, f"told to end, it ended with {code} after {seconds:.1f} s")
        finally:
            self._serving.bury()
            arena.clock.freeze()

    def wrong(self) -> list[str]:
        """What was wrong with the service itself, whatever became of the contacts."""
        tally = self._sender.tally
        log = self._serving.log.read_text(errors="replace").splitlines()
        self.figures.update(events=tally.put, lost=tally.lost, requests=tally.sent, refused=tally.refused)
        with closing(sqlite3.connect(self.arena.folder / "hubsync.db")) as database:
            left = database.execute("SELECT contact_id, due_at, attempts, why FROM work").fetchall()
            known = [(table, id_) for table in TABLES for (id_,) in database.execute(f"SELECT contact_id FROM {table}")]  # noqa: S608
        erased = self._erased()
        self.figures["erased"] = len(erased)
        return [
            *(f"a fault of its own: {line[:2_000]}" for line in log if FAULTS_OF_ITS_OWN.search(line)),
            *([f"{tally.given_up} webhooks were never accepted"] if tally.given_up else []),
            *(f"left in work: {row}" for row in left if row[2]),
            *(f"{table} still has {id_}, which was erased" for table, id_ in known if id_ in erased),
        ]

    def _erased(self) -> set[str]:
        """Contacts of privacy deletions of which hubsync was told. Not who had been merged into them: where hubsync had
        not looked since the merge, it can't know who that was.
        """
        purged = {w.id for w in self.arena.portal.journal.writes if (w.kind, w.after) == ("contacts", "purged")}
        lost = {str(e["objectId"]) for e in self._sender.lost if e["subscriptionType"] == "contact.privacyDeletion"}
        return purged - lost

    def _begin(self) -> None:
        self._weather(None)
        pid = self._serving.start()
        self.arena.storm.strikes_at(pid)
        self._struck_at = self._back_at = None
        self._wait_until(lambda: self._serving.is_up() or self._serving.code is not None, UP_WITHIN, "it never came up")

    def _weather(self, kill: Kill | None) -> None:
        self.arena.storm.brew(Round((), NOW, (), (), kill, fault_rate=self.faults, skew=timedelta(0)))

    def _live(self) -> None:
        """Time passes, people act, the service dies and comes back."""
        began, agenda, clock = time.monotonic(), list(reversed(self.course.agenda)), self.arena.clock
        while clock.now() < self.course.ends or self._kills or self._struck_at or self._serving.code is not None:
            moment = NOW + timedelta(minutes=(time.monotonic() - began) / self.pace)
            while agenda and agenda[-1][0] <= moment:
                at, act = agenda.pop()
                self._move_to(at)
                self.happened.append((self.arena.world.do(act, at), act))
            self._move_to(moment)
            self._nurse()
            time.sleep(TICK)
        self.figures["acts"] = len(self.happened)

    def _move_to(self, moment: datetime) -> None:
        ahead = moment - self.arena.clock.now()
        if ahead > timedelta(0):
            self.arena.clock.advance(ahead)

    def _nurse(self) -> None:
        """Let it die where it is time to, and start it again where it is dead."""
        now, code, storm = time.monotonic(), self._serving.code, self.arena.storm
        if code is not None:
            if self._back_at is None:
                self._has_ended(code)
                self._back_at = now + self._rng.uniform(0.0, 1.0)
            elif now >= self._back_at:
                self._begin()
        elif self._struck_at is not None:
            if now - self._struck_at > DEAD_WITHIN:  # no request that would have brought it
                self._serving.kill()
        elif self._kills and self._kills[0][0] <= self.arena.clock.now():
            self._weather(self._kills.pop(0)[1])
            storm.strikes_at(self._serving.pid)
            self._struck_at = now

    def _has_ended(self, code: int) -> None:
        self._must(code == -9 or code == 3, f"it ended by itself with {code}: {self._last_words()}")
        self.figures["killed" if code == -9 else "could_not_go_on"] += 1
        self.figures["kills_missed"] += code != -9 and self._struck_at is not None
        self.arena.storm.over()
        if not self.waits_for_lease:
            self.arena.lease_runs_out()

    # The end -----------------------------------------------------------------------------------------------------

    def _calm_down(self) -> None:
        """No faults and no edits any more, and every webhook that is to come has come."""
        self.arena.storm.calm()
        self._wait_until(self._drained, AT_REST_WITHIN, "webhooks were never accepted")

    def _drained(self) -> bool:
        return self.arena.box.drain(0.5, hurry=True)

    def _come_to_rest(self) -> None:
        """Let time pass until it does nothing more, and polls have found what no webhook told."""
        ended = self.arena.clock.now().timestamp()
        for number, pause in enumerate(PAUSES):
            before = self.written
            self.arena.clock.advance(pause)
            self._rest(polled_since=ended if number else 0.0)
            self.figures["pauses_to_rest"] = number + 1
            if number and self.written == before:
                return
        self._must(False, "it never came to rest")

    def _rest(self, polled_since: float) -> None:
        """Wait until nothing is to be done. Only calls of its own tell it what time it is here: so somebody acts."""
        for owner in self.arena.world.reps[:3]:
            acts.assign_owner(self.arena.portal, self._canary, owner)
        self._drained()
        since, before, metrics = time.monotonic(), -1.0, dict[str, float]()

        def rests() -> bool:
            nonlocal since, before, metrics
            metrics = self._serving.metrics()
            calls = _sum(metrics, "hubsync_api_calls_total", without="search")
            if not metrics or metrics["hubsync_work_depth"] or calls != before:
                since, before = time.monotonic(), calls
            polls = [value for name, value in metrics.items() if name.startswith("hubsync_last_poll")]
            polled = not polled_since or (len(polls) == 6 and min(polls) >= polled_since)
            return polled and time.monotonic() - since > QUIET

        self._wait_until(rests, AT_REST_WITHIN, "it is never done")
        self._must(not metrics["hubsync_work_parked"], f"{metrics['hubsync_work_parked']:.0f} contacts are parked")
        self.figures["looks"] = int(_sum(metrics, "hubsync_looks_total"))

    @property
    def written(self) -> int:
        """How many values and tasks hubsync has written so far."""
        return sum(w.source == self.arena.portal.app_source for w in list(self.arena.portal.journal.writes))

    def _wait_until(self, is_so: Callable[[], bool], within: float, otherwise: str) -> None:
        end = time.monotonic() + within
        while not is_so():
            self._must(time.monotonic() < end, f"{otherwise}: {self._last_words()}")
            time.sleep(TICK)

    def _last_words(self) -> str:
        return self._serving.log.read_text(errors="replace")[-3_000:]

    def _must(self, holds: bool, message: str) -> None:
        if not holds:
            raise Defect(f"seed {self.course.seed}: {message}")


def soak(
    seed: int,
    runner: Runner,
    folder: Path,
    *,
    contacts: int,
    minutes: int,
    kills: int,
    pace: float = 1.0,
    faults: float = 0.02,
    wrong_tokens: float = 0.0,
    waits_for_lease: bool = False,
) -> Soaked:
    """Play the seed's course on a service, then what happened once more in peace, and compare.

    `pace`: real seconds for a minute of the portal. `faults`: share of calls that fail, `wrong_tokens`: are refused.
    Without `waits_for_lease` the seconds pass at once for which a killed service keeps the next one from writing.
    """
    began = time.monotonic()
    course = write_course(seed, contacts, minutes, kills)
    rules = _rules(folder)
    script = as_script(course, [])
    (folder / "served").mkdir()
    (folder / "calm").mkdir()
    arena = Arena(script, runner, folder / "served", rules=rules, frozen=False)
    arena.haste = round(60 / pace)
    arena.storm.wrong_tokens = wrong_tokens
    played = Soak(course, arena, pace, faults, waits_for_lease)
    wrong: list[str] = []
    with arena:
        try:
            played.play()
            wrong += [*played.wrong(), *breaches(arena)]
        except Defect as defect:
            return Soaked((str(defect),), arena.storm.told, dict(played.figures))
    calm = Arena(as_script(course, played.happened), runner, folder / "calm", rules=rules)
    with calm:
        try:
            calm.play(stormy=False)
        except Defect as defect:
            wrong.append(f"in peace: {defect}")
        else:
            wrong += ended_otherwise(arena, calm)
    figures = {
        **played.figures,
        "contacts": len(arena.portal.tables["contacts"].records),
        "steady": len(course.steady),
        "calls": arena.portal.journal.request_count,
        "written": played.written,
        "seconds": round(time.monotonic() - began, 1),
    }
    return Soaked(tuple(f"seed {seed}: {line}" for line in wrong), arena.storm.told, figures)


def _rules(folder: Path) -> Path:
    """The shipped rules, nothing held back by the guard."""
    rules = folder / "rules"
    shutil.copytree(ROOT / "rules", rules)
    file = rules / "portal.yaml"
    text, count = GUARD.subn(WIDE_OPEN, file.read_text())
    assert count == 1
    file.write_text(text)
    return rules


def _sum(metrics: dict[str, float], name: str, without: str = "\0") -> float:
    return sum(value for sample, value in metrics.items() if sample.startswith(name) and without not in sample)
