"""`hubsync backlog`: what lies before the moment rules count from, by category; --treat treats one (playbook B2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from hubsync.cli.build import Workbench, workbench
from hubsync.cli.context import invocation
from hubsync.cli.options import AllowChangesOption, FormatOption, OutOption, WriteOption
from hubsync.cli.output import Cell, Column, Report, Table, emit
from hubsync.cli.progress import progress
from hubsync.errors import SettingsError
from hubsync.policy.policy import Horizon
from hubsync.sync.backlog import Backlog, Categories, Pile, gather
from hubsync.sync.book import Book, Dresser, NoBook
from hubsync.sync.looking import Looker
from hubsync.sync.plan import instant
from hubsync.sync.scope import horizon_for

TOP_OWNERS = 5
COLUMNS = (
    Column("category", "Category"),
    Column("contacts", "Contacts", numeric=True),
    Column("oldest", "Oldest"),
    Column("proposed", "Proposed"),
    Column("owners", "Owners"),
    Column("samples", "For example"),
    Column("says", "What it is"),
)


def backlog(
    context: typer.Context,
    treat: Annotated[
        str | None,
        typer.Option("--treat", metavar="CATEGORY", help="Treat this category: properties only, 500 contacts an hour."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="STATUS",
            help="With --treat: this Lead status instead of the one proposed, or "
            "`correct` for what the rules would set.",
        ),
    ] = None,
    write: WriteOption = False,
    allow_changes: AllowChangesOption = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """List what lies before the moment rules count from, by category; sync never writes it.

    With --treat: what treating one category would set; with --write as well, do it. It starts no task and no clock.
    """
    if treat is not None:
        from hubsync.cli.treat import treat as run_treatment

        writes = write or invocation(context).settings().write
        return run_treatment(context, treat, to, allow_changes, writes=writes, form=form, out=out)
    if to is not None or allow_changes is not None or write:
        raise SettingsError("--to, --write and --allow-changes go with --treat CATEGORY.")
    with workbench(context) as bench:
        session = bench.session
        now = session.portal_now()
        horizon = horizon_for(bench.store, bench.portal, session.effective_since, now)
        dresser: Dresser = Book(bench.store, bench.portal.id, None, now=now) if bench.store else NoBook()
        looker = Looker(bench.gateway, bench.portal.policy, horizon, session.portal_now, dresser, tasks=False)
        categories = Categories(bench.portal.policy, bench.rules.files.portal.backlog)
        pages = bench.gateway.all_contacts(bench.portal.policy.properties)
        with progress("Reading contacts", verbose=invocation(context).verbose) as bar:
            found = gather(looker.over(pages), categories, now, bar.advance)
        emit(report_of(bench, found, categories, horizon), form=form, out=out)
    return 0


def report_of(bench: Workbench, found: Backlog, categories: Categories, horizon: Horizon) -> Report:
    """The backlog in every form, the largest category first."""
    piles = sorted(found.piles.items(), key=lambda kv: (-kv[1].contacts, kv[0]))
    since = f"{horizon.since:%Y-%m-%d %H:%M} UTC" if horizon.since else "the first hubsync sync --write, still to come"
    return Report(
        title=f"hubsync backlog of portal {bench.portal.id}",
        facts=[
            ("Portal", bench.portal.id),
            ("At", found.at),
            ("Contacts looked at", found.looked),
            ("Causes count from", since),
            ("Backlog", f"{found.contacts:,} contacts in {len(piles)} categories; sync never writes them"),
        ],
        table=Table(COLUMNS, [_cells(bench, name, pile, categories) for name, pile in piles], "Backlog"),
        document={
            "portal": bench.portal.id,
            "at": instant(found.at),
            "since": instant(horizon.since) if horizon.since else None,
            "contacts": found.looked,
            "backlog": [_as_json(name, pile, categories) for name, pile in piles],
        },
    )


def _cells(bench: Workbench, name: str, pile: Pile, categories: Categories) -> tuple[Cell, ...]:
    says, proposed = categories.says(name)
    statuses = bench.portal.policy.statuses
    label = statuses.label(proposed) if proposed in statuses.by_key else proposed
    owners = ", ".join(f"{bench.portal.owner_name(o)} {n}" for o, n in _top(pile))
    oldest = f"{pile.oldest:%Y-%m-%d}" if pile.oldest else ""
    return name, pile.contacts, oldest, label, owners, " ".join(pile.samples), says


def _top(pile: Pile) -> Sequence[tuple[str | None, int]]:
    return pile.owners.most_common(TOP_OWNERS)


def _as_json(name: str, pile: Pile, categories: Categories) -> dict[str, Any]:
    says, proposed = categories.says(name)
    return {
        "category": name,
        "says": says,
        "proposed": proposed,
        "count": pile.findings,
        "contacts": pile.contacts,
        "oldest": instant(pile.oldest) if pile.oldest else None,
        "owners": [{"owner": owner, "contacts": count} for owner, count in pile.owners.most_common()],
        "samples": pile.samples,
    }
