"""The service put together, with its real threads, beside a portal whose clock runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from hubsync.portal.gateway import Gateway
from hubsync.service.health import Health
from hubsync.service.intake import Hint
from hubsync.service.metrics import Metrics
from hubsync.service.reload import Reload
from hubsync.service.service import Pulse, Service
from hubsync.sync.guard import Limits
from hubsync.sync.reconcile import Session, write
from hubsync.sync.scope import Scope
from tests.service.waiting import PATIENCE, eventually
from tests.sync.desk import SQL, STATUS, Desk

OFTEN = Pulse(timedelta(seconds=0.2), timedelta(seconds=90))
SELDOM = Pulse(timedelta(hours=1), timedelta(seconds=90))
Serve = Callable[..., Service]


@pytest.fixture
def serve(desk: Desk, tmp_path: Path) -> Iterator[Serve]:
    """`serve(pulse=OFTEN)`: a service that runs, stopped at the end. Its rules lie in `tmp_path / "rules"`."""
    desk.clock.thaw()
    desk.rebind(settle=timedelta(0))
    (tmp_path / "rules").mkdir()
    with ExitStack() as stack:

        def start(*, writes: bool = True, pulse: Pulse = OFTEN) -> Service:
            gateway = stack.enter_context(Gateway(desk.box.url, lambda: desk.box.token, now=desk.clock.now))

            def renew() -> Session:
                return Session(gateway, desk.bound(), desk.store, desk.clock.now, desk.effective_since)

            health = Health()
            reload = Reload(tmp_path / "rules", renew, health, renew())
            service = Service(desk.store, gateway, reload, health, Metrics(), writes=writes, pulse=pulse)
            service.start()
            stack.callback(service.stop)
            return service

        yield start


def test_a_hint_is_a_correction_within_seconds(desk: Desk, serve: Serve) -> None:
    service = serve(pulse=SELDOM)
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED")
    service.submit([Hint((contact,), "webhook")]).result(PATIENCE)
    assert eventually(lambda: desk.stage(contact) == SQL)
    service.stop()
    assert [(r.kind, r.state) for r in desk.store.runs(service.portal, 9)] == [("serve", "done")]
    assert desk.store.lease_holder(service.portal) is None


def test_without_any_event_the_poll_finds_what_changed(desk: Desk, serve: Serve) -> None:
    contact = desk.lead("CONNECTED")
    serve()
    desk.sets(contact, STATUS, "QUALIFIED")
    assert eventually(lambda: desk.stage(contact) == SQL)


def test_a_timer_falls_due_without_anything_happening(desk: Desk, serve: Serve) -> None:
    desk.rebind(settle=timedelta(minutes=2))
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED")
    service = serve(pulse=SELDOM)
    service.submit([Hint((contact,), "webhook")]).result(PATIENCE)
    assert eventually(lambda: bool(desk.store.looks(service.portal, [contact])))
    assert desk.stage(contact) == "lead"
    desk.clock.advance(timedelta(minutes=3))
    assert eventually(lambda: desk.stage(contact) == SQL)


def test_a_token_revoked_at_noon_is_said_and_the_new_one_goes_on_by_itself(desk: Desk, serve: Serve) -> None:
    service = serve()
    old = desk.box.token
    fresh = desk.box.rotate_token()
    desk.box.token = old
    assert eventually(lambda: "token" in service.health.problems())
    desk.box.token = fresh
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED")
    assert eventually(lambda: desk.stage(contact) == SQL)
    assert eventually(lambda: service.health.problems() == {})


def test_a_sync_gets_the_portal_from_it_and_it_goes_on_afterwards(desk: Desk, serve: Serve) -> None:
    service = serve(pulse=SELDOM)
    first, second = desk.lead("CONNECTED"), desk.lead("CONNECTED")
    desk.sets(first, STATUS, "QUALIFIED")
    outcome = write(desk.session(), desk.store, Scope(contacts=(first,)), Limits(share=1.0, at_least=9, tasks=9))
    assert (outcome.tally.contacts, desk.stage(first)) == (1, SQL)
    desk.sets(second, STATUS, "QUALIFIED")
    service.submit([Hint((second,), "webhook")]).result(PATIENCE)
    assert eventually(lambda: desk.stage(second) == SQL)
    assert eventually(lambda: service.health.problems() == {})
    assert sorted(w.id for w in desk.written("lifecyclestage")) == sorted([first, second])


def test_changed_rules_have_every_contact_looked_at_again(desk: Desk, serve: Serve, tmp_path: Path) -> None:
    contact = desk.lead("CONNECTED")
    service = serve(pulse=SELDOM)
    assert eventually(lambda: bool(desk.store.looks(service.portal, [contact])))
    before = desk.store.looks(service.portal, [contact])[contact].read_at
    time.sleep(0.01)
    (tmp_path / "rules" / "rollout.yaml").write_text("modes: {}\n")
    assert eventually(lambda: (desk.store.cursor(service.portal, "serve.listed") or "").endswith("again"))
    policy = service.reload.session.portal.policy
    service._listing.run(policy.properties, policy.digest, "rules")
    assert eventually(lambda: desk.store.looks(service.portal, [contact])[contact].read_at > before)


def test_it_stops_in_time_while_hubspot_keeps_it_waiting_and_the_next_one_goes_on(desk: Desk, serve: Serve) -> None:
    service = serve(pulse=SELDOM)
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED")
    desk.box.fail("slow", path="/contacts/batch/update", seconds=4.0, times=1)
    service.submit([Hint((contact,), "webhook")]).result(PATIENCE)
    assert eventually(lambda: desk.box.service.faults.struck == 1)
    began = time.monotonic()
    service.stop(within=3.5)
    assert time.monotonic() - began < 6
    assert eventually(lambda: not any(t.name.startswith("hubsync-worker") for t in threading.enumerate()))
    holder = desk.store.lease_holder(service.portal)
    if holder is not None:
        desk.store.release_lease(service.portal, holder.epoch)  # as if its time had run out
    desk.clock.advance(timedelta(minutes=4))
    serve()
    assert eventually(lambda: desk.stage(contact) == SQL)
    assert len(desk.written("lifecyclestage")) == 1
