"""From a document to a typed model: pydantic's findings in plain words, each with its line and column.

One fault gives one message: what a union's other members had to say of it is left out. A model's own ValueErrors are
passed on as they are. It must not know what rules mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hubsync.errors import Problem
from hubsync.policy.words import did_you_mean
from hubsync.rulefiles.lines import Data, Document, KeyPath

M = TypeVar("M", bound=BaseModel)

_SHAPES = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "date": "a date such as 2026-11-22",
    "datetime": "a date and time such as 2026-11-22T09:00:00Z",
    "timezone": "a date and time with its zone, such as 2026-11-22T09:00:00Z",
    "time": "a time of day such as 09:00",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen": "a list",
    "iterable": "a list",
    "dict": "keys with values",
    "mapping": "keys with values",
    "model": "keys with values",
    "dataclass": "keys with values",
}
"""What a value must be, by the first word of pydantic's error type (int_parsing, list_type, ...)."""

_MISFIT = re.compile(r"([a-z]+?)_(?:\w+_)?(?:type|parsing|from_float|inexact|naive|aware|parsing_size)")
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def validate(
    model: type[M], document: Document, path: KeyPath = (), context: Mapping[str, Any] | None = None
) -> tuple[M | None, list[Problem]]:
    """The value at a path as a model, or None and every fault in it. `context` is what the model's validators see."""
    data = document.at(path)
    try:
        return model.model_validate(data, context=context), []
    except ValidationError as error:
        found = _told_once([_Fault(model, path, data, details) for details in error.errors()])
    problems = {document.problem(place, message, key=at_key): None for place, at_key, message in found}
    return None, sorted(problems, key=lambda problem: (problem.line, problem.column))


class _Fault:
    """One of pydantic's errors and the place in the document that it speaks of."""

    def __init__(self, model: type[BaseModel], path: KeyPath, data: Data, details: ErrorDetails) -> None:
        self.type: str = details["type"]
        self.details = details
        within, of_key = _place(data, details["loc"])
        self.at_key = of_key or self.type == "extra_forbidden"
        self.path = (*path, *within)
        self.model = model
        misfit = _MISFIT.fullmatch(self.type)
        self.shape = _SHAPES.get(misfit[1]) if misfit else None

    @property
    def place(self) -> tuple[KeyPath, bool]:
        return self.path, self.at_key

    def message(self) -> str:
        context = self.details.get("ctx", {})
        value = self.details["input"]
        match self.type:
            case "missing":
                return f'"{self.details["loc"][-1]}" is missing'
            case "extra_forbidden":
                return self._unknown_key()
            case "union_tag_not_found":
                return f'{self._name()}"{str(context["discriminator"]).strip(chr(39))}" is missing'
            case "literal_error" | "enum" | "union_tag_invalid":
                known = re.findall("'([^']*)'", str(context.get("expected") or context.get("expected_tags")))
                word = context.get("tag", value)
                if not isinstance(word, str):
                    return f"{self._name()}must be one of {', '.join(known)}, not {_shown(word)}"
                return f"{self._name()}{_shown(word)} is not one of {', '.join(known)}{did_you_mean(word, known)}"
            case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
                key, words = _BOUNDS[self.type]
                return f"{self._name()}must be {words} {context[key]}, not {value}"
            case "string_too_short" | "too_short":
                least = context["min_length"]
                return (
                    f"{self._name()}is empty" if least == 1 else f"{self._name()}needs at least {least} {self._unit()}"
                )
            case "string_too_long" | "too_long":
                return f"{self._name()}may have {context['max_length']} {self._unit()} at most"
            case "string_pattern_mismatch":
                return f"{self._name()}{_shown(value)} hasn't the form {context['pattern']}"
            case "value_error" | "assertion_error":
                return self._own(str(context["error"]))
        if "url" not in self.details:  # an error of the model's own making: pydantic explains its own by a link
            return self._own(self.details["msg"])
        return f"{self._name()}{_shown(value)} can't be used here"

    def misfit(self, shapes: Iterable[str]) -> str:
        """The message for a value that is of none of these shapes."""
        value = self.details["input"]
        *most, last = dict.fromkeys(shapes)
        wanted = f"{', '.join(most)} or {last}" if most else last
        if value == "":
            return f"{self._name()}is empty; it must be {wanted}"
        each = "each of " if self.path and isinstance(self.path[-1], int) and not self.at_key else ""
        return f"{each}{self._name()}must be {wanted}, not {_shown(value)}"

    def _own(self, message: str) -> str:
        whole_entry = not self.path or (isinstance(self.path[-1], int) and not isinstance(self.details["input"], str))
        return message if self.at_key or whole_entry else f"{self._name().rstrip()}: {message}"

    def _name(self) -> str:
        if self.at_key:
            return ""
        return next((f"{part} " for part in reversed(self.path) if isinstance(part, str)), "this ")

    def _unit(self) -> str:
        return "characters" if self.type.startswith("string") else "entries"

    def _unknown_key(self) -> str:
        *parents, key = self.details["loc"]
        known = sorted(_known_keys(self.model, parents))
        hint = did_you_mean(str(key), known) or (f"; known are {', '.join(known)}" if known else "")
        return f'unknown key "{key}"{hint}'


def _told_once(faults: list[_Fault]) -> Iterator[tuple[KeyPath, bool, str]]:
    """Every fault's place and message; several shapes that one value doesn't have are told as one.

    Where a fault lies within a value, some member of a union took the value's shape: the other members' aren't told.
    """
    misfits: dict[tuple[KeyPath, bool], list[_Fault]] = {}
    for fault in faults:
        if fault.shape is None:
            yield *fault.place, fault.message()
        elif not any(
            len(other.path) > len(fault.path) and other.path[: len(fault.path)] == fault.path for other in faults
        ):
            misfits.setdefault(fault.place, []).append(fault)
    for place, found in misfits.items():
        yield *place, found[0].misfit(fault.shape for fault in found if fault.shape)


def _place(data: Any, loc: Iterable[str | int]) -> tuple[KeyPath, bool]:
    """The path that pydantic's `loc` means, without the names of union members in it, and whether it means the key."""
    path: KeyPath = ()
    for part in loc:
        if part == "[key]":
            return path, True
        within = part in data if isinstance(data, dict) else isinstance(data, list) and part in range(len(data))
        if within:
            path, data = (*path, part), data[part]
    return path, False


def _known_keys(model: type[BaseModel], loc: Iterable[str | int]) -> set[str]:
    """The keys that may stand at a `loc`: the fields of every model that the annotations lead to."""
    here = [model]
    for part in loc:
        here = [inner for annotation in here for inner in _within(annotation, part)] or here
    return {str(name) for annotation in here if _is_model(annotation) for name in _fields(annotation)}


def _within(annotation: Any, part: str | int) -> Iterator[Any]:
    origin = get_origin(annotation)
    if _is_model(annotation):
        fields = _fields(annotation)
        yield from _members(fields[part]) if part in fields else ()
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from _members(get_args(annotation)[1])
    elif isinstance(part, int):
        for item in get_args(annotation):
            yield from _members(item)


def _members(annotation: Any) -> Iterator[Any]:
    """An annotation without its wrappings, a union's members one by one."""
    if get_origin(annotation) is Annotated:
        yield from _members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _fields(model: type[BaseModel]) -> dict[str | int, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "keys with values"
    return "a list" if isinstance(value, list) else f'"{value}"'
