"""Packs: rule sets of their own, each kept as what differs from the shipped rules (rules/packs/NAME/).

A pack's file replaces the shipped one of the same name, or stands beside the others; of its portal.yaml only those
sections that it holds replace the shipped ones. pack.yaml says what the pack is for and which shipped files it leaves
out. Put together, a folder is whole: nothing in it says that there ever were packs.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from pydantic import Field

from hubsync.errors import RuleFileError, SettingsError
from hubsync.policy.compile import PORTAL
from hubsync.policy.spec import Spec, Text
from hubsync.policy.words import did_you_mean
from hubsync.rulefiles.lines import read
from hubsync.rulefiles.models import validate

UNIVERSAL = "universal"
"""The pack that is the shipped rules themselves."""
FOLDER, ABOUT = "packs", "pack.yaml"
_SECTION = re.compile(r"([a-z_]+):")


class PackSpec(Spec):
    """pack.yaml: what the pack is for, and the shipped files (cases among them) that it goes without."""

    says: Text
    leaves_out: list[Text] = Field(default_factory=list)


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
        document.problem(("leaves_out", number), f'"{file}" is no file of the shipped rules')
        for number, file in enumerate(spec.leaves_out if spec is not None else ())
        if not (base / file).is_file()
    ]
    if spec is None or faults:
        raise RuleFileError(faults)
    return spec


def assemble(base: Path, name: str, folder: Path) -> None:
    """Write the rules of a pack into a folder that doesn't exist yet. Raises as `about`, or OSError."""
    left_out = about(base, name).leaves_out if name != UNIVERSAL else []
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("__pycache__", FOLDER))
    for file in left_out:
        (folder / file).unlink()
    if name == UNIVERSAL:
        return
    own = base / FOLDER / name
    for path in sorted(own.rglob("*")):
        target = folder / path.relative_to(own)
        if path.is_dir() or path.name == ABOUT:
            continue
        if path.relative_to(own) == Path(PORTAL):
            target.write_text(laid_over(_text(target), _text(path)), encoding="utf-8")
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)


def laid_over(below: str, above: str) -> str:
    """A file with the sections of another one laid over it, comments included; new ones come last."""
    head, sections = _sections(below)
    _, own = _sections(above)
    return head + "".join((sections | own).values())


def _sections(text: str) -> tuple[str, dict[str, str]]:
    """What stands before the first top-level key, and each key's lines with the comments right above them."""
    lines = text.splitlines(keepends=True)
    starts: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        if found := _SECTION.match(line):
            start = number
            while start and lines[start - 1].startswith("#"):
                start -= 1
            starts.append((start, found[1]))
    ends = [start for start, _ in starts[1:]] + [len(lines)]
    first = starts[0][0] if starts else len(lines)
    return "".join(lines[:first]), {
        name: "".join(lines[start:end]) for (start, name), end in zip(starts, ends, strict=True)
    }


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
