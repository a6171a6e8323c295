"""The one internal of hubspot-api-client that hubsync leans on. If these fail it moved: see portal/transport.py."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import hubspot
import hubspot.crm.objects
import orjson
import responses

from hubsync.portal.transport import Transport
from tests.portal.conftest import TOKEN, URL


def test_the_sdk_is_of_the_major_version_that_the_hook_was_written_for() -> None:
    assert version("hubspot-api-client").startswith("12.")


def test_the_sdk_still_builds_its_calls_on_a_rest_client_that_can_be_replaced() -> None:
    seen: list[tuple[str, tuple[object, ...], dict[str, object]]] = []

    class Recorder:
        def __getattr__(self, verb: str) -> Any:
            return lambda *arguments, **named: seen.append((verb, arguments, named))

    def factory(package: Any, name: str, config: dict[str, object]) -> Any:
        from hubspot.discovery.discovery_base import DiscoveryBase

        api = DiscoveryBase._default_api_factory(package, name, config)
        assert hasattr(api.api_client, "rest_client")
        api.api_client.rest_client = Recorder()
        return api

    api = hubspot.Client(host=URL, retry=False, api_factory=factory).crm.objects.batch_api
    api.read("contacts", {"inputs": [{"id": "1"}]}, _preload_content=False, _request_timeout=(5, 30))
    [(verb, arguments, named)] = seen
    assert (verb, arguments) == ("POST", (f"{URL}/crm/v3/objects/contacts/batch/read",))
    assert named["body"] == {"inputs": [{"id": "1"}]}
    assert (named["_preload_content"], named["_request_timeout"]) == (False, (5, 30))


def test_every_api_that_is_used_sends_through_our_session(wire: responses.RequestsMock) -> None:
    transport = Transport(URL, lambda: TOKEN)
    for method, path in (
        ("GET", "/crm/v3/objects/contacts"),
        ("GET", "/crm/v3/owners"),
        ("GET", "/crm/v3/properties/contacts"),
        ("GET", "/crm/v3/pipelines/deals"),
        ("POST", "/crm/v3/objects/contacts/search"),
        ("POST", "/crm/v4/associations/contacts/deals/batch/read"),
        ("POST", "/crm/v3/objects/contacts/batch/read"),
    ):
        wire.add(method, URL + path, json={"ok": True})
    body = {"inputs": [{"id": "1"}]}
    raw = {"_preload_content": False}
    transport.basic.get_page("contacts", limit=100, **raw)
    transport.owners.get_page(archived=True, **raw)
    transport.properties.get_all("contacts", **raw)
    transport.pipelines.get_all("deals", **raw)
    transport.search.do_search("contacts", {"limit": 1}, **raw)
    transport.associations.get_page("contacts", "deals", body, **raw)
    answer = transport.batch.read("contacts", body, **raw)
    assert answer.body == {"ok": True}
    assert len(wire.calls) == 7
    last = wire.calls[6].request
    assert last.headers["Authorization"] == f"Bearer {TOKEN}"
    assert orjson.loads(last.body or b"") == body
    assert (wire.calls[1].request.url or "").endswith("?archived=true")
