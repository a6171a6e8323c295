"""`hubsync backlog --treat CATEGORY`: what treating a category sets, who else is at work there, and doing it."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from hubsync.cli.build import Workbench, workbench
from hubsync.cli.context import invocation
from hubsync.cli.options import Format
from hubsync.cli.output import Cell, Column, Report, Table, emit
from hubsync.cli.progress import progress
from hubsync.cli.refused import refused_plan_shown
from hubsync.cli.sync import Stopped, readable
from hubsync.policy.vocabulary import STATUS
from hubsync.sync.backlog import Categories
from hubsync.sync.checkup import own_app
from hubsync.sync.guard import limits_of
from hubsync.sync.others import MANY, others_at_work
from hubsync.sync.plan import instant
from hubsync.sync.treating import Treated, Treatment, plan_treatment, treatment_of, write_treatment

GOOD_STATES = frozenset({"planned", "applied"})
COLUMNS = (
    Column("contact", "Contact"),
    Column("property", "Property"),
    Column("from", "From"),
    Column("to", "To"),
    Column("at", "Counts from"),
    Column("state", "State"),
)


def treat(
    context: typer.Context,
    category: str,
    wanted: str | None,
    allow_changes: int | None,
    *,
    writes: bool,
    form: Format | None,
    out: Path | None,
) -> int:
    """Treat one category of the backlog, or show what that would do. Ends with 1 where something was refused."""
    with workbench(context, database="made" if writes else "if there") as bench:
        categories = Categories(bench.portal.policy, bench.rules.files.portal.backlog)
        treatment = treatment_of(bench.portal, categories, category, wanted)
        with progress("Reading contacts", verbose=invocation(context).verbose) as bar:
            planned = plan_treatment(bench.session, categories, treatment, bar.advance)
        _warn(bench, planned)
        done = planned
        if writes:
            limits = limits_of(bench.rules.files.portal.guard, allow_changes)
            try:
                with refused_plan_shown(lambda _: report_of(bench, planned, writes=False), form, out):
                    done = write_treatment(bench.session, bench.written, categories, treatment, limits)
            except KeyboardInterrupt as stop:
                raise Stopped(str(stop) or "Stopped. Nothing was written.") from stop
        emit(report_of(bench, done, writes=writes), form=form, out=out)
        if form is None and out is None and sys.stdout.isatty():
            _say_what_next(done, writes=writes)
    fine = all(row["state"] in GOOD_STATES for row in done.tally.changes)
    return 0 if fine and not done.tally.findings else 1


def _warn(bench: Workbench, planned: Treated) -> None:
    """B3: who else writes the fields, before many contacts are written."""
    if planned.found > MANY:
        typer.echo(f"Before {planned.found:,} contacts are written, who else is at work on them:", err=True)
        app_id = bench.session.app_id or own_app(bench.store, bench.portal.id, planned.sample)
        for line in others_at_work(planned.sample, bench.portal, app_id):
            typer.echo(f"- {line}", err=True)


def report_of(bench: Workbench, treated: Treated, *, writes: bool) -> Report:
    """What treating comes to, or came to, in every form."""
    treatment, tally = treated.treatment, treated.tally
    facts: list[tuple[str, Cell]] = [
        ("Portal", bench.portal.id),
        ("Run", treated.run if treated.run is not None else "none" if writes else "none: nothing was written"),
        ("Category", f"{treatment.category}: {treatment.says}"),
        ("Set to", _target(bench, treatment)),
        ("Clock", "from now" if treatment.from_now else "none starts: it counts as old as its cause"),
        ("Contacts looked at", tally.contacts),
        *((f"Changes {state.replace('_', ' ')}", count) for state, count in sorted(tally.states().items())),
    ]
    if treated.left:
        facts.append(("Left for later", f"{treated.left:,}; run it again from {treated.again:%Y-%m-%d %H:%M} UTC on"))
    facts += [("To be looked at", row["message"]) for row in tally.findings]
    return Report(
        title=f"hubsync backlog --treat {treatment.category} on portal {bench.portal.id}",
        facts=facts,
        table=Table(
            COLUMNS,
            [
                (
                    row["contact"],
                    row["property"],
                    readable(bench, row["property"], row["from"]),
                    readable(bench, row["property"], row["to"]),
                    row["cause"]["at"][:16].replace("T", " "),
                    row["state"].replace("_", " "),
                )
                for row in tally.changes
            ],
            "Changes",
        ),
        document={
            "run": treated.run,
            "mode": "write" if writes else "plan",
            "category": treatment.category,
            "contacts": tally.contacts,
            "found": treated.found,
            "left": treated.left,
            "again": instant(treated.again) if treated.left and treated.again else None,
            "changes": tally.changes,
            "findings": tally.findings,
        },
    )


def _target(bench: Workbench, treatment: Treatment) -> str:
    return readable(bench, STATUS, treatment.value) if treatment.value is not None else "what its rules would set"


def _say_what_next(treated: Treated, *, writes: bool) -> None:
    if not writes and treated.tally.changes:
        typer.echo("Nothing was written. To do this, add --write")
    elif treated.run is not None:
        typer.echo(f"To take this back: hubsync undo {treated.run}")
