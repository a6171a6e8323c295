"""The parts of a drafted portal.yaml that speak of deals and people: pipelines, writers, owners, teams.

Names of owners and labels of apps are written as comments only; no e-mail address is.
"""

from __future__ import annotations

from hubsync.policy.portal_spec import PortalSpec
from hubsync.portal.values import Owner
from hubsync.sync.binding import BoundPortal
from hubsync.sync.pages import Page, aside, scalar
from hubsync.sync.surveying import Seen, Survey

DEFAULT = "default"
"""The id of the deal pipeline that every portal begins with."""
NAMED_AT_MOST = 5


def draft_pipelines(page: Page, found: Survey) -> None:
    """Every pipeline that holds deals counts, HubSpot's own first; the empty ones stand beside them as comments."""
    pipelines = sorted(found.portal.pipelines, key=lambda p: p.id != DEFAULT)
    counts = [p for p in pipelines if found.deals.get(p.id, 0)] or pipelines[:1]
    if not counts:
        return
    lines = ["  sales_pipelines:"]
    for pipeline in pipelines:
        deals = found.deals.get(pipeline.id, 0)
        sign = "" if pipeline in counts else "# "
        lines.append(f"    {sign}- {scalar(pipeline.id)}  # {aside(pipeline.label)}, {_many(deals, 'deal')}")
    page.replace_line(("deals", "sales_pipelines"), lines)


def draft_writers(page: Page, spec: PortalSpec, found: Survey) -> None:
    """Apps and workflows seen in the histories, each by its id; what hubsync doesn't know, as comments."""
    by_source: dict[str, list[Seen]] = {}
    for seen in found.writers:
        by_source.setdefault(seen.source, []).append(seen)
    lines = [f"  # Seen in the histories of {_many(found.sampled, 'contact')} of your portal:"]
    for name, seen_as in by_source.items():
        source, _, number = name.partition(":")
        kind, changes = seen_as[0].kind, _many(sum(seen.changes for seen in seen_as), "change")
        if number:
            label = next((aside(seen.label) for seen in seen_as if seen.label), "")
            lines.append(f"  {scalar(name)}: {kind}  # {f'{label}, ' if label else ''}{changes}")
        elif source in spec.writers:
            lines.append(f"  #   {aside(source)}: {changes}, taken for {kind}{_named(kind, seen_as)}")
        else:
            lines.append(
                f"  # {scalar(source)}: person  # {changes}; hubsync doesn't know this source, so it counts so"
            )
    if by_source:
        page.put_under(("writers",), lines)


def draft_managers(page: Page, portal: BoundPortal) -> None:
    """The owners by team, ready to be given a manager."""
    active = [owner for owner in portal.owners if not owner.archived]
    if not active:
        return
    teams: dict[str, list[Owner]] = {}
    for owner in active:
        teams.setdefault(_team(owner), []).append(owner)
    lines = ["# Your portal's owners. To say who leads whom, write here, in place of the line above:", "# managers:"]
    for team in sorted(teams, key=lambda name: (not name, name)):
        lines.append(f"#   # {f'Team {aside(team)}' if team else 'In no team'}")
        lines += [f'#   {scalar(o.id)}: "owner id of the manager"  # {aside(_name(o))}' for o in teams[team]]
    page.put_behind(("managers",), lines)


def draft_teams(page: Page, portal: BoundPortal) -> None:
    """The names of the teams, where working hours may differ by team."""
    names = sorted({team.name for owner in portal.owners for team in owner.teams if team.name})
    if names and "work_hours" in page.document.at(()):
        page.put_behind(("work_hours",), [f"  # Your portal's teams: {', '.join(map(aside, names))}"])


def _named(kind: str, seen_as: list[Seen]) -> str:
    """The workflows or forms behind a source."""
    labels = [aside(seen.label) for seen in seen_as if seen.label] if kind in {"automation", "form"} else []
    return f" ({', '.join(dict.fromkeys(labels[:NAMED_AT_MOST]))})" if labels else ""


def _team(owner: Owner) -> str:
    primary = next((team.name for team in owner.teams if team.primary), "")
    return primary or next((team.name for team in owner.teams), "")


def _name(owner: Owner) -> str:
    return f"{owner.first_name} {owner.last_name}".strip() or "without a name"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
