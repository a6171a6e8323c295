"""A property's history as stays: whose, since when, and what is passed over (design 4 "Facts", playbook D7)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hubsync.policy.contact import OurWrite
from hubsync.policy.timeline import HUBSYNC, PERSON, Stay, before, last_backward, last_by_person, timeline, writer
from tests.builders import ago, entry, policy, stamp

QUIET = timedelta(minutes=2)


def stays(*past: tuple[str, datetime, str], ours: tuple[OurWrite, ...] = ()) -> list[Stay]:
    entries = [entry(value, at, by) for value, at, by in reversed(past)]
    return timeline(entries, ours, policy().writers, QUIET)


def our_write(
    value: str, above: datetime | None, at: datetime, *, effective: datetime | None = None, restores: bool = False
) -> OurWrite:
    below = stamp(above) if above else ""
    return OurWrite("hs_lead_status", value, below, effective or at, "a_rule", at, restores)


def values(found: list[Stay]) -> list[str]:
    return [stay.value for stay in found]


def test_a_property_that_was_never_set_has_no_stays() -> None:
    assert stays() == []


def test_equal_neighbours_are_one_stay_since_the_first() -> None:
    found = stays(("NEW", ago(3), "person"), ("NEW", ago(2), "automation"))
    assert [(s.value, s.at, s.by) for s in found] == [("NEW", ago(3), PERSON)]


@pytest.mark.parametrize(("seconds", "kept"), [(119, ["A", "B"]), (120, ["A", "B"]), (121, ["A", "", "B"])])
def test_an_emptiness_shorter_than_the_quiet_time_is_none(seconds: int, kept: list[str]) -> None:
    found = stays(("A", ago(3), "person"), ("", ago(2), "person"), ("B", ago(2) + timedelta(seconds=seconds), "person"))
    assert values(found) == kept


def test_cleared_and_set_to_the_same_counts_as_uninterrupted() -> None:
    found = stays(("A", ago(3), "form"), ("", ago(2), "person"), ("A", ago(2) + timedelta(seconds=30), "person"))
    assert [(s.value, s.at, s.by) for s in found] == [("A", ago(3), "form")]


def test_an_emptiness_that_lasts_to_now_is_a_stay() -> None:
    assert values(stays(("A", ago(3), "person"), ("", ago(0), "person"))) == ["A", ""]


def test_what_hubsync_wrote_is_known_by_its_position_and_has_its_causes_date() -> None:
    ours = our_write("B", ago(3), ago(1), effective=ago(2))
    found = stays(("A", ago(3), "person"), ("B", ago(1), "integration"), ours=(ours,))
    assert found[-1] == Stay("B", ago(2), HUBSYNC, ago(1))


def test_the_same_value_at_another_position_is_not_ours() -> None:
    ours = our_write("B", ago(9), ago(1))
    assert stays(("A", ago(3), "person"), ("B", ago(1), "integration"), ours=(ours,))[-1].by == "integration"


def test_the_first_value_ever_may_be_ours() -> None:
    assert stays(("A", ago(1), "integration"), ours=(our_write("A", None, ago(1)),))[0].by == HUBSYNC


def test_a_restored_value_counts_as_never_interrupted() -> None:
    ours = (our_write("B", ago(3), ago(2)), our_write("A", ago(2), ago(1), restores=True))
    found = stays(("A", ago(3), "form"), ("B", ago(2), "integration"), ("A", ago(1), "integration"), ours=ours)
    assert found == [Stay("A", ago(3), "form", ago(3))]


def test_a_value_restored_in_two_steps_counts_as_never_interrupted() -> None:
    """A stage goes back by being cleared and set; neither step ends the stay before."""
    ours = (
        our_write("B", ago(3), ago(2)),
        our_write("", ago(2), ago(1), restores=True),
        our_write("A", ago(1), ago(0.5), restores=True),
    )
    found = stays(
        ("A", ago(3), "form"),
        ("B", ago(2), "integration"),
        ("", ago(1), "integration"),
        ("A", ago(0.5), "integration"),
        ours=ours,
    )
    assert found == [Stay("A", ago(3), "form", ago(3))]


def test_a_first_value_of_ours_that_was_taken_back_leaves_nothing() -> None:
    ours = (our_write("A", None, ago(2)), our_write("", ago(2), ago(1), restores=True))
    assert stays(("A", ago(2), "integration"), ("", ago(1), "integration"), ours=ours) == []


def test_a_restored_value_whose_beginning_is_no_longer_known_is_ours() -> None:
    ours = (our_write("A", ago(2), ago(1), restores=True),)
    assert stays(("B", ago(2), "person"), ("A", ago(1), "integration"), ours=ours)[-1] == Stay(
        "A", ago(1), HUBSYNC, ago(1)
    )


def test_before_passes_over_emptiness() -> None:
    found = stays(("A", ago(5), "person"), ("", ago(4), "person"), ("B", ago(3), "person"))
    was = before(found)
    assert was is not None
    assert was.value == "A"
    assert before([]) is None
    assert before(found[:1]) is None


def test_the_last_change_by_a_person_is_the_time_of_writing() -> None:
    found = stays(("A", ago(5), "person"), ("B", ago(3), "person"), ("C", ago(1), "automation"))
    assert last_by_person(found) == ago(3)
    assert last_by_person(found[2:]) is None


def test_a_backward_move_is_seen_across_emptiness_and_whoever_made_it() -> None:
    order = {"lead": 1, "mql": 2, "sql": 3}
    found = stays(("sql", ago(5), "person"), ("", ago(4), "automation"), ("lead", ago(3), "automation"))
    assert last_backward(found, order) == ago(3)
    assert last_backward(stays(("lead", ago(5), "person"), ("sql", ago(3), "person")), order) is None
    assert last_backward(stays(("sql", ago(5), "person"), ("other", ago(3), "person")), order) is None


@pytest.mark.parametrize(
    ("source", "id_", "kind"),
    [
        ("CRM_UI", None, "person"),
        ("AUTOMATION_PLATFORM", "x", "automation"),
        ("IMPORT", None, "import"),
        ("INTEGRATION", "4711", "integration"),
        ("INTEGRATION", "12", "person"),
        ("FORM", None, "form"),
        ("SOMETHING_NEW", None, "person"),
        (None, None, "person"),
    ],
)
def test_a_writer_is_known_by_source_and_id_then_by_source_else_is_a_person(
    source: str | None, id_: str | None, kind: str
) -> None:
    writers = {**policy().writers, "INTEGRATION:12": "person"}
    assert writer({"sourceType": source, "sourceId": id_}, writers) == kind
