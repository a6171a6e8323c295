"""`hubsync explain`: why a contact was changed, or why not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer

from hubsync.cli.build import Workbench, workbench
from hubsync.cli.options import Format, FormatOption, OutOption
from hubsync.cli.output import Cell, Column, Report, Table, emit
from hubsync.errors import SettingsError
from hubsync.policy.why import RuleWhy
from hubsync.store.values import Write
from hubsync.sync.authors import rule_named
from hubsync.sync.book import REPAIR
from hubsync.sync.explain import Explained, Field, document, done_at, is_elsewhere, readable, seen, told_of
from hubsync.sync.explain import explain as explain_contact
from hubsync.sync.standing import said

RULE_COLUMNS = (Column("playbook", "Playbook"), Column("rule", "Rule"), Column("why", "Why"))


def explain(
    context: typer.Context,
    contact: Annotated[str, typer.Argument(metavar="ID", help="The contact's id, as in its address in HubSpot.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Every condition of the rules that don't hold, not only the first.")
    ] = False,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Say what hubsync knows of a contact, which rules hold or not and why, what was done and what comes next.

    Writes nothing, and works without a database. Ends with 3 where HubSpot has no such contact.
    """
    if not contact.isdigit():
        raise SettingsError(f'"{contact}" is no contact id: it is the number at the end of the contact\'s address.')
    with workbench(context, bulk=False) as bench:
        told = explain_contact(bench.session, contact)
        emit(report_of(bench, told, everything=everything, named=form in {None, Format.TABLE}), form=form, out=out)
    return 0


def report_of(bench: Workbench, told: Explained, *, everything: bool = False, named: bool = True) -> Report:
    """An explanation in every form; `named` shows the contact's name, `everything` the whole matrix too."""
    matrix = {r.id for r in bench.portal.policy.rules if r.matrix}
    others = [r for r in told.not_held if r.rule in matrix and is_elsewhere(r)]
    not_held = told.not_held if everything else [r for r in told.not_held if r not in others]
    title = "Rules that don't hold"
    if others and not everything:
        title += f" ({len(others)} cells of the matrix for other combinations are left out: --all)"
    rules = [
        Table(RULE_COLUMNS, [_rule(r, seen(r)) for r in told.held], "Rules that hold"),
        Table(RULE_COLUMNS, [_rule(r, f"{r.hindered}; {seen(r)}") for r in told.hindered], "Rules that hold, but …"),
        Table(RULE_COLUMNS, [_rule(r, seen(r, whole=everything)) for r in not_held], title),
    ]
    return Report(
        title=f"hubsync explain {told.contact.id} of portal {bench.portal.id}",
        facts=list(_facts(bench, told, named)),
        summaries=rules,
        table=_done(bench, told),
        document=document(bench.portal, told),
    )


def _rule(one: RuleWhy, why: str) -> tuple[Cell, ...]:
    return one.playbook, one.rule, why


def _facts(bench: Workbench, told: Explained, named: bool) -> Iterator[tuple[str, Cell]]:
    portal = bench.portal
    yield "Contact", f"{told.contact.id}{f' ({told.name})' if named and told.name else ''}"
    if told.asked != told.contact.id:
        yield "Asked for", f"{told.asked}, which was merged into {told.contact.id}"
    yield "Lead status", _field(bench, told.status)
    yield "Lifecycle stage", _field(bench, told.stage)
    yield "Owner", portal.owner_name(told.contact.properties.get("hubspot_owner_id"))
    yield "Managed", "yes" if told.managed else "no: outside the scope of portal.yaml"
    if told.cycle_since is not None:
        yield "Work cycle since", said(told.cycle_since, portal)
    for name, value in told.facts:
        yield name.replace("_", " ").capitalize(), said(value, portal) if isinstance(value, datetime) else value
    for clock in told.clocks:
        if clock.ended is None:
            yield "Service level", told_of(portal, clock)
    yield from _now(bench, told)


def _field(bench: Workbench, field: Field) -> str:
    key = f" ({field.key})" if field.key else ""
    by = f", set by {field.by}" if field.by else ""
    return f"{field.label}{key} since {said(field.since, bench.portal)}{by}"


def _now(bench: Workbench, told: Explained) -> Iterator[tuple[str, Cell]]:
    """What hubsync would do now, and when it looks again."""
    decision, portal = told.decision, bench.portal
    for change in decision.changes:
        definition = portal.definitions.get(change.property)
        label = definition.label if definition is not None else change.property
        old, new = readable(portal, change.property, change.old), readable(portal, change.property, change.new)
        yield "Would change", f"{label} {old} → {new} ({change.playbook})"
    for task in decision.tasks:
        yield "Would create", f'task "{task.subject}" for {portal.owner_name(task.owner)} ({task.playbook})'
    for notice in decision.notices:
        who = portal.owner_name(notice.recipient) if notice.recipient else "marketing ops"
        yield "Would tell", f"{who} ({notice.kind}): {notice.text} ({notice.playbook})"
    for task in decision.held:
        yield "Holds back", f'task "{task.subject}": an older one was edited by a person ({task.playbook})'
    for gone in decision.withdrawn:
        yield "Would take back", f"task {gone.task.task_id}: {gone.why}"
    for finding in decision.findings:
        yield "Backlog" if finding.backlog else "Shows", f"{finding.message} ({finding.playbook})"
    for conflict in decision.conflicts:
        yield "Conflict", " and ".join(f"{rule} wants {value or 'none'}" for rule, value in conflict.wants)
    if not (decision.acts or decision.findings or decision.held or decision.conflicts):
        yield "Would do now", "nothing"
    if decision.waiting is not None:
        yield "Waits until", f"{said(decision.waiting, portal)}: a value just changed"
    again = decision.look_again
    yield "Looks again", said(again, portal) if again is not None else "when something changes"


def _done(bench: Workbench, told: Explained) -> Table:
    columns = (
        Column("run", "Run", numeric=True),
        Column("at", "At"),
        Column("rule", "Rule"),
        Column("target", "What"),
        Column("from", "From"),
        Column("to", "To"),
        Column("state", "State"),
        Column("answer", "HubSpot's answer"),
    )
    rows = [
        (
            row.run,
            said(at, bench.portal) if (at := done_at(row)) is not None else "",
            _by(row),
            row.target,
            readable(bench.portal, row.target, row.before),
            readable(bench.portal, row.target, row.after),
            row.state,
            row.answer or row.note or "",
        )
        for row in told.done
    ]
    return Table(columns, rows, "What hubsync did")


def _by(row: Write) -> str:
    name = rule_named(row)
    if row.kind != "undo":
        return name
    return f"put back after {name}" if row.cause_kind == REPAIR else f"undo of {name}"
