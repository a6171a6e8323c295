"""`hubsync rules`: check and show the rule files. Asks no portal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from hubsync.cli.build import database_exists
from hubsync.cli.context import invocation
from hubsync.cli.options import FormatOption, OutOption
from hubsync.cli.output import Column, Report, Table, emit
from hubsync.errors import RuleFileError
from hubsync.policy.policy import Policy
from hubsync.policy.rules import Rule
from hubsync.policy.tuning import proposing
from hubsync.rulefiles.advice import advise
from hubsync.rulefiles.load import LoadedRules, as_text, load_rules
from hubsync.settings import Settings
from hubsync.store.database import open_store
from hubsync.sync.overrides import to_be_tuned

Folder = Annotated[
    Path | None, typer.Argument(metavar="[DIR]", help="Folder of rule files. Without it: HUBSYNC_RULES.")
]


def _up_for_tuning(settings: Settings, portal: int | None) -> frozenset[str]:
    """Rules that people overrule too often, as far as there is a database that knows."""
    if not database_exists(settings.database_url):
        return frozenset()
    with open_store(settings.database_url, base=settings.base) as store:
        known = portal or store.known_portal()
        return frozenset(to_be_tuned(store, known)) if known is not None else frozenset()


def _mode(rule: Rule, policy: Policy) -> str:
    return f"{rule.mode} (up for tuning)" if rule.id in policy.up_for_tuning else rule.mode


def folder_of(context: typer.Context, given: Path | None) -> Path:
    """The folder named, else that of the settings."""
    return given if given is not None else invocation(context).settings().rules


Proof = Annotated[bool, typer.Option("--proof/--no-proof", help="Whether to prove that the rules settle, too.")]


def check(context: typer.Context, folder: Folder = None, proof: Proof = True) -> int:
    """Check the rule files; every fault and finding with its line. Ends with 1 if there are any, or no proof."""
    where = folder_of(context, folder)
    try:
        loaded = load_rules(where)
        policy = loaded.compile()
    except RuleFileError as error:
        for problem in error.problems:
            typer.echo(str(problem))
        typer.echo(f"{len(error.problems)} fault{'s' if len(error.problems) > 1 else ''}.")
        return 1
    written = sum(len(content.rules) for content in loaded.files.rules.values())
    cells = sum(r.matrix for r in policy.rules)
    typer.echo(f"{where}: {written} rules, {cells} answers of the matrix, no fault ({loaded.digest}).")
    for gap in policy.gaps:
        typer.echo(f"{loaded.position(gap.rule) or where}: {gap.rule} is off, it needs {gap.needs}.")
    findings = advise(loaded)
    for finding in findings:
        typer.echo(str(finding))
    return 1 if findings or (proof and not _proves(loaded)) else 0


def _proves(loaded: LoadedRules) -> bool:
    """Say in short whether the rules settle; `hubsync rules prove` tells the story of what is wrong."""
    from hubsync.proving.ground import Ground
    from hubsync.proving.prove import proved
    from hubsync.proving.report import in_short

    ground = Ground.of(loaded)
    verdict = proved(ground, os.cpu_count() or 1)
    for line in in_short(ground, verdict):
        typer.echo(line)
    return verdict.holds


def show(
    context: typer.Context,
    rule: Annotated[str | None, typer.Argument(metavar="[RULE]", help="Show this rule alone.")] = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Show the rules as hubsync reads them: what each says, when it holds, what it does."""
    settings = invocation(context).settings()
    loaded = load_rules(settings.rules)
    policy = proposing(loaded.compile(), _up_for_tuning(settings, invocation(context).portal))
    names = [r.id for r in policy.rules]
    if rule is not None and rule not in names:
        from hubsync.policy.words import did_you_mean

        typer.echo(f'"{rule}" is no rule{did_you_mean(rule, names)}', err=True)
        return 2
    written = {spec.id: spec for content in loaded.files.rules.values() for spec in content.rules}
    rows = []
    for compiled in policy.rules:
        if rule is not None and compiled.id != rule:
            continue
        if rule is None and compiled.matrix:
            continue
        spec = written.get(compiled.id)
        when = " — or — ".join("; ".join(c.text for c in group) for group in compiled.groups)
        then = as_text([a.model_dump(exclude_none=True) for a in spec.then]) if spec else compiled.mode
        rows.append(
            (
                compiled.playbook,
                compiled.id,
                _mode(compiled, policy),
                compiled.says,
                when,
                then,
                loaded.position(compiled.id),
            )
        )
    columns = (
        Column("playbook", "Playbook"),
        Column("rule", "Rule"),
        Column("mode", "Mode"),
        Column("says", "Says"),
        Column("when", "When"),
        Column("then", "Then"),
        Column("where", "Where"),
    )
    facts = [("Rules", str(loaded.folder)), ("Digest", loaded.digest)]
    if rule is None:
        facts.append(("Matrix", f"{sum(r.matrix for r in policy.rules)} answers in matrix.yaml"))
    emit(Report(title="Rules", table=Table(columns, rows), facts=facts), form=form, out=out)
    return 0
