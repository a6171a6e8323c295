"""How fast hubsync reads contacts with the history of both fields, from a sandbox portal without latency.

Prints one JSON line. `seconds` is wall time with the portal in a process of its own; `cpu_seconds` is what hubsync's
process alone computed, the part that is ours on any portal.
"""

from __future__ import annotations

import argparse
import json
import time

from benchmarks.sandbox_process import a_sandbox
from hubsync.portal.gateway import Gateway

FIELDS = ("hs_lead_status", "lifecyclestage")
PROPERTIES = (*FIELDS, "hubspot_owner_id", "lastmodifieddate", "num_contacted_notes", "num_associated_deals")


def main() -> None:
    """Read everything `--times` times and print the best."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--times", type=int, default=3, help="the first one also warms the portal's caches")
    parser.add_argument("--in-flight", type=int, default=None)
    args = parser.parse_args()
    with (
        a_sandbox("--flat", "--contacts", str(args.contacts), "--allowance", "10000000") as box,
        Gateway(box.url, lambda: box.token, in_flight=args.in_flight) as gateway,
    ):
        best = min((pull(gateway) for _ in range(args.times)), key=lambda result: result["seconds"])
    print(json.dumps(best))


def pull(gateway: Gateway) -> dict[str, float]:
    """One full read. History entries are counted afterwards, not while reading."""
    calls, started, computed = gateway.calls, time.perf_counter(), time.process_time()
    pages = list(gateway.all_contacts(PROPERTIES, FIELDS))
    seconds, computed = time.perf_counter() - started, time.process_time() - computed
    contacts = [contact for page in pages for contact in page]
    assert len({contact.id for contact in contacts}) == len(contacts)
    return {
        "contacts": len(contacts),
        "history_entries": sum(len(entries) for c in contacts for entries in (c.history or {}).values()),
        "seconds": round(seconds, 3),
        "contacts_per_second": round(len(contacts) / seconds),
        "cpu_seconds": round(computed, 3),
        "contacts_per_cpu_second": round(len(contacts) / computed),
        "calls": gateway.calls - calls,
    }


if __name__ == "__main__":
    main()
