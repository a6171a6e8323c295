"""Alerts: told once, told to be over, at the right hour and to the right people; and never in anybody's way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from hubsync.errors import StoreError
from hubsync.policy.pacing import Pace
from hubsync.portal.notifying import NotDelivered
from hubsync.service import audience as audience_module
from hubsync.service.alerts import AGAIN_AFTER, COOL_DOWN, GRACE, KEPT, ROOM, Alerts, Memory
from hubsync.service.audience import Audience, try_ways
from hubsync.service.health import Health
from hubsync.service.mail import Mailbox, server_of
from tests.sync.desk import NOW, rules

MONDAY_TEN = NOW
"""Ten in the morning in New York, four in the afternoon in Paris."""


class Room:
    """Alerts with a clock one can move and a webhook that only notes; `fails` is how often the next posts fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = MONDAY_TEN
        self.heard: list[tuple[str, str]] = []
        self.failing = False
        self.outcomes: list[str] = []
        monkeypatch.setattr(audience_module, "post_text", self._post)
        self.alerts = self.started()
        self.alerts.use(Audience("general"), "hubsync, portal 62515")

    def started(self) -> Alerts:
        """Alerts as a start of the service makes them."""
        self.alerts = Alerts(lambda: self.at, self.outcomes.append, lambda _seconds: False)
        return self.alerts

    def _post(self, address: str, text: str) -> None:
        if self.failing:
            raise NotDelivered("The webhook answered 500.", again=True)
        self.heard.append((address, text))

    def later(self, **time: float) -> list[str]:
        """So much later, what has been told by then."""
        self.at += timedelta(**time)
        return self.told()

    def told(self) -> list[str]:
        """What was told since this was last asked."""
        self.alerts.send_due()
        texts = [text.removeprefix("hubsync, portal 62515: ") for _, text in self.heard]
        self.heard.clear()
        return texts


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    return Room(monkeypatch)


def pace(zone: str = "America/New_York", owner_teams: Mapping[str, tuple[str, ...]] | None = None) -> Pace:
    """The shipped working hours, nine to half past five."""
    return rules().pace(zone, owner_teams or {})


# What is told, and how often


def test_a_problem_is_told_once_and_told_to_be_over(room: Room) -> None:
    health = Health(room.alerts.on_change)
    health.say("token", "HubSpot refused the token.")
    health.say("token", "HubSpot refused the token.")
    assert room.told() == ["HubSpot refused the token."]
    assert room.later(hours=9) == []
    health.clear("token")
    health.clear("token")
    assert room.told() == ["It is well again: token. It was: HubSpot refused the token."]
    assert room.later(days=2) == []


def test_what_is_over_before_anybody_was_told_is_not_told(room: Room) -> None:
    room.alerts.say("token", "HubSpot refused the token.")
    room.alerts.clear("token")
    assert room.later(days=1) == []


def test_what_comes_back_within_four_hours_is_told_after_them_if_it_still_stands(room: Room) -> None:
    room.alerts.say("poll", "HubSpot could not be asked.")
    assert len(room.told()) == 1
    room.alerts.clear("poll")
    assert len(room.told()) == 1
    room.alerts.say("poll", "HubSpot could not be asked.")
    assert room.later(hours=3, minutes=59) == []
    assert room.later(minutes=2) == ["HubSpot could not be asked."]


def test_what_comes_and_goes_within_four_hours_says_no_more(room: Room) -> None:
    room.alerts.say("poll", "HubSpot could not be asked.")
    room.told()
    for _ in range(20):
        room.alerts.clear("poll")
        room.alerts.say("poll", "HubSpot could not be asked.")
        room.later(minutes=5)
    room.alerts.clear("poll")
    assert room.later(hours=5) == ["It is well again: poll. It was: HubSpot could not be asked."]


def test_a_problem_that_says_something_new_is_told_as_it_stands_four_hours_later(room: Room) -> None:
    for number in range(1, 4):
        room.alerts.say("parked", f"{number} contacts could not be looked at.")
        assert room.told() == (["1 contacts could not be looked at."] if number == 1 else [])
    assert room.later(hours=4) == ["3 contacts could not be looked at."]


def test_several_problems_are_each_told(room: Room) -> None:
    room.alerts.say("poll", "No poll.")
    room.alerts.say("held a", "Rule a is held.")
    assert sorted(room.told()) == ["No poll.", "Rule a is held."]


