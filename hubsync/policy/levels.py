"""Service levels (playbook L1–L3): promises in time, the rules that watch them, and clocks that tell how they stand.

A level in a rule file is short for two rules, one that warns and one that tells of the breach, so that everything that
holds for rules holds for it: backlog (B1), once per cause, the roll-out, looking again by itself. The clocks are for
people and reports: they also tell of what is over, from the contact's own history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from hubsync.policy.causes import CAUSES, Source
from hubsync.policy.changes import Cause
from hubsync.policy.contact import Contact
from hubsync.policy.engagements import is_rep_outreach
from hubsync.policy.facts import FACTS, MOMENT
from hubsync.policy.spec import RuleSpec, RulesSpec, ServiceLevelSpec
from hubsync.policy.view import Missing, View
from hubsync.policy.vocabulary import STAGE, STATUS, Terms
from hubsync.policy.words import did_you_mean
from hubsync.policy.worktime import Duration, parse_duration

if TYPE_CHECKING:
    from hubsync.policy.compile import KeyPath, _Compiler
    from hubsync.policy.policy import Policy

PROPERTIES = {"lead_status": STATUS, "lifecycle_stage": STAGE}

Moments = Callable[[View, datetime, datetime], "datetime | Missing | None"]
"""The first moment from the one instant on and before the other at which something happened."""


def _first_rep_outreach(view: View, since: datetime, until: datetime) -> datetime | Missing | None:
    marks = view.engagements()
    if isinstance(marks, Missing):
        return marks
    policy = view.policy
    within = (m for m in marks if since <= m.at < until)
    return min((m.at for m in within if is_rep_outreach(m, policy.owner_emails, policy.engagements)), default=None)


MEETS: Mapping[str, Moments] = {"first_rep_outreach": _first_rep_outreach}
"""What can meet a level besides leaving: facts that are moments, and how to find them in a time long past."""


def entry_cause(level: ServiceLevelSpec) -> str:
    """The cause that starts the clock where the level names no other: entering the status or stage."""
    return f"{next(iter(level.starts))}_entered"


def rules_of(level: ServiceLevelSpec) -> list[RuleSpec]:
    """The rules that a level is short for: a warning until it is due, and the breach."""
    since = level.since or entry_cause(level)
    when: dict[str, dict[str, Any]] = {name: {"is_any_of": keys} for name, keys in level.starts.items()}
    if level.met_by is not None:
        when[level.met_by] = {"is_unknown": "true"}
    for name, conditions in level.when.items():
        when[name] = {**when.get(name, {}), **conditions}
    still = {**when, since: {**when.get(since, {}), "is_less_than_ago": level.within}}
    parts = (
        ("warning", still, f"{level.warn_at.rstrip('% ')}% of {level.within}", level.warning),
        ("breach", when, level.within, level.breach),
    )
    return [
        RuleSpec(
            id=f"{level.id}_{part}",
            playbook=level.playbook,
            says=level.says,
            when=conditions,
            cause=since,
            after=after,
            then=actions,
            enabled=level.enabled,
        )
        for part, conditions, after, actions in parts
        if actions
    ]


def with_rules(content: RulesSpec) -> tuple[RulesSpec, dict[KeyPath, KeyPath]]:
    """A file's content with the rules of its levels after its own, and where in the file each of these comes from."""
    rules = list(content.rules)
    origins: dict[KeyPath, KeyPath] = {}
    for number, level in enumerate(content.service_levels):
        for rule in rules_of(level):
            here: KeyPath = ("rules", len(rules))
            origins[here] = ("service_levels", number)
            origins[*here, "then"] = ("service_levels", number, rule.id.removeprefix(f"{level.id}_"))
            origins[*here, "after"] = ("service_levels", number, "within")
            rules.append(rule)
    return (content.model_copy(update={"rules": rules}) if origins else content), origins


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """A level compiled: `values` of `property` start its clock, those of `leaves_to` meet it (None: any does).

    `since` is the cause that starts it; `restarts` says that this is not the entry alone, so that only the clock that
    runs now can be told. Durations are those of the owner's team, at any time the team of the present owner.
    """

    id: str
    playbook: str
    says: str
    property: str
    values: frozenset[str]
    since: Source
    restarts: bool
    met_by: Moments | None
    leaves_to: frozenset[str] | None
    within: Duration
    warns: Duration


def compile_levels(owner: _Compiler) -> tuple[ServiceLevel, ...]:
    """Every level whose status or stage the portal has, in the order of the files; faults are reported."""
    found: list[ServiceLevel] = []
    for source, content in owner.files.rules.items():
        for number, spec in enumerate(content.service_levels):
            level = _level(spec, owner, source, ("service_levels", number)) if spec.enabled else None
            if level is not None and level.values:
                found.append(level)
    return tuple(found)


