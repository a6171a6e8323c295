#!/usr/bin/env python
"""What people changed back of what hubsync wrote, one line each, for going through a rule's mistakes one by one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from hubsync.cli.build import database_of
from hubsync.cli.context import invocation
from hubsync.cli.main import script
from hubsync.cli.options import FormatOption, OutOption
from hubsync.cli.output import Column, Report, Table, emit
from hubsync.cli.runs import portal_of
from hubsync.rulefiles.load import load_rules

COLUMNS = (
    Column("at", "When"),
    Column("contact", "Contact"),
    Column("playbook", "Playbook"),
    Column("rule", "Rule"),
    Column("property", "Property"),
    Column("from", "hubsync wrote"),
    Column("to", "Changed back to"),
    Column("by", "By"),
    Column("says", "What the rule says"),
)


def export_overrides(
    context: typer.Context,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="Only those since this day.")
    ] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Only those of this rule.")] = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """List overrides (playbook A18) from hubsync's own records, oldest first. Asks HubSpot nothing, writes nothing."""
    written = {r.id: r for r in load_rules(invocation(context).settings().rules).compile().rules}
    with database_of(context) as store:
        start = since.replace(tzinfo=UTC) if since is not None else None
        found = store.overrides(portal_of(store, invocation(context).portal), since=start)
    rows = [
        (one.at, one.contact, known.playbook if known else None, one.rule, one.property, one.before, one.after, one.by,
         known.says if known else None)
        for one in sorted(found, key=lambda o: o.at)
        if rule in {None, one.rule}
        for known in [written.get(one.rule)]
    ]  # fmt: skip
    emit(Report("Overrides", Table(COLUMNS, rows)), form=form, out=out)
    return 0


if __name__ == "__main__":
    script(export_overrides)
