"""Who is told of what, by which way, and when: operators at any time, a team or an owner in their working hours (B7).

Addresses are secrets (a webhook's is all that posting to it takes), so they are in no repr. What is sent is a few
sentences; who decides when is service/alerts.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hubsync.policy.pacing import Pace
from hubsync.portal.notifying import NotDelivered, post_text
from hubsync.service.mail import Mailbox, send_mail


@dataclass(frozen=True, slots=True)
class Letter:
    """Something to tell, of which `team` or `owner` (an id) it is the business; without both: of the operators."""

    subject: str
    text: str
    team: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Audience:
    """Where alerts go: the general webhook and mail, teams' own webhooks, and the hours that people keep."""

    webhook: str | None = field(default=None, repr=False)
    mailbox: Mailbox | None = None
    teams: Mapping[str, str] = field(default_factory=dict, repr=False)
    pace: Pace | None = None

    def ways(self, letter: Letter, now: datetime) -> dict[str, Callable[[], None]]:
        """By a name that may be shown, what to call to send it; each raises NotDelivered. Empty: nobody is told.

        What is a team's business goes to its own webhook, and to the general addresses where it has none.
        """
        team = self._team(letter)
        if team is not None:
            address = self.teams[team]
            return {f"webhook of team {team}": lambda: post_text(address, letter.text)}
        ways: dict[str, Callable[[], None]] = {}
        webhook, mailbox = self.webhook, self.mailbox
        if webhook is not None:
            ways["webhook"] = lambda: post_text(webhook, letter.text)
        if mailbox is not None:
            ways["e-mail"] = lambda: send_mail(mailbox, letter.subject, letter.text, now)
        return ways

    def opening(self, team: str | None, owner: str | None, at: datetime) -> datetime:
        """From when on it may be told: at once, or when the working hours of whose business it is next begin."""
        if self.pace is None or (team is None and owner is None):
            return at
        if owner is not None:
            return self.pace.calendar(owner).next_opening(at)
        return self.pace.calendars.of((team,) if team else ()).next_opening(at)

    def _team(self, letter: Letter) -> str | None:
        """The team, as `teams` spells it, whose webhook it goes to."""
        own = {name.casefold(): name for name in self.teams}
        wanted = [letter.team] if letter.team is not None else []
        if letter.owner is not None and self.pace is not None:
            wanted += self.pace.owner_teams.get(letter.owner, ())
        return next((own[name.casefold()] for name in wanted if name.casefold() in own), None)


def try_ways(
    ways: Mapping[str, Callable[[], None]], sleep: Callable[[float], bool], pauses: tuple[float, ...] = (2.0, 10.0)
) -> dict[str, NotDelivered | None]:
    """Send by every way, each tried again after so many seconds; by way None, or why it failed in the end.

    `sleep` waits, and is False where no more is to be tried.
    """
    left = dict(ways)
    outcomes: dict[str, NotDelivered | None] = {}
    for pause in (*pauses, None):
        for name, send in list(left.items()):
            try:
                send()
            except NotDelivered as error:
                outcomes[name] = error
                if not error.again:
                    del left[name]
            else:
                outcomes[name] = None
                del left[name]
        if not left or pause is None or not sleep(pause):
            break
    return outcomes
