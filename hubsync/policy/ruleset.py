"""All rule files of one folder, and the portal they describe by themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from hubsync.policy.policy import PropertyShape, Schema
from hubsync.policy.portal_spec import PortalSpec
from hubsync.policy.spec import Language, MatrixSpec, RolloutSpec, RulesSpec, ServiceLevelSpec, TextsSpec
from hubsync.policy.vocabulary import Option


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rule files of one folder, as read. `rules` maps a file's name to its content."""

    portal: PortalSpec
    matrix: MatrixSpec
    rules: Mapping[str, RulesSpec]
    digest: str = ""
    rollout: RolloutSpec | None = None
    """What rules may do at most (B6); None: what each says itself."""
    texts: Mapping[Language, TextsSpec] = field(default_factory=dict)
    """What the files say, in other languages."""

    def enabling(self, rules: Collection[str]) -> RuleSet:
        """The same files with these rules switched on."""
        files = {
            name: content.model_copy(
                update={
                    "rules": [r.model_copy(update={"enabled": True}) if r.id in rules else r for r in content.rules]
                }
            )
            for name, content in self.rules.items()
        }
        return replace(self, rules=files)


def service_levels(files: RuleSet) -> dict[str, ServiceLevelSpec]:
    """Every service level by its id."""
    return {level.id: level for content in files.rules.values() for level in content.service_levels}


def ideal_schema(portal: PortalSpec, zone: str = "UTC") -> Schema:
    """The portal that the rule files describe: every option and property is there (`rules check`, `rules test`)."""
    statuses = tuple(
        Option(s.value or key, s.labels.get("en", key), n) for n, (key, s) in enumerate(portal.statuses.items())
    )
    stages = tuple(
        Option(s.value or key, s.labels.get("en", key), n) for n, (key, s) in enumerate(portal.stages.items())
    )
    shapes = {name: PropertyShape(p.type, frozenset(p.options)) for name, p in portal.properties.items()}
    deal_stages = {"closedwon": "won", "closedlost": "lost"}
    return Schema(statuses, stages, shapes, deal_stages, zone, complete=False)
