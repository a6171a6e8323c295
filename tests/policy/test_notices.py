"""Digests and alerts: who is told what, once per cause; texts with facts in them, in the language of portal.yaml."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hubsync.policy.changes import Decision
from hubsync.policy.decide import decide
from hubsync.policy.policy import Horizon
from hubsync.policy.spec import Language
from hubsync.policy.view import ENGAGEMENTS, HISTORY
from hubsync.policy.why import why
from hubsync.policy.wording import day_of
from tests.builders import EVER, NOW, a_contact, a_mail, ago, compile_text, done, found, looked_at, policy_with

SILENT = """
- id: silent
  playbook: T2
  says: Nobody answers.
  when: {lead_status: {is: attempting}}
  cause: lead_status_entered
  after: 5 business days
  then: [{digest: {to: manager, text: "{status} since {day}, {days} days, {business_days} of work."}}]
"""
TOLD = policy_with(SILENT, instead=True, managers={"11": "77"})
ATTEMPTING = a_contact("attempting", since=ago(9))


def of(decision: Decision) -> list[tuple[str, str, str | None, str]]:
    return [(n.kind, n.to, n.recipient, n.text) for n in decision.notices]


def test_the_owners_manager_is_told_in_words_that_count_from_what_happened() -> None:
    decision = looked_at(ATTEMPTING, of=TOLD)
    text = "Attempting contact since 23 February, 9 days, 7 of work."
    assert of(decision) == [("digest", "manager", "77", text)]
    assert decision.acts
    (notice,) = decision.notices
    assert (notice.target, notice.cause.happened, notice.cause.at) == ("digest:manager", ago(9), ago(2))


def test_a_cause_is_told_once() -> None:
    told = done(ATTEMPTING, looked_at(ATTEMPTING, of=TOLD))
    assert looked_at(told, of=TOLD).notices == ()
    (rule,) = [w for w in why(TOLD, told, NOW, EVER) if w.rule == "silent"]
    assert rule.hindered == "this cause has already fired"


@pytest.mark.parametrize("owner", [None, "12"], ids=["nobody's lead", "an owner without a manager"])
def test_what_nobody_can_be_told_goes_to_ops(owner: str | None) -> None:
    contact = a_contact("attempting", since=ago(9), owner=owner, num_conversion_events="1")
    assert [(n.to, n.recipient) for n in looked_at(contact, of=TOLD).notices] == [("manager", None)]


def test_what_was_due_before_the_first_write_is_never_told() -> None:
    assert looked_at(ATTEMPTING, of=TOLD, horizon=Horizon(ago(1))).notices == ()
    assert looked_at(ATTEMPTING, of=TOLD, horizon=Horizon(ago(3))).notices != ()


@pytest.mark.parametrize("mode", ["propose", "report"])
def test_a_rule_below_auto_shows_what_it_would_tell_as_a_finding(mode: str) -> None:
    held = policy_with(SILENT.replace("  says:", f"  mode: {mode}\n  says:"), instead=True)
    decision = looked_at(ATTEMPTING, of=held)
    assert decision.notices == ()
    assert found(decision) == {"silent": "report"}
    assert decision.findings[0].message.startswith("Attempting contact since 23 February")
    assert found(looked_at(ATTEMPTING, of=TOLD)) == {}


def test_a_change_may_be_told_of_and_a_change_that_loses_is_not() -> None:
    also = """
- id: connects
  playbook: A4
  when: {lead_status: {is: attempting}, first_rep_outreach: {is_known: true}}
  cause: first_rep_outreach
  then: [{set: {lead_status: connected}}, {alert: {to: ops, text: "Connected."}}]
"""
    loses = """
- id: loses
  playbook: A4
  when: {lead_status: {is: attempting}}
  cause: lead_status_entered
  then: [{set: {lead_status: new}}, {digest: {to: ops, text: "New."}}]
"""
    contact = a_contact("attempting", since=ago(9), engagements=[a_mail(ago(1))])
    assert of(looked_at(contact, of=policy_with(also, instead=True))) == [("alert", "ops", None, "Connected.")]
    earlier = policy_with(loses + also.replace("attempting}", "new}"), instead=True)
    decision = looked_at(contact, of=earlier)
    assert [n.text for n in decision.notices] == ["Connected."]
    assert {s.target for s in decision.superseded if s.rule == "loses"} == {"hs_lead_status", "digest:ops"}


def test_a_finding_beside_a_digest_is_shown_too() -> None:
    both = policy_with(SILENT.rstrip("]\n") + ', {finding: "{days} days in {status}."}]\n', instead=True)
    decision = looked_at(ATTEMPTING, of=both)
    assert [f.message for f in decision.findings] == ["9 days in Attempting contact."]
    assert len(decision.notices) == 1


def test_a_text_reads_the_facts_that_it_names() -> None:
    counts = policy_with(SILENT.replace("{days} days", "{attempts} attempts, last {last_rep_outreach}"), instead=True)
    contact = a_contact("attempting", since=ago(9), engagements=[a_mail(ago(3)), a_mail(ago(1), id="m2")])
    unread = replace(contact, engagements=None)
    assert decide(counts, unread, NOW, EVER).needs == ENGAGEMENTS
    assert decide(counts, replace(unread, history=None), NOW, EVER).needs & HISTORY
    assert "2 attempts, last 3 March" in looked_at(contact, of=counts).notices[0].text


def test_a_placeholder_that_nothing_fills_a_text_that_is_missing_and_two_texts_are_faults() -> None:
    faults: list[str] = []
    compile_text(SILENT.replace("{day}", "{dya}"), faults, instead=True)
    compile_text(SILENT.replace('text: "', 'template: "').replace("  then", "  then"), faults, instead=True)
    twice = SILENT.rstrip("]\n") + ", {digest: {to: ops, text: Again.}}]\n"
    compile_text(twice, faults, instead=True)
    assert faults[0].startswith('added.yaml:rules.0.then.0.digest.text: "{dya}" is filled by nothing; did you mean')
    assert "is no template of `templates:`" in faults[1]
    assert faults[2] == "added.yaml:rules.0.then: a rule has one digest in words of its own; use a template"


DAYS: dict[Language, str] = {"en": "3 March", "fr": "3 mars", "de": "3. März", "id": "3 Maret"}


@pytest.mark.parametrize("language", DAYS)
def test_days_are_written_as_the_language_writes_them(language: Language) -> None:
    at = datetime(2026, 3, 3, 23, 30, tzinfo=UTC)
    assert day_of(at, UTC, language) == DAYS[language]


def test_the_first_of_a_month_has_its_own_form_in_french() -> None:
    assert day_of(datetime(2026, 8, 1, tzinfo=UTC), UTC, "fr") == "1er août"
