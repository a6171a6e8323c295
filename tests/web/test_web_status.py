"""The status as read from a database, and the receiver with a real intake: what is acknowledged is in the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hubsync.service.buckets import EVERYTHING, HeldRule, hold, parked_for
from hubsync.service.health import Health
from hubsync.service.intake import Intake
from hubsync.service.poller import POLLED
from hubsync.service.status import Alert, Held, Parked, Poll, read_status
from hubsync.service.worker import UNREADABLE
from hubsync.store import Store, open_store
from tests.web.asking import NOW, PORTAL, Web, events


@pytest.fixture
def store(isolated: Path) -> Iterator[Store]:
    with open_store("sqlite:///status.db", base=isolated) as opened:
        opened.remember_portal(PORTAL, at=NOW)
        yield opened


def park(store: Store, contact: str, why: str) -> None:
    store.hint(PORTAL, [contact], NOW, "webhook")
    items = [item for item in store.take_work(PORTAL, NOW, 100) if item.contact == contact]
    store.parking.park(PORTAL, items, [], why)


def test_a_new_database_has_nothing_to_tell(store: Store) -> None:
    status = read_status(store, PORTAL, Health(), NOW, writes=False)
    assert (status.at, status.portal, status.writes, status.rules_digest) == (NOW, PORTAL, False, None)
    assert {poll.at for poll in status.polls} == {None}
    assert (status.due, status.due_since, status.parked_in_all) == (0, None, 0)
    assert (status.parked, status.held, status.runs, status.alerts, status.problems) == ((), (), (), (), {})


def test_the_status_is_what_database_and_health_hold(store: Store) -> None:
    health = Health()
    health.say("token", "HubSpot refused the token.")
    store.set_active_digest(PORTAL, "abc")
    store.set_cursor(PORTAL, f"{POLLED}deals", NOW.isoformat())
    run = store.start_run(PORTAL, "serve", {}, "abc", NOW)
    store.hint(PORTAL, ["1", "2"], NOW - timedelta(minutes=3), "webhook")
    store.hint(PORTAL, ["3"], NOW + timedelta(minutes=3), "webhook")
    alert = Alert(NOW, "The token was refused.")
    status = read_status(store, PORTAL, health, NOW, writes=True, rules_since=NOW, alerts=[alert])
    assert (status.writes, status.rules_digest, status.rules_since) == (True, "abc", NOW)
    assert status.problems == {"token": "HubSpot refused the token."}
    assert status.polls[-1] == Poll("deals", NOW)
    assert (status.due, status.due_since) == (2, NOW - timedelta(minutes=3))
    assert ([r.id for r in status.runs], status.alerts) == ([run], (alert,))


def test_what_waits_for_somebody_is_told_apart(store: Store) -> None:
    park(store, "11", f"{UNREADABLE}ValueError: no date")
    park(store, "12", parked_for("qualified"))
    park(store, "13", parked_for(EVERYTHING))
    hold(store, PORTAL, [HeldRule("qualified", NOW, 50, 50), HeldRule(EVERYTHING, NOW, 500, 500)])
    status = read_status(store, PORTAL, Health(), NOW, writes=True)
    assert status.parked == (Parked("11", "ValueError: no date", 1),)
    assert status.parked_in_all == 3
    assert status.held == (
        Held("qualified", NOW, 1, "hubsync guard release qualified"),
        Held(None, NOW, 1, "hubsync guard release all"),
    )


def test_the_page_shows_the_status_of_this_moment(store: Store) -> None:
    web = Web(status=lambda: read_status(store, PORTAL, Health(), NOW, writes=True))
    session = web.log_in()
    assert "Contacts to look at" in web.ask("GET", "/", headers=session).text
    store.hint(PORTAL, [str(n) for n in range(1, 1_235)], NOW, "webhook")
    assert "1,234" in web.ask("GET", "/", headers=session).text


def test_what_is_acknowledged_is_in_the_database(store: Store) -> None:
    web = Web()
    intake = Intake(store, PORTAL, lambda: NOW)
    web.intake.submit = intake.submit  # type: ignore[method-assign]
    intake.start()
    try:
        assert web.post(events(7, 8)).status == 200
        assert web.post(b'{"vid":4211}', "/webhooks/hubspot/workflow").status == 200
        assert [(w.contact, w.why) for w in store.take_work(PORTAL, NOW, 10)] == [
            ("4211", "workflow"),
            ("7", "webhook: creation"),
            ("8", "webhook: creation"),
        ]
        assert web.post(events(7, subscriptionType="contact.privacyDeletion")).status == 200
        assert [w.contact for w in store.take_work(PORTAL, NOW, 10)] == ["4211", "8"]
        assert store.buried(PORTAL, ["7"], NOW) == {"7"}
    finally:
        intake.stop()
    assert web.post(events(9)).status == 503
