"""Every error hubsync raises on purpose, sorted by what the caller does next.

    HubsyncError
    ├─ SettingsError          a setting is missing, malformed or misspelt
    ├─ RuleFileError          faults in rule files, all of them, each with file:line:column
    ├─ UnsafePlan             the guard stopped a run before its first write
    ├─ StoreError             the database is missing, locked, read-only, full or of another schema
    ├─ WebhookRejected        a webhook without a valid signature
    └─ PortalError
       ├─ PortalTemporaryError   a time-out, a dropped connection, 5xx, an answer that is no answer: try again
       │  └─ RateLimited         429; `retry_after` in seconds, `daily` when the day's allowance is spent
       └─ PortalPermanentError   trying again changes nothing
          ├─ TokenRefused        401, 403; `scopes` names the missing ones
          ├─ WrongPortal         the token belongs to another portal than the database
          ├─ ContactGone         404 for one record
          └─ WriteRefused        400 for a write; `problems` names property and value

`cli.main` alone turns one of these into a message and an exit code (see `exit_code`).
A message says where, what and what to do; it never holds a token, an e-mail address or a request body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class HubsyncError(Exception):
    """Base of all errors raised on purpose. `exit_code` is what the command line ends with."""

    exit_code = 3


class SettingsError(HubsyncError):
    """Settings or arguments can't be used; the message lists every problem."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a rule file: where (1-based line and column) and what, with what to do."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class RuleFileError(HubsyncError):
    """Rule files can't be used; `problems` holds every fault found."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class UnsafePlan(HubsyncError):
    """The guard stopped a run before its first write; the message says how to allow it once."""

    exit_code = 4


class StoreError(HubsyncError):
    """The database can't be used; the message says why and what to do."""


class WebhookRejected(HubsyncError):
    """A webhook without a valid signature."""


class PortalError(HubsyncError):
    """HubSpot could not do what was asked. `status` is the HTTP status, None where no answer came."""

    def __init__(self, message: str, *, status: int | None = None, correlation_id: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.correlation_id = correlation_id


class PortalTemporaryError(PortalError):
    """A time-out, a dropped connection, 5xx, 423, 477, or an answer that is no answer. Worth another try."""


class RateLimited(PortalTemporaryError):
    """429. `retry_after` in seconds where HubSpot said so; `daily` when the day's allowance is spent."""

    def __init__(
        self, message: str, *, retry_after: float | None = None, daily: bool = False, correlation_id: str | None = None
    ) -> None:
        super().__init__(message, status=429, correlation_id=correlation_id)
        self.retry_after = retry_after
        self.daily = daily


class PortalPermanentError(PortalError):
    """Trying again changes nothing."""


class TokenRefused(PortalPermanentError):
    """401, or 403 with the names of the missing scopes in `scopes`."""

    def __init__(
        self, message: str, *, status: int, scopes: Sequence[str] = (), correlation_id: str | None = None
    ) -> None:
        super().__init__(message, status=status, correlation_id=correlation_id)
        self.scopes = tuple(scopes)


class WrongPortal(PortalPermanentError):
    """The token belongs to another portal than the database."""


class ContactGone(PortalPermanentError):
    """404 for one record."""


class WriteRefused(PortalPermanentError):
    """400 for a write. `problems` holds (property, value, code, message) where HubSpot named them, else is empty."""

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[tuple[str, str | None, str, str]] = (),
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(message, status=400, correlation_id=correlation_id)
        self.problems = tuple(problems)
