"""Who is told when something is wrong, from settings and portal.yaml; what of it can't be used, in words.

Addresses are secrets: none of them is in what this module says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import structlog
import typer

from hubsync.cli.build import local_now
from hubsync.cli.context import invocation
from hubsync.cli.options import Format
from hubsync.cli.output import Column, Report, Table, emit
from hubsync.policy.pacing import Pace
from hubsync.policy.portal_spec import AlertsSpec
from hubsync.portal.notifying import NotDelivered
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.service.audience import Audience, Letter, try_ways
from hubsync.service.mail import Mailbox, server_of
from hubsync.settings import Settings

log = structlog.get_logger()

TEST = "This is a test: somebody ran `hubsync check --send-alert`. Nothing is wrong."


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom alerts reach: `ways` in words, and in `faults` what keeps others from being reached."""

    audience: Audience
    ways: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def says(self) -> str:
        """In one line, for `hubsync check`."""
        reached = ", ".join(self.ways) or "nobody is told: set HUBSYNC_ALERT_WEBHOOK_URL, or HUBSYNC_SMTP_URL and `to`"
        return "; ".join([reached, *self.faults])


def audience_of(settings: Settings, rules: LoadedRules, pace: Pace | None) -> Audience:
    """Whom the service tells; what can't be used is logged and left out."""
    reach = reach_of(settings, rules.files.portal.alerts, pace)
    for fault in reach.faults:
        log.warning("alerts.incomplete", reason=fault)
    return reach.audience


def reach_of(settings: Settings, spec: AlertsSpec, pace: Pace | None = None) -> Reach:
    """Whom alerts reach, and what is missing for the others."""
    ways: list[str] = []
    faults: list[str] = []
    webhook = settings.alert_webhook_url.get_secret_value() if settings.alert_webhook_url is not None else None
    if webhook is not None:
        ways.append("webhook")
    mailbox = _mailbox(settings, spec, faults.append)
    if mailbox is not None:
        ways.append(f"e-mail to {len(mailbox.to)} by {mailbox.server.host}")
    teams: dict[str, str] = {}
    for team, told in spec.teams.items():
        address = settings.variable(told.webhook_from)
        if address is None:
            faults.append(f"team {team}: the environment variable {told.webhook_from} is not set")
        elif urlsplit(address).scheme not in {"http", "https"} or any(map(str.isspace, address)):
            faults.append(f"team {team}: {told.webhook_from} must be an address that starts with https:// or http://")
        else:
            teams[team] = address
            ways.append(f"webhook of team {team}")
    return Reach(Audience(webhook, mailbox, teams, pace), tuple(ways), tuple(faults))


def try_alerts(context: typer.Context, form: Format | None, out: Path | None) -> int:
    """`hubsync check --send-alert`: a test to everybody who is told of problems. HubSpot isn't asked anything."""
    settings = invocation(context).settings()
    reach = reach_of(settings, load_rules(settings.rules).files.portal.alerts)
    outcomes = send_test(reach.audience)
    failed = {way: str(failure) for way, failure in outcomes.items() if failure is not None}
    rows = [*((way, failed.get(way, "sent")) for way in outcomes), *(("", fault) for fault in reach.faults)]
    report = Report(
        title="hubsync check --send-alert",
        facts=[] if outcomes else [("Alerts", reach.says)],
        table=Table((Column("way", "Way"), Column("outcome", "What became of the test alert")), rows),
        document={"sent": [w for w in outcomes if w not in failed], "failed": failed, "faults": list(reach.faults)},
    )
    emit(report, form=form, out=out)
    return 0 if outcomes and not failed and not reach.faults else 1


def send_test(audience: Audience) -> dict[str, NotDelivered | None]:
    """Send a test to every address, whatever the hour; by way None, or why it failed."""
    letters = [Letter("hubsync: test", f"hubsync: {TEST}", team) for team in (None, *audience.teams)]
    ways = {way: send for letter in letters for way, send in audience.ways(letter, local_now()).items()}
    return try_ways(ways, lambda _seconds: False)


def _mailbox(settings: Settings, spec: AlertsSpec, fault: Callable[[str], None]) -> Mailbox | None:
    if settings.smtp_url is None:
        if spec.to:
            fault("e-mail: `alerts:` in portal.yaml names recipients, but HUBSYNC_SMTP_URL is not set")
        return None
    if not spec.to:
        fault("e-mail: HUBSYNC_SMTP_URL is set, but `alerts: {to: […]}` in portal.yaml names nobody")
        return None
    try:
        server = server_of(settings.smtp_url.get_secret_value())
    except ValueError as error:
        fault(f"e-mail: HUBSYNC_SMTP_URL can't be used: {error}")
        return None
    sender = spec.from_ or (server.user if "@" in server.user else None)
    if sender is None:
        fault("e-mail: `alerts: {from: …}` in portal.yaml is missing, and the mail server's user is no e-mail address")
        return None
    return Mailbox(server, sender, tuple(spec.to))
