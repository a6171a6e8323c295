"""Combinations that a hard cell of the matrix corrects, whoever chose them (C2): no value is put back into one."""

from __future__ import annotations

from datetime import datetime

from hubsync.policy.contact import Contact
from hubsync.policy.policy import Policy
from hubsync.policy.rules import Rule
from hubsync.policy.view import Missing, View


def hard_cell(policy: Policy, contact: Contact, now: datetime) -> Rule | Missing | None:
    """The hard cell that would correct the contact's combination, if any; Missing where deals must tell."""
    view = View(policy, contact, now)
    cell = policy.cells.get((view.status, view.stage))
    hard = [r for r in cell.cells if r.rule.hard] if cell is not None else []
    if not hard or policy.managed(view) == 0:
        return None
    answers = [(residual.rule, residual.test(view)) for residual in hard]
    held = next((rule for rule, answer in answers if answer > 0), None)
    if held is not None:
        return held
    needs = next((-answer for _, answer in answers if answer < 0), 0)
    return Missing(needs) if needs else None
