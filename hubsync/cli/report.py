"""`hubsync report`: what hubsync's own records tell, from its database alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import typer

from hubsync.cli.build import database_of
from hubsync.cli.context import invocation
from hubsync.cli.digests import digests
from hubsync.cli.options import FormatOption, OutOption
from hubsync.cli.output import Cell, Column, Report, Table, emit
from hubsync.cli.runs import portal_of
from hubsync.cli.since import moment_of
from hubsync.policy.policy import Policy
from hubsync.policy.tuning import ENOUGH, TOO_MANY, Record
from hubsync.rulefiles.load import load_rules
from hubsync.store.values import Override
from hubsync.sync.book import SET_STATUS, UNDO
from hubsync.sync.overrides import RuleRecord, records, to_be_tuned
from hubsync.sync.plan import instant

__all__ = ["digests", "overrides"]

SHOWN = 3
"""Of the latest overrides of each rule, so many stand in the table; the other forms have them all."""
COLUMNS = (
    Column("rule", "Rule"),
    Column("playbook", "Playbook"),
    Column("writes", "Writes", numeric=True),
    Column("overridden", "Changed back", numeric=True),
    Column("share", "Share", numeric=True),
    Column("standing", "Standing"),
    Column("latest", "Latest"),
)
ASKED_FOR = {SET_STATUS: "no rule: hubsync set-status", UNDO: "no rule: hubsync undo"}
"""What people changed of what somebody had asked for counts against no rule."""


def overrides(
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option("--since", metavar="T", help='Count from then on: 2026-03-31, or "30 days".')
    ] = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Show what people changed back of what rules wrote, rule by rule. Asks HubSpot nothing.

    A rule of which more than 10 % of at least 20 writes were changed back only proposes until it is changed.
    """
    policy = load_rules(invocation(context).settings().rules).compile()
    moment = moment_of(since, policy) if since else None
    with database_of(context) as store:
        portal = portal_of(store, invocation(context).portal)
        found = records(store, portal, since=moment)
        tuning = to_be_tuned(store, portal)
    emit(_report(portal, moment, found, tuning, policy), form=form, out=out)
    return 0


def _report(
    portal: int, since: datetime | None, found: list[RuleRecord], tuning: dict[str, Record], policy: Policy
) -> Report:
    playbooks = {rule.id: rule.playbook for rule in policy.rules}
    by_rules = [r.record for r in found if r.record.rule not in ASKED_FOR]
    writes, changed = sum(r.writes for r in by_rules), sum(r.overridden for r in by_rules)
    facts: list[tuple[str, Cell]] = [
        ("Portal", portal),
        ("Since", f"{since:%Y-%m-%d %H:%M} UTC" if since else "the first write"),
        ("Changed back", f"{changed:,} of {writes:,} writes"),
    ]
    if tuning:
        names = ", ".join(sorted(tuning))
        facts.append(("Up for tuning", f"{names}: over {TOO_MANY:.0%} of at least {ENOUGH} writes; only proposes"))
    return Report(
        title=f"hubsync report overrides of portal {portal}",
        facts=facts,
        table=Table(COLUMNS, [_cells(r, playbooks, tuning) for r in found], "Rules"),
        document={
            "portal": portal,
            "since": instant(since) if since else None,
            "rules": [_as_json(r, playbooks, tuning) for r in found],
        },
    )


def _cells(found: RuleRecord, playbooks: dict[str, str], tuning: dict[str, Record]) -> tuple[Cell, ...]:
    record = found.record
    return (
        record.rule,
        playbooks.get(record.rule, ""),
        record.writes,
        record.overridden,
        f"{record.share:.1%}",
        "up for tuning: only proposes" if record.rule in tuning else ASKED_FOR.get(record.rule, ""),
        "; ".join(_says(found.latest[:SHOWN])),
    )


def _says(latest: Iterable[Override]) -> Iterable[str]:
    for one in latest:
        yield f"{one.contact}: {one.before or 'none'} → {one.after or 'none'} by {one.by} on {one.at:%Y-%m-%d}"


def _as_json(found: RuleRecord, playbooks: dict[str, str], tuning: dict[str, Record]) -> dict[str, Any]:
    record = found.record
    return {
        "rule": record.rule,
        "playbook": playbooks.get(record.rule),
        "writes": record.writes,
        "overridden": record.overridden,
        "share": round(record.share, 4),
        "up_for_tuning": record.rule in tuning,
        "overrides": [
            {
                "contact": one.contact,
                "property": one.property,
                "at": instant(one.at),
                "by": one.by,
                "from": one.before,
                "to": one.after,
            }
            for one in found.latest
        ],
    }
