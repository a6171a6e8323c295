"""The playbook told once more, for one contact, as plainly as possible: what must stand in the portal after a sync.

It exists to disagree with hubsync where either is wrong, so it shares no code with `hubsync/policy` and was written
from the playbook: at a sync every rule whose conditions hold fires on its cause, the oldest cause first, as if hubsync
had looked in time; the combinations of the matrix are judged on what that leaves, and tasks last. It must not learn
from the implementation. Ids in comments are the playbook's. Values are policy keys, "" for none; every moment is aware.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.model.office_hours import months_after, working_time_after

STAGES = ("", "subscriber", "lead", "mql", "sql", "opportunity", "customer")
"""In their order (D1)."""
OPEN, WON = "open", "won"
FOR_GOOD = ("competitor", "wrong_fit")
STATUS_QUIET, CELL_QUIET = timedelta(minutes=2), timedelta(minutes=15)
WEEK = timedelta(days=7)
LONG_BEFORE = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """A value of a property: since when it counts, who set it ("us" with the number of the run), by a hard rule?"""

    value: str
    at: datetime
    by: str
    run: int = 0
    hard: bool = False
    rule: str = ""
    written: datetime | None = None
    """When it was set, where that is not since when it counts."""


@dataclass
class Deal:
    """A deal: `state` is OPEN, WON or the category of its loss, since `at`."""

    number: int
    opened: datetime
    state: str
    at: datetime


@dataclass(frozen=True)
class Want:
    """A rule that holds: on which cause, what it sets. `once`: what it fires once for, unless its cause."""

    rule: str
    cause: datetime
    sets: dict[str, str]
    once: object = None
    hard: bool = False
    quiet: timedelta = STATUS_QUIET
    looks_at: tuple[str, ...] = ("status", "stage")

    def firings(self) -> set[tuple[str, object, str]]:
        return {(self.rule, self.once or self.cause, prop) for prop in self.sets}


@dataclass(frozen=True)
class Task:
    """hubsync's task on the contact: the moment that caused it, when it is due, the run that made it."""

    cause: datetime
    due: datetime
    run: int


