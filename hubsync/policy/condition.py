"""What a condition is: one fact, one operator, one operand, compiled to a closure.

A test answers an int: 1 holds, 0 does not, negative = not known until the facts in the mask `-answer` are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hubsync.policy.fact import Fact
from hubsync.policy.view import Missing, View

Test = Callable[[View], int]
Flip = Callable[[View], datetime | None]


class Fault(ValueError):
    """An operand that can't be used: what is wrong and what to write instead."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One fact, one operator, one operand. `flip` tells when a condition on time changes by itself."""

    fact: Fact
    operator: str
    operand: Any
    test: Test
    flip: Flip | None = None

    @property
    def text(self) -> str:
        """The condition in the words of the rule file."""
        if self.operator in {"is_known", "is_unknown"}:
            return f"{self.fact.name} {self.operator.replace('_', ' ')}"
        operand = self.operand if isinstance(self.operand, str) else ", ".join(map(str, self.operand))
        words = self.operator.replace("_", " ")
        for end in (" ago", " from now"):  # "is more than 3 days ago"
            if words.endswith(end):
                return f"{self.fact.name} {words.removesuffix(end)} {operand}{end}"
        return f"{self.fact.name} {words} {operand}".rstrip()


Value = Any
Holds = Callable[[Value], bool]


def test_of(fact: Fact, holds: Holds) -> Test:
    """Whether what is known of a fact meets what `holds` wants."""
    get, name = fact.get, fact.text_of
    nothing = int(holds(None)) if name else 0

    def of_text(view: View) -> int:
        text = view.properties.get(name)
        return int(holds(text)) if text else nothing

    def test(view: View) -> int:
        value = get(view)
        if value.__class__ is Missing:
            return -int(value.mask)
        return 1 if holds(value) else 0

    return of_text if name else test
