"""The heart: what follows from one contact's present state. Pure: no clock, no network, no disk, no log.

Automations are applied to a copy of the values in the order of their causes until they rest, then the matrix judges
what they leave, and so on until nothing moves (design 1). Applying the result and deciding again yields nothing.
"""

from __future__ import annotations

from datetime import datetime

from hubsync.policy.changes import NOTHING, Decision
from hubsync.policy.contact import Contact
from hubsync.policy.instants import earlier
from hubsync.policy.policy import Horizon, Policy
from hubsync.policy.rules import Cell, Rule
from hubsync.policy.settlement import Settlement
from hubsync.policy.tasks import TaskDecisions
from hubsync.policy.view import Missing, View, has_no_deals
from hubsync.policy.vocabulary import STAGE, STATUS


def decide(policy: Policy, contact: Contact, now: datetime, horizon: Horizon, *, tasks: bool = True) -> Decision:
    """Decide on a contact. `tasks` False leaves tasks and notices out, and what only they would need to read
    (an audit).

    Where `needs` of the answer is not 0, read those facts and decide again; the rest of the answer is then empty.
    """
    if policy.by_team:
        policy = policy.of(contact)
    get = contact.properties.get
    cell = policy.cells.get((get(STATUS) or "", get(STAGE) or ""))
    if cell is None:
        return NOTHING
    if cell.dealless is not None and has_no_deals(policy, contact):
        cell = cell.dealless
    open_tasks = tasks and bool(contact.open_tasks)
    if not cell.everything and not open_tasks:
        return NOTHING
    view = View(policy, contact, now, cell)
    needs = SETTLE if open_tasks or contact.history is not None else _first_glance(cell, view, tasks)
    if needs == 0:
        changes_at = view.changes_at
        return NOTHING if changes_at is None else Decision(look_again=changes_at)
    managed = policy.managed(view)
    if managed < 0:
        return Decision(needs=-managed)
    if managed == 0:
        return TaskDecisions(view, horizon).withdraw_all() if tasks else NOTHING
    return _settle(view, horizon, tasks) if needs == SETTLE else Decision(needs=needs)


SETTLE = -1


def _first_glance(cell: Cell, view: View, tasks: bool) -> int:
    """Whether any rule matters at all, as most often none does: 0, SETTLE, or the facts to read before one can tell.

    Asked in the order in which a settlement would ask, so that no more is read than it needs.
    """
    for tier in (cell.autos, cell.cells, cell.tasks if tasks else (), cell.notes):
        needs = 0
        for residual in tier:
            truth = residual.test(view)
            if truth > 0:
                truth = -_unread(residual.rule, view, settled_first=tier is cell.tasks)
                if truth == 0:
                    return SETTLE
            needs |= -truth
        if needs:
            return needs
    return 0


def _unread(rule: Rule, view: View, *, settled_first: bool) -> int:
    """What must be read before a rule that holds can be judged: its cause, and since when its values stand."""
    cause = None if settled_first else rule.cause(view)
    if not isinstance(cause, Missing):
        quiet = view.settled_at(rule.watches, rule.quiet)
        if isinstance(quiet, Missing):
            return quiet.mask
        cause = rule.cause(view) if settled_first else None
    return cause.mask if isinstance(cause, Missing) else 0


def _settle(view: View, horizon: Horizon, with_tasks: bool) -> Decision:
    settlement = Settlement(view, horizon)
    settlement.settle(live=True)
    if not settlement.rests and not settlement.needs:
        return Decision(conflicts=tuple(settlement.conflicts.values()))
    tasks = TaskDecisions(view, horizon)
    if with_tasks and not settlement.needs:
        tasks.decide(settlement.fired_with_errands())
    if settlement.backlog and not (settlement.needs or tasks.needs):
        settlement.settle(live=False)
    if not (settlement.needs or tasks.needs):
        settlement.notes()
    needs = settlement.needs | tasks.needs
    if needs:
        return Decision(needs=needs)
    waiting = earlier(settlement.waiting, tasks.waiting)
    due = earlier(settlement.look_again, tasks.look_again)
    return Decision(
        changes=settlement.live_changes,
        tasks=tuple(tasks.created),
        withdrawn=tuple(tasks.withdrawn),
        notices=tuple(tasks.notices),
        left=tuple(tasks.left),
        held=tuple(tasks.held),
        findings=tuple(settlement.findings.values()),
        superseded=(*settlement.superseded, *tasks.superseded),
        conflicts=tuple(settlement.conflicts.values()),
        waiting=waiting,
        look_again=earlier(earlier(due, view.changes_at), waiting),
    )
