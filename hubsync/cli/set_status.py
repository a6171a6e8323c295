"""`hubsync set-status`: the Lead status of many contacts, by conditions or by a list; with --write, do it."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hubsync.cli.build import Workbench, workbench
from hubsync.cli.context import invocation
from hubsync.cli.options import AllowChangesOption, FormatOption, OutOption, WriteOption
from hubsync.cli.output import Cell, Column, Report, Table, emit
from hubsync.cli.progress import progress
from hubsync.cli.refused import refused_plan_shown
from hubsync.cli.sync import Stopped, readable
from hubsync.errors import SettingsError, UnsafePlan
from hubsync.policy.vocabulary import STATUS
from hubsync.sync.bulk import Bulk, BulkChange, BulkRefused, plan_bulk, write_bulk
from hubsync.sync.bulk_list import read_list
from hubsync.sync.bulk_pick import REASON, Asked, reason_option
from hubsync.sync.bulk_where import Statuses, compile_where
from hubsync.sync.checkup import own_app
from hubsync.sync.guard import limits_of
from hubsync.sync.others import MANY, others_at_work

COLUMNS = (
    Column("contact", "Contact"),
    Column("property", "Property"),
    Column("from", "From"),
    Column("to", "To"),
    Column("state", "State"),
    Column("warning", "What doesn't fit"),
)


def set_status(
    context: typer.Context,
    status: Annotated[
        str | None,
        typer.Argument(metavar="STATUS", help="The Lead status: a key of portal.yaml, HubSpot's value or its label."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help='Which contacts, in the words of the rule files: "lead_status is_any_of new, attempting". May be '
            "repeated; all must hold.",
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Which contacts: a CSV file with id[,status[,reason]]."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with every change.")] = "",
    write: WriteOption = False,
    allow_changes: AllowChangesOption = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Preview setting the Lead status of many contacts; with --write, do it.

    Counts as a person's choice: no rule changes it back for something that happened before. What a person sets in the
    very moment of the write is put back. Ends with 0 if all can be (or was) set, 1 if a contact was refused, skipped or
    held, or somebody else wrote to it at that moment, 2 for a fault in what was asked, 4 if the guard stopped it.
    `hubsync undo` takes it back.
    """
    _refuse_half_asked(status, where, source)
    writes = write or invocation(context).settings().write
    began = time.monotonic()
    with workbench(context, database="made" if writes else "if there") as bench:
        asked = _asked(bench, status, where or [], source, reason.strip())
        with progress("Looking at contacts", verbose=invocation(context).verbose) as bar:
            if writes:
                with refused_plan_shown(lambda stop: _refused(bench, asked, stop, began), form, out):
                    bulk = _write(bench, asked, allow_changes, bar.advance)
            else:
                bulk = plan_bulk(bench.session, asked, bar.advance)
                _say_who_else(bench, bulk)
        seconds = time.monotonic() - began
        emit(report_of(bench, asked, bulk, writes=writes, seconds=seconds), form=form, out=out)
        if form is None and out is None and sys.stdout.isatty():
            _say_what_next(bulk, writes=writes)
    return 0 if bulk.whole else 1


def _say_who_else(bench: Workbench, bulk: Bulk) -> None:
    """B3: who else writes the two fields of these contacts, before many of them are written."""
    if bulk.chosen > MANY:
        typer.echo(f"Before {bulk.chosen:,} contacts are written, who else is at work on them:", err=True)
        app_id = bench.session.app_id or own_app(bench.store, bench.portal.id, bulk.sample)
        for line in others_at_work(bulk.sample, bench.portal, app_id):
            typer.echo(f"- {line}", err=True)


def _refuse_half_asked(status: str | None, where: list[str] | None, source: Path | None) -> None:
    if (not where) == (source is None):
        raise SettingsError("Say which contacts: with --where (may be repeated), or with --from FILE.csv, not both.")
    if where and status is None:
        raise SettingsError("Say which Lead status: hubsync set-status STATUS --where ….")


def _asked(bench: Workbench, status: str | None, where: Sequence[str], source: Path | None, reason: str) -> Asked:
    """What is asked for, in the portal's values. Raises SettingsError with every fault found."""
    statuses = Statuses(bench.rules.files.portal, bench.portal)
    faults: list[str] = []
    value = None
    if status is not None:
        try:
            value = statuses.value(status)
        except ValueError as error:
            faults.append(f"STATUS: {error}")
    conditions = None
    if where:
        conditions, wrong = compile_where(where, bench.rules.files, bench.portal)
        faults += wrong
    if faults:
        raise SettingsError("\n".join([*faults, "Nothing was done."]))
    listed = read_list(source, statuses.value, value, reason) if source is not None else None
    return Asked(value or "", reason, conditions, tuple(where), listed)


