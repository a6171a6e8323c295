"""What is no fault of the rule files, but a finding: statuses that people will mix up (S14), rules without an order.

The rules can be used all the same; `hubsync rules check` shows it and ends with 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from hubsync.errors import Problem
from hubsync.policy.compile import PORTAL
from hubsync.policy.order import unordered
from hubsync.policy.texts import file_of
from hubsync.policy.words import did_you_mean
from hubsync.rulefiles.load import LoadedRules

MOST_STATUSES = 12


def advise(rules: LoadedRules) -> list[Problem]:
    """Every finding, in the order of the file."""
    return sorted(
        [*_too_many(rules), *_undefined(rules), *_alike(rules), *_unordered(rules), *_misspelt(rules)],
        key=lambda p: (p.file, p.line, p.column),
    )


def _too_many(rules: LoadedRules) -> Iterator[Problem]:
    main = [key for key, spec in rules.files.portal.statuses.items() if spec.like is None]
    for key in main[MOST_STATUSES:]:
        yield rules.documents[PORTAL].problem(
            ("statuses", key),
            f'"{key}" is one more than {MOST_STATUSES} main statuses; let it be `like:` another, or leave it out (S14)',
            key=True,
        )


def _undefined(rules: LoadedRules) -> Iterator[Problem]:
    for key, spec in rules.files.portal.statuses.items():
        empty = [name for name in ("meaning", "use_when") if not getattr(spec, name).strip()]
        if empty:
            yield rules.documents[PORTAL].problem(
                ("statuses", key), f'"{key}" has no definition: {" and ".join(empty)} is empty (S14)', key=True
            )


def _alike(rules: LoadedRules) -> Iterator[Problem]:
    taken: dict[tuple[str, str], str] = {}
    for key, spec in rules.files.portal.statuses.items():
        clashes: dict[str, list[str]] = {}
        for language, label in spec.labels.items():
            other = taken.setdefault((language, label.casefold().strip()), key)
            if other != key:
                clashes.setdefault(other, []).append(f'{language} "{label}"')
        for other, labels in clashes.items():
            yield rules.documents[PORTAL].problem(
                ("statuses", key, "labels"), f'"{key}" has the label of "{other}": {", ".join(labels)} (S14)', key=True
            )


def _unordered(rules: LoadedRules) -> Iterator[Problem]:
    """Rules that may disagree at one moment: sync would show a conflict and write nothing."""
    files = rules.files
    places = {spec.id: (name, n) for name, content in files.rules.items() for n, spec in enumerate(content.rules)}
    specs = {spec.id: spec for content in files.rules.values() for spec in content.rules}
    for pair in unordered(rules.compile(rolled_out=True), specs, files.portal.lists, files.portal.names):
        name, number = places[pair.one]
        yield rules.documents[name].problem(
            ("rules", number, "id"),
            f"{pair.one} and {pair.other} can want {pair.property} at the same moment ({pair.values[0]}, "
            f"{pair.values[1]}) and neither outranks the other: sync would show a conflict and write neither. "
            f"Let one say `outranks: [...]` with the other's id, or keep their conditions apart.",
            key=True,
        )


def _misspelt(rules: LoadedRules) -> Iterator[Problem]:
    """Texts in another language under an id that looks like one that has none there: nobody would ever read them."""
    contents = rules.files.rules.values()
    known = {
        "rules": [spec.id for content in contents for spec in content.rules],
        "templates": [name for content in contents for name in content.templates],
        "statuses": list(rules.files.portal.statuses),
    }
    for language, texts in rules.files.texts.items():
        for section, ids in known.items():
            there = getattr(texts, section)
            for name in there.keys() - set(ids):
                near = did_you_mean(name, [id_ for id_ in ids if id_ not in there])
                if near:
                    yield rules.documents[file_of(language)].problem(
                        (section, name), f'"{name}" is none of the {section}{near}', key=True
                    )
