"""The guard of the running service (design 5): each rule may write so much an hour, all together so much a day.

A rule over its bucket is held, alone: what it wants to write stays unwritten, others go on, somebody is told, and
`hubsync guard release RULE` has the held contacts decided on anew. Tasks have caps of their own (B4).
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hubsync.policy.changes import Decision
from hubsync.store.store import Store
from hubsync.sync.looking import Look

CURSOR = "serve.held_rules"
RELEASED = "serve.released_rules"
"""Cursors: the rules that are held, and when others were last released."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AT_LEAST = 50
SHARE_OF_HOUR, SHARE_OF_DAY = 0.01, 0.05
EVERYTHING = "*"
"""In a rule's place: all rules together are over their day."""
ALL = "all"
"""How people name that."""
PARKED = "held: "
"""Begins the reason of a parked contact; the rule follows (`parked_for`)."""


@dataclass(frozen=True, slots=True)
class HeldRule:
    """A rule that the guard holds: since when, and how many writes it had had."""

    rule: str
    since: datetime
    writes: int
    limit: int

    @property
    def says(self) -> str:
        """What it is, for people."""
        what = "All rules together" if self.rule == EVERYTHING else f"Rule {self.rule}"
        when = "day" if self.rule == EVERYTHING else "hour"
        name = ALL if self.rule == EVERYTHING else self.rule
        return (
            f"{what} changed {self.writes:,} contacts within a {when}, the limit is {self.limit:,}; what more "
            f"there is to change is held since {self.since:%Y-%m-%d %H:%M} UTC. Look at `hubsync guard`, then: "
            f"hubsync guard release {name}"
        )


@dataclass(slots=True)
class Buckets:
    """How much each rule has written lately. Only the worker's thread uses it. `contacts`: how many the portal has.

    `rule_an_hour` and `all_a_day` stand in for the limits that follow from the portal's size (`guard:` of portal.yaml).
    """

    contacts: int
    rule_an_hour: int | None = None
    all_a_day: int | None = None
    held: dict[str, HeldRule] = field(default_factory=dict)
    _written: deque[tuple[datetime, str, int]] = field(default_factory=deque)

    @property
    def hourly(self) -> int:
        """How many contacts one rule may change within an hour."""
        return self.rule_an_hour or max(AT_LEAST, int(SHARE_OF_HOUR * self.contacts))

    @property
    def daily(self) -> int:
        """How many contacts all rules may change within a day."""
        return self.all_a_day or max(self.hourly, int(SHARE_OF_DAY * self.contacts))

    def wrote(self, counts: Mapping[str, int], at: datetime) -> None:
        """Count writes that landed, by rule."""
        self._written.extend((at, rule, count) for rule, count in counts.items() if count)

    def admit(self, looks: Sequence[Look], now: datetime) -> tuple[list[Look], dict[str, list[str]], list[HeldRule]]:
        """What may be written of these looks; by held rule the contacts whose changes are not; rules newly held.

        A look loses every change where one is held: a half-written decision is nobody's.
        """
        hour, day = self._lately(now)
        admitted: list[Look] = []
        kept_back: dict[str, list[str]] = {}
        fresh: list[HeldRule] = []
        for look in looks:
            rules = {change.rule for change in look.decision.changes}
            over = self._over(rules, hour, day, now)
            if over is not None:
                if over.rule not in self.held:
                    self.held[over.rule] = over
                    fresh.append(over)
                kept_back.setdefault(over.rule, []).append(look.contact.id)
                admitted.append(Look(look.contact, without_changes(look.decision)))
                continue
            hour.update(rules)
            day += bool(rules)
            admitted.append(look)
        return admitted, kept_back, fresh

    def release(self, rule: str, now: datetime) -> None:
        """Let a rule go on with an empty bucket."""
        self.held.pop(rule, None)
        if rule == EVERYTHING:
            self._written.clear()
        else:
            self._written = deque(w for w in self._written if w[1] != rule)
        self._forget_before(now - DAY)

    def _over(self, rules: Iterable[str], hour: Counter[str], day: int, now: datetime) -> HeldRule | None:
        """The rule that keeps a decision from being written."""
        named = sorted(rules)
        for rule in (*named, *((EVERYTHING,) if named else ())):
            if rule in self.held:
                return self.held[rule]
        for rule in named:
            if hour[rule] >= self.hourly:
                return HeldRule(rule, now, hour[rule], self.hourly)
        if named and day >= self.daily:
            return HeldRule(EVERYTHING, now, day, self.daily)
        return None

    def _lately(self, now: datetime) -> tuple[Counter[str], int]:
        self._forget_before(now - DAY)
        hour: Counter[str] = Counter()
        for at, rule, count in self._written:
            if at > now - HOUR:
                hour[rule] += count
        return hour, sum(count for _, _, count in self._written)

    def _forget_before(self, moment: datetime) -> None:
        while self._written and self._written[0][0] <= moment:
            self._written.popleft()


