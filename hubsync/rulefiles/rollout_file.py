"""Editing rules/rollout.yaml: one mode moves, every comment and every other line stays as it is.

The file's text goes in and comes out; it is read again afterwards, so that what is written is what was meant. What
the modes mean is policy/rollout.py's business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hubsync.rulefiles.lines import Document, KeyPath, compose

START = """\
# yaml-language-server: $schema=.schema/rollout.json
# What hubsync's rules may do at most, while it is being rolled out (playbook B6). A cap only lowers: report shows what
# a rule would do, propose offers it to people, auto does it. `hubsync rollout` shows where every rule stands and what
# comes next; `hubsync rollout RULE|--all MODE [--team T]` moves it. Without this file each rule does what it says,
# and tasks come at any hour instead of in their owner's business hours. So keep it when everything is at auto.
#
# default   for every rule that isn't named below
# rules     by rule id or playbook id: {new_on_becoming_mql: auto} or {A2: auto}
# teams     for the contacts of a team's owners: {Paris: {default: propose, rules: {A2: auto}}}
rollout:
  default: report
  rules: {}
  teams: {}
"""
_WORD = re.compile(r"""(["']?)[a-z]+\1""")


def moved(text: str, file: str, names: Sequence[str], mode: str, team: str | None = None) -> str:
    """The file's text with the caps of `names` at `mode`; without names, with everything there at `mode`.

    Raises RuleFileError for a text that is no rule file.
    """
    root: KeyPath = ("rollout",) if team is None else ("rollout", "teams", _spelled(compose(text, file), team))
    paths: list[KeyPath] = [(*root, "rules", name) for name in names]
    if not names:
        listed = _get(compose(text, file), (*root, "rules"))
        paths = [(*root, "default"), *((*root, "rules", name) for name in (listed if isinstance(listed, dict) else ()))]
    for path in paths:
        text = _put(text, file, path, mode)
        if _get(compose(text, file), path) != mode:
            raise ValueError(f"{file}: {'.'.join(map(str, path))} could not be set to {mode}; edit the file by hand")
    return text


def _spelled(document: Document, team: str) -> str:
    """The team as the file already spells it, without regard to case."""
    known = _get(document, ("rollout", "teams"))
    return next((t for t in known if t.casefold() == team.casefold()), team) if isinstance(known, dict) else team


def _get(document: Document, path: KeyPath) -> object:
    try:
        return document.at(path)
    except (KeyError, IndexError, TypeError):
        return None


def _put(text: str, file: str, path: KeyPath, value: str) -> str:
    """The text with `value` (a word or a flow mapping) at a path; what is missing above it is made."""
    document = compose(text, file)
    found = _get(document, path)
    if isinstance(found, str) and found:
        start = _offset(text, document.where(path))
        return text[:start] + _WORD.sub(value, text[start:], count=1)
    parent = _get(document, path[:-1])
    name = _quoted(str(path[-1]))
    if len(path) == 1:
        return f"{text.rstrip()}\n{name}: {value}\n".lstrip()
    if not isinstance(parent, dict) or not parent:
        inner = f"{{{name}: {value}}}"
        if isinstance(parent, dict) and _is_flow(text, document, path[:-1]):
            start = _offset(text, document.where(path[:-1]))
            return text[:start] + re.sub(r"\{\s*\}", lambda _m: inner, text[start:], count=1)
        return _put(_without(text, document, path[:-1]), file, path[:-1], inner)
    if _is_flow(text, document, path[:-1]):
        start = _offset(text, document.where(path[:-1])) + 1
        return f"{text[:start]}{name}: {value}, {text[start:]}"
    line, column = document.where((*path[:-1], next(iter(parent))), key=True)
    lines = text.splitlines(keepends=True)
    lines.insert(line - 1, f"{' ' * (column - 1)}{name}: {value}\n")
    return "".join(lines)


def _without(text: str, document: Document, path: KeyPath) -> str:
    """The text without a key that stands there with no value, so that it can be put anew."""
    if _get(document, path) is None:
        return text
    line, _ = document.where(path, key=True)
    lines = text.splitlines(keepends=True)
    del lines[line - 1]
    return "".join(lines)


def _is_flow(text: str, document: Document, path: KeyPath) -> bool:
    start = _offset(text, document.where(path))
    return text[start : start + 1] == "{"


def _offset(text: str, position: tuple[int, int]) -> int:
    line, column = position
    return sum(len(one) for one in text.splitlines(keepends=True)[: line - 1]) + column - 1


def _quoted(name: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_ ]*", name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
