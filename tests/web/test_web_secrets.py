"""Client secrets: rotated, missing, unreadable, one for each app."""

from __future__ import annotations

import pytest

from hubsync.errors import SettingsError
from hubsync.web.clientsecrets import PROBLEM
from tests.web.asking import EVENTS, SECRET, V1, WORKFLOW, Web, refused, v2


@pytest.fixture
def web() -> Web:
    return Web()


def test_a_rotated_secret_is_picked_up_by_the_first_signature_made_with_it(web: Web) -> None:
    web.secrets = ("the-new-one", SECRET)
    web.pass_time(seconds=1)
    headers = web.v3("POST", EVENTS, b"[]", secret="the-new-one")
    assert web.ask("POST", EVENTS, b"[]", headers).status == 200
    assert web.post(b"[]").status == 200


def test_secrets_are_read_again_at_most_once_a_second() -> None:
    reads: list[int] = []

    def read() -> tuple[str, ...]:
        reads.append(1)
        return (SECRET,)

    web = Web(secrets=read)
    web.pass_time(seconds=1)
    for _ in range(20):
        refused(web, web.v3("POST", EVENTS, b"[]", secret="guessed"))
    assert len(reads) == 2
    web.pass_time(seconds=1)
    refused(web, web.v3("POST", EVENTS, b"[]", secret="guessed"))
    assert len(reads) == 3


def test_while_the_secrets_can_not_be_read_the_former_ones_hold() -> None:
    broken = False

    def read() -> tuple[str, ...]:
        if broken:
            raise SettingsError("HUBSYNC_CLIENT_SECRET_FILE: the file is empty.")
        return (SECRET,)

    web = Web(secrets=read)
    broken = True
    web.pass_time(seconds=1)
    assert refused(web, web.v3("POST", EVENTS, b"[]", secret="guessed"))
    assert "HUBSYNC_CLIENT_SECRET_FILE" in web.health.problems()[PROBLEM]
    assert web.post(b"[]").status == 200
    broken = False
    web.pass_time(seconds=1)
    assert refused(web, web.v3("POST", EVENTS, b"[]", secret="guessed"))
    assert web.health.problems() == {}


def test_without_a_client_secret_webhooks_wait_and_health_says_why() -> None:
    secrets: list[str] = []
    web = Web(secrets=lambda: secrets)
    assert "HUBSYNC_CLIENT_SECRET" in web.health.problems()[PROBLEM]
    answer = web.post(b"[]")
    assert answer.status == 503
    assert "HUBSYNC_CLIENT_SECRET" in answer.json["error"]
    secrets.append(SECRET)
    web.pass_time(seconds=1)
    assert web.post(b"[]").status == 200
    assert web.health.problems() == {}


def test_an_empty_client_secret_is_none() -> None:
    web = Web(secrets=lambda: [""])
    assert web.ask("POST", EVENTS, b"[]", web.v3("POST", EVENTS, b"[]", secret="")).status == 503


def test_without_a_public_address_webhooks_are_turned_away_and_nothing_is_wrong() -> None:
    web = Web(public_url=None, secrets=lambda: ())
    answer = web.post(b"[]")
    assert (answer.status, "HUBSYNC_PUBLIC_URL" in answer.json["error"]) == (503, True)
    assert web.health.problems() == {}


def test_apps_by_name_have_secrets_of_their_own() -> None:
    web = Web(apps={"crm": lambda: ("crm-secret",)})
    path = f"{EVENTS}/crm"
    assert web.ask("POST", path, b"[]", web.v3("POST", path, b"[]", secret="crm-secret")).status == 200
    assert refused(web, web.v3("POST", path, b"[]"), target=path)
    assert web.post(b"[]", f"{EVENTS}/other").status == 404
    assert web.ask("POST", WORKFLOW, V1, v2("POST", WORKFLOW, V1)).status == 200


def test_an_app_by_name_does_not_hide_what_is_wrong_with_the_others_secret() -> None:
    def fail() -> tuple[str, ...]:
        raise SettingsError("The file is empty.")

    web = Web(secrets=lambda: (), apps={"crm": lambda: ("crm-secret",), "ads": fail})
    assert set(web.health.problems()) == {PROBLEM, f"{PROBLEM} of ads"}
