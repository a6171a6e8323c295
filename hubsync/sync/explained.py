"""Why a contact is as it is: what hubsync knows of it, what every rule says, what was done and what comes next.

Everything dear is read for this one contact, and nothing is kept or written: no mirror, no cursor, no task is noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hubsync.errors import ContactGone
from hubsync.policy.changes import PROPOSE, REPORT, Decision
from hubsync.policy.contact import Contact
from hubsync.policy.decide import decide
from hubsync.policy.facts import FACTS
from hubsync.policy.gates import overruled
from hubsync.policy.levels import Clock, clocks
from hubsync.policy.policy import Horizon
from hubsync.policy.rules import Rule
from hubsync.policy.view import HISTORY, Missing, View
from hubsync.policy.vocabulary import Terms
from hubsync.policy.why import ConditionWhy, RuleWhy, shown, why
from hubsync.store.values import Write
from hubsync.sync.authors import set_by
from hubsync.sync.binding import BoundPortal
from hubsync.sync.book import Book
from hubsync.sync.dear import everything_dear
from hubsync.sync.reconcile import Session
from hubsync.sync.scope import horizon_for

NAME = ("firstname", "lastname")
"""Read live for the person at the terminal; never stored."""


@dataclass(frozen=True, slots=True)
class Field:
    """Lead status or Lifecycle stage: key and label (None: empty), since when, and who set it ("" where unknown)."""

    key: str | None
    label: str
    since: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Explained:
    """Everything `hubsync explain` tells. `asked` is the id that was asked for, another where it was merged away.

    `rules` are all rules of the policy; those that hold and yet do nothing have their `hindered` filled. `done` are
    the contact's rows of the ledger, oldest first.
    """

    asked: str
    contact: Contact
    name: str
    at: datetime
    status: Field
    stage: Field
    managed: bool
    cycle_since: datetime | None
    facts: tuple[tuple[str, Any], ...]
    rules: tuple[RuleWhy, ...]
    done: tuple[Write, ...]
    decision: Decision
    clocks: tuple[Clock, ...] = ()
    """Every clock of a service level that ran or runs on the contact."""

    @property
    def held(self) -> list[RuleWhy]:
        """Rules that hold and act, or show what they have to show."""
        return [r for r in self.rules if r.holds and not r.hindered]

    @property
    def hindered(self) -> list[RuleWhy]:
        """Rules that hold but are kept from acting."""
        return [r for r in self.rules if r.holds and r.hindered]

    @property
    def not_held(self) -> list[RuleWhy]:
        """Rules that do not hold."""
        return [r for r in self.rules if not r.holds]


def explain(session: Session, contact: str) -> Explained:
    """Explain a contact. Raises ContactGone where HubSpot has no contact of that id; works without a database."""
    now = session.portal_now()
    portal, store = session.portal, session.store
    read = _read(session, contact)
    ledger = store.ledger_of(portal.id, [read.id]).get(read.id, ()) if store is not None else ()
    if store is not None:
        [read] = Book(store, portal.id, session.gateway, now=now, notes=False).dress([read])
    read = everything_dear(session.gateway, read)
    horizon = horizon_for(store, portal, session.effective_since, now)
    view = View(portal.policy, read, now)
    decision = decide(portal.policy, read, now, horizon)
    cycle = view.cycle()
    return Explained(
        asked=contact,
        contact=read,
        name=" ".join(filter(None, (read.properties.get(n) for n in NAME))),
        at=now,
        status=_field(view, portal, portal.policy.statuses, ledger),
        stage=_field(view, portal, portal.policy.stages, ledger),
        managed=portal.policy.managed(view) > 0,
        cycle_since=cycle if isinstance(cycle, datetime) else None,
        facts=tuple(_facts(view)),
        rules=rules_of(portal, read, now, horizon, decision),
        done=tuple(ledger),
        decision=decision,
        clocks=() if isinstance(timed := clocks(portal.policy, read, now), Missing) else timed,
    )


def _read(session: Session, contact: str) -> Contact:
    """The contact with its history: one call."""
    policy, gateway = session.portal.policy, session.gateway
    found = gateway.read_contacts([contact], (*policy.properties, *NAME), policy.history).found.get(contact)
    if found is None:
        raise ContactGone(
            f"Portal {session.portal.id} has no contact {contact}: it was deleted, or the id is another record's. "
            "The id is the number at the end of the contact's address in HubSpot.",
            status=404,
        )
    return replace(found, history=found.history or {})


def _field(view: View, portal: BoundPortal, terms: Terms, ledger: Sequence[Write]) -> Field:
    value = view.properties.get(terms.property)
    key = terms.key(value)
    entries = (view.contact.history or {}).get(terms.property, ())
    since = view.entered(terms.property)
    by = view.author(terms.property)
    rows = [row for row in ledger if row.target == terms.property and row.kind in {"set", "undo"}]
    named = by if by == "hubsync" or not entries else set_by(entries, rows, portal)
    return Field(key, terms.label(key), since if isinstance(since, datetime) else view.created, str(named or ""))


def _facts(view: View) -> list[tuple[str, Any]]:
    """What deals and outreach say, fact by fact (a text, a number, a moment); empty ones are left out."""
    found: list[tuple[str, Any]] = []
    for fact in FACTS.values():
        if fact.mask & ~HISTORY:
            value = fact.get(view)
            if value is not None and not isinstance(value, Missing):
                found.append((fact.name, value))
    return found


def rules_of(
    portal: BoundPortal, contact: Contact, now: datetime, horizon: Horizon, decision: Decision
) -> tuple[RuleWhy, ...]:
    """Every rule with its conditions, and what kept those that hold from acting: the decision's own reasons too."""
    view = View(portal.policy, contact, now)
    asked = zip(portal.policy.rules, why(portal.policy, contact, now, horizon), strict=True)
    return tuple(
        replace(one, hindered=_idle(rule, one, view, decision)) if one.holds and not one.hindered else one
        for rule, one in asked
    )


