"""Rule folders that are wrong on purpose, and crowds of contacts in memory to try them on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

from hubsync.policy.contact import Contact
from hubsync.policy.spec import RolloutSpec
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.settings import default_rules
from tests.builders import a_contact, ago

CROWD = 10_000
STATUSES = ("connected", "working", "attempting", "qualified", "nurture")
STAGES = ("lead", "mql")


def rules_with(folder: Path, automations: str) -> LoadedRules:
    """The shipped portal.yaml and matrix.yaml, and no rules but these automations (a list in YAML), rolled out."""
    place = folder / "wrong"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in ("portal.yaml", "matrix.yaml"):
        shutil.copy(default_rules() / name, place)
    (place / "automations.yaml").write_text(f"rules:\n{automations}", encoding="utf-8")
    loaded = load_rules(place)
    return LoadedRules(loaded.folder, replace(loaded.files, rollout=RolloutSpec()), loaded.documents)


def a_rule(name: str, when: str, value: str, *, cause: str = "lead_status_entered", more: str = "") -> str:
    """One rule that sets the Lead status."""
    return (
        f"  - id: {name}\n    playbook: X1\n    says: Tried in a test.\n    when: {{{when}}}\n    cause: {cause}\n"
        f"{more}    then: [{{set: {{lead_status: {value}}}}}]\n"
    )


def crowd() -> Iterator[Contact]:
    """Ten thousand contacts, tidy and owned, in every mix of status, stage and age."""
    mixes = cycle((status, stage, days) for days in (9, 40, 400) for status in STATUSES for stage in STAGES)
    for status, stage, days in islice(mixes, CROWD):
        yield a_contact([(status, ago(days))], [(stage, ago(days + 1))], created=ago(days + 2))
