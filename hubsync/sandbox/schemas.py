"""The portal's property definitions, by kind, and how people change them. Values of records live elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hubsync.sandbox import lifecycle
from hubsync.sandbox.contact_properties import stage_properties
from hubsync.sandbox.directory import Directory
from hubsync.sandbox.lifecycle import Virtual
from hubsync.sandbox.object_properties import TYPE_IDS, shipped_properties
from hubsync.sandbox.schema import ConditionalRule, InvalidValueError, Option, Property, normalised
from hubsync.sandbox.virtual import common_values, deal_values


class UnknownPropertyError(KeyError):
    """A property that isn't defined; `name` says which."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Schemas:
    """`properties[kind][name]` are the definitions, `virtual[kind][name]` the readers of values that aren't stored."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.properties: dict[str, dict[str, Property]] = {kind: shipped_properties(kind) for kind in TYPE_IDS}
        self.virtual: dict[str, dict[str, Virtual]] = {kind: common_values(kind) for kind in TYPE_IDS}
        self.virtual["deals"].update(deal_values(directory))
        self.groups: dict[str, dict[str, str]] = {
            kind: {prop.group: prop.group for prop in found.values()} for kind, found in self.properties.items()
        }
        self.rules: dict[str, list[ConditionalRule]] = {kind: [] for kind in TYPE_IDS}
        self.stage_order: dict[str, dict[str, int]] = {}
        """Kind → lifecycle stage → its place."""
        self._stages_changed()

    def add_group(self, kind: str, name: str, label: str) -> None:
        """Define a property group."""
        self.groups[kind][name] = label

    def add_property(self, kind: str, prop: Property) -> None:
        """Define (or replace) a property."""
        self.properties[kind][prop.name] = prop
        self.groups[kind].setdefault(prop.group, prop.group)

    def remove_property(self, kind: str, name: str) -> None:
        """Archive a property: it is as if it had never been. Raises KeyError."""
        del self.properties[kind][name]

    def set_options(self, kind: str, name: str, options: Sequence[Option]) -> None:
        """Replace the whole list of options. Raises KeyError."""
        self.properties[kind][name] = self.properties[kind][name].with_options(tuple(options))
        if kind == "contacts" and name == lifecycle.PROPERTY:
            self._stages_changed()

    def add_option(
        self,
        kind: str,
        name: str,
        value: str,
        label: str | None = None,
        *,
        after: str | None = None,
        hidden: bool = False,
    ) -> None:
        """Add an option at the end, or right behind `after`. Raises KeyError for an unknown property."""
        held = [each for each in self.properties[kind][name].options if each.value != value]
        place = next((index + 1 for index, each in enumerate(held) if each.value == after), len(held))
        held.insert(place, Option(value, label or value, 0, hidden))
        self.set_options(kind, name, [replace(each, order=order) for order, each in enumerate(held)])

    def add_stage(self, value: str, label: str, *, after: str) -> None:
        """Add a custom lifecycle stage (HubSpot gives it a numeric value) behind stage `after`."""
        self.add_option("contacts", lifecycle.PROPERTY, value, label, after=after)

    def checked(self, kind: str, changes: Mapping[str, object]) -> dict[str, str]:
        """Changes as stored; None is left out. Raises UnknownPropertyError or InvalidValueError for the first fault."""
        found = {}
        for name, value in changes.items():
            prop = self.properties[kind].get(name)
            if prop is None:
                raise UnknownPropertyError(name)
            if value is None:
                continue
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if prop.read_only:
                raise InvalidValueError(
                    name, text, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set'
                )
            if name == "hubspot_owner_id" and text and text not in self._directory.owners:
                raise InvalidValueError(name, text, "INVALID_OWNER_ID", f"Owner with ID {text} does not exist.")
            if kind == "deals" and text and name in ("pipeline", "dealstage") and not self._has_step(name, text):
                raise InvalidValueError(name, text, "INVALID_OPTION", f"{text} was not one of the allowed options")
            found[name] = normalised(prop, text)
        return found

    def missing_by_rule(self, kind: str, held: Mapping[str, str], changes: Mapping[str, str]) -> list[str]:
        """Properties that a rule demands of a record with `held` values once `changes` are written."""
        after = {**held, **changes}
        return [
            rule.needs
            for rule in self.rules[kind]
            if rule.when in changes and after.get(rule.when) in rule.values and not after.get(rule.needs)
        ]

    def _has_step(self, name: str, value: str) -> bool:
        pipelines = self._directory.pipelines
        if name == "pipeline":
            return value in pipelines
        return any(step.id == value for each in pipelines.values() for step in each.stages)

    def _stages_changed(self) -> None:
        definition = self.properties["contacts"][lifecycle.PROPERTY]
        for kind in ("contacts", "companies"):  # both share one list of stages
            self.stage_order[kind] = lifecycle.order_of(definition)
            self.properties[kind][lifecycle.PROPERTY] = self.properties[kind][lifecycle.PROPERTY].with_options(
                definition.options
            )
        for option in definition.options:
            for prop in stage_properties(option.value, option.label, shipped=option.value in lifecycle.SHIPPED):
                self.properties["contacts"].setdefault(prop.name, prop)
        self.virtual["contacts"].update(lifecycle.virtual_values(definition))
