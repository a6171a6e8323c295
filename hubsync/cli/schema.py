"""`hubsync rules schema`: what editors need to know of the rule files. Asks no portal."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hubsync.cli.output import whole_file
from hubsync.errors import SettingsError
from hubsync.rulefiles.schemas import MODELS, text_of, write_all


class SchemaKind(StrEnum):
    """Kinds of rule files."""

    RULES = "rules"
    PORTAL = "portal"
    MATRIX = "matrix"
    ROLLOUT = "rollout"
    TEXTS = "texts"
    CASES = "cases"
    PACK = "pack"


def schema(
    kind: Annotated[
        SchemaKind | None, typer.Argument(metavar="[KIND]", help=f"Which files: {', '.join(MODELS)}.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE|DIR", help="Write to this file; without KIND, all into this folder."),
    ] = None,
) -> int:
    """Print the JSON Schema of a kind of rule file, or write all of them into a folder."""
    if kind is None:
        if out is None:
            raise SettingsError(f"name a kind of rule file ({', '.join(MODELS)}), or --out DIR for all of them.")
        try:
            write_all(out)
        except OSError as error:
            raise SettingsError(f"--out {out}: it can't be written ({error.strerror or error}).") from error
    elif out is None or str(out) == "-":
        typer.echo(text_of(kind), nl=False)
    else:
        with whole_file(out) as file:
            file.write(text_of(kind))
    return 0
