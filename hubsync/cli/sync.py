"""`hubsync sync`: what the rules would change; with --write, do it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import typer

from hubsync.cli.build import Workbench, workbench
from hubsync.cli.context import invocation
from hubsync.cli.options import AllowChangesOption, AllowTasksOption, FormatOption, OutOption, WriteOption
from hubsync.cli.output import Cell, Column, Report, Table, emit
from hubsync.cli.progress import progress
from hubsync.cli.refused import refused_plan_shown
from hubsync.cli.since import moment_of
from hubsync.errors import HubsyncError, SettingsError, UnsafePlan
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.sync import reconcile
from hubsync.sync.guard import Limits, limits_of
from hubsync.sync.pacing import frozen
from hubsync.sync.plan import Row
from hubsync.sync.proofs import known_proof
from hubsync.sync.reconcile import Outcome, PlanRefused
from hubsync.sync.scope import Scope

COULD_NOT_RUN = 3
GOOD_STATES = frozenset({"planned", "proposed", "applied", "superseded", "to_withdraw", "withdrawn"})


class Stopped(HubsyncError):
    """Ctrl-C in the middle of writing; the message says how far the run came."""

    exit_code = 130


def sync(
    context: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="Look at every contact.")] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="T", help='Look at what changed since: 2026-03-31, or "3 days".')
    ] = None,
    contact: Annotated[
        list[str] | None, typer.Option("--contact", metavar="ID", help="Look at this contact; may be repeated.")
    ] = None,
    write: WriteOption = False,
    allow_changes: AllowChangesOption = None,
    allow_tasks: AllowTasksOption = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take over what an earlier database of hubsync left in the portal; once.")
    ] = False,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Plan what rules would change; with --write, do it.

    Without --full, --since or --contact: what changed since the last completed run (the first time: everything).
    Ends with 0 if all went well, 1 if HubSpot refused something or rules disagree, 4 if the guard stopped the run.
    """
    if sum((full, since is not None, bool(contact))) > 1:
        raise SettingsError("--full, --since and --contact exclude one another.")
    writes = write or invocation(context).settings().write
    began = time.monotonic()
    with workbench(context, database="made" if writes else "if there") as bench:
        scope = Scope(
            full=full,
            since=moment_of(since, bench.portal.policy, bench.session.portal_now()) if since else None,
            contacts=tuple(dict.fromkeys(contact or ())),
            overlap=timedelta(seconds=bench.settings.index_lag_seconds),
        )
        if writes:
            _say_unproved(bench)
        stands_still = frozen(bench.session.pace, bench.session.portal_now()) if writes else None
        with progress("Looking at contacts", verbose=invocation(context).verbose) as bar:
            if writes and stands_still is None:
                limits = limits_of(bench.rules.files.portal.guard, allow_changes, allow_tasks)
                with refused_plan_shown(lambda stop: _refused(bench, stop, time.monotonic() - began), form, out):
                    outcome = _write(bench, scope, limits, bar.advance, adopt)
            else:
                outcome = reconcile.plan(bench.session, scope, bar.advance, lifted=allow_tasks is not None)
        seconds = time.monotonic() - began
        emit(report_of(bench, outcome, seconds), form=form, out=out)
        if stands_still is not None:
            typer.echo(stands_still, err=True)
        _say_what_next(outcome, form is None and out is None)
        if contact:
            _say_what_is_missing(outcome, bench.portal.id)
            if not outcome.tally.contacts:
                return COULD_NOT_RUN
    return 0 if landed(outcome) else 1


def _say_unproved(bench: Workbench) -> None:
    """A run by rules of which the service has found out that they aren't proved says so; it proves nothing itself."""
    proof = known_proof(bench.written, bench.portal.id, bench.rules.digest)
    if proof is not None and not proof.holds:
        typer.echo(proof.says, err=True)


def _write(bench: Workbench, scope: Scope, limits: Limits, advance: Callable[[int], None], adopt: bool) -> Outcome:
    try:
        return reconcile.write(bench.session, bench.written, scope, limits, advance, adopt=adopt)
    except KeyboardInterrupt as stop:
        raise Stopped(str(stop) or "Stopped. Nothing was written.") from stop


def _refused(bench: Workbench, stop: UnsafePlan, seconds: float) -> Report:
    """The plan that the guard refused, as `sync` without --write shows it."""
    if not isinstance(stop, PlanRefused):
        raise stop
    return report_of(bench, stop.outcome, seconds)


def landed(outcome: Outcome) -> bool:
    """Whether nothing was refused, uncertain or overwritten for good, and no rules disagree."""
    tally = outcome.tally
    fine = all(row["state"] in GOOD_STATES for row in tally.changes)
    return fine and all(row["state"] in GOOD_STATES for row in tally.tasks) and not (tally.conflicts or tally.findings)


