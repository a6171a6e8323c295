"""Ping-pong is told from a property's history: two writers in turn, two values in turn, and nothing else (A18)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubsync.policy.contact import OurWrite
from hubsync.policy.pingpong import ANSWER, PAUSE, PingPong, ping_pong
from tests.builders import NOW, ago, policy, stamp

QUIET = timedelta(minutes=2)
PARTIES = (
    ("AUTOMATION_PLATFORM", "5801"),
    ("AUTOMATION_PLATFORM", "77"),
    ("CRM_UI", "userId:9"),
    ("CRM_UI", "userId:8"),
)


def an_entry(
    value: str, at: datetime, source: str = "AUTOMATION_PLATFORM", id_: str = "1", **more: str
) -> dict[str, Any]:
    return {"value": value, "timestamp": stamp(at), "sourceType": source, "sourceId": id_, **more}


def told(*entries: dict[str, Any], ours: tuple[OurWrite, ...] = (), now: datetime = NOW) -> PingPong | None:
    """What is told of a history, given oldest first."""
    return ping_pong("p", entries[::-1], ours, policy().writers, QUIET, now)


def back_and_forth(
    *values: str, every: timedelta = timedelta(hours=1), end: datetime | None = None
) -> list[dict[str, Any]]:
    """Values set in turn by a workflow (the second, the fourth, …) and by another app (the first, the third, …)."""
    last = end or ago(hours=1)
    return [
        an_entry(
            value, last - every * (len(values) - 1 - n), "AUTOMATION_PLATFORM" if n % 2 else "INTEGRATION", str(n % 2)
        )
        for n, value in enumerate(values)
    ]


def test_a_b_a_b_by_two_writers_is_ping_pong_and_names_both() -> None:
    entries = back_and_forth("A", "B", "A", "B")
    entries[-1]["sourceLabel"] = "Requalify leads"
    found = told(*entries)
    assert found is not None
    assert found.values == ("A", "B")
    assert [w.named() for w in found.writers] == [
        "INTEGRATION (INTEGRATION 0)",
        "Requalify leads (AUTOMATION_PLATFORM 1)",
    ]
    assert len(found.times) == 3
    assert found.until == ago(hours=1) + PAUSE


@pytest.mark.parametrize("values", [("A", "B", "A"), ("A", "B", "C", "B"), ("A", "B", "C", "A", "B"), ("B",)])
def test_anything_shorter_or_with_a_third_value_is_none(values: tuple[str, ...]) -> None:
    assert told(*back_and_forth(*values)) is None


def test_one_writer_that_goes_to_and_fro_alone_is_none() -> None:
    assert told(*(an_entry(v, ago(hours=9 - n)) for n, v in enumerate("ABABAB"))) is None


def test_three_writers_are_none() -> None:
    entries = back_and_forth("A", "B", "A", "B")
    entries[1]["sourceId"] = "another workflow"
    assert told(*entries) is None


def test_a_first_value_by_anybody_will_do() -> None:
    entries = back_and_forth("A", "B", "A", "B")
    entries[0] |= {"sourceType": "IMPORT", "sourceId": "33"}
    assert told(*entries) is not None


def test_a_person_is_one_writer_on_every_device() -> None:
    entries = back_and_forth("A", "B", "A", "B", "A")
    entries[2] |= {"sourceType": "CRM_UI", "sourceId": "userId:9"}
    entries[4] |= {"sourceType": "MOBILE_IOS", "sourceId": "app", "updatedByUserId": "9"}
    found = told(*entries)
    assert found is not None
    assert [w.kind for w in found.writers] == ["automation", "person"]
    assert len(found.times) == 4


def test_hubsync_is_one_of_the_writers_and_called_by_its_name() -> None:
    entries = back_and_forth("A", "B", "A", "B")
    below = [e["timestamp"] for e in entries]
    ours = tuple(OurWrite("p", "B", below[n - 1], NOW, "a_rule", NOW) for n in (1, 3))
    found = told(*entries, ours=ours)
    assert found is not None
    assert [w.named() for w in found.writers] == ["INTEGRATION (INTEGRATION 0)", "hubsync"]


def test_what_hubsync_put_back_is_no_turn() -> None:
    entries = back_and_forth("A", "B", "A", "B")
    restores = OurWrite("p", "A", entries[1]["timestamp"], NOW, "undo", NOW, restores=True)
    assert told(*entries, ours=(restores,)) is None


def test_a_value_emptied_and_set_at_once_was_never_empty() -> None:
    entries = back_and_forth("A", "B", "A", "B")
    moment = ago(hours=2) - timedelta(seconds=30)
    assert told(entries[0], entries[1], an_entry("", moment, "INTEGRATION", "0"), entries[2], entries[3]) is not None


def test_it_is_over_seven_days_after_the_last_turn() -> None:
    entries = back_and_forth("A", "B", "A", "B", end=ago(7) + timedelta(seconds=1))
    assert told(*entries) is not None
    assert told(*entries, now=NOW + timedelta(seconds=1)) is None


def test_a_third_value_set_meanwhile_does_not_end_the_pause() -> None:
    assert told(*back_and_forth("A", "B", "A", "B"), an_entry("C", ago(minutes=5))) is not None


@pytest.mark.parametrize(("gap", "at_odds"), [(ANSWER, True), (ANSWER + timedelta(seconds=1), False)])
def test_turns_answer_one_another_within_two_weeks(gap: timedelta, at_odds: bool) -> None:
    assert (told(*back_and_forth("A", "B", "A", "B", every=gap)) is not None) is at_odds


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 3)), max_size=12), st.integers(1, 30))
def test_it_is_told_exactly_where_three_changes_in_turn_undo_one_another(
    steps: list[tuple[str, int]], hours: int
) -> None:
    """The definition in the plainest words: over all neighbours of four values, with equal neighbours left out."""
    entries = [
        an_entry(value, ago(hours=hours * (len(steps) - n)), *PARTIES[who]) for n, (value, who) in enumerate(steps)
    ]
    changes = [e for n, e in enumerate(entries) if n == 0 or e["value"] != entries[n - 1]["value"]]
    who = [e["sourceId"] for e in changes]
    values = [e["value"] for e in changes]
    moments = [datetime.fromisoformat(e["timestamp"]) for e in changes]
    expected = any(
        values[n] == values[n + 2]
        and values[n + 1] == values[n + 3]
        and who[n + 1] == who[n + 3] != who[n + 2]
        and NOW - moments[n + 3] < PAUSE
        for n in range(len(changes) - 3)
    )
    found = told(*entries)
    assert (found is not None) == expected
    if found is not None:
        assert found.writers[0].identity != found.writers[1].identity
        assert found.values[0] != found.values[1]
        assert found.until > NOW
