"""`hubsync init`: rules and .env in a folder of one's own, for editing."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Collection
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubsync.cli.context import invocation
from hubsync.cli.output import as_text
from hubsync.errors import SettingsError
from hubsync.policy.rollout import ROLLOUT
from hubsync.rulefiles.packs import UNIVERSAL, assemble
from hubsync.rulefiles.rollout_file import START
from hubsync.rulefiles.schemas import FOLDER as SCHEMAS
from hubsync.rulefiles.schemas import write_all
from hubsync.settings import default_env_example, default_rules

if TYPE_CHECKING:
    from hubsync.sync.drafting import Draft

FILE = "portal.yaml"


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
    pack: Annotated[
        str, typer.Option("--pack", metavar="NAME", help="Which rule set: universal, inbound-8 or bant.")
    ] = UNIVERSAL,
    from_portal: Annotated[
        bool,
        typer.Option("--from-portal", help="Draft portal.yaml from the options, pipelines, owners and writers in use."),
    ] = False,
) -> int:
    """Copy rules and .env into a folder, for editing. Overwrites nothing, and writes nothing to the portal."""
    rules = folder / "rules"
    taken = [path for path in (rules, folder / ".env") if path.exists()]
    if taken:
        raise SettingsError(f"{', '.join(map(str, taken))} is there already. Nothing was written; name another folder.")
    with tempfile.TemporaryDirectory(prefix="hubsync-init-") as place:
        made = Path(place) / "rules"
        assemble(default_rules(), pack, made)
        (made / ROLLOUT).write_text(START, encoding="utf-8")  # nothing is written until the roll-out says so (B6)
        write_all(made / SCHEMAS)
        drafted = _draft_into(context, made, open_means) if from_portal else None
        if drafted is None:
            meaning = open_means if open_means is not None else _asked()
            if meaning is not OpenMeans.UNUSED:
                _map_open(made, meaning)
        _put(made, folder)
    typer.echo(f"Wrote {rules} and {folder / '.env'}.")
    if drafted is not None:
        _tell(drafted, rules)
    typer.echo(f"{rules / ROLLOUT} keeps every rule at report until `hubsync rollout` moves it.")
    typer.echo(
        "Next: put your access token into .env, then, in that folder: hubsync check, hubsync audit, hubsync sync."
    )
    return 0


def _put(rules: Path, folder: Path) -> None:
    """Rules and .env into their place."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(rules, folder / "rules")
        text = default_env_example().read_text(encoding="utf-8")
        env = folder / ".env"
        env.touch(mode=0o600)  # it will hold a token
        env.write_text(text.replace("HUBSYNC_RULES=\n", "HUBSYNC_RULES=rules\n"), encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{folder}: it can't be written ({error.strerror or error}).") from error


def _draft_into(context: typer.Context, rules: Path, open_means: OpenMeans | None) -> Draft:
    """Draft portal.yaml of a folder that is a copy of hubsync's own rules, and load all of it to see that it holds."""
    from hubsync.portal.gateway import Gateway
    from hubsync.rulefiles.load import load_rules
    from hubsync.sync.binding import bind
    from hubsync.sync.drafting import draft, open_needs_an_answer, verify
    from hubsync.sync.surveying import survey

    given = invocation(context)
    settings = given.settings()
    loaded = load_rules(rules)
    with Gateway(settings.api_url, settings.token_provider(), api_version=settings.api_version) as gateway:
        portal = bind(gateway, loaded)
        if given.portal is not None and given.portal != portal.id:
            raise SettingsError(f"--portal {given.portal}: the access token belongs to portal {portal.id}.")
        meaning = open_means
        if meaning is None and open_needs_an_answer(portal):
            meaning = _asked()
        found = survey(gateway, portal)
    path = rules / FILE
    text = path.read_text(encoding="utf-8")
    like = meaning.value if meaning is not None and meaning is not OpenMeans.UNUSED else None
    if meaning is not None and like is not None:
        _refuse_unknown(meaning, loaded.files.portal.statuses)
    made = draft(text, loaded.files.portal, found, datetime.now(UTC).date(), like)
    path.write_text(made.text, encoding="utf-8")
    verify(made, load_rules(rules), portal)
    return made


def _tell(made: Draft, rules: Path) -> None:
    """What of the draft somebody should look at."""
    for title, lines in (
        ("Guessed, please check", made.guessed),
        ("Left alone until you say what they are like", made.unsure),
        ("Not in the portal", made.lacking),
    ):
        if lines:
            typer.echo(f"{title}: {', '.join(map(as_text, lines))}.")
    if any(line.startswith("Lead status") for line in made.lacking):
        typer.echo("`hubsync setup` shows which options and properties it would add; nothing is added without --write.")
    typer.echo(f"Read {rules / FILE} through: it is a draft.")


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


def _refuse_unknown(meaning: OpenMeans, statuses: Collection[str]) -> None:
    """Raise SettingsError where the pack has no such status."""
    if meaning.value not in statuses:
        known = ", ".join(m.value for m in OpenMeans if m.value in statuses)
        raise SettingsError(f"--open-means {meaning}: this pack has no such Lead status; use {known} or unused.")


def _map_open(rules: Path, meaning: OpenMeans) -> None:
    from hubsync.rulefiles.load import load_rules

    _refuse_unknown(meaning, load_rules(rules).files.portal.statuses)
    path = rules / FILE
    text = path.read_text(encoding="utf-8")
    head, found, rest = text.partition("\nstatuses:\n")
    if not found:
        raise SettingsError(f"{path}: no statuses: line to add OPEN to; add it by hand.")
    path.write_text(head + found + OPEN_STATUS.format(like=meaning.value) + rest, encoding="utf-8")
