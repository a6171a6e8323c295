#!/usr/bin/env python
"""A random sample of a month's changes of Lead status, some for each owner, for a manager to go through."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import typer

from hubsync.cli.build import workbench
from hubsync.cli.main import script
from hubsync.cli.options import FormatOption, OutOption
from hubsync.cli.output import Column, Report, Table, emit
from hubsync.sync.explain import readable
from hubsync.sync.spot_checks import sample

COLUMNS = (
    Column("owner", "Owner"),
    Column("contact", "Contact"),
    Column("at", "When"),
    Column("from", "From"),
    Column("to", "To"),
    Column("by", "By"),
    Column("reason", "Reason on the record"),
    Column("right", "Right? Why not?"),
)


def spot_check(
    context: typer.Context,
    month: Annotated[
        datetime | None, typer.Option("--month", formats=["%Y-%m"], help="Which month; the last whole one otherwise.")
    ] = None,
    each: Annotated[int, typer.Option("--each", min=1, help="So many changes for each owner.")] = 5,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Draw a sample of status changes for review (playbook R8), the same whenever it is drawn. Writes nothing."""
    with workbench(context) as bench:
        portal, zone = bench.portal, bench.portal.policy.zone
        before = bench.session.portal_now().astimezone(zone).replace(day=1) - timedelta(days=1)
        start = datetime((month or before).year, (month or before).month, 1, tzinfo=zone)
        end = (start + timedelta(days=32)).replace(day=1)
        drawn = sample(bench.session, start, end, each)
        rows = [
            (portal.owner_name(one.owner), one.contact, one.at, readable(portal, "hs_lead_status", one.before),
             readable(portal, "hs_lead_status", one.after), f"{one.by} {one.rule}".strip(), one.reason, "")
            for one in drawn
        ]  # fmt: skip
    emit(Report(f"Changes of Lead status in {start:%B %Y}", Table(COLUMNS, rows)), form=form, out=out)
    return 0


if __name__ == "__main__":
    script(spot_check)
