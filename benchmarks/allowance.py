"""How much of HubSpot's allowance a full read uses: 190 calls in ten seconds enforced, 100 ms latency, no 429 received.

With `--shared` a second consumer of the same token calls at a steady pace meanwhile. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import threading
import time

from benchmarks.sandbox_process import Box, a_sandbox
from hubsync.portal.gateway import Gateway


def main() -> None:
    """Read everything and hold the calls made against those that were allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--allowance", type=int, default=190)
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument(
        "--shared", type=float, default=0.0, metavar="CALLS", help="of a second consumer, in ten seconds"
    )
    args = parser.parse_args()
    options = [f"--contacts={args.contacts}", f"--allowance={args.allowance}", f"--latency={args.latency}", "--flat"]
    with a_sandbox(*options) as box:
        stop = threading.Event()
        refused: list[int] = []
        stranger = threading.Thread(target=another, args=(box, args.shared, stop, refused), daemon=True)
        if args.shared:
            stranger.start()
        with Gateway(box.url, lambda: box.token) as gateway:
            started = time.perf_counter()
            contacts = sum(len(page) for page in gateway.all_contacts(["hs_lead_status", "lifecyclestage"]))
            seconds = time.perf_counter() - started
            stop.set()
            if args.shared:
                stranger.join()
            statuses = {call.status: 0 for call in gateway.calls_by_route}
            for call in gateway.calls_by_route:
                statuses[call.status] += call.count
    counted = sum(call.count for call in gateway.calls_by_route if not call.route.endswith("/search"))
    print(
        json.dumps(
            {
                "contacts": contacts,
                "calls": counted,
                "calls_needed": -(-contacts // 100),
                "seconds": round(seconds, 2),
                "share_of_allowance": round(counted / seconds / (args.allowance / 10), 4),
                "received_429": statuses.get(429, 0),
                "second_consumer_calls": len(refused),
                "second_consumer_refused": sum(refused),
            }
        )
    )


def another(box: Box, calls: float, stop: threading.Event, refused: list[int]) -> None:
    """Another consumer of the same token, which knows nothing of us: `refused` gets 1 for a call with 429, else 0."""
    import requests  # not hubsync's way to HubSpot: a stranger's

    headers = {"Authorization": f"Bearer {box.token}"}
    while not stop.wait(10 / calls):
        answer = requests.get(f"{box.url}/crm/v3/objects/contacts", params={"limit": 1}, headers=headers, timeout=30)
        refused.append(int(answer.status_code == 429))


if __name__ == "__main__":
    main()
