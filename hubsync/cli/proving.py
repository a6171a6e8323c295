"""`hubsync rules prove`: that the rules settle, whatever happens to a contact. Asks no portal."""

from __future__ import annotations

import os
from typing import Annotated

import orjson
import typer

from hubsync.cli.rules import Folder, folder_of
from hubsync.rulefiles.load import load_rules

Jobs = Annotated[int | None, typer.Option("--jobs", metavar="N", min=1, help="Processes that prove; one a core.")]
Form = Annotated[str, typer.Option("--format", metavar="text|json", help="How to show the verdict.")]


def prove(context: typer.Context, folder: Folder = None, form: Form = "text", jobs: Jobs = None) -> int:
    """Prove the rules: they settle, whatever happens, and nothing is forgotten. Ends with 1 if they don't.

    Each fault comes with its shortest counterexample, as a story and as a case for `hubsync rules test`.
    """
    from hubsync.proving.ground import Ground
    from hubsync.proving.prove import proved
    from hubsync.proving.report import as_data, lines

    if form not in {"text", "json"}:
        raise typer.BadParameter(f'"{form}" is neither text nor json')
    ground = Ground.of(load_rules(folder_of(context, folder)))
    verdict = proved(ground, jobs or os.cpu_count() or 1)
    if form == "json":
        typer.echo(orjson.dumps(as_data(ground, verdict), option=orjson.OPT_INDENT_2))
    else:
        for line in lines(ground, verdict):
            typer.echo(line)
    return 0 if verdict.holds else 1
