"""What the service measures of itself, and what it says of rules that people overrule, at the start of each shift."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from hubsync.policy.changes import PORTAL, Finding
from hubsync.portal.values import Call
from hubsync.service import worker
from hubsync.service.metrics import Metrics
from tests.service.station import Station
from tests.sync.desk import Desk


def value(metrics: Metrics, metric: str, /, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"hubsync_{metric}", labels)


def test_what_is_wrong_counts_one_and_zero_once_it_is_over() -> None:
    metrics = Metrics()
    metrics.standing({"token"}, {"a": 3})
    assert (value(metrics, "problems", name="token"), value(metrics, "held_changes", rule="a")) == (1, 3)
    metrics.standing(set(), {})
    assert (value(metrics, "problems", name="token"), value(metrics, "held_changes", rule="a")) == (0, 0)


def test_calls_are_counted_once_however_often_they_are_told_of() -> None:
    metrics = Metrics()
    for count in (2, 2, 5):
        metrics.count_calls([Call("GET", "/contacts", 200, count)])
    assert value(metrics, "api_calls_total", method="GET", route="/contacts", status="200") == 5


def test_a_poll_is_known_by_when_it_began() -> None:
    metrics = Metrics()
    metrics.polled("contacts", datetime(2026, 3, 2, 15, tzinfo=UTC))
    assert value(metrics, "last_poll_timestamp_seconds", kind="contacts") == 1_772_463_600


def test_rules_that_people_overrule_are_told_at_the_start_of_a_shift(
    desk: Desk, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, Mapping[str, str]]] = []
    finding = Finding(PORTAL, "a_rule", "A18", "only proposes: people changed back 6 of its 20 writes.", backlog=False)
    monkeypatch.setattr(worker, "findings", lambda _store, _portal: [finding])
    station.worker.standing = lambda kind, rules: said.append((kind, rules))
    station.hint(desk.lead("NEW"))
    station.work()
    text = "Rule a_rule only proposes: people changed back 6 of its 20 writes."
    assert said == [("overruled", {"a_rule": text})]
    desk.later(hours=2)
    station.hint(desk.lead("NEW"))
    station.work()
    assert len(said) == 2
