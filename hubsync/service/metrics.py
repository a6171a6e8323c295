"""What the service counts, by the names that dashboards and alerts rely on. One registry a service, so that tests may
have several in one process.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from hubsync.portal.values import Call
from hubsync.sync.plan import Tally

LAG = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 120, 300, 900, 3_600)
"""Seconds from an event to the correction it led to."""


class Metrics:
    """Counters, gauges and histograms of one service, all in `registry`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.webhooks = self._counter("webhooks", "Webhook requests, by what was answered.", "answer")
        self.events = self._counter("events", "Events in webhook requests, used or left out and why.", "use")
        self.hints = self._counter("hints", "Contacts that something said to look at, by what said it.", "source")
        self.looks = self._counter("looks", "Contacts looked at.")
        self.decisions = self._counter("decisions", "Decisions, by whether they ask for something.", "kind")
        self.writes = self._counter("writes", "Changes and tasks, by what became of them.", "kind", "outcome")
        self.overrides = self._counter("overrides", "Writes that people were found to have changed back.")
        self.held = self._gauge("held_changes", "Contacts whose changes the guard holds, by rule.", "rule")
        self.depth = self._gauge("work_depth", "Contacts to be looked at now.")
        self.oldest = self._gauge("work_oldest_seconds", "How long the first of them has been waiting.")
        self.parked = self._gauge("work_parked", "Contacts that could not be looked at, parked.")
        self.lag = Histogram(
            "hubsync_lag_seconds",
            "From hubsync's learning of an event to the correction having been written.",
            buckets=LAG,
            registry=self.registry,
        )
        self.last_poll = self._gauge("last_poll_timestamp_seconds", "When the last complete poll began.", "kind")
        self.calls = self._counter("api_calls", "Calls to HubSpot.", "method", "route", "status")
        self.allowance = self._gauge("api_allowance_used_ratio", "Share of the ten-second allowance used.")
        self.alerts = self._counter("alerts", "Alerts, by what became of them: sent or failed.", "outcome")
        self.problems = self._gauge("problems", "What /readyz complains of, by name.", "name")
        self.unproved = self._gauge("rules_unproved", "Whether the rules it writes by are known not to be proved.")
        self._known_calls: dict[tuple[str, str, str], int] = {}
        self._known_problems: set[str] = set()
        self._known_held: set[str] = set()

    def count_calls(self, calls: Iterable[Call]) -> None:
        """Bring the calls to HubSpot up to date, from what the gateway has counted since it was opened."""
        for call in calls:
            key = (call.method, call.route, str(call.status or "none"))
            self.calls.labels(*key).inc(max(0, call.count - self._known_calls.get(key, 0)))
            self._known_calls[key] = call.count

    def standing(self, problems: Collection[str], held: Mapping[str, int]) -> None:
        """What is wrong now, by name, and how many contacts wait by held rule. What is over says 0 from then on."""
        for name in self._known_problems | set(problems):
            self.problems.labels(name).set(name in problems)
        for rule in self._known_held | set(held):
            self.held.labels(rule).set(held.get(rule, 0))
        self._known_problems |= set(problems)
        self._known_held |= set(held)

    def decided(self, looks: int, tally: Tally) -> None:
        """Count what came of so many looks."""
        asked = {row["contact"] for row in tally.changes} | {row["contact"] for row in tally.tasks}
        self.decisions.labels("nothing").inc(max(0, looks - len(asked)))
        self.decisions.labels("something").inc(len(asked))
        for kind, rows in (("change", tally.changes), ("task", tally.tasks)):
            for row in rows:
                self.writes.labels(kind, row["state"]).inc()

    def polled(self, kind: str, at: datetime) -> None:
        """A poll of one kind of object was completed."""
        self.last_poll.labels(kind).set(at.timestamp())

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(f"hubsync_{name}", says, labels, registry=self.registry)

    def _gauge(self, name: str, says: str, *labels: str) -> Gauge:
        return Gauge(f"hubsync_{name}", says, labels, registry=self.registry)
