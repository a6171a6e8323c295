"""The frame of the command line: what the help says, how a run can end, and what it costs to start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from hubsync import __version__
from hubsync.cli import commands
from hubsync.cli.context import invocation
from hubsync.cli.main import run
from hubsync.errors import HubsyncError, SettingsError, UnsafePlan

ROOT = Path(__file__).parents[2]
DEAR = (
    "alembic",
    "hubspot",
    "jinja2",
    "pydantic_settings",
    "requests",
    "rich.table",
    "sqlalchemy",
    "structlog",
    "urllib3",
)
PROGRAM = "from hubsync.cli import main; main()"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a function where the code of `hubsync runs` lies."""

    def install(function: Any) -> None:
        module = ModuleType("hubsync.cli.runs")
        module.runs = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "hubsync.cli.runs", module)

    return install


def names(entries: tuple[commands.Entry, ...], parent: str = "") -> set[str]:
    return {
        name
        for entry in entries
        for name in ({f"{parent}{entry.name}"} | names(entry.commands, f"{parent}{entry.name} "))
    }


def test_every_name_of_the_contract_is_a_command() -> None:
    assert names(commands.COMMANDS) == {
        *("demo", "sandbox", "init", "check", "setup", "audit", "sync", "serve", "explain", "runs", "undo"),
        *("set-status", "backlog", "rollout", "guard", "rules", "report", "db"),
        *(f"rules {name}" for name in ("check", "test", "prove", "backtest", "show", "guide", "schema")),
        *(f"report {name}" for name in ("funnel", "time", "bottlenecks", "reps", "sla", "overrides", "digests")),
        *(f"report {name}" for name in ("quality", "mqls", "capacity", "review")),
        *(f"db {name}" for name in ("upgrade", "export", "purge", "rebuild")),
    }


