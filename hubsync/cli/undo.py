"""`hubsync undo`: what taking a run back would do; with --write, do it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from hubsync.cli.build import Workbench, workbench
from hubsync.cli.context import invocation
from hubsync.cli.options import AllowChangesOption, Format, FormatOption, OutOption, WriteOption
from hubsync.cli.output import Cell, Column, Report, Table, emit
from hubsync.cli.progress import progress
from hubsync.cli.refused import refused_plan_shown
from hubsync.cli.setup import undo_report_of
from hubsync.cli.sync import Stopped, readable
from hubsync.sync.guard import Limits, limits_of
from hubsync.sync.taking_back import Change, TaskBack, Undoing
from hubsync.sync.taking_setup_back import is_setup, plan_setup_undo, write_setup_undo
from hubsync.sync.undo import plan_undo, write_undo

COLUMNS = (
    Column("contact", "Contact"),
    Column("property", "Property"),
    Column("now", "Now"),
    Column("back_to", "Back to"),
    Column("state", "State"),
    Column("why", "What happens"),
)
TASK_COLUMNS = (
    Column("contact", "Contact"),
    Column("task", "Task"),
    Column("subject", "Subject"),
    Column("state", "State"),
    Column("why", "What happens"),
)


def undo(
    context: typer.Context,
    run: Annotated[int, typer.Argument(metavar="RUN", min=1, help="Number of the run; hubsync runs lists them.")],
    write: WriteOption = False,
    allow_backward: Annotated[
        bool, typer.Option("--allow-backward", help="Also move Lifecycle stages backward.")
    ] = False,
    allow_changes: AllowChangesOption = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Preview taking a run back; with --write, do it.

    What a person or a later run has changed since is left alone, and what a person sets in the very moment is put back.
    Ends with 0 if all went (or would go) back, 1 if something was skipped or refused, or somebody else wrote at that
    moment, 2 if there is no such run, 4 if the guard stopped it.
    """
    writes = write or invocation(context).settings().write
    with workbench(context, database="needed") as bench:
        if is_setup(bench.written, bench.portal.id, run):
            return _undo_setup(bench, run, writes, form, out)
        if writes:
            limits = limits_of(bench.rules.files.portal.guard, allow_changes)
            with (
                refused_plan_shown(lambda _: _preview(bench, run, allow_backward, form, out), form, out),
                progress("Taking back", verbose=invocation(context).verbose) as bar,
            ):
                undoing = _write(bench, run, limits, allow_backward, bar.advance)
        else:
            undoing = plan_undo(bench.session, bench.written, run, allow_backward=allow_backward)
        emit(report_of(bench, undoing, writes, rows_alone=_is_csv(form, out)), form=form, out=out)
        if form is None and out is None and not writes and undoing.has_work and sys.stdout.isatty():
            more = " --allow-backward" if allow_backward else ""
            typer.echo(f"Nothing was written. To do this: hubsync undo {run}{more} --write")
    return 0 if undoing.whole else 1


def _preview(bench: Workbench, run: int, allow_backward: bool, form: Format | None, out: Path | None) -> Report:
    undoing = plan_undo(bench.session, bench.written, run, allow_backward=allow_backward)
    return report_of(bench, undoing, False, rows_alone=_is_csv(form, out))


def _undo_setup(bench: Workbench, run: int, writes: bool, form: Format | None, out: Path | None) -> int:
    """A setup changed no contact: what it added to the portal's definitions is taken back, while unused."""
    act = write_setup_undo if writes else plan_setup_undo
    undoing = act(bench.session, bench.written, run)
    emit(undo_report_of(bench, undoing, writes), form=form, out=out)
    return 0 if undoing.whole else 1


def _write(bench: Workbench, run: int, limits: Limits, allow_backward: bool, advance: Callable[[int], None]) -> Undoing:
    try:
        return write_undo(bench.session, bench.written, run, limits, allow_backward=allow_backward, advance=advance)
    except KeyboardInterrupt as stop:
        raise Stopped(str(stop) or "Stopped. Nothing was written.") from stop


def report_of(bench: Workbench, undoing: Undoing, writes: bool, *, rows_alone: bool = False) -> Report:
    """An undo in every form. Stage moves stand apart, except where rows come out alone (CSV)."""
    apart = [] if rows_alone else [c for c in undoing.changes if c.backward]
    rest = undoing.changes if rows_alone else [c for c in undoing.changes if not c.backward]
    summaries = []
    if apart:
        summaries.append(Table(COLUMNS, [_row(bench, c) for c in apart], "Lifecycle stages that would go backward"))
    if undoing.tasks:
        summaries.append(Table(TASK_COLUMNS, [_task_row(t) for t in undoing.tasks], "Tasks"))
    return Report(
        title=f"hubsync undo of run {undoing.undoes.id} on portal {bench.portal.id}",
        facts=_facts(bench, undoing, writes),
        summaries=summaries,
        table=Table(COLUMNS, [_row(bench, c) for c in rest], "Changes"),
        document=_document(undoing, writes),
    )


def _facts(bench: Workbench, undoing: Undoing, writes: bool) -> list[tuple[str, Cell]]:
    run = undoing.undoes
    number: Cell = undoing.run
    if number is None:
        number = "none: nothing to do" if writes else "none: this is a preview, nothing was written"
    facts: list[tuple[str, Cell]] = [
        ("Portal", bench.portal.id),
        ("Undoes", f"run {run.id} ({run.kind}, {run.started_at:%Y-%m-%d %H:%M} UTC)"),
        ("Run", number),
    ]
    states = [c.state for c in undoing.changes]
    facts += [(f"Changes {state}", states.count(state)) for state in sorted(set(states))]
    tasks = [t.state for t in undoing.tasks]
    facts += [(f"Tasks {state.replace('_', ' ')}", tasks.count(state)) for state in sorted(set(tasks))]
    if undoing.told:
        facts.append(("Digest entries and alerts dropped", len(undoing.told)))
    if undoing.before:
        facts.append(("Undone before", undoing.before))
    if undoing.purged:
        facts.append(("Purged, so left as they are", undoing.purged))
    if not undoing.changes and not undoing.tasks and not undoing.told:
        facts.append(("Left to undo", 0))
    return facts


def _row(bench: Workbench, change: Change) -> tuple[Cell, ...]:
    row = change.write
    definition = bench.portal.definitions.get(row.target)
    return (
        row.contact,
        definition.label if definition is not None else row.target,
        readable(bench, row.target, change.now),
        readable(bench, row.target, row.before),
        change.state,
        _what(change.state, change.why),
    )


def _what(state: str, why: str) -> str:
    """The reason, led by what it means where the reason alone doesn't say."""
    return f"skipped: {why}" if state == "skipped" else f"refused: {why}" if _is_refusal(state, why) else why


def _is_refusal(state: str, why: str) -> bool:
    return state == "refused" and not why.startswith("stage: ")


def _task_row(task: TaskBack) -> tuple[Cell, ...]:
    return task.write.contact, task.write.object_id, task.write.after, task.state, task.why


def _document(undoing: Undoing, writes: bool) -> dict[str, Any]:
    return {
        "run": undoing.run,
        "undoes": undoing.undoes.id,
        "mode": "write" if writes else "plan",
        "changes": [c.row() for c in undoing.changes],
        "tasks": [t.row() for t in undoing.tasks],
        **({"digests": len(undoing.told)} if undoing.told else {}),
    }


def _is_csv(form: Format | None, out: Path | None) -> bool:
    return form is Format.CSV or (form is None and out is not None and out.suffix.lower() == ".csv")
