"""Rows out, in the four forms a reader may want: a table, JSON, CSV, or a page to send to someone.

Rows are an iterable read once and never held: 200,000 findings take no more memory than ten. What a cell holds comes
from a portal, where anyone may have typed it, so no form lets it act: no terminal codes, no markup, no formulas, no
scripts.
"""

from __future__ import annotations

import contextlib
import csv
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

from hubsync.cli.options import Format
from hubsync.errors import HubsyncError, SettingsError

Cell = str | int | float | bool | date | datetime | None

ROWS_DRAWN_AT_ONCE = 500
"""A drawn table needs all of its rows to find its widths, so a long one is drawn in pieces of this many."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class OutputFailed(HubsyncError):
    """What was to be written could not be written; nothing is left half written."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key in JSON and CSV, its title for people; numbers are set to the right."""

    key: str
    title: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns, each row one cell per column. `rows` may be an iterator; it is read once."""

    columns: Sequence[Column]
    rows: Iterable[Sequence[Cell]]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a command has to say: facts about it, small tables that sum up, and the rows themselves.

    `table` and `html` show all of it. `csv` is the rows alone. `json` is `document` where one is given (a value that
    is an iterator becomes an array, written as it is read), else an array of the rows as objects.
    """

    title: str
    table: Table
    facts: Sequence[tuple[str, Cell]] = ()
    summaries: Sequence[Table] = ()
    document: Mapping[str, Any] | None = field(default=None, repr=False)


def emit(report: Report, *, form: Format | None = None, out: Path | None = None) -> None:
    """Write the report to `out`, or to stdout where that is None or "-".

    Without a form the ending of `out` chooses it, and a table is the default. A file appears whole or not at all.
    Raises SettingsError where `out` can't be a file, OutputFailed where writing it failed.
    """
    to_stdout = out is None or str(out) == "-"
    if form is None:
        ending = "" if to_stdout or out is None else out.suffix.removeprefix(".").lower()
        form = Format(ending) if ending in set(Format) else Format.TABLE
    if to_stdout or out is None:
        if form is Format.TABLE and sys.stdout.isatty():
            _draw(report)
            return
        if form is not Format.TABLE and isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="strict")  # what programs read is UTF-8 wherever it is made
        _write(report, form, sys.stdout)
        return
    with whole_file(out) as file:
        _write(report, form, file)


def _write(report: Report, form: Format, file: TextIO) -> None:
    match form:
        case Format.TABLE:
            _write_lines(report, file)
        case Format.CSV:
            _write_csv(report.table, file)
        case Format.JSON:
            file.writelines(_json_pieces(report))
        case Format.HTML:
            file.writelines(_html_pieces(report))


def _draw(report: Report) -> None:
    """Tables for a terminal, fitted to its width."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as DrawnTable
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    for name, value in report.facts:
        console.print(Text.assemble((f"{name}: ", "bold"), as_text(value)))
    for table in (*report.summaries, report.table):
        rows = iter(table.rows)
        piece = list(islice(rows, ROWS_DRAWN_AT_ONCE))
        if piece:
            console.print()
            console.print(Text(table.title, "bold"), end="\n" if table.title else "")
        while piece:
            drawn = DrawnTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
            for column in table.columns:
                drawn.add_column(column.title, justify="right" if column.numeric else "left", overflow="fold")
            for row in piece:
                drawn.add_row(*(Text(as_text(cell)) for cell in row))
            console.print(drawn)
            piece = list(islice(rows, ROWS_DRAWN_AT_ONCE))


def _write_lines(report: Report, file: TextIO) -> None:
    """Plain lines for a pipe or a file: cells between tabs, whole, under a line of titles."""
    file.writelines(f"{name}: {as_text(value)}\n" for name, value in report.facts)
    blank = bool(report.facts)
    for table in (*report.summaries, report.table):
        rows = iter(table.rows)
        first = next(rows, None)
        if first is None:
            continue
        if blank:
            file.write("\n")
        blank = True
        if table.title:
            file.write(f"{table.title}\n")
        file.write("\t".join(column.title for column in table.columns) + "\n")
        file.writelines("\t".join(map(as_text, row)) + "\n" for row in chain([first], rows))


def _write_csv(table: Table, file: TextIO) -> None:
    """Rows as a spreadsheet reads them; text that it would take for a formula gets a leading apostrophe."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(column.key for column in table.columns)
    for row in table.rows:
        writer.writerow(_csv_cell(cell) for cell in row)


def _csv_cell(cell: Cell) -> str | int | float:
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return cell
    text = _plain(cell)
    guarded = f"'{text}" if text.startswith(_FORMULA) else text
    return guarded.replace("\r\n", "\n").replace("\r", "\n")  # the writer of Python 3.11 leaves a bare \r unquoted


def _json_pieces(report: Report) -> Iterator[str]:
    if report.document is None:
        keys = [column.key for column in report.table.columns]
        yield from _json_array(dict(zip(keys, row, strict=True)) for row in report.table.rows)
    else:
        start = "{"
        for key, value in report.document.items():
            yield f"{start}{_json(key)}:"
            if isinstance(value, Iterator):
                yield from _json_array(value)
            else:
                yield _json(value)
            start = ",\n"
        yield "}" if report.document else "{}"
    yield "\n"


def _json_array(items: Iterable[Any]) -> Iterator[str]:
    start = "["
    for item in items:
        yield f"{start}{_json(item)}"
        start = ",\n"
    yield "[]" if start == "[" else "]"


def _json(value: Any) -> str:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC).decode()


def _html_pieces(report: Report) -> Iterator[str]:
    """One page without scripts or anything to fetch, so that it can be mailed."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hubsync.cli"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["text"] = as_text
    return environment.get_template("report.html").generate(report=report, tables=(*report.summaries, report.table))


def as_text(cell: Cell) -> str:
    """A cell for people, on one line; what would steer a terminal or turn the reading direction becomes a blank."""
    return _CONTROL.sub(" ", _plain(cell))


def _plain(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case datetime():
            return cell.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if cell.tzinfo else cell.isoformat(" ")
        case _:
            return str(cell)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """The file to write to, which takes the place of `path` only once everything is in it.

    What isn't an ordinary file (a pipe, /dev/stdout) is written to directly: there is nothing to replace.
    """
    if path.is_dir():
        raise SettingsError(f"--out {path}: this is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise SettingsError(f"--out {path}: the folder {path.parent} does not exist; make it first.")
    direct = path.exists() and not stat.S_ISREG(path.stat().st_mode)
    target = path if direct else path.resolve().with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with target.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            if not direct:
                os.fsync(file.fileno())
        if not direct:
            target.replace(path.resolve())
    except OSError as error:
        raise OutputFailed(f"--out {path}: it can't be written ({error.strerror or error}).") from error
    finally:
        if not direct:
            target.unlink(missing_ok=True)
