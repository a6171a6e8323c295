"""What else writes in a portal: HubSpot workflows as rules/foreign.yaml declares them, "something sets X when Y".

hubsync never runs them. They stand here so that `rules prove` finds the loops between them and hubsync's own writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubsync.policy.actions import KEYED, KINDS
from hubsync.policy.groups import KeyPath
from hubsync.policy.rules import Foreign, all_of, any_of
from hubsync.policy.words import did_you_mean

if TYPE_CHECKING:
    from hubsync.policy.compile import _Compiler


def compile_foreign(owner: _Compiler) -> tuple[Foreign, ...]:
    """Every workflow that the rule files declare; faults are reported."""
    found: list[Foreign] = []
    for source, content in owner.files.rules.items():
        for number, spec in enumerate(content.foreign):
            path: KeyPath = ("foreign", number)
            written = spec.when if isinstance(spec.when, list) else [spec.when]
            listed = isinstance(spec.when, list)
            asked = set(owner.asked)
            groups = [
                owner.conditions(g, source, (*path, "when", n) if listed else (*path, "when"))
                for n, g in enumerate(written)
            ]
            owner.asked = asked  # nothing is read for what only a proof asks
            values = {KEYED.get(n, n): _value(owner, n, v, source, (*path, "set", n)) for n, v in spec.set.items()}
            test = any_of([all_of(group) for group in groups])
            found.append(Foreign(spec.id, spec.says, tuple(map(tuple, groups)), values, test))
    return tuple(found)


def _value(owner: _Compiler, name: str, text: str, source: str, path: KeyPath) -> str:
    """HubSpot's value of what a workflow sets; "" for none."""
    if text == "none":
        return ""
    if name not in KEYED:
        return text
    terms = owner.statuses if name == "lead_status" else owner.stages
    key: Any = owner.names.get(text, text)
    if key not in terms.by_key:
        owner.report(source, path, f'"{text}" is no {KINDS[name]} of portal.yaml{did_you_mean(text, terms.by_key)}')
        return ""
    return terms.value(key)
