"""Packs: rule sets of their own, each kept as what differs from the shipped rules (rules/packs/NAME/).

pack.yaml says what the pack is for and which shipped files it takes. What the pack holds of its own is laid over these:
top-level sections replace those of the same name; in lists of rules, cases and rows, entries replace those of the same
id, name or stage. Put together, a folder is whole: nothing in it says that there ever were packs.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from hubsync.errors import RuleFileError, SettingsError
from hubsync.policy.spec import Spec, Text
from hubsync.policy.words import did_you_mean
from hubsync.rulefiles.lines import read
from hubsync.rulefiles.models import validate

UNIVERSAL = "universal"
"""The pack that is the shipped rules themselves."""
FOLDER, ABOUT = "packs", "pack.yaml"
CASES = re.compile(r"(_ties)?_test\.yaml$")
"""The end of a file of cases: of those beside NAME.yaml, and of what happens at one moment with others."""
BY_ENTRY = {"rules": "id", "cases": "name", "matrix": "row"}
"""Sections of entries, and the key by which one is known in a list; in texts/ the entries stand under their ids."""


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
        target.write_text(laid_over(target.read_text(encoding="utf-8"), text) if target.exists() else text, "utf-8")


def laid_over(below: str, above: str) -> str:
    """A file with another one laid over it, comments included; what is new comes last."""
    return _merged(below, above, re.compile(r"([a-z_]+):"))


def _merged(below: str, above: str, mark: re.Pattern[str]) -> str:
    head, parts = _parts(below, mark)
    _, own = _parts(above, mark)
    for name, part in own.items():
        key = BY_ENTRY.get(name)
        within = name in parts and key is not None
        parts[name] = _merged(parts[name], part, re.compile(rf"  (?:- {key}: )?([^ #-].*)")) if within else part
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
