"""Plain values for tests of the policy: contacts with histories, deals, engagements, and what comes of a decision.

A test says what matters; the rest is an owned contact of a hundred days, set by automation, so that no person's choice
hides a rule. Statuses and stages are policy keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import Decision, OpenTask
from hubsync.policy.compile import compile_policy
from hubsync.policy.contact import Contact, Deal, Engagement, OurWrite, StageVisit
from hubsync.policy.decide import decide
from hubsync.policy.levels import with_rules
from hubsync.policy.policy import Horizon, Policy, Schema
from hubsync.policy.portal_spec import PortalSpec
from hubsync.policy.spec import MatrixSpec, RulesSpec
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.rulefiles.load import LoadedRules, load_rules

RULES = Path(__file__).resolve().parent.parent / "rules"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday at noon."""
EVER = Horizon(datetime(1970, 1, 1, tzinfo=UTC))
"""No cause is too old to act on."""

WRITERS = {
    "person": "CRM_UI",
    "automation": "AUTOMATION_PLATFORM",
    "import": "IMPORT",
    "integration": "INTEGRATION",
    "form": "FORM",
}
DEAL_STAGES = {"open": "appointmentscheduled", "won": "closedwon", "lost": "closedlost"}

Past = tuple[Any, ...]
"""One entry of a history: policy key ("none" for empty), moment, writer kind (automation where left out)."""


def ago(days: float = 0, **units: float) -> datetime:
    """So long before NOW."""
    return NOW - timedelta(days=days, **units)


CORE = frozenset(["A1", "A2", "A3", "A7", "A9", "A10", "A11", "A12", "A13", "A17", "A15", "P1", "P2", "C4", "C6", "T1"])
"""Playbook ids of the rules that tests of deciding lean on; every other rule has its cases in rules/."""


@cache
def shipped() -> LoadedRules:
    """The rule files of the repository, of their rules the `CORE`."""
    found = load_rules(RULES)
    core = {r.id for content in found.files.rules.values() for r in content.rules if r.playbook in CORE}
    files = {
        name: content.model_copy(
            update={
                "rules": [
                    r.model_copy(update={"outranks": [other for other in r.outranks if other in core]})
                    for r in content.rules
                    if r.id in core
                ]
            }
        )
        for name, content in found.files.rules.items()
    }
    return LoadedRules(found.folder, replace(found.files, rules=files), found.documents)


@cache
def policy() -> Policy:
    """The core of the shipped rules, compiled for the portal they describe."""
    return shipped().compile()


def policy_with(
    rules: str = "",
    *,
    instead: bool = False,
    schema: Schema | None = None,
    matrix: str = "",
    levels: str = "",
    **portal: Any,
) -> Policy:
    """A policy with rules and service levels (YAML, lists) added to the shipped ones or, `instead`, in their place.

    `portal` replaces sections of portal.yaml, `matrix` all of matrix.yaml. Raises AssertionError with the faults.
    """
    faults: list[str] = []
    found = compile_text(rules, faults, instead=instead, schema=schema, matrix=matrix, levels=levels, **portal)
    assert faults == []
    return found


def compile_text(
    rules: str,
    faults: list[str],
    *,
    instead: bool = False,
    schema: Schema | None = None,
    matrix: str = "",
    levels: str = "",
    **portal: Any,
) -> Policy:
    """As `policy_with`, with the faults put into a list, as "path: message"."""
    files = shipped().files
    written = {"rules": _text(rules) or [], "service_levels": _text(levels) or []}
    added = {"added.yaml": with_rules(RulesSpec.model_validate(written))[0]}
    changed = {**files.portal.model_dump(exclude_unset=True, by_alias=True), **portal}
    whole = replace(
        files,
        portal=PortalSpec.model_validate(changed),
        matrix=MatrixSpec.model_validate({"matrix": _text(matrix)}) if matrix else files.matrix,
        rules=added if instead else {**files.rules, **added},
    )
    return compile_policy(
        whole,
        schema,
        policy().calendars,
        lambda file, path, message: faults.append(f"{file}:{'.'.join(map(str, path))}: {message}"),
    )


def _text(source: str) -> Any:
    return yaml.load(source, Loader=yaml.BaseLoader)  # noqa: S506 (BaseLoader makes text only)