def test_of_a_kind_that_stands_each_is_told_and_what_is_gone_is_over(room: Room) -> None:
    room.alerts.standing("overruled", {"a": "Rule a only proposes.", "b": "Rule b only proposes."})
    assert sorted(room.told()) == ["Rule a only proposes.", "Rule b only proposes."]
    room.alerts.standing("overruled", {"b": "Rule b only proposes."})
    assert room.told() == ["It is well again: overruled a. It was: Rule a only proposes."]


def test_a_text_holds_neither_token_nor_mail_address(room: Room) -> None:
    room.alerts.say("token", "refused pat-na1-11111111-2222-3333-4444-555555555555 of ana@example.com")
    assert room.told() == ["refused [token] of [email]"]


# Who is told, and when


def test_what_is_a_teams_business_goes_to_its_own_webhook_in_its_hours(room: Room) -> None:
    everybody = pace("Europe/Paris")
    room.alerts.use(Audience("general", teams={"Paris": "paris"}, pace=everybody), "hubsync, portal 62515")
    room.at = datetime(2026, 3, 6, 17, tzinfo=UTC)  # Friday, six in the evening in Paris
    room.alerts.say("sla", "Three leads wait.", team="paris")
    room.alerts.say("token", "HubSpot refused the token.")
    room.alerts.send_due()
    assert room.heard == [("general", "hubsync, portal 62515: HubSpot refused the token.")]
    room.heard.clear()
    pause = room.alerts.send_due()
    assert pause == timedelta(days=2, hours=15)
    room.at += pause
    room.alerts.send_due()
    assert room.heard == [("paris", "hubsync, portal 62515: Three leads wait.")]


def test_a_team_that_keeps_other_hours_is_told_in_those() -> None:
    plain = pace()
    berlin = pace("Europe/Berlin").calendars.general
    everybody = replace(plain, calendars=replace(plain.calendars, teams={"Berlin": berlin}))
    told = Audience("general", pace=everybody)
    early = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
    assert told.opening("berlin", None, early) == early
    assert told.opening("Paris", None, early) == datetime(2026, 3, 2, 14, tzinfo=UTC)
    assert told.opening(None, None, early) == early


def test_what_is_an_owners_business_goes_to_the_first_of_their_teams_that_has_a_webhook(room: Room) -> None:
    everybody = pace(owner_teams={"11": ("North", "Paris"), "12": ("North",)})
    room.alerts.use(Audience("general", teams={"Paris": "paris"}, pace=everybody), "")
    room.alerts.say("a", "A lead waits.", owner="11")
    room.alerts.say("b", "A lead waits.", owner="12")
    room.alerts.send_due()
    assert sorted(address for address, _ in room.heard) == ["general", "paris"]


def test_with_nobody_to_tell_what_stands_waits_until_there_is_somebody(room: Room) -> None:
    room.alerts.use(Audience())
    room.alerts.say("poll", "No poll.")
    assert room.alerts.send_due() is None
    assert room.alerts.latest == ()
    room.alerts.use(Audience("general"), "hubsync, portal 62515")
    assert room.told() == ["No poll."]


def test_what_is_said_before_anybody_is_known_is_told_once_they_are(room: Room) -> None:
    alerts = room.started()
    alerts.say("rules", "The rules can't be used.")
    assert alerts.send_due() is None
    alerts.use(Audience("general"), "hubsync, portal 62515")
    assert room.told() == ["The rules can't be used."]


# When it can't be sent


def test_what_reached_nobody_is_tried_again_ten_minutes_later(room: Room) -> None:
    room.failing = True
    room.alerts.say("poll", "No poll.")
    assert room.told() == []
    assert room.outcomes == ["failed"]
    room.failing = False
    assert room.later(minutes=9) == []
    assert room.later(minutes=1) == ["No poll."]
    assert room.outcomes == ["failed", "sent"]


def test_a_change_that_reached_nobody_does_not_hammer_the_webhook(room: Room) -> None:
    room.alerts.say("parked", "1 contact.")
    room.told()
    room.at += COOL_DOWN
    room.failing = True
    room.alerts.say("parked", "2 contacts.")
    assert (room.told(), room.alerts.send_due()) == ([], AGAIN_AFTER)
    assert room.outcomes == ["sent", "failed"]


