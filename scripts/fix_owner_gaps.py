#!/usr/bin/env python
"""Gives managed contacts without an owner their company's owner, or the one that is named."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hubsync.cli.build import workbench
from hubsync.cli.context import invocation
from hubsync.cli.main import script
from hubsync.cli.options import AllowChangesOption, FormatOption, OutOption, WriteOption
from hubsync.cli.output import Column, Report, Table, emit
from hubsync.sync.bulk import plan_bulk, write_bulk
from hubsync.sync.bulk_where import where_of
from hubsync.sync.guard import limits_of
from hubsync.sync.owner_gaps import owners_for_gaps

COLUMNS = (Column("contact", "Contact"), Column("owner", "Owner"), Column("why", "Why"), Column("state", "State"))


def fix_owner_gaps(
    context: typer.Context,
    owner: Annotated[
        str | None, typer.Option("--owner", help="Id or e-mail of who takes those whose company nobody owns.")
    ] = None,
    where: Annotated[list[str] | None, typer.Option("--where", help="Only those, as in hubsync set-status.")] = None,
    write: WriteOption = False,
    allow_changes: AllowChangesOption = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Preview owners for managed contacts that have none (playbook T12); with --write, set them.

    Ends with 1 where somebody is left without an owner, or a change was refused, skipped or held.
    `hubsync undo` takes a run back.
    """
    writes = write or invocation(context).settings().write
    with workbench(context, database="made" if writes else "if there") as bench:
        conditions = where_of(where or [], bench.rules.files, bench.portal)
        asked, left = owners_for_gaps(bench.session, conditions, owner)
        limits = limits_of(bench.rules.files.portal.guard, allow_changes)
        bulk = write_bulk(bench.session, bench.written, asked, limits) if writes else plan_bulk(bench.session, asked)
        name = bench.portal.owner_name
        rows = [(c.contact, name(c.setting.new), asked.wanted(c.contact)[1], c.state) for c in bulk.changes]
    rows += [(contact, "", "no owner of the company, and none named", "left") for contact in left]
    emit(Report("Owner gaps", Table(COLUMNS, rows), [("Run", bulk.run)]), form=form, out=out)
    if rows and not writes and form is None and sys.stdout.isatty():
        typer.echo("Nothing was written. To do this, add --write")
    return 1 if left or not bulk.whole else 0


if __name__ == "__main__":
    script(fix_owner_gaps)