def entry(value: str, at: datetime, by: str = "automation") -> dict[str, str]:
    """One entry of a property's history, as HubSpot sends it."""
    return {"value": value, "timestamp": stamp(at), "sourceType": WRITERS[by]}


def stamp(at: datetime) -> str:
    """A moment as HubSpot writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def a_contact(
    status: str | Sequence[Past] = "none",
    stage: str | Sequence[Past] = "lead",
    *,
    deals: Sequence[Deal] = (),
    engagements: Sequence[Engagement] = (),
    meetings: Sequence[Engagement] = (),
    owner: str | None = "11",
    by: str = "automation",
    since: datetime | None = None,
    created: datetime | None = None,
    of: Policy | None = None,
    history: Mapping[str, Sequence[Mapping[str, str]]] | None = None,
    **properties: str | None,
) -> Contact:
    """A contact of which everything was read. `status` and `stage` are keys, held `since` ten days ago, or histories.

    Histories are oldest first. Further names are contact properties, with `history` of their own where it matters.
    """
    speaks = of or policy()
    made = created or ago(100)
    since = since or ago(10)
    lines = {
        STATUS: [(status, since, by)] if isinstance(status, str) else list(status),
        STAGE: [(stage, since, by)] if isinstance(stage, str) else list(stage),
    }
    values: dict[str, str | None] = {"createdate": stamp(made), "lastmodifieddate": stamp(NOW)}
    values |= {"hubspot_owner_id": owner, "num_associated_deals": str(len(deals)) if deals else None}
    values |= {"num_contacted_notes": str(len(engagements)) if engagements else None, **properties}
    entries: dict[str, Sequence[Mapping[str, str]]] = dict(history or {})
    for name, terms in ((STATUS, speaks.statuses), (STAGE, speaks.stages)):
        past = [p if len(p) == 3 else (*p, "automation") for p in lines[name]]
        known = [(terms.value(k) if k in terms.by_key else "" if k == "none" else k, at, who) for k, at, who in past]
        if all(value == "" for value, _, _ in known[:1]) and len(known) == 1:
            known = []  # never set
        entries[name] = [entry(value, at, who) for value, at, who in reversed(known)]
        values[name] = (known[-1][0] or None) if known else None
    return Contact(
        id="501",
        properties=_with_stage_dates(values, entries),
        history=entries,
        deals=tuple(deals),
        engagements=tuple(engagements),
        meetings=tuple(meetings),
        others_tasks=(),
    )


def _with_stage_dates(
    values: Mapping[str, str | None], entries: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, str | None]:
    """HubSpot's dates of stages, one for each ever entered (hubspot-api 3.2)."""
    dates = {f"hs_v2_date_entered_{e['value']}": e["timestamp"] for e in entries.get(STAGE, ()) if e["value"]}
    return {**values, **dates}


def a_deal(
    outcome: str = "open",
    at: datetime | None = None,
    *,
    id: str = "7",  # noqa: A002 (HubSpot's word)
    reason: str | None = None,
    opened: datetime | None = None,
    pipeline: str = "default",
    labels: Iterable[str] = (),
    primary: bool = False,
    closes: datetime | None = None,
) -> Deal:
    """A deal that reached its outcome at a moment (a day ago), opened before (a day earlier)."""
    reached = at or ago(1)
    began = opened or (reached if outcome == "open" else reached - timedelta(days=1))
    visits = [StageVisit(DEAL_STAGES["open"], began)]
    if outcome != "open":
        visits.insert(0, StageVisit(DEAL_STAGES[outcome], reached))
    properties = {
        "dealstage": DEAL_STAGES[outcome],
        "createdate": stamp(began),
        "hs_is_closed": str(outcome != "open").lower(),
        "hs_is_closed_won": str(outcome == "won").lower(),
        "closed_lost_reason": reason,
        "closedate": None if closes is None else stamp(closes),
    }
    return Deal(id, pipeline, properties, tuple(visits), frozenset(labels), primary)


def a_mail(at: datetime | None = None, *, id: str = "m1", **properties: str | None) -> Engagement:  # noqa: A002
    """A one-to-one e-mail that a rep sent, an hour ago."""
    values = {"hs_email_direction": "EMAIL", "hs_email_status": "SENT", "hubspot_owner_id": "11"}
    return Engagement("emails", id, at or ago(hours=1), {**values, **properties})


