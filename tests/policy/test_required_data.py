"""What a Lead status requires and the record lacks (A16), the qualification list (P2), and what the portal lacks."""

from __future__ import annotations

from dataclasses import replace

from hubsync.policy.contact import Contact
from hubsync.policy.policy import Policy, PropertyShape, Schema
from hubsync.policy.requirements import missing_data, qualification_completed
from hubsync.policy.ruleset import ideal_schema
from hubsync.policy.view import DEALS, HISTORY, Missing, View
from tests.builders import NOW, a_contact, a_deal, ago, compile_text, entry, policy, policy_with, shipped

LIST = ("hubsync_project", "hubsync_budget", "hubsync_timeline", "hubsync_authority")


def a_portal(*properties: str) -> Schema:
    """A portal with exactly these contact properties besides those that facts need."""
    ideal = ideal_schema(shipped().files.portal)
    own = {"num_associated_deals", "num_contacted_notes", "hs_v2_date_entered_salesqualifiedlead"}
    return replace(ideal, complete=True, properties={name: PropertyShape("string") for name in {*properties, *own}})


def with_properties(contact: Contact, **properties: str | None) -> Contact:
    return replace(contact, properties={**contact.properties, **properties})


def lacks(status: str, of: Policy | None = None, **properties: str) -> str | Missing | None:
    return missing_data(View(of or policy(), with_properties(a_contact(status, "sql"), **properties), NOW))


def test_what_is_missing_is_named_in_the_order_of_the_policy() -> None:
    assert lacks("qualified", hubsync_need="CRM") == (
        "the budget, the decision-makers, the time line, why the lead is qualified"
    )


def test_any_of_several_properties_will_do() -> None:
    assert lacks("new", lastname="Lovelace", mobilephone="+1 617 555 0100") is None
    assert lacks("new", lastname="Lovelace") == "an e-mail address or a phone number"


def test_a_status_that_requires_nothing_lacks_nothing() -> None:
    assert lacks("customer") is None
    assert lacks("none") is None


def test_deals_are_read_only_where_the_status_asks_for_one() -> None:
    unread = replace(a_contact("converted", num_associated_deals="1"), deals=None)
    assert missing_data(View(policy(), unread, NOW)) == Missing(DEALS)
    nurture = with_properties(unread, hs_lead_status="UNQUALIFIED")
    assert missing_data(View(policy(), nurture, NOW)) == "the reason"


def test_a_deal_lacks_what_isnt_written_on_it() -> None:
    bare = a_contact("converted", "opportunity", deals=[a_deal()])
    assert missing_data(View(policy(), bare, NOW)) == "the deal's close date, the deal's amount"


def test_a_property_the_portal_lacks_is_not_demanded_and_named() -> None:
    faults: list[str] = []
    requirements = {
        "budget": {"label": "the budget", "any_of": ["our_budget", "hubsync_budget"]},
        "need": {"label": "the need", "any_of": ["our_need"]},
    }
    of = compile_text(
        "",
        faults,
        schema=a_portal("hubsync_budget"),
        requirements=requirements,
        required_data={"qualified": ["budget", "need"]},
        qualification=[],
    )
    assert faults == []
    assert lacks("qualified", of) == "the budget"
    assert "property our_need (requirements: need)" in {gap.needs for gap in of.gaps}


def test_names_that_lead_nowhere_are_faults() -> None:
    faults: list[str] = []
    compile_text("", faults, required_data={"qualifyed": ["budgt"]}, qualification=["next_step"])
    assert [fault.partition(": ")[2] for fault in faults] == [
        '"budgt" is not one of the requirements; did you mean "budget"?',
        '"qualifyed" is not one of the statuses; did you mean "qualified"?',
        '"next_step" must be a property, so that it is known since when',
    ]


def test_the_list_is_complete_since_its_last_entry() -> None:
    history = {name: [entry("known", ago(days))] for name, days in zip(LIST, (9, 7, 3, 5), strict=True)}
    whole = with_properties(a_contact("working", history=history), **dict.fromkeys(LIST, "known"))
    assert qualification_completed(View(policy(), whole, NOW)) == ago(3)
    unread = replace(whole, history=None)
    assert qualification_completed(View(policy(), unread, NOW)) == Missing(HISTORY)
    short = with_properties(replace(whole, history=None), hubsync_timeline=None)
    assert qualification_completed(View(policy(), short, NOW)) is None


def test_free_text_is_never_kept_in_the_mirror() -> None:
    assert {"hubsync_notes", "hubsync_budget"} <= policy().data.free_text
    assert {"hubsync_notes", "hubsync_budget"} & policy().mirrored == set()
    assert "hubsync_review_date" in policy().mirrored


RULE = """
- id: asks
  playbook: A16
  says: Something is missing.
  when: {missing_data: {is_known: true}, lead_status: {is: working}}
  cause: lead_status_entered
  then: [{finding: Something is missing.}]
"""


def test_a_rule_that_asks_for_more_means_something_else() -> None:
    before = policy_with(RULE).fingerprints
    more = policy_with(RULE, required_data={"working": ["notes", "budget"]}).fingerprints
    assert before["asks"].when != more["asks"].when
    assert before["first_contact_task"] == more["first_contact_task"]


def test_what_is_missing_is_named_in_the_portals_language() -> None:
    files = shipped().files
    assert sorted(files.texts) == ["de", "fr", "id"]
    for texts in files.texts.values():
        assert set(texts.requirements) == set(files.portal.requirements)
    assert lacks("unqualified", policy_with(language="de")) == "der Grund"
