"""`hubsync report digests`: who is to be told what, by recipient and day (B4). Delivery comes with a later version."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer

from hubsync.cli.build import database_of
from hubsync.cli.context import invocation
from hubsync.cli.options import FormatOption, OutOption
from hubsync.cli.output import Column, Report, Table, emit
from hubsync.cli.runs import portal_of
from hubsync.cli.since import moment_of
from hubsync.policy.changes import OPS
from hubsync.rulefiles.load import load_rules
from hubsync.store.values import Portal, Write
from hubsync.sync.plan import instant

COLUMNS = (
    Column("to", "To"),
    Column("recipient", "Owner id"),
    Column("day", "Day"),
    Column("kind", "Kind"),
    Column("contact", "Contact"),
    Column("text", "Text"),
    Column("playbook", "Playbook"),
)
Addressee = Literal["owner", "manager", "ops"]


def digests(
    context: typer.Context,
    to: Annotated[
        Addressee | None, typer.Option("--to", help="Only what goes to the owner, the manager or ops.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="T", help='Recorded from then on: 2026-03-31, or "7 days".')
    ] = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Show what digests and alerts have to tell, by recipient, day and contact. Asks HubSpot nothing.

    What has nobody to go to, since a lead has no owner or its owner no manager, goes to marketing ops.
    """
    policy = load_rules(invocation(context).settings().rules).compile()
    moment = moment_of(since, policy) if since else None
    with database_of(context) as store:
        portal = portal_of(store, invocation(context).portal)
        known = next(p for p in store.portals() if p.id == portal)
        rows = [_as_json(row, known) for row in store.notices.listed(portal, moment)]
    rows = sorted((r for r in rows if to in {None, r["to"]}), key=_order)
    emit(_report(portal, moment, rows), form=form, out=out)
    return 0


def _as_json(row: Write, portal: Portal) -> dict[str, Any]:
    recipient = row.facts.get("recipient")
    zone, site = ZoneInfo(portal.time_zone or "UTC"), portal.ui_domain or "app.hubspot.com"
    told = row.answered_at
    return {
        "to": row.facts.get("to") if recipient else OPS,
        "recipient": recipient,
        "day": told.astimezone(zone).date().isoformat() if told is not None else None,
        "kind": row.kind,
        "contact": row.contact,
        "link": f"https://{site}/contacts/{portal.id}/record/0-1/{row.contact}",
        "text": row.after,
        "rule": row.rule,
        "playbook": row.playbook,
        "run": row.run,
        "recorded": instant(told) if told is not None else None,
        "delivered": instant(row.closed_at) if row.closed_at is not None else None,
    }


def _order(row: dict[str, Any]) -> tuple[str, ...]:
    """Owners, then managers, then ops; each person's days, and alerts of a day first."""
    place = {"owner": "0", "manager": "1", OPS: "2"}[row["to"]]
    return place, row["recipient"] or "", row["day"] or "", row["kind"], row["contact"], row["rule"]


def _report(portal: int, since: datetime | None, rows: list[dict[str, Any]]) -> Report:
    waiting = sum(row["delivered"] is None for row in rows)
    return Report(
        title=f"hubsync report digests of portal {portal}",
        facts=[
            ("Portal", portal),
            ("Since", f"{since:%Y-%m-%d %H:%M} UTC" if since else "the first write"),
            ("Entries", f"{len(rows):,}, {waiting:,} not delivered yet"),
            ("People", len({(row["to"], row["recipient"]) for row in rows})),
        ],
        table=Table(COLUMNS, [tuple(row[column.key] for column in COLUMNS) for row in rows], "Digests and alerts"),
        document={"portal": portal, "since": instant(since) if since else None, "digests": rows},
    )
