"""Who may see the pages: one password, and after it a signed cookie for twelve hours.

Nothing is stored: the cookie says when it ends and is signed with a key made of the password and of random bytes, so
that a changed password, or other random bytes, ends every session. Only those logged out by hand are remembered.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from hashlib import sha256

COOKIE = "hubsync_session"
LASTS = 12 * 3_600
"""Seconds."""


class Sessions:
    """Sessions under one password. `salt` is random, per database or per process; `clock` gives epoch seconds."""

    def __init__(self, password: str, salt: bytes, clock: Callable[[], float]) -> None:
        self._key = hmac.digest(salt, b"hubsync session\0" + password.encode(), "sha256")
        self._password = sha256(password.encode()).digest()
        self._clock = clock
        self._ended: dict[str, float] = {}

    def is_password(self, given: str) -> bool:
        """Whether it is the password; takes as long for every answer."""
        return hmac.compare_digest(sha256(given.encode("utf-8", "surrogatepass")).digest(), self._password)

    def begin(self) -> str:
        """A cookie's value for a new session."""
        claim = f"{int(self._clock()) + LASTS}.{secrets.token_urlsafe(16)}"
        return f"{claim}.{self._mark('session', claim)}"

    def holds(self, cookie: str | None) -> bool:
        """Whether the cookie is one of ours, and of a session that goes on."""
        claim, _, mark = (cookie or "").rpartition(".")
        ends = claim.partition(".")[0]
        if not self._is_mark(mark, "session", claim) or not ends.isdecimal():
            return False
        return int(ends) > self._clock() and claim not in self._ended

    def end(self, cookie: str) -> None:
        """The session is over, wherever the cookie went."""
        claim = cookie.rpartition(".")[0]
        now = self._clock()
        self._ended = {other: ends for other, ends in self._ended.items() if ends > now}
        self._ended[claim] = now + LASTS

    def form_token(self, cookie: str) -> str:
        """What a form of this session must bring along, so that no other site can send it."""
        return self._mark("form", cookie)

    def is_form_token(self, given: str, cookie: str) -> bool:
        """Whether a form brought its session's token."""
        return self._is_mark(given, "form", cookie)

    def _mark(self, use: str, text: str) -> str:
        return hmac.digest(self._key, f"{use}\0{text}".encode("utf-8", "surrogatepass"), "sha256").hex()

    def _is_mark(self, given: str, use: str, text: str) -> bool:
        return given.isascii() and hmac.compare_digest(given, self._mark(use, text))
