"""The mass population for benchmarks: cheap, but its histories are as true as the others'."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from hubsync.sandbox.clock import SandboxClock
from hubsync.sandbox.population import Population, populate_flat
from hubsync.sandbox.state import Portal
from hubsync.sandbox.times import from_ms

NOW = datetime(2026, 11, 18, 10, 41, tzinfo=UTC)


def a_portal() -> Portal:
    return Portal(clock=SandboxClock(NOW, frozen=True))


@pytest.fixture(scope="module")
def world() -> tuple[Portal, Population]:
    portal = a_portal()
    return portal, populate_flat(portal, 3000, seed=5)


@pytest.fixture(scope="module")
def portal(world: tuple[Portal, Population]) -> Portal:
    return world[0]


@pytest.fixture(scope="module")
def population(world: tuple[Portal, Population]) -> Population:
    return world[1]


def test_the_same_seed_gives_the_same_mass(portal: Portal, population: Population) -> None:
    again = a_portal()
    assert populate_flat(again, 3000, seed=5) == population
    for contact in population.contacts:
        one, other = portal.get("contacts", contact), again.get("contacts", contact)
        assert (one.values, one.history, one.created) == (other.values, other.history, other.created)


def test_every_contact_has_three_to_five_entries_in_order_that_end_in_the_present_value(
    portal: Portal, population: Population
) -> None:
    lengths: Counter[int] = Counter()
    for contact in population.contacts:
        record = portal.get("contacts", contact)
        count = 0
        for name in ("hs_lead_status", "lifecyclestage"):
            entries = record.entries(name)
            count += len(entries)
            assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
            assert (entries[-1].value if entries else None) == record.values.get(name)
            assert all(entry.at < portal.now_ms() for entry in entries)
        lengths[count] += 1
    assert set(lengths) == {3, 4, 5}


def test_contacts_come_in_the_order_of_creation_over_all_days(portal: Portal, population: Population) -> None:
    created = [portal.get("contacts", contact).created for contact in population.contacts]
    assert created == sorted(created)
    assert from_ms(created[0]) - population.since < timedelta(days=1)
    assert NOW - from_ms(created[-1]) < timedelta(days=1)


def test_a_tenth_is_untidy_and_the_rest_has_few_mails_and_deals(portal: Portal, population: Population) -> None:
    assert 0.08 < len(population.truth) / 3000 < 0.13
    assert set(population.counts) == {
        "mql_without_status",
        "outreach_but_new",
        "qualified_below_sql",
        "promoted_still_new",
        "converted_without_deal",
        "customer_attempting",
        "subscriber_new",
    }
    assert 0 < len(portal.tables["deals"].records) < 150
    assert 0 < len(portal.tables["emails"].records) < 700
    assert len(population.truth) + len(population.tidy) == 3000


@pytest.mark.parametrize(
    ("kind", "stage", "status"),
    [
        ("mql_without_status", "marketingqualifiedlead", None),
        ("outreach_but_new", "marketingqualifiedlead", "NEW"),
        ("qualified_below_sql", "marketingqualifiedlead", "QUALIFIED"),
        ("promoted_still_new", "salesqualifiedlead", "NEW"),
        ("converted_without_deal", "marketingqualifiedlead", "OPEN_DEAL"),
        ("customer_attempting", "customer", "ATTEMPTED_TO_CONTACT"),
        ("subscriber_new", "subscriber", "NEW"),
        ("open_deal", "opportunity", "OPEN_DEAL"),
    ],
)
def test_what_is_told_of_a_path_holds(
    portal: Portal, population: Population, kind: str, stage: str, status: str | None
) -> None:
    for contact in population.of(kind):
        values = portal.get("contacts", contact).values
        assert (values["lifecyclestage"], values.get("hs_lead_status")) == (stage, status)


def test_a_rep_wrote_to_those_who_are_new_although_contacted(portal: Portal, population: Population) -> None:
    for contact in population.of("outreach_but_new"):
        record = portal.get("contacts", contact)
        (mail,) = record.linked("emails")
        entered = max(record.entries(name)[-1].at for name in ("hs_lead_status", "lifecyclestage"))
        assert portal.get("emails", mail).created > entered


def test_a_mass_wants_an_empty_portal_and_somebody_in_it(portal: Portal, population: Population) -> None:
    with pytest.raises(ValueError, match="empty portal"):
        populate_flat(portal, 10)
    with pytest.raises(ValueError, match="at least one contact"):
        populate_flat(a_portal(), 0)
