"""The control surface under `/_sandbox/`, so that a portal in another process can be driven. Loopback only, no token.

GET  stats · journal · writes · contacts
POST act {"name", "arguments"} · clock {"advance": seconds} or {"set": ISO} or {"freeze": bool} · faults [{...}] ·
     clear-faults · clear-journal · switches {name: value} · latency {"seconds"}
and those of the webhooks (`webhooks/remote.py`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import orjson

from hubsync.sandbox.acts import ACTS
from hubsync.sandbox.http.call import Reply, json_reply
from hubsync.sandbox.http.faults import Fault
from hubsync.sandbox.http.service import Service
from hubsync.sandbox.webhooks.hub import Webhooks
from hubsync.sandbox.webhooks.remote import Remote


class Control:
    """Answers control requests for a service and the webhooks of its portal."""

    def __init__(self, service: Service, webhooks: Webhooks) -> None:
        self._service = service
        self._remote = Remote(webhooks).routes
        self._portal = service.portal
        self._routes: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "stats"): self._stats,
            ("GET", "journal"): lambda _: [asdict(each) for each in list(self._portal.journal.requests)],
            ("GET", "writes"): lambda _: [asdict(each) for each in self._portal.journal.writes],
            ("GET", "contacts"): lambda _: self._portal.contacts(),
            ("POST", "act"): self._act,
            ("POST", "clock"): self._clock,
            ("POST", "faults"): self._add_faults,
            ("POST", "clear-faults"): lambda _: self._service.faults.clear(),
            ("POST", "clear-journal"): lambda _: self._portal.journal.clear(),
            ("POST", "switches"): self._switches,
            ("POST", "latency"): self._latency,
        }

    def answer(self, method: str, target: str, body: bytes) -> Reply:
        """Serve one control request: 200 with JSON, 400 with the reason, 404."""
        name = target.partition("?")[0].removeprefix("/_sandbox/").strip("/")
        remote = self._remote.get((method, name))
        route = remote or self._routes.get((method, name))
        if route is None:
            return json_reply(404, {"message": f"no control route {method} {name}"})
        try:
            with nullcontext() if remote else self._portal.lock:
                return json_reply(200, {"result": route(orjson.loads(body) if body else None)})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return json_reply(400, {"message": f"{type(error).__name__}: {error}"})

    def _stats(self, _: Any) -> dict[str, Any]:
        journal = self._portal.journal
        by_status: dict[str, int] = {}
        for each in journal.requests:
            by_status[str(each.status)] = by_status.get(str(each.status), 0) + 1
        return {
            "requests": journal.request_count,
            "by_status": by_status,
            "refused": self._service.limits.refused,
            "used_today": self._service.limits.used,
            "now": self._portal.clock.now().isoformat(),
            "records": {kind: len(table.records) for kind, table in self._portal.tables.items()},
        }

    def _act(self, body: Any) -> Any:
        act = ACTS[body["name"]]
        arguments = dict(body.get("arguments") or {})
        for name, parameter in inspect.signature(act, eval_str=True).parameters.items():
            if name in arguments and "datetime" in str(parameter.annotation) and isinstance(arguments[name], str):
                arguments[name] = datetime.fromisoformat(arguments[name])
        return act(self._portal, **arguments)

    def _clock(self, body: Any) -> str:
        clock = self._portal.clock
        if "set" in body:
            clock.set(datetime.fromisoformat(body["set"]))
        if "advance" in body:
            clock.advance(timedelta(seconds=float(body["advance"])))
        if "freeze" in body:
            (clock.freeze if body["freeze"] else clock.thaw)()
        return clock.now().isoformat()

    def _add_faults(self, body: Any) -> int:
        for each in body:
            self._service.faults.add(Fault(**each))
        return len(body)

    def _switches(self, body: Any) -> dict[str, Any]:
        for name, value in body.items():
            if name not in asdict(self._portal.switches):
                raise KeyError(name)
            setattr(self._portal.switches, name, value)
        return asdict(self._portal.switches)

    def _latency(self, body: Any) -> float:
        self._service.latency = float(body["seconds"])
        return self._service.latency
