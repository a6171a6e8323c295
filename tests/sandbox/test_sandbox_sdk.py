"""The real hubspot-api-client, unmodified, driven against the sandbox: what it sends must be understood."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hubspot
import pytest

from hubsync.sandbox import Portal, Sandbox, acts


@pytest.fixture
def client(box: Sandbox) -> Any:
    return hubspot.HubSpot(access_token=box.token, host=box.url, base_url=box.url, retry=False)


@pytest.fixture
def closing() -> Iterator[list[Any]]:
    """API objects whose connections are closed at the end."""
    held: list[Any] = []
    yield held
    for each in held:
        each.api_client.rest_client.pool_manager.clear()
        each.api_client.close()


def test_contacts_page_read_and_search(client: Any, closing: list[Any], portal: Portal, contact: str) -> None:
    portal.switches.search_lag = 0
    second = portal.create("contacts", {"email": "b@example.com", "hs_lead_status": "NEW"})
    basic = client.crm.contacts.basic_api
    search = client.crm.contacts.search_api
    closing += [basic, search]
    page = basic.get_page(limit=1, properties=["hs_lead_status", "email"], archived=False)
    assert (page.results[0].id, page.paging.next.after) == (contact, second)
    following = basic.get_page(
        limit=1, after=page.paging.next.after, properties_with_history=["hs_lead_status"], archived=False
    )
    assert following.results[0].properties_with_history["hs_lead_status"][0].value == "NEW"
    assert following.paging is None
    found = search.do_search(
        public_object_search_request={
            "filterGroups": [{"filters": [{"propertyName": "hs_lead_status", "operator": "EQ", "value": "NEW"}]}],
            "properties": ["email"],
            "limit": 200,
        }
    )
    assert (found.total, found.results[0].properties["email"]) == (1, "b@example.com")
    by_mail = basic.get_by_id("b@example.com", id_property="email")
    assert by_mail.id == second


def test_contacts_batch_read_and_update(client: Any, closing: list[Any], contact: str) -> None:
    batch = client.crm.contacts.batch_api
    closing.append(batch)
    updated = batch.update({"inputs": [{"id": contact, "properties": {"hs_lead_status": "OPEN"}}]})
    assert updated.results[0].properties["hs_lead_status"] == "OPEN"
    read = batch.read({"inputs": [{"id": contact}, {"id": "999"}], "properties": ["hs_lead_status"]})
    assert read.num_errors == 1
    assert read.errors[0].context["ids"] == ["999"]
    assert read.results[0].properties["hs_lead_status"] == "OPEN"
    with pytest.raises(Exception, match="INVALID_OPTION") as refused:
        batch.update({"inputs": [{"id": contact, "properties": {"hs_lead_status": "nonsense"}}]})
    assert getattr(refused.value, "status", None) == 400


def test_properties_owners_and_pipelines(client: Any, closing: list[Any], owner: str) -> None:
    core, owners, pipelines = (
        client.crm.properties.core_api,
        client.crm.owners.owners_api,
        client.crm.pipelines.pipelines_api,
    )
    closing += [core, owners, pipelines]
    status = core.get_by_name("contacts", "hs_lead_status")
    assert [option.value for option in status.options] == [
        "NEW",
        "OPEN",
        "IN_PROGRESS",
        "OPEN_DEAL",
        "UNQUALIFIED",
        "ATTEMPTED_TO_CONTACT",
        "CONNECTED",
        "BAD_TIMING",
    ]
    assert "lifecyclestage" in {prop.name for prop in core.get_all("contacts", archived=False).results}
    found = owners.get_page(limit=100, archived=False)
    assert [(each.id, each.teams[0].name) for each in found.results] == [(owner, "Sales")]
    stages = pipelines.get_all("deals").results[0].stages
    assert [(each.id, each.metadata["isClosed"]) for each in stages][-2:] == [
        ("closedwon", "true"),
        ("closedlost", "true"),
    ]


def test_associations_v4(client: Any, closing: list[Any], portal: Portal, contact: str, owner: str) -> None:
    email = acts.rep_sends_email(portal, contact, owner)
    batch, basic = client.crm.associations.v4.batch_api, client.crm.associations.v4.basic_api
    closing += [batch, basic]
    answer = batch.get_page("contacts", "emails", {"inputs": [{"id": contact}]})
    assert [str(each.to_object_id) for each in answer.results[0].to] == [email]
    side = basic.get_page("contacts", contact, "emails", limit=500)
    assert side.results[0].association_types[0].type_id == 197
    company = acts.create_company(portal, "Acme")
    basic.create_default("contacts", contact, "companies", company)
    assert portal.get("contacts", contact).linked("companies") == {company: (1, 279)}


def test_tasks_are_created_read_updated_and_archived(
    client: Any, closing: list[Any], portal: Portal, contact: str, owner: str
) -> None:
    batch, basic = client.crm.objects.tasks.batch_api, client.crm.objects.tasks.basic_api
    closing += [batch, basic]
    made = batch.create(
        {
            "inputs": [
                {
                    "objectWriteTraceId": "trace-1",
                    "properties": {
                        "hs_timestamp": "1772600400000",
                        "hs_task_subject": "Call Ada",
                        "hs_task_priority": "HIGH",
                        "hubspot_owner_id": owner,
                    },
                    "associations": [
                        {
                            "to": {"id": contact},
                            "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 204}],
                        }
                    ],
                }
            ]
        }
    )
    task = made.results[0].id
    assert portal.get("contacts", contact).linked("tasks") == {task: (203,)}
    read = basic.get_by_id(task, properties=["hs_timestamp", "hs_task_priority"])
    assert read.properties["hs_timestamp"] == "2026-03-04T05:00:00.000Z"
    basic.update(task, {"properties": {"hs_task_status": "COMPLETED"}})
    assert portal.values("tasks", task, "hs_task_status") == {"hs_task_status": "COMPLETED"}
    basic.archive(task)
    assert basic.get_page(limit=10, archived=True).results[0].id == task


def test_users_and_teams(client: Any, closing: list[Any], portal: Portal, owner: str) -> None:
    users, teams = client.settings.users.users_api, client.settings.users.teams_api
    closing += [users, teams]
    user = str(portal.directory.owners[owner].user_id)
    assert [each.id for each in users.get_page().results] == [user]
    assert [(each.name, each.user_ids) for each in teams.get_all().results] == [("Sales", [user])]
