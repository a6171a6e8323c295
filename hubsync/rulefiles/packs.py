"""Packs: rule sets of their own, each kept as what differs from the shipped rules (rules/packs/NAME/).

pack.yaml says what the pack is for and which shipped files it takes. What the pack holds of its own is laid over these:
top-level sections replace those of the same name; in lists of rules, cases and rows, and in texts/, entries replace
those of the same id, name, stage or sentence. Put together, a folder is whole: nothing in it says that there ever were
packs, and its texts are those of its own rules.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from hubsync.errors import RuleFileError, SettingsError
from hubsync.policy.sentences import SENTENCES
from hubsync.policy.spec import CellSpec, Spec, Text, TextsSpec
from hubsync.policy.words import did_you_mean
from hubsync.rulefiles.lines import compose, read
from hubsync.rulefiles.load import TEXTS, load_rules
from hubsync.rulefiles.models import validate

UNIVERSAL = "universal"
"""The pack that is the shipped rules themselves."""
FOLDER, ABOUT = "packs", "pack.yaml"
CASES = re.compile(r"(_ties)?_test\.yaml$")
"""The end of a file of cases: of those beside NAME.yaml, and of what happens at one moment with others."""
SECTION = re.compile(r"([a-z_]+):")
LISTED = {
    name: re.compile(f"  - {key}: (.*)") for name, key in {"rules": "id", "cases": "name", "matrix": "row"}.items()
}
"""Sections that are lists, and how an entry begins, with what it is known by."""
TOLD = dict.fromkeys(TextsSpec.model_fields, re.compile(r"""  ("(?:[^"\\]|\\.)*"|[^ #"-][^:]*):"""))
"""The sections of texts/, whose entries stand under their ids or English sentences."""


class PackSpec(Spec):
    """pack.yaml: what the pack is for, and which shipped files it takes, each with its cases (None: all there are)."""

    says: Text
    takes: list[Text] | None = None


def names(base: Path) -> list[str]:
    """Every pack beside the shipped rules, `universal` first."""
    return [UNIVERSAL, *sorted(path.parent.name for path in (base / FOLDER).glob(f"*/{ABOUT}"))]


def about(base: Path, name: str) -> PackSpec:
    """What a pack says of itself. Raises SettingsError for one that isn't there, RuleFileError for faults in it."""
    path = base / FOLDER / name / ABOUT
    if name not in names(base) or name == UNIVERSAL:
        raise SettingsError(f'"{name}" is no pack{did_you_mean(name, names(base))}; packs: {", ".join(names(base))}.')
    document = read(path, f"{FOLDER}/{name}/{ABOUT}")
    spec, faults = validate(PackSpec, document)
    faults += [
        document.problem(("takes", number), f'"{file}" is no file of the shipped rules')
        for number, file in enumerate((spec.takes if spec is not None else None) or ())
        if not (base / file).is_file()
    ]
    if spec is None or faults:
        raise RuleFileError(faults)
    return spec


def assemble(base: Path, name: str, folder: Path) -> None:
    """Write the rules of a pack into a folder that doesn't exist yet. Raises as `about`, or OSError."""
    takes = about(base, name).takes if name != UNIVERSAL else None
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("__pycache__", FOLDER))
    if takes is not None:
        for path in folder.rglob("*.yaml"):
            if CASES.sub(".yaml", str(path.relative_to(folder))) not in takes:
                path.unlink()
    if name == UNIVERSAL:
        return
    own = base / FOLDER / name
    for path in sorted(own.rglob("*.yaml")):
        if path.name == ABOUT:
            continue
        target = folder / path.relative_to(own)
        target.parent.mkdir(exist_ok=True)
        text = path.read_text(encoding="utf-8")
        if target.exists():
            text = laid_over(target.read_text(encoding="utf-8"), text, TOLD if path.parent.name == TEXTS else LISTED)
        target.write_text(text, encoding="utf-8")
    if takes is not None and (told := sorted((folder / TEXTS).glob("*.yaml"))):
        _leave_out(told, _said(folder))


def laid_over(below: str, above: str, entries: Mapping[str, re.Pattern[str]] = LISTED) -> str:
    """A file with another one laid over it, comments included; what is new comes last. `entries`: as LISTED or TOLD."""
    head, parts = _parts(below, SECTION)
    for name, part in _parts(above, SECTION)[1].items():
        if name in parts and name in entries:
            first, there = _parts(parts[name], entries[name])
            part = _joined(first, there | _parts(part, entries[name])[1])
        parts[name] = part
    return _joined(head, parts)


def _said(folder: Path) -> dict[str, set[str]]:
    """What the rules of a folder say in English, by section of texts/: ids and sentences. Raises RuleFileError."""
    files = load_rules(folder).files
    rules, portal = files.rules.values(), files.portal
    cells = [cell for row in files.matrix.matrix for cell in row.cells.values() if isinstance(cell, CellSpec)]
    return {
        "rules": {rule.id for content in rules for rule in content.rules},
        "templates": {name for content in rules for name in content.templates},
        "statuses": {*portal.statuses},
        "requirements": {*portal.requirements},
        "sentences": {*SENTENCES, *(text for cell in cells for text in (cell.report, cell.ask_deal) if text)},
    }


def _leave_out(files: Iterable[Path], said: Mapping[str, set[str]]) -> None:
    """Take out of texts what the rules beside them don't say."""
    for path in files:
        head, sections = _parts(path.read_text(encoding="utf-8"), SECTION)
        for name, section in sections.items():
            first, entries = _parts(section, TOLD[name])
            kept = {entry: part for entry, part in entries.items() if compose(entry, path.name).data in said[name]}
            sections[name] = _joined(first, kept)
        path.write_text(_joined(head, sections), encoding="utf-8")


def _joined(head: str, parts: Mapping[str, str]) -> str:
    return head + "".join(part if part.endswith("\n") else f"{part}\n" for part in parts.values())


def _parts(text: str, mark: re.Pattern[str]) -> tuple[str, dict[str, str]]:
    """What stands before the first line that begins with the mark, and each such part with the comments right above."""
    lines = text.splitlines(keepends=True)
    starts: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        if found := mark.match(line):
            start = number
            while start and lines[start - 1].lstrip().startswith("#"):
                start -= 1
            starts.append((start, found[1]))
    ends = [start for start, _ in starts[1:]] + [len(lines)]
    first = starts[0][0] if starts else len(lines)
    return "".join(lines[:first]), {
        name: "".join(lines[start:end]) for (start, name), end in zip(starts, ends, strict=True)
    }
