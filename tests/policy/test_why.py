"""Why a rule held or not, and what kept it from acting (design 1, `hubsync explain`)."""

from __future__ import annotations

from dataclasses import replace

from hubsync.policy.contact import Contact
from hubsync.policy.policy import Horizon
from hubsync.policy.why import RuleWhy, why
from tests.builders import EVER, NOW, a_contact, a_deal, a_mail, ago, done, looked_at, policy


def of(rule: str, contact: Contact, horizon: Horizon = EVER) -> RuleWhy:
    return next(w for w in why(policy(), contact, NOW, horizon) if w.rule == rule)


def test_every_rule_is_explained_in_the_order_of_the_files() -> None:
    assert [w.rule for w in why(policy(), a_contact(), NOW, EVER)] == [r.id for r in policy().rules]


def test_a_rule_that_holds_shows_its_conditions_values_and_cause() -> None:
    told = of("attempting_on_first_rep_outreach", a_contact("new", engagements=[a_mail(ago(1))]))
    assert (told.holds, told.hindered, told.playbook) == (True, "", "A3")
    assert told.cause is not None
    assert (told.cause.at, told.cause.id) == (ago(1), "m1")
    ((status, outreach),) = told.groups
    assert (status.text, status.value, status.holds) == ("lead_status is any of none, new, recycled", "new", True)
    assert (outreach.value, outreach.holds) == ("2026-03-03T12:00:00+00:00", True)


def test_a_rule_that_does_not_hold_shows_which_condition_failed() -> None:
    told = of("attempting_on_first_rep_outreach", a_contact("working", engagements=[a_mail()]))
    assert (told.holds, told.cause) == (False, None)
    assert [c.holds for c in told.groups[0]] == [False, True]


def test_what_was_not_read_is_said_to_be_unread() -> None:
    told = of("converted_on_open_deal", replace(a_contact("new", num_associated_deals="1"), deals=None))
    assert told.holds is None
    assert told.groups[0][0].value == "not read"
    assert told.groups[0][0].holds is None


def test_what_keeps_a_rule_from_acting_is_told() -> None:
    contact = a_contact("new", engagements=[a_mail(ago(1))])
    rule = "attempting_on_first_rep_outreach"
    held = replace(contact, properties={**contact.properties, "hubsync_hold": "true"})
    assert of(rule, held).hindered == "the contact is not managed (scope in portal.yaml)"
    assert "backlog" in of(rule, contact, Horizon(NOW)).hindered
    assert "before the first write" in of(rule, contact, Horizon()).hindered
    spent = replace(contact, spent=done(contact, looked_at(contact)).spent)
    assert of(rule, spent).hindered == "this cause has already fired"
    chosen = a_contact([("working", ago(9)), ("none", ago(0.5), "person")], engagements=[a_mail(ago(1))])
    assert of(rule, chosen).hindered == (
        "its cause of 2026-03-03T12:00:00+00:00 is older than a later choice: "
        "A person chose it at 2026-03-04T00:00:00+00:00"
    )


def test_a_quiet_time_a_mode_a_scope_and_an_unmapped_option_are_told() -> None:
    fresh = a_contact("qualified", "lead", since=ago(minutes=1))
    assert "judged from 2026-03-04T12:01:00+00:00 on" in of("qualified_moves_the_stage", fresh).hindered
    set_aside = a_contact([("converted", ago(4)), ("nurture", ago(1))], "opportunity", deals=[a_deal(at=ago(5))])
    assert of("converted_set_aside", set_aside).hindered == "its mode is propose"
    beyond = a_contact("new", "subscriber")
    assert "at this Lifecycle stage the rule does not apply" in of("first_contact_task", beyond).hindered
    odd = a_contact("new", "custom-42")
    assert "no key of portal.yaml maps" in of("first_contact_task", odd).hindered
