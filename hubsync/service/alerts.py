"""Alerts: what is wrong is told to people, once, and told to be over once it is (issue 4, playbook B7).

What is wrong is a level, not an event: whoever notices says a name and a sentence, again and again if they like, and
clears the name when it is well. The same name is told at most once in four hours; what still stands then, and was not
told as it stands now, is told then. A thread of its own sends, so that nobody who says something ever waits or fails.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from hubsync.errors import HubsyncError
from hubsync.logs import redacted
from hubsync.service.audience import Audience, Letter, try_ways
from hubsync.service.status import Alert

log = structlog.get_logger()

COOL_DOWN = timedelta(hours=4)
"""Between two alerts of one name."""
AGAIN_AFTER = timedelta(minutes=10)
"""Until what reached nobody is tried anew, as long as it stands."""
GRACE = timedelta(minutes=10)
"""After a start: what was told before it and isn't said again by then is over."""
KEPT = 20
"""Alerts kept for the status page."""
ROOM = 200
"""Names that may stand at once; more are logged and not told."""
LONGEST_WAIT = 60.0
"""Seconds between looks at what is due, whatever the clock does."""


@dataclass(slots=True)
class _Topic:
    """A name: what stands now (None: nothing), what was told last (None: nothing, or that it is over), and when.

    `not_before`: it reached nobody and is tried again from then on. `not_over_before`: it was told before a restart.
    """

    says: str | None = None
    team: str | None = None
    owner: str | None = None
    told: str | None = None
    told_at: datetime | None = None
    not_before: datetime | None = None
    not_over_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Due:
    """A letter that may be sent from a moment on, and what is told once it was."""

    name: str
    at: datetime
    says: str | None
    letter: Letter


@dataclass(frozen=True, slots=True)
class Memory:
    """Where alerts outlive a restart: a text that is read once and written after each alert. May raise HubsyncError."""

    read: Callable[[], str | None]
    write: Callable[[str], None]


