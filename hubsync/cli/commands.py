"""Every command by name: its line in the help, and where its code lies.

The help is printed from this table alone. A command's module, and with it the database, HubSpot and table drawing, is
imported when that command runs. The names are a contract: scripts rely on them, so that one whose code comes with a
later version is accepted, and says so.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from hubsync.errors import HubsyncError

NOT_YET = "(not in this version)"


class NotInThisVersion(HubsyncError):
    """The command's name is settled, its code comes with a later version."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One command. `module` holds a function named like the command; `planned` ones have no code yet.

    With `commands` it is a group, such as `rules`, whose commands are functions of that one module.
    """

    name: str
    summary: str
    module: str = ""
    planned: bool = False
    commands: tuple[Entry, ...] = ()

    @property
    def line(self) -> str:
        """What the help says of it."""
        missing = self.planned or (self.commands and all(child.planned for child in self.commands))
        return f"{self.summary.rstrip(chr(46))} {NOT_YET}" if missing else self.summary

    @property
    def function(self) -> str:
        """The name of its function: the command's own, as an identifier."""
        return self.name.replace("-", "_")


def _at(module: str, name: str, summary: str) -> Entry:
    return Entry(name, summary, module=f"hubsync.cli.{module}")


def _planned(name: str, summary: str) -> Entry:
    return Entry(name, summary, planned=True)


COMMANDS: tuple[Entry, ...] = (
    _at("demo", "demo", "Watch hubsync at work on a sandbox portal."),
    _at("sandbox", "sandbox", "Run a sandbox portal, for trying rules."),
    _at("init", "init", "Copy rules and .env into a folder, for editing."),
    _at("check", "check", "Check settings, token, scopes and rules against the portal."),
    _at("setup", "setup", "Create the properties and options needed."),
    _at("audit", "audit", "Hold every contact against the policy; writes nothing."),
    _at("sync", "sync", "Plan what rules would change; with --write, do it."),
    _at("serve", "serve", "Run the service: webhooks, polling, pages."),
    _at("explain", "explain", "Say why a contact was changed, or why not."),
    _at("runs", "runs", "List past runs."),
    _at("undo", "undo", "Preview taking a run back; with --write, do it."),
    _at("set_status", "set-status", "Preview setting many Lead statuses; with --write, do it."),
    _at("backlog", "backlog", "What lies before the moment rules count from; treat it."),
    _at("rollout", "rollout", "Raise or lower how much rules may write."),
    _at("guard", "guard", "Show what the guard holds, and release it."),
    Entry(
        "rules",
        "Check, test and show the rules.",
        commands=(
            _at("rules", "check", "Check the rule files; every fault with its line."),
            _at("testing", "test", "Run the cases that stand beside the rules."),
            _at("rules", "show", "Show the rules as hubsync reads them."),
            _at("proving", "prove", "Prove that the rules settle."),
            _planned("backtest", "Replay the past under the rules."),
            _at("guide", "guide", "Write the status guide, in four languages."),
            _at("schema", "schema", "Print the JSON Schema of the rule files, for editors."),
        ),
    ),
    Entry(
        "report",
        "Funnel, times, bottlenecks and more.",
        commands=(
            _at("report", "overrides", "What people changed back, by rule."),
            _at("report", "digests", "Who is to be told what, by recipient and day."),
            *(
                _planned(name, summary)
                for name, summary in (
                    ("funnel", "Leads by stage, and what becomes of them."),
                    ("time", "Time spent in each Lead status."),
                    ("bottlenecks", "Where leads pile up."),
                    ("reps", "Reps side by side."),
                    ("sla", "Service levels kept and breached."),
                    ("quality", "Data that is missing or at odds."),
                    ("mqls", "Marketing qualified leads by source."),
                    ("capacity", "Open leads against what reps can work."),
                    ("review", "The review pack."),
                )
            ),
        ),
    ),
    Entry(
        "db",
        "Look after the database.",
        commands=(
            _at("db", "upgrade", "Bring the database to this version's schema."),
            _at("export", "export", "Runs, ledger and overrides as JSON lines or CSV."),
            _at("purge", "purge", "Show what is older than its retention; with --write, delete it."),
            _planned("rebuild", "Rebuild what is derived from the ledger."),
        ),
    ),
)


class LazyCommand(TyperCommand):
    """A name and a line of help that turns into the real command once its arguments are to be parsed."""

    def __init__(self, entry: Entry, path: str) -> None:
        super().__init__(name=entry.name, short_help=entry.summary, rich_markup_mode=None)
        self.entry = entry
        self.path = path

    def make_context(self, *args: Any, **options: Any) -> Any:
        """The context of the real command, which from here on is the one that runs.

        Raises NotInThisVersion where its module isn't part of this installation.
        """
        return load(self.entry, self.path).make_context(*args, **options)


def command_for(entry: Entry, parent: str = "hubsync") -> TyperCommand | TyperGroup:
    """The command as it stands in a group: lazy, a group of lazy ones, or one that says it isn't there yet."""
    path = f"{parent} {entry.name}"
    if entry.commands:
        return TyperGroup(
            name=entry.name,
            help=entry.summary,
            short_help=entry.line,
            commands={child.name: command_for(child, path) for child in entry.commands},
            no_args_is_help=True,
            rich_markup_mode=None,
        )
    return _command_to_come(entry, path) if entry.planned else LazyCommand(entry, path)


def load(entry: Entry, path: str) -> TyperCommand:
    """Import the command's module and make a command of the function named like it; its docstring is the help.

    Raises NotInThisVersion where there is no such module; anything that goes wrong inside the module passes through.
    """
    try:
        module = importlib.import_module(entry.module)
    except ModuleNotFoundError as error:
        if error.name != entry.module:
            raise
        raise NotInThisVersion(f"{path}: this version of hubsync doesn't have it yet.") from error
    function: Callable[..., Any] = getattr(module, entry.function)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(entry.name)(function)
    command = typer.main.get_command(app)
    if not isinstance(command, TyperCommand):  # one function makes one command
        raise TypeError(f"{entry.module}.{entry.function} made a {type(command).__name__}")
    return command


def _command_to_come(entry: Entry, path: str) -> TyperCommand:
    """A command that takes whatever arguments its later self may take, and refuses."""

    def refuse() -> None:
        raise NotInThisVersion(f"{path}: this version of hubsync doesn't have it yet.")

    return TyperCommand(
        name=entry.name,
        help=entry.line,
        short_help=entry.line,
        callback=refuse,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        rich_markup_mode=None,
    )
