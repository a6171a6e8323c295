"""Options that several commands share, so that they read and behave the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How rows come out."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="How rows come out. Without it: as the file's ending says, else a table."),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write to this file, whole or not at all. Without it: standard output."),
]
WriteOption = Annotated[
    bool, typer.Option("--write", help="Write to the portal. Without it, and without HUBSYNC_WRITE: a plan.")
]
PortalOption = Annotated[
    int | None, typer.Option("--portal", metavar="ID", help="Number of the portal, where there are several.")
]
AllowChangesOption = Annotated[
    int | None,
    typer.Option("--allow-changes", metavar="N", min=0, help="Let the guard pass N changed contacts once."),
]
AllowTasksOption = Annotated[
    int | None,
    typer.Option(
        "--allow-tasks",
        metavar="N",
        min=0,
        help="Let the guard pass N new tasks once; for this run no owner's daily cap holds either.",
    ),
]