def test_each_way_is_tried_three_times_with_growing_pauses() -> None:
    calls: list[str] = []
    slept: list[float] = []

    def fails() -> None:
        calls.append("webhook")
        raise NotDelivered("no", again=True)

    def refuses() -> None:
        calls.append("e-mail")
        raise NotDelivered("never", again=False)

    def note(seconds: float) -> bool:
        slept.append(seconds)
        return True

    outcomes = try_ways({"webhook": fails, "e-mail": refuses}, note)
    assert calls == ["webhook", "e-mail", "webhook", "webhook"]
    assert slept == [2.0, 10.0]
    assert {way: str(failure) for way, failure in outcomes.items()} == {"webhook": "no", "e-mail": "never"}


def test_one_way_suffices(room: Room) -> None:
    mailbox = Mailbox(server_of("smtp://127.0.0.1:1"), "h@example.com", ("ops@example.com",))
    room.alerts.use(Audience("general", mailbox), "hubsync, portal 62515")
    room.alerts.say("poll", "No poll.")
    with capture_logs() as logs:
        assert room.told() == ["No poll."]
    assert room.outcomes == ["sent", "failed"]
    assert [(line["event"], line.get("way")) for line in logs] == [
        ("alert.undelivered", "e-mail"),
        ("alert.sent", None),
    ]
    assert room.later(hours=3) == []


def test_more_problems_than_anybody_reads_are_not_all_kept(room: Room) -> None:
    for number in range(ROOM + 5):
        room.alerts.say(f"problem {number}", "Something.")
    assert len(room.told()) == ROOM
    assert len(room.alerts.latest) == KEPT


# What is remembered


def memory() -> tuple[Memory, dict[str, str]]:
    kept: dict[str, str] = {}
    return Memory(lambda: kept.get("told"), lambda text: kept.__setitem__("told", text)), kept


def restarted(room: Room, kept: Memory) -> None:
    room.started().recall(kept)
    room.alerts.use(Audience("general"), "hubsync, portal 62515")


def test_after_a_restart_what_was_told_is_not_told_again_and_its_end_is(room: Room) -> None:
    kept, _ = memory()
    room.alerts.recall(kept)
    room.alerts.say("token", "HubSpot refused the token.")
    room.told()
    restarted(room, kept)
    assert [alert.says for alert in room.alerts.latest] == ["hubsync, portal 62515: HubSpot refused the token."]
    room.alerts.say("token", "HubSpot refused the token.")
    assert room.later(hours=5) == []
    room.alerts.clear("token")
    assert room.told() == ["It is well again: token. It was: HubSpot refused the token."]


def test_what_is_not_said_again_within_ten_minutes_of_a_start_is_over(room: Room) -> None:
    kept, _ = memory()
    room.alerts.recall(kept)
    room.alerts.say("token", "HubSpot refused the token.")
    room.told()
    restarted(room, kept)
    assert room.later(minutes=9) == []
    assert room.later(seconds=GRACE.total_seconds()) == ["It is well again: token. It was: HubSpot refused the token."]


@pytest.mark.parametrize("text", ["", "{", "no json"])
def test_a_memory_that_can_not_be_read_is_no_memory(room: Room, text: str) -> None:
    restarted(room, Memory(lambda: text, lambda _text: None))
    room.alerts.say("poll", "No poll.")
    assert room.told() == ["No poll."]


def test_a_database_that_does_not_work_keeps_no_alert_from_being_sent(room: Room) -> None:
    def refuse(*_text: str) -> Any:
        raise StoreError("The database is full.")

    restarted(room, Memory(refuse, refuse))
    room.alerts.say("database", "The database is full.")
    assert room.told() == ["The database is full."]


def test_no_address_is_in_a_repr_or_a_log(room: Room) -> None:
    mailbox = Mailbox(server_of("smtp://u:s3cret@127.0.0.1:1"), "h@example.com", ("ops@example.com",))
    told = Audience("https://hooks.example.com/s3cret", mailbox, {"Paris": "https://s3cret.example.com"})
    assert "s3cret" not in repr(told)
    room.failing = True
    room.alerts.use(told)
    with capture_logs() as logs:
        room.alerts.say("poll", "No poll.")
        room.told()
    assert len(logs) == 2
    assert "s3cret" not in repr(logs)


# Health


def test_problems_are_logged_as_they_begin_change_and_end() -> None:
    health = Health()
    with capture_logs() as logs:
        health.say("poll", "No poll, 3 times.")
        health.say("poll", "No poll, 3 times.")
        health.say("poll", "No poll, 4 times.")
        health.clear("poll")
        health.clear("poll")
    assert [(line["event"], line["problem"]) for line in logs] == [
        ("problem.began", "poll"),
        ("problem.changed", "poll"),
        ("problem.ended", "poll"),
    ]