def parked_for(rule: str) -> str:
    """The reason of a contact parked for a rule; no other rule's begins with it."""
    return f"{PARKED}{rule}."


def without_changes(decision: Decision) -> Decision:
    """The decision with nothing of it left to write: no change, no task, nobody told, no cause spent."""
    return replace(decision, changes=(), tasks=(), notices=(), withdrawn=(), superseded=())


def refill(store: Store, portal: int, buckets: Buckets, now: datetime) -> None:
    """After a start: what the ledger says was written within the day, and which rules were held.

    What was written before a rule was released doesn't count against it.
    """
    released = _read_released(store, portal)

    def counted(since: datetime) -> dict[str, int]:
        since = max(since, released.get(EVERYTHING, since))
        counts = dict(store.firings(portal, since=since))
        for rule, at in released.items():
            if at > since and rule in counts:
                counts[rule] = store.firings(portal, since=at).get(rule, 0)
        return counts

    hour, day = counted(now - HOUR), counted(now - DAY)
    buckets.wrote({rule: count - hour.get(rule, 0) for rule, count in day.items()}, now - HOUR)
    buckets.wrote(hour, now)
    buckets.held = {held.rule: held for held in read_held(store, portal)}


def read_held(store: Store, portal: int) -> tuple[HeldRule, ...]:
    """The rules that the service holds."""
    text = store.cursor(portal, CURSOR)
    return tuple(
        HeldRule(rule, datetime.fromisoformat(said["since"]), said["writes"], said["limit"])
        for rule, said in (json.loads(text) if text else {}).items()
    )


def hold(store: Store, portal: int, fresh: Iterable[HeldRule]) -> None:
    """Keep that these rules are held now, for the next start and for `hubsync guard`.

    What somebody released meanwhile stays released, whatever the service still holds in its memory.
    """
    with store.begin():
        _save_held(store, portal, [*read_held(store, portal), *fresh])


def _save_held(store: Store, portal: int, held: Iterable[HeldRule]) -> None:
    said = {h.rule: {"since": h.since.isoformat(), "writes": h.writes, "limit": h.limit} for h in held}
    store.set_cursor(portal, CURSOR, json.dumps(said))


def release_held(store: Store, portal: int, rule: str, now: datetime) -> int | None:
    """For `hubsync guard release`: the rule goes on, its contacts are due; None where it isn't held."""
    rule = EVERYTHING if rule == ALL else rule
    with store.begin():
        held = read_held(store, portal)
        if all(h.rule != rule for h in held):
            return None
        _save_held(store, portal, [h for h in held if h.rule != rule])
        lately = {name: at.isoformat() for name, at in _read_released(store, portal).items() if at > now - DAY}
        store.set_cursor(portal, RELEASED, json.dumps({**lately, rule: now.isoformat()}))
        return store.parking.unpark(portal, now, why=parked_for(rule))


def _read_released(store: Store, portal: int) -> dict[str, datetime]:
    text = store.cursor(portal, RELEASED)
    return {rule: datetime.fromisoformat(at) for rule, at in (json.loads(text) if text else {}).items()}
