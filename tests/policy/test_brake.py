"""The brake (A18): whatever the cause, a rule rewrites a contact once in seven days, and then somebody is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hubsync.policy.brake import at_odds
from hubsync.policy.contact import Contact, OurWrite
from hubsync.policy.decide import decide
from hubsync.policy.policy import Policy
from hubsync.policy.spec import Language
from hubsync.policy.view import View
from hubsync.policy.vocabulary import STATUS
from hubsync.policy.why import why
from hubsync.rulefiles.load import load_rules
from hubsync.settings import default_rules
from tests.builders import EVER, NOW, a_contact, a_deal, a_mail, ago, done, entry, looked_at, policy, rules_of, sets

RULE = "attempting_on_first_rep_outreach"


def reset_and_mailed(days: float) -> Contact:
    """A lead that hubsync made attempting, that a workflow made new again so many days later, and a mail since."""
    contact = a_contact("new", engagements=[a_mail(ago(1))])
    after = done(contact, looked_at(contact))
    reset = NOW + timedelta(days=days)
    back = [entry("NEW", reset), *(after.history or {})[STATUS]]
    mail = a_mail(reset + timedelta(minutes=30), id="m2")
    return replace(
        after,
        properties={**after.properties, STATUS: "NEW"},
        history={**(after.history or {}), STATUS: back},
        engagements=(*(after.engagements or ()), mail),
    )


def test_a_new_cause_within_seven_days_is_a_finding_and_no_write_and_is_looked_at_when_they_are_over() -> None:
    contact = reset_and_mailed(2)
    decision = looked_at(contact, NOW + timedelta(days=3))
    assert decision.changes == ()
    [finding] = [f for f in decision.findings if f.braked]
    assert (finding.rule, finding.braked, finding.kind) == (RULE, STATUS, "report")
    assert "The Lead status would be written a second time within 7 days by the same rule" in finding.message
    assert "4 March 2026" in finding.message
    assert decision.look_again == NOW + timedelta(days=7)
    assert rules_of(looked_at(contact, NOW + timedelta(days=7))) == {STATUS: RULE}


def spoken(language: Language) -> Policy:
    """The core of the shipped rules with what hubsync says itself in another language."""
    texts = load_rules(default_rules()).files.texts[language]
    return replace(policy(), language=language, sentences=dict(texts.sentences))


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("fr", "Le statut : la même règle l'écrirait une deuxième fois en 7 jours (la première le 4 mars 2026) ;"),
        ("de", "Der Leadstatus: Dieselbe Regel würde in 7 Tagen ein zweites Mal schreiben (zuerst am 4. März 2026);"),
        ("id", "Status lead akan ditulis untuk kedua kalinya dalam 7 hari oleh aturan yang sama (pertama pada 4 Maret"),
    ],
)
def test_it_is_told_in_the_language_of_the_portal(language: Language, says: str) -> None:
    contact = reset_and_mailed(2)
    decision = decide(spoken(language), contact, NOW + timedelta(days=3), EVER)
    [finding] = [f for f in decision.findings if f.braked]
    assert says in finding.message


TO_AND_FRO: dict[Language, str] = {
    "fr": """Le statut : va-et-vient. Sync in (AUTOMATION_PLATFORM) met New, une personne (CRM_UI 5) met aucun,
        3 fois depuis le 4 mars 2026. hubsync n'y touche pas jusqu'au 11 mars 2026 : arrêtez l'un des deux.""",
    "de": """Der Leadstatus geht hin und her: Sync in (AUTOMATION_PLATFORM) setzt New, eine Person (CRM_UI 5) setzt
        keiner, 3-mal seit dem 4. März 2026. hubsync lässt das bis zum 11. März 2026 in Ruhe: Schalten Sie eines
        von beiden ab.""",
    "id": """Status lead berubah bolak-balik: Sync in (AUTOMATION_PLATFORM) mengisi New, seseorang (CRM_UI 5) mengisi
        tidak ada, 3 kali sejak 4 Maret 2026. hubsync membiarkannya sampai 11 Maret 2026: matikan salah satunya.""",
}


