"""YAML as text with positions: what rule files say, and where each word of it stands.

Every scalar is text (`NO` is the word NO, stage id 12345 is text); the models give types. A key given twice, anchors,
aliases, tags and a second document are faults, so that what one reads in a file is what it says. Built on the parser's
events, since composed nodes no longer tell an anchor from none. It must not know what the keys mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from hubsync.errors import Problem, RuleFileError

Data: TypeAlias = "dict[str, Data] | list[Data] | str"
KeyPath: TypeAlias = tuple[str | int, ...]
Position: TypeAlias = tuple[int, int]
"""Line and column, both from 1."""

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_DEEPEST = 50
_NOTHING = frozenset({"null", "~"})


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One file's content: dictionaries, lists and text, an empty file being an empty dictionary."""

    file: str
    data: Data
    _values: Mapping[KeyPath, Position] = field(repr=False)
    _keys: Mapping[KeyPath, Position] = field(repr=False)
    _origins: Mapping[KeyPath, KeyPath] = field(default_factory=dict, repr=False)

    def standing_for(self, origins: Mapping[KeyPath, KeyPath]) -> Document:
        """The same document where paths that begin with one of these stand at others, which they were made from."""
        return replace(self, _origins=origins)

    def where(self, path: KeyPath, key: bool = False) -> Position:
        """Line and column, from 1, of the value at a path or of its key; of the nearest parent where there is none."""
        begin = next((n for n in range(len(path), 0, -1) if path[:n] in self._origins), 0)
        path = (*self._origins.get(path[:begin], path[:begin]), *path[begin:])
        if key and path in self._keys:
            return self._keys[path]
        while path and path not in self._values:
            path = path[:-1]
        return self._values.get(path, (1, 1))

    def at(self, path: KeyPath) -> Data:
        """The value at a path; KeyError, IndexError or TypeError where there is none."""
        value: Any = self.data
        for part in path:
            value = value[part]
        found: Data = value
        return found

    def problem(self, path: KeyPath, message: str, key: bool = False) -> Problem:
        """A fault of the value at a path, or of its key."""
        return Problem(self.file, *self.where(path, key), message)


def read(path: Path, file: str | None = None) -> Document:
    """The document in a file; `file` is what messages call it. Raises RuleFileError with every fault."""
    name = file or str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RuleFileError([Problem(name, 1, 1, f"this file can't be read: {error.strerror}")]) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8-sig", errors="replace")
        message = "this is not UTF-8 text; save the file with the encoding UTF-8"
        raise RuleFileError([Problem(name, *_position(before), message)]) from error
    return compose(text, name)


def compose(text: str, file: str) -> Document:
    """The document in a text. Raises RuleFileError with every fault, up to the first that is no YAML at all."""
    composer = _Composer(text, file)
    data = composer.document()
    if composer.problems:
        raise RuleFileError(sorted(composer.problems, key=lambda problem: (problem.line, problem.column)))
    return Document(file, data, composer.values, composer.keys)