def _idle(rule: Rule, one: RuleWhy, view: View, decision: Decision) -> str:
    """Why a rule that holds is not among what the decision does; "" where it is."""
    acting = {c.rule for c in decision.changes} | {t.rule for t in (*decision.tasks, *decision.held)}
    acting |= {n.rule for n in decision.notices}
    notes = [f for f in decision.findings if f.rule == rule.id]
    if rule.id in acting or (notes and (rule.mode != "auto" or not rule.sets)):
        return ""
    lost = next((s for s in decision.superseded if s.rule == rule.id), None)
    if lost is not None:
        return f"rule {lost.by} has a later cause"
    if any(rule.id in {w for w, _ in c.wants} for c in decision.conflicts):
        return "it disagrees with another rule of the same moment"
    asked = {f.fix[0]: f.rule for f in decision.findings if f.kind == PROPOSE and f.fix is not None and not notes}
    for action in rule.sets if rule.matrix else ():
        if action.property in asked:
            return f"rule {asked[action.property]} proposes it instead"
    for action in rule.sets if one.cause is not None else ():
        gate = overruled(view, rule, action.property, one.cause) if one.cause is not None else None
        if gate is not None and not isinstance(gate, Missing):
            day = gate.at.astimezone(view.policy.zone).date().isoformat()
            return f"{gate.how[0].lower()}{gate.how[1:]} on {day}, so it stays"
    said = next((f.message for f in notes if f.kind == REPORT), "")
    return said or ("what it asks for is so already" if rule.sets or rule.tasks else "it has nothing to show")


def seen(one: RuleWhy, *, whole: bool = True) -> str:
    """A rule's conditions with the values they saw, ✓ or ✗; not `whole`: the first that failed, of each group."""
    groups = []
    for group in one.groups:
        chosen = group if whole else [c for c in group if not c.holds][:1]
        groups.append("; ".join(f"{_mark(c.holds)} {c.text} ({c.value}{_until(c)})" for c in chosen))
    told = " — or — ".join(dict.fromkeys(g for g in groups if g)) or "always"
    return told.replace(" is known true", " is known").replace(" is unknown true", " is unknown")


def is_elsewhere(one: RuleWhy) -> bool:
    """Whether the rule speaks of another Lead status or Lifecycle stage than the contact has."""
    return bool(one.groups) and all(
        any(c.holds is False and c.text.partition(" ")[0] in {"lead_status", "lifecycle_stage"} for c in group)
        for group in one.groups
    )


def _until(condition: ConditionWhy) -> str:
    """When a condition on time that doesn't hold is asked again, though nothing happens to the contact."""
    waits = condition.until is not None and condition.holds is False
    return f", asked again at {shown(condition.until)}" if waits else ""


def _mark(holds: bool | None) -> str:
    return "?" if holds is None else "✓" if holds else "✗"
