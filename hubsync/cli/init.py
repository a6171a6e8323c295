"""`hubsync init`: rules and .env in a folder of one's own, for editing."""

from __future__ import annotations

import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hubsync.errors import SettingsError
from hubsync.settings import default_env_example, default_rules


class OpenMeans(StrEnum):
    """What a portal uses HubSpot's shipped option OPEN for (playbook section 2)."""

    NEW = "new"
    ATTEMPTING = "attempting"
    WORKING = "working"
    UNUSED = "unused"


OPEN_STATUS = """\
  # HubSpot ships the option Open; here it is another word for {like}.
  open:
    value: OPEN
    like: {like}
    labels: {{en: Open, fr: Ouvert, de: Offen, id: Open}}
    meaning: Used in this portal as another word for {like}.
    use_when: Prefer {like}; Open is kept for records that have it already.
"""


def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to; made if need be.")],
    open_means: Annotated[
        OpenMeans | None,
        typer.Option("--open-means", help="What this portal uses HubSpot's Lead status Open for."),
    ] = None,
    from_portal: Annotated[
        bool, typer.Option("--from-portal", help="Draft portal.yaml from the portal. (not in this version)")
    ] = False,
) -> int:
    """Copy rules and .env into a folder, for editing. Overwrites nothing."""
    del context
    if from_portal:
        raise SettingsError("--from-portal: this version can't draft portal.yaml yet; leave the option out.")
    rules = folder / "rules"
    taken = [path for path in (rules, folder / ".env") if path.exists()]
    if taken:
        raise SettingsError(f"{', '.join(map(str, taken))} is there already. Nothing was written; name another folder.")
    meaning = open_means if open_means is not None else _asked()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(default_rules(), rules, ignore=shutil.ignore_patterns("__pycache__", "packs"))
        text = default_env_example().read_text(encoding="utf-8")
        env = folder / ".env"
        env.touch(mode=0o600)  # it will hold a token
        env.write_text(text.replace("HUBSYNC_RULES=\n", "HUBSYNC_RULES=rules\n"), encoding="utf-8")
        if meaning is not OpenMeans.UNUSED:
            _map_open(rules / "portal.yaml", meaning)
    except OSError as error:
        raise SettingsError(f"{folder}: it can't be written ({error.strerror or error}).") from error
    typer.echo(f"Wrote {rules} and {folder / '.env'}.")
    typer.echo(
        "Next: put your access token into .env, then, in that folder: hubsync check, hubsync audit, hubsync sync."
    )
    return 0


def _asked() -> OpenMeans:
    """Ask what OPEN means, on a terminal; elsewhere it stays unused, that is unmanaged."""
    if not sys.stdin.isatty():
        return OpenMeans.UNUSED
    answer = typer.prompt(
        "HubSpot ships a Lead status Open. Does your portal use it as another word for new, attempting or working, "
        "or is it unused?",
        default=OpenMeans.UNUSED.value,
        type=OpenMeans,
    )
    return OpenMeans(answer)


def _map_open(path: Path, meaning: OpenMeans) -> None:
    text = path.read_text(encoding="utf-8")
    head, found, rest = text.partition("\nstatuses:\n")
    if not found:
        raise SettingsError(f"{path}: no statuses: line to add OPEN to; add it by hand.")
    path.write_text(head + found + OPEN_STATUS.format(like=meaning.value) + rest, encoding="utf-8")
