"""`hubsync guard`: what is held back and why, and letting it go on (design 5; playbook B4, B5).

What one-shot runs hold is released for the next sync; what the running service holds goes on within a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from hubsync.cli import guard_service
from hubsync.cli.build import database_of
from hubsync.cli.context import invocation
from hubsync.cli.guard_service import PARKED, Standing
from hubsync.cli.options import FormatOption, OutOption
from hubsync.cli.output import Column, Report, Table, emit
from hubsync.errors import SettingsError
from hubsync.policy.pacing import Burst
from hubsync.policy.words import did_you_mean
from hubsync.store.store import Store
from hubsync.store.values import Run
from hubsync.sync.holding import Holding, Waiting, read_holding, release
from hubsync.sync.plan import instant

RELEASE, RETRY = "release", "retry"
USAGE = f"`hubsync guard`, `hubsync guard release RULE|BURST|all|{PARKED}` or `hubsync guard retry [CONTACT]`"
RUNS = 50
"""Runs looked back at for those that the guard stopped."""
COLUMNS = (
    Column("contact", "Contact"),
    Column("rule", "Rule"),
    Column("subject", "What"),
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
    action: Annotated[
        str | None,
        typer.Argument(metavar="[release|retry]", help="`release` lets something go on; `retry` parked contacts."),
    ] = None,
    what: Annotated[
        str | None,
        typer.Argument(metavar=f"[RULE|BURST|all|{PARKED}|CONTACT]", help="What; `all`: all rules' limit of a day."),
    ] = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Show what is held back, by runs and by the service; `release` lets it go on, `retry` looks at parked contacts.

    Held: runs the guard stopped, rules over the service's limits, bursts, tasks that wait, contacts that can't be
    looked at. Writes nothing to the portal.
    """
    if action not in {None, RELEASE, RETRY} or (action == RELEASE and what is None):
        raise SettingsError(f"Write {USAGE}.")
    with database_of(context) as store:
        portal = _portal(store, invocation(context).portal)
        if action == RETRY or what == PARKED:
            _say(guard_service.retry(store, portal, what if action == RETRY else None))
        elif what is not None:
            _say(_release(store, portal, what))
        emit(_report(store, portal), form=form, out=out)
    return 0


def _say(said: str) -> None:
    typer.echo(said, err=True)


def _portal(store: Store, wanted: int | None) -> int:
    known = [p.id for p in store.portals()]
    if wanted is not None and wanted in known:
        return wanted
    if wanted is not None or len(known) != 1:
        raise SettingsError(
            f"Name the portal with --portal; this database knows {', '.join(map(str, known)) or 'none'}."
        )
    return known[0]


def _release(store: Store, portal: int, what: str) -> str:
    """Release everything that is held under a name: the service's rule, a burst, a rule's tasks; what it says."""
    freed = guard_service.release(store, portal, what)
    tasks = release(store, portal, what)
    said = [freed] if freed is not None else []
    if tasks is not None:
        who = "The service, or the next `hubsync sync --write`,"
        said.append(f"Released: {tasks:,} held for {what}. {who} creates and tells what is still due.")
    if not said:
        held, standing = read_holding(store, portal), guard_service.read(store, portal)
        names = [
            *(rule.name for rule in standing.rules),
            *(b.id for b in held.bursts if not b.released),
            *dict.fromkeys(t.rule for t in held.tasks),
        ]
        hint = did_you_mean(what, names) or "."
        raise SettingsError(f'Nothing is held under "{what}"; hubsync guard lists what is{hint}')
    return "\n".join(said)


def _report(store: Store, portal: int) -> Report:
    held, standing = read_holding(store, portal), guard_service.read(store, portal)
    stopped = list(_stopped(store.runs(portal, RUNS)))
    open_bursts = [b for b in held.bursts if not b.released]
    return Report(
        title=f"hubsync guard of portal {portal}",
        facts=[
            ("Portal", portal),
            ("Runs stopped since the last one that was done", ", ".join(map(_named, stopped)) or "none"),
            ("Rules held by the service", len(standing.rules)),
            ("Contacts that can't be looked at", standing.parked_in_all),
            ("Bursts held", len(open_bursts)),
            ("Tasks that wait", sum(not t.told for t in held.tasks)),
            *([("Digest entries and alerts that wait", told)] if (told := sum(t.told for t in held.tasks)) else []),
            *([("Released for the next sync", ", ".join(sorted(held.lifted)))] if held.lifted else []),
        ],
        summaries=[*guard_service.tables(standing), *([_bursts(open_bursts, held)] if open_bursts else [])],
        table=Table(COLUMNS, [_cells(t) for t in held.tasks], "What waits"),
        document=_document(portal, held, standing, stopped, open_bursts),
    )


def _named(run: Run) -> str:
    return f"{run.kind} run {run.id}, {run.started_at:%Y-%m-%d %H:%M} UTC"


def _document(
    portal: int, held: Holding, standing: Standing, stopped: list[Run], bursts: list[Burst]
) -> dict[str, Any]:
    return {
        "portal": portal,
        "stopped": [{"run": r.id, "at": instant(r.started_at), "args": dict(r.args)} for r in stopped],
        **guard_service.document(standing),
        "bursts": [_burst_json(b, held) for b in bursts],
        "tasks": [_task_json(t) for t in held.tasks if not t.told],
        "digests": [_task_json(t) for t in held.tasks if t.told],
        "released": sorted(held.lifted),
    }


def _stopped(runs: Iterable[Run]) -> Iterable[Run]:
    """Runs that the guard stopped, newest first, since the last sync that was done."""
    for run in runs:
        if run.kind == "sync" and run.state == "done":
            return
        if run.state == "stopped":
            yield run


def _count(burst: Burst, held: Holding) -> int:
    return sum(t.burst == burst.id and not t.told for t in held.tasks)


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
