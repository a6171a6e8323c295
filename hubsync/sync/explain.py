"""What `hubsync explain` says of a contact: as JSON, and as the short story of one change.

Words only: what is known is gathered in explained.py, and nothing here reads, decides or writes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hubsync.policy.causes import CAUSES
from hubsync.policy.changes import SetProperty
from hubsync.policy.levels import Clock
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.policy.why import RuleWhy
from hubsync.policy.worktime import hours_and_minutes
from hubsync.store.values import Write
from hubsync.sync.authors import BACKLOG, asked_by, writer_of
from hubsync.sync.binding import BoundPortal
from hubsync.sync.book import SET_STATUS
from hubsync.sync.explained import Explained, Field, explain, is_elsewhere, seen
from hubsync.sync.plan import Row, cause_row, change_row, instant, notice_row, task_row
from hubsync.sync.reconcile import Session
from hubsync.sync.standing import said, standing

__all__ = [
    "Explained",
    "Field",
    "document",
    "done_at",
    "explain",
    "is_elsewhere",
    "readable",
    "seen",
    "story",
    "told_of",
]


def document(portal: BoundPortal, told: Explained) -> Row:
    """As JSON has it. The contact's name is left out: it is for the person at the terminal."""
    decision = told.decision
    return {
        "portal": portal.id,
        "at": instant(told.at),
        "contact": told.contact.id,
        "asked": told.asked,
        "status": _field(told.status),
        "stage": _field(told.stage),
        "owner": told.contact.properties.get("hubspot_owner_id") or None,
        "managed": told.managed,
        "cycle_since": instant(told.cycle_since) if told.cycle_since else None,
        "facts": {name: instant(v) if isinstance(v, datetime) else v for name, v in told.facts},
        "clocks": [_clock(c) for c in told.clocks],
        "rules": [_rule(r) for r in told.rules],
        "done": [_done(w) for w in told.done],
        "now": {
            "changes": [change_row(told.contact.id, c, "planned") for c in decision.changes],
            "tasks": [task_row(told.contact.id, t, "planned") for t in decision.tasks],
            "withdrawn": [{"task": w.task.task_id, "why": w.why} for w in decision.withdrawn],
            "digests": [notice_row(told.contact.id, n, "planned") for n in decision.notices],
            "held": [task_row(told.contact.id, t, "held") for t in decision.held],
            "findings": [
                {"rule": f.rule, "kind": f.kind, "backlog": f.backlog, "message": f.message} for f in decision.findings
            ],
            "waiting": instant(decision.waiting) if decision.waiting else None,
        },
        "look_again": instant(decision.look_again) if decision.look_again else None,
    }


def _field(field: Field) -> Row:
    return {"key": field.key, "label": field.label, "since": instant(field.since), "by": field.by}


def _rule(one: RuleWhy) -> Row:
    state = "unknown" if one.holds is None else "not_held" if not one.holds else "hindered" if one.hindered else "held"
    return {
        "rule": one.rule,
        "playbook": one.playbook,
        "says": one.says,
        "state": state,
        "hindered": one.hindered or None,
        "cause": cause_row(one.cause),
        "conditions": [[{"text": c.text, "value": c.value, "holds": c.holds} for c in group] for group in one.groups],
    }


def _clock(clock: Clock) -> Row:
    return {
        "level": clock.level.id,
        "playbook": clock.level.playbook,
        "state": clock.state,
        "started": instant(clock.started),
        "warns": instant(clock.warns),
        "due": instant(clock.due),
        "ended": instant(clock.ended) if clock.ended else None,
        "breached": instant(clock.breached) if clock.breached else None,
        "seconds": clock.raw.total_seconds(),
        "business_seconds": clock.business.total_seconds(),
    }


def told_of(portal: BoundPortal, clock: Clock) -> str:
    """A clock that runs, in a line."""
    late = clock.breached is not None
    rest = f"{hours_and_minutes(clock.business_over)} over in business time" if late else clock.state
    return f"due {said(clock.due, portal)}, {rest} ({clock.level.playbook}: {clock.level.says})"


def _done(row: Write) -> Row:
    at = done_at(row)
    return {
        "run": row.run,
        "at": instant(at) if at else None,
        "rule": row.rule,
        "playbook": row.playbook,
        "kind": row.kind,
        "target": row.target,
        "from": row.before,
        "to": row.after,
        "state": row.state,
        "answer": row.answer,
        "note": row.note,
    }


def done_at(row: Write) -> datetime | None:
    """When a row of the ledger was answered, or sent; None for one that never was."""
    return row.answered_at or row.sent_at


