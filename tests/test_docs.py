"""What is documented is what there is: settings, commands, operators."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hubsync.cli.commands import COMMANDS, Entry
from hubsync.envfile import read_env_file
from hubsync.settings import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / ".env.example"
README = ROOT / "README.md"


# Settings: .env.example against Settings


def test_the_example_names_every_setting_once_and_in_order() -> None:
    named = re.findall(r"^#?(HUBSYNC_\w+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == [PREFIX + name.upper() for name in Settings.model_fields]


def test_every_setting_of_the_example_has_its_line_of_meaning_above_it() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    assert [
        line
        for above, line in zip(["", *lines], lines, strict=False)
        if line.startswith(PREFIX) and not re.match(r"# \S.{10,}", above)
    ] == []


def test_the_example_can_be_used_as_it_is_and_says_the_defaults(isolated: Path) -> None:
    defaults = load_settings(environ={})
    (isolated / ".env").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    assert load_settings(environ={}) == defaults


def test_the_example_holds_no_value_that_is_a_secret() -> None:
    given, problems = read_env_file(EXAMPLE)
    assert problems == []
    secret = ("TOKEN", "SECRET", "PASSWORD", "WEBHOOK_URL", "SMTP_URL")
    assert [name for name, value in given.items() if name.endswith(secret) and value.text] == []


# Commands: README.md against the command line


def commands_in_full(entries: tuple[Entry, ...] = COMMANDS, parent: str = "hubsync") -> list[str]:
    """Every command as it is typed; of a group those that there are, or the group itself where all are to come."""
    return [
        name
        for entry in entries
        for name in (
            commands_in_full(tuple(child for child in entry.commands if not child.planned), f"{parent} {entry.name}")
            or [f"{parent} {entry.name}"]
        )
    ]


def is_named(command: str, text: str) -> bool:
    """Whether the text names the command, in full or among others of its group as `hubsync rules check|test`."""
    group, _, name = command.rpartition(" ")
    return re.search(rf"{re.escape(group)} (?:[\w-]+ ?\| ?)*{re.escape(name)}(?![\w-])", text) is not None


def test_the_readme_names_every_command() -> None:
    readme = README.read_text(encoding="utf-8")
    assert [command for command in commands_in_full() if not is_named(command, readme)] == []


@pytest.mark.parametrize(
    "text", ["`hubsync rules test`", "hubsync rules check|test|show", "hubsync rules check | test"]
)
def test_a_command_counts_as_named_in_full_or_among_others(text: str) -> None:
    assert is_named("hubsync rules test", text)


@pytest.mark.parametrize("text", ["hubsync rules tests", "hubsync test", "hubsync rules check, test"])
def test_a_command_is_not_named_by_something_like_it(text: str) -> None:
    assert not is_named("hubsync rules test", text)


# Operators: rules/README.md against policy (its tests stand below this line)