def _level(spec: ServiceLevelSpec, owner: _Compiler, source: str, path: KeyPath) -> ServiceLevel | None:
    name, keys = next(iter(spec.starts.items()))
    terms = owner.statuses if name == "lead_status" else owner.stages
    table: Mapping[str, Any] = owner.files.portal.statuses if name == "lead_status" else owner.files.portal.stages
    since = spec.since or entry_cause(spec)
    fine = True
    for key in spec.leaves_to:
        if key not in table:
            owner.report(source, (*path, "leaves_to"), f'"{key}" is no key of portal.yaml{did_you_mean(key, table)}')
            fine = False
    if since not in CAUSES or since not in FACTS or FACTS[since].kind != MOMENT:
        both = [cause for cause in CAUSES if cause in FACTS and FACTS[cause].kind == MOMENT]
        owner.report(source, (*path, "since"), f'"{since}" starts no clock{did_you_mean(since, both)}')
        fine = False
    if spec.met_by is not None and spec.met_by not in MEETS:
        owner.report(source, (*path, "met_by"), f'"{spec.met_by}" can\'t meet a service level; {", ".join(MEETS)} can')
        fine = False
    try:
        within, warns = parse_duration(spec.within), parse_duration(f"{spec.warn_at.rstrip('% ')}% of {spec.within}")
    except ValueError as error:
        owner.report(source, (*path, "within"), str(error))
        return None
    if not fine:
        return None
    return ServiceLevel(
        id=spec.id,
        playbook=spec.playbook,
        says=spec.says,
        property=PROPERTIES[name],
        values=_values(terms, keys),
        since=CAUSES[since][0],
        restarts=since != entry_cause(spec),
        met_by=MEETS[spec.met_by] if spec.met_by is not None else None,
        leaves_to=_values(terms, spec.leaves_to) if spec.leaves_to else None,
        within=within,
        warns=warns,
    )


def _values(terms: Terms, keys: Iterable[str]) -> frozenset[str]:
    """HubSpot's values of the keys and of those like them, as far as the portal has them."""
    return frozenset(terms.value(key) for key in terms.alike(keys) if key in terms.by_key)


RUNNING, WARNED, BREACHED, MET, MET_LATE, STOPPED = "running", "warned", "breached", "met", "met late", "stopped"


@dataclass(frozen=True, slots=True)
class Clock:
    """One run of a level on one contact, as it stands at `now`: when it started, is due and warns.

    `ended` is when it was met or stopped, None while it runs; `met` whether it was met then. `raw` and `business` are
    what it has taken so far, `over` what lies beyond the due moment, both in business time too (L3).
    """

    level: ServiceLevel
    started: datetime
    warns: datetime
    due: datetime
    now: datetime
    ended: datetime | None
    met: bool
    raw: timedelta
    business: timedelta
    over: timedelta
    business_over: timedelta

    @property
    def state(self) -> str:
        """RUNNING, WARNED or BREACHED while it runs; then MET, MET_LATE, or STOPPED where it was left for elsewhere."""
        late = (self.ended or self.now) >= self.due
        if self.ended is not None:
            return STOPPED if not self.met else MET_LATE if late else MET
        return BREACHED if late else WARNED if self.now >= self.warns else RUNNING

    @property
    def breached(self) -> datetime | None:
        """When it was breached: the due moment, if it passed before the clock ended."""
        return self.due if (self.ended or self.now) >= self.due else None


def clocks(policy: Policy, contact: Contact, now: datetime) -> tuple[Clock, ...] | Missing:
    """Every clock that ran or runs on the contact, by level and then oldest first; Missing says what is to be read."""
    view = View(policy.of(contact), contact, now)
    found: list[Clock] = []
    for level in policy.levels:
        runs = _runs(level, view)
        if isinstance(runs, Missing):
            return runs
        found += runs
    return tuple(found)


def _runs(level: ServiceLevel, view: View) -> list[Clock] | Missing:
    line = view.line(level.property)
    if isinstance(line, Missing):
        return line
    if level.restarts:
        if not line or line[-1].value not in level.values:
            return []
        cause = level.since(view)
        if isinstance(cause, Missing):
            return cause
        return [_clock(level, view, cause.at, None, met=False)] if isinstance(cause, Cause) else []
    found: list[Clock] = []
    for stay, following in zip_longest(line, line[1:]):
        if stay.value not in level.values:
            continue
        ended = following.at if following is not None else None
        met = following is not None and (level.leaves_to is None or following.value in level.leaves_to)
        reached = level.met_by(view, stay.at, ended or view.now) if level.met_by is not None else None
        if isinstance(reached, Missing):
            return reached
        if reached is not None:
            ended, met = reached, True
        found.append(_clock(level, view, stay.at, ended, met=met))
    return found


def _clock(level: ServiceLevel, view: View, started: datetime, ended: datetime | None, *, met: bool) -> Clock:
    calendar, zone = view.calendar, view.policy.zone
    due = level.within.after(started, calendar, zone)
    end = ended or view.now
    late = end > due
    return Clock(
        level=level,
        started=started,
        warns=level.warns.after(started, calendar, zone),
        due=due,
        now=view.now,
        ended=ended,
        met=met,
        raw=end - started,
        business=calendar.elapsed(started, end),
        over=end - due if late else timedelta(),
        business_over=calendar.elapsed(due, end) if late else timedelta(),
    )
