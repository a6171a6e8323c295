"""`hubsync guard`: what is held back and why, and releasing it for the next sync (playbook B4, B5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from hubsync.cli.build import database_of
from hubsync.cli.context import invocation
from hubsync.cli.options import FormatOption, OutOption
from hubsync.cli.output import Column, Report, Table, emit
from hubsync.errors import SettingsError
from hubsync.policy.pacing import Burst
from hubsync.policy.words import did_you_mean
from hubsync.store.store import Store
from hubsync.store.values import Run
from hubsync.sync.holding import Holding, Waiting, read_holding, release
from hubsync.sync.plan import instant

RELEASE = "release"
RUNS = 50
"""Runs looked back at for those that the guard stopped."""
COLUMNS = (
    Column("contact", "Contact"),
    Column("rule", "Rule"),
    Column("subject", "Task"),
    Column("owner", "Owner"),
    Column("why", "Why it waits"),
    Column("until", "Until"),
    Column("burst", "Burst"),
)
BURSTS = (
    Column("burst", "Burst"),
    Column("contacts", "Contacts", numeric=True),
    Column("tasks", "Tasks that wait", numeric=True),
    Column("says", "From where"),
)
WHY = {
    "cap": "the owner had their new tasks for the day",
    "burst": "many came at once",
    "hours": "outside business hours",
    "no owner": "nobody to give it to",
}


def guard(
    context: typer.Context,
    action: Annotated[str | None, typer.Argument(metavar="[release]", help="`release` lets something go on.")] = None,
    what: Annotated[str | None, typer.Argument(metavar="[RULE|BURST]", help="What to release.")] = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Show what is held back: runs the guard stopped, bursts, tasks that wait; `release` lets the next sync go on.

    Writes nothing to the portal.
    """
    if action not in {None, RELEASE} or (action == RELEASE) != (what is not None):
        raise SettingsError("Write `hubsync guard` or `hubsync guard release RULE|BURST`.")
    with database_of(context) as store:
        portal = _portal(store, invocation(context).portal)
        if what is not None:
            _release(store, portal, what)
        emit(_report(store, portal), form=form, out=out)
    return 0


def _portal(store: Store, wanted: int | None) -> int:
    known = [p.id for p in store.portals()]
    if wanted is not None and wanted in known:
        return wanted
    if wanted is not None or len(known) != 1:
        raise SettingsError(
            f"Name the portal with --portal; this database knows {', '.join(map(str, known)) or 'none'}."
        )
    return known[0]


def _release(store: Store, portal: int, what: str) -> None:
    freed = release(store, portal, what)
    if freed is None:
        held = read_holding(store, portal)
        names = [*(b.id for b in held.bursts if not b.released), *dict.fromkeys(t.rule for t in held.tasks)]
        raise SettingsError(f'Nothing is held under "{what}"{did_you_mean(what, names)}; hubsync guard lists what is.')
    typer.echo(
        f"Released: {freed:,} tasks of {what}. The next `hubsync sync --write` creates those still due.", err=True
    )


def _report(store: Store, portal: int) -> Report:
    held = read_holding(store, portal)
    stopped = list(_stopped(store.runs(portal, RUNS)))
    open_bursts = [b for b in held.bursts if not b.released]
    return Report(
        title=f"hubsync guard of portal {portal}",
        facts=[
            ("Portal", portal),
            ("Runs stopped since the last one that was done", ", ".join(str(r.id) for r in stopped) or "none"),
            ("Bursts held", len(open_bursts)),
            ("Tasks that wait", len(held.tasks)),
            *([("Released for the next sync", ", ".join(sorted(held.lifted)))] if held.lifted else []),
        ],
        summaries=[_bursts(open_bursts, held)] if open_bursts else [],
        table=Table(COLUMNS, [_cells(t) for t in held.tasks], "Tasks that wait"),
        document={
            "portal": portal,
            "stopped": [{"run": r.id, "at": instant(r.started_at), "args": dict(r.args)} for r in stopped],
            "bursts": [_burst_json(b, held) for b in open_bursts],
            "tasks": [_task_json(t) for t in held.tasks],
            "released": sorted(held.lifted),
        },
    )


def _stopped(runs: Iterable[Run]) -> Iterable[Run]:
    """Runs that the guard stopped, newest first, since the last sync that was done."""
    for run in runs:
        if run.kind == "sync" and run.state == "done":
            return
        if run.state == "stopped":
            yield run


def _count(burst: Burst, held: Holding) -> int:
    return sum(t.burst == burst.id for t in held.tasks)


def _bursts(bursts: list[Burst], held: Holding) -> Table:
    return Table(BURSTS, [(b.id, len(b.contacts), _count(b, held), b.says) for b in bursts], "Bursts")


def _burst_json(burst: Burst, held: Holding) -> dict[str, Any]:
    return {
        "burst": burst.id,
        "source": burst.source,
        "label": burst.label or None,
        "first": instant(burst.first),
        "last": instant(burst.last),
        "contacts": len(burst.contacts),
        "tasks": _count(burst, held),
    }


def _cells(task: Waiting) -> tuple[str | None, ...]:
    until = f"{task.until:%Y-%m-%d %H:%M} UTC" if task.until else "released" if task.burst else "somebody acts"
    return task.contact, task.rule, task.subject, task.owner, WHY[task.why], until, task.burst


def _task_json(task: Waiting) -> dict[str, Any]:
    return {
        "contact": task.contact,
        "rule": task.rule,
        "subject": task.subject,
        "owner": task.owner,
        "why": task.why,
        "until": instant(task.until) if task.until else None,
        "burst": task.burst or None,
    }