def report_of(bench: Workbench, outcome: Outcome, seconds: float) -> Report:
    """A plan or a run in every form; the JSON is the contract of design 6."""
    tally = outcome.tally
    facts: list[tuple[str, Cell]] = [
        ("Portal", bench.portal.id),
        ("Run", outcome.run if outcome.run is not None else "none: this is a plan, nothing was written"),
        ("Contacts looked at", tally.contacts),
        *((f"Changes {state}", count) for state, count in sorted(tally.states().items())),
        *((f"Tasks {state}", count) for state, count in sorted(_states(tally.tasks).items())),
    ]
    if tally.told:
        facts.append(("Digest entries and alerts", f"{len(tally.told)}; hubsync report digests lists them"))
    if tally.withdrawn:
        facts.append(("Tasks taken back", tally.withdrawn))
    if tally.uncertain:
        one = tally.uncertain == 1
        facts.append(
            ("Uncertain", f"{tally.uncertain} task{'' if one else 's'}; the next run settles {'it' if one else 'them'}")
        )
    lowered = sum(rule.lowered for rule in bench.portal.policy.rules)
    if lowered:
        rules = f"{lowered} rule{'' if lowered == 1 else 's'}"
        facts.append(("Held below their own mode", f"{rules}; see hubsync rollout and hubsync report overrides"))
    if tally.held:
        told = any("text" in row for row in tally.held)
        what = "Tasks, digest entries and alerts that wait" if told else "Tasks that wait"
        facts.append((what, f"{len(tally.held)}; hubsync guard lists them"))
    if tally.conflicts:
        facts.append(("Conflicts, not written", len(tally.conflicts)))
    if tally.waiting:
        facts.append(("Still settling", tally.waiting))
    if tally.backlog:
        since = f"before {outcome.since:%Y-%m-%d %H:%M} UTC" if outcome.since else "before the first write"
        facts.append(("Left as backlog", f"{tally.backlog} (causes from {since})"))
    if tally.overridden:
        facts.append(("Changed back by people", f"{tally.overridden}; hubsync report overrides lists them"))
    facts += [("Rules", notice) for notice in outcome.notices]
    facts += [("Calls", outcome.calls), ("Seconds", round(seconds, 1))]
    return Report(
        title=f"hubsync sync of portal {bench.portal.id}",
        facts=facts,
        summaries=[
            *([_tasks(bench, tally.tasks)] if tally.tasks else []),
            *([_findings(tally.findings)] if tally.findings else []),
        ],
        table=_changes(bench, tally.changes),
        document=_document(outcome, seconds),
    )


def _document(outcome: Outcome, seconds: float) -> dict[str, Any]:
    """The contract of design 6, and beside it what only some runs have to tell."""
    tally = outcome.tally
    told = {
        "findings": tally.findings,
        "overridden": tally.overridden,
        "notices": list(outcome.notices),
        "uncertain": tally.uncertain,
    }
    return {
        "run": outcome.run,
        "mode": "plan" if outcome.run is None else "write",
        "contacts": tally.contacts,
        "changes": tally.changes,
        "tasks": tally.tasks,
        "digests": tally.told,
        "conflicts": tally.conflicts,
        "held": tally.held,
        "waiting": tally.waiting,
        "calls": outcome.calls,
        "seconds": round(seconds, 3),
        **{name: value for name, value in told.items() if value},
    }


def _changes(bench: Workbench, rows: list[Row]) -> Table:
    columns = (
        Column("contact", "Contact"),
        Column("playbook", "Playbook"),
        Column("rule", "Rule"),
        Column("property", "Property"),
        Column("from", "From"),
        Column("to", "To"),
        Column("cause", "Because of"),
        Column("at", "At"),
        Column("state", "State"),
    )
    return Table(columns, (_change(bench, row) for row in rows), "Changes")


def _change(bench: Workbench, row: Row) -> tuple[Cell, ...]:
    cause = row["cause"] or {"kind": "", "at": ""}
    return (
        row["contact"],
        row["playbook"],
        row["rule"],
        row["property"],
        readable(bench, row["property"], row["from"]),
        readable(bench, row["property"], row["to"]),
        cause["kind"].replace("_", " "),
        cause["at"][:16].replace("T", " "),
        row["state"],
    )


def readable(bench: Workbench, name: str, value: str | None) -> str:
    """A value as people know it: the option's label where the portal has one, "none" for empty."""
    if not value:
        return "none"
    definition = bench.portal.definitions.get(name)
    if definition is not None and name in {STATUS, STAGE}:
        return next((o.label for o in definition.options if o.value == value), value)
    return value


def _tasks(bench: Workbench, rows: list[Row]) -> Table:
    columns = (
        Column("contact", "Contact"),
        Column("rule", "Rule"),
        Column("subject", "Subject"),
        Column("owner", "Owner"),
        Column("due", "Due"),
        Column("state", "State"),
    )
    return Table(
        columns,
        (
            (
                r["contact"],
                r["rule"],
                r["subject"],
                bench.portal.owner_name(r["owner"]),
                r["due"][:16].replace("T", " "),
                r["state"],
            )
            for r in rows
        ),
        "Tasks",
    )


def _findings(rows: list[Row]) -> Table:
    columns = (Column("contact", "Contact"), Column("rule", "Rule"), Column("message", "To be looked at"))
    return Table(columns, ((r["contact"], r["rule"], r["message"]) for r in rows), "Findings")


def _states(rows: list[Row]) -> dict[str, int]:
    return {state: sum(r["state"] == state for r in rows) for state in {r["state"] for r in rows}}


def _say_what_is_missing(outcome: Outcome, portal: int) -> None:
    for contact in outcome.tally.missing:
        typer.echo(f"Portal {portal} has no contact {contact}; it was deleted, or the id is wrong.", err=True)


def _say_what_next(outcome: Outcome, talkative: bool) -> None:
    if not talkative or not sys.stdout.isatty():
        return
    if outcome.run is None and any(r["state"] == "planned" for r in (*outcome.tally.changes, *outcome.tally.tasks)):
        typer.echo("Nothing was written. To do this: hubsync sync --write")
    elif outcome.run is not None and outcome.tally.changed_contacts():
        typer.echo(f"To take this back: hubsync undo {outcome.run}")