@pytest.mark.parametrize("language", TO_AND_FRO)
def test_two_writers_at_odds_are_told_in_the_language_of_the_portal(language: Language) -> None:
    turns = [
        {**entry("" if odd else "NEW", ago(hours=hours), "person" if odd else "automation"), **source}
        for hours in (1, 2, 3, 4)
        for odd in (hours % 2,)
        for source in ({"sourceId": "userId:5"} if odd else {"sourceLabel": "Sync in"},)
    ]
    contact = replace(a_contact("none"), history={STATUS: turns})
    found = at_odds(View(spoken(language), contact, NOW), STATUS)
    assert found is not None
    assert found.why == " ".join(TO_AND_FRO[language].split())


def test_the_explanation_says_the_same() -> None:
    contact = reset_and_mailed(2)
    then = NOW + timedelta(days=3)
    [braked] = [w for w in why(policy(), contact, then, EVER) if w.rule == RULE]
    assert "a second time within 7 days" in braked.hindered
    [free] = [w for w in why(policy(), contact, NOW + timedelta(days=7), EVER) if w.rule == RULE]
    assert free.hindered == ""


def test_another_rule_is_not_held_back() -> None:
    contact = replace(reset_and_mailed(2), deals=(a_deal(at=NOW + timedelta(days=2, hours=2)),))
    contact = replace(contact, properties={**contact.properties, "num_associated_deals": "1"})
    assert set(rules_of(looked_at(contact, NOW + timedelta(days=3))).values()) == {"converted_on_open_deal"}


def test_what_was_written_in_part_for_the_same_cause_is_completed() -> None:
    """The status landed, the stage was refused: trying the stage again is no second writing."""
    contact = a_contact("new", "mql", deals=[a_deal(at=ago(2))])
    decision = looked_at(contact)
    assert set(rules_of(decision).values()) == {"converted_on_open_deal"}
    status = next(c for c in decision.changes if c.property == STATUS)
    half = done(contact, replace(decision, changes=(status,)))
    later = looked_at(half, NOW + timedelta(hours=1))
    assert sets(later) == {"lifecyclestage": "opportunity"}


def test_a_proposal_shown_for_the_rule_is_no_writing() -> None:
    contact = a_contact("new", engagements=[a_mail(ago(1))])
    shown = OurWrite("hubsync_proposal", "New → Attempting", "", ago(3), RULE, ago(1))
    assert rules_of(looked_at(replace(contact, ours=(shown,)))) == {STATUS: RULE}


def test_two_others_who_fight_keep_hubsync_from_joining_in_and_both_are_named() -> None:
    workflow = {"sourceType": "AUTOMATION_PLATFORM", "sourceId": "5801", "sourceLabel": "Requalify"}
    app = {"sourceType": "INTEGRATION", "sourceId": "77700", "sourceLabel": "Dialler"}
    values = (("NEW", app, 9), ("CONNECTED", workflow, 8), ("NEW", app, 7), ("CONNECTED", workflow, 6), ("NEW", app, 5))
    entries = [{**entry(value, ago(hours=h)), **by} for value, by, h in values][::-1]
    contact = a_contact("new", engagements=[a_mail(ago(hours=1))])
    contact = replace(contact, history={**(contact.history or {}), STATUS: entries})
    decision = looked_at(contact)
    assert decision.changes == ()
    [finding] = [f for f in decision.findings if f.braked]
    assert "Dialler (INTEGRATION 77700) sets New" in finding.message
    assert "Requalify (AUTOMATION_PLATFORM 5801) sets Connected" in finding.message
    assert decision.look_again == ago(hours=5) + timedelta(days=7)
    assert rules_of(looked_at(contact, ago(hours=5) + timedelta(days=7))) == {STATUS: RULE}


@pytest.mark.parametrize("hard", [True, False])
def test_hard_rules_are_held_back_as_well(hard: bool) -> None:
    status = "new" if hard else "none"
    contact = a_contact([("working", ago(20)), (status, ago(1))], "sql", since=ago(10))
    [rule] = {*rules_of(looked_at(contact)).values()}
    lately = OurWrite(STATUS, "IN_PROGRESS", "x", ago(30), rule, ago(6))
    decision = looked_at(replace(contact, ours=(lately,)))
    assert sets(decision) == {}
    assert [f.braked for f in decision.findings if f.rule == rule] == [STATUS]
