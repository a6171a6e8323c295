"""`hubsync db`: looking after the database."""

from __future__ import annotations

import typer

from hubsync.cli.context import invocation


def upgrade(context: typer.Context) -> int:
    """Bring the database to this version's schema; makes one where there is none."""
    from hubsync.store.database import upgrade as bring_up

    settings = invocation(context).settings()
    before, after = bring_up(settings.database_url, base=settings.base)
    if before == after:
        typer.echo(f"The database is at schema {after} already; nothing was done.")
    elif before is None:
        typer.echo(f"Made a database at schema {after}.")
    else:
        typer.echo(f"The database went from schema {before} to {after}.")
    return 0
