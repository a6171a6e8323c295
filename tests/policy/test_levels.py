"""Service levels: the rules they stand for, and clocks that warn, are breached or met in business time (L1–L3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest

from hubsync.policy.decide import decide
from hubsync.policy.instants import parse_instant
from hubsync.policy.levels import BREACHED, MET, MET_LATE, RUNNING, STOPPED, WARNED, Clock, clocks
from hubsync.policy.policy import Horizon, Policy
from hubsync.policy.view import ENGAGEMENTS, HISTORY, Missing
from hubsync.policy.worktime import Calendar, Calendars
from tests.builders import EVER, a_contact, a_mail, compile_text, policy_with

LEVELS = """
- id: first_contact
  playbook: L1
  says: A new lead is contacted within two business hours.
  starts: {lead_status: [new]}
  met_by: first_rep_outreach
  leaves_to: [attempting, connected]
  within: 2 business hours
  warning: [{finding: Due soon.}]
  breach: [{finding: Too late.}]
"""
MONDAY = parse_instant("2026-03-02T10:00:00Z")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def a_policy(levels: str = LEVELS) -> Policy:
    """These levels alone; business hours are from nine to half past five, UTC."""
    return policy_with("", instead=True, levels=levels)


def one(now: datetime, *statuses: tuple[str, datetime], **more: object) -> Clock:
    contact = a_contact(list(statuses), "lead", created=MONDAY - HOUR, **more)  # type: ignore[arg-type]
    found = clocks(a_policy(), contact, now)
    assert not isinstance(found, Missing)
    [clock] = found
    return clock


def shown(now: datetime) -> set[str]:
    return {f.rule for f in decide(a_policy(), a_contact([("new", MONDAY)], "lead"), now, EVER).findings}


@pytest.mark.parametrize(
    ("after", "state", "findings"),
    [
        (95 * MINUTE, RUNNING, set()),
        (96 * MINUTE, WARNED, {"first_contact_warning"}),
        (120 * MINUTE - MINUTE, WARNED, {"first_contact_warning"}),
        (120 * MINUTE, BREACHED, {"first_contact_breach"}),
        (50 * HOUR, BREACHED, {"first_contact_breach"}),
    ],
)
def test_a_clock_warns_at_four_fifths_and_is_breached_at_its_end(
    after: timedelta, state: str, findings: set[str]
) -> None:
    clock = one(MONDAY + after, ("new", MONDAY))
    assert (clock.state, shown(MONDAY + after)) == (state, findings)
    assert (clock.started, clock.warns, clock.due) == (MONDAY, MONDAY + 96 * MINUTE, MONDAY + 2 * HOUR)


def test_the_next_look_is_when_it_warns_then_when_it_is_due() -> None:
    contact = a_contact([("new", MONDAY)], "lead")
    looks = [decide(a_policy(), contact, MONDAY + n * MINUTE, EVER).look_again for n in (1, 96, 120)]
    assert looks == [MONDAY + 96 * MINUTE, MONDAY + 120 * MINUTE, None]


def test_both_durations_are_kept_over_a_night() -> None:
    clock = one(MONDAY + 26 * HOUR, ("new", MONDAY + 7 * HOUR))  # 17:00, then the next day's noon
    assert clock.due == parse_instant("2026-03-03T10:30:00Z")
    assert (clock.raw, clock.business) == (19 * HOUR, 3.5 * HOUR)
    assert (clock.over, clock.business_over) == (1.5 * HOUR, 1.5 * HOUR)


@pytest.mark.parametrize(
    ("at", "state"), [(MONDAY + HOUR, MET), (MONDAY + 2 * HOUR, MET_LATE), (MONDAY + 3 * HOUR, MET_LATE)]
)
def test_a_reps_outreach_meets_it(at: datetime, state: str) -> None:
    clock = one(MONDAY + 30 * HOUR, ("new", MONDAY), engagements=[a_mail(at)])
    assert (clock.state, clock.ended, clock.raw) == (state, at, at - MONDAY)
    assert clock.breached == (None if state == MET else MONDAY + 2 * HOUR)


@pytest.mark.parametrize(("left_to", "state"), [("connected", MET), ("disqualified", STOPPED)])
def test_leaving_meets_it_only_to_where_it_says(left_to: str, state: str) -> None:
    clock = one(MONDAY + 30 * HOUR, ("new", MONDAY), (left_to, MONDAY + HOUR))
    assert (clock.state, clock.ended) == (state, MONDAY + HOUR)


def test_an_outreach_counts_for_the_stay_it_fell_into() -> None:
    past = [("new", MONDAY), ("disqualified", MONDAY + HOUR), ("new", MONDAY + 24 * HOUR)]
    contact = a_contact(past, "lead", engagements=[a_mail(MONDAY + 25 * HOUR)])
    found = clocks(a_policy(), contact, MONDAY + 30 * HOUR)
    assert not isinstance(found, Missing)
    assert [(c.started, c.state) for c in found] == [(MONDAY, STOPPED), (MONDAY + 24 * HOUR, MET)]


def test_a_contact_that_never_had_a_status_has_no_clock() -> None:
    assert clocks(a_policy(), a_contact("none", "lead"), MONDAY) == ()


def test_what_was_not_read_is_said() -> None:
    contact = a_contact([("new", MONDAY)], "lead", num_contacted_notes="2")
    assert clocks(a_policy(), replace(contact, history=None), MONDAY) == Missing(HISTORY)
    assert clocks(a_policy(), replace(contact, engagements=None), MONDAY) == Missing(ENGAGEMENTS)


def test_a_breach_before_the_first_write_is_backlog_and_one_after_it_is_not() -> None:
    contact = a_contact([("new", MONDAY)], "lead")
    for since, backlog in ((MONDAY + HOUR, False), (MONDAY + 3 * HOUR, True)):
        [finding] = decide(a_policy(), contact, MONDAY + 9 * HOUR, Horizon(since)).findings
        assert (finding.rule, finding.backlog) == ("first_contact_breach", backlog)


def test_the_clock_keeps_the_hours_of_the_owners_team_across_daylight_saving() -> None:
    """Entered on Friday, 27 March, at 16:30 in Paris, where the clocks go forward on Sunday."""
    office = {day: [(time(9), time(17, 30))] for day in range(5)}
    teams = replace(
        a_policy(),
        calendars=Calendars(Calendar("America/New_York", office), {"Paris": Calendar("Europe/Paris", office)}),
        owner_teams={"11": ("Paris",)},
    )
    found = clocks(teams, a_contact([("new", parse_instant("2026-03-27T15:30:00Z"))], "lead"), MONDAY + 2000 * HOUR)
    assert not isinstance(found, Missing)
    assert [c.due for c in found] == [parse_instant("2026-03-30T08:00:00Z")]


def test_a_clock_that_starts_again_is_told_as_it_runs_now() -> None:
    again = LEVELS.replace("met_by", "since")
    contact = a_contact([("new", MONDAY)], "lead", engagements=[a_mail(MONDAY + HOUR)])
    found = clocks(a_policy(again), contact, MONDAY + 2 * HOUR)
    assert not isinstance(found, Missing)
    assert [(c.started, c.due, c.state) for c in found] == [(MONDAY + HOUR, MONDAY + 3 * HOUR, RUNNING)]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[new]", "[newish]", '"newish" is no Lead status of portal.yaml'),
        ("[attempting, connected]", "[atempting]", '"atempting" is no key of portal.yaml; did you mean "attempting"?'),
        ("met_by: first_rep_outreach", "met_by: owner", '"owner" can\'t meet a service level'),
        ("within: 2 business hours", "within: soon", '"soon" is not a duration'),
        ("  within", "  since: owner\n  within", '"owner" starts no clock'),
    ],
)
def test_what_is_written_wrongly_is_told(old: str, new: str, fault: str) -> None:
    faults: list[str] = []
    compile_text("", faults, instead=True, levels=LEVELS.replace(old, new))
    assert any(fault in each for each in faults), faults


def test_a_task_may_be_due_with_a_level() -> None:
    task = """
