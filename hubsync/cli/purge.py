"""`hubsync db purge`: what is older than its retention, or all of one contact, out of hubsync's own database."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from hubsync.cli.build import database_of, local_now
from hubsync.cli.context import invocation
from hubsync.cli.options import FormatOption, OutOption
from hubsync.cli.output import Column, Report, Table, emit
from hubsync.cli.progress import progress
from hubsync.cli.runs import portal_of
from hubsync.errors import SettingsError
from hubsync.store.store import Store
from hubsync.sync.plan import instant
from hubsync.sync.purging import SHORTEST, cut_for, erase, preview_erasure, preview_purge
from hubsync.sync.purging import purge as delete_old

COLUMNS = (Column("table", "Table"), Column("rows", "Rows", numeric=True))
MEANING = {
    "contact": "what contacts looked like when they were last looked at",
    "contact_alias": "ids that were merged away",
    "faded": "fingerprints of causes that have fired",
    "override": "what people changed back",
    "plan_entry": "lines of plans",
    "run": "runs",
    "status_change": "history of statuses and stages",
    "stint": "stays in statuses and stages",
    "tombstone": "marks of erased contacts that have run out",
    "work": "contacts to be looked at",
    "write": "the ledger: what was written and why",
}


def purge(
    context: typer.Context,
    older_than: Annotated[
        int | None,
        typer.Option(
            "--older-than", metavar="DAYS", min=SHORTEST.days, help="Instead of HUBSYNC_RETENTION_DAYS (at least 60)."
        ),
    ] = None,
    contact: Annotated[
        str | None, typer.Option("--contact", metavar="ID", help="Erase all that is stored of this contact instead.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Delete. Without it: how many rows would go.")] = False,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Show what is older than its retention in hubsync's database; with --write, delete it.

    HubSpot is neither asked nor changed, and a service may run beside. Nothing that fired fires again. What is needed
    stays however old it is: open tasks, writes whose outcome isn't known, the latest write to each property, setups.
    """
    if contact is not None and older_than is not None:
        raise SettingsError("--contact and --older-than exclude one another.")
    if contact is not None and not contact.isdecimal():
        raise SettingsError("--contact takes the id of a contact, a number.")
    with database_of(context) as store:
        portal = portal_of(store, invocation(context).portal)
        if contact is not None:
            report = _of_contact(store, portal, contact, write)
        else:
            days = older_than if older_than is not None else invocation(context).settings().retention_days
            report = _of_age(context, store, portal, days, write)
        emit(report, form=form, out=out)
    return 0


def _of_age(context: typer.Context, store: Store, portal: int, days: int, write: bool) -> Report:
    cut = cut_for(local_now(), timedelta(days=days))
    if write:
        with progress("Purging", verbose=invocation(context).verbose) as bar:
            rows = delete_old(store, portal, cut, bar.advance)
    else:
        rows = preview_purge(store, portal, cut)
    before = {"before": instant(cut.before), "contact": None}
    what = f"older than {days:,} days (before {cut.before:%Y-%m-%d})"
    return _report(portal, what, {table: n for table, n in rows.items() if n}, write, before)


def _of_contact(store: Store, portal: int, contact: str, write: bool) -> Report:
    rows = {table: n for table, n in preview_erasure(store, portal, contact).items() if n}
    if write:
        erase(store, portal, [contact], local_now())
    return _report(portal, f"contact {contact}", rows, write, {"before": None, "contact": contact})


def _report(portal: int, what: str, rows: dict[str, int], write: bool, said: dict[str, str | None]) -> Report:
    return Report(
        title=f"hubsync db purge on portal {portal}",
        facts=[
            ("Portal", portal),
            ("What", what),
            ("Rows deleted" if write else "Rows that --write would delete", sum(rows.values())),
        ],
        table=Table(
            (*COLUMNS, Column("meaning", "What it holds")), [(name, n, MEANING[name]) for name, n in rows.items()]
        ),
        document={"portal": portal, "mode": "write" if write else "plan", **said, "rows": rows},
    )
