"""Who hears alerts in tests: a webhook over HTTP and a mail server, both on loopback, that note what they get."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.service.waiting import PATIENCE


class Webhook(ThreadingHTTPServer):
    """`texts` are what was posted; `answers` are statuses to be given next, 200 where there are none left."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Posted)
        self.texts: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answers: list[int] = []
        self.silent = threading.Event()
        self.silent.set()

    @property
    def url(self) -> str:
        """The address to post to; its end is a secret."""
        return f"http://127.0.0.1:{self.server_port}/hooks/s3cret"


class _Posted(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.headers.append(dict(self.headers))
        self.server.paths.append(self.path)
        self.server.silent.wait(PATIENCE)
        status = self.server.answers.pop(0) if self.server.answers else 200
        if 200 <= status < 300:
            self.server.texts.append(json.loads(body)["text"])
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Nothing on stderr."""


class MailServer(socketserver.ThreadingTCPServer):
    """`messages` are what came; `said` every line of clients; `refuses` maps the start of a line to an answer."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *, offers: tuple[str, ...] = ("AUTH PLAIN",), refuses: dict[str, str] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.offers = offers
        self.refuses = refuses or {}
        self.said: list[str] = []
        self.messages: list[Message] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._answer("220 mail.example.com")
        while line := self.rfile.readline().decode().strip():
            self.server.said.append(line)
            verb = line.upper()
            refused = next((a for start, a in self.server.refuses.items() if verb.startswith(start)), None)
            if refused is not None:
                self._answer(refused)
            elif verb.startswith("EHLO"):
                lines = ["mail.example.com", *self.server.offers]
                for text in lines[:-1]:
                    self._answer(f"250-{text}")
                self._answer(f"250 {lines[-1]}")
            elif verb.startswith("AUTH"):
                self._answer("235 ok")
            elif verb == "DATA":
                self._answer("354 go on")
                self._take()
            elif verb == "STARTTLS":  # and then it can't: no test has a certificate that would be trusted
                self._answer("220 go on")
                return
            elif verb == "QUIT":
                self._answer("221 bye")
                return
            else:
                self._answer("250 ok")

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line)
        self.server.messages.append(message_from_bytes(b"".join(lines)))
        self._answer("250 taken")

    def _answer(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def listening(server: Any) -> Iterator[Any]:
    """The server, answering in a thread until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