@dataclass
class Model:
    """One contact. `acts` change it at once; `sync` does what hubsync must do and `undo` takes a run back."""

    created: datetime
    created_by: str
    zone: ZoneInfo
    since: datetime | None = None
    """EFFECTIVE_SINCE, where it is set; else the first sync stamps (B1)."""
    owner: bool = True
    hold: bool = False
    deals: list[Deal] = field(default_factory=list)
    outreach: list[datetime] = field(default_factory=list)
    task: Task | None = None
    history: dict[str, list[Entry]] = field(
        default_factory=lambda: {p: [] for p in ("status", "stage", "review", "reason")}
    )
    spent: set[tuple[str, object, str]] = field(default_factory=set)
    wrote: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """When each rule wrote last, and for which cause."""
    undone: dict[str, datetime] = field(default_factory=dict)
    braked: set[str] = field(default_factory=set)
    looked: datetime | None = None
    stamped: datetime | None = None

    # What is known of the contact --------------------------------------------------------------------------------

    def value(self, prop: str) -> str:
        return self.history[prop][-1].value if self.history[prop] else ""

    def stays(self, prop: str) -> list[Entry]:
        """Its history without empty moments (D7) and without neighbours that are equal: one entry is one stay."""
        found: list[Entry] = []
        entries = self.history[prop]
        for entry, following in zip(entries, [*entries[1:], None], strict=False):
            if not entry.value and following is not None and following.at - entry.at < STATUS_QUIET:
                continue
            if not found or found[-1].value != entry.value:
                found.append(entry)
        return found

    def entered(self, prop: str) -> datetime:
        stays = self.stays(prop)
        return stays[-1].at if stays else self.created

    def before(self, prop: str) -> str:
        """The last value that was another one; times without any are passed over."""
        return next((e.value for e in reversed(self.stays(prop)) if e.value not in ("", self.value(prop))), "")

    def cycle(self) -> datetime:
        """When the work cycle began (D6)."""
        starts = [e.at for e in self.stays("status") if e.value in ("new", "recycled")]
        return max([self.created, *starts, *(e.at for e in self.stays("stage") if e.value == "mql")])

    def deals_in(self, *states: str) -> list[Deal]:
        return sorted((d for d in self.deals if d.state in states), key=lambda d: d.at)

    def at_or_beyond(self, stage: str) -> bool:
        return STAGES.index(self.value("stage")) >= STAGES.index(stage)

    # The rules ---------------------------------------------------------------------------------------------------

    def automations(self) -> Iterator[Want]:
        """Section 3. Of equal moments the later rule has its way."""
        status, stage = self.value("status"), self.value("stage")
        came, came_from, chosen = self.entered("stage"), self.before("stage"), self.entered("status")
        if not status and stage == "lead" and self.created_by in ("form", "person"):
            yield Want("A1", came, {"status": "new"})
        if not status and stage == "mql" and STAGES.index(came_from) < STAGES.index("mql"):
            yield Want("A2", came, {"status": "new"})
        first = min((at for at in self.outreach if at >= self.cycle()), default=None)
        if first and status in ("", "new", "recycled"):
            yield Want("A3", first, {"status": "attempting"}, ("cycle", self.cycle()), looks_at=("status",))
        if status == "qualified" and self.at_or_beyond("lead") and not self.at_or_beyond("sql"):
            yield Want("A9", chosen, {"stage": "sql"})
        promoted = stage == "sql" and STAGES.index(came_from) < STAGES.index("sql")
        if promoted and status in ("", "new", "recycled", "nurture", "bad_timing"):
            yield Want("A10", came, {"status": "working"})
        active = ("", "new", "attempting", "connected", "working", "qualified", "recycled")
        if stage == "mql" and STAGES.index(came_from) > STAGES.index("mql") and status in active:
            yield Want("A11", came, {"status": "nurture"})
        yield from self.from_deals()

    def from_deals(self) -> Iterator[Want]:
        status, before = self.value("status"), self.before("status")
        opened, won = self.deals_in(OPEN), self.deals_in(WON)
        customer = self.at_or_beyond("customer")
        if opened and status not in ("", "converted", "customer") and not customer:
            yield Want(
                "A7", opened[-1].at, {"status": "converted", "stage": "opportunity"}, ("deal", opened[-1].number)
            )
        locked = opened and before == "converted" and not customer
        if locked and status in ("new", "attempting", "connected", "working", "qualified"):
            once = ("deal", opened[-1].number)
            yield Want("A17", self.entered("status"), {"status": "converted"}, once, hard=True, quiet=CELL_QUIET)
        if self.lost() and not customer and status not in ("customer", "disqualified"):
            yield from self.as_lost("A12", self.lost()[-1].at, STATUS_QUIET)
        if won and (not customer or (not opened and status not in ("customer", "recycled"))):
            yield Want("A13", won[-1].at, {"stage": "customer", "status": "customer"}, ("deal", won[-1].number))

    def lost(self) -> list[Deal]:
        """All deals, if all are lost, the last loss last."""
        return [] if self.deals_in(OPEN, WON) else sorted(self.deals, key=lambda d: d.at)

    def as_lost(self, rule: str, cause: datetime, quiet: timedelta) -> Iterator[Want]:
        deal = self.lost()[-1]
        if deal.state in FOR_GOOD:
            yield Want(rule, cause, {"status": "disqualified", "reason": deal.state}, quiet=quiet)
        elif self.value("status") != "bad_timing":
            review = months_after(deal.at, 3, self.zone).isoformat()
            yield Want(rule, cause, {"status": "bad_timing", "review": review}, quiet=quiet)

    def cells(self) -> Iterator[Want]:
        """Section 5: what the combination asks for."""
        status, stage = self.value("status"), self.value("stage")
        came, chosen, opened = self.entered("stage"), self.entered("status"), self.deals_in(OPEN)
        correct: Callable[..., Want] = lambda cause, hard=False, **sets: Want(  # noqa: E731
            f"C1 {stage} {status}", cause, sets, hard=hard, quiet=CELL_QUIET
        )
        if stage in ("lead", "mql") and status == "qualified":
            yield correct(chosen, stage="sql")
        if stage == "mql" and not status and STAGES.index(self.before("stage")) < STAGES.index("mql"):
            yield correct(came, status="new")  # who was moved back is A11's business
        if stage == "sql" and not status:
            yield correct(came, status="working")
        if stage == "sql" and status == "new":
            yield correct(max(came, chosen), hard=True, status="working")
        if stage == "opportunity" and opened:
            if status in ("new", "attempting", "connected", "working", "qualified", "recycled"):
                yield correct(max(came, opened[-1].at), status="converted")
        elif status == "converted" and stage in ("lead", "mql", "sql", "opportunity"):
            if opened:
                about = max(came, chosen, opened[-1].at) if stage != "sql" else chosen
                yield correct(about, hard=stage != "sql", stage="opportunity")
            elif self.lost():
                yield from self.as_lost(f"C3 {stage}", self.lost()[-1].at, CELL_QUIET)

    # Whether they may --------------------------------------------------------------------------------------------

    def managed(self, rule: str) -> bool:
        """D5."""
        beyond = self.at_or_beyond("customer")
        return self.in_scope() and self.at_or_beyond("lead") and (rule == "A13" or not beyond)

    def in_scope(self) -> bool:
        """Nobody said hands off, and somebody owns the contact or it raised its hand."""
        return not self.hold and (self.owner or self.created_by == "form")

    def quiet(self, now: datetime, time: timedelta, *props: str) -> bool:
        """D7: somebody else changed one of them so lately."""
        newest = [stays[-1] for prop in props if (stays := self.stays(prop))]
        return any(e.by != "us" and now - e.at < time for e in newest)

    def fresh(self, prop: str, cause: datetime) -> bool:
        """A person's later choice stands, and so does a stage that anyone moved backward since."""
        stays = self.stays(prop)
        chosen = [e.at for e in stays if e.by == "person"]
        chosen += [self.undone[prop]] if prop in self.undone else []
        if prop == "stage":
            chosen += [b.at for a, b in itertools.pairwise(stays) if STAGES.index(b.value) < STAGES.index(a.value)]
        return all(at <= cause for at in chosen)

    def may(self, want: Want, now: datetime, since: datetime) -> Want | None:
        """The want, with what is left of it to set; None where nothing is."""
        if not self.managed(want.rule) or want.cause < since or self.quiet(now, want.quiet, *want.looks_at):
            return None
        left = {
            prop: value
            for prop, value in want.sets.items()
            if (want.rule, want.once or want.cause, prop) not in self.spent
            and (want.hard or self.fresh(prop, want.cause))
            and value != self.value(prop)
            and not (prop == "stage" and self.at_or_beyond(value))
        }
        lately, cause = self.wrote.get(want.rule, (LONG_BEFORE, want.cause))
        again = now - lately < WEEK and cause != want.cause
        braked = {prop for prop in left if again or self.at_odds(prop, now)}  # A18: whatever the cause
        self.braked |= braked
        stop = braked if want.rule.startswith("A") else self.braked  # no cell writes it in the rule's place
        left = {prop: value for prop, value in left.items() if prop not in stop}
        return replace(want, sets=left) if {"status", "stage"} & set(left) else None

    def at_odds(self, prop: str, now: datetime) -> bool:
        """Two writers set it to and fro, and the last of three turns is less than a week ago (A18)."""
        stays = self.stays(prop)
        for a, b, c, d in zip(stays, stays[1:], stays[2:], stays[3:], strict=False):
            turns = [e.written or e.at for e in (b, c, d)]
            to_and_fro = (a.value, b.value, b.by) == (c.value, d.value, d.by) and b.by != c.by
            if to_and_fro and now - turns[2] < WEEK and max(turns[1] - turns[0], turns[2] - turns[1]) <= 2 * WEEK:
                return True
        return False

    def horizon(self, now: datetime) -> datetime:
        """From when on causes count (B1)."""
        if self.since is not None:
            return self.since
        self.stamped = self.stamped or now
        if self.looked is not None and now - self.looked > WEEK:
            self.stamped = max(self.stamped, now - WEEK)
        return self.stamped

    # Runs --------------------------------------------------------------------------------------------------------

    def sync(self, now: datetime, run: int) -> None:
        """What run number `run` must do."""
        self.braked = set()
        since = self.horizon(now)
        lengths = {prop: len(entries) for prop, entries in self.history.items()}
        held: set[tuple[str, object, str]] = set()
        while wants := self.ready(self.automations(), now, since) or self.ready(self.cells(), now, since):
            held |= set().union(*(want.firings() for want in wants))
            if late := [want for want in wants if self.late(want, run)]:
                self.spent |= set().union(*(want.firings() for want in late))
                continue
            wants.sort(key=lambda want: want.cause)
            for prop, value in wants[0].sets.items():
                carrier = self.carrier(prop, value, wants)
                self.spent |= wants[0].firings() | {key for key in carrier.firings() if prop in key}
                self.history[prop].append(Entry(value, carrier.cause, "us", run, carrier.hard, carrier.rule, now))
        self.spent |= held  # what lost to another cause is spent with it
        for prop, length in lengths.items():
            self.settle(prop, length)
        self.tasks(now, since, run)
        self.looked = now

    def ready(self, wants: Iterator[Want], now: datetime, since: datetime) -> list[Want]:
        return [left for want in wants if (left := self.may(want, now, since))]

    def carrier(self, prop: str, value: str, wants: list[Want]) -> Want:
        """Of rules that want the same value one after the other, the last."""
        asked = [want for want in wants if prop in want.sets]
        return [*itertools.takewhile(lambda want: want.sets[prop] == value, asked)][-1]

    def late(self, want: Want, run: int) -> bool:
        """Whether a later cause has had its say on the status in this run: the latest wins (design 1)."""
        newest = self.history["status"][-1] if self.history["status"] else None
        rule = want.rule.startswith("A") and not want.hard and "status" in want.sets
        return bool(rule and newest and newest.run == run and want.cause < newest.at)

    def settle(self, prop: str, length: int) -> None:
        """Of what a run wrote one after the other, only the last value reaches the portal, if it changes anything."""
        entries = self.history[prop]
        before = entries[length - 1].value if length else ""
        landed = [e for e in entries[length:][-1:] if e.value != before]
        self.history[prop] = entries[:length] + landed
        self.wrote |= {e.rule: (e.written, e.at) for e in landed if e.written}

    def tasks(self, now: datetime, since: datetime, run: int) -> None:
        """T1, T11."""
        cause = self.entered("status")
        if not self.in_scope():
            self.task = None
        elif self.quiet(now, STATUS_QUIET, "status"):
            return
        elif not (self.value("status") == "new" and self.owner):
            self.task = None
        elif (
            self.managed("T1")
            and cause >= max(since, self.undone.get("status", since))
            and ("T1", cause, "") not in self.spent
        ):
            self.spent.add(("T1", cause, ""))
            self.task = Task(cause, working_time_after(cause, timedelta(hours=2), self.zone), run)

    def undo(self, now: datetime, run: int, *, allow_backward: bool) -> None:
        """G2: what the run wrote and nobody changed since is as if it had never been; its causes stay spent."""
        back = {prop for prop, h in self.history.items() if h and h[-1].run == run and not h[-1].hard}
        if not allow_backward:
            back.discard("stage")
        then = {p: h[-1 - (p in back)].value if len(h) > (p in back) else "" for p, h in self.history.items()}
        status, stage = then["status"], then["stage"]
        if (stage, status) == ("sql", "new"):
            back.discard("status")
        if stage in ("lead", "mql") and status == "converted" and self.deals_in(OPEN):
            back.discard("stage")
        for prop in back:
            self.history[prop].pop()
            self.undone[prop] = now
        if self.task and self.task.run == run:
            self.task = None
