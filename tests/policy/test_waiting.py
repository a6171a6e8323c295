"""Rules that wait (`after`), that fire once per status, that are off (`enabled`), or that set a status from a fact."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hubsync.policy.causes import CAUSES, once_per_status
from hubsync.policy.changes import Cause
from hubsync.policy.policy import Horizon
from hubsync.policy.view import HISTORY, Missing, View
from hubsync.policy.why import why
from tests.builders import EVER, NOW, a_contact, a_mail, ago, compile_text, done, looked_at, policy_with, rules_of, sets

WAITS = """
- id: nurture_after_a_while
  playbook: T2
  when: {lead_status: {is: attempting}}
  cause: lead_status_entered
  after: 5 business days
  then: [{set: {lead_status: nurture}}]
"""
WAITING = policy_with(WAITS, instead=True)
MONDAY = datetime(2026, 2, 23, 10, tzinfo=UTC)
DUE = datetime(2026, 3, 2, 10, tzinfo=UTC)
"""Five business days later."""


def at(now: datetime, horizon: Horizon = EVER, *, since: datetime = MONDAY) -> dict[str, str]:
    return sets(looked_at(a_contact("attempting", since=since), now, WAITING, horizon), WAITING)


def test_a_rule_waits_in_business_time_and_hubsync_looks_again_when_it_falls_due() -> None:
    before = looked_at(a_contact("attempting", since=MONDAY), datetime(2026, 3, 2, 9, 59, tzinfo=UTC), WAITING)
    assert (before.changes, before.look_again) == ((), DUE)
    assert at(DUE) == {"hs_lead_status": "nurture"}


def test_the_causes_moment_is_the_falling_due_and_what_happened_is_kept() -> None:
    (change,) = looked_at(a_contact("attempting", since=MONDAY), NOW, WAITING).changes
    assert (change.cause.at, change.cause.happened) == (DUE, MONDAY)
    assert change.cause.key == f"lead_status_entered:{int(MONDAY.timestamp() * 1000)}"


def test_what_was_overdue_before_the_first_write_is_backlog_and_what_falls_due_after_it_is_not() -> None:
    assert at(NOW, Horizon(datetime(2026, 3, 2, 9, tzinfo=UTC))) == {"hs_lead_status": "nurture"}
    decision = looked_at(a_contact("attempting", since=MONDAY), NOW, WAITING, Horizon(datetime(2026, 3, 3, tzinfo=UTC)))
    assert decision.changes == ()
    assert [f.backlog for f in decision.findings] == [True]


def test_the_falling_due_counts_against_another_cause() -> None:
    both = policy_with(
        WAITS
        + """
- id: working_on_outreach
  playbook: A4
  when: {lead_status: {is: attempting}, first_rep_outreach: {is_known: true}}
  cause: first_rep_outreach
  then: [{set: {lead_status: connected}}]
""",
        instead=True,
    )
    # The mail lies after the entry and before the falling due.

    decision = looked_at(a_contact("attempting", since=MONDAY, engagements=[a_mail(ago(8))]), NOW, both)
    assert rules_of(decision) == {"hs_lead_status": "working_on_outreach"}


def test_a_rule_that_waited_fires_once() -> None:
    contact = a_contact("attempting", since=MONDAY)
    after = done(contact, looked_at(contact, NOW, WAITING))
    back = replace(after, properties={**after.properties, "hs_lead_status": "ATTEMPTED_TO_CONTACT"})
    assert looked_at(replace(back, history=contact.history), NOW, WAITING).changes == ()


def test_it_is_told_what_a_rule_waits_for_and_until_when() -> None:
    (told,) = why(WAITING, a_contact("attempting", since=ago(1)), NOW, EVER)[:1]
    waits = told.groups[0][-1]
    assert (waits.text, waits.holds) == ("lead_status_entered is more than 5 business days ago", False)
    assert waits.until == datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_once_per_status_remembers_status_and_cycle_and_not_the_moment() -> None:
    source = once_per_status(CAUSES["lead_status_entered"][0])
    came = [("new", ago(20)), ("attempting", ago(15)), ("connected", ago(10)), ("attempting", ago(5))]
    contact = a_contact(came, of=WAITING)
    found = source(View(WAITING, contact, NOW))
    assert isinstance(found, Cause)
    assert (found.at, found.key) == (ago(5), f"status:ATTEMPTED_TO_CONTACT:{int(ago(20).timestamp() * 1000)}")
    again = source(View(WAITING, a_contact([*came, ("recycled", ago(3)), ("attempting", ago(2))]), NOW))
    assert isinstance(again, Cause)
    assert again.key == f"status:ATTEMPTED_TO_CONTACT:{int(ago(3).timestamp() * 1000)}"
    assert source(View(WAITING, replace(contact, history=None), NOW)) == Missing(HISTORY)


def test_a_rule_that_is_off_does_nothing_and_is_named_as_yours_to_choose() -> None:
    off = policy_with(WAITS.replace("  then:", "  enabled: false\n  then:"), instead=True)
    assert off.rule("nurture_after_a_while") is None
    (gap,) = [g for g in off.gaps if g.rule == "nurture_after_a_while"]
    assert (gap.needs, gap.off, gap.opt_in) == ("enabled: true in added.yaml", True, True)


def test_a_rule_that_is_off_is_checked_all_the_same_and_read_nothing_for() -> None:
    faults: list[str] = []
    text = WAITS.replace("nurture}", "nurtured}").replace("  when: {", "  enabled: false\n  when: {jobtitle: {is: x}, ")
    found = compile_text(text, faults, instead=True)
    (fault,) = faults
    assert fault.startswith('added.yaml:rules.0.then.0.set.lead_status: "nurtured" is no Lead status of portal.yaml')
    assert "jobtitle" not in found.properties


def test_the_lead_status_may_be_set_back_to_what_it_was() -> None:
    back = policy_with(
        """
- id: sent_back
  playbook: A16
  when: {lead_status: {is: qualified}}
  cause: lead_status_entered
  then: [{set: {lead_status: {fact: lead_status_before}}}]
""",
        instead=True,
    )
    came_from_working = a_contact([("working", ago(9)), ("qualified", ago(2))], stage="sql")
    assert sets(looked_at(came_from_working, of=back), back) == {"hs_lead_status": "working"}
    assert looked_at(a_contact("qualified", stage="sql"), of=back).changes == ()
    from_elsewhere = a_contact([("OPEN", ago(9)), ("qualified", ago(2))], stage="sql")
    assert looked_at(from_elsewhere, of=back).changes == ()


def test_a_fact_of_another_kind_and_a_wait_that_is_none_are_faults() -> None:
    faults: list[str] = []
    text = WAITS.replace("5 business days", "a week").replace("lead_status: nurture", "lead_status: {fact: owner}")
    compile_text(text, faults, instead=True)
    compile_text(text.replace("a week", "7 days"), faults, instead=True)
    assert faults[0].startswith('added.yaml:rules.0.after: "a week" is not a duration')
    assert faults[1] == (
        'added.yaml:rules.0.then.0.set.lead_status.fact: "owner" holds something else; '
        "write one of lead_status, lead_status_before"
    )
