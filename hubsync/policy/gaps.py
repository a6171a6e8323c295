"""What is wrong with portal.yaml by itself, and what a portal lacks of it: faults stop, gaps are lived with."""

from __future__ import annotations

from collections.abc import Mapping

from hubsync.policy.facts import STAGE_KEYS, STATUS_KEYS
from hubsync.policy.groups import Report
from hubsync.policy.policy import Gap, Schema
from hubsync.policy.portal_spec import PortalSpec, StageSpec, StatusSpec
from hubsync.policy.words import did_you_mean

PORTAL = "portal.yaml"


def check_portal(portal: PortalSpec, report: Report) -> None:
    """Report `like` and `names` that lead nowhere, and a status or stage called none."""
    tables: tuple[tuple[str, Mapping[str, StatusSpec | StageSpec]], ...] = (
        ("statuses", portal.statuses),
        ("stages", portal.stages),
    )
    for kind, table in tables:
        for key, term in table.items():
            if term.like is not None and term.like not in table:
                near = did_you_mean(term.like, table)
                report(PORTAL, (kind, key, "like"), f'"{term.like}" is not one of the {kind}{near}')
            elif term.like is not None and (further := table[term.like].like) is not None:
                report(PORTAL, (kind, key, "like"), f'"{term.like}" is itself like "{further}"; write {further} here')
            if key == "none":
                report(PORTAL, (kind, key), f'"none" stands for an empty property and can\'t name one of the {kind}')
    for name, key in portal.names.items():
        if key not in portal.statuses and key not in portal.stages:
            near = did_you_mean(key, [*portal.statuses, *portal.stages])
            report(PORTAL, ("names", name), f'"{key}" is no status or stage{near}')


def gaps_of(portal: PortalSpec, schema: Schema, absent: Mapping[str, frozenset[str]]) -> list[Gap]:
    """What portal.yaml names and the portal lacks; nothing where no portal is known."""
    if not schema.complete:
        return []
    needs = [f'Lead status "{k}" ({portal.statuses[k].value or k})' for k in sorted(absent[STATUS_KEYS])]
    needs += [f'Lifecycle stage "{k}"' for k in sorted(absent[STAGE_KEYS]) if not portal.stages[k].optional]
    needs += [f"property {name}" for name in portal.properties if not schema.has(name)]
    return [Gap("", "", need, off=False) for need in needs]