@pytest.mark.parametrize("group", [[], ["rules"], ["report"], ["db"]])
def test_the_help_gives_each_command_one_whole_line(group: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*group, "--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    entries = commands.COMMANDS
    for name in group:
        entries = next(entry.commands for entry in entries if entry.name == name)
    assert [line.split(maxsplit=1) for line in listed] == [[entry.name, entry.line] for entry in entries]


def test_the_help_marks_what_this_version_lacks() -> None:
    lines = {entry.name: entry.line for entry in commands.COMMANDS}
    children = {child.name: child.line for entry in commands.COMMANDS for child in entry.commands}
    assert children["backtest"].endswith("(not in this version)")
    assert not lines["serve"].endswith("(not in this version)")
    assert not lines["report"].endswith("(not in this version)")
    assert not lines["rules"].endswith("(not in this version)")


def test_the_help_imports_nothing_dear() -> None:
    script = f"""
import sys
from hubsync.cli.main import run
assert run(["--help"]) == 0
assert run(["rules", "--help"]) == 0
print([name for name in {DEAR!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr == "[]\n"


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"hubsync {__version__}\n"


@pytest.mark.parametrize("line", ["db rebuild --portal 1", "rules backtest --depth 3", "report funnel"])
def test_a_command_of_a_later_version_says_so(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line.split()) == 3
    name = line.partition(" --")[0]
    assert capsys.readouterr().err == f"hubsync {name}: this version of hubsync doesn't have it yet.\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("aduit", "No such command 'aduit'. Did you mean 'audit'?\nTry: hubsync --help\n"),
        ("rules chekc", "No such command 'chekc'. Did you mean 'check'?\nTry: hubsync rules --help\n"),
        ("--log-level", "Option '--log-level' requires an argument.\nTry: hubsync --help\n"),
        ("runs --nope", "No such option: --nope\nTry: hubsync runs --help\n"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_where_help_is(
    command: Any, line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command(lambda: None)
    assert run(line.split()) == 2
    assert capsys.readouterr().err == said


def test_without_a_command_the_help_is_shown_as_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("Usage: hubsync [OPTIONS] COMMAND")
    assert printed.out == ""


@pytest.mark.parametrize(
    ("error", "code"), [(SettingsError("no token"), 2), (HubsyncError("no network"), 3), (UnsafePlan("too much"), 4)]
)
def test_an_error_of_ours_is_one_message_and_its_exit_code(
    command: Any, error: HubsyncError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def runs() -> None:
        raise error

    command(runs)
    assert run(["runs"]) == code
    assert capsys.readouterr().err == f"{error}\n"


@pytest.mark.parametrize(("given", "code"), [(None, 0), (0, 0), (1, 1)])
def test_a_command_returns_its_exit_code(command: Any, given: int | None, code: int) -> None:
    command(lambda: given)
    assert run(["runs"]) == code


def test_a_command_may_exit_with_a_code(command: Any) -> None:
    def runs() -> None:
        raise typer.Exit(4)

    command(runs)
    assert run(["runs"]) == 4


def test_the_options_before_the_command_reach_it(command: Any) -> None:
    seen = []

    def runs(context: typer.Context) -> None:
        given = invocation(context)
        seen.append((given.env_file, given.portal, given.log_level, given.verbose))

    command(runs)
    assert run(["--env-file", "a.env", "--portal", "4211", "--log-level", "debug", "-v", "runs"]) == 0
    assert seen == [(Path("a.env"), 4211, "debug", True)]


def test_a_command_reads_settings_from_the_env_file_named_before_it(command: Any, isolated: Path) -> None:
    (isolated / "a.env").write_text("HUBSYNC_APP_ID=77\n")
    seen = []

    def runs(context: typer.Context) -> None:
        seen.append(invocation(context).settings().app_id)

    command(runs)
    assert run(["--env-file", "a.env", "runs"]) == 0
    assert seen == ["77"]


def test_wrong_settings_end_with_2_and_every_problem(
    command: Any, isolated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (isolated / ".env").write_text("HUBSYNC_WRITE=perhaps\nHUBSYNC_ACCES_TOKEN=pat-na1-x\n")

    def runs(context: typer.Context) -> None:
        invocation(context).settings()

    command(runs)
    assert run(["runs"]) == 2
    assert sorted(capsys.readouterr().err.splitlines()) == [
        ".env:1: HUBSYNC_WRITE must be true or false",
        ".env:2: HUBSYNC_ACCES_TOKEN is not a setting; did you mean HUBSYNC_ACCESS_TOKEN?",
    ]


def fails() -> None:
    raise LookupError("nothing under pat-na1-11111111-2222 for ada@example.com")


def test_a_fault_of_our_own_is_told_without_traceback_and_without_secrets(
    command: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command(fails)
    assert run(["runs"]) == 3
    assert capsys.readouterr().err == (
        "hubsync could not go on, by a fault of its own (LookupError: nothing under [token] for [email]).\n"
        "Run it again with HUBSYNC_LOG_LEVEL=debug to see where, and please report it.\n"
    )


@pytest.mark.parametrize("by", ["option", "environment"])
def test_when_debugging_the_traceback_is_told_too(
    command: Any, by: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command(fails)
    if by == "environment":
        monkeypatch.setenv("HUBSYNC_LOG_LEVEL", "debug")
    assert run(["--log-level", "debug", "runs"] if by == "option" else ["runs"]) == 3
    said = capsys.readouterr().err
    assert "in fails\n" in said
    assert said.rstrip().endswith("LookupError: nothing under [token] for [email]")


def test_a_module_that_is_missing_inside_a_command_is_a_fault_and_not_a_missing_command(
    command: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def runs() -> None:
        import no_such_module_of_anybody  # type: ignore[import-not-found]  # noqa: F401

    command(runs)
    assert run(["runs"]) == 3
    assert "ModuleNotFoundError" in capsys.readouterr().err


def test_ctrl_c_lets_the_command_clean_up_and_ends_with_130(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def runs() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            signal.pause()
        finally:
            print("312 of 900 contacts done", file=sys.stderr)

    command(runs)
    assert run(["runs"]) == 130
    assert capsys.readouterr().err == "312 of 900 contacts done\nStopped.\n"


@pytest.mark.parametrize("flushed", [True, False], ids=["while writing", "at the end"])
def test_a_reader_who_leaves_early_ends_the_command_in_silence(flushed: bool) -> None:
    script = f"""
import sys, types
module = types.ModuleType("hubsync.cli.runs")
def runs():
    sys.stdin.readline()
    print("a line", flush={flushed})
module.runs = runs
sys.modules["hubsync.cli.runs"] = module
sys.argv = ["hubsync", "runs"]
{PROGRAM}
"""
    program = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.close()
    program.stdin.write("go\n")
    program.stdin.close()
    said = program.stderr.read()
    program.stderr.close()
    assert (program.wait(), said) == (141, "")


def test_a_full_disk_under_stdout_is_told_and_ends_with_3() -> None:
    script = f"import sys; sys.argv = ['hubsync', '--version']; {PROGRAM}"
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-c", script], check=False, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
    assert (done.returncode, done.stderr) == (3, "hubsync could not go on: [Errno 28] No space left on device\n")


def test_shell_completion_offers_commands() -> None:
    asked = {"_HUBSYNC_COMPLETE": "complete_bash", "COMP_WORDS": "hubsync ru", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, **asked},
    )
    assert done.stdout.split() == ["runs", "rules"]
