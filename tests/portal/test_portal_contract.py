"""The gateway against the sandbox portal over real HTTP, in both spellings of the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hubsync.errors import PortalTemporaryError, TokenRefused
from hubsync.portal.gateway import Gateway
from hubsync.portal.values import NewTask, Update
from hubsync.sandbox import Portal, Sandbox, SandboxClock, acts

FIELDS = ["hs_lead_status", "lifecyclestage"]
STAGES = ["subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"]
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def portal() -> Portal:
    clock = SandboxClock(START)
    clock.freeze()
    return Portal(clock=clock)


@pytest.fixture
def box(portal: Portal) -> Iterator[Sandbox]:
    with Sandbox(portal, allowance=100_000, searches=1000) as running:
        yield running


@pytest.fixture(params=["v3", "2026-09"])
def gateway(request: pytest.FixtureRequest, box: Sandbox, make_gateway: Callable[..., Gateway]) -> Gateway:
    return make_gateway(box.url, lambda: box.token, api_version=request.param)


def an_owner(portal: Portal) -> str:
    return portal.directory.add_owner("rep@example.com", "Rep", "One", teams=(portal.directory.add_team("North"),)).id


def contacts(portal: Portal, number: int, **values: str) -> list[str]:
    return [
        acts.create_contact(portal, {"lifecyclestage": "lead", **values}, at=START - timedelta(days=2, minutes=n))
        for n in range(number, 0, -1)
    ]


def calls(gateway: Gateway, ending: str) -> int:
    return sum(call.count for call in gateway.calls_by_route if call.route.endswith(ending))


def test_the_portal_describes_itself(portal: Portal, gateway: Gateway) -> None:
    assert gateway.account().portal_id == portal.portal_id
    properties = gateway.properties()
    assert [option.value for option in properties["lifecyclestage"].options][:3] == STAGES[:3]
    assert [option.label for option in properties["hs_lead_status"].options][:2] == ["New", "Open"]
    assert properties["createdate"].read_only
    assert not properties["hs_lead_status"].read_only
    assert [s.id for s in gateway.deal_pipelines()[0].stages if s.closed] == ["closedwon", "closedlost"]
    assert [s.id for s in gateway.deal_pipelines()[0].stages if s.won] == ["closedwon"]


def test_the_portals_clock_is_followed_when_it_is_set(portal: Portal, gateway: Gateway) -> None:
    gateway.account()
    assert abs(datetime.now(UTC) + gateway.clock_offset - START) < timedelta(seconds=2)
    portal.clock.advance(timedelta(days=30))
    gateway.account()
    assert abs(datetime.now(UTC) + gateway.clock_offset - START - timedelta(days=30)) < timedelta(seconds=2)


def test_contacts_are_read_with_their_history_newest_first(portal: Portal, gateway: Gateway) -> None:
    [contact] = contacts(portal, 1, hs_lead_status="NEW")
    acts.person_sets(portal, contact, "hs_lead_status", "CONNECTED", at=START - timedelta(days=1))
    read = gateway.read_contacts([contact, "999999999"], FIELDS, FIELDS)
    assert read.missing == ("999999999",)
    found = read.found[contact]
    assert found.properties["hs_lead_status"] == "CONNECTED"
    assert found.history is not None
    assert [entry["value"] for entry in found.history["hs_lead_status"]] == ["CONNECTED", "NEW"]
    assert gateway.read_contacts([contact], FIELDS).found[contact].history is None


def test_batches_are_as_large_as_hubspot_takes_them(portal: Portal, gateway: Gateway) -> None:
    ids = contacts(portal, 101)
    assert set(gateway.read_contacts(ids, FIELDS).found) == set(ids)
    assert calls(gateway, "/batch/read") == 2
    assert set(gateway.read_contacts(ids, FIELDS, FIELDS).found) == set(ids)
    assert calls(gateway, "/batch/read") == 2 + 3


def test_merged_contacts_are_found_under_the_id_that_was_asked_for(portal: Portal, gateway: Gateway) -> None:
    one, two, three, four = contacts(portal, 4)
    acts.merge_contacts(portal, one, two)
    acts.merge_contacts(portal, three, four)
    alone = gateway.read_contacts([two], FIELDS)
    assert alone.found[two].id == one
    assert calls(gateway, "/{id}") == 0
    both = gateway.read_contacts([one, two, three, four], FIELDS, FIELDS)
    assert {asked: contact.id for asked, contact in both.found.items()} == {
        one: one,
        two: one,
        three: three,
        four: three,
    }
    assert both.missing == ()


def test_owners_come_with_their_teams_and_the_deactivated_ones_too(portal: Portal, gateway: Gateway) -> None:
    active = an_owner(portal)
    gone = portal.directory.add_owner("gone@example.com", "Gone", "Two", archived=True)
    one, two = gateway.owners()
    assert (one.id, one.email, one.archived) == (active, "rep@example.com", False)
    assert [(team.name, team.primary) for team in one.teams] == [("North", True)]
    assert (two.id, two.archived, two.user_id) == (gone.id, True, str(gone.user_id))


def test_deals_come_with_stages_newest_first_and_contacts_without_any_are_told(
    portal: Portal, gateway: Gateway
) -> None:
    one, two = contacts(portal, 2)
    deal = acts.create_deal(portal, one, amount=500, at=START - timedelta(days=1))
    acts.lose_deal(portal, deal, "too dear", at=START - timedelta(hours=1))
    found = gateway.deals_of([one, two])
    assert found[two] == ()
    [lost] = found[one]
    assert (lost.id, lost.pipeline, lost.properties["closed_lost_reason"]) == (deal, "default", "too dear")
    assert [visit.stage for visit in lost.stage_history] == ["closedlost", "appointmentscheduled"]
    assert lost.stage_history[0].at == START - timedelta(hours=1)
    assert gateway.contacts_of("deals", [deal]) == {deal: (one,)}


def test_engagements_of_all_kinds_come_oldest_first(portal: Portal, gateway: Gateway) -> None:
    one, two = contacts(portal, 2)
    owner = an_owner(portal)
    acts.rep_sends_email(portal, one, owner, subject="Hi", at=START - timedelta(hours=9))
    acts.rep_calls(portal, one, owner, at=START - timedelta(hours=8))
    acts.rep_messages(portal, one, owner, at=START - timedelta(hours=7))
    acts.lead_replies(portal, one, at=START - timedelta(hours=6))
    found = gateway.engagements_of([one, two])
    assert found[two] == ()
    assert [e.kind for e in found[one]] == ["emails", "calls", "communications", "emails"]
    assert [e.properties.get("hs_email_direction") for e in found[one] if e.kind == "emails"] == [
        "EMAIL",
        "INCOMING_EMAIL",
    ]
    assert found[one][0].properties["hubspot_owner_id"] == owner
    assert [e.kind for e in gateway.engagements_of([one], ["calls"])[one]] == ["calls"]


def test_more_associations_than_a_page_are_all_read(portal: Portal, gateway: Gateway) -> None:
    [contact] = contacts(portal, 1)
    for minute in range(501):
        acts.rep_calls(portal, contact, None, at=START - timedelta(days=1) + timedelta(minutes=minute))
    assert len(gateway.engagements_of([contact], ["calls"])[contact]) == 501


def test_what_changed_since_is_told_oldest_first(portal: Portal, gateway: Gateway) -> None:
    ids = contacts(portal, 5)
    portal.clock.advance(timedelta(hours=1))
    for id_ in reversed(ids[:3]):
        acts.person_sets(portal, id_, "hs_lead_status", "OPEN")
        portal.clock.advance(timedelta(seconds=1))
    portal.clock.advance(timedelta(minutes=1))
    pages = list(gateway.modified_since(START + timedelta(minutes=30)))
    assert [id_ for page in pages for id_ in page] == ids[2::-1]
    assert gateway.count_contacts() == 5


def test_more_contacts_that_changed_in_one_millisecond_than_a_page_are_all_told(
    portal: Portal, gateway: Gateway
) -> None:
    ids = contacts(portal, 450)
    portal.clock.advance(timedelta(hours=1))
    for id_ in ids:
        acts.import_sets(portal, id_, "hs_lead_status", "OPEN")
    portal.clock.advance(timedelta(seconds=1))
    acts.person_sets(portal, ids[7], "hs_lead_status", "NEW")
    portal.clock.advance(timedelta(minutes=1))
    told = [id_ for page in gateway.modified_since(START + timedelta(minutes=30)) for id_ in page]
    assert sorted(told) == sorted(ids)


def test_engagements_that_changed_lead_to_their_contacts(portal: Portal, gateway: Gateway) -> None:
    one, _ = contacts(portal, 2)
    call = acts.rep_calls(portal, one, None)
    portal.clock.advance(timedelta(minutes=1))
    [page] = gateway.modified_since(START - timedelta(minutes=1), "calls")
    assert gateway.contacts_of("calls", page) == {call: (one,)}


def test_contacts_with_a_value_are_counted(portal: Portal, gateway: Gateway) -> None:
    contacts(portal, 3, hs_lead_status="OPEN")
    contacts(portal, 2, hs_lead_status="NEW")
    portal.clock.advance(timedelta(minutes=1))
    assert gateway.count_having("hs_lead_status", "OPEN") == 3


def test_updates_land_and_say_so(portal: Portal, gateway: Gateway) -> None:
    one, two = contacts(portal, 2)
    updates = [
        Update(one, {"hs_lead_status": "NEW"}, "t1"),
        Update(two, {"hs_lead_status": "OPEN", "lifecyclestage": "marketingqualifiedlead"}, "t2"),
    ]
    outcomes = gateway.update_contacts(updates, STAGES)
    assert [(o.id, o.trace, o.state) for o in outcomes] == [(one, "t1", "applied"), (two, "t2", "applied")]
    assert outcomes[1].values == {"hs_lead_status": "OPEN", "lifecyclestage": "marketingqualifiedlead"}
    assert outcomes[0].updated_at == START
    assert portal.values("contacts", one, "hs_lead_status") == {"hs_lead_status": "NEW"}


def test_an_empty_text_clears_a_property(portal: Portal, gateway: Gateway) -> None:
    [one] = contacts(portal, 1, hs_lead_status="NEW")
    [outcome] = gateway.update_contacts([Update(one, {"hs_lead_status": ""}, "t")])
    assert outcome.state == "applied"
    assert not portal.values("contacts", one, "hs_lead_status")["hs_lead_status"]


def test_a_stage_that_stays_is_not_applied_and_a_later_one_is_satisfied(portal: Portal, gateway: Gateway) -> None:
    one, two = contacts(portal, 2)
    acts.person_sets(portal, one, "lifecyclestage", "opportunity")
    updates = [Update(one, {"lifecyclestage": "lead"}, "t1"), Update(two, {"lifecyclestage": "customer"}, "t2")]
    assert [o.state for o in gateway.update_contacts(updates)] == ["not_applied", "applied"]
    later = gateway.update_contacts([Update(one, {"lifecyclestage": "salesqualifiedlead"}, "t3")], STAGES)
    assert (later[0].state, later[0].values) == ("applied", {"lifecyclestage": "opportunity"})


def test_of_a_hundred_updates_one_invalid_value_leaves_ninety_nine(portal: Portal, gateway: Gateway) -> None:
    ids = contacts(portal, 100)
    values = ["NO_SUCH" if number == 41 else "NEW" for number in range(100)]
    updates = [Update(id_, {"hs_lead_status": v}, f"t{id_}") for id_, v in zip(ids, values, strict=True)]
    outcomes = gateway.update_contacts(updates)
    assert [o.state for o in outcomes].count("applied") == 99
    assert outcomes[41].state == "refused"
    assert "NO_SUCH was not one of the allowed options" in outcomes[41].answer
    assert calls(gateway, "/batch/update") == 1


def test_deleted_and_merged_contacts_are_gone_and_the_rest_lands(portal: Portal, gateway: Gateway) -> None:
    one, two, three, four = contacts(portal, 4)
    acts.delete_contact(portal, two)
    acts.merge_contacts(portal, three, four)
    outcomes = gateway.update_contacts([Update(i, {"hs_lead_status": "NEW"}, i) for i in (one, two, three, four)])
    assert [o.state for o in outcomes] == ["applied", "gone", "applied", "gone"]


def test_a_contact_named_twice_is_written_twice_in_order(portal: Portal, gateway: Gateway) -> None:
    [one] = contacts(portal, 1)
    outcomes = gateway.update_contacts(
        [Update(one, {"lifecyclestage": ""}, "t1"), Update(one, {"lifecyclestage": "subscriber"}, "t2")]
    )
    assert [o.state for o in outcomes] == ["applied", "applied"]
    assert portal.values("contacts", one, "lifecyclestage") == {"lifecyclestage": "subscriber"}


def test_an_update_whose_answer_was_lost_is_written_again(box: Sandbox, portal: Portal, gateway: Gateway) -> None:
    [one] = contacts(portal, 1)
    box.fail("drop_after", path="/batch/update", times=1)
    [outcome] = gateway.update_contacts([Update(one, {"hs_lead_status": "NEW"}, "t")])
    assert outcome.state == "applied"
    assert calls(gateway, "/batch/update") == 2


def test_an_update_that_never_gets_an_answer_is_uncertain(box: Sandbox, portal: Portal, gateway: Gateway) -> None:
    [one] = contacts(portal, 1)
    box.fail("error_html", path="/batch/update", status=502)
    [outcome] = gateway.update_contacts([Update(one, {"hs_lead_status": "NEW"}, "t")])
    assert outcome.state == "uncertain"


def a_task(contact: str, trace: str, **more: Any) -> NewTask:
    return NewTask(contact, f"Call {trace}", "Ref abc", more.pop("owner_id", None), START, trace, **more)


def test_tasks_are_created_read_back_and_deleted(portal: Portal, gateway: Gateway) -> None:
    one, two = contacts(portal, 2)
    owner = an_owner(portal)
    made = gateway.create_tasks([a_task(one, "a", owner_id=owner, priority="HIGH", type="CALL"), a_task(two, "b")])
    assert [(m.trace, m.state) for m in made] == [("a", "created"), ("b", "created")]
    found = gateway.tasks_of([one, two])
    [task] = found[one]
    assert (task.id, task.subject, task.body, task.owner_id) == (made[0].task_id, "Call a", "Ref abc", owner)
    assert (task.due, task.priority, task.type, task.status) == (START, "HIGH", "CALL", "NOT_STARTED")
    assert (task.source, task.source_id) == ("INTEGRATION", portal.app_source.id)
    assert found[two][0].owner_id is None
    ids = [m.task_id for m in made if m.task_id]
    assert gateway.delete_tasks(ids) == dict.fromkeys(ids, "deleted")
    assert gateway.read_tasks(ids) == {}
    assert gateway.tasks_of([one]) == {one: ()}


def test_a_task_for_a_contact_that_is_gone_is_refused_and_the_others_are_created(
    portal: Portal, gateway: Gateway
) -> None:
    one, two = contacts(portal, 2)
    acts.delete_contact(portal, two)
    made = gateway.create_tasks([a_task(one, "a"), a_task(two, "b")])
    assert [m.state for m in made] == ["created", "refused"]
    assert two in made[1].answer


@pytest.mark.parametrize("kind", ["drop_after", "error_after", "drop_before", "html_ok", "truncated"])
def test_a_create_without_an_answer_is_uncertain_and_not_sent_again(
    box: Sandbox, portal: Portal, gateway: Gateway, kind: str
) -> None:
    [one] = contacts(portal, 1)
    box.fail(kind, path="/tasks/batch/create")
    [made] = gateway.create_tasks([a_task(one, "a")])
    assert made.state == "uncertain"
    assert calls(gateway, "/batch/create") == 1


def test_a_create_that_was_told_to_slow_down_is_sent_again(box: Sandbox, portal: Portal, gateway: Gateway) -> None:
    [one] = contacts(portal, 1)
    box.fail("rate_limited", path="/tasks/batch/create", times=2)
    [made] = gateway.create_tasks([a_task(one, "a")])
    assert made.state == "created"
    assert len(gateway.tasks_of([one])[one]) == 1


def test_missing_scopes_are_named_and_the_others_are_there(box: Sandbox, make_gateway: Callable[..., Gateway]) -> None:
    token = box.add_token("reader", allowance=1000, scopes=["crm.objects.contacts.read", "crm.objects.owners.read"])
    checks = {check.scope: check.present for check in make_gateway(box.url, lambda: token).scopes()}
    assert checks == {
        "crm.objects.contacts.read": True,
        "crm.objects.contacts.write": False,
        "crm.schemas.contacts.read": True,
        "crm.objects.deals.read": False,
        "sales-email-read": False,
        "crm.objects.owners.read": True,
    }


def test_a_wrong_token_is_refused_in_words_that_say_what_to_do(
    box: Sandbox, make_gateway: Callable[..., Gateway]
) -> None:
    with pytest.raises(TokenRefused, match="Check that the access token was copied whole"):
        make_gateway(box.url, lambda: "pat-na1-wrong").account()


def test_a_small_portal_is_listed_with_one_call(portal: Portal, gateway: Gateway) -> None:
    ids = contacts(portal, 60)
    assert sorted(c.id for page in gateway.all_contacts(FIELDS) for c in page) == sorted(ids)
    assert gateway.calls == 1


def test_a_full_page_without_a_next_one_is_checked_by_counting(portal: Portal, gateway: Gateway) -> None:
    contacts(portal, 100)
    assert sum(len(page) for page in gateway.all_contacts(FIELDS)) == 100
    assert gateway.calls == 2


@pytest.mark.parametrize("kind", ["truncated", "shortened", "html_ok", "drop_before", "error_json", "rate_limited"])
def test_a_list_page_that_fails_once_is_read_again(box: Sandbox, portal: Portal, gateway: Gateway, kind: str) -> None:
    ids = contacts(portal, 250)
    box.fail(kind, path="/contacts", skip=1, times=1)
    read = [c for page in gateway.all_contacts(FIELDS, FIELDS) for c in page]
    assert sorted(c.id for c in read) == sorted(ids)
    assert all(c.history and c.history["lifecyclestage"] for c in read)


def test_a_list_that_cannot_be_read_ends_in_an_error(box: Sandbox, portal: Portal, gateway: Gateway) -> None:
    contacts(portal, 250)
    box.fail("error_json", path="/contacts", skip=2)
    with pytest.raises(PortalTemporaryError, match=r"\(503\)"):
        list(gateway.all_contacts(FIELDS))
