"""`hubsync runs`: what hubsync did so far, run by run, from its own database alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import typer

from hubsync.cli.build import database_of
from hubsync.cli.context import invocation
from hubsync.cli.options import FormatOption, OutOption
from hubsync.cli.output import Cell, Column, Report, Table, emit
from hubsync.errors import SettingsError
from hubsync.policy.vocabulary import ANSWER, PROPOSAL
from hubsync.store.store import Store
from hubsync.store.values import NOTICES, Run, Write
from hubsync.sync.plan import Row, instant
from hubsync.sync.purging import unknown_run
from hubsync.sync.setting_up import KIND as SETUP
from hubsync.sync.taking_setup_back import recorded

CHANGES = "changes_"
RUN_COLUMNS = (
    Column("run", "Run", numeric=True),
    Column("kind", "Kind"),
    Column("started", "Started"),
    Column("state", "State"),
    Column("contacts", "Contacts", numeric=True),
    Column("changes", "Changes"),
    Column("tasks", "Tasks", numeric=True),
    Column("args", "Asked for"),
)
ROW_COLUMNS = (
    Column("contact", "Contact"),
    Column("kind", "Kind"),
    Column("playbook", "Playbook"),
    Column("rule", "Rule"),
    Column("target", "What"),
    Column("from", "From"),
    Column("to", "To"),
    Column("state", "State"),
    Column("answer", "HubSpot's answer"),
)
ADDITION_COLUMNS = (
    Column("what", "What"),
    Column("property", "Property"),
    Column("value", "Option"),
    Column("label", "Label"),
    Column("state", "State"),
    Column("why", "Why"),
)


def runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many, the newest first.")] = 20,
    show: Annotated[
        int | None, typer.Option("--show", metavar="RUN", min=1, help="What this run wrote, change by change.")
    ] = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """List past runs, newest first; with --show, what one of them wrote. Asks HubSpot nothing."""
    with database_of(context) as store:
        portal = portal_of(store, invocation(context).portal)
        report = _one(store, portal, show) if show is not None else _newest(store, portal, limit)
        emit(report, form=form, out=out)
    return 0


def portal_of(store: Store, wanted: int | None) -> int:
    """The portal asked for, or the only one of the database. Raises SettingsError where it can't be told."""
    known = [p.id for p in store.portals()]
    if wanted is not None and wanted not in known:
        raise SettingsError(f"--portal {wanted}: the database knows nothing of that portal.")
    if wanted is None and len(known) != 1:
        have = ", ".join(map(str, known))
        raise SettingsError(
            f"The database serves several portals ({have}): choose one with --portal."
            if known
            else "The database knows no portal yet: the first `hubsync sync --write` makes it known."
        )
    return wanted if wanted is not None else known[0]


def _newest(store: Store, portal: int, limit: int) -> Report:
    found = [_counted(store, portal, run) for run in store.runs(portal, limit)]
    return Report(
        title=f"hubsync runs on portal {portal}",
        facts=[("Portal", portal), ("Runs shown", len(found))],
        table=Table(RUN_COLUMNS, [_cells(run) for run in found]),
        document={"portal": portal, "runs": [_as_json(run) for run in found]},
    )


def _counted(store: Store, portal: int, run: Run) -> Run:
    """The run; with what its ledger says where it died before it could count, contacts being those it wrote to."""
    if run.state != "interrupted" or run.counts:
        return run
    rows = store.writes_of_run(portal, run.id)
    changes = Counter(w.state for w in rows if w.kind not in {"task", *NOTICES} and w.target not in {PROPOSAL, ANSWER})
    counts = {f"{CHANGES}{state}": count for state, count in changes.items()}
    tasks = sum(w.kind == "task" and w.state == "applied" for w in rows)
    return replace(run, counts={**counts, "contacts": len({w.contact for w in rows}), "tasks": tasks})


def _cells(run: Run) -> tuple[Cell, ...]:
    changes = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in _changes(run).items())
    started = f"{run.started_at:%Y-%m-%d %H:%M} UTC"
    return run.id, run.kind, started, run.state, run.counts.get("contacts", 0), changes, _tasks(run), _asked(run)


def _changes(run: Run) -> dict[str, int]:
    return {k.removeprefix(CHANGES): n for k, n in sorted(run.counts.items()) if k.startswith(CHANGES) and n}


def _tasks(run: Run) -> int:
    """Tasks created; of an undo, taken back."""
    return run.counts.get("withdrawn" if run.kind == "undo" else "tasks", 0)


def _asked(run: Run) -> str:
    """The run's arguments as the command line has them."""
    if run.kind == "undo":
        return f"run {run.args.get('undoes')}"
    parts = []
    for name, value in run.args.items():
        if isinstance(value, list) and value:
            parts.append(f"{len(value)} {name}" if len(value) > 3 else f"{name} {', '.join(map(str, value))}")
        elif value and not isinstance(value, list):
            parts.append(name if value is True else f"{name} {value}")
    return ", ".join(parts)


def _as_json(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "kind": run.kind,
        "started": instant(run.started_at),
        "finished": instant(run.finished_at) if run.finished_at else None,
        "state": run.state,
        "contacts": run.counts.get("contacts", 0),
        "changes": _changes(run),
        "tasks": _tasks(run),
        "args": dict(run.args),
        "rules": run.rules_digest,
    }


def _one(store: Store, portal: int, number: int) -> Report:
    found = store.run(portal, number)
    if found is None:
        raise unknown_run(store, portal, number)
    run = _counted(store, portal, found)
    facts: list[tuple[str, Cell]] = [(c.title, cell) for c, cell in zip(RUN_COLUMNS, _cells(run), strict=True)]
    if run.kind == SETUP:
        return _setup(run, portal, facts, recorded(store, portal, number))
    rows = store.writes_of_run(portal, number)
    return Report(
        title=f"hubsync run {number} on portal {portal}",
        facts=facts,
        table=Table(ROW_COLUMNS, _rows(rows), "What it wrote"),
        document={**_as_json(run), "writes": [_write(w) for w in rows]},
    )


def _setup(run: Run, portal: int, facts: list[tuple[str, Cell]], added: list[Row]) -> Report:
    """A setup wrote to no contact: what it added to the portal's definitions."""
    return Report(
        title=f"hubsync run {run.id} on portal {portal}",
        facts=facts,
        table=Table(ADDITION_COLUMNS, [tuple(row[c.key] for c in ADDITION_COLUMNS) for row in added], "What it added"),
        document={**_as_json(run), "writes": [], "additions": added},
    )


def _rows(rows: tuple[Write, ...]) -> Iterator[tuple[Cell, ...]]:
    for w in rows:
        answer = w.answer or w.note
        yield w.contact, w.kind, w.playbook, w.rule, w.target, w.before, w.after, w.state, answer


def _write(w: Write) -> dict[str, Any]:
    return {
        "contact": w.contact,
        "kind": w.kind,
        "playbook": w.playbook,
        "rule": w.rule,
        "target": w.target,
        "from": w.before,
        "to": w.after,
        "state": w.state,
        "answer": w.answer,
        "note": w.note,
        "object": w.object_id,
    }