def a_call(at: datetime | None = None, *, id: str = "c1", **properties: str | None) -> Engagement:  # noqa: A002
    """An outbound call of a rep, an hour ago."""
    values = {"hs_call_direction": "OUTBOUND", "hs_call_status": "COMPLETED", "hubspot_owner_id": "11"}
    return Engagement("calls", id, at or ago(hours=1), {**values, **properties})


def a_reply(at: datetime | None = None, *, id: str = "r1", **properties: str | None) -> Engagement:  # noqa: A002
    """An e-mail in which the lead answers, an hour ago."""
    values = {"hs_email_direction": "INCOMING_EMAIL", "hs_email_subject": "Re: Hello", "hs_email_text": "Let us talk."}
    return Engagement("emails", id, at or ago(hours=1), {**values, **properties})


def a_meeting(
    start: datetime,
    *,
    id: str = "t1",  # noqa: A002
    booked: datetime | None = None,
    end: datetime | None = None,
    outcome: str | None = "SCHEDULED",
) -> Engagement:
    """A meeting of half an hour, booked a day before it begins."""
    values = {
        "hs_createdate": stamp(booked or start - timedelta(days=1)),
        "hs_meeting_start_time": stamp(start),
        "hs_meeting_end_time": stamp(end or start + timedelta(minutes=30)),
        "hs_meeting_outcome": outcome,
    }
    return Engagement("meetings", id, start, values)


def looked_at(contact: Contact, now: datetime = NOW, of: Policy | None = None, horizon: Horizon = EVER) -> Decision:
    """Decide on a contact of which everything was read."""
    decision = decide(of or policy(), contact, now, horizon)
    assert decision.needs == 0
    return decision


def done(contact: Contact, decision: Decision, now: datetime = NOW) -> Contact:
    """The contact once everything decided is written, as HubSpot and the ledger would have it."""
    properties = dict(contact.properties)
    history = {name: list(entries) for name, entries in (contact.history or {}).items()}
    ours = list(contact.ours)
    for change in decision.changes:
        entries = history.setdefault(change.property, [])
        below = entries[0]["timestamp"] if entries else ""
        ours.append(OurWrite(change.property, change.new, below, change.cause.at, change.rule, now))
        entries.insert(0, entry(change.new, now, "integration"))
        properties[change.property] = change.new or None
    spent = {ledger_key(c.rule, c.cause, c.property) for c in decision.changes}
    spent |= {ledger_key(s.rule, s.cause, s.target) for s in decision.superseded}
    spent |= {ledger_key(t.rule, t.cause, t.template) for t in decision.tasks}
    spent |= {ledger_key(n.rule, n.cause, n.target) for n in decision.notices}
    gone = {w.task.write_id for w in decision.withdrawn}
    number = max((t.write_id for t in contact.open_tasks), default=0) + 1
    tasks = [t for t in contact.open_tasks if t.write_id not in gone]
    tasks += [
        OpenTask(number + n, str(number + n), t.rule, t.template, t.cause.key, untouched=True)
        for n, t in enumerate(decision.tasks)
    ]
    return replace(
        contact,
        properties=_with_stage_dates(properties, history),
        history=history,
        ours=tuple(ours),
        spent=contact.spent | spent,
        open_tasks=tuple(tasks),
    )


def undone(contact: Contact, name: str, at: datetime) -> Contact:
    """The contact once hubsync put back what its last write of a property had replaced."""
    entries = list((contact.history or {}).get(name, ()))
    former = entries[1]["value"] if len(entries) > 1 else ""
    restore = OurWrite(name, former, entries[0]["timestamp"], at, "undo", at, restores=True)
    history = {**(contact.history or {}), name: [entry(former, at, "integration"), *entries]}
    properties = {**contact.properties, name: former or None}
    return replace(contact, properties=properties, history=history, ours=(*contact.ours, restore))


def sets(decision: Decision, of: Policy | None = None) -> dict[str, str]:
    """What a decision writes: property → value, statuses and stages as policy keys."""
    speaks = of or policy()
    words = {STATUS: speaks.statuses, STAGE: speaks.stages}
    return {
        c.property: (words[c.property].key(c.new) or "none") if c.property in words else c.new for c in decision.changes
    }


def rules_of(decision: Decision) -> dict[str, str]:
    """Which rule writes which property."""
    return {c.property: c.rule for c in decision.changes}


def found(decision: Decision) -> dict[str, str]:
    """The findings: rule → kind."""
    return {f.rule: f.kind for f in decision.findings}
