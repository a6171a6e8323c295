"""`hubsync sandbox`: a portal of one's own, on this machine, for trying rules."""

from __future__ import annotations

import threading
from typing import Annotated

import typer


def sandbox(
    context: typer.Context,
    contacts: Annotated[int, typer.Option("--contacts", metavar="N", min=0, help="Leads to begin with.")] = 500,
    days: Annotated[int, typer.Option("--days", metavar="N", min=80, help="Length of their histories.")] = 180,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same portal.")] = 1,
    port: Annotated[int, typer.Option("--port", help="Port to listen on; 0 takes a free one.")] = 0,
    latency: Annotated[float, typer.Option("--latency", min=0.0, help="Seconds added to every answer.")] = 0.0,
    webhooks: Annotated[
        str | None,
        typer.Option("--webhooks", metavar="URL", help="Send webhooks there, signed, e.g. …/webhooks/hubspot."),
    ] = None,
) -> int:
    """Run a sandbox portal, for trying rules. Prints its URL, token and client secret; ends with Ctrl-C."""
    del context
    receiver = _receiver(webhooks)
    from hubsync.sandbox import Portal, Sandbox, SandboxClock
    from hubsync.sandbox.population import populate
    from hubsync.sandbox.webhooks import briskly

    portal = Portal(clock=SandboxClock(), seed=seed)
    if contacts:
        typer.echo(f"Making {contacts:,} leads with {days} days of history …", err=True)
        with portal.journal.paused():
            populate(portal, contacts=contacts, days=days, seed=seed)
    with Sandbox(portal, port=port, latency=latency) as box:
        if receiver:
            box.subscribe(receiver, form="generic", retry_after=briskly)
        typer.echo("# A HubSpot portal on this machine. Put these lines into .env to point hubsync at it:")
        typer.echo(f"HUBSYNC_API_URL={box.url}")
        typer.echo(f"HUBSYNC_ACCESS_TOKEN={box.token}")
        typer.echo(f"HUBSYNC_CLIENT_SECRET={box.client_secret}")
        if receiver:
            base, found, _ = receiver.partition("/webhooks/hubspot")
            if found:
                typer.echo(f"HUBSYNC_PUBLIC_URL={base}")
            typer.echo(f"# Webhooks go to {receiver}; those that fail are sent again.")
        typer.echo(f"# Portal {portal.portal_id}. Ctrl-C ends it, and everything in it is gone.")
        threading.Event().wait()
    return 0


def _receiver(url: str | None) -> str | None:
    """The receiver's address, checked before a portal is made. Raises SettingsError."""
    from hubsync.errors import SettingsError
    from hubsync.sandbox.webhooks import checked_url

    try:
        return checked_url(url) if url else None
    except ValueError as error:
        raise SettingsError(f"--webhooks: {error}.") from error
