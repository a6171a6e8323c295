"""JSON Schemas (draft 2020-12) of the rule files, for editors: made from the models that read them.

An editor knows numbers and truth values where hubsync reads text alone, so both are right in a schema. Operators,
actions, causes and keys are closed; a name that is no fact is a contact property, so that names in conditions are open.
What words mean to each other, such as a status that portal.yaml doesn't have, `hubsync rules check` alone can tell.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hubsync.policy.actions import KINDS
from hubsync.policy.causes import CAUSES
from hubsync.policy.conditions import ALL_OPERATORS
from hubsync.policy.facts import FACTS
from hubsync.policy.levels import MEETS
from hubsync.policy.portal_spec import PortalSpec
from hubsync.policy.spec import MatrixSpec, RolloutFileSpec, RulesSpec, TextsSpec
from hubsync.rulefiles.case_spec import CasesSpec
from hubsync.rulefiles.packs import PackSpec

Json = dict[str, Any]

FOLDER = ".schema"
"""Where `hubsync init` writes them, beside the rules; the first line of every rule file points there."""
MODELS: dict[str, type[BaseModel]] = {
    "rules": RulesSpec,
    "portal": PortalSpec,
    "matrix": MatrixSpec,
    "rollout": RolloutFileSpec,
    "texts": TextsSpec,
    "cases": CasesSpec,
    "pack": PackSpec,
}
"""Every kind of file, by the name of its schema."""

_SCALAR: Json = {"type": ["string", "number", "boolean"]}
_CONDITIONS: Json = {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": True}}
"""What pydantic makes of `Conditions`."""


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def _one_key(name: str, value: Json) -> Json:
    return {"type": "object", "properties": {name: value}, "required": [name], "additionalProperties": False}


_SHARED: dict[str, Json] = {
    "conditions": {
        "description": "Facts, or contact properties by their internal names, each with what must hold.",
        "type": "object",
        "properties": {name: {"description": fact.says, **_ref("operators")} for name, fact in FACTS.items()},
        "additionalProperties": _ref("operators"),
    },
    "operators": {
        "type": "object",
        "properties": {name: {"description": says, **_ref("operand")} for name, says in ALL_OPERATORS.items()},
        "additionalProperties": False,
        "minProperties": 1,
    },
    "operand": {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]},
    "values": {
        "description": "Properties by their internal names, lead_status or lifecycle_stage, each with its value.",
        "type": "object",
        "properties": {name: {"description": says, **_ref("value")} for name, says in KINDS.items()},
        "additionalProperties": _ref("value"),
        "minProperties": 1,
    },
    "value": {"anyOf": [_SCALAR, _one_key("fact", _ref("fact")), _one_key("after_cause", _SCALAR)]},
    "fact": {"oneOf": [{"const": name, "description": fact.says} for name, fact in FACTS.items()]},
    "meets": {"enum": [*MEETS]},
    "cause": {"oneOf": [{"const": name, "description": says} for name, (_, says) in CAUSES.items()]},
}
"""What the models leave to compiling; each stands before those it speaks of."""

_PLACES = {
    ("ActionSpec", "set"): "values",
    ("ActionSpec", "propose"): "values",
    ("CellSpec", "set"): "values",
    ("CellSpec", "propose"): "values",
    ("RowSpec", "open_deals"): "operators",
    ("RuleSpec", "cause"): "cause",
    ("ServiceLevelSpec", "since"): "cause",
    ("ServiceLevelSpec", "met_by"): "meets",
}
"""Where those stand that the model's types don't tell apart."""


def schema_of(kind: str) -> Json:
    """The schema of one of `MODELS`."""
    made: Json = _for_editors(MODELS[kind].model_json_schema())
    definitions: Json = made.setdefault("$defs", {})
    for (model, key), name in _PLACES.items():
        if model in definitions:
            definitions[model]["properties"][key] = _ref(name)
    if "ActionSpec" in definitions:
        definitions["ActionSpec"] |= {"minProperties": 1, "maxProperties": 1}
    for name, definition in _SHARED.items():
        if f'"#/$defs/{name}"' in json.dumps(made):
            definitions[name] = definition
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def text_of(kind: str) -> str:
    """The schema of a kind as a file's text."""
    return json.dumps(schema_of(kind), indent=1, ensure_ascii=False) + "\n"


def write_all(folder: Path) -> None:
    """Every schema as KIND.json into a folder, which is made if need be. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in MODELS:
        (folder / f"{kind}.json").write_text(text_of(kind), encoding="utf-8")


def _for_editors(node: Json) -> Json:
    """A schema of pydantic's with values as an editor parses them, and without what only pydantic needs."""
    if {key: node[key] for key in _CONDITIONS if key in node} == _CONDITIONS:
        return _ref("conditions")
    found: Json = {}
    for key, value in node.items():
        if key in {"properties", "$defs"}:
            found[key] = {name: _for_editors(each) for name, each in value.items()}
        elif key == "anyOf":
            members = [_for_editors(each) for each in value if each != {"type": "null"}]
            found |= members[0] if len(members) == 1 else {"anyOf": members}
        elif key in {"items", "additionalProperties", "propertyNames"} and isinstance(value, dict):
            found[key] = _for_editors(value)
        elif key not in {"title", "format", "default"} or (key == "default" and isinstance(value, str | int) and value):
            found[key] = value
    if "enum" not in found and "const" not in found:
        found |= _READ_FROM_TEXT.get(str(node.get("type")), {})
    return found


_READ_FROM_TEXT: dict[str, Json] = {
    "string": _SCALAR,
    "integer": {"type": ["integer", "string"], "pattern": "^[+-]?[0-9]+$"},
    "boolean": {"type": ["boolean", "string"], "enum": [True, False, "true", "false", "yes", "no", "on", "off"]},
}
"""What a value of a type may be in a file."""
