"""The portal as a process of its own, for benchmarks and for trying rules: `python -m hubsync.sandbox --contacts 500`.

Prints one JSON line (url, token, client_secret, portal_id, contacts) once it listens, then serves until interrupted.
With `--webhooks URL` it sends what happens there; the control surface can subscribe more receivers, with mischief.
"""

from __future__ import annotations

import argparse
import gc
import signal
import sys
import threading
from datetime import datetime

import orjson

from hubsync.sandbox.clock import SandboxClock
from hubsync.sandbox.population import populate, populate_flat
from hubsync.sandbox.server import Sandbox
from hubsync.sandbox.state import Portal
from hubsync.sandbox.webhooks import briskly


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hubsync.sandbox", description="A local HubSpot portal.")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--contacts", type=int, default=500)
    parser.add_argument("--days", type=int, default=90, help="length of the histories")
    parser.add_argument("--flat", action="store_true", help="a cheap mass population, for benchmarks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--portal-id", type=int, default=62515)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to every answer")
    parser.add_argument("--allowance", type=int, default=190, help="requests in ten seconds")
    parser.add_argument("--daily", type=int, default=625_000, help="requests in a day")
    parser.add_argument("--start", type=datetime.fromisoformat, help="the clock's start, with zone (default: now)")
    parser.add_argument("--opaque-cursors", action="store_true")
    parser.add_argument("--webhooks", metavar="URL", help="send the app's webhooks there, signed")
    parser.add_argument("--webhooks-form", choices=("legacy", "generic", "both"), default="legacy")
    parser.add_argument("--while-stdin", action="store_true", help="end when standard input is closed")
    return parser.parse_args()


def _end_with_stdin(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def main() -> None:
    """Seed, listen, say so, serve."""
    args = _arguments()
    portal = Portal(args.portal_id, clock=SandboxClock(args.start), seed=args.seed)
    portal.switches.opaque_cursors = args.opaque_cursors
    with portal.journal.paused():
        if args.flat:
            populate_flat(portal, contacts=args.contacts, seed=args.seed)
        elif args.contacts:
            populate(portal, contacts=args.contacts, days=args.days, seed=args.seed)
    gc.freeze()  # the seeded records stay: the collector needn't walk millions of them again and again
    stop = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stop.set())
    if args.while_stdin:
        threading.Thread(target=_end_with_stdin, args=(stop,), daemon=True).start()
    with Sandbox(portal, port=args.port, latency=args.latency, allowance=args.allowance, daily=args.daily) as box:
        if args.webhooks:
            box.subscribe(args.webhooks, form=args.webhooks_form, retry_after=briskly)
        line = {
            "url": box.url,
            "token": box.token,
            "client_secret": box.client_secret,
            "portal_id": portal.portal_id,
            "contacts": len(portal.tables["contacts"].records),
            **({"webhooks": args.webhooks} if args.webhooks else {}),
        }
        sys.stdout.write(orjson.dumps(line).decode() + "\n")
        sys.stdout.flush()
        stop.wait()


if __name__ == "__main__":
    main()
