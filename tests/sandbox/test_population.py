"""The people of the sandbox: who is there, in which shares, and that what happened to them hangs together."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hubsync.rulefiles.load import load_rules
from hubsync.sandbox.clock import SandboxClock
from hubsync.sandbox.population import EXCLUDED_DOMAINS, SAL_STAGE, UNTIDY, Population, populate
from hubsync.sandbox.population.people import PLACES
from hubsync.sandbox.population.texts import LANGUAGES, LOSS_REASONS
from hubsync.sandbox.state import Portal
from hubsync.sandbox.times import from_ms, to_ms
from hubsync.settings import default_rules

NOW = datetime(2026, 11, 18, 10, 41, tzinfo=UTC)
SHIPPED = {
    "NEW",
    "OPEN",
    "IN_PROGRESS",
    "OPEN_DEAL",
    "UNQUALIFIED",
    "ATTEMPTED_TO_CONTACT",
    "CONNECTED",
    "BAD_TIMING",
}


def a_portal(now: datetime = NOW, seed: int = 0) -> Portal:
    return Portal(clock=SandboxClock(now, frozen=True), seed=seed)


@pytest.fixture(scope="module")
def world() -> tuple[Portal, Population]:
    portal = a_portal()
    return portal, populate(portal, 500)


@pytest.fixture(scope="module")
def portal(world: tuple[Portal, Population]) -> Portal:
    return world[0]


@pytest.fixture(scope="module")
def population(world: tuple[Portal, Population]) -> Population:
    return world[1]


def everything(portal: Portal) -> dict[str, Any]:
    """All that a portal holds, as plain values."""
    return {
        kind: [
            (record.id, record.values, record.created, record.updated, record.history, record.links)
            for record in table.records.values()
        ]
        for kind, table in portal.tables.items()
    } | {"owners": portal.directory.owners, "aliases": portal.aliases}


def test_the_same_seed_gives_the_same_portal() -> None:
    one, other = a_portal(seed=7), a_portal(seed=7)
    told, again = populate(one, 120, 180), populate(other, 120, 180)
    assert told == again
    assert everything(one) == everything(other)


def test_another_seed_gives_other_people() -> None:
    one, other = a_portal(), a_portal()
    populate(one, 60, seed=1)
    populate(other, 60, seed=2)
    emails = [{portal.value(portal.get("contacts", c), "email") for c in portal.contacts()} for portal in (one, other)]
    assert len(emails[0] & emails[1]) < 5


def test_times_are_relative_to_the_portals_clock() -> None:
    week = timedelta(days=7)
    summer = datetime(2026, 10, 7, 10, 41, tzinfo=UTC)
    portals = [a_portal(summer - week), a_portal(summer)]
    for portal in portals:
        populate(portal, 80, 90)
    earlier, later = (
        [(record.id, record.created) for table in portal.tables.values() for record in table.records.values()]
        for portal in portals
    )
    assert [(record, at + to_ms(summer) - to_ms(summer - week)) for record, at in earlier] == later


def test_every_contact_is_either_tidy_or_has_a_truth(portal: Portal, population: Population) -> None:
    assert len(population.contacts) == 500
    assert sorted(population.contacts) == sorted(portal.contacts())
    assert set(population.truth) | set(population.tidy) == set(population.contacts)
    assert not set(population.truth) & set(population.tidy)


def test_every_kind_of_untidiness_occurs_and_in_its_share(population: Population) -> None:
    assert sum(population.counts.values()) == 175
    assert set(population.counts) == {kind.name for kind in UNTIDY}
    spare = 175 - len(UNTIDY)
    whole = sum(kind.share for kind in UNTIDY)
    for kind in UNTIDY:
        assert abs(population.counts[kind.name] - 1 - spare * kind.share / whole) < 1, kind.name


def test_every_answer_of_the_playbook_is_asked_for(population: Population) -> None:
    answers = Counter(truth.answer for truth in population.truth.values())
    assert set(answers) == {"correct", "propose", "report", "task", "leave"}
    assert answers["correct"] > 70
    for playbook in ("A1", "A2", "A3", "A4", "A5", "A7", "A9", "A10", "A11", "A12", "A13", "A17", "C1", "C3"):
        assert population.handled_by(playbook), playbook


def test_histories_end_in_the_present_value_and_are_in_the_order_of_time(
    portal: Portal, population: Population
) -> None:
    for contact in population.contacts:
        record = portal.get("contacts", contact)
        for name, entries in (record.history or {}).items():
            assert entries[-1].value == record.values.get(name, "")
            assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
            assert all(one.value != other.value for one, other in pairwise(entries))


def test_nothing_happened_before_the_first_day_or_after_now(portal: Portal, population: Population) -> None:
    for kind in ("contacts", "deals", "emails", "calls", "meetings", "communications", "notes", "tasks"):
        for record in portal.tables[kind].records.values():
            moments = [record.created, record.updated, *(e.at for es in (record.history or {}).values() for e in es)]
            assert population.since <= from_ms(min(moments))
            assert from_ms(max(moments)) <= NOW, (kind, record.id)
    assert population.since == NOW.replace(microsecond=0) - timedelta(days=90)


def test_ids_ascend_with_the_time_of_creation(portal: Portal) -> None:
    for kind in ("contacts", "deals", "emails", "calls", "meetings", "notes"):
        created = [record.created for record in portal.tables[kind].records.values()]
        assert created == sorted(created), kind


def test_people_work_in_the_hours_of_their_country(portal: Portal, population: Population) -> None:
    zones = {
        owner: ZoneInfo(next(place.zone for place in PLACES if place.team == found.teams[0].name))
        for owner, found in portal.directory.owners.items()
    }
    managers = population.offices.managers
    by_user = {found.user_id: zones[owner] for owner, found in portal.directory.owners.items() if owner not in managers}
    seen = 0
    for contact in population.contacts:
        for entry in portal.get("contacts", contact).entries("hs_lead_status"):
            zone = by_user.get(entry.source.user_id or 0)
            if zone is not None:
                local = from_ms(entry.at).astimezone(zone)
                assert local.weekday() < 5, contact
                assert 8 <= local.hour < 18, contact
                seen += 1
    assert seen > 500


def test_statuses_and_stages_are_set_by_people_and_by_machines(portal: Portal, population: Population) -> None:
    by: dict[str, Counter[str]] = {"hs_lead_status": Counter(), "lifecyclestage": Counter()}
    for contact in population.contacts:
        for name, found in by.items():
            found.update(entry.source.type for entry in portal.get("contacts", contact).entries(name))
    assert set(by["hs_lead_status"]) == {"CRM_UI", "AUTOMATION_PLATFORM", "IMPORT", "INTEGRATION"}
    assert set(by["lifecyclestage"]) == {"CRM_UI", "AUTOMATION_PLATFORM", "IMPORT", "INTEGRATION", "FORM"}
    assert min(by["hs_lead_status"].values()) > 20


def test_three_teams_have_owners_managers_and_one_who_left(portal: Portal, population: Population) -> None:
    owners = [portal.directory.owners[owner] for owner in population.offices.owners]
    assert {team.name for team in portal.directory.teams.values()} == {"London", "Munich", "Jakarta"}
    assert len(owners) == 8 + 2 + 1
    assert [owner.id for owner in owners if owner.archived] == list(population.offices.former)
    assert len(population.offices.managers) == 2
    assert len({owner.email for owner in owners}) == len(owners)
    for owner in owners:
        assert owner.teams
        if owner.id not in population.offices.managers:
            manager = portal.directory.owners[population.offices.manager_of[owner.id]]
            assert owner.teams[0] in manager.teams
    owned = Counter(portal.get("contacts", each).values.get("hubspot_owner_id") for each in population.contacts)
    assert owned[population.offices.former[0]] == population.counts["left_with_former_rep"]
    assert owned[None] > 20


def test_addresses_are_unique_and_belong_to_nobody(portal: Portal, population: Population) -> None:
    emails = [portal.get("contacts", contact).values["email"] for contact in population.contacts]
    assert len(set(emails)) == len(emails)
    assert all(email.endswith(".example") and email.isascii() for email in emails)
    for contact in population.of("excluded_domain"):
        assert portal.get("contacts", contact).values["email"].split("@")[1] in EXCLUDED_DOMAINS


def test_deals_are_lost_in_every_language_and_for_every_reason(portal: Portal) -> None:
    written = {deal.values.get("closed_lost_reason", "") for deal in portal.tables["deals"].records.values()}
    for language in LANGUAGES:
        assert written & {text for reasons in LOSS_REASONS.values() for text in reasons[language]}, language
    for category in ("budget", "timing", "competitor", "wrong_fit"):
        assert written & {text for texts in LOSS_REASONS[category].values() for text in texts}, category


def test_companies_have_the_leads_that_work_there(portal: Portal, population: Population) -> None:
    assert len(population.companies) == 125
    for contact in population.contacts:
        company = portal.get("contacts", contact).values["associatedcompanyid"]
        assert portal.get("contacts", contact).values["company"] == portal.get("companies", company).values["name"]


def test_merged_contacts_answer_under_the_survivor(portal: Portal, population: Population) -> None:
    assert len(population.merged) == population.counts["merged"]
    for old, survivor in population.merged.items():
        assert old not in population.contacts
        assert portal.get("contacts", old).id == survivor
        assert population.truth[survivor].kind == "merged"


def test_the_portals_own_stage_sync_is_off_while_seeding_and_on_again_after(
    portal: Portal, population: Population
) -> None:
    assert portal.switches.deal_created_sets_opportunity
    assert portal.switches.company_stage_sync
    assert not portal.journal.writes
    assert portal.journal.recording
    for contact in population.of("mql_converted_with_deal"):
        assert portal.get("contacts", contact).values["lifecyclestage"] == "marketingqualifiedlead"


def test_the_portal_has_the_custom_stage_the_added_statuses_and_our_properties(
    portal: Portal, population: Population
) -> None:
    definitions = portal.schemas.properties["contacts"]
    stages = [option.value for option in definitions["lifecyclestage"].options]
    assert stages[2:5] == ["marketingqualifiedlead", SAL_STAGE, "salesqualifiedlead"]
    statuses = {option.value for option in definitions["hs_lead_status"].options}
    assert statuses - SHIPPED == {"QUALIFIED", "NURTURE", "DISQUALIFIED", "RECYCLED", "CUSTOMER"}
    own = {name: prop.type for name, prop in definitions.items() if prop.group == "hubsync"}
    declared = load_rules(default_rules()).files.portal.properties
    assert len(declared) > 20
    assert own == {name: spec.type for name, spec in declared.items()}
    used = Counter(portal.get("contacts", contact).values.get("lifecyclestage") for contact in population.contacts)
    assert used[SAL_STAGE] > 5


def test_a_portal_may_stay_with_the_eight_statuses_and_without_our_properties() -> None:
    portal = a_portal()
    population = populate(portal, 400, default_statuses_only=True, hubsync_properties=False)
    definitions = portal.schemas.properties["contacts"]
    assert {option.value for option in definitions["hs_lead_status"].options} == SHIPPED
    assert not [name for name in definitions if name.startswith("hubsync_")]
    for contact in population.contacts:
        record = portal.get("contacts", contact)
        assert record.values.get("hs_lead_status", "NEW") in SHIPPED
        assert not [name for name in record.values if name.startswith("hubsync_")]
    assert set(population.counts) == {kind.name for kind in UNTIDY if not kind.needs and not kind.own_properties}


def test_a_portal_that_has_contacts_is_refused() -> None:
    portal = a_portal()
    populate(portal, 10)
    with pytest.raises(ValueError, match="empty portal"):
        populate(portal, 10)


@pytest.mark.parametrize("wrong", [{"contacts": 0}, {"days": 30}, {"untidy": 1.5}, {"reps": 2}])
def test_what_cannot_be_told_is_refused_and_leaves_the_portal_empty(wrong: dict[str, Any]) -> None:
    portal = a_portal()
    with pytest.raises(ValueError, match=r"wants|must be"):
        populate(portal, **wrong)
    assert not portal.contacts()
    assert not portal.directory.owners


def test_a_portal_may_be_all_tidy() -> None:
    portal = a_portal()
    population = populate(portal, 50, untidy=0)
    assert not population.truth
    assert len(population.tidy) == 50