def _write(bench: Workbench, asked: Asked, allow_changes: int | None, advance: Callable[[int], None]) -> Bulk:
    limits = limits_of(bench.rules.files.portal.guard, allow_changes)
    try:
        return write_bulk(
            bench.session, bench.written, asked, limits, advance, announce=lambda bulk: _say_who_else(bench, bulk)
        )
    except KeyboardInterrupt as stop:
        raise Stopped(str(stop) or "Stopped. Nothing was written.") from stop


def _refused(bench: Workbench, asked: Asked, stop: UnsafePlan, began: float) -> Report:
    """What the guard refused, or what a freeze keeps from being written, as a preview shows it."""
    bulk = stop.bulk if isinstance(stop, BulkRefused) else plan_bulk(bench.session, asked)
    return report_of(bench, asked, bulk, writes=False, seconds=time.monotonic() - began)


def report_of(bench: Workbench, asked: Asked, bulk: Bulk, *, writes: bool, seconds: float) -> Report:
    """A preview or a run in every form."""
    number: Cell = bulk.run
    if number is None:
        number = "none: nothing to do" if writes else "none: this is a preview, nothing was written"
    facts: list[tuple[str, Cell]] = [
        ("Portal", bench.portal.id),
        ("Run", number),
        ("Contacts looked at", bulk.contacts),
        *((f"Changes {state.replace('_', ' ')}", count) for state, count in sorted(bulk.states().items())),
    ]
    if bulk.already:
        facts.append(("As asked already", bulk.already))
    if bulk.overwrote:
        facts.append(("Written over unseen", f"{bulk.overwrote} (set in that very moment; named below)"))
    if asked.reason and not reason_option(bench.session, asked.reason):
        facts.append(("Reason", f"kept in the ledger; {REASON} has no option for it"))
    facts += [("Calls", bench.gateway.calls), ("Seconds", round(seconds, 1))]
    return Report(
        title=f"hubsync set-status on portal {bench.portal.id}",
        facts=facts,
        summaries=_summaries(bench, bulk.changes),
        table=Table(COLUMNS, [_row(bench, c) for c in bulk.changes], "Changes"),
        document=_document(bench, bulk, writes, seconds),
    )


def _summaries(bench: Workbench, changes: Sequence[BulkChange]) -> list[Table]:
    """How many contacts go from where to where, and what doesn't fit how often."""
    mine = [c for c in changes if c.setting.property == STATUS]
    moves = Counter((c.setting.old, c.setting.new, c.state) for c in mine)
    told = Counter(c.warning for c in mine if c.warning)
    count = Column("contacts", "Contacts", numeric=True)
    tables = []
    if moves:
        rows = [(_shown(bench, o), _shown(bench, n), s.replace("_", " "), k) for (o, n, s), k in moves.most_common()]
        tables.append(Table((*COLUMNS[2:5], count), rows, "From where to where"))
    if told:
        tables.append(Table((COLUMNS[5], count), told.most_common(), "What doesn't fit"))
    return tables


def _row(bench: Workbench, change: BulkChange) -> tuple[Cell, ...]:
    name = change.setting.property
    return (
        change.contact,
        bench.portal.definitions[name].label,
        readable(bench, name, change.setting.old),
        readable(bench, name, change.setting.new),
        change.state.replace("_", " "),
        change.warning,
    )


def _shown(bench: Workbench, value: str) -> str:
    return readable(bench, STATUS, value)


def _document(bench: Workbench, bulk: Bulk, writes: bool, seconds: float) -> dict[str, Any]:
    return {
        "run": bulk.run,
        "mode": "write" if writes else "plan",
        "contacts": bulk.contacts,
        "changes": [c.row() for c in bulk.changes],
        "calls": bench.gateway.calls,
        "seconds": round(seconds, 3),
    }


def _say_what_next(bulk: Bulk, *, writes: bool) -> None:
    if not writes and any(c.state == "planned" for c in bulk.changes):
        typer.echo("Nothing was written. To do this, add --write")
    elif bulk.run is not None and any(c.state == "applied" for c in bulk.changes):
        typer.echo(f"To take this back: hubsync undo {bulk.run}")
