"""The shape of rule files, as text enters: pydantic models of matrix.yaml, rollout.yaml and the files of rules.

Every scalar arrives as text (design 3 "YAML"); these models give types. Meaning is checked when they are compiled
(policy/compile.py); nothing here knows of files, lines or a portal. portal.yaml's shape is portal_spec.py's.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Text = str
Conditions = dict[str, dict[str, Any]]
Mode = Literal["auto", "propose", "report"]
Language = Literal["en", "fr", "de", "id"]


class Spec(BaseModel):
    """Base of all: an unknown key is a fault, not a comment."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class TemplateSpec(Spec):
    """The text of a task (`subject`, `body`) or of a digest or alert (`text`), with placeholders in braces."""

    subject: Text = ""
    body: Text = ""
    text: Text = ""
    priority: Literal["LOW", "MEDIUM", "HIGH", "NONE"] = "NONE"


class FactValue(Spec):
    """A value taken from a fact of the contact."""

    fact: Text


class AfterCause(Spec):
    """A date so long after the cause."""

    after_cause: Text


class LevelDue(Spec):
    """The moment at which a service level that starts with the cause is due."""

    service_level: Text


class TaskSpec(Spec):
    """A task to create: its template's name, whose it is, when it is due."""

    template: Text
    owner: Annotated[Text, Field(pattern=r"^(contact_owner|approver|[0-9]+)$")] = "contact_owner"
    """`approver` is the first of `approvers:` in portal.yaml; a number is an owner's id."""
    due: AfterCause | LevelDue


class FindingSpec(Spec):
    """A finding to show, in plain words."""

    message: Text


class DigestSpec(Spec):
    """Something for the next digest of somebody: `text`, or the template of that text."""

    to: Literal["owner", "manager", "ops"]
    text: Text | None = None
    template: Text | None = None

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        if (self.text is None) == (self.template is None):
            raise ValueError('say either text: "…" or template: name')
        return self


class AlertSpec(DigestSpec):
    """Something that somebody is to know at once."""

    to: Literal["manager", "ops"]


Values = dict[Text, Any]


class ActionSpec(Spec):
    """One action of a rule; exactly one key."""

    set: Values | None = None
    create_task: TaskSpec | None = None
    propose: Values | None = None
    finding: FindingSpec | Text | None = None
    digest: DigestSpec | None = None
    alert: AlertSpec | None = None


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


class ServiceLevelSpec(Spec):
    """A promise in time (L1): what starts its clock, what meets it, how long it may take, and who is told (L3)."""

    id: Text = Field(pattern=r"^[a-z][a-z0-9_]*$")
    playbook: Text
    says: Text
    starts: dict[Literal["lead_status", "lifecycle_stage"], list[Text]] = Field(min_length=1, max_length=1)
    since: Text | None = None
    """A cause that starts the clock again and again; otherwise the entry into the status or stage."""
    met_by: Text | None = None
    leaves_to: list[Text] = []
    """Statuses or stages that meet it when the contact goes there; otherwise any does."""
    when: Conditions = {}
    within: Text
    warn_at: Text = Field(default="80%", pattern=r"^[0-9]{1,2}%$")
    warning: list[ActionSpec] = []
    breach: list[ActionSpec]
    enabled: bool = True


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


class BounceWords(Spec):
    """`senders` are what stands before the @; `subjects` how a subject begins; `texts` what occurs in the text."""

    senders: list[Text] = []
    subjects: list[Text] = []
    texts: list[Text] = []


class AutoReplyWords(Spec):
    """`subjects` are how a subject begins; one of `texts` suffices, of `hints` it takes two."""

    subjects: list[Text] = []
    texts: list[Text] = []
    hints: list[Text] = []


class OptOutWords(Spec):
    """`alone` is all that subject or text say; `texts` occur in the text; what is in `unless` is passed over."""

    alone: list[Text] = []
    texts: list[Text] = []
    unless: list[Text] = []


class MailsSpec(Spec):
    """The words of mails.yaml. `quotes` are how a line begins below which the mail that is answered is quoted."""

    quotes: list[Text] = []
    bounce: BounceWords = BounceWords()
    auto_reply: AutoReplyWords = AutoReplyWords()
    opt_out: OptOutWords = OptOutWords()


class ForeignSpec(Spec):
    """Something else that writes in the portal, such as a HubSpot workflow: it sets these values when that holds."""

    id: Text = Field(pattern=r"^[a-z][a-z0-9_]*$")
    says: Text = ""
    when: Conditions | list[Conditions]
    set: dict[Text, Text]


class PointsSpec(Spec):
    """Points for one kind of event: the dates of a date property, a property's entry into values, or a form's name."""

    id: Text = Field(pattern=r"^[a-z][a-z0-9_]*$")
    says: Text
    points: Annotated[int, Field(gt=0)]
    date: Text | None = None
    property: Text | None = None
    values: list[Text] = []
    form: list[Text] = []

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(map(bool, (self.date, self.property, self.form))) != 1 or bool(self.property) != bool(self.values):
            raise ValueError("points come from one of date, property with its values, or form")
        return self


def _property_or_none(text: str) -> str:
    return "" if text == "none" else text


class ScoringSpec(Spec):
    """How engagement is scored (P1): points that last for a window, or fade with a half-life."""

    property: Text
    hubspot_score: Annotated[Text, AfterValidator(_property_or_none)] = ""
    window: Text | None = None
    half_life: Text | None = None
    threshold: Annotated[int, Field(gt=0)]
    points: list[PointsSpec]

    @model_validator(mode="after")
    def _window_or_half_life(self) -> Self:
        if (self.window is None) == (self.half_life is None):
            raise ValueError("points last for a window or fade with a half_life; write one of the two")
        return self


class RulesSpec(Spec):
    """automations.yaml, tasks.yaml and further files of rules; task templates stand beside their rules."""

    rules: list[RuleSpec] = []
    service_levels: list[ServiceLevelSpec] = []
    templates: dict[Text, TemplateSpec] = {}
    foreign: list[ForeignSpec] = []
    scoring: ScoringSpec | None = None
    mails: MailsSpec | None = None


class TemplateTextSpec(Spec):
    """A template in another language."""

    subject: Text | None = None
    body: Text | None = None
    text: Text | None = None


class RuleTextSpec(Spec):
    """What a rule says, in another language: each key stands for the same of the rule, or of its actions."""

    says: Text | None = None
    ask: Text | None = None
    finding: Text | None = None
    digest: Text | None = None
    alert: Text | None = None


class StatusTextSpec(Spec):
    """The definition of a Lead status in another language."""

    meaning: Text | None = None
    use_when: Text | None = None
    data: Text | None = None
    starts: Text | None = None
    next_step: Text | None = None
    red_flag: Text | None = None
    example: Text | None = None


class TextsSpec(Spec):
    """texts/fr.yaml and the like: what the rule files say in English, in another language."""

    requirements: dict[Text, Text] = {}
    templates: dict[Text, TemplateTextSpec] = {}
    rules: dict[Text, RuleTextSpec] = {}
    statuses: dict[Text, StatusTextSpec] = {}
    sentences: dict[Text, Text] = {}
    """By the English sentence: what matrix.yaml reports, and what hubsync itself says."""
