"""What the service costs while nothing happens: so many contacts wait on timers that fall due in some days.

CPU time as a share of the wall time, and resident memory, of `hubsync serve --write` at a portal where nobody acts;
it goes on polling. Prints one JSON line. Linux only.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.calls import SETTLED, a_portal
from benchmarks.service_process import a_service
from benchmarks.sessions import UNLIMITED
from hubsync.portal.gateway import Gateway
from hubsync.rulefiles.load import load_rules
from hubsync.sandbox import Sandbox
from hubsync.service.poller import LISTED
from hubsync.store.database import open_store
from hubsync.store.values import Look
from hubsync.sync.binding import bind


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=100_000, help="that wait (100,000)")
    parser.add_argument("--seconds", type=float, default=60.0, help="to measure (60)")
    parser.add_argument("--warm-up", type=float, default=10.0, help="seconds before (10)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Sandbox(a_portal(10, SETTLED), daily=UNLIMITED) as box:
        folder = Path(name)
        with a_service(box, folder):
            pass  # makes the database and the rules
        _fill(box, folder, args.contacts)
        with a_service(box, folder) as served:
            time.sleep(args.warm_up)
            used, began = served.cpu_seconds(), time.monotonic()
            time.sleep(args.seconds)
            share = (served.cpu_seconds() - used) / (time.monotonic() - began)
            memory = served.memory()
    print(json.dumps({"contacts": args.contacts, "cpu_share": round(share, 4), "rss_mib": round(memory / 2**20, 1)}))


def _fill(box: Sandbox, folder: Path, contacts: int) -> None:
    """Put contacts into the mirror that were looked at a moment ago and are due in 10 to 40 days."""
    now = datetime.now(UTC)
    with Gateway(box.url, lambda: box.token) as gateway:
        portal = bind(gateway, load_rules(folder / "rules"), settle=timedelta(0))
    with open_store(f"sqlite:///{folder}/hubsync.db", base=folder) as store:
        store.set_cursor(portal.id, LISTED, f"{now.isoformat()} {portal.policy.digest}:write")
        for start in range(0, contacts, 5_000):
            store.save_looks(
                portal.id,
                [
                    Look(
                        contact=str(10_000_000 + n),
                        properties={"hs_lead_status": "CONNECTED", "lifecyclestage": "lead"},
                        lastmodified=now,
                        digest=portal.policy.digest,
                        read_at=now,
                        next_look_at=now + timedelta(days=10 + n % 30),
                    )
                    for n in range(start, min(start + 5_000, contacts))
                ],
            )


if __name__ == "__main__":
    main()
