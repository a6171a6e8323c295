"""Mail: what arrives, that a password stays where it belongs, and what a failure says."""

from __future__ import annotations

import base64
import smtplib
import ssl
from datetime import UTC, datetime
from typing import Any

import pytest

from hubsync.portal.notifying import NotDelivered
from hubsync.service import mail
from hubsync.service.mail import Mailbox, send_mail, server_of
from tests.service.doorbells import MailServer, listening

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)


def box(server: MailServer, *to: str, login: str = "") -> Mailbox:
    """Who writes to whom, by a server of the test's."""
    return Mailbox(
        server_of(f"smtp://{login}127.0.0.1:{server.port}"), "hubsync@example.com", to or ("ops@example.com",)
    )


def test_a_text_arrives_with_what_mail_needs() -> None:
    with listening(MailServer()) as server:
        send_mail(
            box(server, "a@example.com", "b@example.com"), "hubsync:\n token", "HubSpot refused the token. é", NOW
        )
    (message,) = server.messages
    assert (message["From"], message["To"]) == ("hubsync@example.com", "a@example.com, b@example.com")
    assert (message["Subject"], message["Date"]) == ("hubsync: token", "Mon, 02 Mar 2026 15:00:00 +0000")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.com>")
    assert bytes(message.get_payload(decode=True)).decode().strip() == "HubSpot refused the token. é"
    assert [line for line in server.said if line.startswith(("mail", "MAIL", "rcpt", "RCPT"))] == [
        "mail FROM:<hubsync@example.com>",
        "rcpt TO:<a@example.com>",
        "rcpt TO:<b@example.com>",
    ]


def test_user_and_password_are_given_as_they_are() -> None:
    with listening(MailServer()) as server:
        send_mail(box(server, login="us%40er:p%40ss%2Fw@"), "x", "x", NOW)
    (login,) = [line for line in server.said if line.upper().startswith("AUTH")]
    assert base64.b64decode(login.split()[-1]) == b"\0us@er\0p@ss/w"


def test_a_password_is_not_sent_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "LOOPBACK", frozenset[str]())
    with (
        listening(MailServer()) as server,
        pytest.raises(NotDelivered, match="offers no encryption: the password was not sent") as failed,
    ):
        send_mail(box(server, login="u:p@"), "x", "x", NOW)
    assert not failed.value.again
    assert [line for line in server.said if line.upper().startswith("AUTH")] == []


def test_where_the_server_offers_encryption_it_is_used_before_anything_is_said() -> None:
    with (
        listening(MailServer(offers=("STARTTLS", "AUTH PLAIN"))) as server,
        pytest.raises(NotDelivered, match="can't be used"),
    ):
        send_mail(box(server, login="u:p@"), "x", "x", NOW)
    assert "STARTTLS" in server.said
    assert [line for line in server.said if line.upper().startswith("AUTH")] == []


def test_smtps_is_encrypted_from_the_first_byte_and_knows_whom_it_talks_to(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def refused(host: str, port: int, name: str, *, timeout: float, context: ssl.SSLContext) -> None:
        seen.update(host=host, port=port, timeout=timeout, context=context)
        raise ssl.SSLCertVerificationError

    monkeypatch.setattr(smtplib, "SMTP_SSL", refused)
    with pytest.raises(NotDelivered, match=r"mail\.example\.com can't be used \(SSLCertVerificationError\)") as failed:
        send_mail(Mailbox(server_of("smtps://u:p@mail.example.com"), "a@b.c", ("d@e.f",)), "x", "x", NOW)
    assert (seen["host"], seen["port"], seen["timeout"]) == ("mail.example.com", 465, 10.0)
    assert (seen["context"].verify_mode, seen["context"].check_hostname) == (ssl.CERT_REQUIRED, True)
    assert not failed.value.again


@pytest.mark.parametrize(
    ("refuses", "said", "again"),
    [
        ({"AUTH": "535 no"}, "127.0.0.1 refused the user or the password", False),
        ({"RCPT": "550 nobody"}, "127.0.0.1 refused every recipient", False),
        ({"RCPT TO:<B@": "550 nobody"}, "127.0.0.1 refused 1 of 2 recipients", False),
        ({"DATA": "451 later"}, "127.0.0.1 answered 451", True),
        ({"MAIL": "553 not you"}, "127.0.0.1", False),
    ],
)
def test_what_the_server_refuses_is_said_without_the_password(refuses: dict[str, str], said: str, again: bool) -> None:
    with listening(MailServer(refuses=refuses)) as server, pytest.raises(NotDelivered) as failed:
        send_mail(box(server, "a@x.y", "b@x.y", login="user:s3cret@"), "x", "x", NOW)
    assert said in str(failed.value)
    assert "s3cret" not in str(failed.value)
    assert failed.value.again is again


def test_a_server_that_is_not_there_is_tried_again() -> None:
    with pytest.raises(NotDelivered, match=r"127\.0\.0\.1 can't be used \(ConnectionRefusedError\)") as failed:
        send_mail(Mailbox(server_of("smtp://127.0.0.1:1"), "a@b.c", ("d@e.f",)), "x", "x", NOW)
    assert failed.value.again


@pytest.mark.parametrize(
    ("url", "host", "port", "encrypted"),
    [
        ("smtp://mail.example.com", "mail.example.com", 587, False),
        ("smtps://mail.example.com", "mail.example.com", 465, True),
        ("smtps://u:p@[::1]:2465", "::1", 2465, True),
    ],
)
def test_an_address_names_a_server(url: str, host: str, port: int, encrypted: bool) -> None:
    server = server_of(url)
    assert (server.host, server.port, server.encrypted) == (host, port, encrypted)


@pytest.mark.parametrize("url", ["smtp://u:s3cret@host:99999", "smtps://:s3cret@", "http://s3cret", "smtp://s3cret:x"])
def test_an_address_that_names_none_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(ValueError, match="it") as refused:
        server_of(url)
    assert "s3cret" not in str(refused.value)


def test_a_password_is_in_no_repr() -> None:
    assert "s3cret" not in repr(Mailbox(server_of("smtp://u:s3cret@h"), "a@b.c", ()))
