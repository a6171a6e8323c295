"""The receiver before a sandbox portal's senders, over real HTTP: what happens in the portal comes in as hints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hubsync.sandbox import Portal, Sandbox, SandboxClock, acts
from hubsync.service.intake import Hint
from hubsync.web.events import ECHO
from hubsync.web.server import WebServer
from tests.web.asking import EVENTS, NOW, PUBLIC, WORKFLOW, Web


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A portal with one contact, number 62515 as the tests of the receiver have it."""
    with Sandbox(Portal(clock=SandboxClock(NOW, frozen=True), seed=7)) as running:
        yield running


@pytest.fixture
def site(box: Sandbox) -> Iterator[tuple[Web, str]]:
    """A web side that holds the portal's secret, by the machine's own clock, and its address."""
    web = Web(public_url=f"{PUBLIC}/crm", portal=box.portal.portal_id, secrets=lambda: (box.client_secret,))
    web.now = datetime.now(UTC)
    with WebServer(web.app, port=0) as server:
        yield web, server.url


def hints(web: Web) -> set[str]:
    return set(web.intake.items)


def counted(web: Web, answer: str) -> float:
    return web.metrics.registry.get_sample_value("hubsync_webhooks_total", {"answer": answer}) or 0.0


@pytest.mark.parametrize("form", ["legacy", "generic", "both"])
@pytest.mark.parametrize("signatures", [("v1",), ("v3",), ("v1", "v3")])
def test_everything_that_happens_to_a_contact_is_heard(
    box: Sandbox, site: tuple[Web, str], form: Any, signatures: tuple[str, ...]
) -> None:
    web, url = site
    portal = box.portal
    contact = acts.create_contact(portal, email="ada@example.com", lifecyclestage="lead")
    sender = box.subscribe(
        url + EVENTS, form=form, signatures=signatures, signed_as=f"{PUBLIC}/crm{EVENTS}", linger=0.0
    )
    steps: list[tuple[Callable[[], object], str | None]] = [
        (lambda: acts.person_sets(portal, contact, "hs_lead_status", "NEW"), contact),
        (lambda: acts.create_contact(portal, email="bea@example.com"), None),
        (lambda: acts.delete_contact(portal, contact), contact),
        (lambda: acts.restore_contact(portal, contact), contact),
        (lambda: acts.create_deal(portal, contact), contact),
    ]
    for act, item in steps:
        web.intake.hints.clear()
        made = act()
        assert sender.drain(10)
        assert (item or str(made)) in hints(web)
    if form != "legacy":
        acts.rep_sends_email(portal, contact, portal.directory.add_owner("rita@example.com", "Rita", "Rep").id)
        assert box.drain(10)
        assert any(item.startswith("emails:") for item in hints(web))
    assert counted(web, "refused") == 0


def test_merges_and_erasures_concern_everyone_in_them(box: Sandbox, site: tuple[Web, str]) -> None:
    web, url = site
    portal = box.portal
    ada, bea = (acts.create_contact(portal, email=f"{name}@example.com") for name in ("ada", "bea"))
    box.subscribe(url + EVENTS, signed_as=f"{PUBLIC}/crm{EVENTS}", linger=0.0)
    acts.merge_contacts(portal, ada, bea)
    assert box.drain(10)
    assert {ada, bea} <= hints(web)
    acts.privacy_delete(portal, ada)
    assert box.drain(10)
    assert web.intake.erased == [ada]


def test_our_own_write_comes_back_as_an_echo(box: Sandbox, site: tuple[Web, str]) -> None:
    web, url = site
    contact = acts.create_contact(box.portal, email="ada@example.com")
    box.subscribe(url + EVENTS, signed_as=f"{PUBLIC}/crm{EVENTS}", linger=0.0)
    acts.integration_sets(box.portal, contact, "hs_lead_status", "NEW", app_id=box.portal.app_id)
    assert box.drain(10)
    assert web.intake.hints == [Hint((contact,), "webhook: own write", ECHO)]
    acts.integration_sets(box.portal, contact, "hs_lead_status", "OPEN", app_id="77700")
    assert box.drain(10)
    assert web.intake.hints[1:] == [Hint((contact,), "webhook: propertyChange", timedelta(0))]


@pytest.mark.parametrize("how", [{"shape": "contact"}, {"shape": "free"}, {"method": "GET"}])
@pytest.mark.parametrize("signatures", [("v2",), ("v2", "v3")])
def test_a_workflow_is_heard_in_every_shape(
    box: Sandbox, site: tuple[Web, str], how: dict[str, Any], signatures: tuple[str, ...]
) -> None:
    web, url = site
    contact = acts.create_contact(box.portal, email="ada@example.com")
    box.subscribe_workflow(url + WORKFLOW, signed_as=f"{PUBLIC}/crm{WORKFLOW}", signatures=signatures, **how)
    acts.person_sets(box.portal, contact, "hs_lead_status", "NEW")
    assert box.drain(10)
    assert web.intake.hints == [Hint((contact,), "workflow")]


def test_a_failed_commit_is_tried_again_until_it_is_in(box: Sandbox, site: tuple[Web, str]) -> None:
    web, url = site
    web.intake.error = OSError("disk full")
    contact = acts.create_contact(box.portal, email="ada@example.com")
    box.subscribe(url + EVENTS, signed_as=f"{PUBLIC}/crm{EVENTS}", linger=0.0, retry_after=lambda _attempt: 3_600.0)
    acts.person_sets(box.portal, contact, "hs_lead_status", "NEW")
    end = time.monotonic() + 10
    while not counted(web, "uncommitted") and time.monotonic() < end:
        time.sleep(0.005)
    assert web.intake.hints == []
    web.intake.error = None
    end = time.monotonic() + 10
    while not box.drain(0.2, hurry=True):  # the retry may not wait yet when it is first hurried
        assert time.monotonic() < end
    assert hints(web) == {contact}
