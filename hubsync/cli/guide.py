"""`hubsync rules guide`: the status guide for everybody who works with leads. Asks no portal."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from hubsync.cli.options import OutOption
from hubsync.cli.output import whole_file
from hubsync.cli.rules import Folder, folder_of


class GuideLanguage(StrEnum):
    """Languages of the guide."""

    EN = "en"
    FR = "fr"
    DE = "de"
    ID = "id"


class GuideFormat(StrEnum):
    """What the guide is written as."""

    MARKDOWN = "markdown"
    HTML = "html"


def guide(
    context: typer.Context,
    folder: Folder = None,
    language: Annotated[
        GuideLanguage | None,
        typer.Option("--lang", help="Language of the guide. Without it: that of portal.yaml."),
    ] = None,
    form: Annotated[
        GuideFormat | None,
        typer.Option("--format", help="markdown or html. Without it: as the file's ending says, else markdown."),
    ] = None,
    out: OutOption = None,
) -> int:
    """Write the status guide: what each Lead status means, and what happens to it by the rules in force."""
    from hubsync.insights.guide import write_guide
    from hubsync.insights.guide_pages import as_html, as_markdown
    from hubsync.rulefiles.load import load_rules

    rules = load_rules(folder_of(context, folder))
    chosen = language.value if language is not None else rules.files.portal.language
    written = write_guide(rules, chosen, datetime.now(UTC).date())
    ending = out.suffix.lower() if out is not None else ""
    html = form is GuideFormat.HTML if form is not None else ending in {".html", ".htm"}
    text = as_html(written) if html else as_markdown(written)
    if out is None or str(out) == "-":
        typer.echo(text, nl=False)
    else:
        with whole_file(out) as file:
            file.write(text)
    return 0