@dataclass(slots=True)
class Alerts:
    """Says what is wrong to whom it concerns. Any thread may call any method; none of them raises or waits.

    `now` is the local time, in UTC. Until `use` says to whom, what is said waits.
    """

    now: Callable[[], datetime]
    on_outcome: Callable[[str], None] = lambda _outcome: None
    """Told "sent" or "failed" for each way an alert took."""
    sleep: Callable[[float], bool] | None = None
    """Waits between tries, and is False where no more is to be tried; by default until `stop`."""
    _audience: Audience | None = None
    _title: str = "hubsync"
    _memory: Memory | None = None
    _topics: dict[str, _Topic] = field(default_factory=dict)
    _latest: deque[Alert] = field(default_factory=lambda: deque(maxlen=KEPT))
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    # Who says it -------------------------------------------------------------------------------------------------

    def on_change(self, name: str, problem: str | None) -> None:
        """For `Health`: a problem began or says something new, or is over (None). It is the operators' business."""
        if problem is None:
            self.clear(name)
        else:
            self.say(name, problem)

    def say(self, name: str, says: str, *, team: str | None = None, owner: str | None = None) -> None:
        """Something is wrong, until it is cleared; with a team or an owner it is told to them, in their hours."""
        with self._changed:
            topic = self._topics.get(name)
            if topic is None and len(self._topics) >= ROOM:
                log.warning("alert.dropped", problem=name)
                return
            if topic is None:
                topic = self._topics[name] = _Topic()
            topic.says, topic.team, topic.owner = redacted(says), team, owner
            self._changed.notify()

    def clear(self, name: str) -> None:
        """It is well again; told where it was told that it isn't."""
        with self._changed:
            if name in self._topics:
                self._topics[name].says = None
                self._changed.notify()

    def standing(self, kind: str, said: Mapping[str, str]) -> None:
        """Of this kind, this is what is wrong now, by a key, and nothing else."""
        with self._changed:
            over = [name for name in self._topics if name.startswith(f"{kind} ") and name[len(kind) + 1 :] not in said]
        for name in over:
            self.clear(name)
        for key, says in said.items():
            self.say(f"{kind} {key}", says)

    @property
    def latest(self) -> tuple[Alert, ...]:
        """What people were told last, newest first."""
        with self._changed:
            return tuple(self._latest)

    # Who runs it -------------------------------------------------------------------------------------------------

    def use(self, audience: Audience, title: str = "hubsync") -> None:
        """Tell these from now on. `title` begins every text."""
        with self._changed:
            self._audience, self._title = audience, title
            self._changed.notify()

    def recall(self, memory: Memory) -> None:
        """Take up what was told before a restart: it isn't told again, and its end is."""
        self._memory = memory
        try:
            known = json.loads(memory.read() or "{}")
        except (HubsyncError, ValueError) as error:
            log.warning("alerts.forgotten", reason=str(error))
            return
        with self._changed:
            for name, was in known.get("topics", {}).items():
                topic = self._topics.setdefault(name, _Topic())
                topic.told, topic.told_at = was["told"], datetime.fromisoformat(was["at"])
                topic.not_over_before = self.now() + GRACE
            self._latest.extend(Alert(datetime.fromisoformat(at), says) for at, says in known.get("latest", ()))

    def start(self) -> None:
        """Begin to send."""
        self._thread = threading.Thread(target=self._send_forever, name="hubsync-alerts", daemon=True)
        self._thread.start()

    def stop(self, within: float = 2.0) -> None:
        """End; what is under way has so many seconds. What wasn't told yet is told by the next start, if it stands."""
        self._ended.set()
        with self._changed:
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(within)

    def send_due(self) -> timedelta | None:
        """Send everything that is due now; how long until something else is, None where nothing is."""
        while True:
            with self._changed:
                audience, now = self._audience, self.now()
                due = self._next(audience, now) if audience is not None else None
            if audience is None or due is None:
                return None
            if due.at > now:
                return due.at - now
            self._send(audience, due)
            if self._ended.is_set():
                return None

    def _send_forever(self) -> None:
        while not self._ended.is_set():
            pause: timedelta | None = None
            try:
                pause = self.send_due()
            except Exception as error:  # whatever it was, later alerts must still go out
                log.error("alerts.failed", exc_info=error)
                pause = AGAIN_AFTER
            with self._changed:
                if not self._ended.is_set():
                    seconds = LONGEST_WAIT if pause is None else pause.total_seconds()
                    self._changed.wait(min(max(seconds, 0.05), LONGEST_WAIT))

    # What is due -------------------------------------------------------------------------------------------------

    def _next(self, audience: Audience, now: datetime) -> _Due | None:
        """The letter to be sent next; what needs no more telling is forgotten."""
        for name in [n for n, t in self._topics.items() if _is_done(t, now)]:
            del self._topics[name]
        coming = [due for name, topic in self._topics.items() if (due := self._due(audience, name, topic, now))]
        return min(coming, key=lambda due: due.at, default=None)

    def _due(self, audience: Audience, name: str, topic: _Topic, now: datetime) -> _Due | None:
        if topic.says == topic.told:
            return None
        if topic.says is not None:
            text, since = topic.says, topic.told_at + COOL_DOWN if topic.told_at is not None else now
        else:
            text, since = f"It is well again: {name}. It was: {topic.told}", topic.not_over_before or now
        at = max(now, since, topic.not_before or now)
        letter = Letter(f"{self._title}: {name}", f"{self._title}: {text}", topic.team, topic.owner)
        if not audience.ways(letter, now):
            return None
        return _Due(name, audience.opening(topic.team, topic.owner, at), topic.says, letter)

    def _send(self, audience: Audience, due: _Due) -> None:
        sleep = self.sleep or (lambda seconds: not self._ended.wait(seconds))
        outcomes = try_ways(audience.ways(due.letter, self.now()), sleep)
        for way, failure in outcomes.items():
            self.on_outcome("sent" if failure is None else "failed")
            if failure is not None:
                log.warning("alert.undelivered", problem=due.name, way=way, reason=str(failure))
        reached = any(failure is None for failure in outcomes.values())
        if reached:
            log.info("alert.sent", problem=due.name, over=due.says is None)
        with self._changed:
            self._note(due, self.now(), reached=reached)
        if reached:
            self._keep()

    def _note(self, due: _Due, now: datetime, *, reached: bool) -> None:
        topic = self._topics.get(due.name)
        if topic is None:
            return
        if not reached:
            topic.not_before = now + AGAIN_AFTER
            return
        topic.told, topic.not_before, topic.not_over_before = due.says, None, None
        if due.says is not None:
            topic.told_at = now
        self._latest.appendleft(Alert(now, due.letter.text))

    def _keep(self) -> None:
        if self._memory is None:
            return
        with self._changed:
            topics = {
                name: {"told": topic.told, "at": topic.told_at.isoformat()}
                for name, topic in self._topics.items()
                if topic.told_at is not None
            }
            latest = [(alert.at.isoformat(), alert.says) for alert in self._latest]
        try:
            self._memory.write(json.dumps({"topics": topics, "latest": latest}))
        except HubsyncError as error:
            log.warning("alerts.unkept", reason=redacted(str(error)))


def _is_done(topic: _Topic, now: datetime) -> bool:
    """Whether there is nothing more to tell of it, and nothing to remember."""
    cooled = topic.told_at is None or now - topic.told_at >= COOL_DOWN
    return topic.says is None and topic.told is None and cooled
