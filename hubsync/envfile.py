"""What stands in `.env` and the environment, name by name, with where it stands.

Nothing is skipped in silence: a line that can't be read, a name given twice and a misspelt name are problems, told
with file and line. A problem names settings and lines, never a value.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from hubsync.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Given:
    """A setting's text and where it stands: `.env:3` or `environment`."""

    text: str
    where: str


def gather(
    env_file: Path | None, environ: Mapping[str, str] | None, *, prefix: str, known: Iterable[str]
) -> tuple[Path | None, dict[str, Given], list[str]]:
    """The file that was read (absolute), the known names with a value (the environment over the file), and problems.

    `env_file` None means `.env` of the working directory, which may be absent; a named file may not.
    Raises SettingsError where the file can't be read at all.
    """
    path = _find(env_file)
    in_file, problems = read_env_file(path) if path is not None else ({}, [])
    in_environment = {
        name: Given(text, "environment")
        for name, text in sorted((os.environ if environ is None else environ).items())
        if name.upper().startswith(prefix)
    }
    names = sorted(known)
    given: dict[str, Given] = {}
    for source in (in_file, in_environment):
        for name, value in source.items():
            if not name.upper().startswith(prefix):
                continue
            if name not in names:
                problems.append(f"{value.where}: {name} is not a setting{_did_you_mean(name, names)}")
            elif value.text.strip():
                given[name] = Given(value.text.strip(), value.where)
    return path, given, problems


def read_env_file(path: Path) -> tuple[dict[str, Given], list[str]]:
    """All names of the file with their text, and the lines that can't be read.

    `${NAME}` is left as it stands: a password may hold it. Raises SettingsError where the file isn't readable text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path} can't be read ({error.strerror}).") from error
    except UnicodeDecodeError:
        raise SettingsError(f"{path} isn't UTF-8 text; save it as UTF-8.") from None
    found: dict[str, Given] = {}
    problems = []
    for binding in parse_stream(StringIO(text)):
        raw = binding.original.string  # with the blank lines before it
        where = f"{path.name}:{binding.original.line + raw[: len(raw) - len(raw.lstrip())].count(chr(10))}"
        if binding.error or (binding.key is not None and binding.value is None):
            problems.append(f"{where}: this line is not NAME=value")
        elif binding.key is not None and binding.value is not None:
            if binding.key in found:
                problems.append(f"{where}: {binding.key} is given again; it stands in {found[binding.key].where} too")
            found[binding.key] = Given(binding.value, where)
    return found, problems


def which_are_given_twice(given: Mapping[str, Given], *names: str) -> list[str]:
    """A problem for each name that is given both as a value and as a file."""
    return [
        f"{given[name + '_FILE'].where}: {name}_FILE is given, and {name} too ({given[name].where}); keep one"
        for name in names
        if name in given and name + "_FILE" in given
    ]


def _find(env_file: Path | None) -> Path | None:
    path = Path.cwd() / (env_file.expanduser() if env_file is not None else ".env")
    if path.exists():
        return path
    if env_file is not None:
        raise SettingsError(f"{env_file} does not exist; --env-file names the file to read instead of .env.")
    return None


def _did_you_mean(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name.upper(), names, n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else "; .env.example lists them all"
