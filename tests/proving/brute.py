"""Brute force: a dense grid of contacts, each lived through step by step, with no thought of classes.

Written apart from `hubsync.proving`: its own contacts, its own answers of workflows, its own clock. It shares nothing
with it but the decider.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from hubsync.policy.contact import Contact
from hubsync.policy.decide import decide
from hubsync.policy.policy import Horizon, Policy
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.rulefiles.situations import staged
from tests.builders import EVER, NOW, WRITERS, a_contact, a_deal, a_mail, ago, done, entry, stamp
from tests.proving.minis import STAGES, STATUSES

MOST_WRITES = 14
"""A contact that hubsync writes to more often is never left in peace: no rule set of these sizes rests so late."""
PROPERTIES = {"lead_status": STATUS, "lifecycle_stage": STAGE}


@dataclass
class Found:
    """What came of all contacts together: an endless life, a conflict, and the rules that wrote anywhere."""

    endless: bool = False
    disputed: bool = False
    heard: set[str] = field(default_factory=set)
    lives: int = 0


def brute(policy: Policy, rules: list[dict[str, Any]], flows: list[dict[str, Any]]) -> Found:
    """Live through every contact of the grid that the words of the rules make matter."""
    found = Found()
    writers = {source: kind for kind, source in WRITERS.items()}
    loose = replace(staged(policy), brakes=False, writers=writers)
    for contact in grid(loose, str(rules) + str(flows)):
        for horizon in (EVER, Horizon(ago(1))):
            found.lives += 1
            live(loose, contact, flows, found, horizon)
    return found


def grid(policy: Policy, words: str) -> Iterator[Contact]:
    """Every contact: each combination, entered when and by whom, after what, with which events at which moments."""
    moments = (None, ago(90), ago(hours=3), ago(hours=2))
    mails = moments if "first_rep_outreach" in words else (None,)
    deals = moments if "deal" in words else (None,)
    asked = (None, "yes", "no") if "asked" in words else (None,)
    befores = ("none", *STATUSES) if "lead_status_before" in words else ("none",)
    entries = [(ago(200), "automation"), (ago(hours=3), "automation"), (ago(hours=2), "person")]
    for status, stage, before in product(("none", *STATUSES), STAGES, befores):
        if before != "none" and before == status:
            continue
        for entered, staged_at, mail, deal, answer in product(entries, entries, mails, deals, asked):
            past: list[tuple[Any, ...]] = [(before, ago(300))] if before != "none" else []
            if status != "none" or past:
                past = [*past, (status, *entered)]
            yield a_contact(
                past or "none",
                [(stage, *staged_at)],
                created=ago(400) if before != "none" else ago(200),
                engagements=[a_mail(mail)] if mail else [],
                deals=[a_deal("open", deal)] if deal else [],
                of=policy,
                asked=answer,
                history={"asked": [entry(answer, ago(400), "automation")] if answer else []},
            )


def live(policy: Policy, contact: Contact, flows: list[dict[str, Any]], found: Found, horizon: Horizon) -> None:
    """One life, from the first look until nothing moves for longer than any rule waits; older causes are backlog."""
    now, writes, answers = NOW, 0, 0
    while writes <= MOST_WRITES and answers <= 3 * MOST_WRITES:
        decision = decide(policy, contact, now, horizon)
        found.disputed = found.disputed or bool(decision.conflicts)
        if decision.changes:
            found.heard |= {change.rule for change in decision.changes}
            writes += any(change.property in {STATUS, STAGE} for change in decision.changes)
            contact = done(contact, decision, now)
        answer = next((f for f in flows if _wants(policy, f, contact)), None)
        if answer is not None:
            now += timedelta(minutes=1)
            contact = _answered(policy, contact, answer["set"], now)
            answers += 1
        elif not decision.changes:
            if decision.look_again is None or decision.look_again > NOW + timedelta(days=600):
                return
            now = max(now + timedelta(milliseconds=1), decision.look_again)
    found.endless = found.endless or writes > MOST_WRITES


def _wants(policy: Policy, flow: dict[str, Any], contact: Contact) -> bool:
    """Whether a workflow's conditions, plain equalities, hold, and it would change something."""
    held = all(_key(policy, contact, name) == condition["is"] for name, condition in flow["when"].items())
    return held and any(_key(policy, contact, name) != value for name, value in flow["set"].items())


def _key(policy: Policy, contact: Contact, name: str) -> str:
    value = contact.properties.get(PROPERTIES.get(name, name)) or ""
    terms = {"lead_status": policy.statuses, "lifecycle_stage": policy.stages}.get(name)
    return (terms.key(value) if terms is not None else value) or "none"


def _answered(policy: Policy, contact: Contact, values: Mapping[str, str], now: datetime) -> Contact:
    properties, history = dict(contact.properties), {n: list(e) for n, e in (contact.history or {}).items()}
    for name, key in values.items():
        terms = {"lead_status": policy.statuses, "lifecycle_stage": policy.stages}.get(name)
        value = terms.value(key) if terms is not None else key
        if (properties.get(PROPERTIES.get(name, name)) or "") == value:
            continue
        properties[PROPERTIES.get(name, name)] = value
        history.setdefault(PROPERTIES.get(name, name), []).insert(0, entry(value, now, "automation"))
    properties["lastmodifieddate"] = stamp(now)
    return replace(contact, properties=properties, history=history)
