"""The console entry: options before the command, the command, and every way a run can end.

`run` alone turns an error into a message and an exit code, and `main` alone exits. Nothing here imports the database,
HubSpot or settings: `hubsync --help` must be there at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hubsync import __version__
from hubsync.cli.commands import COMMANDS, command_for
from hubsync.cli.context import Invocation, invocation
from hubsync.cli.options import LogLevel, PortalOption
from hubsync.errors import HubsyncError

COULD_NOT_RUN = 3
INTERRUPTED = 130
PIPE_CLOSED = 141
"""As a shell reports a process that ended by SIGINT or SIGPIPE; 0 to 4 are taken by what commands have to say."""

app = typer.Typer(
    name="hubsync",
    help="Keeps every HubSpot contact's Lead status and Lifecycle stage true and consistent. "
    "Nothing writes to a portal without --write.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help costs 40 ms less than drawn help, and reads the same in a pipe
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hubsync {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    env_file: Annotated[
        Path | None, typer.Option("--env-file", metavar="FILE", help="Read settings from here instead of .env.")
    ] = None,
    portal: PortalOption = None,
    log_level: Annotated[LogLevel | None, typer.Option("--log-level", help="Overrides HUBSYNC_LOG_LEVEL.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell progress where there is no terminal.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options that stand before the command."""
    del version
    given = invocation(context)
    given.env_file, given.portal, given.verbose = env_file, portal, verbose
    given.log_level = log_level.value if log_level is not None else None


def build() -> TyperGroup:
    """The command line as one group, with every command by name and none of their modules imported."""
    group = typer.main.get_command(app)
    if not isinstance(group, TyperGroup):  # a callback makes it a group
        raise TypeError(f"the command line is a {type(group).__name__}")
    for entry in COMMANDS:
        group.add_command(command_for(entry))
    return group


def run(arguments: Sequence[str], command: Callable[[], Any] = build, name: str = "hubsync") -> int:
    """Run one command line and give its exit code (design: 0 fine, 1 findings, 2 usage, 3 could not run, 4 guard).

    A command gives its own code by returning it or by `typer.Exit`; None is 0. Never raises: what happened is told in
    one message on stderr. `command` makes what is run: a command of typer's.
    """
    given = Invocation()
    try:
        code = command().main(args=list(arguments), prog_name=name, standalone_mode=False, obj=given)
        sys.stdout.flush()
    except HubsyncError as error:
        _tell("\n".join([str(error), *getattr(error, "__notes__", ())]), given)
        return error.exit_code
    except typer.Abort:
        code = INTERRUPTED
    except typer.TyperException as error:
        return _tell_usage(error)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        code = PIPE_CLOSED
    except SystemExit as end:  # the library's own ends: a closed pipe, which it answers with 1, and shell completion
        code = PIPE_CLOSED if isinstance(end.__context__, BrokenPipeError) else end.code
    except OSError as error:  # a full disk, a folder that may not be read: the machine's, not a fault of hubsync's
        _tell(f"hubsync could not go on: {error}", given)
        return COULD_NOT_RUN
    except Exception as error:  # noqa: BLE001  (the last resort: a message instead of a traceback)
        return _tell_fault(error, given)
    if code == INTERRUPTED:
        _tell("Stopped.", given)
    return code if isinstance(code, int) else 0


def main() -> None:
    """The `hubsync` command."""
    _end_with(lambda: run(sys.argv[1:]))


def script(function: Callable[..., int]) -> None:
    """Run a one-off script's function as a command of its own: options, messages and exit codes as those of `hubsync`.

    It may take a typer.Context, which a workbench is made of; its docstring is the help.
    """
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(function)
    _end_with(lambda: run(sys.argv[1:], lambda: typer.main.get_command(app), Path(sys.argv[0]).name))


def _end_with(code_of: Callable[[], int]) -> None:
    """Exit with the code, once all that was said is out."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 must not end a run
    code = code_of()
    if sys.__stdout__ is not None:
        try:
            sys.__stdout__.flush()
        except OSError:  # told by `run`; what is left goes nowhere, or the interpreter would end with a code of its own
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
    sys.exit(code)


def _tell(message: str, given: Invocation) -> None:
    print(message, file=sys.stderr)
    if given.debugging:
        _print_traceback()


def _tell_usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    message = error.format_message().replace(": Value error, ", ": ")
    if not message.startswith("Usage:"):  # else it is the help itself, where a command is missing
        message += f"\nTry: {context.command_path if context is not None else 'hubsync'} --help"
    print(message, file=sys.stderr)
    return error.exit_code


def _tell_fault(error: Exception, given: Invocation) -> int:
    """A fault of ours: what and where to look, the traceback only on request; without secrets, whatever it holds."""
    from hubsync.logs import redacted

    what = redacted(f"{type(error).__name__}: {error}".splitlines()[0])
    print(f"hubsync could not go on, by a fault of its own ({what}).", file=sys.stderr)
    if given.debugging:
        _print_traceback()
    else:
        print("Run it again with HUBSYNC_LOG_LEVEL=debug to see where, and please report it.", file=sys.stderr)
    return COULD_NOT_RUN


def _print_traceback() -> None:
    import traceback

    from hubsync.logs import redacted

    if sys.exc_info()[1] is not None:
        print(redacted(traceback.format_exc()), file=sys.stderr)
