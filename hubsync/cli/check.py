"""`hubsync check`: settings, token, scopes and rules against the portal."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hubsync.cli.alerting import Reach, reach_of, try_alerts
from hubsync.cli.build import Workbench, gateway_of, workbench
from hubsync.cli.options import FormatOption, OutOption
from hubsync.cli.output import Cell, Column, Report, Table, emit
from hubsync.policy.policy import Gap
from hubsync.portal.values import ScopeCheck
from hubsync.sync.checkup import Checkup, check_portal
from hubsync.sync.setting_up import has_to_add

NEEDED = frozenset({"crm.objects.contacts.read", "crm.schemas.contacts.read", "crm.objects.deals.read"})
"""Scopes without which the rules can't be held against a portal at all."""

SETUP = "hubsync setup shows what it would add, and adds it with --write"


def check(
    context: typer.Context,
    send_alert: Annotated[
        bool,
        typer.Option("--send-alert", help="Send a test alert to every address instead, and say what became of it."),
    ] = False,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Check settings, token, scopes, rules and alerts against the portal. Ends with 1 if something is amiss.

    Reads only, and sends no alert without --send-alert.
    """
    if send_alert:
        return try_alerts(context, form, out)
    with gateway_of(context) as gateway:
        scopes = gateway.scopes()
    if any(not s.present and s.scope in NEEDED for s in scopes):
        emit(_scopes_alone(scopes), form=form, out=out)
        return 1
    with workbench(context, bulk=False) as bench:
        checkup = check_portal(bench.gateway, bench.portal, scopes, bench.store, bench.settings.app_id)
        reach = reach_of(bench.settings, bench.rules.files.portal.alerts)
        emit(_report(bench, checkup, reach), form=form, out=out)
    return 0 if checkup.is_clean and not reach.faults else 1


def _scopes_alone(scopes: tuple[ScopeCheck, ...]) -> Report:
    """Without these scopes nothing else can be asked, so the scopes are all there is to tell."""
    missing = [s.scope for s in scopes if not s.present]
    return Report(
        title="hubsync check",
        facts=[
            ("Settings", "fine"),
            ("Token", "accepted"),
            ("Scopes", f"{len(missing)} missing: {', '.join(missing)}"),
            ("Rules", "can't be held against the portal before these scopes are there"),
        ],
        table=_scopes(scopes),
        document={"scopes": [_scope(s) for s in scopes]},
    )


def _scopes(scopes: tuple[ScopeCheck, ...]) -> Table:
    return Table(
        (Column("scope", "Scope"), Column("needed_for", "Needed for"), Column("present", "There")),
        [(s.scope, s.needed_for, "yes" if s.present else "MISSING") for s in scopes],
        "Scopes",
    )


def _scope(scope: ScopeCheck) -> dict[str, Any]:
    return {"scope": scope.scope, "needed_for": scope.needed_for, "present": scope.present}


def _report(bench: Workbench, checkup: Checkup, reach: Reach) -> Report:
    portal = bench.portal
    off = sorted({g.rule for g in checkup.gaps if g.off})
    facts: list[tuple[str, Cell]] = [
        ("Settings", "fine"),
        ("Token", f"fine, for portal {portal.id} ({portal.account.account_type}, {portal.account.time_zone})"),
        ("Rules", f"{bench.settings.rules}: {_applied(bench, checkup)}"),
        ("Alerts", reach.says),
        ("Scopes", "all there" if not checkup.missing_scopes else f"{len(checkup.missing_scopes)} missing"),
    ]
    if off:
        facts.append(("Rules that are off", ", ".join(off)))
    if has_to_add(portal, bench.rules.files.portal):
        facts.append(("Options and properties", f"some are missing: {SETUP}"))
    if tuning := sorted(portal.policy.up_for_tuning):
        facts.append(("Up for tuning", f"{', '.join(tuning)}: only proposes; hubsync report overrides says why"))
    facts += [("Audit only", reason) for reason in checkup.foreign]
    return Report(
        title=f"hubsync check of portal {portal.id}",
        facts=facts,
        summaries=[
            _scopes(checkup.scopes),
            Table(
                (
                    Column("needs", "The portal lacks"),
                    Column("rule", "For"),
                    Column("playbook", "Playbook"),
                    Column("off", "Then"),
                ),
                [(g.needs, g.rule or "the rules", g.playbook, _then(g)) for g in checkup.gaps],
                "What the rules need and the portal lacks",
            ),
            Table(
                (
                    Column("property", "Property"),
                    Column("value", "Option"),
                    Column("label", "Label"),
                    Column("contacts", "Contacts", numeric=True),
                ),
                [(u.property, u.value, u.label, u.contacts) for u in checkup.unmapped],
                "Options in use that no key of portal.yaml maps: left alone",
            ),
        ],
        table=Table(
            (
                Column("property", "Property"),
                Column("source", "Source in HubSpot"),
                Column("label", "Label"),
                Column("kind", "Taken for"),
                Column("entries", "Changes", numeric=True),
            ),
            [(w.property, w.source, w.label, w.kind, w.entries) for w in checkup.writers],
            f"Who writes the two fields (histories of {checkup.sampled:,} contacts)",
        ),
        document=_document(bench, checkup, reach),
    )


def _then(gap: Gap) -> str:
    if gap.opt_in:
        return "yours to choose: the rule is off until then"
    return "the rule is off" if gap.off else "the rest goes on"


def _applied(bench: Workbench, checkup: Checkup) -> str:
    off = len({g.rule for g in checkup.gaps if g.off})
    written = sum(len(content.rules) for content in bench.rules.files.rules.values())
    return f"{written - off} of {written} rules apply, and the matrix"


def _document(bench: Workbench, checkup: Checkup, reach: Reach) -> dict[str, Any]:
    return {
        "portal": bench.portal.id,
        "time_zone": bench.portal.account.time_zone,
        "scopes": [_scope(s) for s in checkup.scopes],
        "lacks": [
            {"needs": g.needs, "rule": g.rule or None, "playbook": g.playbook or None, "off": g.off}
            for g in checkup.gaps
        ],
        "unmapped": [
            {"property": u.property, "value": u.value, "label": u.label, "contacts": u.contacts}
            for u in checkup.unmapped
        ],
        "setup": SETUP if has_to_add(bench.portal, bench.rules.files.portal) else None,
        "writers": [
            {"property": w.property, "source": w.source, "label": w.label, "kind": w.kind, "entries": w.entries}
            for w in checkup.writers
        ],
        "audit_only": checkup.foreign,
        "alerts": {"ways": list(reach.ways), "faults": list(reach.faults)},
    }
