"""Faults of a document against a model, in plain words."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hubsync.rulefiles.lines import compose
from hubsync.rulefiles.models import validate


class Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Condition(Spec):
    is_: str | None = Field(None, alias="is")
    is_more_than: int | None = Field(None, gt=0, le=100)


class SetAction(Spec):
    kind: Literal["set"]
    value: str


class TaskAction(Spec):
    kind: Literal["task"]
    subject: str = Field(max_length=10)


class Rule(Spec):
    id: str = Field(min_length=1, pattern="^[a-z_]*$")
    mode: Literal["auto", "propose", "report"] = "auto"
    when: Condition | list[Condition] = []
    labels: dict[Literal["en", "fr"], str] = {}
    since: date | None = None
    at: datetime | None = None
    from_: time | None = Field(None, alias="from")
    hard: bool = False
    weight: float = 1.0
    share: Decimal = Decimal(1)
    days: frozenset[int] | int = frozenset()
    then: list[Annotated[SetAction | TaskAction, Field(discriminator="kind")]] = Field([], max_length=2)

    @field_validator("id")
    @classmethod
    def _id(cls, id_: str, info: ValidationInfo) -> str:
        if id_ == "taken" or (info.context and id_ in info.context["taken"]):
            raise ValueError(f'"{id_}" is taken')
        if id_ == "custom":
            raise PydanticCustomError("ours", "that id is ours")
        return id_

    @model_validator(mode="after")
    def _whole(self) -> "Rule":
        if self.hard and self.mode == "report":
            raise ValueError("a rule that only reports can't be hard")
        return self


class File(Spec):
    rules: Annotated[list[Rule], Field(min_length=1)]
    version: str = ""


def told(text: str) -> list[str]:
    found, problems = validate(File, compose(text, "f"))
    assert (found is None) == bool(problems)
    return [str(problem).removeprefix("f:") for problem in problems]


@pytest.mark.parametrize(
    ("rule", "faults"),
    [
        ("{}", ['1:9: "id" is missing']),
        ("{id: a, whne: {}}", ['1:17: unknown key "whne"; did you mean "when"?']),
        ("{id: a, when: {isnt: a}}", ['1:24: unknown key "isnt"; did you mean "is"?']),
        ("{id: a, when: [{zzzz: a}]}", ['1:25: unknown key "zzzz"; known are is, is_more_than']),
        ("{id: a, mode: atuo}", ['1:23: mode "atuo" is not one of auto, propose, report; did you mean "auto"?']),
        ("{id: a, mode: off}", ['1:23: mode "off" is not one of auto, propose, report']),
        ("{id: a, mode: [a]}", ["1:23: mode must be one of auto, propose, report, not a list"]),
        ("{id: a, labels: {enn: x}}", ['1:26: "enn" is not one of en, fr; did you mean "en"?']),
        ("{id: a, labels: {en: [x]}}", ["1:30: en must be text, not a list"]),
        ("{id: a, labels: text}", ['1:25: labels must be keys with values, not "text"']),
        ("{id: a, when: {is_more_than: x}}", ['1:38: is_more_than must be a whole number, not "x"']),
        ("{id: a, when: {is_more_than: 1.5}}", ['1:38: is_more_than must be a whole number, not "1.5"']),
        ("{id: a, when: {is_more_than: 0}}", ["1:38: is_more_than must be more than 0, not 0"]),
        ("{id: a, when: {is_more_than: 101}}", ["1:38: is_more_than must be at most 100, not 101"]),
        ("{id: a, when: text}", ['1:23: when must be keys with values or a list, not "text"']),
        ("{id: a, when: [text]}", ['1:24: each of when must be keys with values, not "text"']),
        ("{id: a, since: 2026-02-30}", ['1:24: since must be a date such as 2026-11-22, not "2026-02-30"']),
        ("{id: a, at: noon}", ['1:21: at must be a date and time such as 2026-11-22T09:00:00Z, not "noon"']),
        ("{id: a, from: '25:00'}", ['1:23: from must be a time of day such as 09:00, not "25:00"']),
        ("{id: a, since: }", ["1:24: since is empty; it must be a date such as 2026-11-22"]),
        ("{id: a, hard: maybe}", ['1:23: hard must be true or false, not "maybe"']),
        ("{id: a, weight: much}", ['1:25: weight must be a number, not "much"']),
        ("{id: a, share: much}", ['1:24: share must be a number, not "much"']),
        ("{id: a, days: x}", ['1:23: days must be a list or a whole number, not "x"']),
        ("{id: a, then: [{kind: sett, value: a}]}", ['1:24: then "sett" is not one of set, task; did you mean "set"?']),
        ("{id: a, then: [{value: a}]}", ['1:24: then "kind" is missing']),
        ("{id: a, then: [{kind: task, subject: longer than ten}]}", ["1:46: subject may have 10 characters at most"]),
        (
            "{id: a, then: [{kind: set, valeu: a}]}",
            ['1:24: "value" is missing', '1:36: unknown key "valeu"; did you mean "value"?'],
        ),
        ("{id: a, then: [&, &, &]}".replace("&", "{kind: set, value: a}"), ["1:23: then may have 2 entries at most"]),
        ("{id: ''}", ["1:14: id is empty"]),
        ("{id: A}", ['1:14: id "A" hasn\'t the form ^[a-z_]*$']),
        ("{id: taken}", ['1:14: id: "taken" is taken']),
        ("{id: custom}", ["1:14: id: that id is ours"]),
        ("{id: a, hard: yes, mode: report}", ["1:9: a rule that only reports can't be hard"]),
        ("text", ['1:9: each of rules must be keys with values, not "text"']),
    ],
)
def test_a_fault_is_told_once_where_it_is_in_plain_words(rule: str, faults: list[str]) -> None:
    assert told(f"rules: [{rule}]") == faults


def test_all_faults_are_told_in_the_order_of_the_file() -> None:
    text = "rules:\n  - mode: atuo\n    days: x\n  - id: taken\nversoin: 3\n"
    assert told(text) == [
        '2:5: "id" is missing',
        '2:11: mode "atuo" is not one of auto, propose, report; did you mean "auto"?',
        '3:11: days must be a list or a whole number, not "x"',
        '4:9: id: "taken" is taken',
        '5:1: unknown key "versoin"; did you mean "version"?',
    ]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ['1:1: "rules" is missing']),
        ("text", ['1:1: this must be keys with values, not "text"']),
        ("rules:", ["1:7: rules is empty; it must be a list"]),
        ("rules: []", ["1:8: rules is empty"]),
        ("rules: {a: b}", ["1:8: rules must be a list, not keys with values"]),
    ],
)
def test_a_file_of_another_shape_is_told_so(text: str, faults: list[str]) -> None:
    assert told(text) == faults


def test_a_document_without_faults_is_the_model() -> None:
    text = "rules: [{id: a, when: {is: NO, is_more_than: 3}, since: 2026-11-22, at: 2026-11-22T09:00:00Z, from: 09:00}]"
    found, problems = validate(File, compose(text, "f"))
    assert problems == []
    assert found is not None
    (rule,) = found.rules
    assert rule.when == Condition(is_="NO", is_more_than=3)
    assert (rule.since, rule.from_) == (date(2026, 11, 22), time(9))
    assert rule.at == datetime(2026, 11, 22, 9, tzinfo=UTC)


def test_a_part_of_a_document_is_told_by_its_place_in_the_whole() -> None:
    document = compose("a:\n  b: {id: A}\n  c: text\n", "f")
    assert [str(problem) for problem in validate(Rule, document, ("a", "b"))[1]] == [
        'f:2:11: id "A" hasn\'t the form ^[a-z_]*$'
    ]
    assert [str(problem) for problem in validate(Rule, document, ("a", "c"))[1]] == [
        'f:3:6: c must be keys with values, not "text"'
    ]


def test_validators_see_the_context() -> None:
    context: dict[str, Any] = {"taken": {"mine"}}
    document = compose("{id: mine}", "f")
    assert validate(Rule, document)[1] == []
    assert [str(problem) for problem in validate(Rule, document, (), context)[1]] == ['f:1:6: id: "mine" is taken']