- id: reach_out
  playbook: T1
  says: A lead is new.
  when: {lead_status: {is: new}}
  cause: lead_status_entered
  then: [{create_task: {template: first_contact, due: {service_level: first_answer}}}]
"""
    levels = LEVELS.replace("id: first_contact", "id: first_answer")
    known = policy_with(task, levels=levels)
    [due] = [a.due for r in known.rules if r.id == "reach_out" for a in r.tasks]
    assert str(due) == "2 business hours"
    faults: list[str] = []
    compile_text(task.replace("service_level: first", "service_level: fist"), faults, levels=levels)
    assert any('"fist_answer" is no service level; did you mean "first_answer"?' in each for each in faults)


def test_nothing_begins_with_a_value_that_only_the_backlog_would_have() -> None:
    """A contact that would be New, were its cause not too old, is no lead that waits for its first contact."""
    rules = policy_with(levels=LEVELS.replace("id: first_contact", "id: first_answer"))
    old = a_contact("none", "mql", since=MONDAY)
    late = decide(rules, old, MONDAY + 50 * HOUR, Horizon(MONDAY + HOUR)).findings
    assert [(f.rule, f.backlog) for f in late] == [("new_on_becoming_mql", True)]
    live = decide(rules, old, MONDAY + 50 * HOUR, EVER)
    assert [c.rule for c in live.changes] == ["new_on_becoming_mql"]
    assert [f.rule for f in live.findings] == ["first_answer_breach"]
