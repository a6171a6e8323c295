"""`hubsync setup`: what the rules need and the portal lacks; with --write, add it. And the way back."""

from __future__ import annotations

import sys
from typing import Any

import typer

from hubsync.cli.build import Workbench, workbench
from hubsync.cli.context import invocation
from hubsync.cli.options import FormatOption, OutOption, WriteOption
from hubsync.cli.output import Cell, Column, Report, Table, emit
from hubsync.sync.setting_up import Setup, plan_setup, write_setup
from hubsync.sync.taking_setup_back import SetupUndoing

COLUMNS = (
    Column("what", "What"),
    Column("property", "Property"),
    Column("value", "Option"),
    Column("label", "Label"),
    Column("state", "State"),
    Column("why", "Why"),
)
NOT_WRITTEN = "none: this is a preview, nothing was written"


def setup(context: typer.Context, write: WriteOption = False, form: FormatOption = None, out: OutOption = None) -> int:
    """Preview the properties and options that the rules need and the portal lacks; with --write, create them.

    What is the portal's own is never deleted, reordered, renamed or un-hidden. `hubsync undo` takes back what was
    added, as long as nobody uses it. Ends with 0 if all was (or can be) added, 1 if something was refused.
    """
    writes = write or invocation(context).settings().write
    with workbench(context, bulk=False, database="made" if writes else "if there") as bench:
        spec = bench.rules.files.portal
        if writes:
            found = write_setup(bench.session, bench.written, spec)
        else:
            found = plan_setup(bench.gateway, bench.portal, spec)
        emit(report_of(bench, found, writes), form=form, out=out)
        if form is None and out is None and not writes and found.has_work and sys.stdout.isatty():
            typer.echo("Nothing was written. To do this: hubsync setup --write")
    return 0 if found.whole else 1


def report_of(bench: Workbench, found: Setup, writes: bool) -> Report:
    """A setup in every form."""
    number: Cell = found.run
    if number is None:
        number = "none: nothing to add" if writes else NOT_WRITTEN
    facts: list[tuple[str, Cell]] = [("Portal", bench.portal.id), ("Run", number)]
    states = [a.state for a in found.additions]
    facts += [(state.capitalize(), states.count(state)) for state in dict.fromkeys(states)]
    if not found.additions:
        facts.append(("Lacking", "nothing: the portal has all that the rules need"))
    if found.missing_scopes:
        facts.append(("Missing scope", ", ".join(found.missing_scopes)))
    facts += [("Note", note) for note in found.notes]
    return Report(
        title=f"hubsync setup of portal {bench.portal.id}",
        facts=facts,
        table=Table(
            COLUMNS,
            [(a.what, a.target, a.value, a.label, a.state, a.why) for a in found.additions],
            "What the rules need and the portal lacks",
        ),
        document={
            "portal": bench.portal.id,
            "run": found.run,
            "mode": "write" if writes else "plan",
            "additions": [a.row() for a in found.additions],
            "missing_scopes": list(found.missing_scopes),
            "notes": found.notes,
        },
    )


def undo_report_of(bench: Workbench, undoing: SetupUndoing, writes: bool) -> Report:
    """The undo of a setup in every form, of the shape that `hubsync undo` has."""
    run = undoing.undoes
    number: Cell = undoing.run
    if number is None:
        number = "none: nothing to do" if writes else NOT_WRITTEN
    states = [r.state for r in undoing.removals]
    facts: list[tuple[str, Cell]] = [
        ("Portal", bench.portal.id),
        ("Undoes", f"run {run.id} ({run.kind}, {run.started_at:%Y-%m-%d %H:%M} UTC)"),
        ("Run", number),
        *((state.replace("_", " ").capitalize(), states.count(state)) for state in dict.fromkeys(states)),
    ]
    document: dict[str, Any] = {
        "run": undoing.run,
        "undoes": run.id,
        "mode": "write" if writes else "plan",
        "changes": [],
        "tasks": [],
        "definitions": [r.row() for r in undoing.removals],
    }
    rows = [(r.what, r.target, r.value, r.label, r.state, r.why) for r in undoing.removals]
    return Report(
        title=f"hubsync undo of run {run.id} on portal {bench.portal.id}",
        facts=facts,
        table=Table(COLUMNS, rows, "What the setup added"),
        document=document,
    )
