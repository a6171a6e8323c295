"""The weather between hubsync and the portal: faults, people who act in the middle of a run, and kill -9.

It sits in front of the portal's service and sees every request on its way in and every answer on its way out. Switched
off (`calm`), it changes nothing.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import orjson

from hubsync.sandbox import Fault, Sandbox, SandboxClock
from hubsync.sandbox.http.call import Reply
from tests.chaos.lives import Act
from tests.chaos.script import Kill, Round

TICK = timedelta(milliseconds=1)
"""By which the portal's clock moves with each request, so that no two have the same moment."""
WRONG_TOKEN = 0.002
"""Share of requests whose token is refused (401)."""
MEDDLES = 0.3
"""Share of writes into which somebody edits one of the contacts written, just before or just after."""
EDITS = 2
"""Of one contact during one run: nobody is quicker than hubsync for ever."""
KINDS: tuple[Callable[[Random], Fault], ...] = (
    lambda _: Fault("rate_limited"),
    lambda rng: Fault("error_json", status=rng.choice((500, 502, 503, 504, 524))),
    lambda rng: Fault("error_html", status=rng.choice((502, 503, 521, 522, 523, 524))),
    lambda rng: Fault("error_after", status=rng.choice((502, 504, 524))),
    lambda _: Fault("drop_before"),
    lambda _: Fault("drop_after"),
    lambda _: Fault("slow", seconds=0.02),
    lambda _: Fault("html_ok"),
    lambda _: Fault("truncated"),
    lambda _: Fault("shortened"),
    lambda _: Fault("locked"),
)
Do = Callable[[Act, datetime], datetime]


class Storm:
    """In front of one sandbox. `do` lets an act happen; `wild` are the contacts people may edit in mid-write."""

    def __init__(self, box: Sandbox, clock: SandboxClock, do: Do, wild: Callable[[str], int | None], seed: int) -> None:
        self.kinds = KINDS
        self.wrong_tokens = WRONG_TOKEN
        self.told: Counter[str] = Counter()
        """What has happened so far, by kind."""
        self._box, self._clock, self._do, self._wild = box, clock, do, wild
        self._rng = Random(f"storm:{seed}")
        self._lock = threading.RLock()
        self._serve = box.service.answer
        self._arrived = self._left = self._number = self._matched = 0
        self._known = threading.Event()
        self._pid = 0
        self._edited: Counter[int] = Counter()
        self._timers: list[threading.Timer] = []
        self.calm()
        box.service.answer = self.answer  # type: ignore[method-assign]
        box.service.faults = self  # type: ignore[assignment]

    def calm(self) -> None:
        """Nothing goes wrong from now on."""
        with self._lock:
            self._rate, self._meddling = 0.0, False
            self._kill: Kill | None = None
            self._pending: list[tuple[int, datetime, Act]] = []

    def brew(self, of: Round) -> None:
        """Make ready for the run of this round; `strikes_at` must follow."""
        with self._lock:
            self._number = self._matched = 0
            self._known.clear()
            self._rate, self._kill, self._meddling = of.fault_rate, of.kill, of.fault_rate > 0
            self._pending = list(of.during)
            self._edited.clear()

    def strikes_at(self, pid: int) -> None:
        """Say which process is to be killed."""
        self._pid = pid
        self._known.set()

    def over(self) -> None:
        """The run has ended: wait until the portal has served what was under way, then let all other acts happen."""
        for timer in self._timers:
            timer.cancel()
            timer.join()
        self._timers.clear()
        while self._left < self._arrived:
            time.sleep(0.002)
        with self._lock:
            self._act(every=True)
            self.calm()

    # Called by the sandbox ---------------------------------------------------------------------------------------

    @property
    def struck(self) -> int:
        """How many requests a fault has befallen."""
        return sum(count for kind, count in self.told.items() if kind.startswith("fault "))

    def strike(self, method: str, target: str) -> Fault | None:
        """The fault that befalls this request, if any."""
        del method, target
        with self._lock:
            if self._rng.random() >= self._rate:
                return None
            fault = self._rng.choice(self.kinds)(self._rng)
            self.told[f"fault {fault.kind}"] += 1
            return fault

    def answer(self, method: str, target: str, authorization: str | None, body: bytes) -> Reply:
        """One request, with what befalls it on the way."""
        with self._lock:
            self._arrived += 1
            self._number += 1
            self._clock.advance(TICK)
            self._act()
            kill = self._deadly(target)
            refused = self._rate > 0 and self._rng.random() < self.wrong_tokens
        try:
            if kill is not None and not kill.served:
                self._strike_dead(kill)
                return Reply(0, b"", drop=True)
            self._meddle(target, body)
            reply = self._serve(method, target, "Bearer wrong" if refused else authorization, body)
            self.told["401"] += refused
            self._meddle(target, body)
            if kill is not None:
                self._strike_dead(kill)
            return reply
        finally:
            with self._lock:
                self._left += 1

    # Inside ------------------------------------------------------------------------------------------------------

    def _deadly(self, target: str) -> Kill | None:
        """The kill that this request brings."""
        kill = self._kill
        if kill is None or not re.search(kill.path, target):
            return None
        self._matched += 1
        return kill if self._matched == kill.at_request else None

    def _strike_dead(self, kill: Kill) -> None:
        self._known.wait()
        self.told["kill, served" if kill.served else "kill, not served"] += 1
        if kill.delay:
            self._timers.append(threading.Timer(kill.delay, self._end))
            self._timers[-1].start()
        else:
            self._end()

    def _end(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    def _act(self, *, every: bool = False) -> None:
        """Let happen what is due at this request; acts keep their order."""
        due: Sequence[tuple[int, datetime, Act]] = [a for a in self._pending if every or a[0] <= self._number]
        for _, at, act in due:
            self._clock.set(max(self._clock.now() + TICK, at))
            self._do(act, self._clock.now())
        self._pending = [a for a in self._pending if a not in due]

    def _meddle(self, target: str, body: bytes) -> None:
        """Sometimes a rep edits a contact just as hubsync writes to it."""
        if not target.endswith("contacts/batch/update"):
            return
        with self._lock:
            if not self._meddling or self._rng.random() >= MEDDLES:
                return
            inputs: list[dict[str, Any]] = orjson.loads(body)["inputs"]
            numbers = [n for each in inputs if (n := self._wild(each["id"])) is not None and self._edited[n] < EDITS]
            if numbers:
                number = self._rng.choice(numbers)
                self._edited[number] += 1
                self.told["meddled"] += 1
                self._clock.advance(TICK)
                value = self._rng.choice(("CONNECTED", "NURTURE", "IN_PROGRESS", ""))
                self._do(Act(number, "status", value), self._clock.now())
                self._clock.advance(TICK)
