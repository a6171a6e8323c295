"""`hubsync rollout`: what every rule may do at most, what comes next, and moving it (playbook B6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from hubsync.cli.context import invocation
from hubsync.cli.options import FormatOption, OutOption
from hubsync.cli.output import Column, Report, Table, emit
from hubsync.errors import SettingsError
from hubsync.policy.policy import Policy
from hubsync.policy.rollout import ROLLOUT, Standing, caps_of, names_of, next_step, standings
from hubsync.policy.spec import RolloutSpec
from hubsync.policy.words import did_you_mean
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.rulefiles.rollout_file import START, moved

COLUMNS = (
    Column("playbook", "Playbook"),
    Column("rule", "Rule"),
    Column("mode", "Does now"),
    Column("cap", "Cap"),
    Column("own", "Its own mode"),
    Column("next", "Next"),
)


class Mode(StrEnum):
    """What a rule may do at most."""

    REPORT = "report"
    PROPOSE = "propose"
    AUTO = "auto"


def rollout(
    context: typer.Context,
    rule: Annotated[
        str | None, typer.Argument(metavar="[RULE]", help="A rule's id or playbook id, e.g. A2; or --all.")
    ] = None,
    mode: Annotated[str | None, typer.Argument(metavar="[MODE]", help="report, propose or auto.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every rule instead of one.")] = False,
    team: Annotated[
        str | None, typer.Option("--team", metavar="T", help="For the contacts of this team's owners only.")
    ] = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Show what every rule may do at most; with RULE or --all and a MODE, move it. Edits rules/rollout.yaml alone.

    A rule moved to auto also acts on what happened since the first `hubsync sync --write`, within the guard's limit.
    """
    loaded = load_rules(invocation(context).settings().rules)
    if rule is not None or mode is not None or everything:
        named, wanted = (None, rule) if everything and mode is None else (rule, mode)
        if everything == (named is not None) or wanted is None:
            raise SettingsError("Write `hubsync rollout RULE MODE` or `hubsync rollout --all MODE`.")
        wrote = _writing(loaded, team)
        _move(loaded, named, _mode(wanted), team)
        loaded = load_rules(loaded.folder)
        _say_what_they_act_on([rule for rule in _writing(loaded, team) if rule not in wrote])
    emit(_report(loaded, team), form=form, out=out)
    return 0


def _writing(loaded: LoadedRules, team: str | None) -> list[str]:
    """The rules that write by themselves under these caps, each by its playbook id and its own."""
    spec, rules = loaded.files.rollout, loaded.compile(rolled_out=True).rules
    found = standings(rules, caps_of(spec, _spelled(spec, team)))
    return [f"{one.playbook} ({one.rule})" for one in found if one.mode == Mode.AUTO]


def _say_what_they_act_on(rules: Sequence[str]) -> None:
    """B1: a rule that may write now also acts on what happened while it was held."""
    if not rules:
        return
    one = len(rules) == 1
    typer.echo(
        f"{rules[0] if one else f'{len(rules)} rules'} now write{'s' if one else ''} with --write: also for what "
        "happened while held, back to the first `hubsync sync --write` (or HUBSYNC_EFFECTIVE_SINCE), within the "
        "guard's limit. To see it first: hubsync sync --full",
        err=True,
    )


def _spelled(spec: RolloutSpec | None, team: str | None) -> str | None:
    """The team as rollout.yaml spells it; None where it has no caps of its own."""
    known = spec.teams if spec is not None and team is not None else ()
    return next((t for t in known if team is not None and t.casefold() == team.casefold()), None)


def _mode(text: str) -> str:
    known = [m.value for m in Mode]
    if text not in known:
        raise SettingsError(f'"{text}" is no mode{did_you_mean(text, known)}; the modes are {", ".join(known)}.')
    return text


def _move(loaded: LoadedRules, rule: str | None, mode: str, team: str | None) -> None:
    """Write the file anew, whole or not at all. A file that is first made keeps other rules as they are."""
    path = loaded.folder / ROLLOUT
    policy = loaded.compile(rolled_out=True)
    text = path.read_text(encoding="utf-8") if path.exists() else moved(START, ROLLOUT, (), Mode.AUTO.value)
    names = _names(loaded, policy, rule, team) if rule is not None else ()
    edited = moved(text, ROLLOUT, names, mode, team)
    fresh = path.with_name(f".{ROLLOUT}.new")
    try:
        fresh.write_text(edited, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise SettingsError(f"{path}: it can't be written ({error.strerror or error}).") from error


def _names(loaded: LoadedRules, policy: Policy, rule: str, team: str | None) -> Sequence[str]:
    """The name to move, with those in the file that stand before it: a rule's id outranks its playbook id."""
    known = names_of(policy.rules)
    if rule not in known:
        raise SettingsError(f'"{rule}" is neither a rule nor a playbook id of one{did_you_mean(rule, known) or "."}')
    caps: Mapping[str, str] = caps_of(loaded.files.rollout, team).rules
    return (rule, *(r.id for r in policy.rules if r.playbook == rule and r.id in caps))


def _report(loaded: LoadedRules, team: str | None) -> Report:
    spec, rules = loaded.files.rollout, loaded.compile(rolled_out=True).rules
    named = _spelled(spec, team)
    caps = caps_of(spec, named)
    found = standings(rules, caps)
    steps = [f"hubsync rollout {step}" + (f' --team "{team}"' if team else "") for step in next_step(rules, caps)]
    teams = sorted(spec.teams) if spec is not None else []
    return Report(
        title="hubsync rollout",
        facts=[
            ("File", str(loaded.folder / ROLLOUT) if spec is not None else "none: each rule does what it says itself"),
            *([("Team", named or f"{team}: as everybody")] if team else []),
            *([("Teams with caps of their own", ", ".join(teams))] if teams else []),
            ("Cap where none is named", caps.default),
            ("Next on the suggested path", "; ".join(steps) if steps else "nothing: every rule is in its own mode"),
        ],
        table=Table(COLUMNS, [_cells(one) for one in found], "Rules"),
        document={
            "file": str(loaded.folder / ROLLOUT) if spec is not None else None,
            "team": named,
            "default": caps.default,
            "next": steps,
            "rules": [{**asdict(one), "mode": one.mode, "next": one.next or None} for one in found],
        },
    )


def _cells(one: Standing) -> tuple[str, ...]:
    return one.playbook, one.rule, one.mode, one.cap, one.own, one.next
