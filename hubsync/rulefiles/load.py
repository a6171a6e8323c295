"""Reading a folder of rule files: every fault of every file at once, each with file:line:column.

A folder holds portal.yaml, matrix.yaml, rollout.yaml if wanted, files of rules (any other name) and what they say in
other languages (texts/fr.yaml …); `*_test.yaml` are cases and are left to `cases.py`. This module reads and positions;
what the words mean is policy/compile.py's business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from hubsync.errors import Problem, RuleFileError
from hubsync.policy.compile import MATRIX, PORTAL, KeyPath, compile_policy
from hubsync.policy.levels import with_rules
from hubsync.policy.pacing import Freeze, Pace, moment_of
from hubsync.policy.policy import Policy, Schema
from hubsync.policy.portal_spec import PortalSpec
from hubsync.policy.rollout import ROLLOUT
from hubsync.policy.ruleset import RuleSet
from hubsync.policy.spec import Language, MatrixSpec, RolloutFileSpec, RulesSpec, TextsSpec
from hubsync.policy.texts import file_of
from hubsync.rulefiles.calendars import build_calendars
from hubsync.rulefiles.lines import Document, read
from hubsync.rulefiles.models import validate

Model = TypeVar("Model", bound=BaseModel)

TEXTS = "texts"
"""The folder of what the rule files say in other languages."""
LANGUAGES: tuple[Language, ...] = ("fr", "de", "id")
"""Those that texts/ may hold; English stands in the rule files themselves."""


class LoadedRules:
    """The rule files of one folder: their content, and where each word of it stands."""

    def __init__(self, folder: Path, files: RuleSet, documents: dict[str, Document]) -> None:
        self.folder = folder
        self.files = files
        self.documents = documents

    @property
    def digest(self) -> str:
        """A fingerprint of the files' content, the same for the same rules."""
        return self.files.digest

    def position(self, rule: str) -> str:
        """`file:line` of a rule, or of the matrix row a cell stands in; "" for an unknown one."""
        for name, content in self.files.rules.items():
            for number, spec in enumerate(content.rules):
                if spec.id == rule:
                    return f"{name}:{self.documents[name].where(('rules', number, 'id'))[0]}"
        return MATRIX if rule.startswith("cell_") else ""

    def compile(
        self, schema: Schema | None = None, *, settle: timedelta | None = None, rolled_out: bool = False
    ) -> Policy:
        """The policy for a portal, or for the portal the files describe. Raises RuleFileError with every fault.

        `rolled_out`: every rule in its own mode, as if the roll-out (rollout.yaml) were over.
        """
        problems: list[Problem] = []

        def report(file: str, path: KeyPath, message: str) -> None:
            problems.append(self.documents[file].problem(path, message, key=True))

        zone = schema.zone if schema is not None else "UTC"
        document = self.documents[PORTAL]
        calendars, faults = build_calendars(document, ("work_hours",), zone)
        problems += faults
        if calendars is None:
            raise RuleFileError(_sorted(problems))
        files = replace(self.files, rollout=None) if rolled_out else self.files
        policy = compile_policy(files, schema, calendars, report, settle)
        if problems:
            raise RuleFileError(_sorted(problems))
        return policy

    def pace(self, zone: str, owner_teams: Mapping[str, Sequence[str]]) -> Pace:
        """How fast tasks may come in a portal of this time zone. Raises RuleFileError for faults of `work_hours`.

        Caps, bursts and freezes always hold (B4, B5, B7). Business hours hold where rollout.yaml is there, as on every
        portal set up by `hubsync init`; without it, as in demos and first tries, tasks come at any hour.
        """
        portal = self.files.portal
        calendars, faults = build_calendars(self.documents[PORTAL], ("work_hours",), zone)
        if calendars is None:
            raise RuleFileError(_sorted(faults))
        place = ZoneInfo(zone)
        return Pace(
            calendars,
            place,
            portal.guard.tasks_per_owner,
            portal.guard.burst,
            portal.tasks_only_in_business_hours and self.files.rollout is not None,
            owner_teams,
            tuple(Freeze(moment_of(f.from_, place), moment_of(f.to, place, end=True), f.says) for f in portal.freeze),
        )


def load_rules(folder: Path) -> LoadedRules:
    """Read every rule file of a folder. Raises RuleFileError with all faults of all files."""
    if not folder.is_dir():
        raise RuleFileError([Problem(str(folder), 1, 1, "no such folder; `hubsync init DIR` writes one with rules")])
    problems: list[Problem] = []
    documents: dict[str, Document] = {}
    contents: dict[str, bytes] = {}
    for path in (*sorted(folder.glob("*.yaml")), *sorted((folder / TEXTS).glob("*.yaml"))):
        if path.name.endswith("_test.yaml"):
            continue
        name = path.relative_to(folder).as_posix()
        try:
            documents[name] = read(path, _shown(path))
            contents[name] = path.read_bytes()
        except RuleFileError as error:
            problems += error.problems
    for name in (PORTAL, MATRIX):
        if name not in documents and not any(p.file.endswith(name) for p in problems):
            problems.append(Problem(_shown(folder / name), 1, 1, "this file is missing; `hubsync init DIR` writes one"))

    def parsed(model: type[Model], name: str) -> Model | None:
        if name not in documents:
            return None
        found, faults = validate(model, documents[name])
        problems.extend(faults)
        return found

    portal = parsed(PortalSpec, PORTAL)
    matrix = parsed(MatrixSpec, MATRIX)
    rollout = parsed(RolloutFileSpec, ROLLOUT)
    texts: dict[Language, TextsSpec | None] = {lang: parsed(TextsSpec, file_of(lang)) for lang in LANGUAGES}
    others = {PORTAL, MATRIX, ROLLOUT, *map(file_of, LANGUAGES)}
    for name in documents:
        if name.startswith(f"{TEXTS}/") and name not in others:
            known = ", ".join(LANGUAGES)
            problems.append(documents[name].problem((), f"this is no language of hubsync's: {known}"))
    rules = {n: parsed(RulesSpec, n) for n in documents if n not in others and not n.startswith(f"{TEXTS}/")}
    for name, content in rules.items():
        if content is not None:
            rules[name], origins = with_rules(content)
            documents[name] = documents[name].standing_for(origins)
    if problems or portal is None or matrix is None:
        raise RuleFileError(_sorted(problems))
    files = RuleSet(
        portal,
        matrix,
        {n: r for n, r in rules.items() if r is not None},
        _digest(contents),
        rollout.rollout if rollout is not None else None,
        {language: spec for language, spec in texts.items() if spec is not None},
    )
    return LoadedRules(folder, files, documents)


def _digest(contents: dict[str, bytes]) -> str:
    sha = hashlib.sha256()
    for name in sorted(set(contents) - {ROLLOUT}):
        sha.update(f"{name}:{len(contents[name])}:".encode() + contents[name])
    return sha.hexdigest()[:16]


def _shown(path: Path) -> str:
    """A path as messages show it: from the working directory where it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _sorted(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda p: (p.file, p.line, p.column))


def as_text(value: Any) -> str:
    """A value of a rule file as one would write it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {as_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_text, value)) + "]"
    return str(value)
