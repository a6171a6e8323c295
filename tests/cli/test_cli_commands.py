"""The table of commands and the code behind it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from hubsync.cli.commands import COMMANDS, Entry, NotInThisVersion, load
from hubsync.cli.main import run
from hubsync.cli.options import Format, FormatOption, OutOption, PortalOption, WriteOption


def offered(entries: tuple[Entry, ...] = COMMANDS) -> Iterator[Entry]:
    """The commands that the help doesn't mark as missing."""
    for entry in entries:
        if entry.commands:
            yield from offered(entry.commands)
        elif not entry.planned:
            yield entry


def test_every_command_that_the_help_offers_has_code_and_a_help_of_its_own() -> None:
    missing = []
    for entry in offered():
        try:
            command = load(entry, entry.name)
        except (NotInThisVersion, AttributeError):
            missing.append(f"{entry.module}.{entry.function}")
        else:
            assert command.help, f"{entry.module}.{entry.function} has no docstring"
    assert missing == []


def test_a_module_that_is_not_installed_is_a_command_of_another_version() -> None:
    with pytest.raises(NotInThisVersion, match="hubsync nope: this version of hubsync doesn't have it yet"):
        load(Entry("nope", "Nothing.", module="hubsync.cli.nope"), "hubsync nope")


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("runs", (None, None, False, None)),
        ("runs --format html --out a.html --write --portal 4211", (Format.HTML, Path("a.html"), True, 4211)),
    ],
)
def test_shared_options_read_the_same_in_every_command(
    line: str, seen: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def runs(
        form: FormatOption = None, out: OutOption = None, write: WriteOption = False, portal: PortalOption = None
    ) -> None:
        given.append((form, out, write, portal))

    module = ModuleType("hubsync.cli.runs")
    module.runs = runs  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hubsync.cli.runs", module)
    assert run(line.split()) == 0
    assert given == [seen]