def story(session: Session, contact: str) -> str:
    """Four to six lines on one change of a contact: hubsync's last one, or else the one it would make now.

    Raises ContactGone where there is no such contact.
    """
    told = explain(session, contact)
    row = _last_change(told)
    if row is not None:
        return _of_the_past(session.portal, told, row)
    if told.decision.changes:
        return _of_the_future(session.portal, told, told.decision.changes[0])
    waiting = told.decision.waiting
    until = f" It waits until {said(waiting, session.portal)}: a value just changed." if waiting else ""
    return (
        f"Contact {told.contact.id}: nothing to change.{until}\n"
        f"  Lead status {told.status.label}, Lifecycle stage {told.stage.label}: no rule asks for anything else."
    )


def _last_change(told: Explained) -> Write | None:
    """The newest change of Lead status or Lifecycle stage that landed, the status before the stage."""
    landed = [
        w
        for w in told.done
        if w.kind == "set" and w.state in {"applied", "undone", "overridden"} and w.target in {STATUS, STAGE}
    ]
    return max(landed, key=lambda w: (w.run, w.target == STATUS), default=None)


def _of_the_past(portal: BoundPortal, told: Explained, row: Write) -> str:
    at = done_at(row)
    when = f" on {said(at, portal)}" if at else ""
    lines = [
        _head(portal, told, row.target, row.before, row.after, row.playbook),
        *(_because(portal, row.rule, row.cause_kind, row.cause_at) if row.rule != SET_STATUS else [f"{_asked(row)}."]),
        *_before(portal, told, row),
    ]
    if row.state == "undone":
        lines.append(f"Written by run {row.run}{when}, and taken back since ({row.note}); that cause stays spent.")
    elif row.state == "overridden":
        lines.append(f"Written by run {row.run}{when}; {row.note}. That cause stays spent.")
    else:
        lines.append(f"Written by run {row.run}{when}. hubsync undo {row.run} takes the run back.")
    rule = portal.policy.rule(row.rule)
    if rule is not None and rule.hard:
        lines.append("A hard correction: it is made again, once in 7 days, whoever changes it back.")
    elif row.rule == SET_STATUS:
        lines.append("It counts as a person's choice: no rule changes it for something that happened before.")
    else:
        lines.append("Whoever chooses another value from now on is left alone: this cause has fired.")
    return "\n  ".join(lines)


def _of_the_future(portal: BoundPortal, told: Explained, change: SetProperty) -> str:
    one = next(r for r in told.rules if r.rule == change.rule)
    lines = [
        _head(portal, told, change.property, change.old, change.new, change.playbook),
        *_because(portal, change.rule, change.cause.kind, change.cause.at),
        f"It holds because: {seen(one)}.",
        "Nothing is written yet: hubsync sync --write does it.",
    ]
    return "\n  ".join(lines)


def _head(portal: BoundPortal, told: Explained, name: str, old: str | None, new: str | None, playbook: str) -> str:
    label = {STATUS: "Lead status", STAGE: "Lifecycle stage"}.get(name, name)
    values = f"{readable(portal, name, old)} → {readable(portal, name, new)}"
    return f"Contact {told.contact.id}: {label} {values} ({playbook})."


def _because(portal: BoundPortal, rule_id: str, kind: str, at: datetime | None) -> list[str]:
    rule = portal.policy.rule(rule_id)
    known = CAUSES.get(kind)
    cause = known[1] if known is not None else kind.replace("_", " ")
    gone = "The backlog was treated." if rule_id == BACKLOG else f"Rule {rule_id}, which is off or gone now."
    lines = [rule.says if rule is not None else gone]
    return [*lines, f"Cause: {cause}, on {said(at, portal)}."] if at is not None else lines


def _before(portal: BoundPortal, told: Explained, row: Write) -> list[str]:
    """Who had set the value before, and when, where the history shows it."""
    entries = (told.contact.history or {}).get(row.target, ())
    beneath = next((e for e in standing(entries, ()) if e.at == row.below), None)
    if beneath is None:
        return []
    value = readable(portal, row.target, beneath.value)
    rows = [w for w in told.done if w.target == row.target and w.kind in {"set", "undo"}]
    return [f"Before: {value}, set by {writer_of(beneath, rows, portal)}."]


def _asked(row: Write) -> str:
    by = asked_by(row)
    return by[0].upper() + by[1:]


def readable(portal: BoundPortal, name: str, value: str | None) -> str:
    """A value of Lead status or Lifecycle stage by its label, any other as it is, "none" for empty."""
    if not value:
        return "none"
    definition: Any = portal.definitions.get(name)
    if definition is None or name not in {STATUS, STAGE}:
        return value
    return next((str(o.label) for o in definition.options if o.value == value), value)