class _Composer:
    """Builds one document from the parser's events and notes where everything stands and what is wrong with it."""

    def __init__(self, text: str, file: str) -> None:
        self.problems: list[Problem] = []
        self.values: dict[KeyPath, Position] = {}
        self.keys: dict[KeyPath, Position] = {}
        self._text = text
        self._file = file
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._verbatim: set[int] = set()

    def document(self) -> Data:
        data: Data = {}
        unparsed_from = None
        try:
            while not isinstance(event := next(self._events), yaml.StreamEndEvent):
                if isinstance(event, yaml.DocumentStartEvent) and self.values:
                    self._fault(event, "a second document begins here; a rule file holds one")
                    break
                if isinstance(event, yaml.NodeEvent):
                    data = self._node(event, ())
        except _TooDeepError as error:
            self._fault(error.event, f"this is nested more than {_DEEPEST} levels deep")
        except yaml.reader.ReaderError as error:
            position = _position(self._text[: max(self._text.find(chr(int(error.character))), 0)])
            self.problems.append(Problem(self._file, *position, "there is an invisible control character here"))
        except yaml.MarkedYAMLError as error:
            self.problems.append(self._syntax(error))
            unparsed_from = self.problems[-1].line
        self._find_tabs(unparsed_from)
        return data

    def _node(self, event: Any, path: KeyPath) -> Data:
        if len(path) > _DEEPEST:
            raise _TooDeepError(event)
        self.values[path] = _mark(event)
        if isinstance(event, yaml.AliasEvent):
            self._fault(event, f'aliases ("*{event.anchor}") are not used in rule files; write the value out')
            return ""
        if event.anchor is not None:
            self._fault(event, f'anchors ("&{event.anchor}") are not used in rule files; write the value out')
        if event.tag is not None:
            self._fault(event, "types (words that begin with !) are not used in rule files; write the value alone")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event)

    def _mapping(self, path: KeyPath) -> Data:
        data: dict[str, Data] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, (*path, ""))
            if not isinstance(key, str):
                self._fault(event, "a key must be text")
            elif isinstance(event, yaml.AliasEvent):
                pass  # a fault already
            elif not key:
                self._fault(event, "a key is missing here, before the colon")
            elif key in data:
                first = self.keys[*path, key][0]
                self._fault(event, f'"{key}" is given twice, first on line {first}')
            else:
                self.keys[*path, key] = _mark(event)
            name = key if isinstance(key, str) else ""
            value = self._node(next(self._events), (*path, name))
            data.setdefault(name, value)
        self.values.pop((*path, ""), None)
        return data

    def _sequence(self, path: KeyPath) -> Data:
        data: list[Data] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            data.append(self._node(event, (*path, len(data))))
        return data

    def _scalar(self, event: Any) -> str:
        text: str = event.value
        if event.style:
            self._verbatim.update(range(event.start_mark.line + 2, event.end_mark.line + 2))
            return text
        return "" if text in _NOTHING else text

    def _find_tabs(self, unparsed_from: int | None) -> None:
        """YAML lets some tabs stand for spaces and refuses others; readers can't tell which, so all are faults.

        But those in literal text aren't. What wasn't parsed may be such text, if its lines begin with spaces.
        """
        known = self._verbatim | {problem.line for problem in self.problems}
        for number, line in enumerate(self._text.splitlines(), start=1):
            indent = line[: len(line) - len(line.lstrip(" \t"))]
            content = line[len(indent) :]
            parsed = unparsed_from is None or number < unparsed_from
            if "\t" in indent and content and content[0] != "#" and number not in known and (parsed or line[0] == "\t"):
                self.problems.append(Problem(self._file, number, indent.index("\t") + 1, _TAB))

    def _fault(self, event: Any, message: str) -> None:
        self.problems.append(Problem(self._file, *_mark(event), message))

    def _syntax(self, error: yaml.MarkedYAMLError) -> Problem:
        told, context = str(error.problem), str(error.context)
        mark = error.problem_mark or error.context_mark
        if "quoted scalar" in context and "end of" in told:  # said of the file's end, though the fault is the beginning
            mark = error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        lines = self._text.splitlines()
        rest = lines[line - 1][column - 1 :] if line <= len(lines) else ""
        message = next((plain for part, plain in _PLAIN if part in f"{told} {context}"), f"this is not YAML: {told}")
        if rest.startswith("\t"):
            message = _TAB
        elif "cannot start any token" in told:
            message = f'a value can\'t begin with "{rest[:1]}"; put it in quotes'
        return Problem(self._file, line, column, message)


class _TooDeepError(Exception):
    def __init__(self, event: Any) -> None:
        self.event = event


_TAB = "there is a tab here; indent with spaces"
_MISFIT = "this doesn't fit the lines above it; look at the indentation, the quotes and the brackets"
_PLAIN = (
    (
        "mapping values are not allowed",
        'there is one ": " too many here; put the value in quotes, or check the indentation',
    ),
    ("while parsing a flow sequence", 'this list isn\'t closed: a "," or "]" is missing'),
    ("while parsing a flow mapping", 'these braces aren\'t closed: a "," or "}" is missing'),
    ("node content", "a value is missing here, or a bracket isn't closed"),
    ("while scanning a quoted scalar", "a quote begins here that doesn't end"),
    ("unknown escape character", "there is an unknown escape behind a backslash; use single quotes"),
    ("while parsing a block", _MISFIT),
    ("did not find expected <document start>", _MISFIT),
    ("could not find expected ':'", 'a ":" is missing behind the key'),
)
"""What the parsers say of common faults (libyaml's words and the pure loader's), and plain words for it."""


def _mark(event: Any) -> Position:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _position(before: str) -> Position:
    """Line and column, from 1, of what follows a text."""
    lines = before.replace("\r\n", "\n").split("\n")
    return len(lines), len(lines[-1]) + 1
