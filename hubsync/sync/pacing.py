"""Tasks at a pace people can keep up with (playbook B4, B5, B7): between deciding and writing, some of them wait.

The plan's tasks are gathered, policy/pacing.py says which may be created now, and looks go on to be written without the
others; digest entries and alerts of a burst that is held wait with its tasks. What waits is no failure: its rule still
holds when its contact is looked at again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hubsync.errors import UnsafePlan
from hubsync.policy.changes import Cause, CreateTask, Decision, Notice
from hubsync.policy.instants import earlier
from hubsync.policy.pacing import BURST, CAP, DIGEST, NOBODY, Allotment, Burst, Held, Pace, Past, Wish, allot, origin_of
from hubsync.policy.sentences import (
    AND_MORE,
    BURST_AND_TOLD_WAIT,
    BURST_FROM,
    BURST_WAITS,
    MORE_WAIT,
    ONE_WAITS,
    THEIRS_TOMORROW,
    UNOWNED,
)
from hubsync.policy.tasks import REPLACED
from hubsync.store.store import Store
from hubsync.sync.binding import BoundPortal
from hubsync.sync.holding import Waiting, read_holding, save_holding
from hubsync.sync.lease import PortalLease
from hubsync.sync.looking import Look
from hubsync.sync.plan import Row, Tally, instant, notice_row, task_row

B4, B5 = "B4", "B5"
LISTED = 50
"""Contacts named in a digest."""
UNLIMITED = 1_000_000
Key = tuple[str, str, str, str]
Asked = CreateTask | Notice


def frozen(pace: Pace | None, now: datetime) -> str | None:
    """What to say where nothing may be written now (B7), None otherwise."""
    freeze = pace.frozen(now) if pace is not None else None
    if pace is None or freeze is None:
        return None
    until = freeze.until.astimezone(pace.zone)
    says = f" ({freeze.says})" if freeze.says else ""
    return f"Nothing was written: portal.yaml freezes all writes until {until:%Y-%m-%d %H:%M}{says}."


def refuse_frozen(pace: Pace | None, now: datetime) -> None:
    """Raise UnsafePlan where nothing may be written now."""
    said = frozen(pace, now)
    if said is not None:
        raise UnsafePlan(said)


class Pacer:
    """The tasks of one run. Without a pace all of them are created. `lifted`: somebody allowed the run its tasks."""

    def __init__(
        self, pace: Pace | None, store: Store | None, portal: BoundPortal, now: datetime, *, lifted: bool = False
    ) -> None:
        self.pace = replace(pace, per_owner=UNLIMITED) if pace is not None and lifted else pace
        self.store = store
        self.portal = portal
        self.now = now
        self.holding = read_holding(store, portal.id) if pace is not None else read_holding(None, portal.id)
        self._past = self._read_past()
        self._wishes: dict[Key, tuple[Wish, Asked]] = {}
        self._count = 0
        self._granted: set[Key] = set()
        self._allotted = Allotment(frozenset(), {})
        self._digests: dict[str, tuple[str, Sequence[Wish]]] = {}

    def wish(self, looks: Iterable[Look]) -> None:
        """Gather the tasks of these looks."""
        for look in looks:
            self._count += len(look.decision.tasks)
            if self.pace is not None:
                self._wishes |= {w.key: (w, one) for one in _asked(look) for w in (self._wish(look, one),)}

    def allot(self) -> int:
        """Decide on all that was gathered. Returns how many tasks the guard has to count: all but those that wait for
        a release, an owner or business hours.
        """
        if self.pace is None:
            return self._count
        self._allotted = allot(self.pace, [w for w, _ in self._wishes.values()], self._past, self.now)
        self._granted |= self._allotted.granted
        self._digests = {some[0].contact: (owner, some) for owner, some in self._allotted.digests.items()}
        return len(self._new_tasks()) + sum(h.why == CAP for h in self._allotted.held.values())

    def paced(self, looks: Iterable[Look]) -> list[Look]:
        """The looks without the tasks that wait; each is due again when its task's time has come."""
        return [self._paced(look) for look in looks] if self.pace is not None else list(looks)

    def facts(self, contact: str, task: CreateTask) -> dict[str, Any]:
        """What the ledger keeps of a task for later runs: what brought its contact."""
        known = self._wishes.get(_key(contact, task))
        origin = known[0].origin if known is not None else None
        return {"origin": [origin.source, origin.at.isoformat()]} if origin is not None else {}

    def tell(self, tally: Tally) -> None:
        """Say what waits: in the tally's `held`, and as a finding where somebody has to do something."""
        held = self._allotted.held
        taken = Counter((w.contact, w.rule, w.subject) for w in (h.wish for h in held.values()))
        planned = [r for r in tally.tasks if not (r["state"] == "planned" and _take(taken, r))]
        tally.tasks[:] = planned
        tally.told[:] = [r for r in tally.told if not (r["state"] == "planned" and _take(taken, r))]
        for key, one in held.items():
            until = instant(one.until) if one.until else None
            row = _row(one.wish.contact, self._wishes[key][1])
            tally.held.append({**row, "why": one.why, "until": until, "burst": one.burst or None})
        tally.findings += self._findings(held.values())

    def planned_digests(self) -> list[Row]:
        """The digests that would be written, for a plan."""
        return [task_row(c, self._digest(owner, some), "planned") for c, (owner, some) in self._digests.items()]

    def close(self, lease: PortalLease, tally: Tally) -> None:
        """At the end of a run that wrote: say what waits, and keep it for `hubsync guard` and for the next run."""
        self.tell(tally)
        if self.pace is None or self.store is None:
            return
        waiting = [
            Waiting(h.wish.contact, h.wish.rule, h.wish.subject, h.wish.owner, h.why, h.until, h.burst, h.wish.told)
            for h in self._allotted.held.values()
        ]
        contacts = {wish.contact for wish, _ in self._wishes.values()}
        with lease.transaction():
            save_holding(
                self.store, self.portal.id, self.holding.seen(contacts, waiting, self._allotted.bursts, self.now)
            )

    def _wish(self, look: Look, asked: Asked) -> Wish:
        rule, told = self.portal.policy.rule(asked.rule), isinstance(asked, Notice)
        return Wish(
            *_key(look.contact.id, asked),
            owner=asked.recipient if isinstance(asked, Notice) else asked.owner,
            due=asked.cause.at if isinstance(asked, Notice) else asked.due,
            subject=asked.text if isinstance(asked, Notice) else asked.subject,
            origin=origin_of(look.contact, self.portal.policy.writers),
            bound=rule is not None and bool(rule.sets),
            told=told,
        )

    def _new_tasks(self) -> list[Wish]:
        """The tasks that were granted."""
        return [wish for key in self._granted if not (wish := self._wishes[key][0]).told]

    def _paced(self, look: Look) -> Look:
        held = [h for one in _asked(look) if (h := self._held(look, one)) is not None]
        if not held:
            return look
        waiting = {h.wish.key for h in held}
        digest = self._digests.pop(look.contact.id, None)
        return Look(look.contact, self._without(look, waiting, held, self._digest(*digest) if digest else None))

    def _without(self, look: Look, waiting: set[Key], held: Sequence[Held], digest: CreateTask | None) -> Decision:
        """The decision without what waits, and without taking back what tasks that wait were to replace."""
        decision = look.decision
        again = decision.look_again
        for one in held:
            again = earlier(again, one.until)
        tasks = tuple(t for t in decision.tasks if _key(look.contact.id, t) not in waiting)
        return replace(
            decision,
            tasks=(*tasks, digest) if digest is not None else tasks,
            notices=tuple(n for n in decision.notices if _key(look.contact.id, n) not in waiting),
            withdrawn=tuple(w for w in decision.withdrawn if tasks or w.why != REPLACED),
            look_again=again,
        )

    def _held(self, look: Look, asked: Asked) -> Held | None:
        """Why it waits, None where it doesn't. One that is new since the plan is judged by itself."""
        key = _key(look.contact.id, asked)
        if key in self._granted or self.pace is None:
            return None
        if key not in self._allotted.held:
            wish = self._wish(look, asked)
            self._wishes[key] = wish, asked
            created = Counter(self._past.created)
            created.update(task.owner or "" for task in self._new_tasks())
            past = replace(self._past, created=created, bursts=self._allotted.bursts)
            found = allot(self.pace, [wish], past, self.now)
            self._granted |= found.granted
            held = {**self._allotted.held, **found.held}
            self._allotted = replace(self._allotted, held=held, bursts=found.bursts)
        return self._allotted.held.get(key)

    def _read_past(self) -> Past:
        if self.pace is None or self.store is None:
            return Past(bursts=self.holding.bursts, lifted=self.holding.lifted)
        midnight = self.pace.midnight(self.now)
        rows = self.store.tasks_since(self.portal.id, min(midnight, self.now - timedelta(days=1)))
        today = [r for r in rows if r.sent_at is not None and r.sent_at >= midnight]
        origins = [(r, r.facts["origin"]) for r in rows if r.facts.get("origin")]
        return Past(
            created=Counter(r.facts.get("owner") or "" for r in today if r.rule != DIGEST),
            digested=frozenset(str(r.facts.get("owner")) for r in today if r.rule == DIGEST),
            arrived=[(source, datetime.fromisoformat(at), r.contact) for r, (source, at) in origins],
            bursts=self.holding.bursts,
            lifted=self.holding.lifted,
        )

    def _digest(self, owner: str, some: Sequence[Wish]) -> CreateTask:
        """One task instead of many: who waits, with links to their records."""
        assert self.pace is not None  # noqa: S101  (digests come of a pace alone)
        day = self.now.astimezone(self.pace.zone).date().isoformat()
        site = f"https://{self.portal.account.ui_domain or 'app.hubspot.com'}/contacts/{self.portal.id}/record/0-1"
        lines = [f"{w.subject}: {site}/{w.contact}" for w in some[:LISTED]]
        say = self.portal.policy.say
        more = [say(AND_MORE, count=f"{len(some) - LISTED:,}")] if len(some) > LISTED else []
        return CreateTask(
            template="digest",
            subject=say(ONE_WAITS if len(some) == 1 else MORE_WAIT, count=f"{len(some):,}"),
            body="<br>".join([say(THEIRS_TOMORROW, count=self.pace.per_owner), *lines, *more]),
            owner=owner or None,
            due=self.pace.calendar(owner).after(self.now, timedelta(hours=2)).replace(microsecond=0),
            priority="NONE",
            rule=DIGEST,
            playbook=B4,
            cause=Cause("cap", self.now, f"cap:{owner}:{day}"),
        )

    def _findings(self, held: Iterable[Held]) -> list[Row]:
        """One for each burst that holds something, one for tasks that nobody owns."""
        held = [*held]
        say = self.portal.policy.say
        tasks = Counter((h.why, h.burst) for h in held if not h.wish.told)
        told = Counter(h.burst for h in held if h.wish.told)
        found = [
            _finding(self._burst_says(burst, tasks[BURST, burst.id], told[burst.id]), B5)
            for burst in self._allotted.bursts
            if tasks[BURST, burst.id] or told[burst.id]
        ]
        unowned = tasks[NOBODY, ""]
        return [*found, _finding(say(UNOWNED, count=f"{unowned:,}"), B4)] if unowned else found

    def _burst_says(self, burst: Burst, tasks: int, told: int) -> str:
        say = self.portal.policy.say
        return say(
            BURST_AND_TOLD_WAIT if told else BURST_WAITS,
            burst=say(BURST_FROM, **burst.words),
            tasks=f"{tasks:,}",
            **({"told": f"{told:,}"} if told else {}),
            command=f"hubsync guard release {burst.id}",
        )


def _finding(message: str, playbook: str) -> Row:
    return {"contact": None, "rule": DIGEST, "playbook": playbook, "property": None, "message": message}


def _asked(look: Look) -> tuple[Asked, ...]:
    """What a decision asks of people: tasks, and what they are told."""
    return *look.decision.tasks, *look.decision.notices


def _key(contact: str, asked: Asked) -> Key:
    return contact, asked.rule, asked.target if isinstance(asked, Notice) else asked.template, asked.cause.key


def _row(contact: str, asked: Asked) -> Row:
    return notice_row(contact, asked, "held") if isinstance(asked, Notice) else task_row(contact, asked, "held")


def _take(taken: Counter[tuple[str, str, str]], row: Row) -> bool:
    """Whether the row is one of those, each taken once."""
    mark = (row["contact"], row["rule"], row.get("subject") or row["text"])
    taken[mark] -= 1
    return taken[mark] >= 0
