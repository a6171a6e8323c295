"""What may be true of a contact, cut into classes that no rule can tell apart, and how each is stated in a case.

A subject is something that is so or not, independent of the rest: an open deal, a rep's outreach, the value of one
property. Its options are the classes into which the conditions of all rules cut it, each with one representative. It
must not know which rules there are: it is handed their conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hubsync.policy.conditions import Condition
from hubsync.policy.facts import FACTS
from hubsync.policy.policy import Policy
from hubsync.policy.time_conditions import TIME_OPERATORS
from hubsync.policy.view import View
from hubsync.policy.worktime import parse_duration
from hubsync.proving.derived import DERIVED, derived
from hubsync.proving.options import LONG_AGO, NOW, OWNER, Option, act
from hubsync.rulefiles.situations import SituationFault, build


@dataclass(frozen=True, slots=True)
class Subject:
    """Its options; the first is how it is where nothing is said. `timed` if the others are things that happened."""

    name: str
    options: tuple[Option, ...]

    @property
    def timed(self) -> bool:
        """Whether any option is something that happened."""
        return any(option.timed for option in self.options)


HISTORY_OF = {"lead_status": "lead_status", "lifecycle_stage": "lifecycle_stage"}
_ENDINGS = ("", "_entered", "_by", "_before")
OF_THE_START = frozenset(f"{name}{end}" for name in HISTORY_OF for end in _ENDINGS) | {
    "cycle_started",
    "idle_since",
    "last_activity",
}
"""Facts that the start itself lays down: the combination, since when, by whom, and what was before."""

REPLY, MEETING, FORM, CLICK = "a reply", "a meeting", "a form", "a click in a marketing e-mail"
RETURN = "a lead that comes back"
OPEN, WON, LOST, OUTREACH = "an open deal", "a won deal", "a lost deal", "a rep's outreach"
_EVENTS: dict[str, str] = {
    "open_deals": OPEN,
    "deal_opened": OPEN,
    "deal_covers_contact": OPEN,
    "won_deals": WON,
    "last_deal_won": WON,
    "lost_deals": LOST,
    "last_deal_lost": LOST,
    "loss_category": LOST,
    "first_rep_outreach": OUTREACH,
    "last_rep_outreach": OUTREACH,
    "attempts": OUTREACH,
    "deal_close_date": OPEN,
    "deal_step_entered": OPEN,
    "deal_amount": OPEN,
    "loss_reason": LOST,
    "first_reply": REPLY,
    "last_reply": REPLY,
    "last_reply_kind": REPLY,
    "first_meeting_booked": MEETING,
    "first_meeting_held": MEETING,
    "meeting_without_outcome": MEETING,
    "last_form": FORM,
    "marketing_click": CLICK,
    "reengaged": RETURN,
    "reengaged_by": RETURN,
    "review_date": "hubsync_review_date",
    "churn": "churned",
    **DERIVED,
}
"""The facts and causes that hang on a subject of another name."""
HAPPENINGS: dict[str, tuple[tuple[str, Any], ...]] = {
    REPLY: (("lead_email", {}),),
    MEETING: (("meeting_booked", {}), ("meeting_held", {})),
    FORM: (("form_sent", {"name": "Contact us"}),),
    CLICK: (("marketing_click", {}),),
    RETURN: (("form_sent", {"name": "Contact us"}), ("lead_email", {}), ("meeting_booked", {})),
}
"""Subjects that are things that happened, and the acts of each."""
_ALWAYS_SO = frozenset({"open_deals", "won_deals", "lost_deals", "loss_category"})
"""Facts about what happened that hang on nothing but that it did."""
_STATED = frozenset({"owner", "email_domain", "created_by", "churned"})


def subject_of(fact: str) -> str | None:
    """The subject that a fact hangs on: "" for what the start lays down, None if no case can state it."""
    if fact in OF_THE_START:
        return ""
    if fact in _EVENTS:
        return _EVENTS[fact]
    return fact if fact in _STATED or fact not in FACTS else None


def certain(condition: Condition, option: Option) -> bool:
    """Whether the condition's answer hangs on the option alone: not on time, the cycle, or the Lead status."""
    name = condition.fact.name
    return condition.flip is None and name not in DERIVED and (not option.timed or name in _ALWAYS_SO)


def subjects(policy: Policy, conditions: Iterable[Condition], lists: Mapping[str, Sequence[str]]) -> dict[str, Subject]:
    """Every subject that the conditions ask, with one option for each class they can tell apart.

    `lists` are those of portal.yaml that operands may name.
    """
    asked: dict[str, list[Condition]] = {}
    for condition in conditions:
        name = subject_of(condition.fact.name)
        if name:
            named = lists.get(condition.operand) if isinstance(condition.operand, str) else None
            asked.setdefault(name, []).append(replace(condition, operand=named) if named else condition)
    return {
        name: Subject(name, _distinct(policy, _candidates(policy, name, found), found)) for name, found in asked.items()
    }


def _distinct(policy: Policy, options: Iterable[Option], conditions: Sequence[Condition]) -> tuple[Option, ...]:
    """The options that some condition tells from those before; what follows from other facts is told by none alone."""
    if any(c.fact.name in DERIVED for c in conditions):
        return tuple(options)
    kept: dict[tuple[int, ...], Option] = {}
    for option in options:
        answers = truths(policy, option, conditions)
        if answers is not None:
            kept.setdefault(answers, option)
    return tuple(kept.values())


def truths(policy: Policy, option: Option, conditions: Sequence[Condition]) -> tuple[int, ...] | None:
    """What the conditions answer where this alone is so; None if the portal can't have it."""
    view = alone(policy, option)
    return None if view is None else tuple(condition.test(view) for condition in conditions)


