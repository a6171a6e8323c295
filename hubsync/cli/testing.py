"""`hubsync rules test`: the cases beside the rules, what they leave untried, and whether they would notice a mistake.

Asks no portal.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubsync.cli.options import FormatOption, OutOption
from hubsync.cli.output import Column, Report, Table, emit, whole_file
from hubsync.cli.rules import Folder, folder_of

if TYPE_CHECKING:
    from hubsync.rulefiles.mutants import Mutant
    from hubsync.rulefiles.playing import CaseResult
    from hubsync.rulefiles.touched import Item


Select = Annotated[
    str | None,
    typer.Option("-k", metavar="TEXT", help="Only cases with this text in their name, file or expected rules."),
]
Coverage = Annotated[
    bool,
    typer.Option("--coverage", help="List what no case touches: rules, conditions, actions, operators, cells."),
]
FailUnder = Annotated[
    float | None,
    typer.Option(
        "--fail-under",
        metavar="N",
        min=0,
        max=100,
        help="End with 1 if fewer than N of 100 are touched or caught.",
    ),
]
Mutants = Annotated[
    bool,
    typer.Option("--mutants", help="Make mistakes in the rules, one by one; list what no case notices."),
]
Jobs = Annotated[int | None, typer.Option("--jobs", metavar="N", min=1, help="Processes for --mutants; one a core.")]
JUnit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write the results as JUnit XML too.")]


def test(
    context: typer.Context,
    folder: Folder = None,
    select: Select = None,
    coverage: Coverage = False,
    fail_under: FailUnder = None,
    mutants: Mutants = False,
    jobs: Jobs = None,
    junit: JUnit = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> int:
    """Run the cases that stand beside the rules. Ends with 1 if one fails, or a rule has none."""
    from hubsync.rulefiles.cases import load_cases, results_of
    from hubsync.rulefiles.junit import junit as as_junit
    from hubsync.rulefiles.load import load_rules
    from hubsync.rulefiles.playing import play
    from hubsync.rulefiles.touched import measure

    where = folder_of(context, folder)
    rules = load_rules(where)
    played = [play(case) for case in load_cases(where, rules) if select is None or case.mentions(select)]
    results = results_of(rules, played) if select is None else [one.result for one in played]
    failed = [r for r in results if not r.ok]
    items = measure(rules, [look for one in played for look in one.looks]) if coverage else []
    tried = _mutants(where, select, jobs, failed) if mutants else []
    if junit is not None:
        with whole_file(junit) as file:
            file.write(as_junit(results))
    if form is not None or out is not None:
        emit(_report(results, items, tried), form=form, out=out)
    else:
        for line in chain(map(str, failed), _told(items), _told_of_mutants(tried)):
            typer.echo(line)
        typer.echo(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    low = list(_too_low(items, tried, fail_under))
    for line in low:
        typer.echo(line, err=True)
    return 1 if failed or low else 0


def _mutants(where: Path, select: str | None, jobs: int | None, failed: Sequence[CaseResult]) -> list[Mutant]:
    from hubsync.rulefiles.mutants import try_mutants

    if failed:
        typer.echo("No mutants: they are told from the rules by cases that pass.", err=True)
        return []
    return try_mutants(where, select, jobs or os.cpu_count() or 1)


def _too_low(items: Sequence[Item], tried: Sequence[Mutant], least: float | None) -> Iterator[str]:
    from hubsync.rulefiles import mutants, touched

    shares = [(touched.share(items), "touched")] if items else []
    shares += [(mutants.share(tried), "caught")] if tried else []
    for share, what in shares:
        if least is not None and share < least:
            yield f"{share:.1f} of 100 are {what}, fewer than the {least:g} asked for."


def _told_of_mutants(tried: Sequence[Mutant]) -> Iterator[str]:
    """What no case notices, then how many there were of each kind."""
    from hubsync.rulefiles.mutants import CAUGHT, REFUSED, SAME, SURVIVED, share

    for mutant in tried:
        if mutant.verdict == SURVIVED:
            yield str(mutant)
    if tried:
        count = Counter(mutant.verdict for mutant in tried)
        yield f"{len(tried)} mutants: {count[CAUGHT]} caught, {count[SURVIVED]} unnoticed"
        yield f"not counted: {count[SAME]} that decide the same, {count[REFUSED]} that rule files refuse"
        yield f"{share(tried):.1f} of 100 caught"


def _told(items: Sequence[Item]) -> Iterator[str]:
    """What no case touches, then how many of each kind are touched."""
    from hubsync.rulefiles.touched import KINDS, share

    for item in items:
        if item.missing:
            yield f"{item.file}:{item.line}: {item.kind} {item.name}: {item.missing}"
    for kind in KINDS if items else ():
        same = [i for i in items if i.kind == kind]
        yield f"{sum(not i.missing for i in same)} of {len(same)} {kind}s touched"
    if items:
        yield f"{share(items):.1f} of 100 touched"


def _report(results: Sequence[CaseResult], items: Sequence[Item], tried: Sequence[Mutant]) -> Report:
    from hubsync.rulefiles import mutants
    from hubsync.rulefiles.touched import share

    failed = sum(not r.ok for r in results)
    document: dict[str, Any] = {
        "passed": len(results) - failed,
        "failed": failed,
        "cases": [asdict(r) for r in results],
    }
    if items:
        document["coverage"] = {"share": round(share(items), 1), "items": [asdict(i) for i in items]}
    if tried:
        document["mutants"] = {"share": round(mutants.share(tried), 1), "mutants": [asdict(m) for m in tried]}
    rows: list[tuple[str, int, str, str, str]] = [
        (r.file, r.line, "case", r.name, r.message or "passed") for r in results
    ]
    rows += [(i.file, i.line, i.kind, i.name, i.missing or "touched") for i in items]
    rows += [(m.file, m.line, "mutant", f"{m.about}: {m.says}", m.verdict) for m in tried]
    columns = (
        Column("file", "File"),
        Column("line", "Line", numeric=True),
        Column("kind", "Kind"),
        Column("name", "Name"),
        Column("result", "Result"),
    )
    facts = [("Passed", len(results) - failed), ("Failed", failed)]
    return Report(title="Cases", table=Table(columns, rows), facts=facts, document=document)
