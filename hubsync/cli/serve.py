"""`hubsync serve`: webhooks, polls, timers and pages in one process, until it is told to end."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from secrets import token_hex
from typing import Annotated

import typer
from starlette.types import ASGIApp

from hubsync.cli.alerting import audience_of
from hubsync.cli.build import local_now, session_of
from hubsync.cli.context import invocation
from hubsync.cli.options import WriteOption
from hubsync.errors import SettingsError
from hubsync.portal.gateway import Gateway
from hubsync.rulefiles.load import load_rules
from hubsync.service.alerts import Alerts, Memory
from hubsync.service.health import Health
from hubsync.service.metrics import Metrics
from hubsync.service.proof import Proofs
from hubsync.service.reload import Reload
from hubsync.service.service import Pulse, Service
from hubsync.service.status import Status, read_status
from hubsync.service.traffic import Traffic
from hubsync.settings import Settings
from hubsync.store.database import open_store
from hubsync.store.store import Store
from hubsync.sync.reconcile import Session
from hubsync.web.app import Parts, WebConfig, build_app
from hubsync.web.server import WebServer

STOPS_WITHIN = 8.0
"""Seconds for what is under way when it is told to end."""
TOLD = "serve.alerts"
"""Cursor: what people were told."""
SALT = "web.salt"
"""Cursor: a random number of the database's, part of the key that signs sessions."""


def serve(
    context: typer.Context,
    write: WriteOption = False,
    role: Annotated[str, typer.Option("--role", help="What this process does: all (others come later).")] = "all",
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port to listen on; 0: any.")] = 8080,
) -> int:
    """Run the service: webhooks, polling, timers, pages.

    Without --write it looks at everything and writes nothing. Ends cleanly within ten seconds on SIGTERM or Ctrl-C.
    """
    if role != "all":
        raise SettingsError(f"--role {role}: this version runs everything in one process; leave --role away.")
    given = invocation(context)
    settings = given.settings(default_log_level="info")
    writes = write or settings.write
    ended = threading.Event()
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(open_store(settings.database_url, base=settings.base, migrate=True))
        stack.enter_context(store.occupied(f"hubsync serve (process {os.getpid()} on {socket.gethostname()})"))
        tokens = settings.token_provider()
        gateway = stack.enter_context(Gateway(settings.api_url, tokens, api_version=settings.api_version))

        metrics, traffic = Metrics(), Traffic()
        alerts = Alerts(local_now, lambda outcome: metrics.alerts.labels(outcome).inc())
        health = Health(alerts.on_change)
        proofs = _proofs(settings, store, alerts, metrics) if writes else None
        if proofs is not None:
            stack.callback(proofs.stop)

        def renew() -> Session:
            rules = load_rules(settings.rules)
            session = session_of(given, settings, rules, gateway, store)
            alerts.use(audience_of(settings, rules, session.pace), f"hubsync, portal {session.portal.id}")
            if proofs is not None:
                proofs.take_up(session.portal.id, rules)
            return replace(session, give_way=traffic.give_way)

        reload = Reload(settings.rules, renew, health, renew())
        service = Service(
            store, gateway, reload, health, metrics, writes=writes, pulse=_pulse(settings), standing=alerts.standing
        )
        alerts.recall(_memory(store, service.portal))
        alerts.start()
        stack.callback(alerts.stop, 0.5)
        web = WebServer(_app(settings, service, alerts, proofs, traffic, host, port), host, port)
        stack.enter_context(_signals(ended, reload))
        _for_many_threads()
        web.start()
        stack.callback(web.stop, 2.0)
        service.start()
        stack.callback(service.stop, STOPS_WITHIN)
        typer.echo(f"hubsync serves portal {service.portal} at {web.url}", err=True)
        ended.wait()
    return 0


def _memory(store: Store, portal: int) -> Memory:
    """Where alerts outlive a restart."""
    return Memory(lambda: store.cursor(portal, TOLD), lambda text: store.set_cursor(portal, TOLD, text))


def _proofs(settings: Settings, store: Store, alerts: Alerts, metrics: Metrics) -> Proofs | None:
    """What has the rules proved that are written by, where that isn't switched off."""
    return Proofs(store, alerts.on_change, metrics, settings.proof_seconds) if settings.proof_seconds else None


def _app(
    settings: Settings,
    service: Service,
    alerts: Alerts,
    proofs: Proofs | None,
    traffic: Traffic,
    host: str,
    port: int,
) -> ASGIApp:
    """The HTTP side. Without a public address webhooks are expected at the one it listens on, as on one machine."""
    store, portal = service.store, service.portal
    secrets = settings.client_secrets
    local = f"http://{host}:{port}" if secrets() else None
    password = settings.web_password.get_secret_value() if settings.web_password is not None else None

    def status() -> Status:
        session = service.reload.session
        return read_status(
            store,
            portal,
            service.health,
            session.portal_now(),
            writes=service.writes,
            rules_since=service.reload.since,
            proof=proofs.state if proofs is not None else None,
            alerts=alerts.latest,
            ui_domain=session.portal.account.ui_domain or "app.hubspot.com",
        )

    return build_app(
        WebConfig(portal=portal, public_url=settings.public_url or local, password=password, salt=_salt(store, portal)),
        Parts(
            intake=service,
            health=service.health,
            metrics=service.metrics,
            status=status,
            secrets=secrets,
            apps={settings.app_id: secrets} if settings.app_id else {},
            app_id=lambda: service.app_id or settings.app_id,
            traffic=traffic,
        ),
    )


def _salt(store: Store, portal: int) -> bytes:
    """What the key of sessions is made with, beside the password: logins outlive a restart."""
    text = store.cursor(portal, SALT)
    if not text:
        text = token_hex(32)
        store.set_cursor(portal, SALT, text)
    return bytes.fromhex(text)


def _for_many_threads() -> None:
    """Whoever waits for its turn waits a tenth of what Python grants: a webhook must not stand behind a batch.

    What has been loaded by now stays loaded: the collector needn't look at it again and again.
    """
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()


def _pulse(settings: Settings) -> Pulse:
    return Pulse(timedelta(seconds=settings.poll_seconds), timedelta(seconds=settings.index_lag_seconds))


@contextlib.contextmanager
def _signals(ended: threading.Event, reload: Reload) -> Iterator[None]:
    """SIGTERM and Ctrl-C end the service, SIGHUP has the rules and secrets read anew."""

    def told(number: int, _frame: object) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            ended.set()
        else:
            reload.ask()

    numbers = [signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.signal(number, told) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
