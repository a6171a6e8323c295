"""How many signed webhook requests a second the running service takes, and how long each waits, while it writes.

So many connections send requests of 100 events each as fast as they are answered, for some seconds; the portal has
contacts to be corrected meanwhile, so that workers write. At the end the service is killed (kill -9) and started
again: every contact whose hint was acknowledged must be looked at. Whoever sends is a process of its own, and its
requests are signed ahead, so that what is measured is the service. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import random
import selectors
import socket
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.calls import PROMOTED, a_portal
from benchmarks.service_process import Served, a_service, free_port
from benchmarks.sessions import UNLIMITED
from hubsync.sandbox import Sandbox

PATH = "/webhooks/hubspot"
EVENTS = 100


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=5_000, help="of the portal, all to be corrected (5,000)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of sending (20)")
    parser.add_argument("--connections", type=int, default=24, help="that send at once (24)")
    parser.add_argument("--rate", type=float, default=1_100.0, help="requests a second at most; 0: as fast as it goes")
    args = parser.parse_args()
    print(json.dumps(receive(args.contacts, args.seconds, args.connections, args.rate)))


def receive(contacts: int, seconds: float, connections: int, rate: float) -> dict[str, Any]:
    """Send, kill, start again."""
    portal = a_portal(contacts, PROMOTED)
    ids = portal.contacts()
    port = free_port()
    with tempfile.TemporaryDirectory() as name, Sandbox(portal, latency=0.1, daily=UNLIMITED) as box:
        folder = Path(name)
        with a_service(box, folder, port=port) as served:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
                before = served.cpu_seconds()
                sent = elsewhere.submit(
                    send, port, box.client_secret, portal.portal_id, ids, seconds, connections, rate
                ).result()
                busy = served.cpu_seconds() - before
            written = int(served.metric("hubsync_writes_total"))
            served.process.kill()
            served.process.wait()
        looked = portal.journal.request_count
        with a_service(box, folder, port=port) as served:
            _wait_until_idle(served)
            depth = int(served.metric("hubsync_work_depth"))
        looked = portal.journal.request_count - looked
    waits = sorted(sent.waits)
    return {
        "requests": len(waits),
        "events": len(waits) * EVENTS,
        "requests_a_second": round(len(waits) / sent.took, 1),
        "p50_ms": round(statistics.median(waits) * 1_000, 1),
        "p99_ms": round(waits[int(len(waits) * 0.99)] * 1_000, 1),
        "not_2xx": sent.refused,
        "service_cpu_ms_a_request": round(busy / len(waits) * 1_000, 2),
        "writes_meanwhile": written,
        "left_after_kill": depth,
        "calls_after_kill": looked,
    }


@dataclass
class Sent:
    """How long each request waited in seconds, how many weren't taken, and how long it all took."""

    waits: list[float] = field(default_factory=list)
    refused: int = 0
    took: float = 0.0


def send(
    port: int, secret: str, portal: int, contacts: Sequence[str], seconds: float, connections: int, rate: float
) -> Sent:
    """Send signed batches of events about contacts drawn at random over so many keep-alive connections.

    One thread on plain sockets, so that sending takes little of the processor that the service is measured on.
    """
    draw = random.Random(1)
    requests = cycle([_request(port, secret, _body(portal, draw.choices(contacts, k=EVENTS))) for _ in range(200)])
    pace = connections / rate if rate else 0.0
    sent = Sent()
    with selectors.DefaultSelector() as ready, ExitStack() as stack:
        began = time.perf_counter()
        until, turns = began + seconds, [(began, number) for number in range(connections)]
        lines = [_Line(stack.enter_context(socket.create_connection(("127.0.0.1", port)))) for _ in turns]
        for number, line in enumerate(lines):
            ready.register(line.socket, selectors.EVENT_READ, number)
        waiting = 0
        while (now := time.perf_counter()) < until or waiting:
            while turns and turns[0][0] <= now < until:
                turn, number = heappop(turns)
                lines[number].ask(next(requests), turn)
                waiting += 1
            for key, _ in ready.select(max(turns[0][0] - now, 0) if turns and now < until else 1.0):
                line = lines[key.data]
                if line.hears():
                    waiting -= 1
                    sent.waits.append(time.perf_counter() - line.asked)
                    sent.refused += not line.heard.startswith(b"HTTP/1.1 2")
                    heappush(turns, (max(line.turn + pace, line.asked - 0.05), key.data))
        sent.took = time.perf_counter() - began
    return sent


@dataclass
class _Line:
    """A connection: one request at a time."""

    socket: socket.socket
    heard: bytes = b""
    asked: float = 0.0
    turn: float = 0.0

    def ask(self, request: bytes, turn: float) -> None:
        self.heard, self.asked, self.turn = b"", time.perf_counter(), turn
        self.socket.sendall(request)

    def hears(self) -> bool:
        """Whether the answer is here, all of it."""
        if not (piece := self.socket.recv(65_536)):
            raise ConnectionError("the service ended the connection")
        self.heard += piece
        head, found, body = self.heard.partition(b"\r\n\r\n")
        return bool(found) and len(body) >= int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])


def _request(port: int, secret: str, body: bytes) -> bytes:
    stamp = str(int(time.time() * 1_000))
    source = f"POSThttp://127.0.0.1:{port}{PATH}".encode() + body + stamp.encode()
    mark = base64.b64encode(hmac.digest(secret.encode(), source, "sha256")).decode()
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-HubSpot-Signature-v3: {mark}\r\n"
        f"X-HubSpot-Request-Timestamp: {stamp}\r\n\r\n"
    ).encode() + body


def _body(portal: int, contacts: list[str]) -> bytes:
    event = {
        "eventId": 1,
        "subscriptionId": 12345,
        "portalId": portal,
        "appId": 54321,
        "occurredAt": 1_788_597_072_520,
        "subscriptionType": "contact.propertyChange",
        "attemptNumber": 0,
        "propertyName": "lifecyclestage",
        "propertyValue": "salesqualifiedlead",
        "changeSource": "CRM_UI",
        "sourceId": "userId:98499705",
    }
    return json.dumps([{**event, "objectId": int(id_)} for id_ in contacts]).encode()


def _wait_until_idle(served: Served, within: float = 120.0) -> None:
    end = time.monotonic() + within
    quiet = 0
    while quiet < 3 and time.monotonic() < end:
        time.sleep(1.0)
        quiet = quiet + 1 if served.metric("hubsync_work_depth") == 0 else 0


if __name__ == "__main__":
    main()
