"""The shape of rule files, as text enters: pydantic models of matrix.yaml, rollout.yaml and the files of rules.

Every scalar arrives as text (design 3 "YAML"); these models give types. Meaning is checked when they are compiled
(policy/compile.py); nothing here knows of files, lines or a portal. portal.yaml's shape is portal_spec.py's.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = str
Conditions = dict[str, dict[str, Any]]
Mode = Literal["auto", "propose", "report"]
Language = Literal["en", "fr", "de", "id"]


class Spec(BaseModel):
    """Base of all: an unknown key is a fault, not a comment."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class TemplateSpec(Spec):
    """A task's text. `{name}` in braces is filled from the contact: first name, status, stage, cause's date."""

    subject: Text
    body: Text = ""
    priority: Literal["LOW", "MEDIUM", "HIGH", "NONE"] = "NONE"


class FactValue(Spec):
    """A value taken from a fact of the contact."""

    fact: Text


class AfterCause(Spec):
    """A date so long after the cause."""

    after_cause: Text


class TaskSpec(Spec):
    """A task to create: its template's name, whose it is, when it is due."""

    template: Text
    owner: Literal["contact_owner"] = "contact_owner"
    due: AfterCause


class FindingSpec(Spec):
    """A finding to show, in plain words."""

    message: Text


Values = dict[Text, Any]


class ActionSpec(Spec):
    """One action of a rule; exactly one key."""

    set: Values | None = None
    create_task: TaskSpec | None = None
    propose: Values | None = None
    finding: FindingSpec | Text | None = None


class RuleSpec(Spec):
    """A rule (design 6)."""

    id: Text = Field(pattern=r"^[a-z][a-z0-9_]*$")
    playbook: Text
    says: Text = ""
    when: Conditions | list[Conditions]
    cause: Text | None = None
    after: Text | None = None
    then: list[ActionSpec]
    mode: Mode = "auto"
    enabled: bool = True
    hard: bool = False
    settle: Text | None = None
    once_per: Literal["cause", "deal", "status"] = "cause"
    outranks: list[Text] = []
    was: list[Text] = []
    ask: Text | None = None
    only_for: Text | None = None


class CapsSpec(Spec):
    """What a team's rules may do at most (B6)."""

    default: Mode | None = None
    rules: dict[Text, Mode] = {}


class RolloutSpec(Spec):
    """What rules may do at most (B6): all of them, single ones by id or playbook id, and by team."""

    default: Mode = "auto"
    rules: dict[Text, Mode] = {}
    teams: dict[Text, CapsSpec] = {}


class RolloutFileSpec(Spec):
    """rollout.yaml."""

    rollout: RolloutSpec


class RowSpec(Spec):
    """Which contacts a row of the matrix is about."""

    lifecycle_stage: Text | list[Text]
    open_deals: dict[Text, Any] | None = None


class CellSpec(Spec):
    """A cell that doesn't fit: exactly one of set, propose, report, ask_deal. A cell that fits is the word `fits`."""

    set: Values | None = None
    propose: Values | None = None
    report: Text | None = None
    ask_deal: Text | None = None
    hard: bool = False
    for_: Text | None = Field(default=None, alias="for")
    when: Conditions | None = None
    """A further condition; where it doesn't hold, the cell fits."""


class MatrixRowSpec(Spec):
    """One row of C1."""

    row: RowSpec
    cells: dict[Text, Literal["fits"] | CellSpec]


class MatrixSpec(Spec):
    """matrix.yaml."""

    matrix: list[MatrixRowSpec]


class ForeignSpec(Spec):
    """Something else that writes in the portal, such as a HubSpot workflow: it sets these values when that holds."""

    id: Text = Field(pattern=r"^[a-z][a-z0-9_]*$")
    says: Text = ""
    when: Conditions | list[Conditions]
    set: dict[Text, Text]


class RulesSpec(Spec):
    """automations.yaml, tasks.yaml and further files of rules; task templates stand beside their rules."""

    rules: list[RuleSpec] = []
    templates: dict[Text, TemplateSpec] = {}
    foreign: list[ForeignSpec] = []
