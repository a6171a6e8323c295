"""Property definitions through the gateway: read whole, sent as read, nothing tried twice by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import responses

from hubsync.errors import PortalPermanentError, PortalTemporaryError, TokenRefused
from hubsync.portal.gateway import Gateway
from hubsync.portal.values import NewProperty
from hubsync.sandbox import Portal, Sandbox, acts
from hubsync.sandbox.http.limits import ALL_SCOPES
from tests.portal.conftest import URL

STATUS = f"{URL}/crm/v3/properties/contacts/hs_lead_status"
HOLD = NewProperty(
    "hubsync_hold",
    "Hands off",
    "bool",
    "booleancheckbox",
    "hubsync",
    "Leave alone.",
    (("true", "Yes"), ("false", "No")),
)


def a_definition(*options: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "hs_lead_status", "label": "Lead Status", "type": "enumeration", "options": list(options), **more}


@pytest.fixture
def portal() -> Portal:
    return Portal(seed=3)


@pytest.fixture
def box(portal: Portal) -> Iterator[Sandbox]:
    with Sandbox(portal, allowance=100_000, searches=1000) as running:
        yield running


@pytest.fixture(params=["v3", "2026-09"])
def real(request: pytest.FixtureRequest, box: Sandbox, make_gateway: Callable[..., Gateway]) -> Gateway:
    """A gateway on a sandbox, in both spellings of the API."""
    return make_gateway(box.url, lambda: box.token, api_version=request.param)


def test_a_property_is_created_in_its_group_read_and_archived(portal: Portal, real: Gateway) -> None:
    assert real.create_property_group("hubsync", "hubsync")
    assert "hubsync" in real.property_groups()
    assert real.create_property(HOLD)
    made = real.definition("hubsync_hold")
    assert made is not None
    assert (made.label, made.type, made.description) == ("Hands off", "bool", "Leave alone.")
    assert [(o["value"], o["label"]) for o in made.options] == [("true", "Yes"), ("false", "No")]
    contact = acts.create_contact(portal, {"hubsync_hold": "true"})
    assert portal.values("contacts", contact, "hubsync_hold") == {"hubsync_hold": "true"}
    assert real.archive_property("hubsync_hold")
    assert real.definition("hubsync_hold") is None


def test_what_is_there_already_is_told_and_no_error(real: Gateway) -> None:
    real.create_property_group("hubsync", "hubsync")
    real.create_property(HOLD)
    assert not real.create_property_group("hubsync", "another label")
    assert not real.create_property(HOLD)


def test_what_is_not_there_is_told_and_no_error(real: Gateway) -> None:
    assert real.definition("nope") is None
    assert not real.archive_property("nope")


def test_a_property_of_hubspots_own_is_not_archived(real: Gateway) -> None:
    with pytest.raises(PortalPermanentError, match="defined by HubSpot"):
        real.archive_property("hs_lead_status")


def test_options_are_replaced_whole(real: Gateway) -> None:
    now = real.definition("hs_lead_status")
    assert now is not None
    more = {"value": "X", "label": "Ex", "displayOrder": 99, "hidden": False, "description": ""}
    after = real.replace_options("hs_lead_status", (*now.options, more))
    assert after.options[:-1] == now.options
    assert after.options[-1]["value"] == "X"
    assert real.definition("hs_lead_status") == after


def test_records_with_a_value_are_counted_for_any_kind(portal: Portal, real: Gateway) -> None:
    contact = acts.create_contact(portal, {"lifecyclestage": "lead", "hs_lead_status": "NEW"})
    acts.create_contact(portal, {"lifecyclestage": "lead"})
    acts.create_deal(portal, contact)
    portal.clock.advance(timedelta(minutes=5))
    assert real.count_having("hs_lead_status", "NEW") == 1
    assert real.count_having("hs_lead_status") == 1
    assert real.count_having("pipeline", "default", "deals") == 1
    assert real.count_having("pipeline", "another", "deals") == 0


def test_a_token_that_may_define_lacks_nothing_and_nothing_is_created(portal: Portal, real: Gateway) -> None:
    before = set(portal.schemas.properties["contacts"])
    assert real.lacks_to_define() == ()
    assert set(portal.schemas.properties["contacts"]) == before


def test_the_scope_that_is_missing_for_defining_is_named(portal: Portal, make_gateway: Callable[..., Gateway]) -> None:
    with Sandbox(portal, scopes=set(ALL_SCOPES) - {"crm.schemas.contacts.write"}) as box:
        gateway = make_gateway(box.url, lambda: box.token)
        assert gateway.lacks_to_define() == ("crm.schemas.contacts.write",)
        with pytest.raises(TokenRefused):
            gateway.create_property(HOLD)


def test_a_token_that_is_none_is_refused_and_not_taken_for_a_missing_scope(
    box: Sandbox, make_gateway: Callable[..., Gateway]
) -> None:
    with pytest.raises(TokenRefused) as refused:
        make_gateway(box.url, lambda: "pat-na1-wrong").lacks_to_define()
    assert refused.value.status == 401


def test_a_403_that_names_no_scope_is_given_its_name(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.post(f"{URL}/crm/v3/properties/contacts/batch/create", json={"message": "no"}, status=403)
    assert gateway.lacks_to_define() == ("crm.schemas.contacts.write",)


def test_options_keep_every_field_that_hubspot_gave_them(wire: responses.RequestsMock, gateway: Gateway) -> None:
    odd = {"value": "NEW", "label": "New", "displayOrder": -1, "hidden": True, "doubleData": 0.5, "readOnly": True}
    wire.get(STATUS, json=a_definition(odd))
    sent = wire.patch(STATUS, json=a_definition(odd))
    now = gateway.definition("hs_lead_status")
    assert now is not None
    gateway.replace_options("hs_lead_status", now.options)
    assert json.loads(sent.calls[0].request.body or "") == {"options": [odd]}


def test_options_that_nobody_may_change_are_told(wire: responses.RequestsMock, gateway: Gateway) -> None:
    wire.get(STATUS, json=a_definition(modificationMetadata={"readOnlyOptions": True}))
    now = gateway.definition("hs_lead_status")
    assert now is not None
    assert now.fixed_options


@pytest.mark.parametrize("options", ["none", [{"label": "without a value"}], ["NEW"]])
def test_options_of_another_shape_are_no_answer(wire: responses.RequestsMock, gateway: Gateway, options: Any) -> None:
    wire.get(STATUS, json={**a_definition(), "options": options})
    with pytest.raises(PortalTemporaryError):
        gateway.definition("hs_lead_status")


def test_a_lost_answer_to_a_change_is_not_asked_for_again(wire: responses.RequestsMock, gateway: Gateway) -> None:
    sent = wire.patch(STATUS, status=502)
    with pytest.raises(PortalTemporaryError):
        gateway.replace_options("hs_lead_status", [])
    assert sent.call_count == 1


def test_a_change_that_hubspot_asked_to_slow_down_is_sent_again(wire: responses.RequestsMock, gateway: Gateway) -> None:
    slow = {"status": "error", "message": "You have reached your ten_secondly_rolling limit.", "policyName": "X"}
    wire.patch(STATUS, status=429, json=slow)
    wire.patch(STATUS, json=a_definition())
    assert gateway.replace_options("hs_lead_status", []).name == "hs_lead_status"
