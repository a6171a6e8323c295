"""Who writes next, and that the shipped rules leave no tie undecided (design 1 "Several causes at once")."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from hubsync.policy.changes import Cause
from hubsync.policy.contact import Deal
from hubsync.policy.contest import Want, contest
from hubsync.policy.rules import AUTO, Rule
from hubsync.policy.view import View
from hubsync.policy.vocabulary import STAGE, STATUS
from tests.builders import NOW, a_contact, a_deal, a_mail, ago, looked_at, policy, policy_with

BASE = next(r for r in policy().rules if r.id == "new_on_becoming_mql")


def a_rule(name: str, *outranks: str) -> Rule:
    return replace(BASE, id=name, outranks=frozenset(outranks))


def a_want(rule: Rule, value: str, days: float = 1, target: str = STATUS) -> Want:
    return Want(rule, Cause("k", ago(days), f"k:{days}"), target, "", value)


def winners(*wants: Want) -> list[tuple[str, str]]:
    return [(w.rule.id, w.value) for w in contest(wants).winners]


def test_the_earliest_cause_is_first_to_write() -> None:
    early, late = a_want(a_rule("early"), "A", 3), a_want(a_rule("late"), "B", 1)
    assert winners(early, late) == winners(late, early) == [("early", "A")]


def test_the_last_of_those_that_want_the_same_carries_the_change() -> None:
    wants = [a_want(a_rule("one"), "A", 3), a_want(a_rule("two"), "A", 2), a_want(a_rule("three"), "A", 1)]
    verdict = contest(wants)
    assert [w.rule.id for w in verdict.winners] == ["three"]
    assert [(w.rule.id, by) for w, by in verdict.lost] == [("one", "three")]


def test_nobody_carries_past_another_value() -> None:
    wants = [a_want(a_rule("one"), "A", 3), a_want(a_rule("two"), "B", 2), a_want(a_rule("three"), "A", 1)]
    assert winners(*wants) == [("one", "A")]


def test_at_one_moment_the_rule_that_outranks_all_others_wins() -> None:
    one, two = a_want(a_rule("one"), "A"), a_want(a_rule("two", "one"), "B")
    verdict = contest([one, two])
    assert (verdict.winners, verdict.lost, verdict.disputed) == ([two], [(one, "two")], [])


def test_outranking_one_of_two_is_not_enough() -> None:
    wants = [a_want(a_rule("one"), "A"), a_want(a_rule("two", "one"), "B"), a_want(a_rule("three"), "C")]
    verdict = contest(wants)
    assert (verdict.winners, [[w.rule.id for w in d] for d in verdict.disputed]) == ([], [["one", "three", "two"]])


def test_who_loses_the_status_loses_what_came_with_it() -> None:
    one, two = a_rule("one"), a_rule("two", "one")
    wants = [a_want(one, "A"), a_want(one, "x", target="hubsync_reason"), a_want(two, "B")]
    verdict = contest(wants)
    assert [w.rule.id for w in verdict.winners] == ["two"]
    assert {(w.target, by) for w, by in verdict.lost} == {(STATUS, "two"), ("hubsync_reason", "two")}


def test_a_dispute_takes_what_came_with_it_out_of_the_race() -> None:
    one = a_rule("one")
    wants = [a_want(one, "A"), a_want(one, "x", target="hubsync_reason"), a_want(a_rule("two"), "B")]
    verdict = contest(wants)
    assert (verdict.winners, verdict.lost, len(verdict.disputed)) == ([], [], 1)


def _situations() -> list[View]:
    """Contacts in every combination, with causes of every kind at one and the same moment."""
    at = ago(2)
    stories: list[list[Deal]] = [
        [],
        [a_deal("open", at)],
        [a_deal("won", at)],
        [a_deal("lost", at)],
        [a_deal("lost", at, reason="spam")],
    ]
    stories += ([a_deal("lost", at, reason="competitor")], [a_deal("won", at, id="1"), a_deal("open", at, id="2")])
    views = []
    for deals in stories:
        for status in ("none", *policy().statuses.by_key):
            for stage in ("lead", "mql", "sal", "sql", "opportunity", "customer"):
                for was in ("lead", "opportunity"):
                    contact = a_contact(
                        [("converted", ago(9), "automation"), (status, at, "automation")],
                        [(was, ago(9), "automation"), (stage, at, "automation")],
                        deals=deals,
                        engagements=[a_mail(at)],
                        hs_object_source="FORM",
                    )
                    views.append(View(policy(), contact, NOW))
    return views


def test_wherever_causes_can_coincide_the_shipped_rules_say_who_comes_first() -> None:
    unordered: set[tuple[str, str, str]] = set()
    pairs: set[tuple[str, str]] = set()
    for view in _situations():
        cell = view.cell()
        assert cell is not None
        wants = [
            (residual.rule, action.property, action.resolve(view, cause), cause.at)
            for residual in cell.autos
            if residual.test(view) > 0 and isinstance(cause := residual.rule.cause(view), Cause)
            for action in residual.rule.sets
        ]
        for (one, name, value, at), (two, other, wanted, then) in combinations(wants, 2):
            if one is not two and name == other and value != wanted and at == then:
                pairs.add((one.id, two.id))
                if two.id not in one.outranks and one.id not in two.outranks:
                    unordered.add((one.id, two.id, name))
    assert len(pairs) > 10
    assert unordered == set()


def test_no_contact_with_coinciding_causes_ends_in_a_conflict() -> None:
    assert {c for view in _situations() for c in looked_at(view.contact).conflicts} == set()


@pytest.mark.parametrize("rule", [r for r in policy().rules if r.mode == AUTO and not r.matrix], ids=lambda r: r.id)
def test_no_two_rules_outrank_each_other(rule: Rule) -> None:
    for name in rule.outranks:
        other = policy().rule(name)
        assert other is not None
        assert rule.id not in other.outranks


def test_stages_are_told_apart_from_statuses() -> None:
    wants = [a_want(a_rule("one"), "A"), a_want(a_rule("two"), "B", target=STAGE)]
    assert winners(*wants) == [("one", "A"), ("two", "B")]


def test_rules_that_agree_undo_nothing_between_them() -> None:
    """Both bring the lead back from where a third rule led it; that one is overtaken, and nobody is at odds."""
    agreed = policy_with(
        """
- id: out
  playbook: X
  when: {first_rep_outreach: {is_known: true}}
  cause: first_rep_outreach
  then: [{set: {lead_status: working}}]
- id: one
  playbook: X
  when: &when {lead_status: {is: working}}
  cause: lead_status_entered
  after: 5 days
  then: &then [{set: {lead_status: new}}]
- {id: two, playbook: X, when: *when, cause: lead_status_entered, after: 5 days, then: *then}
""",
        instead=True,
    )
    contact = a_contact([("new", ago(200))], [("mql", ago(200))], engagements=[a_mail(ago(90))], of=agreed)
    decision = looked_at(contact, of=agreed)
    assert (decision.changes, decision.conflicts) == ((), ())
    assert {(s.rule, s.by) for s in decision.superseded} == {("out", "one"), ("two", "one")}
