"""`hubsync audit`: every contact against the policy, read from the portal; writes nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hubsync.cli.build import Workbench, workbench
from hubsync.cli.context import invocation
from hubsync.cli.options import Format, FormatOption, OutOption
from hubsync.cli.output import Cell, Column, Report, Table, emit
from hubsync.cli.progress import progress
from hubsync.errors import SettingsError
from hubsync.policy.changes import PORTAL
from hubsync.sync import overrides
from hubsync.sync.audit import Audit, Audited, run_audit
from hubsync.sync.backlog import Categories
from hubsync.sync.book import Book, Dresser, NoBook
from hubsync.sync.looking import Looker
from hubsync.sync.plan import instant
from hubsync.sync.scope import horizon_for
from hubsync.sync.spool import Spool

COLUMNS = (
    Column("contact", "Contact"),
    Column("rule", "Rule"),
    Column("playbook", "Playbook"),
    Column("kind", "Kind"),
    Column("backlog", "Backlog"),
    Column("stage", "Lifecycle stage"),
    Column("status", "Lead status"),
    Column("owner", "Owner"),
    Column("message", "What is wrong"),
    Column("property", "Property"),
    Column("from", "From"),
    Column("to", "To"),
)
SHOWN_IN_TABLE = 25
WORDS = {"correct": "to correct", "propose": "to propose", "report": "to report", "portal": "in the portal"}


def audit(
    context: typer.Context,
    form: FormatOption = None,
    out: OutOption = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Read hubsync's own copy instead of the portal. (not in this version)")
    ] = False,
) -> int:
    """Hold every contact against the policy. Writes nothing; ends with 1 if there are findings."""
    if mirror:
        raise SettingsError("--mirror: this version reads the portal only; leave the option out.")
    with workbench(context) as bench, Spool[Audited]() as spool:
        session = bench.session
        now = session.portal_now()
        horizon = horizon_for(bench.store, bench.portal, session.effective_since, now)
        dresser: Dresser = Book(bench.store, bench.portal.id, None, now=now) if bench.store else NoBook()
        looker = Looker(bench.gateway, bench.portal.policy, horizon, session.portal_now, dresser, tasks=False)
        categories = Categories(bench.portal.policy, bench.rules.files.portal.backlog)
        pages = bench.gateway.all_contacts(bench.portal.policy.properties)
        with progress("Reading contacts", verbose=invocation(context).verbose) as bar:
            lowered = overrides.findings(bench.store, bench.portal.id)
            found = run_audit(bench.portal, looker.over(pages), categories, spool, now, bar.advance, lowered)
        emit(report_of(bench, found, spool, form, out_given=out is not None), form=form, out=out)
    return 1 if found.found else 0


def report_of(
    bench: Workbench, found: Audit, spool: Spool[Audited], form: Format | None = None, *, out_given: bool = False
) -> Report:
    """The audit in every form: facts, a table by rule, and the findings."""
    on_screen = form in {None, Format.TABLE} and not out_given and sys.stdout.isatty()
    rows = _rows(bench, spool)
    facts: list[tuple[str, Cell]] = [
        ("Portal", bench.portal.id),
        ("At", found.at),
        ("Contacts", found.contacts),
        ("Findings", found.found),
    ]
    old = sum(entry["count"] for entry in found.backlog.values())
    if old:
        facts.append(("Of these, backlog", f"{old} (from before rules count; sync never writes them)"))
    if found.waiting:
        facts.append(("Still settling", found.waiting))
    if any(not gap.opt_in for gap in bench.portal.policy.gaps):
        facts.append(("Not applied", f"{_off(bench)} — hubsync check tells what the portal lacks"))
    table = Table(COLUMNS, rows, "Findings")
    if on_screen:
        table = _first(table, found.found)
    return Report(
        title=f"hubsync audit of portal {bench.portal.id}",
        facts=facts,
        summaries=_summaries(bench, found),
        table=table,
        document=_document(bench, found, spool),
    )


def _off(bench: Workbench) -> str:
    rules = {g.rule for g in bench.portal.policy.gaps if g.off and not g.opt_in}
    return f"{len(rules)} rule{'s' if len(rules) > 1 else ''}" if rules else "parts of some rules"


def _document(bench: Workbench, found: Audit, spool: Spool[Audited]) -> dict[str, Any]:
    return {
        "portal": bench.portal.id,
        "at": instant(found.at),
        "contacts": found.contacts,
        "findings": (item.row() for item in spool),
        "backlog": found.backlog,
    }


def _rows(bench: Workbench, spool: Spool[Audited]) -> Iterator[tuple[Cell, ...]]:
    policy = bench.portal.policy
    for item in spool:
        fix = item.finding.fix or ("", "", "")
        yield (
            item.contact,
            item.finding.rule,
            item.finding.playbook,
            item.finding.kind,
            item.finding.backlog,
            policy.stages.label(item.stage) if item.contact else "",
            policy.statuses.label(item.status) if item.contact else "",
            bench.portal.owner_name(item.owner) if item.contact else "",
            item.finding.message,
            *fix,
        )


def _first(table: Table, total: int) -> Table:
    """The first rows, with fewer columns: a terminal is not the place to read thousands."""
    keep = [
        n for n, c in enumerate(table.columns) if c.key in {"contact", "playbook", "stage", "status", "message", "to"}
    ]

    def rows() -> Iterator[tuple[Cell, ...]]:
        for number, row in enumerate(table.rows):
            if number >= SHOWN_IN_TABLE:
                return
            yield tuple(row[n] for n in keep)

    more = total - SHOWN_IN_TABLE
    title = (
        f"The first {SHOWN_IN_TABLE} findings; {more:,} more with --format csv or --out report.html"
        if more > 0
        else "Findings"
    )
    return Table([table.columns[n] for n in keep], rows(), title)


def _summaries(bench: Workbench, found: Audit) -> list[Table]:
    order = {"correct": 0, "propose": 1, "report": 2, PORTAL: 3}
    by_rule = sorted(found.by_rule.items(), key=lambda kv: (order[kv[0][2]], kv[0][3], kv[0][0], kv[0][1]))
    rules = Table(
        (
            Column("playbook", "Playbook"),
            Column("rule", "Rule"),
            Column("kind", "What follows"),
            Column("count", "Contacts", numeric=True),
            Column("message", "For example"),
        ),
        [
            (playbook, rule, WORDS[kind] + (", backlog" if backlog else ""), count, found.messages[rule])
            for (playbook, rule, kind, backlog), count in by_rule
        ],
        "By rule",
    )
    if not found.backlog:
        return [rules]
    categories = Categories(bench.portal.policy, bench.rules.files.portal.backlog)
    backlog = Table(
        (
            Column("category", "Category"),
            Column("count", "Contacts", numeric=True),
            Column("oldest", "Oldest"),
            Column("says", "What it is"),
        ),
        [
            (name, entry["count"], _day(entry["oldest"]), categories.says(name)[0])
            for name, entry in sorted(found.backlog.items(), key=lambda kv: -kv[1]["count"])
        ],
        "Backlog",
    )
    return [rules, backlog]


def _day(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).date().isoformat()
