"""What is no fault of the rule files, but a finding: statuses that people will mix up (playbook S14).

The rules can be used all the same; `hubsync rules check` shows it and ends with 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from hubsync.errors import Problem
from hubsync.policy.compile import PORTAL
from hubsync.rulefiles.load import LoadedRules

MOST_STATUSES = 12


def advise(rules: LoadedRules) -> list[Problem]:
    """Every finding, in the order of the file."""
    return sorted([*_too_many(rules), *_alike(rules)], key=lambda p: (p.file, p.line, p.column))


def _too_many(rules: LoadedRules) -> Iterator[Problem]:
    main = [key for key, spec in rules.files.portal.statuses.items() if spec.like is None]
    for key in main[MOST_STATUSES:]:
        yield rules.documents[PORTAL].problem(
            ("statuses", key),
            f'"{key}" is one more than {MOST_STATUSES} main statuses; let it be `like:` another, or leave it out (S14)',
            key=True,
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