def alone(policy: Policy, option: Option) -> View | None:
    """A contact of which nothing is known but this option."""
    acts = [act(kind, detail, NOW - timedelta(hours=1)) for kind, detail in option.acts]
    words = {"owner": OWNER, "createdate": LONG_AGO.isoformat(), "lead_status": "none", **dict(option.contact)}
    if any(kind.startswith("deal") for kind, _ in option.acts):
        words["lead_status"] = next(iter(policy.statuses.by_key), "none")
    try:
        situation = build(policy, NOW, words, acts)
    except SituationFault:
        return None
    return View(policy, situation.contact, NOW)


def _candidates(policy: Policy, name: str, conditions: Sequence[Condition]) -> Iterator[Option]:
    if name == OPEN:
        yield from _deals(name, "deal_opened", ({},), _counts(conditions, "open_deals"), _marks(policy))
    elif name == WON:
        yield from _deals(name, "deal_won", ({},), _counts(conditions, "won_deals"))
    elif name == LOST:
        reasons = [words[0] for words in policy.deals.categories.values() if words]
        details = [{"reason": "no reason that anybody listed"}, *({"reason": reason} for reason in reasons)]
        yield from _deals(name, "deal_lost", details, _counts(conditions, "lost_deals"))
    elif name == OUTREACH:
        yield Option(name, "no outreach")
        for count in _counts(conditions, "attempts"):
            yield Option(name, f"{count} outreaches", acts=(("rep_email", {}),) * count)
    elif name in HAPPENINGS:
        yield Option(name, f"no {name.split(' ', 1)[1]}")
        for happening in HAPPENINGS[name]:
            yield Option(name, f"{name}: {happening[0]}", acts=(happening,))
    elif name in DERIVED.values():
        yield from derived(policy, name)
    else:
        yield from _values(policy, name, conditions)


def _deals(
    name: str,
    kind: str,
    details: Iterable[Mapping[str, Any]],
    counts: Sequence[int],
    marks: Sequence[Mapping[str, Any]] = ({},),
) -> Iterator[Option]:
    yield Option(name, f"no {name.split(' ', 1)[1]}")
    for detail in details:
        for mark in marks:
            for count in counts:
                acts = tuple((kind, {"id": f"{kind}-{n + 1}", **detail, **mark}) for n in range(count))
                yield Option(name, f"{count} × {name.split(' ', 1)[1]}", acts=acts)


def _marks(policy: Policy) -> tuple[Mapping[str, Any], ...]:
    """The ways in which a deal may speak for the contact or not (A7's setting `contacts`)."""
    if policy.deals.contacts == "primary":
        return {"primary": "true"}, {"primary": "false"}
    if policy.deals.contacts == "labelled":
        return {"labels": sorted(policy.deals.labels)[:1]}, {}
    return ({},)


def _counts(conditions: Iterable[Condition], fact: str) -> list[int]:
    """The counts above none between which a condition may tell a difference."""
    found = {1}
    for condition in conditions:
        if condition.fact.name == fact:
            for number in _numbers(condition.operand):
                found |= {int(number), int(number) + 1}
    return sorted(n for n in found if n > 0)


def _numbers(operand: Any) -> Iterator[float]:
    for text in _texts(operand):
        try:
            yield float(text)
        except ValueError:
            continue


def _texts(operand: Any) -> list[str]:
    return [operand] if isinstance(operand, str) else [str(one) for one in operand]


_KNOWN: dict[str, Callable[[Policy], Iterable[str]]] = {
    "created_by": lambda _policy: ("person", "automation", "import", "integration", "form"),
    "churned": lambda policy: ("false", "true") if policy.churn else ("false",),
}


def _values(policy: Policy, name: str, conditions: Sequence[Condition]) -> Iterator[Option]:
    """The values of a property, or of a fact that is stated by its name, at and around everything that is named."""
    if name in _KNOWN:
        named: list[str] = list(_KNOWN[name](policy))
    else:
        named = [OWNER, "none"] if name == "owner" else ["none", *_shape_options(policy, name)]
        for condition in conditions:
            named += _around(condition)
        named.append("something else altogether" if name != "email_domain" else "elsewhere.example")
    for value in dict.fromkeys(named):
        yield Option(name, f"{name} {value}", contact=((name, value),))


def _shape_options(policy: Policy, name: str) -> list[str]:
    shape = policy.shapes.get(name)
    return sorted(shape.options) if shape is not None else []


def _around(condition: Condition) -> Iterator[str]:
    """Values at the edges of a condition."""
    operator, operand = condition.operator, condition.operand
    if operator in {"is_known", "is_unknown"}:
        return
    if operator in TIME_OPERATORS and operator not in {"is_before", "is_after"}:
        edge = parse_duration(str(operand))
        away = timedelta(days=edge.amount * {"year": 366, "month": 31, "week": 7}.get(edge.unit, 1))
        for moment in (NOW - timedelta(hours=1), NOW + timedelta(hours=1), NOW - 2 * away, NOW + 2 * away):
            yield moment.isoformat()
        return
    for text in _texts(operand):
        yield text
        try:
            number = float(text)
        except ValueError:
            if operator in {"is_before", "is_after", "is_between"}:
                at = datetime.fromisoformat(text)
                yield from ((at + timedelta(days=days)).date().isoformat() for days in (-2, 2))
            continue
        yield from (f"{number + step:g}" for step in (-1, -0.5, 0.5, 1))


def bare(policy: Policy, name: str) -> Subject:
    """A subject of which no condition asks, only a cause: there or not."""
    return Subject(name, tuple(_candidates(policy, name, ()))[:2])
