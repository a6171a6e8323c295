"""Mail to people by SMTP: short texts, nothing attached.

The server's address holds a password: it stands in no message and no log line. A password never goes over a connection
that isn't encrypted, but to this machine itself.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from urllib.parse import unquote, urlsplit

from hubsync.portal.notifying import TIME_OUT, NotDelivered

IMPLICIT_TLS, SUBMISSION = 465, 587
"""Ports where the address names none."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server, as `smtps://USER:PASSWORD@HOST:PORT` says it; `encrypted` from the first byte on."""

    host: str
    port: int
    encrypted: bool
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Who writes to whom, and by which server."""

    server: MailServer
    sender: str
    to: tuple[str, ...]


def server_of(url: str) -> MailServer:
    """The server an address names. Raises ValueError, without the address, where it names none."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("its port is no number from 1 to 65535") from None
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or port == 0:
        raise ValueError("it must be smtp://HOST:PORT or smtps://USER:PASSWORD@HOST:PORT")
    encrypted = parts.scheme == "smtps"
    return MailServer(
        parts.hostname,
        port or (IMPLICIT_TLS if encrypted else SUBMISSION),
        encrypted,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )


def send_mail(box: Mailbox, subject: str, text: str, now: datetime, *, time_out: float = TIME_OUT) -> None:
    """Send a text. Raises NotDelivered where not everybody can have it; it names the server's host alone."""
    message = _message(box, subject, text, now)
    server = box.server
    try:
        with _connected(server, time_out) as smtp:
            if server.user:
                smtp.login(server.user, server.password)
            refused = smtp.send_message(message, box.sender, list(box.to))
    except smtplib.SMTPAuthenticationError:
        raise NotDelivered(f"{server.host} refused the user or the password.", again=False) from None
    except smtplib.SMTPRecipientsRefused:
        raise NotDelivered(f"{server.host} refused every recipient.", again=False) from None
    except smtplib.SMTPResponseException as error:
        again = 400 <= error.smtp_code < 500
        raise NotDelivered(f"{server.host} answered {error.smtp_code}.", again=again) from None
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        again = isinstance(error, OSError) and not isinstance(error, ssl.SSLCertVerificationError)
        raise NotDelivered(f"{server.host} can't be used ({type(error).__name__}).", again=again) from None
    if refused:
        raise NotDelivered(f"{server.host} refused {len(refused)} of {len(box.to)} recipients.", again=False)


def _connected(server: MailServer, time_out: float) -> smtplib.SMTP:
    """A connection that a password may go over; encrypted wherever the server can."""
    name = _own_name()
    if server.encrypted:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, server.port, name, timeout=time_out, context=context)
    smtp = smtplib.SMTP(server.host, server.port, name, timeout=time_out)
    try:
        smtp.ehlo()
        if smtp.has_extn("starttls"):
            smtp.starttls(context=ssl.create_default_context())
        elif server.user and server.host not in LOOPBACK:
            raise NotDelivered(f"{server.host} offers no encryption: the password was not sent.", again=False)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _own_name() -> str:
    """What this machine calls itself to the server; smtplib would ask the network, without a time-out."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


def _message(box: Mailbox, subject: str, text: str, now: datetime) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = " ".join(subject.split())
    message["From"] = box.sender
    message["To"] = _joined(box.to)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=box.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # keeps out-of-office notes from answering
    message.set_content(text)
    return message


def _joined(addresses: Sequence[str]) -> str:
    return ", ".join(addresses)
