"""How fast hubsync decides with the shipped rules, on one core, from decoded answers, facts included, without why.

The contacts are those of a sandbox portal, read once as `hubsync sync --full` reads them: cheap properties for all,
history, deals and e-mails for those of whom a rule asks. What is timed begins with JSON as decoded (dicts and lists)
and covers all that follows: contacts, deals and engagements as values, the first decision, and the second one for
those whose dear facts it asked for. The shipped rules have a clock for every lead that is in somebody's hands, so
nearly all leads of that portal need their history; in portals as people have them most contacts are at rest. `--dear`
says which share of the contacts is to need dear facts. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.sandbox_process import a_sandbox
from hubsync.policy.contact import Contact, Deal, Engagement
from hubsync.policy.decide import decide
from hubsync.policy.policy import Horizon, Policy
from hubsync.policy.view import DEALS, ENGAGEMENTS, HISTORY
from hubsync.portal import decoding
from hubsync.portal.gateway import Gateway
from hubsync.rulefiles.load import load_rules
from hubsync.sync.binding import bind
from hubsync.sync.book import NoBook
from hubsync.sync.looking import Looker

RULES = Path(__file__).resolve().parent.parent / "rules"
EVER = Horizon(datetime(1970, 1, 1, tzinfo=UTC))
Json = dict[str, Any]


@dataclass(slots=True)
class Answers:
    """What HubSpot's answers say of one contact, decoded; None for what was never asked."""

    contact: Json
    history: Json | None
    deals: list[Json] | None
    engagements: list[tuple[str, Json]] | None


def main() -> None:
    """Decide on every contact `--times` times and print the best."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument(
        "--dear", type=float, default=0.125, help="share of contacts that need dear facts (0.125); 0: as they come"
    )
    parser.add_argument("--story", action="store_true", help="leads with long stories instead of a mass of short ones")
    args = parser.parse_args()
    now = datetime.now(UTC)
    kind = () if args.story else ("--flat",)
    with (
        a_sandbox(*kind, "--contacts", str(args.contacts), "--allowance", "10000000") as box,
        Gateway(box.url, lambda: box.token) as gateway,
    ):
        policy = bind(gateway, load_rules(RULES)).policy
        looker = Looker(gateway, policy, EVER, lambda: now, NoBook(), tasks=True)
        pages = gateway.all_contacts(policy.properties)
        mix = [_answers(look.contact) for looks in looker.over(pages) for look in looks]
    if args.dear:
        mix = _mixed(mix, args.dear, args.contacts)
    gc.collect()
    gc.freeze()
    print(json.dumps(min((measure(policy, mix, now) for _ in range(args.times)), key=lambda r: r["seconds"])))


def _mixed(mix: Sequence[Answers], dear: float, contacts: int) -> list[Answers]:
    """So many contacts, of whom this share needs dear facts, in the order in which both kinds come."""
    needing = cycle([a for a in mix if (a.history, a.deals, a.engagements) != (None, None, None)])
    at_rest = cycle([a for a in mix if (a.history, a.deals, a.engagements) == (None, None, None)])
    every = round(1 / dear)
    return [next(needing if n % every == 0 else at_rest) for n in range(contacts)]


def measure(policy: Policy, mix: Iterable[Answers], now: datetime) -> dict[str, Any]:
    """One pass over all contacts."""
    contacts = decisions = changes = tasks = findings = 0
    asked = dict.fromkeys((HISTORY, DEALS, ENGAGEMENTS), 0)
    started = time.process_time()
    for answers in mix:
        contacts += 1
        contact = Contact(answers.contact["id"], answers.contact["properties"])
        decision = decide(policy, contact, now, EVER)
        decisions += 1
        while decision.needs:
            contact = _with(contact, answers, decision.needs, asked)
            decision = decide(policy, contact, now, EVER)
            decisions += 1
        changes += len(decision.changes)
        tasks += len(decision.tasks)
        findings += len(decision.findings)
    seconds = time.process_time() - started
    return {
        "contacts": contacts,
        "decisions": decisions,
        "with_history": asked[HISTORY],
        "with_deals": asked[DEALS],
        "with_engagements": asked[ENGAGEMENTS],
        "changes": changes,
        "tasks": tasks,
        "findings": findings,
        "seconds": round(seconds, 3),
        "contacts_per_second": round(contacts / seconds),
    }


def _with(contact: Contact, answers: Answers, needs: int, asked: dict[int, int]) -> Contact:
    """The contact with the dear facts that a decision asked for, made from decoded answers."""
    for mask in asked:
        asked[mask] += bool(needs & mask)
    if needs & HISTORY:
        contact = contact.with_history(contact.properties, answers.history or {})
    if needs & DEALS:
        contact = replace(contact, deals=tuple(map(decoding.deal, answers.deals or ())))
    if needs & ENGAGEMENTS:
        marks = (decoding.engagement(kind, item) for kind, item in answers.engagements or ())
        contact = replace(contact, engagements=tuple(m for m in marks if m is not None))
    return contact


def _answers(contact: Contact) -> Answers:
    """A contact as read, back in the shape it came in."""
    return Answers(
        {"id": contact.id, "properties": dict(contact.properties)},
        None if contact.history is None else {name: list(entries) for name, entries in contact.history.items()},
        None if contact.deals is None else [_deal(deal) for deal in contact.deals],
        None if contact.engagements is None else [_engagement(mark) for mark in contact.engagements],
    )


def _deal(deal: Deal) -> Json:
    visits = [{"value": visit.stage, "timestamp": _stamp(visit.at)} for visit in deal.stage_history]
    return {"id": deal.id, "properties": dict(deal.properties), "propertiesWithHistory": {"dealstage": visits}}


def _engagement(mark: Engagement) -> tuple[str, Json]:
    return mark.kind, {"id": mark.id, "properties": {**mark.properties, "hs_timestamp": _stamp(mark.at)}}


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    main()
