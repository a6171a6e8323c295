"""From an event to the correction: how long the running service takes, and how many calls it spends.

So many contacts a second are changed by people; the portal sends webhooks; the time until the correction stands in
the portal is taken from its own journal. Two mixes: reps set Qualified (the stage follows; the property history is all
it takes), and reps write a first e-mail (the status follows; engagements are read). Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.calls import Lead, a_portal
from benchmarks.service_process import a_service, free_port
from benchmarks.sessions import UNLIMITED
from hubsync.sandbox import Portal, Sandbox, acts

STATUS, STAGE = "hs_lead_status", "lifecyclestage"
Act = Callable[[Portal, str], None]


def qualify(portal: Portal, contact: str) -> None:
    """A rep sets Qualified: the stage is to become SQL (A9)."""
    acts.person_sets(portal, contact, STATUS, "QUALIFIED")


def write_to(portal: Portal, contact: str) -> None:
    """A rep writes: the status is to become Attempting (A3)."""
    owner = portal.values("contacts", contact, "hubspot_owner_id")["hubspot_owner_id"] or ""
    acts.rep_sends_email(portal, contact, owner)


MIXES: dict[str, tuple[Lead, Act, str]] = {
    "qualified": (Lead("lead", "CONNECTED"), qualify, STAGE),
    "first_mail": (Lead("lead", "NEW"), write_to, STATUS),
}


def main() -> None:
    """Measure each mix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50.0, help="contacts changed a second (50)")
    parser.add_argument("--seconds", type=float, default=120.0, help="for so long (120)")
    parser.add_argument("--latency", type=float, default=0.1, help="of every answer of the portal, in seconds (0.1)")
    parser.add_argument("--after", type=float, default=25.0, help="seconds for the look after the last writes (25)")
    parser.add_argument("--mix", choices=sorted(MIXES), action="append", help="only this; may be repeated")
    args = parser.parse_args()
    print(json.dumps({mix: lag(mix, args.rate, args.seconds, args.latency, args.after) for mix in args.mix or MIXES}))


def lag(mix: str, rate: float, seconds: float, latency: float, after: float) -> dict[str, Any]:
    """One mix: lag in seconds (p50, p99, the longest), calls per changed contact, and what was left undone."""
    lead, act, corrected = MIXES[mix]
    portal = a_portal(int(rate * seconds) + 1, lead)
    first, *contacts = sorted(portal.contacts(), key=int)
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(portal, latency=latency, daily=UNLIMITED) as box,
        a_service(box, Path(folder), port=port) as served,
    ):
        _wait_for_quiet(box)
        box.subscribe(f"{served.url}/webhooks/hubspot", form="both")
        act(portal, first)  # the look after this write tells the service its own app's number
        time.sleep(after)
        before = portal.journal.request_count
        acted = _act(portal, contacts, act, rate)
        _wait_until(lambda: len(_corrections(portal, corrected)) > len(contacts), 60.0)
        time.sleep(after)
        calls = Counter(r.path.partition("?")[0] for r in portal.journal.requests if r.number > before)
    done = _corrections(portal, corrected)
    done.pop(first, None)
    lags = sorted((done[c] - acted[c]) / 1_000 for c in contacts if c in done)
    return {
        "contacts": len(contacts),
        "corrected": len(lags),
        "p50": round(statistics.median(lags), 3),
        "p99": round(lags[int(len(lags) * 0.99)], 3),
        "longest": round(lags[-1], 3),
        "calls_per_contact": round(calls.total() / len(contacts), 3),
        "calls": {path.partition("/objects/")[2] or path: count for path, count in calls.most_common(8)},
        "refused_429": sum(r.status == 429 for r in portal.journal.requests),
    }


def _act(portal: Portal, contacts: list[str], act: Act, rate: float) -> dict[str, int]:
    """Change contacts at an even pace; when each was, in the portal's milliseconds."""
    acted: dict[str, int] = {}
    began = time.monotonic()
    for number, contact in enumerate(contacts):
        pause = began + number / rate - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        acted[contact] = portal.now_ms()
        act(portal, contact)
    return acted


def _corrections(portal: Portal, name: str) -> dict[str, int]:
    """When hubsync wrote the property of each contact."""
    return {w.id: w.at for w in list(portal.journal.writes) if w.property == name and w.source.type == "INTEGRATION"}


def _wait_for_quiet(box: Sandbox) -> None:
    """Until the service has looked at everybody once: no request for two seconds."""
    count, since = -1, time.monotonic()
    while time.monotonic() - since < 2.0:
        if box.portal.journal.request_count != count:
            count, since = box.portal.journal.request_count, time.monotonic()
        time.sleep(0.2)


def _wait_until(is_so: Callable[[], bool], within: float) -> None:
    end = time.monotonic() + within
    while not is_so() and time.monotonic() < end:
        time.sleep(0.5)


if __name__ == "__main__":
    main()
