#!/usr/bin/env python
"""Active leads with whom nothing has happened for a while, the longest first."""

from __future__ import annotations

from typing import Annotated

import typer

from hubsync.cli.build import workbench
from hubsync.cli.main import script
from hubsync.cli.options import FormatOption, OutOption
from hubsync.cli.output import Column, Report, Table, emit
from hubsync.sync.bulk_where import where_of
from hubsync.sync.choosing import choose

COLUMNS = (
    Column("contact", "Contact"),
    Column("owner", "Owner"),
    Column("status", "Lead status"),
    Column("stage", "Lifecycle stage"),
    Column("since", "Nothing since"),
    Column("days", "Days", numeric=True),
)


def audit_stale(
    context: typer.Context,
    days: Annotated[int, typer.Option("--days", min=1, help="So many days without activity.")] = 30,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """List active leads without activity, the longest first (playbook A6). Reads, writes nothing; ends with 1 if any.

    Activity is what counts for rules: e-mails, calls, meetings, replies and forms, and the entry of the Lead status.
    """
    with workbench(context) as bench:
        spec, policy = bench.rules.files.portal.statuses, bench.portal.policy
        active = [key for key in policy.statuses.by_key if spec[policy.statuses.like(key) or key].active]
        texts = [f"lead_status is_any_of {', '.join(active)}", f"idle_since is_more_than_ago {days} days"]
        where = where_of(texts, bench.rules.files, bench.portal)
        now = bench.session.portal_now()
        shown = ("idle_since", "lead_status", "lifecycle_stage", "hubspot_owner_id")
        found = [(one.contact.id, *one.facts.values()) for one in choose(bench.session, where, shown)]
        rows = [
            (id_, bench.portal.owner_name(owner), policy.statuses.label(status), policy.stages.label(stage), since,
             (now - since).days)
            for id_, since, status, stage, owner in sorted(found, key=lambda row: row[1])
        ]  # fmt: skip
    emit(Report(f"Active leads without activity for {days} days", Table(COLUMNS, rows)), form=form, out=out)
    return 1 if rows else 0


if __name__ == "__main__":
    script(audit_stale)
