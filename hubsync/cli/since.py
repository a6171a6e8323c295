"""What `--since` says: a moment, or how long ago."""

from __future__ import annotations

from datetime import UTC, datetime

from hubsync.cli.build import local_now
from hubsync.errors import SettingsError
from hubsync.policy.policy import Policy
from hubsync.policy.worktime import parse_duration


def moment_of(text: str, policy: Policy, now: datetime | None = None) -> datetime:
    """The moment meant; `now`: the portal's time where it is known. Raises SettingsError with what to write instead."""
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        return parse_duration(text.removesuffix("ago").strip()).before(now or local_now(), policy.calendar, policy.zone)
    except ValueError as error:
        raise SettingsError(
            f'--since "{text}": write a date such as 2026-03-31, or a duration such as "30 days".'
        ) from error
