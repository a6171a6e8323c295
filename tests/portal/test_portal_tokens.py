"""What the transport makes of tokens that are wrong, old, rotated, or may not do what they are asked to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import responses

from hubsync.errors import TokenRefused
from hubsync.portal.gateway import Gateway
from tests.portal.conftest import URL

ACCOUNT = f"{URL}/account-info/v3/details"
DETAILS = {"portalId": 4211, "timeZone": "Europe/Paris", "uiDomain": "app.hubspot.com", "companyCurrency": "EUR"}


def test_a_401_for_no_credentials_says_to_check_the_token(wire: responses.RequestsMock, gateway: Gateway) -> None:
    body = {"category": "INVALID_AUTHENTICATION", "message": "Authentication credentials not found."}
    wire.get(ACCOUNT, status=401, json=body)
    with pytest.raises(TokenRefused, match="not one that HubSpot knows") as caught:
        gateway.account()
    assert caught.value.status == 401
    assert gateway.calls == 1


def test_a_401_that_says_expired_in_1970_means_a_wrong_token(wire: responses.RequestsMock, gateway: Gateway) -> None:
    body: dict[str, Any] = {"category": "EXPIRED_AUTHENTICATION", "message": "expired 20705 day(s) ago"}
    wire.get(ACCOUNT, status=401, json=body | {"context": {"expire time": ["1970-01-01T00:00:00Z"]}})
    with pytest.raises(TokenRefused, match="copied whole"):
        gateway.account()


def test_a_401_for_an_old_token_says_that_it_expired(wire: responses.RequestsMock, gateway: Gateway) -> None:
    body: dict[str, Any] = {"category": "EXPIRED_AUTHENTICATION", "message": "expired 2 day(s) ago"}
    wire.get(ACCOUNT, status=401, json=body | {"context": {"expire time": ["2026-11-20T00:00:00Z"]}})
    with pytest.raises(TokenRefused, match="it has expired"):
        gateway.account()


def test_after_a_401_a_token_that_was_rotated_is_used(
    wire: responses.RequestsMock, make_gateway: Callable[..., Gateway]
) -> None:
    tokens = iter(["old", "new", "new"])
    wire.get(ACCOUNT, status=401, json={"category": "EXPIRED_AUTHENTICATION"})
    wire.get(ACCOUNT, json=DETAILS)
    assert make_gateway(token=lambda: next(tokens)).account().portal_id == 4211
    assert [call.request.headers["Authorization"] for call in wire.calls] == ["Bearer old", "Bearer new"]


def test_a_rotated_token_that_is_refused_too_is_not_tried_a_third_time(
    wire: responses.RequestsMock, make_gateway: Callable[..., Gateway]
) -> None:
    numbers = iter(range(100))
    wire.get(ACCOUNT, status=401, json={"category": "INVALID_AUTHENTICATION"})
    with pytest.raises(TokenRefused):
        make_gateway(token=lambda: f"token-{next(numbers)}").account()
    assert len(wire.calls) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [{"context": {"requiredGranularScopes": ["crm.objects.deals.read", "x.y"]}}]},
        {"context": {"requiredGranularScopes": ["crm.objects.deals.read", "x.y"]}},
    ],
    ids=["in errors", "at the top"],
)
def test_a_403_names_the_missing_scopes(wire: responses.RequestsMock, gateway: Gateway, body: dict[str, Any]) -> None:
    wire.get(f"{URL}/crm/v3/pipelines/deals", status=403, json={"category": "MISSING_SCOPES", **body})
    with pytest.raises(TokenRefused, match=r"crm\.objects\.deals\.read, x\.y") as caught:
        gateway.deal_pipelines()
    assert caught.value.scopes == ("crm.objects.deals.read", "x.y")
