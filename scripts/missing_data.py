#!/usr/bin/env python
"""Managed leads that lack data which their Lead status asks for, and what it is."""

from __future__ import annotations

from collections import Counter

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
    Column("missing", "What is missing"),
)
COUNTED = (Column("status", "Lead status"), Column("missing", "What"), Column("contacts", "Contacts", numeric=True))


def missing_data(context: typer.Context, form: FormatOption = None, out: OutOption = None) -> int:
    """List leads that lack data their Lead status asks for (playbook section 4). Writes nothing; ends with 1 if any."""
    with workbench(context) as bench:
        where = where_of(["missing_data is_known"], bench.rules.files, bench.portal)
        shown = ("hubspot_owner_id", "lead_status", "missing_data")
        label, name = bench.portal.policy.statuses.label, bench.portal.owner_name
        found = [(one.contact.id, one.facts) for one in choose(bench.session, where, shown)]
        rows = [(id_, name(f["hubspot_owner_id"]), label(f["lead_status"]), f["missing_data"]) for id_, f in found]
    counts = Counter((status, what) for _, _, status, missing in rows for what in missing.split(", "))
    summary = Table(COUNTED, [(*key, count) for key, count in counts.most_common()], "What is missing most")
    emit(Report("Missing data", Table(COLUMNS, rows, "Leads"), summaries=[summary]), form=form, out=out)
    return 1 if rows else 0


if __name__ == "__main__":
    script(missing_data)
