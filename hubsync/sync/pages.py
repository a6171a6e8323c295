"""Editing a rule file as the text it is, so that its comments and its order stay: lines are replaced, or others put
between them, at the places of its keys.

It must not know what the keys mean. Whoever edits loads the result before it is used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hubsync.rulefiles.lines import KeyPath, compose

_PLAIN_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WIDEST = 80


class Page:
    """A file's lines with the edits made so far. Places are those of the text before any edit.

    Every method that takes a path raises KeyError where the text has no such key.
    """

    def __init__(self, text: str, file: str) -> None:
        self.document = compose(text, file)
        self._lines = text.splitlines()
        self._above: dict[int, list[str]] = {}
        self._below: dict[int, list[str]] = {}

    def replace_value(self, path: KeyPath, value: str, remark: str = "") -> None:
        """Give the one-line value at a path another text, with a remark behind it."""
        line, column = self._place(path, key=False)
        self._lines[line - 1] = _with_remark(self._lines[line - 1][: column - 1] + value, remark)

    def remark(self, path: KeyPath, remark: str) -> None:
        """Put a remark behind the line of a key."""
        line, _ = self._place(path)
        self._lines[line - 1] = _with_remark(self._lines[line - 1], remark)

    def replace_line(self, path: KeyPath, lines: Sequence[str]) -> None:
        """Put other lines in the place of a key's one line."""
        line, _ = self._place(path)
        self._lines[line - 1] = lines[0]
        self._below.setdefault(line, []).extend(lines[1:])

    def put_under(self, path: KeyPath, lines: Sequence[str]) -> None:
        """Put lines right below a key's line."""
        line, _ = self._place(path)
        self._below.setdefault(line, []).extend(lines)

    def put_behind(self, path: KeyPath, lines: Sequence[str]) -> None:
        """Put lines behind the last line of what a key holds."""
        line, column = self._place(path)
        last = line
        while last < len(self._lines) and self._lines[last][:column].isspace():
            last += 1
        self._below.setdefault(last, []).extend(lines)

    def put_first(self, lines: Sequence[str]) -> None:
        """Put lines above all."""
        self._above.setdefault(1, []).extend(lines)

    def _place(self, path: KeyPath, *, key: bool = True) -> tuple[int, int]:
        self.document.at(path)
        return self.document.where(path, key=key)

    def text(self) -> str:
        """The text with all edits."""
        found: list[str] = []
        for number, line in enumerate(self._lines, start=1):
            found += [*self._above.get(number, ()), line, *self._below.get(number, ())]
        return "\n".join(found) + "\n"


def scalar(value: str) -> str:
    """A value as YAML has it: plain where it is one word, else in double quotes, with whatever must be escaped."""
    if _PLAIN_WORD.fullmatch(value) and value.casefold() != "null":
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def aside(text: str) -> str:
    """Words of a portal as a comment can hold them: on one line, printable, not too long."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return words if len(words) <= _WIDEST else words[: _WIDEST - 1] + "…"


def commented(lines: Sequence[str], indent: str = "  ") -> list[str]:
    """Lines as comments, the sign standing at `indent`."""
    return [f"{indent}# {line.removeprefix(indent)}" for line in lines]


def _with_remark(line: str, remark: str) -> str:
    return f"{line}  # {aside(remark)}" if remark else line


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
