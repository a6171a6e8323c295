"""A list of contacts and the Lead status each is to get, as a spreadsheet saves it (playbook G4).

All or nothing: one line that can't be used stops the whole list, and every such line is told with its number.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hubsync.errors import SettingsError
from hubsync.policy.words import did_you_mean

COLUMNS = ("id", "status", "reason")
HEADER = "id[,status[,reason]]"
DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: the contact, HubSpot's value of the status it is to get ("" for none), why, and where it stands."""

    contact: str
    value: str
    reason: str
    line: int


@dataclass(slots=True)
class Listed:
    """A list as read. `faults` are (line, what is wrong with it)."""

    file: str
    entries: dict[str, Entry] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def refuse_faults(self) -> None:
        """Raise SettingsError with every fault, by line, if there is one."""
        if self.faults:
            told = "\n".join(f"{self.file}:{line}: {what}" for line, what in sorted(self.faults))
            raise SettingsError(f"{told}\nNothing was done. Correct the file and run it again.")


def read_list(path: Path, status_of: Callable[[str], str], default: str | None, reason: str) -> Listed:
    """Read a CSV file: commas, semicolons or tabs, quoted or not, with or without a byte-order mark.

    `status_of` turns a word into HubSpot's value or raises ValueError; `default` (a value) and `reason` stand in where
    a line names none. Faults are in the answer. Raises SettingsError where the file can't be read or lacks a header.
    """
    text = _text(path)
    listed = Listed(str(path))
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            start, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = _header(cells, listed, start, default is not None)
            else:
                _entry(cells, columns, listed, start, status_of, default, reason)
    except csv.Error as error:
        listed.faults.append((reader.line_num, f"this line is no CSV ({error}); what follows was not read"))
    if columns is None:
        raise SettingsError(f"{path}: this file is empty; its first line is {HEADER}.")
    if not listed.entries and not listed.faults:
        raise SettingsError(f"{path}: no contact stands in this file.")
    return listed


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"--from {path}: this file can't be read ({error.strerror or error}).") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(f'{path}:{line}: this is not UTF-8 text; save the file as "CSV UTF-8".') from error


def _header(cells: list[str], listed: Listed, line: int, has_default: bool) -> list[str]:
    columns = [cell.strip().casefold() for cell in cells]
    for name in columns:
        if name not in COLUMNS:
            near = did_you_mean(name, COLUMNS)
            listed.faults.append((line, f'"{name}" is no column of this list{near}; the first line is {HEADER}'))
    for name in COLUMNS:
        if columns.count(name) > 1:
            listed.faults.append((line, f'the column "{name}" stands twice'))
    if "id" not in columns:
        listed.faults.append((line, f"there is no column id; the first line is {HEADER}"))
    if "status" not in columns and not has_default:
        listed.faults.append((line, "there is no column status, and no STATUS on the command line"))
    listed.refuse_faults()  # without a header no line can be judged
    return columns


def _entry(
    cells: list[str],
    columns: list[str],
    listed: Listed,
    line: int,
    status_of: Callable[[str], str],
    default: str | None,
    reason: str,
) -> None:
    faults = []
    if len(cells) > len(columns):
        faults.append(f"{len(cells)} values for {len(columns)} columns; quote a value that holds the separator")
    given = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
    contact = given.get("id", "")
    usable = contact.isascii() and contact.isdigit()
    if not usable:
        faults.append(f'"{contact}" is no contact id; ids are digits alone, in a spreadsheet a column of text')
    elif contact in listed.entries:
        faults.append(f"contact {contact} stands on line {listed.entries[contact].line} already")
    value = default
    if word := given.get("status", ""):
        try:
            value = status_of(word)
        except ValueError as error:
            faults.append(str(error))
    elif default is None:
        faults.append("no status on this line, and no STATUS on the command line")
    listed.faults += [(line, fault) for fault in faults]
    if usable and contact not in listed.entries:
        listed.entries[contact] = Entry(contact, value or "", given.get("reason", "") or reason, line)
